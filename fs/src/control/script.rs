//! Cuts writes into lines.
//!
//! A write ends where a buffer was full, not where a line ends. A last line without newline
//! counts only if the write was shorter than the smallest buffer that programs write with; else
//! it waits for the next write, so that a long script never runs half a command.

/// A write of at least this many bytes may have been cut by a full buffer.
const BUFFER_BYTES_MIN: usize = 4096;
/// The longest command; a longer line is refused whole. Bounds what a handle keeps waiting.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// The beginning of a line whose end has not been written yet.
#[derive(Debug, Default)]
pub(super) struct Script {
    waiting: Vec<u8>,
}

/// One command with its place in the write that completed it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Line {
    /// The line without newline.
    pub(super) text: Vec<u8>,
    /// How many bytes of the write are done with once this line is.
    pub(super) end: usize,
}

impl Script {
    /// The lines that `data` completes, in order; the rest waits.
    pub(super) fn push(&mut self, data: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut start = 0;
        while let Some(length) = data[start..].iter().position(|byte| *byte == b'\n') {
            let end = start + length;
            lines.push(self.complete(&data[start..end], end + 1));
            start = end + 1;
        }
        let rest = &data[start..];
        let counts = data.len() < BUFFER_BYTES_MIN && !rest.is_empty();
        let too_long = self.waiting.len() + rest.len() > LINE_BYTES_MAX;
        if counts || too_long {
            lines.push(self.complete(rest, data.len()));
        } else {
            self.waiting.extend_from_slice(rest);
        }
        lines
    }

    /// What still waits; it will not run any more.
    pub(super) fn cut(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.waiting)).filter(|line| !line.is_empty())
    }

    fn complete(&mut self, end_of_line: &[u8], end: usize) -> Line {
        let mut text = std::mem::take(&mut self.waiting);
        text.extend_from_slice(end_of_line);
        Line { text, end }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| std::str::from_utf8(&line.text).unwrap()).collect()
    }

    #[test]
    fn a_short_write_needs_no_newline() {
        let mut script = Script::default();
        let lines = script.push(b"load 1\nload 2");
        assert_eq!(texts(&lines), ["load 1", "load 2"]);
        assert_eq!(lines.iter().map(|line| line.end).collect::<Vec<_>>(), [7, 13]);
        assert_eq!(script.cut(), None);
    }

    #[test]
    fn the_last_line_of_a_full_buffer_waits_for_the_next_write() {
        let mut script = Script::default();
        let mut buffer = b"first\n".to_vec();
        buffer.resize(BUFFER_BYTES_MIN, b'x');
        assert_eq!(texts(&script.push(&buffer)), ["first"]);
        let lines = script.push(b"y\nlast");
        assert_eq!(lines[0].text.len(), BUFFER_BYTES_MIN - 6 + 1);
        assert_eq!(lines[0].end, 2);
        assert_eq!(texts(&lines[1..]), ["last"]);
    }

    #[test]
    fn a_byte_less_than_a_buffer_counts() {
        let mut script = Script::default();
        assert_eq!(script.push(&vec![b'x'; BUFFER_BYTES_MIN - 1]).len(), 1);
        assert_eq!(script.push(&vec![b'x'; BUFFER_BYTES_MIN]).len(), 0);
        assert_eq!(script.cut().map(|line| line.len()), Some(BUFFER_BYTES_MIN));
        assert_eq!(script.cut(), None);
    }

    #[test]
    fn waiting_is_bounded() {
        let mut script = Script::default();
        assert!(script.push(&vec![b'x'; LINE_BYTES_MAX]).is_empty());
        let lines = script.push(&vec![b'x'; BUFFER_BYTES_MIN]);
        assert_eq!(lines[0].text.len(), LINE_BYTES_MAX + BUFFER_BYTES_MIN);
        assert_eq!(script.cut(), None);
    }

    proptest! {
        /// However a script is cut into full buffers, the same lines come out.
        #[test]
        fn cuts_by_buffers_do_not_matter(
            lines in prop::collection::vec("[a-z ]{0,200}", 0..200),
            extra in 0usize..5000,
        ) {
            let script: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let mut cutter = Script::default();
            let mut found = Vec::new();
            for piece in script.as_bytes().chunks(BUFFER_BYTES_MIN + extra) {
                found.extend(cutter.push(piece).into_iter().map(|line| line.text));
            }
            // A last piece shorter than a buffer ends with the script's own newline.
            prop_assert_eq!(cutter.cut(), None);
            let expected: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
