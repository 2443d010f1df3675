//! In which order the records of a catalog may stand, for readers and writers alike.

use crate::FileNumber;
use reel_types::{MediaId, MediaSetId};
use uuid::Uuid;

use super::CatalogRecord;
use crate::label::MediaSetLabel;
use crate::{Error, Result};

/// What is known of a medium before its catalog is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CatalogExpectation {
    /// The medium that the catalog must describe.
    pub medium: Option<MediaId>,
    /// The media set that it must be in, and its place there.
    pub set: Option<(MediaSetId, u64)>,
}

impl CatalogExpectation {
    /// A catalog of `medium`, which carries `set_label`.
    pub fn of(medium: MediaId, set_label: Option<&MediaSetLabel>) -> Self {
        let set = set_label.map(|label| (label.uuid, label.seq_nr));
        Self { medium: Some(medium), set }
    }
}

/// The state of a catalog after the records seen so far.
#[derive(Debug, Clone)]
pub(super) struct CatalogRules {
    expected: CatalogExpectation,
    last: Option<FileNumber>,
    open: Option<(FileNumber, Uuid)>,
}

impl CatalogRules {
    pub(super) fn new(expected: CatalogExpectation) -> Self {
        Self { expected, last: None, open: None }
    }

    /// The last file that was mentioned.
    pub(super) fn last_file(&self) -> Option<FileNumber> {
        self.last
    }

    /// The chunk archive that was started and not ended.
    pub(super) fn open_archive(&self) -> Option<(FileNumber, Uuid)> {
        self.open
    }

    /// Takes the next record or says which rule it breaks; a refused record changes nothing.
    pub(super) fn accept(&mut self, record: &CatalogRecord) -> Result<()> {
        match record {
            CatalogRecord::Label { number, uuid, seq_nr } => self.label(*number, *uuid, *seq_nr),
            CatalogRecord::ChunkArchiveStart { number, uuid, .. } => {
                self.advance("start_chunk_archive", *number)?;
                self.open = Some((*number, *uuid));
                Ok(())
            }
            CatalogRecord::Chunk(_) => match self.open {
                Some(_) => Ok(()),
                None => broken("register_chunk", "no archive started"),
            },
            CatalogRecord::ChunkArchiveEnd { number, uuid } => self.end(*number, *uuid),
            CatalogRecord::Snapshot { number, .. } => self.advance("register_snapshot", *number),
        }
    }

    fn label(&mut self, number: FileNumber, uuid: Uuid, seq_nr: u64) -> Result<()> {
        const DOING: &str = "register_label";
        if self.open.is_some() {
            return broken(DOING, "inside a chunk archive");
        }
        let next = self.last.map_or(0, |last| last.0.saturating_add(1));
        if number.0 > 1 || number.0 != next {
            return broken(DOING, format!("got unexpected file number {number}"));
        }
        if number.0 == 0 {
            self.check_medium(uuid, seq_nr)?;
        } else {
            self.check_set(uuid, seq_nr)?;
        }
        self.last = Some(number);
        Ok(())
    }

    fn check_medium(&self, uuid: Uuid, seq_nr: u64) -> Result<()> {
        if seq_nr != 0 {
            return unexpected("sequence number", seq_nr, 0);
        }
        match self.expected.medium {
            Some(medium) if medium.0 != uuid => unexpected("media uuid", uuid, medium),
            _ => Ok(()),
        }
    }

    fn check_set(&self, uuid: Uuid, seq_nr: u64) -> Result<()> {
        match self.expected.set {
            Some((set, _)) if set.0 != uuid => unexpected("media set uuid", uuid, set),
            Some((_, wanted)) if wanted != seq_nr => {
                unexpected("media set sequence number", seq_nr, wanted)
            }
            _ => Ok(()),
        }
    }

    fn advance(&mut self, doing: &str, number: FileNumber) -> Result<()> {
        if self.open.is_some() {
            return broken(doing, "already started a chunk archive that was not ended");
        }
        let earliest = self.last.map_or(2, |last| last.0.saturating_add(1).max(2));
        if number.0 < earliest {
            return broken(
                doing,
                format!("got file number {number}, expected at least {earliest}"),
            );
        }
        self.last = Some(number);
        Ok(())
    }

    fn end(&mut self, number: FileNumber, uuid: Uuid) -> Result<()> {
        const DOING: &str = "end_chunk_archive";
        match self.open {
            None => broken(DOING, "not started"),
            Some(open) if open != (number, uuid) => {
                broken(DOING, format!("file {number} is not the one that was started"))
            }
            Some(_) => {
                self.open = None;
                Ok(())
            }
        }
    }
}

fn broken(doing: &str, reason: impl Into<String>) -> Result<()> {
    Err(Error::format("media catalog", format!("{doing} failed: {}", reason.into())))
}

fn unexpected(
    what: &str,
    got: impl std::fmt::Display,
    wanted: impl std::fmt::Display,
) -> Result<()> {
    Err(Error::format("media catalog", format!("got unexpected {what} ({got}, expected {wanted})")))
}
