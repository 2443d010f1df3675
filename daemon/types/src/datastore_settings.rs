//! Settings of a datastore that are several values in one (`config.md` §4.3).

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, PropertyString};

/// In which order chunks are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChunkOrder {
    /// By the number of their inode, which on a disk is near their place.
    #[default]
    Inode,
    /// In the order of the index.
    None,
}

/// When written chunks are forced to disk (`datastore.md` §2.7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SyncLevel {
    /// All at once, at the end of a backup.
    #[default]
    Filesystem,
    /// Each by itself.
    File,
    /// Never; the system does it in its own time.
    None,
}

/// `tuning`: how a datastore works inside. Keys of later releases are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tuning(PropertyString);

impl Tuning {
    /// In which order chunks are read.
    pub fn chunk_order(&self) -> ChunkOrder {
        match self.0.get("chunk-order") {
            Some("none") => ChunkOrder::None,
            _ => ChunkOrder::Inode,
        }
    }

    /// When written chunks are forced to disk.
    pub fn sync_level(&self) -> SyncLevel {
        match self.0.get("sync-level") {
            Some("file") => SyncLevel::File,
            Some("none") => SyncLevel::None,
            _ => SyncLevel::Filesystem,
        }
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_text(None))
    }
}

impl FromStr for Tuning {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let pairs = PropertyString::parse(text, None)?;
        for (key, value) in pairs.pairs() {
            let words: &[&str] = match key {
                "chunk-order" => &["inode", "none"],
                "sync-level" => &["filesystem", "file", "none"],
                _ => continue,
            };
            one_of("tuning option", text, key, value, words)?;
        }
        Ok(Self(pairs))
    }
}

/// `notify`: for which kinds of work the legacy mails are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify(PropertyString);

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_text(None))
    }
}

impl FromStr for Notify {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const KIND: &str = "notification setting";
        let pairs = PropertyString::parse(text, None)?;
        for (key, value) in pairs.pairs() {
            if !matches!(key, "gc" | "verify" | "sync" | "prune") {
                let reason = format!("knows 'gc', 'verify', 'sync' and 'prune', not '{key}'");
                return Err(ParseError::new(KIND, text, reason));
            }
            one_of(KIND, text, key, value, &["never", "always", "error"])?;
        }
        Ok(Self(pairs))
    }
}

fn one_of(
    kind: &'static str,
    text: &str,
    key: &str,
    value: &str,
    words: &[&str],
) -> Result<(), ParseError> {
    if words.contains(&value) {
        return Ok(());
    }
    Err(ParseError::new(kind, text, format!("'{key}' must be one of {}", words.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_has_defaults_and_keeps_what_it_does_not_know() {
        let text = "chunk-order=none,sync-level=file,gc-cache-capacity=8";
        let tuning: Tuning = text.parse().unwrap();
        assert_eq!(
            (tuning.chunk_order(), tuning.sync_level()),
            (ChunkOrder::None, SyncLevel::File)
        );
        assert_eq!(tuning.to_string(), text);
        let empty: Tuning = "".parse().unwrap();
        let defaults = (ChunkOrder::Inode, SyncLevel::Filesystem);
        assert_eq!((empty.chunk_order(), empty.sync_level()), defaults);
        for bad in
            ["chunk-order=name", "sync-level=File", "inode", "sync-level=file,sync-level=file"]
        {
            assert!(bad.parse::<Tuning>().is_err(), "{bad}");
        }
    }

    #[test]
    fn notify_knows_its_words() {
        let text = "gc=always,prune=error";
        assert_eq!(text.parse::<Notify>().unwrap().to_string(), text);
        for bad in ["gc=yes", "tape=always", "always"] {
            assert!(bad.parse::<Notify>().is_err(), "{bad}");
        }
    }
}
