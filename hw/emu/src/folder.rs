//! A library that is kept in a folder.
//!
//! | file | holds |
//! | --- | --- |
//! | `library.json` | what the library is made of, and which cartridge lies where; replaced whole after each move |
//! | `cartridges/NAME/cartridge.json` | what a cartridge is and its memory chip; replaced whole when it changes |
//! | `cartridges/NAME/data`, `index` | what is recorded on its tape |
//! | `lock` | held by the program that has the library open |

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use reel_hw::durable;
use serde::{Deserialize, Serialize};

use crate::cartridge::store::FolderStore;
use crate::cartridge::{Cartridge, CartridgeFacts};
use crate::elements::{Bay, Slot};
use crate::library::LibraryShape;
use crate::model::DriveModel;
use crate::timing::Timing;

const LIBRARY: &str = "library.json";
const CARTRIDGES: &str = "cartridges";
const FACTS: &str = "cartridge.json";

/// Why a library cannot be made, opened or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Another program has it open.
    #[error(
        "the library in {} is in use by another program; stop the reeld or reel-vtl that has it open",
        folder.display()
    )]
    InUse {
        /// Its folder.
        folder: PathBuf,
    },

    /// There is a library already.
    #[error("there is a library in {} already; use it, or name another folder", folder.display())]
    Exists {
        /// Its folder.
        folder: PathBuf,
    },

    /// There is none.
    #[error(
        "there is no library in {folder}; make one with 'reel-vtl create {folder}'",
        folder = folder.display()
    )]
    NoLibrary {
        /// The folder.
        folder: PathBuf,
    },

    /// It is in no folder.
    #[error("this library is kept in no folder; only one that is takes media that are kept")]
    NotKept,

    /// All storage slots are taken.
    #[error("no storage slot of the library is free; take a medium out, or make a larger library")]
    NoFreeSlot,

    /// No library can have that much.
    #[error("{wanted} {what} do not fit into the library, which takes {most}; ask for fewer")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many were wanted.
        wanted: usize,
        /// How many there can be.
        most: usize,
    },

    /// A file cannot be read or written.
    #[error("{action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// A file holds something else than it should.
    #[error("{} is damaged: {reason}; put a copy of it back, or make a new library", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        reason: String,
    },
}

impl FolderError {
    /// The number of the system's error that comes nearest.
    pub fn errno(&self) -> i32 {
        match self {
            Self::InUse { .. } => libc::EBUSY,
            Self::Exists { .. } => libc::EEXIST,
            Self::NoLibrary { .. } => libc::ENOENT,
            Self::NotKept | Self::TooMany { .. } => libc::EINVAL,
            Self::NoFreeSlot => libc::ENOSPC,
            Self::Io { source, .. } => source.raw_os_error().unwrap_or(libc::EIO),
            Self::Damaged { .. } => libc::EIO,
        }
    }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room there",
        io::ErrorKind::PermissionDenied => "; give the user of this program the folder",
        io::ErrorKind::NotFound => "; put it back from a copy",
        _ => "",
    }
}

/// What `library.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LibraryRecord {
    pub(crate) serial: String,
    pub(crate) ejects: bool,
    /// How much faster than real ones the devices work; without it nothing takes time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quickened: Option<u32>,
    /// The cartridge in the robot's hand, since a move failed.
    #[serde(default)]
    pub(crate) hand: Option<String>,
    /// The next medium slips out of the robot's hand on the way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) drops_next: bool,
    pub(crate) drives: Vec<DriveRecord>,
    pub(crate) slots: Vec<SlotRecord>,
}

/// A drive, and the cartridge in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DriveRecord {
    pub(crate) model: DriveModel,
    pub(crate) cartridge: Option<String>,
    pub(crate) home: Option<u16>,
    pub(crate) threaded: bool,
}

/// A slot, and the cartridge in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SlotRecord {
    pub(crate) import_export: bool,
    pub(crate) cartridge: Option<String>,
}

impl LibraryRecord {
    /// A library without cartridges.
    pub(crate) fn of(shape: &LibraryShape) -> Self {
        let drive = |model: &DriveModel| DriveRecord {
            model: model.clone(),
            cartridge: None,
            home: None,
            threaded: false,
        };
        let slot = |import_export| SlotRecord { import_export, cartridge: None };
        let storage = (0..shape.storage_slots).map(|_| slot(false));
        let import_export = (0..shape.import_export_slots).map(|_| slot(true));
        Self {
            serial: shape.serial.clone(),
            ejects: shape.ejects,
            quickened: shape.quickened,
            hand: None,
            drops_next: false,
            drives: shape.drives.iter().map(drive).collect(),
            slots: storage.chain(import_export).collect(),
        }
    }
}

/// The folder of a library that is open.
#[derive(Debug)]
pub(crate) struct LibraryFolder {
    path: PathBuf,
    /// Locked as long as this lives.
    _lock: File,
}

impl LibraryFolder {
    /// Makes a library with its media. `library.json` comes last: before that there is no library, and one who was
    /// stopped begins again.
    pub(crate) fn create(
        path: &Path,
        shape: &LibraryShape,
        media: &[CartridgeFacts],
    ) -> Result<(), FolderError> {
        shape.check(media.len())?;
        expect_none(path)?;
        let cartridges = path.join(CARTRIDGES);
        durable::create_folder(&cartridges).map_err(io_error("create", &cartridges))?;
        let folder = Self { path: path.to_path_buf(), _lock: lock(path)? };
        expect_none(path)?;
        let mut record = LibraryRecord::of(shape);
        folder.fill(&mut record, media)?;
        folder.save(&record)
    }

