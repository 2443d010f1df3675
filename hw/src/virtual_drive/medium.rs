//! One loaded virtual tape: the blocks in its data files, and what of them is durable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::directory::{CurrentTape, Directory};
use crate::drive::{ReadOutcome, WriteOutcome};
use crate::error::{Error, Result};
use crate::layout::{Layout, ObjectKind, Place};
use crate::number::{Capacity, VolumeTag};
use crate::stream::TAPE_BLOCK_SIZE;

const BLOCK: u64 = TAPE_BLOCK_SIZE as u64;

/// Fewest blocks a file may have before the early warning, however full the tape is (spec §14): what a label
/// needs, with room to spare.
const BLOCKS_BEFORE_WARNING_MIN: u64 = 2;

/// Blocks that still fit once the early warning was due: the one that reports it, and the end of the file.
const BLOCKS_AFTER_WARNING: u64 = 2;

/// Blocks after which the disk is told to begin with them, so that it writes while the next ones come and little
/// is left for the sync: 16 MiB.
const BLOCKS_BEFORE_WRITEBACK: u64 = 64;

/// Blocks that the disk is told to fetch ahead of a reader that goes forward, and after how many the next ones are
/// named: 16 and 8 MiB, enough that a disk is never idle between two reads.
const BLOCKS_AHEAD: u64 = 64;
const BLOCKS_BETWEEN_HINTS: u64 = 32;

/// Written files whose descriptors are kept for the next sync. More would near the usual limit of 1024
/// descriptors a process; these are then synced on the way.
const UNSYNCED_FILES_MAX: usize = 64;

/// A tape in the drive.
#[derive(Debug)]
pub(super) struct Medium {
    directory: Directory,
    label: VolumeTag,
    pub(super) layout: Layout,
    pub(super) place: Place,
    /// Data file that is being read.
    reading: Option<(usize, File)>,
    /// Data file behind the last filemark, once something was written to it.
    writing: Option<File>,
    /// Closed data files that were written and not synced.
    unsynced: Vec<File>,
    /// Closed files that the index on disk counts.
    indexed: usize,
    /// Data files behind the end of data, left by a crash, were removed.
    leftovers_removed: bool,
    /// A flush failed: nothing written since the last one may be called durable any more.
    flush_failed: bool,
}

impl Medium {
    /// Opens a tape, at file number `pos` or its end; `None` if there is no such tape.
    pub(super) fn open(directory: &Directory, label: &VolumeTag, pos: u64) -> Result<Option<Self>> {
        let Some(files) = directory.read_index(label)? else {
            return Ok(None);
        };
        let sizes = directory.data_sizes(label)?;
        directory.check_index(label, files, sizes.range(..files).count() as u64)?;
        let size_of = |file| sizes.get(&file).copied().unwrap_or(0);
        // A cut block at the end of a closed file is an object that cannot be read; behind the last filemark
        // it is a write that a crash cut short, and was never there.
        let closed = (0..files).map(|file| size_of(file).div_ceil(BLOCK));
        let layout = Layout::from_counts(closed, size_of(files) / BLOCK);
        let place = Place {
            file: layout.files().min(usize::try_from(pos).unwrap_or(usize::MAX)),
            block: 0,
        };
        let indexed = layout.files();
        Ok(Some(Self {
            directory: directory.clone(),
            label: label.clone(),
            layout,
            place,
            reading: None,
            writing: None,
            unsynced: Vec::new(),
            indexed,
            leftovers_removed: false,
            flush_failed: false,
        }))
    }

    pub(super) fn label(&self) -> &VolumeTag {
        &self.label
    }

    /// What `drive-status.json` says of this tape. PBS counts a file as passed once it began to read it.
    pub(super) fn current(&self) -> CurrentTape {
        let begun = usize::from(self.place.block > 0);
        let pos = self.layout.files().min(self.place.file + begun);
        CurrentTape { name: self.label.to_string(), pos: pos as u64 }
    }

    /// Whether what was written since the last flush is lost.
    pub(super) fn flush_failed(&self) -> bool {
        self.flush_failed
    }

    pub(super) fn used(&self) -> Capacity {
        Capacity(self.layout.blocks() * BLOCK)
    }

    pub(super) fn write_protected(&self) -> Result<bool> {
        self.directory.write_protected(&self.label)
    }

