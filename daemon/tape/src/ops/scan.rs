//! What is on a medium, file by file, for somebody who looks for what is wrong with it (`cli-tape.md` §3, `scan`).
//!
//! The lines are those of PBS. The listing believes nothing but the medium: no label, catalog or inventory is asked.

use std::io::Read as _;

use reel_hw::stream::ContentHeaderError;
use reel_hw::{BlockReader, CONTENT_HEADER_SIZE, ContentHeader, FileNumber, OpenedFile, TapeDrive};
use reel_types::{TaskContext, TimeZone, human_bytes_binary, local_time_c};
use uuid::Uuid;

use crate::Result;
use crate::drive_desk::{DriveHold, DriveState};
use crate::medium::name_drive;

/// Lists all files of the medium in the task's log, times in `zone`.
///
/// # Errors
/// The drive can't read a file, or its blocks are none of PBS.
pub fn scan_medium(hold: &mut DriveHold, zone: &TimeZone, task: &dyn TaskContext) -> Result<()> {
    task.log("rewinding tape");
    hold.set_state(DriveState::Rewinding);
    hold.drive().rewind().map_err(|source| hold.failed(source))?;
    hold.set_state(DriveState::Reading);
    let listing = Listing { zone, task };
    let listed = listing.files(hold.drive());
    listed.map_err(|error| name_drive(hold, error))
}

struct Listing<'a> {
    zone: &'a TimeZone,
    task: &'a dyn TaskContext,
}

/// How a file ends.
enum End {
    Complete,
    Incomplete,
    WithoutMarker,
}

impl Listing<'_> {
    fn files(&self, drive: &mut dyn TapeDrive) -> Result<()> {
        loop {
            self.task.check()?;
            let file = drive.position()?.file;
            match BlockReader::open(drive)? {
                OpenedFile::EndOfFile => self.task.log(&format!("filemark number {file}")),
                OpenedFile::EndOfStream => {
                    self.task.log("got EOT");
                    return Ok(());
                }
                OpenedFile::Data(mut reader) => self.file(file, &mut reader)?,
            }
        }
    }

    fn file<D: TapeDrive + ?Sized>(
        &self,
        file: FileNumber,
        reader: &mut BlockReader<'_, D>,
    ) -> Result<()> {
        self.task.log(&format!("got file number {file}"));
        let mut header = [0; CONTENT_HEADER_SIZE];
        match reader.read_exact(&mut header) {
            Ok(()) => self.header(&header),
            Err(error) => self.task.log(&format!("unable to read content header - {error}")),
        }
        let (skipped, end) = self.skip(reader)?;
        self.task.log(&format!("skipped {}", human_bytes_binary(skipped)));
        match end {
            End::Complete => {}
            End::Incomplete => self.task.log("WARNING: file is incomplete"),
            End::WithoutMarker => self.task.log("WARNING: file without end marker"),
        }
        Ok(())
    }

    fn header(&self, bytes: &[u8; CONTENT_HEADER_SIZE]) {
        let magic = |bytes: &[u8]| format!("{bytes:?}");
        let header = match ContentHeader::from_bytes(bytes) {
            Ok(header) => header,
            Err(ContentHeaderError::UnknownMagic) => {
                let magic = magic(&bytes[..8]);
                return self.task.log(&format!("got MediaContentHeader with wrong magic: {magic}"));
            }
            Err(error) => {
                return self.task.log(&format!("unable to read content header - {error}"));
            }
        };
        let Some(name) = header.content_magic.name() else {
            let magic = magic(&header.content_magic.0);
            return self.task.log(&format!("got unknown content header: {magic}"));
        };
        let uuid = Uuid::from_bytes(header.uuid);
        let (ctime, size) =
            (local_time_c(header.ctime, self.zone), human_bytes_binary(u64::from(header.size)));
        self.task.log(&format!(
            "got content header: {name}\n  uuid:  {uuid}\n  ctime: {ctime}\n  hsize: {size}\n  part:  0"
        ));
    }

    /// Reads on to behind the filemark; how many bytes that were, and how the file ends.
    fn skip<D: TapeDrive + ?Sized>(&self, reader: &mut BlockReader<'_, D>) -> Result<(u64, End)> {
        let mut skipped = 0;
        loop {
            self.task.check()?;
            let bytes = match reader.fill() {
                Ok(bytes) => bytes.len(),
                Err(reel_hw::Error::UnexpectedFilemark { .. }) => {
                    return Ok((skipped, End::WithoutMarker));
                }
                Err(error) => return Err(error.into()),
            };
            if bytes == 0 {
                let incomplete = reader.is_incomplete()?;
                return Ok((skipped, if incomplete { End::Incomplete } else { End::Complete }));
            }
            reader.consume_bytes(bytes);
            skipped += bytes as u64;
        }
    }
}
