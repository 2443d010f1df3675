//! Tables of text, drawn as PBS draws them (`cli-manager.md` §2.2).
//!
//! A cell may have several lines. Widths are display widths; lines are cut by characters, because
//! that is what PBS cuts by.

use unicode_width::UnicodeWidthStr;

/// How tables look here and now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Draw lines with box characters instead of `+`, `|`, `-`, `=`.
    pub utf8: bool,
    /// Leave out all lines and the head.
    pub no_border: bool,
    /// Leave out the head.
    pub no_header: bool,
    /// Cut lines to this many characters.
    pub columns: Option<usize>,
}

/// The head of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What stands over the column.
    pub title: String,
    /// Whether it is flush right, head and cells.
    pub right: bool,
}

/// The characters of one horizontal line: left end, filling, crossing, right end.
type Rule = [char; 4];

struct Lines {
    vertical: char,
    top: Rule,
    head: Rule,
    between: Rule,
    bottom: Rule,
}

const UTF8: Lines = Lines {
    vertical: '│',
    top: ['┌', '─', '┬', '┐'],
    head: ['╞', '═', '╪', '╡'],
    between: ['├', '─', '┼', '┤'],
    bottom: ['└', '─', '┴', '┘'],
};

const ASCII: Lines = Lines {
    vertical: '|',
    top: ['+', '=', '+', '+'],
    head: ['+', '=', '+', '+'],
    between: ['+', '-', '+', '+'],
    bottom: ['+', '=', '+', '+'],
};

/// Draws a table; each row has a cell for each head. A table without rows is nothing at all.
pub fn draw(heads: &[Head], rows: &[Vec<String>], style: Style) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let lines = if style.utf8 { UTF8 } else { ASCII };
    let widths = widths(heads, rows);
    let mut drawn = Vec::new();
    if !style.no_border {
        drawn.push(rule(lines.top, &widths));
    }
    if !style.no_border && !style.no_header {
        let titles: Vec<_> = heads.iter().map(|head| head.title.clone()).collect();
        drawn.extend(row_lines(heads, &titles, &widths, style, lines.vertical));
        drawn.push(rule(lines.head, &widths));
    }
    for (index, row) in rows.iter().enumerate() {
        if index > 0 && !style.no_border {
            drawn.push(rule(lines.between, &widths));
        }
        drawn.extend(row_lines(heads, row, &widths, style, lines.vertical));
    }
    if !style.no_border {
        drawn.push(rule(lines.bottom, &widths));
    }
    drawn.into_iter().map(|line| cut(line, style.columns) + "\n").collect()
}

fn widths(heads: &[Head], rows: &[Vec<String>]) -> Vec<usize> {
    let width_of = |index: usize, head: &Head| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        let widest = cells.flat_map(|cell| cell.lines()).map(UnicodeWidthStr::width).max();
        widest.unwrap_or(0).max(head.title.chars().count())
    };
    heads.iter().enumerate().map(|(index, head)| width_of(index, head)).collect()
}

fn rule([left, fill, crossing, right]: Rule, widths: &[usize]) -> String {
    let pieces: Vec<String> = widths.iter().map(|w| fill.to_string().repeat(w + 2)).collect();
    format!("{left}{}{right}", pieces.join(&crossing.to_string()))
}

fn row_lines(
    heads: &[Head],
    cells: &[String],
    widths: &[usize],
    style: Style,
    vertical: char,
) -> Vec<String> {
    let height = cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
    let line = |number: usize| {
        let texts = cells.iter().map(|cell| cell.lines().nth(number).unwrap_or(""));
        let padded: Vec<_> = texts
            .zip(heads)
            .zip(widths)
            .map(|((text, head), width)| pad(text, *width, head.right))
            .collect();
        if style.no_border {
            return padded.join(" ");
        }
        let middle = padded.join(&format!(" {vertical} "));
        format!("{vertical} {middle} {vertical}")
    };
    (0..height).map(line).collect()
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if right { blanks + text } else { text.to_owned() + &blanks }
}

fn cut(line: String, columns: Option<usize>) -> String {
    match columns {
        Some(columns) => line.chars().take(columns).collect(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(titles: &[(&str, bool)]) -> Vec<Head> {
        titles
            .iter()
            .map(|(title, right)| Head { title: title.to_string(), right: *right })
            .collect()
    }

    fn sample(style: Style) -> String {
        let rows = [["a", "1"], ["bß", "200"]].map(|row| row.map(String::from).to_vec());
        draw(&heads(&[("name", false), ("nr", true)]), &rows, style)
    }

    #[test]
    fn boxes() {
        let style = Style { utf8: true, ..Style::default() };
        insta::assert_snapshot!(sample(style), @r"
        ┌──────┬─────┐
        │ name │  nr │
        ╞══════╪═════╡
        │ a    │   1 │
        ├──────┼─────┤
        │ bß   │ 200 │
        └──────┴─────┘
        ");
    }

    #[test]
    fn plain_characters() {
        insta::assert_snapshot!(sample(Style::default()), @r"
        +======+=====+
        | name |  nr |
        +======+=====+
        | a    |   1 |
        +------+-----+
        | bß   | 200 |
        +======+=====+
        ");
    }

    #[test]
    fn without_head() {
        let style = Style { no_header: true, ..Style::default() };
        insta::assert_snapshot!(sample(style), @r"
        +======+=====+
        | a    |   1 |
        +------+-----+
        | bß   | 200 |
        +======+=====+
        ");
    }

    #[test]
    fn without_border() {
        let style = Style { no_border: true, ..Style::default() };
        assert_eq!(sample(style), "a      1\nbß   200\n");
    }

    #[test]
    fn cut_to_the_terminal() {
        let style = Style { utf8: true, columns: Some(9), ..Style::default() };
        assert!(sample(style).lines().all(|line| line.chars().count() == 9));
    }

    #[test]
    fn cells_of_several_lines_and_wide_characters() {
        let rows = [vec!["one\ntwo".to_owned(), "漢字".to_owned()]];
        let drawn = draw(&heads(&[("a", false), ("b", true)]), &rows, Style::default());
        insta::assert_snapshot!(drawn, @r"
        +=====+======+
        | a   |    b |
        +=====+======+
        | one | 漢字 |
        | two |      |
        +=====+======+
        ");
    }

    #[test]
    fn no_rows_no_output() {
        assert_eq!(draw(&heads(&[("a", false)]), &[], Style::default()), "");
    }
}
