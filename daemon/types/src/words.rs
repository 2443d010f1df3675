//! Small values that configuration and command lines share (`config.md` §2, §3).

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::text::checked_text;

/// Reads a boolean word: `1 on yes true` or `0 off no false`, in any case (`config.md` §2).
pub fn parse_bool(text: &str) -> Result<bool, ParseError> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Ok(true),
        "0" | "off" | "no" | "false" => Ok(false),
        _ => Err(ParseError::new("boolean", text, "must be 1, on, yes, true, 0, off, no or false")),
    }
}

/// Checks a text of bounded length (in characters) that holds no control characters.
pub(crate) fn check_single_line(
    kind: &'static str,
    text: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Result<(), ParseError> {
    if text.chars().any(char::is_control) {
        return Err(ParseError::new(kind, text, "must be one line without control characters"));
    }
    if !length.contains(&text.chars().count()) {
        let reason = format!("must be {} to {} characters long", length.start(), length.end());
        return Err(ParseError::new(kind, text, reason));
    }
    Ok(())
}

macro_rules! single_line {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $min:literal..=$max:literal) => {
        checked_text!($(#[$doc])* $name, |text| check_single_line($kind, text, $min..=$max));
    };
}

single_line!(
    /// A comment: one line without control characters, at most 128 of them (`config.md` §3).
    Comment, "comment", 0..=128
);
single_line!(
    /// What reminds the owner of a key's passphrase, 1 to 64 characters (`config.md` §4.9).
    PasswordHint, "password hint", 1..=64
);
single_line!(
    /// A user's first name, last name or email address, 2 to 64 characters (`config.md` §3).
    PersonalDetail, "name or email address", 2..=64
);

/// How deep below a namespace to go: 0 is the namespace alone, 7 everything (`config.md` §4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceDepth(u8);

impl NamespaceDepth {
    /// The namespace alone.
    pub const ITSELF: Self = Self(0);
    /// Everything below, since namespaces nest no deeper.
    pub const FULL: Self = Self(7);

    /// How many levels below.
    pub fn levels(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for NamespaceDepth {
    fn default() -> Self {
        Self::FULL
    }
}

impl TryFrom<u8> for NamespaceDepth {
    type Error = ParseError;

    fn try_from(levels: u8) -> Result<Self, ParseError> {
        if levels <= Self::FULL.0 {
            return Ok(Self(levels));
        }
        Err(ParseError::new("namespace depth", levels.to_string(), "must be 0 to 7"))
    }
}

impl FromStr for NamespaceDepth {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let levels = text.parse::<u8>();
        let levels =
            levels.map_err(|_| ParseError::new("namespace depth", text, "must be 0 to 7"))?;
        Self::try_from(levels)
    }
}

impl fmt::Display for NamespaceDepth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for NamespaceDepth {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for NamespaceDepth {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let levels = <u8 as serde::Deserialize>::deserialize(deserializer)?;
        Self::try_from(levels).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boolean_words_in_any_case() {
        for word in ["1", "on", "On", "YES", "true", "True"] {
            assert_eq!(parse_bool(word), Ok(true), "{word}");
        }
        for word in ["0", "off", "No", "FALSE"] {
            assert_eq!(parse_bool(word), Ok(false), "{word}");
        }
        for bad in ["", "2", "y", "true ", "wahr"] {
            assert!(parse_bool(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn comments_are_one_line_of_128_characters() {
        for good in ["", "ümläut", &"ü".repeat(128)] {
            assert_eq!(good.parse::<Comment>().unwrap().as_str(), good);
        }
        for bad in ["a\nb", "tab\t", "\u{85}", &"x".repeat(129)] {
            assert!(bad.parse::<Comment>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn depth_is_a_number_up_to_seven() {
        assert_eq!("7".parse(), Ok(NamespaceDepth::FULL));
        assert_eq!(serde_json::to_string(&NamespaceDepth::ITSELF).unwrap(), "0");
        assert!(serde_json::from_str::<NamespaceDepth>("8").is_err());
        for bad in ["8", "-1", "", "1.0", "256"] {
            assert!(bad.parse::<NamespaceDepth>().is_err(), "{bad}");
        }
    }
}
