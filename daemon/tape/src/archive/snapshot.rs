//! Snapshot archives: the files of one snapshot (`tape-format.md` §7).
//!
//! The content is a flat pxar archive: the manifest first, then the files that it lists, then the client's
//! log if there is one. Chunks are not in it; the indexes name them.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{Read, Write};

use reel_store::FormatError;
use reel_store::pxar::{FileStat, FlatContent, FlatReader, FlatWriter};
use reel_types::{ArchiveName, SnapshotPath, StoreName};
use serde::{Deserialize, Serialize};

use super::{ArchiveHeader, ContentKind};
use crate::{Error, Result};

const WHAT: &str = "snapshot archive";

/// Header of a snapshot archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotArchiveHeader {
    /// The snapshot with its namespace.
    pub snapshot: SnapshotPath,
    /// The datastore it comes from.
    pub store: StoreName,
}

impl ArchiveHeader for SnapshotArchiveHeader {
    const WHAT: &'static str = "snapshot archive header";
}

impl SnapshotArchiveHeader {
    /// The kind to announce: it differs for snapshots inside a namespace.
    pub fn kind(&self) -> ContentKind {
        if self.snapshot.namespace.is_root() {
            ContentKind::SnapshotArchive
        } else {
            ContentKind::SnapshotArchiveInNamespace
        }
    }
}

/// Writes the files of a snapshot.
#[derive(Debug)]
pub struct SnapshotArchiveWriter<W> {
    pxar: FlatWriter<W>,
    has_manifest: bool,
}

impl<W: Write> SnapshotArchiveWriter<W> {
    /// Begins the content behind the archive's header.
    pub fn new(content: W) -> Result<Self> {
        let pxar = FlatWriter::new(content, &FileStat::SNAPSHOT_FOLDER).map_err(written)?;
        Ok(Self { pxar, has_manifest: false })
    }

    /// Writes the next file. The manifest is the first; the others follow in the manifest's order.
    ///
    /// Fails for what is no regular file, and where `content` does not have exactly `size` bytes.
    pub fn add_file(
        &mut self,
        name: &ArchiveName,
        stat: &FileStat,
        size: u64,
        content: impl Read,
    ) -> Result<()> {
        if !self.has_manifest && name.as_str() != ArchiveName::MANIFEST {
            let reason = format!("'{}' must come before '{name}'", ArchiveName::MANIFEST);
            return Err(Error::format(WHAT, reason));
        }
        self.has_manifest = true;
        self.pxar.add_file(name.as_str(), stat, size, content).map_err(written)
    }

    /// Ends the content.
    pub fn finish(self) -> Result<W> {
        if !self.has_manifest {
            return Err(missing_manifest());
        }
        self.pxar.finish().map_err(written)
    }
}

/// A file of a snapshot in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name.
    pub name: ArchiveName,
    /// Its `stat` in the datastore that it came from.
    pub stat: FileStat,
    /// How many bytes it has.
    pub size: u64,
}

/// Reads the files of a snapshot one by one.
///
/// The archive is whole only when [`next_file`](Self::next_file) has said that there is no more: until
/// then nothing that came from it may be taken for a snapshot.
#[derive(Debug)]
pub struct SnapshotArchiveReader<R> {
    pxar: FlatReader<R>,
    seen: BTreeSet<String>,
}

impl<R: Read> SnapshotArchiveReader<R> {
    /// Reads the root of the content behind the archive's header.
    pub fn new(content: R) -> Result<Self> {
        Ok(Self { pxar: FlatReader::new(content).map_err(read)?, seen: BTreeSet::new() })
    }

    /// The next file; none at the end of an archive that is whole.
    ///
    /// What was not read of the file before is skipped. Fails for folders, links and devices, for names
    /// that no file of a snapshot has or that came before, for an archive that is cut short, and at the end
    /// of one without manifest.
    pub fn next_file(&mut self) -> Result<Option<SnapshotFile>> {
        let Some(file) = self.pxar.next_file().map_err(read)? else {
            return match self.seen.contains(ArchiveName::MANIFEST) {
                true => Ok(None),
                false => Err(missing_manifest()),
            };
        };
        let name: ArchiveName = file.name.parse()?;
        if !self.seen.insert(file.name) {
            return Err(Error::format(WHAT, format!("file '{name}' is there twice")));
        }
        Ok(Some(SnapshotFile { name, stat: file.stat, size: file.size }))
    }

    /// The content of the present file. A stream that ends before the file does is an error there.
    pub fn content(&mut self) -> FlatContent<'_, R> {
        self.pxar.content()
    }
}

/// Hands every file of a snapshot archive to `visit` and makes sure that the archive is whole.
pub fn visit_snapshot_files<R: Read>(
    content: R,
    mut visit: impl FnMut(&SnapshotFile, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut reader = SnapshotArchiveReader::new(content)?;
    while let Some(file) = reader.next_file()? {
        visit(&file, &mut reader.content())?;
    }
    Ok(())
}

fn missing_manifest() -> Error {
    Error::format(WHAT, format!("missing manifest ('{}')", ArchiveName::MANIFEST))
}

fn written(source: FormatError) -> Error {
    Error::Pxar { tried: "write a snapshot archive", source }
}

fn read(source: FormatError) -> Error {
    Error::Pxar { tried: "read a snapshot archive", source }
}
