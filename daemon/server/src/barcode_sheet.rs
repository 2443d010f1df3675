//! Bar code labels for LTO media on a sheet of paper, as SVG: to print in its true size and to cut.

mod code39;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use reel_types::commands::{BarcodeSheet, LtoBarcode, PaperSize};

/// A label as it is stuck on a cartridge, in mm; quiet zones of 5.25 mm stay beside the bars.
const LABEL_WIDTH: f64 = 79.0;
const LABEL_HEIGHT: f64 = 17.0;
const BAR_HEIGHT: f64 = 10.5;
const TEXT_HEIGHT: f64 = 4.5;
/// Between labels, and around them at least.
const GAP: f64 = 1.0;
const MARGIN: f64 = 10.0;

/// The page that a command asks for.
///
/// # Errors
/// What is wrong with the command, as a sentence.
pub(crate) fn sheet(command: &BarcodeSheet) -> Result<String, String> {
    let page = Page::of(command.paper.unwrap_or(PaperSize::A4));
    let labels = labels(command, page.labels())?;
    let pages = labels.len().div_ceil(page.labels());
    let wanted = match (command.page, pages) {
        (None, 1) => 1,
        (None, pages) => {
            return Err(format!(
                "{} labels take {pages} pages; print one after the other with '--page'",
                labels.len()
            ));
        }
        (Some(number), _) => usize::try_from(number.get()).unwrap_or(usize::MAX),
    };
    let first = (wanted - 1).saturating_mul(page.labels());
    let on_page = labels.get(first..labels.len().min(first.saturating_add(page.labels())));
    match on_page {
        Some(on_page) if !on_page.is_empty() => Ok(page.draw(on_page)),
        _ => Err(format!("there is no page {wanted}: {} labels take {pages}", labels.len())),
    }
}

/// The A4 pages that these labels take.
pub(crate) fn pages(labels: &[LtoBarcode]) -> impl ExactSizeIterator<Item = String> {
    let page = Page::of(PaperSize::A4);
    labels.chunks(page.labels()).map(move |on_page| page.draw(on_page))
}

fn labels(command: &BarcodeSheet, as_many: usize) -> Result<Vec<LtoBarcode>, String> {
    match (&command.prefix, command.media_id) {
        (None, None) if command.first.is_none() && command.count.is_none() => {
            listed(&command.labels)
        }
        (Some(_), Some(_)) if command.labels.is_empty() => numbered(command, as_many),
        _ => Err("give either the labels, or 'prefix' and 'media-id' for numbered ones".into()),
    }
}

fn listed(labels: &[LtoBarcode]) -> Result<Vec<LtoBarcode>, String> {
    let mut seen = BTreeSet::new();
    match labels.iter().find(|label| !seen.insert(*label)) {
        _ if labels.is_empty() => {
            Err("name the labels, or give 'prefix' and 'media-id' for numbered ones".into())
        }
        Some(twice) => Err(format!("'{twice}' is named twice; no two media may have one label")),
        None => Ok(labels.to_vec()),
    }
}

fn numbered(command: &BarcodeSheet, as_many: usize) -> Result<Vec<LtoBarcode>, String> {
    let (Some(prefix), Some(media_id)) = (&command.prefix, command.media_id) else {
        return Err("numbered labels need 'prefix' and 'media-id'".into());
    };
    let first = command.first.map_or(1, |first| first.get());
    let count = command.count.map_or(as_many as u64, |count| count.get());
    let label = |number| {
        LtoBarcode::numbered(prefix, number, media_id).ok_or_else(|| {
            format!("number {number} does not fit behind '{prefix}': a label has six characters")
        })
    };
    (first..first.saturating_add(count)).map(label).collect()
}

/// A sheet of paper, in mm.
struct Page {
    width: f64,
    height: f64,
}

impl Page {
    fn of(paper: PaperSize) -> Self {
        let (width, height) = match paper {
            PaperSize::A4 => (210.0, 297.0),
            PaperSize::Letter => (215.9, 279.4),
        };
        Self { width, height }
    }

    fn columns(&self) -> usize {
        fitting(self.width, LABEL_WIDTH)
    }

    fn rows(&self) -> usize {
        fitting(self.height, LABEL_HEIGHT)
    }

    fn labels(&self) -> usize {
        self.columns() * self.rows()
    }

    fn draw(&self, labels: &[LtoBarcode]) -> String {
        let (width, height) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}mm\" height=\"{height}mm\" \
             viewBox=\"0 0 {width} {height}\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
        );
        let used = self.columns() as f64 * (LABEL_WIDTH + GAP) - GAP;
        let left = (width - used) / 2.0;
        for (number, label) in labels.iter().enumerate() {
            let column = (number % self.columns()) as f64;
            let row = (number / self.columns()) as f64;
            let x = left + column * (LABEL_WIDTH + GAP);
            let y = MARGIN + row * (LABEL_HEIGHT + GAP);
            draw_label(&mut svg, label, x, y);
        }
        svg + "</svg>"
    }
}

/// How many of that size fit between the margins.
fn fitting(room: f64, size: f64) -> usize {
    ((room - 2.0 * MARGIN + GAP) / (size + GAP)) as usize
}

