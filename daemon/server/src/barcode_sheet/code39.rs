//! Code 39 (ISO/IEC 16388), for the characters of LTO bar codes.

/// Bars and spaces of a character, bar first; `w` is wide, `n` narrow.
const PATTERNS: [(char, &str); 37] = [
    ('0', "nnnwwnwnn"),
    ('1', "wnnwnnnnw"),
    ('2', "nnwwnnnnw"),
    ('3', "wnwwnnnnn"),
    ('4', "nnnwwnnnw"),
    ('5', "wnnwwnnnn"),
    ('6', "nnwwwnnnn"),
    ('7', "nnnwnnwnw"),
    ('8', "wnnwnnwnn"),
    ('9', "nnwwnnwnn"),
    ('A', "wnnnnwnnw"),
    ('B', "nnwnnwnnw"),
    ('C', "wnwnnwnnn"),
    ('D', "nnnnwwnnw"),
    ('E', "wnnnwwnnn"),
    ('F', "nnwnwwnnn"),
    ('G', "nnnnnwwnw"),
    ('H', "wnnnnwwnn"),
    ('I', "nnwnnwwnn"),
    ('J', "nnnnwwwnn"),
    ('K', "wnnnnnnww"),
    ('L', "nnwnnnnww"),
    ('M', "wnwnnnnwn"),
    ('N', "nnnnwnnww"),
    ('O', "wnnnwnnwn"),
    ('P', "nnwnwnnwn"),
    ('Q', "nnnnnnwww"),
    ('R', "wnnnnnwwn"),
    ('S', "nnwnnnwwn"),
    ('T', "nnnnwnwwn"),
    ('U', "wwnnnnnnw"),
    ('V', "nwwnnnnnw"),
    ('W', "wwwnnnnnn"),
    ('X', "nwnnwnnnw"),
    ('Y', "wwnnwnnnn"),
    ('Z', "nwwnwnnnn"),
    (STOP, "nwnnwnwnn"),
];
/// Begins and ends each code.
const STOP: char = '*';
/// Width of a narrow element in mm, and how much wider a wide one is (IBM's LTO label specification: 17 mil, 2.75).
const NARROW_MM: f64 = 0.432;
const WIDE: f64 = 2.75;

/// A bar: where it begins and how wide it is, in mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bar {
    pub(super) at: f64,
    pub(super) width: f64,
}

/// The bars of `text` between its start and stop characters, and the width of all. Characters that LTO bar codes don't
/// have are left out.
pub(super) fn bars(text: &str) -> (Vec<Bar>, f64) {
    let (mut bars, mut at) = (Vec::new(), 0.0);
    for letter in std::iter::once(STOP).chain(text.chars()).chain([STOP]) {
        let Some((_, pattern)) = PATTERNS.iter().find(|(known, _)| *known == letter) else {
            continue;
        };
        for (number, element) in pattern.bytes().enumerate() {
            let width = if element == b'w' { WIDE * NARROW_MM } else { NARROW_MM };
            if number.is_multiple_of(2) {
                bars.push(Bar { at, width });
            }
            at += width;
        }
        at += NARROW_MM;
    }
    (bars, (at - NARROW_MM).max(0.0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Reads bars as a scanner does: by their widths and those of the spaces between.
    fn read(bars: &[Bar]) -> String {
        let is_wide = |width: f64| if width > 1.5 * NARROW_MM { 'w' } else { 'n' };
        let letters = bars.chunks(5).map(|letter| {
            let mut pattern = String::new();
            for (number, bar) in letter.iter().enumerate() {
                pattern.push(is_wide(bar.width));
                if let Some(next) = letter.get(number + 1) {
                    pattern.push(is_wide(next.at - bar.at - bar.width));
                }
            }
            PATTERNS.iter().find(|(_, known)| *known == pattern).expect("a character").0
        });
        letters.collect()
    }

    #[test]
    fn each_character_has_three_wide_elements_of_nine_and_its_own_pattern() {
        for (letter, pattern) in PATTERNS {
            assert_eq!(pattern.len(), 9, "{letter}");
            assert_eq!(pattern.matches('w').count(), 3, "{letter}");
        }
        let patterns: BTreeSet<&str> = PATTERNS.iter().map(|(_, pattern)| *pattern).collect();
        assert_eq!(patterns.len(), PATTERNS.len());
    }

    #[test]
    fn what_is_printed_can_be_read() {
        for text in ["A00001L8", "CLN123CU", "XYZ789M8"] {
            let (bars, width) = bars(text);
            assert_eq!(read(&bars), format!("*{text}*"));
            let last = bars.last().unwrap();
            assert!((last.at + last.width - width).abs() < 1e-9);
        }
        let (_, width) = bars("A00001L8");
        assert!((65.0..66.0).contains(&width), "{width}");
    }
}
