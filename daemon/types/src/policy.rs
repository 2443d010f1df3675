//! What a media pool says about its sets: when a new one begins, how long it is kept, what it is
//! called (`tape-state.md` §6–8, `config.md` §4.7).

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::text::serde_as_text;
use crate::words::check_single_line;
use crate::{CalendarEvent, MediaSetId, ParseError, TimeSpan, strftime};

/// When a pool begins a new media set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllocationPolicy {
    /// Never by itself; the current set grows.
    #[default]
    Continue,
    /// With each backup.
    Always,
    /// With the first backup after each such event.
    At(CalendarEvent),
}

impl fmt::Display for AllocationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue => f.pad("continue"),
            Self::Always => f.pad("always"),
            Self::At(event) => event.fmt(f),
        }
    }
}

impl FromStr for AllocationPolicy {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "continue" => Ok(Self::Continue),
            "always" => Ok(Self::Always),
            _ => text.parse().map(Self::At).map_err(|error: ParseError| {
                let reason = format!(
                    "must be 'continue', 'always' or a calendar event ({})",
                    error.reason()
                );
                ParseError::new("allocation policy", text, reason)
            }),
        }
    }
}

serde_as_text!(AllocationPolicy);

/// How long the data of a media set is protected from being overwritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RetentionPolicy {
    /// Only while the set is current.
    Overwrite,
    /// For ever.
    #[default]
    Keep,
    /// For that long after the set stopped being current.
    ProtectFor(TimeSpan),
}

impl fmt::Display for RetentionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overwrite => f.pad("overwrite"),
            Self::Keep => f.pad("keep"),
            Self::ProtectFor(span) => span.fmt(f),
        }
    }
}

impl FromStr for RetentionPolicy {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const KIND: &str = "retention policy";
        match text {
            "overwrite" => Ok(Self::Overwrite),
            "keep" => Ok(Self::Keep),
            // Nothing would read as a span of no length, which protects no data at all.
            _ if text.trim().is_empty() => {
                Err(ParseError::new(KIND, text, "must be 'overwrite', 'keep' or a time span"))
            }
            _ => text.parse().map(Self::ProtectFor).map_err(|error: ParseError| {
                let reason =
                    format!("must be 'overwrite', 'keep' or a time span ({})", error.reason());
                ParseError::new(KIND, text, reason)
            }),
        }
    }
}

serde_as_text!(RetentionPolicy);

/// How the media sets of a pool are named: `strftime` text, in which `%id%` is the set's uuid; 2 to 64
/// characters (`tape-state.md` §8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TapeTemplate(Box<str>);

impl TapeTemplate {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of set `id`, which began at `start` (UNIX seconds, if known), on the wall clock of
    /// `zone`. The uuid is the name where the start isn't known or nothing comes out.
    pub fn set_name(&self, id: &MediaSetId, start: Option<i64>, zone: &TimeZone) -> String {
        let id = id.to_string();
        // The uuid goes in first: nothing of it can be a conversion.
        let template = self.0.replace("%id%", &id);
        start.and_then(|start| strftime(&template, start, zone)).unwrap_or(id)
    }
}

impl Default for TapeTemplate {
    fn default() -> Self {
        Self("%c".into())
    }
}

impl fmt::Display for TapeTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TapeTemplate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        check_single_line("media set naming template", text, 2..=64)?;
        Ok(Self(text.into()))
    }
}

serde_as_text!(TapeTemplate);

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = "24a16224-e131-43fb-a4a5-06fdd4cd93bd";
    const START: i64 = 1_717_597_476;

    fn name(template: &str, start: Option<i64>) -> String {
        let template: TapeTemplate = template.parse().unwrap();
        template.set_name(&SET.parse().unwrap(), start, &TimeZone::UTC)
    }

    #[test]
    fn sets_are_named_after_their_start() {
        assert_eq!(name("%c", Some(START)), "Wed Jun  5 14:24:36 2024");
        assert_eq!(name("Set %c", Some(START)), "Set Wed Jun  5 14:24:36 2024");
        assert_eq!(name("%id%-%Y", Some(START)), format!("{SET}-2024"));
        assert_eq!(name("%d%id%d", Some(START)), format!("05{SET}d"));
        assert_eq!(name("%x %X, %r", Some(START)), "06/05/24 14:24:36, 02:24:36 PM");
        assert_eq!(
            name("week %V-%G, day %j, %F %T", Some(0)),
            "week 01-1970, day 001, 1970-01-01 00:00:00"
        );
        assert_eq!(name("%Y-%m", None), SET);
        assert_eq!(name("%Y-%m", Some(i64::MAX)), SET);
        assert_eq!(TapeTemplate::default().as_str(), "%c");
    }

    #[test]
    fn policies_keep_their_text() {
        for text in ["continue", "always", "mon..fri 20:00", "daily"] {
            assert_eq!(text.parse::<AllocationPolicy>().unwrap().to_string(), text);
        }
        for text in ["overwrite", "keep", "30 days", "1y 2M"] {
            assert_eq!(text.parse::<RetentionPolicy>().unwrap().to_string(), text);
        }
        assert!(matches!("30 days".parse(), Ok(RetentionPolicy::ProtectFor(span))
            if span.whole_seconds() == 30 * 86_400));
    }

    #[test]
    fn what_is_no_policy() {
        for bad in ["", "Continue", "never", "every day"] {
            assert!(bad.parse::<AllocationPolicy>().is_err(), "{bad}");
        }
        for bad in ["", " ", "Keep", "forever", "5x"] {
            assert!(bad.parse::<RetentionPolicy>().is_err(), "{bad:?}");
        }
        for bad in ["", "x", "a\nb", &"x".repeat(65)] {
            assert!(bad.parse::<TapeTemplate>().is_err(), "{bad:?}");
        }
    }
}
