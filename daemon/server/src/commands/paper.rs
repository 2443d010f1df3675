//! Paper keys: a protected key as a page or as text, with its QR code.
//!
//! The text between the two marker lines is what `key restore` takes back, and a PBS as well; the QR code holds the same
//! JSON without the blanks.

use qrcode::{Color, EcLevel, QrCode};
use reel_config::WrappedKey;
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

const BEGIN: &str = "-----BEGIN PROXMOX BACKUP KEY-----";
const END: &str = "-----END PROXMOX BACKUP KEY-----";

/// Light modules around a code, which a reader needs (ISO/IEC 18004).
const QUIET_MODULES: usize = 4;

/// Lines of text, and the code in half blocks.
pub(super) fn text(key: &WrappedKey, subject: Option<&str>) -> Outcome<String> {
    let subject = subject.map(|subject| format!("Subject: {subject}\n\n")).unwrap_or_default();
    Ok(format!("{subject}{}\n{}", key_lines(key), Modules::of(key)?.as_text()))
}

/// A page that a browser prints on one sheet.
pub(super) fn page(key: &WrappedKey, subject: Option<&str>) -> Outcome<String> {
    let subject = subject.map(|subject| format!("<p>Subject: {}</p>\n", escaped(subject)));
    let (lines, svg) = (escaped(&key_lines(key)), Modules::of(key)?.as_svg());
    Ok(format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>Proxmox Backup Paperkey</title>
<style type="text/css">
  p {{
    font-size: 12pt;
    font-family: monospace;
    white-space: pre-wrap;
    line-break: anywhere;
  }}
</style>
</head>
<body>
{subject}<div style="page-break-inside: avoid">
<p>
{lines}</p>
{svg}
</div>
</body>
</html>
"#,
        subject = subject.unwrap_or_default(),
    ))
}

/// What stands between the marker lines of a paper key, or the text itself where there are none.
pub(super) fn text_of_paper(text: &str) -> Zeroizing<String> {
    let inside = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    Zeroizing::new(inside.map_or(text, |(inside, _)| inside).trim().to_owned())
}

fn key_lines(key: &WrappedKey) -> String {
    format!("{BEGIN}\n{}\n{END}\n", key.to_text(true))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The modules of a QR code, with the light ones around it.
struct Modules {
    dark: Vec<bool>,
    width: usize,
}

impl Modules {
    fn of(key: &WrappedKey) -> Outcome<Self> {
        let code = QrCode::with_error_correction_level(key.to_text(false), EcLevel::L);
        let code = code.map_err(|error| Failure::invalid(format!("make the QR code: {error}")))?;
        let dark = code.to_colors().iter().map(|color| *color == Color::Dark).collect();
        Ok(Self { dark, width: code.width() })
    }

    /// Width and height with the light modules around.
    fn side(&self) -> usize {
        self.width + 2 * QUIET_MODULES
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET_MODULES).filter(|at| *at < self.width);
        let at = inside(y).zip(inside(x)).map(|(y, x)| y * self.width + x);
        at.is_some_and(|at| self.dark.get(at) == Some(&true))
    }

    /// Two rows of modules in each line, light ones drawn: terminals are dark.
    fn as_text(&self) -> String {
        let line = |y: usize| -> String {
            let modules =
                (0..self.side()).map(|x| match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                    (false, false) => '\u{2588}',
                    (false, true) => '\u{2580}',
                    (true, false) => '\u{2584}',
                    (true, true) => ' ',
                });
            modules.chain(['\n']).collect()
        };
        (0..self.side()).step_by(2).map(line).collect()
    }

    /// One path with a square for each dark module.
    fn as_svg(&self) -> String {
        let side = self.side();
        let places = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let squares: String = places
            .filter(|(x, y)| self.is_dark(*x, *y))
            .map(|(x, y)| format!("M{x} {y}h1v1h-1z"))
            .collect();
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="12cm" height="12cm" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><path d="{squares}"/></svg>"#
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn key() -> WrappedKey {
        let text = format!(
            r#"{{"kdf":null,"created":"2026-01-01T00:00:00+00:00","modified":"2026-01-01T00:00:00+00:00",
            "data":"AAAA","fingerprint":"{}","hint":"a <b> & c"}}"#,
            ["07"; 32].join(":")
        );
        WrappedKey::parse(&text).unwrap().1
    }

    #[test]
    fn what_is_on_paper_comes_back() {
        let on_paper = text(&key(), Some("the vault")).unwrap();
        assert!(on_paper.starts_with("Subject: the vault\n\n-----BEGIN"), "{on_paper}");
        let back = text_of_paper(&on_paper.replace('\n', "\r\n"));
        assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), *key().as_json());
        assert_eq!(*text_of_paper(" {}\n"), "{}");
    }

    #[test]
    fn the_page_cannot_be_broken_by_what_is_on_it() {
        let page = page(&key(), Some("<script>")).unwrap();
        assert!(page.contains("Subject: &lt;script&gt;") && page.contains("a &lt;b&gt; &amp; c"));
        assert!(page.contains("<svg ") && !page.contains("<script>"));
    }

    #[test]
    fn the_code_has_a_light_border() {
        let modules = Modules::of(&key()).unwrap();
        assert!(modules.is_dark(QUIET_MODULES, QUIET_MODULES), "the corner of a finder pattern");
        assert!((0..modules.side()).all(|at| !modules.is_dark(at, 3) && !modules.is_dark(3, at)));
        assert_eq!(modules.as_text().lines().count(), modules.side().div_ceil(2));
    }
}
