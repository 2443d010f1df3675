//! Bar codes of LTO media: six characters and the media identifier (`tape-state.md` §13).

use std::fmt;
use std::str::FromStr;

use super::MediaIdentifier;
use crate::ParseError;

/// Characters in front of the media identifier.
const VOLUME_CHARS: usize = 6;

fn is_volume_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// A bar code as it is on a cartridge, such as `A00001L8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LtoBarcode(Box<str>);

impl LtoBarcode {
    /// The bar code with the number `number` behind `prefix`; none where the digits don't suffice.
    pub fn numbered(
        prefix: &BarcodePrefix,
        number: u64,
        media_id: MediaIdentifier,
    ) -> Option<Self> {
        let digits = VOLUME_CHARS - prefix.0.len();
        let text = format!("{}{number:0digits$}{}", prefix.0, media_id.as_str());
        text.parse().ok()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LtoBarcode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || {
            let reason = "must be six capital letters or digits and a media id, such as A00001L8";
            ParseError::new("bar code", text, reason)
        };
        let (volume, media_id) = text.split_at_checked(VOLUME_CHARS).ok_or_else(refuse)?;
        media_id.parse::<MediaIdentifier>().map_err(|_| refuse())?;
        if is_volume_text(volume) { Ok(Self(text.into())) } else { Err(refuse()) }
    }
}

impl fmt::Display for LtoBarcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What numbered bar codes begin with: one to five capital letters or digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarcodePrefix(Box<str>);

impl FromStr for BarcodePrefix {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if (1..VOLUME_CHARS).contains(&text.len()) && is_volume_text(text) {
            return Ok(Self(text.into()));
        }
        let reason = "must be one to five capital letters or digits";
        Err(ParseError::new("prefix of bar codes", text, reason))
    }
}

impl fmt::Display for BarcodePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_six_characters() {
        let numbered = |prefix: &str, number| {
            let prefix = prefix.parse().unwrap();
            LtoBarcode::numbered(&prefix, number, MediaIdentifier::L8).map(|code| code.to_string())
        };
        assert_eq!(numbered("A", 1).unwrap(), "A00001L8");
        assert_eq!(numbered("REEL", 99).unwrap(), "REEL99L8");
        assert_eq!(numbered("REEL", 100), None);
        assert_eq!(numbered("ABCDE", 9).unwrap(), "ABCDE9L8");
    }

    #[test]
    fn what_is_no_bar_code() {
        for good in ["A00001L8", "CLN001CU", "123456M8", "WORM01LZ"] {
            assert_eq!(good.parse::<LtoBarcode>().unwrap().to_string(), good);
        }
        for bad in ["", "A00001", "a00001L8", "A00001XX", "A00001L8L8", "A-0001L8", "ä00001L8"] {
            assert!(bad.parse::<LtoBarcode>().is_err(), "{bad}");
        }
        for bad in ["", "ABCDEF", "a", "A-"] {
            assert!(bad.parse::<BarcodePrefix>().is_err(), "{bad}");
        }
    }
}
