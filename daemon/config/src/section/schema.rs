//! What a section file may hold.

use reel_types::{ParseError, parse_bool};

use super::Section;

/// The types of sections in a file.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The known types.
    pub types: &'static [SectionType],
    /// Older words for types, each with the word of today.
    pub aliases: &'static [(&'static str, &'static str)],
    /// What to do with a section of another type.
    pub unknown_types: Unknown,
    /// What to do with another key in a section of a known type.
    pub unknown_keys: Unknown,
}

/// What becomes of something that the schema doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is an error.
    Refuse,
    /// It is kept and written back.
    Keep,
}

/// One type of section.
#[derive(Debug, Clone, Copy)]
pub struct SectionType {
    /// The word in the header.
    pub name: &'static str,
    /// Checks the id in the header.
    pub check_id: fn(&str) -> Result<(), ParseError>,
    /// The known keys.
    pub keys: &'static [Key],
    /// Checks what spans several keys, once each was found good.
    pub check: fn(&Section) -> Result<(), ParseError>,
}

/// One key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The word in front of the value.
    pub name: &'static str,
    /// What its value looks like.
    pub value: ValueKind,
    /// Whether and how often it stands in a section.
    pub need: Need,
}

impl Key {
    /// A key that may be missing.
    pub const fn optional(name: &'static str, value: ValueKind) -> Self {
        Self { name, value, need: Need::Optional }
    }

    /// A key that no section lacks.
    pub const fn required(name: &'static str, value: ValueKind) -> Self {
        Self { name, value, need: Need::Required }
    }
}

/// How often a key stands in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Once.
    Required,
    /// At most once.
    Optional,
    /// Any number of times: an array, one line for each element.
    Repeated,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum ValueKind {
    /// A boolean word; written `true` or `false`.
    Bool,
    /// A decimal number with optional sign, `min` to `max`.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// Text that passes a check.
    Text(fn(&str) -> Result<(), ParseError>),
}

impl ValueKind {
    /// Text that parses as a `T`.
    pub const fn parsed<T: std::str::FromStr<Err = ParseError>>() -> Self {
        Self::Text(|text| text.parse::<T>().map(drop))
    }

    /// The value in the form in which it is written.
    pub(super) fn canonical(self, text: &str) -> Result<String, ParseError> {
        match self {
            Self::Bool => parse_bool(text).map(|value| value.to_string()),
            Self::Integer { min, max } => match text.parse::<i64>() {
                Ok(value) if (min..=max).contains(&value) => Ok(value.to_string()),
                _ => {
                    let reason = format!("must be a whole number from {min} to {max}");
                    Err(ParseError::new("number", text, reason))
                }
            },
            Self::Text(check) => check(text).map(|()| text.into()),
        }
    }
}

impl Schema {
    /// The word of today for a type.
    pub(super) fn current<'k>(&self, kind: &'k str) -> &'k str {
        self.aliases.iter().find(|(old, _)| *old == kind).map_or(kind, |(_, new)| new)
    }

    pub(super) fn find(&self, kind: &str) -> Option<&'static SectionType> {
        self.types.iter().find(|known| known.name == kind)
    }

    /// Checks one more property of `section` and gives its value in the form that is written.
    pub(super) fn check_property(
        &self,
        known: &SectionType,
        before: &[(String, String)],
        key: &str,
        value: &str,
    ) -> Result<String, String> {
        let Some(rule) = known.keys.iter().find(|rule| rule.name == key) else {
            return match self.unknown_keys {
                Unknown::Keep => Ok(value.into()),
                Unknown::Refuse => Err(format!("unknown key '{key}' in section '{}'", known.name)),
            };
        };
        if rule.need != Need::Repeated && before.iter().any(|(seen, _)| seen == key) {
            return Err(format!("key '{key}' stands twice"));
        }
        rule.value.canonical(value).map_err(|error| format!("key '{key}': {error}"))
    }
}

impl SectionType {
    /// Checks a section all of whose properties were found good one by one.
    pub(super) fn check_whole(&self, section: &Section) -> Result<(), String> {
        let missing = self
            .keys
            .iter()
            .find(|rule| rule.need == Need::Required && section.get(rule.name).is_none());
        if let Some(rule) = missing {
            return Err(format!("section '{}' lacks the key '{}'", section.id(), rule.name));
        }
        (self.check)(section).map_err(|error| format!("section '{}': {error}", section.id()))
    }
}
