//! A library that is kept in a folder.
//!
//! | file | holds |
//! | --- | --- |
//! | `library.json` | what the library is made of, and which cartridge lies where; replaced whole after each move |
//! | `cartridges/NAME/cartridge.json` | what a cartridge is and its memory chip; replaced whole when it changes |
//! | `cartridges/NAME/data`, `index` | what is recorded on its tape |
//! | `lock` | held by the program that has the library open |

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cartridge::store::FolderStore;
use crate::cartridge::{Cartridge, CartridgeFacts};
use crate::elements::{Bay, Slot};
use crate::library::LibraryShape;
use crate::model::DriveModel;
use crate::timing::Timing;

/// Why a library cannot be opened or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Another program has it open.
    #[error("the library in {} is in use by another program", folder.display())]
    InUse {
        /// Its folder.
        folder: PathBuf,
    },

    /// There is a library already.
    #[error("there is a library in {} already", folder.display())]
    Exists {
        /// Its folder.
        folder: PathBuf,
    },

    /// It is in no folder.
    #[error("this library is kept in no folder")]
    NotKept,

    /// All storage slots are taken.
    #[error("no free slot in the library")]
    NoFreeSlot,

    /// A file cannot be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// A file holds something else than it should.
    #[error("{} is damaged: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        source: serde_json::Error,
    },
}

/// What `library.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LibraryRecord {
    pub(crate) serial: String,
    pub(crate) ejects: bool,
    /// The cartridge in the robot's hand, since a move failed.
    #[serde(default)]
    pub(crate) hand: Option<String>,
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
            hand: None,
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
    /// Makes the folder of a new library.
    pub(crate) fn create(path: &Path, shape: &LibraryShape) -> Result<(), FolderError> {
        let folder = path.to_path_buf();
        if path.join("library.json").exists() {
            return Err(FolderError::Exists { folder });
        }
        let cartridges = path.join("cartridges");
        fs::create_dir_all(&cartridges).map_err(io_error("create", &cartridges))?;
        write_json(&path.join("library.json"), &LibraryRecord::of(shape))
    }

    /// Opens and locks it.
    pub(crate) fn open(path: &Path) -> Result<(Self, LibraryRecord), FolderError> {
        let lock_path = path.join("lock");
        let mut options = File::options();
        let lock = options.create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(io_error("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::InUse { folder: path.to_path_buf() });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &lock_path)(source)),
        }
        let record = read_json(&path.join("library.json"))?;
        Ok((Self { path: path.to_path_buf(), _lock: lock }, record))
    }

    /// Keeps what lies where.
    pub(crate) fn save(&self, record: &LibraryRecord) -> Result<(), FolderError> {
        write_json(&self.path.join("library.json"), record)
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
            bay.drive.power_on_with(self.cartridge(name)?, record.threaded);
        }
        Ok(bay)
    }

    /// What the robot had in its hand.
    pub(crate) fn hand(&self, record: &LibraryRecord) -> Result<Option<Cartridge>, FolderError> {
        record.hand.as_deref().map(|name| self.cartridge(name)).transpose()
    }

    /// Opens a cartridge.
    fn cartridge(&self, name: &str) -> Result<Cartridge, FolderError> {
        let folder = self.path.join("cartridges").join(name);
        let facts = read_json(&folder.join("cartridge.json"))?;
        let tape = FolderStore::open(&folder).map_err(io_error("open the tape in", &folder))?;
        Ok(Cartridge::new(facts, Box::new(tape)).kept_in(name, &folder))
    }

    /// Makes a new cartridge, under a name that is its bar code where it has one.
    pub(crate) fn new_cartridge(&self, facts: CartridgeFacts) -> Result<Cartridge, FolderError> {
        let name = self.free_name(facts.barcode.as_deref());
        let folder = self.path.join("cartridges").join(&name);
        fs::create_dir(&folder).map_err(io_error("create", &folder))?;
        write_json(&folder.join("cartridge.json"), &facts)?;
        self.cartridge(&name)
    }

    fn free_name(&self, barcode: Option<&str>) -> String {
        let base: String = barcode
            .unwrap_or("unlabelled")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let exists = |name: &str| self.path.join("cartridges").join(name).exists();
        let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        names.find(|name| !exists(name)).unwrap_or(base)
    }
}

/// Keeps what a cartridge is.
pub(crate) fn save_facts(folder: &Path, facts: &CartridgeFacts) -> Result<(), FolderError> {
    write_json(&folder.join("cartridge.json"), facts)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, FolderError> {
    let text = fs::read(path).map_err(io_error("read", path))?;
    let damaged = |source| FolderError::Damaged { path: path.to_path_buf(), source };
    serde_json::from_slice(&text).map_err(damaged)
}

/// Replaces a file whole.
fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), FolderError> {
    let damaged = |source| FolderError::Damaged { path: path.to_path_buf(), source };
    let text = serde_json::to_vec_pretty(value).map_err(damaged)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let replace = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&text)?;
        file.as_file().sync_data()?;
        file.persist(path)?;
        Ok(())
    };
    replace().map_err(io_error("write", path))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::Io { action, path, source }
}
