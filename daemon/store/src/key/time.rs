//! Times of key files: RFC 3339 with a numeric offset.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};
use reel_types::ParseError;

use crate::error::{FormatError, FormatResult};

const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%:z";

/// An instant with the offset in which it is written: `2020-06-26T15:56:05+02:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTime {
    instant: Timestamp,
    offset: Offset,
}

impl KeyTime {
    /// UNIX seconds as a clock of that time zone shows them; PBS writes local time.
    pub fn at(epoch: i64, zone: &TimeZone) -> FormatResult<Self> {
        let instant = Timestamp::from_second(epoch)
            .map_err(|error| FormatError::invalid(format!("no valid time: {error}")))?;
        Ok(Self { instant, offset: zone.to_offset(instant) })
    }

    /// UNIX seconds.
    pub fn epoch(self) -> i64 {
        self.instant.as_second()
    }
}

impl fmt::Display for KeyTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.instant.display_with_offset(self.offset))
    }
}

impl FromStr for KeyTime {
    type Err = ParseError;

    /// Takes `Z` for `+00:00`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || ParseError::new("time", text, "must be like '2020-06-26T15:56:05+02:00'");
        let numeric = match text.strip_suffix(['Z', 'z']) {
            Some(rest) => format!("{rest}+00:00"),
            None => text.to_owned(),
        };
        let parsed = BrokenDownTime::parse(FORMAT, &numeric).map_err(|_| refuse())?;
        let instant = parsed.to_timestamp().map_err(|_| refuse())?;
        let offset = parsed.offset().ok_or_else(refuse)?;
        Ok(Self { instant, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_parsed() {
        for text in
            ["2020-06-26T15:56:05+02:00", "2026-11-23T13:33:10+00:00", "1970-01-01T00:00:01-03:30"]
        {
            assert_eq!(text.parse::<KeyTime>().unwrap().to_string(), text);
        }
        let zulu: KeyTime = "2020-06-26T13:56:05Z".parse().unwrap();
        assert_eq!(zulu.to_string(), "2020-06-26T13:56:05+00:00");
        assert_eq!(zulu.epoch(), 1_593_179_765);
        let there = TimeZone::fixed(jiff::tz::offset(2));
        let local = KeyTime::at(1_593_179_765, &there).unwrap();
        assert_eq!(local.to_string(), "2020-06-26T15:56:05+02:00");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "Z", "2020-06-26", "2020-06-26T15:56:05", "2020-02-31T00:00:00Z"] {
            assert!(text.parse::<KeyTime>().is_err(), "{text}");
        }
        assert!(KeyTime::at(i64::MAX, &TimeZone::UTC).is_err());
    }
}