    pub(super) fn read_block(&mut self, buffer: &mut [u8]) -> Result<ReadOutcome> {
        match self.layout.kind_at(self.place) {
            ObjectKind::EndOfData => return Ok(ReadOutcome::EndOfData),
            ObjectKind::Filemark => {
                self.check_empty_file_exists()?;
                self.place = self.place.next_file();
                return Ok(ReadOutcome::Filemark);
            }
            ObjectKind::Block => {}
        }
        let place = self.place;
        let expected = buffer.len();
        let block = buffer.get_mut(..TAPE_BLOCK_SIZE).ok_or(Error::WrongBlockSize {
            what: "read block",
            expected,
            found: TAPE_BLOCK_SIZE,
        });
        self.place = place.next_block();
        let block = block?;
        let file = self.reader(place.file)?;
        if place.block.is_multiple_of(BLOCKS_BETWEEN_HINTS) {
            fetch_ahead(file, place.block);
        }
        match file.read_exact_at(block, place.block * BLOCK) {
            Ok(()) => Ok(ReadOutcome::Block(TAPE_BLOCK_SIZE)),
            Err(error) => Err(self.read_error(place, error)),
        }
    }

    /// Writes one block; `max_size` is the room on the tape.
    pub(super) fn write_block(&mut self, data: &[u8], max_size: Capacity) -> Result<WriteOutcome> {
        if data.len() != TAPE_BLOCK_SIZE {
            return Err(Error::WrongBlockSize {
                what: "write block",
                expected: TAPE_BLOCK_SIZE,
                found: data.len(),
            });
        }
        let blocks_before_warning = self.blocks_before_warning(max_size);
        let number = self.place.block + 1;
        if number > blocks_before_warning + BLOCKS_AFTER_WARNING {
            return Err(Error::EndOfMedium);
        }
        self.prepare_write("write block")?;
        self.append(data)?;
        self.layout.push_block();
        self.place = self.layout.end();
        Ok(match number > blocks_before_warning {
            true => WriteOutcome::EarlyWarning,
            false => WriteOutcome::Ok,
        })
    }

    pub(super) fn write_filemark(&mut self) -> Result<()> {
        self.prepare_write("write filemark")?;
        let blocks = self.layout.end().block;
        begin_writeback(self.open_writer()?, blocks - blocks % BLOCKS_BEFORE_WRITEBACK);
        self.unsynced.extend(self.writing.take());
        self.layout.push_filemark();
        self.place = self.layout.end();
        if self.unsynced.len() >= UNSYNCED_FILES_MAX {
            self.flush_data()?;
        }
        Ok(())
    }

    /// Makes everything written durable: data, names, then the index that counts it.
    pub(super) fn sync(&mut self) -> Result<()> {
        if self.flush_failed {
            return Err(Error::Corrupt {
                what: format!("tape '{}'", self.label),
                reason: "an earlier flush failed; what was written since the one before is not on the tape: \
                         load it again and see what it holds"
                    .into(),
            });
        }
        let result = self.flush();
        self.flush_failed |= result.is_err();
        result
    }

    /// Makes the position the end of data, durably.
    pub(super) fn erase(&mut self) -> Result<()> {
        self.must_be_writable("erase")?;
        self.cut(self.place)?;
        self.sync()
    }

    /// Makes the tape blank.
    pub(super) fn format(&mut self) -> Result<()> {
        self.must_be_writable("format medium")?;
        self.cut(Place::BEGINNING)?;
        self.place = Place::BEGINNING;
        self.sync()
    }

    fn must_be_writable(&self, what: &'static str) -> Result<()> {
        if self.write_protected()? {
            return Err(Error::WriteProtected { what });
        }
        Ok(())
    }

    /// Makes the position the end of data if it is not. In the middle of a file that this handle writes there is
    /// nothing to do, which keeps the path of a block short.
    fn prepare_write(&mut self, what: &'static str) -> Result<()> {
        if self.writing.is_some() && self.place == self.layout.end() {
            return Ok(());
        }
        self.must_be_writable(what)?;
        if self.place != self.layout.end() || !self.leftovers_removed {
            self.cut(self.place)?;
        }
        Ok(())
    }

    /// Takes everything behind `place` off the tape: first out of the index, durably, then off the disk.
    fn cut(&mut self, place: Place) -> Result<()> {
        if place.file < self.indexed {
            self.write_index(place.file)?;
        }
        self.reading = None;
        self.unsynced.extend(self.writing.take());
        self.leftovers_removed = false;
        self.layout.cut(place);
        let first_removed = place.file + usize::from(place.block > 0);
        self.directory.remove_data_files(&self.label, first_removed as u64)?;
        self.leftovers_removed = true;
        if place.block > 0 {
            self.open_writer()?;
        }
        Ok(())
    }

    fn blocks_before_warning(&self, max_size: Capacity) -> u64 {
        let used = self.layout.blocks_before(self.place.file) * BLOCK;
        let free = max_size.bytes().saturating_sub(used);
        (free / BLOCK).max(BLOCKS_BEFORE_WARNING_MIN)
    }

