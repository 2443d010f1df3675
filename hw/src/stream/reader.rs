//! Blocks in, bytes out.
//!
//! The reader is strict (spec tape-format.md §3): wrong length, magic, flags, size or sequence, a filemark
//! before the end marker, a block behind it, or the end of data in between are errors, and after an error the
//! file cannot be read on. The filemark behind the last block is consumed by the read that returns the end of
//! the file; only then is known whether the file had its end marker and is complete.
//!
//! A file can also be entered in its middle ([`BlockReader::resume_at`]): whoever knows in which block a chunk
//! lies locates that block and reads on from there, with the sequence numbers checked from it on.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use crate::drive::{ReadOutcome, TapeDrive};
use crate::error::{Error, Result};
use crate::stream::block::{BlockError, BlockHeader};
use crate::stream::new_block;

/// What stands at the position of a drive where a file may begin.
pub enum OpenedFile<'d, D: TapeDrive + ?Sized> {
    /// A file; its first block was read.
    Data(BlockReader<'d, D>),
    /// A filemark: a file without any block. The position is behind it.
    EndOfFile,
    /// The end of data.
    EndOfStream,
}

/// Reads the content of one file.
pub struct BlockReader<'d, D: TapeDrive + ?Sized> {
    drive: &'d mut D,
    block: Box<[u8]>,
    /// Payload of `block` that was not consumed yet.
    unread: Range<usize>,
    /// Sequence number of the next block.
    sequence: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More blocks follow.
    Reading,
    /// The last block was read, the filemark not yet.
    LastBlock {
        incomplete: bool,
    },
    /// The filemark was consumed; `None` if no block had the end marker.
    AtEnd {
        incomplete: Option<bool>,
    },
    Failed,
}

/// What the drive gave for the next block.
enum Next {
    Block(BlockHeader),
    Filemark,
    EndOfData,
}

