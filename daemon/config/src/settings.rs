//! A path as it stands in the configuration.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use reel_types::ParseError;

/// A path in the configuration: UTF-8 text of 1 to 4096 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigPath(Box<str>);

impl ConfigPath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// Whether it is an emulated library: `emulated:FOLDER`.
    pub fn is_emulated(&self) -> bool {
        self.emulated_folder().is_some()
    }

    /// The folder of an emulated library.
    pub fn emulated_folder(&self) -> Option<&Path> {
        self.0.strip_prefix("emulated:").map(Path::new)
    }

    /// Fails for a path that isn't absolute; `kind` says what it is the path of.
    pub(crate) fn check_absolute(&self, kind: &'static str) -> Result<(), ParseError> {
        if self.as_path().is_absolute() {
            return Ok(());
        }
        Err(ParseError::new(kind, &*self.0, "must be an absolute path"))
    }
}

impl fmt::Display for ConfigPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ConfigPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const KIND: &str = "path";
        if !(1..=4096).contains(&text.chars().count()) {
            return Err(ParseError::new(KIND, text, "must be 1 to 4096 characters long"));
        }
        if text.contains(char::is_control) {
            return Err(ParseError::new(KIND, text, "must not hold control characters"));
        }
        Ok(Self(text.into()))
    }
}
