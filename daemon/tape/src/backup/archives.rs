//! Writes the three kinds of archives at the end of a medium (`tape-format.md` §6–§8, §11).
//!
//! The early warning is looked at after every block. Behind it a `virtual:` medium takes one more block,
//! which the end of the file needs; so once it was reported, only what still fits into the block that is
//! being filled is written, and the file is ended. A warning with the very last block counts too: the archive
//! is good, and the medium is full before the next one.

use std::io::{self, Read, Write};

use reel_hw::TapeDrive;
use reel_hw::number::BlockNumber;
use reel_hw::stream::{
    BlockWriter, CONTENT_HEADER_SIZE, ContentHeader, ContentMagic, TAPE_BLOCK_PAYLOAD_SIZE,
};
use reel_types::Digest;
use uuid::Uuid;

use super::chunk_feed::{CheckedChunk, ChunkFeed};
use crate::FileNumber;
use crate::archive::ContentKind;
use crate::archive::chunk::ChunkEntry;
use crate::{Error, Result};

/// An archive with more bytes on the medium than this takes no more chunks (`tape-format.md` §1).
const CHUNK_ARCHIVE_BYTES_MAX: u64 = 4 << 30;

/// Where an archive begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArchiveStart {
    pub(super) file: FileNumber,
    pub(super) object: BlockNumber,
}

/// What became of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes on the medium.
    pub(super) bytes: u64,
    /// Whether all that should be in it is.
    pub(super) complete: bool,
    /// Whether the medium takes no more archives.
    pub(super) medium_full: bool,
}

/// A chunk archive that was written; its chunks are good whatever happened behind them.
#[derive(Debug)]
pub(super) struct ChunkArchive {
    pub(super) written: Written,
    /// Why it ended before the feed did.
    pub(super) failed: Option<Error>,
}

/// Is told of each chunk that is wholly in an archive: its digest and where its entry starts.
pub(super) type OnChunk<'a> = &'a mut dyn FnMut(&Digest, u64) -> Result<()>;

/// Writes chunks from `feed` until it is empty, the archive has its size or the medium is full.
pub(super) fn write_chunk_archive(
    drive: &mut dyn TapeDrive,
    uuid: Uuid,
    ctime: i64,
    header: &[u8],
    feed: &mut ChunkFeed,
    on_chunk: OnChunk<'_>,
) -> Result<ChunkArchive> {
    let mut writer = begin(drive, ContentKind::ChunkArchive, uuid, ctime, header)?;
    let mut failed = None;
    while !writer.early_warning() && writer.bytes_written() <= CHUNK_ARCHIVE_BYTES_MAX {
        let chunk = match feed.next() {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            // What was written so far is good, and stays.
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        let offset = writer.content_bytes();
        if !write_chunk(&mut writer, &chunk)? {
            feed.put_back(chunk);
        } else if let Err(error) = on_chunk(&chunk.digest, offset) {
            // Mostly a stop: the archive ends with a chunk that is whole.
            failed = Some(error);
            break;
        }
    }
    let file = writer.finish(false)?;
    let written = Written { bytes: file.bytes, complete: true, medium_full: file.early_warning };
    Ok(ChunkArchive { written, failed })
}

/// Whether the chunk is wholly in the archive.
fn write_chunk<D: TapeDrive + ?Sized>(
    writer: &mut BlockWriter<'_, D>,
    chunk: &CheckedChunk,
) -> Result<bool> {
    let blob = chunk.blob.raw();
    writer.write_all(&ChunkEntry::header(&chunk.digest, blob.len() as u64))?;
    let written = if writer.early_warning() {
        // An entry's header never stands alone: readers take a cut blob for the end of the archive, and
        // a cut header for damage.
        let fits = blob.len().min(room_in_block(writer));
        writer.write_all(&blob[..fits])?;
        fits
    } else {
        writer.write_until_warning(blob)?
    };
    Ok(written == blob.len())
}

/// How much can be written without emitting a block.
fn room_in_block<D: TapeDrive + ?Sized>(writer: &BlockWriter<'_, D>) -> usize {
    let filled = writer.content_bytes() % TAPE_BLOCK_PAYLOAD_SIZE as u64;
    TAPE_BLOCK_PAYLOAD_SIZE - 1 - usize::try_from(filled).unwrap_or(0)
}

/// Writes an archive whose content comes from `write_content`; incomplete where the medium ended first.
pub(super) fn write_whole_archive(
    drive: &mut dyn TapeDrive,
    kind: ContentKind,
    ctime: i64,
    uuid: Uuid,
    header: &[u8],
    write_content: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<Written> {
    let writer = begin(drive, kind, uuid, ctime, header)?;
    let mut until_warning = UntilWarning { writer, cut: false, failed: None };
    let content = write_content(&mut until_warning);
    let UntilWarning { writer, cut, failed } = until_warning;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if cut {
        let file = writer.finish(true)?;
        return Ok(Written { bytes: file.bytes, complete: false, medium_full: true });
    }
    if let Err(error) = content {
        writer.finish(true)?;
        return Err(error);
    }
    let file = writer.finish(false)?;
    Ok(Written { bytes: file.bytes, complete: true, medium_full: file.early_warning })
}

fn begin<'d>(
    drive: &'d mut dyn TapeDrive,
    kind: ContentKind,
    uuid: Uuid,
    ctime: i64,
    header: &[u8],
) -> Result<BlockWriter<'d, dyn TapeDrive + 'd>> {
    let size = u32::try_from(header.len())
        .map_err(|_| Error::format("archive header", "its JSON is longer than 4 GiB"))?;
    let content_header = ContentHeader {
        content_magic: ContentMagic(kind.magic()),
        uuid: *uuid.as_bytes(),
        ctime,
        size,
    };
    let mut writer = BlockWriter::new(drive);
    let bytes: [u8; CONTENT_HEADER_SIZE] = content_header.to_bytes();
    writer.write_all(&bytes)?;
    writer.write_all(header)?;
    Ok(writer)
}

/// Refuses to emit another block behind the early warning.
struct UntilWarning<'d, D: TapeDrive + ?Sized> {
    writer: BlockWriter<'d, D>,
    /// Whether something was refused.
    cut: bool,
    /// What the drive said when it failed: the content's errors are others'.
    failed: Option<reel_hw::Error>,
}

impl<D: TapeDrive + ?Sized> UntilWarning<'_, D> {
    fn pass_on(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data).map_err(|error| {
            let text = error.to_string();
            self.failed = Some(error);
            io::Error::other(text)
        })
    }
}

impl<D: TapeDrive + ?Sized> Write for UntilWarning<'_, D> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if !self.writer.early_warning() {
            return self.pass_on(data);
        }
        let fits = data.len().min(room_in_block(&self.writer));
        if fits < data.len() {
            self.cut = true;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.pass_on(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies a file of known length; one that became shorter or longer meanwhile is an error.
pub(super) fn copy_exactly(
    what: &str,
    size: u64,
    mut content: impl Read,
    out: &mut dyn Write,
) -> Result<()> {
    let tried = || format!("copy {what} to tape");
    let copied = io::copy(&mut content.by_ref().take(size), out).map_err(Error::io(tried()))?;
    let longer = content.read(&mut [0]).map_err(Error::io(tried()))? > 0;
    if copied == size && !longer {
        return Ok(());
    }
    Err(Error::InvalidInput(format!("{}: it changed while it was read", tried())))
}