    /// Puts new media into the storage slots.
    fn fill(
        &self,
        record: &mut LibraryRecord,
        media: &[CartridgeFacts],
    ) -> Result<(), FolderError> {
        let mut made = BTreeSet::new();
        let mut slots = record.slots.iter_mut().filter(|slot| !slot.import_export);
        for facts in media {
            let slot = slots.next().ok_or(FolderError::NoFreeSlot)?;
            // What an attempt that was stopped has left is blank.
            let is_free = |name: &str, folder: &Path| {
                !made.contains(name) && (!folder.exists() || FolderStore::is_blank(folder))
            };
            let name = self.free_name(facts.barcode.as_deref(), is_free);
            self.make_cartridge(&name, facts)?;
            made.insert(name.clone());
            slot.cartridge = Some(name);
        }
        Ok(())
    }

    /// Opens and locks it.
    pub(crate) fn open(path: &Path) -> Result<(Self, LibraryRecord), FolderError> {
        if !has_library(path)? {
            return Err(FolderError::NoLibrary { folder: path.to_path_buf() });
        }
        let folder = Self { path: path.to_path_buf(), _lock: lock(path)? };
        let record = read_json(&path.join(LIBRARY))?;
        Ok((folder, record))
    }

    /// Keeps what lies where.
    pub(crate) fn save(&self, record: &LibraryRecord) -> Result<(), FolderError> {
        write_json(&self.path.join(LIBRARY), record)
    }

    /// A slot with what lies in it.
    pub(crate) fn slot(&self, record: &SlotRecord) -> Result<Slot, FolderError> {
        let cartridge = record.cartridge.as_deref().map(|name| self.cartridge(name)).transpose()?;
        Ok(Slot { import_export: record.import_export, cartridge, ..Slot::default() })
    }

    /// A drive with what lies in it.
    pub(crate) fn bay(&self, record: &DriveRecord, timing: &Timing) -> Result<Bay, FolderError> {
        let mut bay = Bay { home: record.home, ..Bay::empty(&record.model, timing) };
        if let Some(name) = &record.cartridge {
            let mut cartridge = self.cartridge(name)?;
            cartridge.open()?;
            bay.drive.power_on_with(cartridge, record.threaded);
        }
        Ok(bay)
    }

    /// What the robot had in its hand.
    pub(crate) fn hand(&self, record: &LibraryRecord) -> Result<Option<Cartridge>, FolderError> {
        record.hand.as_deref().map(|name| self.cartridge(name)).transpose()
    }

    fn cartridge(&self, name: &str) -> Result<Cartridge, FolderError> {
        let folder = self.cartridge_folder(name);
        let facts = read_json(&folder.join(FACTS))?;
        Ok(Cartridge::kept(facts, folder))
    }

    fn cartridge_folder(&self, name: &str) -> PathBuf {
        self.path.join(CARTRIDGES).join(name)
    }

    /// Makes a new cartridge, under a name that is its bar code where it has one.
    pub(crate) fn new_cartridge(&self, facts: CartridgeFacts) -> Result<Cartridge, FolderError> {
        let name = self.free_name(facts.barcode.as_deref(), |_, folder| !folder.exists());
        self.make_cartridge(&name, &facts)?;
        Ok(Cartridge::kept(facts, self.cartridge_folder(&name)))
    }

    fn make_cartridge(&self, name: &str, facts: &CartridgeFacts) -> Result<(), FolderError> {
        let folder = self.cartridge_folder(name);
        durable::create_folder(&folder).map_err(io_error("create", &folder))?;
        FolderStore::create(&folder)?;
        write_json(&folder.join(FACTS), facts)
    }

    fn free_name(&self, barcode: Option<&str>, is_free: impl Fn(&str, &Path) -> bool) -> String {
        let base: String = barcode
            .unwrap_or("unlabelled")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        names.find(|name| is_free(name, &self.cartridge_folder(name))).unwrap_or(base)
    }
}

fn has_library(path: &Path) -> Result<bool, FolderError> {
    let library = path.join(LIBRARY);
    library.try_exists().map_err(io_error("look at", &library))
}

fn expect_none(path: &Path) -> Result<(), FolderError> {
    if has_library(path)? {
        return Err(FolderError::Exists { folder: path.to_path_buf() });
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse { folder: folder.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(io_error("lock", &path)(source)),
    }
}

/// Keeps what a cartridge is.
pub(crate) fn save_facts(folder: &Path, facts: &CartridgeFacts) -> Result<(), FolderError> {
    write_json(&folder.join(FACTS), facts)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, FolderError> {
    let text = fs::read(path).map_err(io_error("read", path))?;
    let damaged = |error: serde_json::Error| FolderError::Damaged {
        path: path.to_path_buf(),
        reason: error.to_string(),
    };
    serde_json::from_slice(&text).map_err(damaged)
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), FolderError> {
    let text = serde_json::to_vec_pretty(value).map_err(io::Error::from);
    text.and_then(|text| durable::replace(path, &text)).map_err(io_error("write", path))
}

pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::Io { action, path, source }
}