impl<'d, D: TapeDrive + ?Sized> BlockReader<'d, D> {
    /// Opens the file at the position of the drive.
    pub fn open(drive: &'d mut D) -> Result<OpenedFile<'d, D>> {
        let mut reader = Self::at(drive, 0);
        Ok(match reader.read_next()? {
            Next::Block(header) => {
                reader.accept(header);
                OpenedFile::Data(reader)
            }
            Next::Filemark => OpenedFile::EndOfFile,
            Next::EndOfData => OpenedFile::EndOfStream,
        })
    }

    /// Opens a file in its middle: the drive stands in front of block `sequence` of the file.
    ///
    /// The first byte read is byte [`content_offset`](crate::stream::content_offset)`(sequence)` of the content.
    pub fn resume_at(drive: &'d mut D, sequence: u32) -> Result<Self> {
        let mut reader = Self::at(drive, sequence);
        reader.next_block()?;
        Ok(reader)
    }

    fn at(drive: &'d mut D, sequence: u32) -> Self {
        Self { drive, block: new_block(), unread: 0..0, sequence, state: State::Reading }
    }

    /// Content that was read and not consumed yet; reads the next block if there is none. Empty at the end.
    pub fn fill(&mut self) -> Result<&[u8]> {
        while self.unread.is_empty() {
            match self.state {
                State::Reading => self.next_block()?,
                State::LastBlock { incomplete } => self.expect_filemark(incomplete)?,
                State::AtEnd { .. } => break,
                State::Failed => {
                    return Err(Error::StreamState(
                        "read tape file: an earlier block could not be read",
                    ));
                }
            }
        }
        Ok(&self.block[self.unread.clone()])
    }

    /// Marks bytes of [`fill`](Self::fill) as consumed.
    pub fn consume_bytes(&mut self, count: usize) {
        self.unread.start = self.unread.end.min(self.unread.start + count);
    }

    /// Reads content; 0 at the end of the file, once its filemark was consumed.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let unread = self.fill()?;
        let count = unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&unread[..count]);
        self.consume_bytes(count);
        Ok(count)
    }

    /// Reads on to behind the filemark and forgets the content. A file without end marker is no error here, see
    /// [`has_end_marker`](Self::has_end_marker).
    pub fn skip_data(&mut self) -> Result<()> {
        self.unread = 0..0;
        while self.state == State::Reading {
            match self.read_next()? {
                Next::Block(header) => self.accept(header),
                Next::Filemark => self.state = State::AtEnd { incomplete: None },
                Next::EndOfData => return Err(self.end_of_data()),
            }
            self.unread = 0..0;
        }
        self.fill().map(|_| ())
    }

    /// Whether the last block said that it was the last.
    ///
    /// # Errors
    /// `StreamState` before the filemark was consumed.
    pub fn has_end_marker(&self) -> Result<bool> {
        match self.state {
            State::AtEnd { incomplete } => Ok(incomplete.is_some()),
            _ => Err(Error::StreamState("end marker of tape file: the end was not reached yet")),
        }
    }

    /// Whether the writer of the file gave up.
    ///
    /// # Errors
    /// `StreamState` before the filemark was consumed, and for a file without end marker.
    pub fn is_incomplete(&self) -> Result<bool> {
        match self.state {
            State::AtEnd { incomplete: Some(incomplete) } => Ok(incomplete),
            State::AtEnd { incomplete: None } => {
                Err(Error::StreamState("completeness of tape file: it has no end marker"))
            }
            _ => Err(Error::StreamState("completeness of tape file: the end was not reached yet")),
        }
    }

    /// Sequence number of the block that is read next.
    pub fn next_sequence(&self) -> u32 {
        self.sequence
    }

    fn next_block(&mut self) -> Result<()> {
        match self.read_next()? {
            Next::Block(header) => {
                self.accept(header);
                Ok(())
            }
            Next::Filemark => {
                self.state = State::Failed;
                Err(Error::UnexpectedFilemark {
                    what: format!(
                        "read block {} of the file: stream without end marker",
                        self.sequence
                    ),
                })
            }
            Next::EndOfData => Err(self.end_of_data()),
        }
    }

    /// Reads the object at the position and, if it is a block, checks it. Failed until accepted.
    fn read_next(&mut self) -> Result<Next> {
        self.state = State::Failed;
        let length = match self.drive.read_block(&mut self.block)? {
            ReadOutcome::Block(length) => length,
            ReadOutcome::Filemark => return Ok(Next::Filemark),
            ReadOutcome::EndOfData => return Ok(Next::EndOfData),
        };
        let block = self.block.get(..length).unwrap_or_default();
        match BlockHeader::of_block(block, self.sequence) {
            Ok(header) => Ok(Next::Block(header)),
            Err(source) => Err(Error::Block { sequence: self.sequence, source }),
        }
    }

    fn accept(&mut self, header: BlockHeader) {
        self.unread = header.payload();
        self.sequence = self.sequence.wrapping_add(1);
        self.state = match header.end_of_stream {
            true => State::LastBlock { incomplete: header.incomplete },
            false => State::Reading,
        };
    }

    fn expect_filemark(&mut self, incomplete: bool) -> Result<()> {
        self.state = State::Failed;
        match self.drive.read_block(&mut self.block)? {
            ReadOutcome::Filemark => {
                self.state = State::AtEnd { incomplete: Some(incomplete) };
                Ok(())
            }
            ReadOutcome::EndOfData => Err(self.end_of_data()),
            ReadOutcome::Block(_) => Err(Error::Corrupt {
                what: format!("tape file after block {}", self.sequence.wrapping_sub(1)),
                reason: "a block follows the last block, where a filemark belongs".into(),
            }),
        }
    }

    fn end_of_data(&mut self) -> Error {
        self.state = State::Failed;
        Error::UnexpectedEndOfData { what: format!("read block {} of the file", self.sequence) }
    }
}

impl<D: TapeDrive + ?Sized> Read for BlockReader<'_, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(Self::read(self, buffer)?)
    }
}

impl<D: TapeDrive + ?Sized> BufRead for BlockReader<'_, D> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.fill()?)
    }

    fn consume(&mut self, count: usize) {
        self.consume_bytes(count);
    }
}

/// The rule that was broken, for callers that treat a broken block unlike a broken drive.
impl Error {
    /// The broken rule of the block format, if that is what this error is.
    pub fn block_error(&self) -> Option<BlockError> {
        match self {
            Self::Block { source, .. } => Some(*source),
            _ => None,
        }
    }
}
