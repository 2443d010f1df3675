//! Reading single snapshot archives of the medium in the drive into the cache of snapshots' files.

use std::fs;

use reel_hw::TapeDrive;
use reel_hw::number::FileNumber;
use reel_hw::stream::{BlockReader, OpenedFile};
use reel_types::TaskContext;

use super::Run;
use crate::archive::snapshot::{SnapshotArchiveHeader, visit_snapshot_files};
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::medium::{name_drive, read_header};
use crate::pass::is_fatal;
use crate::snapshot_files::{KeptSnapshot, SnapshotOnSet};
use crate::{Error, Result};

/// A snapshot archive on the medium.
pub(super) struct WantedArchive {
    pub(super) file: FileNumber,
    pub(super) snapshot: SnapshotOnSet,
}

/// Reads archives whose snapshots are not kept yet, in the order given: files ascending. One that can't be read is
/// named in the log; its snapshot is not kept then.
pub(super) fn read_snapshots(
    run: &Run<'_>,
    hold: &mut DriveHold,
    archives: &[WantedArchive],
) -> Result<()> {
    for archive in archives {
        run.task.check()?;
        go_to_file(hold, archive.file, run.task)?;
        match read_snapshot(run, hold.drive(), archive) {
            Ok(()) => {}
            Err(error) if is_fatal(&error) => return Err(name_drive(hold, error)),
            Err(error) => {
                run.task.warn(&format!("File {}: {}", archive.file, name_drive(hold, error)));
            }
        }
    }
    Ok(())
}

fn read_snapshot(run: &Run<'_>, drive: &mut dyn TapeDrive, archive: &WantedArchive) -> Result<()> {
    let WantedArchive { file, snapshot } = archive;
    let OpenedFile::Data(mut reader) = BlockReader::open(drive)? else {
        return Err(unexpected("nothing is there"));
    };
    let header = read_header(&mut reader)?;
    match ContentKind::from_magic(header.content_magic.0) {
        Some(ContentKind::SnapshotArchive | ContentKind::SnapshotArchiveInNamespace) => {}
        _ => return Err(unexpected("something else is there")),
    }
    let found = SnapshotArchiveHeader::read(header.size, &mut reader)?;
    run.task.log(&format!("File {file}: snapshot archive {}:{}", found.store, found.snapshot));
    if (&found.store, &found.snapshot) != (&snapshot.store, &snapshot.path) {
        return Err(unexpected("another snapshot is there"));
    }
    let filling = run.env.snapshots.fill(snapshot)?;
    visit_snapshot_files(&mut reader, |file, content| {
        filling.add(&file.name, content)?;
        run.task.check()?;
        Ok(())
    })?;
    reader.skip_data()?;
    if !reader.has_end_marker()? || reader.is_incomplete()? {
        return Err(unexpected("its end is missing"));
    }
    filling.keep()
}

fn unexpected(reason: &str) -> Error {
    let text = format!("{reason}, unlike the catalog says; re-create that with 'catalog --force'");
    Error::format("snapshot archive", text)
}

/// Goes to the beginning of a file, and says so where that is far.
pub(super) fn go_to_file(
    hold: &mut DriveHold,
    file: FileNumber,
    task: &dyn TaskContext,
) -> Result<()> {
    let position = hold.drive().position().map_err(|source| hold.failed(source))?;
    let moves = position.file != file;
    if moves {
        task.log(&format!("was at file {}, moving to {file}", position.file));
    }
    hold.set_state(DriveState::Locating);
    hold.drive().locate_file(file).map_err(|source| hold.failed(source))?;
    hold.set_state(DriveState::Reading);
    if moves {
        task.log(&format!("now at file {file}"));
    }
    Ok(())
}

/// Forgets kept files that are broken.
pub(super) fn forget_kept(files: &KeptSnapshot) -> Result<()> {
    let tried = || format!("remove '{}'", files.folder().display());
    fs::remove_dir_all(files.folder()).map_err(Error::io(tried()))
}
