//! A cartridge: the tape, its memory chip, and what it is.

pub mod objects;
pub mod store;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use objects::{Block, Objects};
use store::TapeStore;

use crate::folder::{self, FolderError};
use crate::time::BadSpots;

/// Room of an emulated medium that nobody gave a size: small, so that a set of several fills no disk.
pub const CAPACITY_DEFAULT: u64 = 1 << 30;

/// What kind of cartridge it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CartridgeKind {
    /// For data.
    Data,
    /// For data, written once.
    Worm,
    /// For cleaning; that many uses are left.
    Cleaning {
        /// Uses left.
        uses: u32,
    },
}

/// What stays the same, or nearly so, in a cartridge's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CartridgeFacts {
    /// Bar code on its label; none if it has none that can be read.
    pub barcode: Option<String>,
    /// What it is.
    pub kind: CartridgeKind,
    /// Density code of its generation (spec scsi.md §4).
    pub density: u8,
    /// Bytes that fit.
    pub capacity: u64,
    /// Whether the tab says that it may not be written.
    pub write_protected: bool,
    /// Whether a drive has used it before: LTO-9 calibrates new ones.
    pub initialized: bool,
    /// Decides its imperfections.
    pub seed: u64,
    /// How often it was loaded.
    pub loads: u64,
    /// Bytes written in its life.
    pub bytes_written: u64,
    /// Bytes read in its life.
    pub bytes_read: u64,
    /// What hosts wrote to its memory chip: attribute and value.
    pub attributes: BTreeMap<u16, Vec<u8>>,
    /// What happened to it.
    #[serde(default)]
    pub life: MediumLife,
}

impl CartridgeFacts {
    /// A new cartridge for data that a drive knows already, so that LTO-9 does not calibrate it.
    pub fn blank(barcode: &str, density: u8, capacity: u64) -> Self {
        Self {
            barcode: Some(barcode.to_owned()),
            kind: CartridgeKind::Data,
            density,
            capacity,
            write_protected: false,
            initialized: true,
            seed: 1,
            loads: 0,
            bytes_written: 0,
            bytes_read: 0,
            attributes: BTreeMap::new(),
            life: MediumLife::default(),
        }
    }
}

/// What happened to a medium in its life, beyond loads and bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct MediumLife {
    /// Times that its beginning passed the head.
    pub beginning_passes: u64,
    /// Times that its middle passed the head.
    pub middle_passes: u64,
    /// Errors on writing that were corrected.
    pub recovered_write_errors: u64,
    /// Errors on writing that were not.
    pub write_errors: u64,
    /// Errors on reading that were corrected.
    pub recovered_read_errors: u64,
    /// Errors on reading that were not.
    pub read_errors: u64,
    /// Vendor and serial number of the drives that loaded it last, newest first; at most four.
    pub last_drives: Vec<String>,
    /// A cleaning cartridge was loaded that had no use left.
    pub expired: bool,
}

/// A cartridge.
pub struct Cartridge {
    /// What it is.
    pub facts: CartridgeFacts,
    /// Its bad spots, where a test says which; else its seed and the library's decide.
    pub spots: Option<BadSpots>,
    tape: Box<dyn TapeStore>,
    /// Objects that are on the tape for sure; those behind are in the buffer of the drive.
    flushed: u64,
    kept: Option<Kept>,
}

/// Where a cartridge is kept.
#[derive(Debug, Clone)]
struct Kept {
    name: String,
    folder: PathBuf,
}

impl Cartridge {
    /// A cartridge with this tape in it.
    pub fn new(facts: CartridgeFacts, tape: Box<dyn TapeStore>) -> Self {
        let flushed = tape.objects().count();
        Self { facts, spots: None, tape, flushed, kept: None }
    }

    /// Keeps what it is in a folder, under a name.
    pub(crate) fn kept_in(self, name: &str, folder: &Path) -> Self {
        let kept = Some(Kept { name: name.to_owned(), folder: folder.to_path_buf() });
        Self { kept, ..self }
    }

    /// The name it is kept under.
    pub(crate) fn name(&self) -> Option<&str> {
        self.kept.as_ref().map(|kept| kept.name.as_str())
    }

    /// Keeps what has changed of what it is.
    pub(crate) fn save(&self) -> Result<(), FolderError> {
        self.kept.as_ref().map_or(Ok(()), |kept| folder::save_facts(&kept.folder, &self.facts))
    }

    /// What is recorded.
    pub fn objects(&self) -> &Objects {
        self.tape.objects()
    }

    /// Bytes of the medium that are taken in front of an object; a filemark takes as much as a block of PBS's.
    pub(crate) fn room_before(&self, number: u64) -> u64 {
        const FILEMARK_ROOM: u64 = 256 << 10;
        let objects = self.objects();
        objects.bytes_before(number) + objects.filemarks_before(number) * FILEMARK_ROOM
    }

    /// Whether it cleans.
    pub(crate) fn is_cleaner(&self) -> bool {
        matches!(self.facts.kind, CartridgeKind::Cleaning { .. })
    }

    /// Makes `number` the end of data, if it is not.
    pub(crate) fn cut(&mut self, number: u64) -> io::Result<()> {
        if number < self.objects().count() {
            self.tape.cut(number)?;
            self.flushed = self.flushed.min(number);
        }
        Ok(())
    }

    /// Appends a block behind the end of data.
    pub(crate) fn push_block(&mut self, block: Block, stored: &[u8]) -> io::Result<()> {
        self.tape.push_block(block, stored)?;
        self.facts.bytes_written += u64::from(block.length);
        Ok(())
    }

    /// Appends a filemark behind the end of data.
    pub(crate) fn push_filemark(&mut self) -> io::Result<()> {
        self.tape.push_filemark()
    }

    /// Fills `bytes` with stored bytes from an offset on.
    pub(crate) fn read(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.facts.bytes_read += bytes.len() as u64;
        self.tape.read(offset, bytes)
    }

    /// Everything is on the tape now.
    pub(crate) fn flush(&mut self) {
        self.flushed = self.objects().count();
    }

    /// What was in the buffer is gone.
    pub(crate) fn lose_buffer(&mut self) -> io::Result<()> {
        self.cut(self.flushed)
    }
}