fn draw_label(svg: &mut String, label: &LtoBarcode, x: f64, y: f64) {
    let (bars, width) = code39::bars(label.as_str());
    let left = (LABEL_WIDTH - width) / 2.0;
    let _ = writeln!(
        svg,
        "<g transform=\"translate({x:.3} {y:.3})\" id=\"{label}\">\n\
         <rect width=\"{LABEL_WIDTH}\" height=\"{LABEL_HEIGHT}\" fill=\"none\" stroke=\"silver\" stroke-width=\"0.1\"/>"
    );
    let path: String = bars
        .iter()
        .map(|bar| {
            let (at, width) = (left + bar.at, bar.width);
            format!("M{at:.3} {TEXT_HEIGHT}h{width:.3}v{BAR_HEIGHT}h-{width:.3}z")
        })
        .collect();
    let _ = writeln!(svg, "<path d=\"{path}\"/>");
    let cell = width / label.as_str().chars().count() as f64;
    for (number, letter) in label.as_str().chars().enumerate() {
        let middle = left + (number as f64 + 0.5) * cell;
        let _ = writeln!(
            svg,
            "<text x=\"{middle:.3}\" y=\"3.9\" font-family=\"sans-serif\" font-size=\"3.9\" \
             text-anchor=\"middle\">{letter}</text>"
        );
    }
    svg.push_str("</g>\n");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(params: serde_json::Value) -> Result<String, String> {
        let command = BarcodeSheet::from_params(params.as_object().unwrap());
        sheet(&command.map_err(|error| error.to_string())?)
    }

    fn on_sheet(svg: &str) -> Vec<&str> {
        let groups = svg.split("id=\"").skip(1);
        groups.filter_map(|group| group.split_once('"')).map(|(label, _)| label).collect()
    }

    #[test]
    fn labels_that_are_listed_or_numbered() {
        let svg = asked(json!({ "labels": ["A00001L8", "CLN001CU"] })).unwrap();
        assert_eq!(on_sheet(&svg), ["A00001L8", "CLN001CU"]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        assert!(svg.contains("width=\"210mm\" height=\"297mm\""), "{svg}");
        let numbered = json!({ "prefix": "REEL", "media-id": "L9", "first": 8, "count": 3 });
        let numbered = asked(numbered).unwrap();
        assert_eq!(on_sheet(&numbered), ["REEL08L9", "REEL09L9", "REEL10L9"]);
    }

    #[test]
    fn a_page_is_filled_and_others_are_asked_for() {
        let full = |paper: &str| {
            let asked = asked(json!({ "prefix": "A", "media-id": "L8", "paper": paper })).unwrap();
            on_sheet(&asked).len()
        };
        assert_eq!((full("a4"), full("letter")), (30, 28));
        let many = |page: serde_json::Value| {
            asked(json!({ "prefix": "A", "media-id": "L8", "count": 40, "page": page }))
        };
        assert!(many(serde_json::Value::Null).unwrap_err().contains("40 labels take 2 pages"));
        assert_eq!(on_sheet(&many(json!(2)).unwrap())[0], "A00031L8");
        assert!(many(json!(3)).unwrap_err().contains("no page 3"));
        assert!(many(json!(u64::MAX)).is_err());
    }

    #[test]
    fn pages_hold_all_labels_in_their_order() {
        let prefix = "A".parse().unwrap();
        let label = |number| LtoBarcode::numbered(&prefix, number, "L8".parse().unwrap()).unwrap();
        let labels: Vec<_> = (1..=31).map(label).collect();
        let pages: Vec<String> = pages(&labels).collect();
        let on_pages: Vec<&str> = pages.iter().flat_map(|page| on_sheet(page)).collect();
        assert_eq!(on_pages, labels.iter().map(LtoBarcode::as_str).collect::<Vec<_>>());
        assert_eq!((pages.len(), on_sheet(&pages[1])), (2, vec!["A00031L8"]));
        assert_eq!(super::pages(&[]).len(), 0);
    }

    #[test]
    fn what_is_refused() {
        for (params, word) in [
            (json!({}), "name the labels"),
            (json!({ "labels": ["A00001L8", "A00001L8"] }), "named twice"),
            (json!({ "labels": ["A00001L8"], "prefix": "A", "media-id": "L8" }), "either"),
            (json!({ "labels": ["A00001L8"], "count": 3 }), "either"),
            (json!({ "prefix": "A" }), "either"),
            (json!({ "prefix": "REEL", "media-id": "L8", "first": 99, "count": 2 }), "number 100"),
            (json!({ "prefix": "reel", "media-id": "L8" }), "capital letters"),
            (json!({ "prefix": "A", "media-id": "L0" }), "must be one of"),
            (json!({ "prefix": "A", "media-id": "L8", "count": 0 }), "from 1 to 1000"),
            (json!({ "labels": ["A1"] }), "six capital letters"),
            (json!({ "labels": ["A00001L8"], "paper": "a3" }), "must be one of"),
        ] {
            let refused = asked(params.clone()).unwrap_err();
            assert!(refused.contains(word), "{params}: {refused}");
        }
    }
}
