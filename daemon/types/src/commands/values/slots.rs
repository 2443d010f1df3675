//! Lists of slot numbers.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;

/// Slot numbers from 1 on, such as `14,15,16`; ascending, each once. It may be empty. Commas, semicolons and white
/// space stand between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlotList(Vec<u32>);

impl SlotList {
    /// The numbers.
    pub fn slots(&self) -> &[u32] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for SlotList {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let between = |c: char| matches!(c, ',' | ';') || c.is_ascii_whitespace();
        let parts = text.split(between).filter(|part| !part.is_empty());
        let slots = parts.map(|part| part.parse().ok().filter(|slot: &u32| *slot > 0));
        let slots: Option<Vec<u32>> = slots.collect();
        let mut slots = slots.ok_or_else(|| {
            let reason = "must be slot numbers from 1 on, separated by commas";
            ParseError::new("slots", text, reason)
        })?;
        slots.sort_unstable();
        slots.dedup();
        Ok(Self(slots))
    }
}

impl fmt::Display for SlotList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_sorted_by_number() {
        assert_eq!("14, 2;14\t2".parse::<SlotList>().unwrap().to_string(), "2,14");
        assert_eq!("".parse::<SlotList>().unwrap(), SlotList::default());
        for bad in ["0", "1,x", "-1", "1,99999999999"] {
            assert!(bad.parse::<SlotList>().is_err(), "{bad}");
        }
    }
}
