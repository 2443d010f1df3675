//! Names of the files in a snapshot (`datastore.md` §4.1, §4.5).

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::names::check_safe_id;
use crate::text::serde_as_text;

/// How a file of a snapshot is stored, told by its last extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArchiveKind {
    /// `.fidx`: an image in chunks of one size.
    Fixed,
    /// `.didx`: a stream in chunks of varying size.
    Dynamic,
    /// `.blob`: one encoded blob.
    Blob,
}

impl ArchiveKind {
    /// The extension without its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Fixed => "fidx",
            Self::Dynamic => "didx",
            Self::Blob => "blob",
        }
    }
}

/// Name of a file in a snapshot with the server's extension: `drive-scsi0.img.fidx`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveName {
    text: Box<str>,
    kind: ArchiveKind,
}

impl ArchiveName {
    /// The manifest of every snapshot.
    pub const MANIFEST: &'static str = "index.json.blob";
    /// The client's log, added after the backup and listed in no manifest.
    pub const CLIENT_LOG: &'static str = "client.log.blob";

    /// The name as stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How the file is stored.
    pub fn kind(&self) -> ArchiveKind {
        self.kind
    }

    /// The name that people use, without the server's extension: `drive-scsi0.img`.
    pub fn plain(&self) -> &str {
        &self.text[..self.text.len() - self.kind.extension().len() - 1]
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for ArchiveName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const KIND: &str = "archive name";
        check_safe_id(KIND, text, 1..=255)?;
        let kind = match text.rsplit_once('.') {
            Some((stem, "fidx")) if !stem.is_empty() => ArchiveKind::Fixed,
            Some((stem, "didx")) if !stem.is_empty() => ArchiveKind::Dynamic,
            Some((stem, "blob")) if !stem.is_empty() => ArchiveKind::Blob,
            _ => {
                let reason = "must end in '.fidx', '.didx' or '.blob'";
                return Err(ParseError::new(KIND, text, reason));
            }
        };
        Ok(Self { text: text.into(), kind })
    }
}

serde_as_text!(ArchiveName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_extension_decides() {
        let name: ArchiveName = "drive-scsi0.img.fidx".parse().unwrap();
        assert_eq!((name.kind(), name.plain()), (ArchiveKind::Fixed, "drive-scsi0.img"));
        for bad in ["", "x", "fidx", ".blob", "x.tmp_fidx", "../x.blob", "a/b.blob", "x.FIDX"] {
            assert!(bad.parse::<ArchiveName>().is_err(), "{bad}");
        }
    }
}