    /// Writes a block behind the last one. After a failure the file is opened anew, which takes off again what
    /// was written of the block.
    fn append(&mut self, data: &[u8]) -> Result<()> {
        let end = self.layout.end();
        let file = self.open_writer()?;
        if let Err(error) = file.write_all_at(data, end.block * BLOCK) {
            self.unsynced.extend(self.writing.take());
            let path = self.directory.data_path(end.file as u64, &self.label);
            return Err(Error::io("write tape file", &path, error));
        }
        let blocks = end.block + 1;
        if blocks.is_multiple_of(BLOCKS_BEFORE_WRITEBACK) {
            begin_writeback(file, blocks - BLOCKS_BEFORE_WRITEBACK);
        }
        Ok(())
    }

    /// The data file behind the last filemark, created or cut to the blocks that count.
    fn open_writer(&mut self) -> Result<&File> {
        let file = match self.writing.take() {
            Some(file) => file,
            None => self.create_data_file()?,
        };
        Ok(self.writing.insert(file))
    }

    fn create_data_file(&self) -> Result<File> {
        let end = self.layout.end();
        let path = self.directory.data_path(end.file as u64, &self.label);
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            if file.metadata()?.len() != end.block * BLOCK {
                file.set_len(end.block * BLOCK)?;
            }
            Ok(file)
        };
        open().map_err(|error| Error::io("open tape file for writing", &path, error))
    }

    fn flush(&mut self) -> Result<()> {
        let wrote = self.writing.is_some() || !self.unsynced.is_empty();
        self.flush_data()?;
        if let Some(file) = &self.writing {
            self.flush_file(file)?;
        }
        if wrote {
            self.directory.sync()?;
        }
        if self.indexed != self.layout.files() {
            self.write_index(self.layout.files())?;
        }
        Ok(())
    }

    fn write_index(&mut self, files: usize) -> Result<()> {
        self.directory.write_index(&self.label, files as u64)?;
        self.indexed = files;
        Ok(())
    }

    fn flush_data(&mut self) -> Result<()> {
        for file in &self.unsynced {
            if let Err(error) = self.flush_file(file) {
                self.flush_failed = true;
                return Err(error);
            }
        }
        self.unsynced.clear();
        Ok(())
    }

    fn flush_file(&self, file: &File) -> Result<()> {
        let path = self.directory.index_path(&self.label);
        file.sync_data().map_err(|error| Error::io("flush a data file of", &path, error))
    }

    fn reader(&mut self, number: usize) -> Result<&File> {
        let open = match self.reading.take() {
            Some((open, file)) if open == number => file,
            _ => {
                let path = self.directory.data_path(number as u64, &self.label);
                File::open(&path).map_err(|error| Error::io("open tape file", &path, error))?
            }
        };
        Ok(&self.reading.insert((number, open)).1)
    }

    /// An index may count files that were lost: they must not pass for files that were always empty.
    fn check_empty_file_exists(&self) -> Result<()> {
        if self.layout.blocks_in(self.place.file) > 0 {
            return Ok(());
        }
        let path = self.directory.data_path(self.place.file as u64, &self.label);
        match path.try_exists() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Corrupt {
                what: path.display().to_string(),
                reason: "the tape's index counts this file, but it is missing".into(),
            }),
            Err(error) => Err(Error::io("look for tape file", &path, error)),
        }
    }

    fn read_error(&self, place: Place, error: io::Error) -> Error {
        let path = self.directory.data_path(place.file as u64, &self.label);
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Error::Corrupt {
                what: format!("block {} of {}", place.block, path.display()),
                reason: "it was cut short".into(),
            };
        }
        Error::io("read tape file", &path, error)
    }
}

/// Has the kernel fetch what follows a block of a file while the block is worked on.
fn fetch_ahead(file: &File, block: u64) {
    let (Ok(offset), Ok(length)) =
        (i64::try_from(block * BLOCK), i64::try_from(BLOCKS_AHEAD * BLOCK))
    else {
        return;
    };
    // Advice that isn't taken costs speed and nothing else.
    let _ = posix_fadvise(file, offset, length, PosixFadviseAdvice::POSIX_FADV_WILLNEED);
}

/// Has the kernel begin to write what it holds of a file from a block on; that nobody will read it soon is part of
/// the same advice. The sync waits for it, and reports what fails.
fn begin_writeback(file: &File, first_block: u64) {
    let Ok(offset) = i64::try_from(first_block * BLOCK) else { return };
    // Advice that isn't taken costs speed and nothing else.
    let _ = posix_fadvise(file, offset, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}
