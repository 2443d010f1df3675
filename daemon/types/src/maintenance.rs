//! Maintenance modes of a datastore (`datastore.md` §13.1).

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, PropertyString};

const KIND: &str = "maintenance mode";
const MESSAGE_CHARS_MAX: usize = 64;

/// What somebody wants to do with a datastore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Nothing was said; treated neither as lookup nor as reading nor as writing.
    Unstated,
    /// Look at the configuration, without touching the content.
    Lookup,
    /// Read its content.
    Read,
    /// Change its content.
    Write,
}

/// Which operations a datastore refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaintenanceType {
    /// Writing.
    ReadOnly,
    /// Reading and writing; the store is closed once idle.
    Offline,
    /// Everything; the store is being deleted.
    Delete,
    /// Everything but lookup; a removable store is being unmounted. Set by later releases of PBS.
    Unmount,
    /// Reading and writing, while its list is fetched anew. Set by later releases of PBS.
    S3Refresh,
}

impl MaintenanceType {
    const ALL: [Self; 5] =
        [Self::ReadOnly, Self::Offline, Self::Delete, Self::Unmount, Self::S3Refresh];

    /// The word that stands in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Offline => "offline",
            Self::Delete => "delete",
            Self::Unmount => "unmount",
            Self::S3Refresh => "s3-refresh",
        }
    }
}

/// A maintenance mode with the message for those who are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceMode {
    /// What is refused.
    pub mode: MaintenanceType,
    /// Why, as it stands in the configuration (may be percent-encoded); at most 64 characters.
    pub message: Option<String>,
}

impl MaintenanceMode {
    /// Whether the mode refuses `operation`.
    pub fn refuses(&self, operation: Operation) -> bool {
        match self.mode {
            MaintenanceType::ReadOnly => operation == Operation::Write,
            MaintenanceType::Delete => true,
            MaintenanceType::Offline | MaintenanceType::Unmount | MaintenanceType::S3Refresh => {
                operation != Operation::Lookup
            }
        }
    }

    /// The message as people read it: percent-decoded.
    pub fn shown_message(&self) -> Option<String> {
        self.message.as_deref().map(percent_decoded)
    }
}

impl fmt::Display for MaintenanceMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = PropertyString::default();
        pairs.set("type", self.mode.as_str());
        if let Some(message) = &self.message {
            pairs.set("message", message);
        }
        f.pad(&pairs.to_text(Some("type")))
    }
}

impl FromStr for MaintenanceMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new(KIND, text, reason);
        let pairs = PropertyString::parse(text, Some("type"))?;
        if pairs.pairs().any(|(key, _)| !matches!(key, "type" | "message")) {
            return Err(refuse("knows only 'type' and 'message'"));
        }
        let mode = pairs
            .get("type")
            .and_then(|word| MaintenanceType::ALL.into_iter().find(|mode| mode.as_str() == word))
            .ok_or_else(|| refuse("its type must be 'read-only', 'offline' or 'delete'"))?;
        let message = pairs.get("message").map(str::to_owned);
        if message.as_deref().is_some_and(|message| !is_message(message)) {
            return Err(refuse("its message must be one line of at most 64 characters"));
        }
        Ok(Self { mode, message })
    }
}

fn is_message(text: &str) -> bool {
    text.chars().count() <= MESSAGE_CHARS_MAX && !text.contains(char::is_control)
}

/// Replaces `%XX` by its byte; whatever is no such escape stays, bytes that are no UTF-8 are marked.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        match escaped_byte(byte, after) {
            Some((decoded, behind)) => {
                bytes.push(decoded);
                rest = behind;
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped_byte(byte: u8, after: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = after.split_at_checked(2).filter(|_| byte == b'%')?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    Some((nibble(digits[0])? << 4 | nibble(digits[1])?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> MaintenanceMode {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_refused() {
        use Operation::{Lookup, Read, Unstated, Write};
        let rows = [
            ("read-only", [false, false, false, true]),
            ("offline", [true, false, true, true]),
            ("delete", [true, true, true, true]),
            ("unmount", [true, false, true, true]),
            ("s3-refresh", [true, false, true, true]),
        ];
        for (text, expected) in rows {
            let refused = [Unstated, Lookup, Read, Write].map(|what| mode(text).refuses(what));
            assert_eq!(refused, expected, "{text}");
        }
    }

    #[test]
    fn the_message_keeps_its_comma() {
        let text = "offline,message=\"disk swap, rack 3\"";
        assert_eq!(mode(text).to_string(), text);
        assert_eq!(mode(text).message.as_deref(), Some("disk swap, rack 3"));
        assert_eq!(mode("type=read-only").to_string(), "read-only");
        let encoded = mode("offline,message=disk%20swap%2C 5%%zz %c3%a4");
        assert_eq!(encoded.shown_message().as_deref(), Some("disk swap, 5%%zz ä"));
    }

    #[test]
    fn what_is_no_mode() {
        let long = format!("offline,message={}", "x".repeat(65));
        let newline = "offline,message=\"a\\nb\"";
        for bad in ["", "on", "message=x", "offline,reason=x", "offline,delete", &long, newline] {
            assert!(bad.parse::<MaintenanceMode>().is_err(), "{bad}");
        }
    }
}
