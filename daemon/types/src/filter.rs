//! Group filters (`sync.md` §4): `type:ct`, `group:vm/100`, `exclude:regex:^ct/9`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use regex::Regex;

use crate::text::serde_as_text;
use crate::{BackupGroup, BackupType, ParseError};

const KIND: &str = "group filter";

/// One filter of a list; see [`filters_accept`] for what a list means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupFilter {
    excludes: bool,
    pattern: Pattern,
}

#[derive(Debug, Clone)]
enum Pattern {
    Type(BackupType),
    Group(BackupGroup),
    /// Searched anywhere in the text `type/id`.
    Regex(Regex),
}

impl GroupFilter {
    /// Whether the filter takes groups away instead of choosing them.
    pub fn excludes(&self) -> bool {
        self.excludes
    }

    /// Whether the filter speaks of this group.
    pub fn matches(&self, group: &BackupGroup) -> bool {
        match &self.pattern {
            Pattern::Type(kind) => group.kind == *kind,
            Pattern::Group(wanted) => group == wanted,
            Pattern::Regex(regex) => regex.is_match(&group.to_string()),
        }
    }
}

/// Whether a list of filters lets a group through: some including filter matches, or there is none, and
/// no excluding filter matches. The order doesn't matter.
pub fn filters_accept(filters: &[GroupFilter], group: &BackupGroup) -> bool {
    let any = |excludes: bool| {
        filters.iter().any(|filter| filter.excludes == excludes && filter.matches(group))
    };
    let choosy = filters.iter().any(|filter| !filter.excludes);
    (!choosy || any(false)) && !any(true)
}

impl fmt::Display for GroupFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.excludes {
            f.write_str("exclude:")?;
        }
        self.pattern.fmt(f)
    }
}

impl FromStr for GroupFilter {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (excludes, rest) = match text.split_once(':') {
            Some(("include", rest)) => (false, rest),
            Some(("exclude", rest)) => (true, rest),
            _ => (false, text),
        };
        let refuse = |reason: String| ParseError::new(KIND, text, reason);
        let pattern = match rest.split_once(':') {
            Some(("type", kind)) => Pattern::Type(kind.parse()?),
            Some(("group", group)) => Pattern::Group(group.parse()?),
            Some(("regex", regex)) => Pattern::Regex(
                Regex::new(regex)
                    .map_err(|error| refuse(format!("no regular expression: {error}")))?,
            ),
            _ => {
                let form = "must be '[include:|exclude:](type:TYPE|group:TYPE/ID|regex:RE)'";
                return Err(refuse(form.into()));
            }
        };
        Ok(Self { excludes, pattern })
    }
}

serde_as_text!(GroupFilter);

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(kind) => write!(f, "type:{kind}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Regex(regex) => write!(f, "regex:{regex}"),
        }
    }
}

/// A regular expression is the same if its text is.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Group(a), Self::Group(b)) => a == b,
            (Self::Regex(a), Self::Regex(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(filters: &[&str], group: &str) -> bool {
        let filters: Vec<GroupFilter> = filters.iter().map(|text| text.parse().unwrap()).collect();
        filters_accept(&filters, &group.parse().unwrap())
    }

    #[test]
    fn including_and_excluding() {
        let rows: &[(&[&str], &str, bool)] = &[
            (&[], "vm/100", true),
            (&["type:ct"], "vm/100", false),
            (&["type:ct", "group:vm/100"], "vm/100", true),
            (&["exclude:type:ct"], "vm/100", true),
            (&["exclude:type:ct"], "ct/1", false),
            (&["type:ct", "exclude:regex:^ct/9"], "ct/90", false),
            (&["exclude:regex:^ct/9", "type:ct"], "ct/90", false),
            (&["regex:m/1"], "vm/100", true),
            (&["include:group:vm/100"], "vm/1000", false),
        ];
        for (filters, group, expected) in rows {
            assert_eq!(accepts(filters, group), *expected, "{filters:?} {group}");
        }
    }

    #[test]
    fn printed_without_include() {
        let rows = [
            ("include:type:vm", "type:vm"),
            ("exclude:group:ct/a-1", "exclude:group:ct/a-1"),
            ("regex:a:b", "regex:a:b"),
        ];
        for (text, printed) in rows {
            let filter: GroupFilter = text.parse().unwrap();
            assert_eq!(filter.to_string(), printed);
            assert_eq!(printed.parse::<GroupFilter>().unwrap(), filter);
        }
    }

    #[test]
    fn what_is_no_filter() {
        for bad in [
            "",
            "vm/100",
            "typ:vm",
            "type:foo",
            "type:VM",
            "group:100",
            "regex:(",
            "Type:vm",
            "include:include:type:vm",
            "exclude:",
            "group:vm/a b",
            "group:vm/a/b",
            "type:",
        ] {
            assert!(bad.parse::<GroupFilter>().is_err(), "{bad}");
        }
    }
}
