//! A cartridge: the tape, its memory chip, and what it is.

pub mod objects;
pub mod store;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use reel_hw::VolumeTag;
use reel_hw::scsi::protection::crc32c;
use serde::{Deserialize, Serialize};

use objects::{Block, Objects};
use store::{ClosedStore, FolderStore, TapeStore};

use crate::folder::{self, FolderError, io_error};
use crate::model::Generation;
use crate::time::BadSpots;
use crate::time::figures::BLOCK_BYTES;

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

/// Uses of a new cleaning cartridge.
const CLEANING_USES: u32 = 50;

/// How bar codes end: of media that are written again and again, and of those that are written once.
const LABEL_ENDS: [(Generation, &str, &str); 5] = [
    (Generation::Lto5, "L5", "LV"),
    (Generation::Lto6, "L6", "LW"),
    (Generation::Lto7, "L7", "LX"),
    (Generation::Lto8, "L8", "LY"),
    (Generation::Lto9, "L9", "LZ"),
];

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

    /// A new cartridge of the kind and the generation that its bar code says; else for data, and of this generation.
    pub fn labelled(barcode: &VolumeTag, generation: Generation, capacity: u64) -> Self {
        let text = barcode.as_str();
        let ends = |(_, data, worm): &&(Generation, &str, &str)| {
            text.ends_with(data) || text.ends_with(worm)
        };
        let of_label = LABEL_ENDS.iter().find(ends);
        let kind = match of_label {
            _ if barcode.is_cleaning() => CartridgeKind::Cleaning { uses: CLEANING_USES },
            Some((_, _, worm)) if text.ends_with(worm) => CartridgeKind::Worm,
            _ => CartridgeKind::Data,
        };
        let density = of_label.map_or(generation, |(of_label, _, _)| *of_label).density();
        let seed = u64::from(crc32c(text.as_bytes()));
        Self { kind, seed, ..Self::blank(text, density, capacity) }
    }

    /// The name of this very medium, from which its imperfections come.
    pub(crate) fn individual(&self) -> String {
        format!("{}/{}", self.barcode.as_deref().unwrap_or_default(), self.seed)
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
    /// The tape has changed since it was last made to outlive a power cut.
    is_dirty: bool,
    /// The folder that it is kept in.
    folder: Option<PathBuf>,
    is_open: bool,
}

impl Cartridge {
    /// A cartridge with this tape in it.
    pub fn new(facts: CartridgeFacts, tape: Box<dyn TapeStore>) -> Self {
        let flushed = tape.objects().count();
        Self { facts, spots: None, tape, flushed, is_dirty: false, folder: None, is_open: true }
    }

    /// A cartridge that is kept in a folder. Its tape is opened when it comes into a drive: a library may have more
    /// media than a program may have files open.
    pub(crate) fn kept(facts: CartridgeFacts, folder: PathBuf) -> Self {
        let closed = Self::new(facts, Box::new(ClosedStore::default()));
        Self { folder: Some(folder), is_open: false, ..closed }
    }

    /// Opens its tape, where it is not open.
    pub(crate) fn open(&mut self) -> Result<(), FolderError> {
        let Some(folder) = self.folder.as_ref().filter(|_| !self.is_open) else { return Ok(()) };
        self.tape = Box::new(FolderStore::open(folder)?);
        self.flushed = self.objects().count();
        self.is_open = true;
        Ok(())
    }

    /// Closes its tape, which was flushed, where it can be opened again.
    pub(crate) fn close(&mut self) {
        if self.folder.is_some() {
            self.tape = Box::new(ClosedStore::default());
            self.is_open = false;
        }
    }

    /// The name it is kept under.
    pub(crate) fn name(&self) -> Option<&str> {
        self.folder.as_ref()?.file_name()?.to_str()
    }

    /// Keeps what has changed of what it is.
    pub(crate) fn save(&self) -> Result<(), FolderError> {
        self.folder.as_ref().map_or(Ok(()), |folder| folder::save_facts(folder, &self.facts))
    }

    /// What is recorded; nothing is told of a tape that is kept in a folder and in no drive.
    pub fn objects(&self) -> &Objects {
        self.tape.objects()
    }

    /// Bytes of the medium that are taken in front of an object; a filemark takes as much as a block of PBS's.
    pub(crate) fn room_before(&self, number: u64) -> u64 {
        let objects = self.objects();
        objects.bytes_before(number) + objects.filemarks_before(number) * BLOCK_BYTES
    }

    /// Whether it cleans.
    pub(crate) fn is_cleaner(&self) -> bool {
        matches!(self.facts.kind, CartridgeKind::Cleaning { .. })
    }

    /// Makes `number` the end of data, if it is not.
    pub(crate) fn cut(&mut self, number: u64) -> Result<(), FolderError> {
        if number < self.objects().count() {
            self.is_dirty = true;
            let cut = self.tape.cut(number);
            // Also where it failed behind some of it.
            self.flushed = self.flushed.min(self.objects().count());
            cut.map_err(|error| self.failed("cut", error))?;
        }
        Ok(())
    }

    /// Appends a block behind the end of data.
    pub(crate) fn push_block(&mut self, block: Block, stored: &[u8]) -> Result<(), FolderError> {
        self.is_dirty = true;
        let pushed = self.tape.push_block(block, stored);
        pushed.map_err(|error| self.failed("write", error))?;
        self.facts.bytes_written += u64::from(block.length);
        Ok(())
    }

    /// Appends a filemark behind the end of data.
    pub(crate) fn push_filemark(&mut self) -> Result<(), FolderError> {
        self.is_dirty = true;
        self.tape.push_filemark().map_err(|error| self.failed("write", error))
    }

    /// Fills `bytes` with stored bytes from an offset on.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), FolderError> {
        self.tape.read(offset, bytes).map_err(|error| self.failed("read", error))
    }

    /// Everything is on the tape now, and outlives a power cut.
    pub(crate) fn flush(&mut self) -> Result<(), FolderError> {
        if self.is_dirty {
            self.tape.sync().map_err(|error| self.failed("flush", error))?;
            self.is_dirty = false;
        }
        self.flushed = self.objects().count();
        Ok(())
    }

    /// What was in the buffer is gone: all since the last flush, however much.
    pub(crate) fn lose_buffer(&mut self) -> Result<(), FolderError> {
        self.cut(self.flushed)
    }

    fn failed(&self, action: &'static str, error: io::Error) -> FolderError {
        let label = || self.facts.barcode.as_deref().unwrap_or("unlabelled").into();
        io_error(action, &self.folder.clone().unwrap_or_else(label))(error)
    }
}
