//! Secrets that are text: passwords, and the secrets of API tokens.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroize as _;

use crate::ParseError;

/// Characters of a password at most (`config.md` §3).
const CHARS_MAX: usize = 1024;

/// A password or the secret of a token. It shows in no message, and is overwritten when the value goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// The text; keep it out of messages and logs.
    pub fn reveal(&self) -> &str {
        // It was text when it was made.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Password {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        // The error must not tell the text.
        let refuse = |reason: &str| Err(ParseError::new("password", "(hidden)", reason));
        if text.chars().any(char::is_control) {
            return refuse("must be one line without control characters");
        }
        if !(1..=CHARS_MAX).contains(&text.chars().count()) {
            return refuse("must be 1 to 1024 characters long");
        }
        Ok(Self(text.as_bytes().to_vec()))
    }
}

/// The passphrase of a key. It shows in no message, and is overwritten when the value goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Password);

impl Passphrase {
    /// Bytes of a passphrase at least (`config.md` §4.9).
    const BYTES_MIN: usize = 5;

    /// The text; keep it out of messages and logs.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl FromStr for Passphrase {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() < Self::BYTES_MIN {
            let reason = "must have at least 5 bytes";
            return Err(ParseError::new("passphrase", "(hidden)", reason));
        }
        text.parse().map(Self)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_has_five_bytes() {
        assert_eq!(format!("{:?}", "12345".parse::<Passphrase>().unwrap()), "Passphrase(hidden)");
        let error = "secr".parse::<Passphrase>().unwrap_err().to_string();
        assert!(error.contains("5 bytes") && !error.contains("secr"), "{error}");
    }

    #[test]
    fn a_password_is_a_line_that_nobody_is_shown() {
        let password: Password = "pässword 1".parse().unwrap();
        assert_eq!(password.reveal(), "pässword 1");
        assert_eq!(format!("{password:?}"), "Password(hidden)");
        for bad in ["", "secret\nline", &"x".repeat(1025)] {
            let error = bad.parse::<Password>().unwrap_err().to_string();
            assert!(!error.contains("secret") && !error.contains("xxx"), "{error}");
        }
    }
}
