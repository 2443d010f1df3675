//! Bytes in, blocks out.
//!
//! The writer holds one block. Content is copied into it once; when it is full the block goes to the drive and
//! the same memory is filled again. [`BlockWriter::write`] never emits more than one block a call, so that a
//! caller can look at [`BlockWriter::early_warning`] after each and stop at once: behind the early warning a
//! `virtual:` medium takes exactly one more block, which the end of the file needs (spec tape-format.md §11).

use std::io;

use crate::drive::{TapeDrive, WriteOutcome};
use crate::error::{Error, Result};
use crate::stream::block::{
    BlockHeader, TAPE_BLOCK_HEADER_SIZE, TAPE_BLOCK_PAYLOAD_SIZE, TAPE_BLOCK_SIZE,
};
use crate::stream::new_block;

/// What became of a finished file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenFile {
    /// Blocks of the file.
    pub blocks: u64,
    /// Bytes of the file on the medium, headers and padding included.
    pub bytes: u64,
    /// Whether any block of the file reported the early warning, the last one included.
    pub early_warning: bool,
}

/// Writes one file: blocks and, at its end, one filemark.
///
/// Dropping a writer that was not finished leaves a file without end marker, but with its filemark, as far as
/// the drive still takes one.
pub struct BlockWriter<'d, D: TapeDrive + ?Sized> {
    drive: &'d mut D,
    block: Box<[u8]>,
    /// Bytes of `block` that are used, its header included.
    filled: usize,
    /// Sequence number of the block that is being filled.
    sequence: u32,
    early_warning: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A block could not be written; only the filemark is still owed.
    Failed,
    /// The filemark was written, or tried.
    Closed,
}

impl<'d, D: TapeDrive + ?Sized> BlockWriter<'d, D> {
    /// Starts a file at the position of the drive. Nothing is written yet.
    pub fn new(drive: &'d mut D) -> Self {
        Self {
            drive,
            block: new_block(),
            filled: TAPE_BLOCK_HEADER_SIZE,
            sequence: 0,
            early_warning: false,
            state: State::Open,
        }
    }

    /// Takes bytes up to the end of the block that is being filled, and emits that block if it is full.
    /// Returns how many bytes were taken: at least one, unless `data` is empty.
    pub fn write(&mut self, data: &[u8]) -> Result<usize> {
        self.must_be_open()?;
        let taken = data.len().min(TAPE_BLOCK_SIZE - self.filled);
        let end = self.filled + taken;
        self.block[self.filled..end].copy_from_slice(&data[..taken]);
        self.filled = end;
        if end == TAPE_BLOCK_SIZE {
            self.emit(false, false)?;
        }
        Ok(taken)
    }

    /// Takes bytes until all are taken or a block reports the early warning. Returns how many were taken.
    ///
    /// With the early warning reported before, this still fills and emits at most one block.
    pub fn write_until_warning(&mut self, data: &[u8]) -> Result<usize> {
        let mut taken = 0;
        while taken < data.len() {
            let blocks = self.blocks_written();
            taken += self.write(&data[taken..])?;
            if self.early_warning && self.blocks_written() > blocks {
                break;
            }
        }
        Ok(taken)
    }

    /// Takes all bytes, early warning or not.
    pub fn write_all(&mut self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let taken = self.write(data)?;
            data = &data[taken..];
        }
        Ok(())
    }

    /// Whether a block of this file reported the early warning.
    pub fn early_warning(&self) -> bool {
        self.early_warning
    }

    /// Blocks on the medium so far.
    pub fn blocks_written(&self) -> u64 {
        u64::from(self.sequence)
    }

    /// Bytes on the medium so far, whole blocks. Size limits and speeds count these.
    pub fn bytes_written(&self) -> u64 {
        self.blocks_written() * TAPE_BLOCK_SIZE as u64
    }

    /// Bytes of content taken so far, on the medium or still in the block that is being filled.
    pub fn content_bytes(&self) -> u64 {
        let buffered = (self.filled - TAPE_BLOCK_HEADER_SIZE) as u64;
        self.blocks_written() * TAPE_BLOCK_PAYLOAD_SIZE as u64 + buffered
    }

    /// Writes the last block and the filemark. `incomplete` says that content is missing.
    ///
    /// Not flushed: call [`TapeDrive::sync`] before claiming that the file is on the medium.
    pub fn finish(mut self, incomplete: bool) -> Result<WrittenFile> {
        self.must_be_open()?;
        self.block[self.filled..].fill(0);
        self.emit(true, incomplete)?;
        self.write_filemark()?;
        Ok(WrittenFile {
            blocks: self.blocks_written(),
            bytes: self.bytes_written(),
            early_warning: self.early_warning,
        })
    }

    fn must_be_open(&self) -> Result<()> {
        match self.state {
            State::Open => Ok(()),
            State::Failed | State::Closed => {
                Err(Error::StreamState("write to tape file: an earlier block could not be written"))
            }
        }
    }

    fn emit(&mut self, end_of_stream: bool, incomplete: bool) -> Result<()> {
        let header = BlockHeader {
            end_of_stream,
            incomplete,
            size: (self.filled - TAPE_BLOCK_HEADER_SIZE) as u32,
            sequence: self.sequence,
        };
        self.block[..TAPE_BLOCK_HEADER_SIZE].copy_from_slice(&header.to_bytes());
        self.state = State::Failed;
        let next = self
            .sequence
            .checked_add(1)
            .ok_or(Error::StreamState("write to tape file: more blocks than sequence numbers"))?;
        let outcome = self.drive.write_block(&self.block)?;
        self.early_warning |= outcome == WriteOutcome::EarlyWarning;
        self.sequence = next;
        self.filled = TAPE_BLOCK_HEADER_SIZE;
        self.state = State::Open;
        Ok(())
    }

    fn write_filemark(&mut self) -> Result<()> {
        self.state = State::Closed;
        let outcome = self.drive.write_filemarks(1, true)?;
        self.early_warning |= outcome == WriteOutcome::EarlyWarning;
        Ok(())
    }
}

impl<D: TapeDrive + ?Sized> Drop for BlockWriter<'_, D> {
    /// An abandoned file gets its filemark, unless not one block of it was written: a filemark alone would be an empty
    /// file in the place of what was to come. Where that fails too, the next append repairs it
    /// ([`move_to_append_position`](crate::move_to_append_position)); the caller knows of the failure already.
    fn drop(&mut self) {
        if self.state != State::Closed && self.sequence > 0 {
            let _ = self.write_filemark();
        }
    }
}

impl<D: TapeDrive + ?Sized> io::Write for BlockWriter<'_, D> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(Self::write(self, data)?)
    }

    /// Nothing to do: a block that is not full can only be emitted as the last one.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
