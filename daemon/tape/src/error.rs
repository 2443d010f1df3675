//! What can go wrong with media and their records, and which errno says so.
//!
//! Every message names what was tried and on what. Damaged data ([`Error::Format`], [`Error::Json`])
//! is kept apart from a medium or file that could not be read ([`Error::Io`]): the first stays damaged
//! however often it is read again.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use reel_types::{
    Digest, DriveName, LabelText, MediaSetId, MediaStatus, ParseError, PoolName, TaskStopped,
};
use thiserror::Error;

use crate::usability::SetUnusable;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or stream could not be read or written.
    #[error("{tried}: {source}")]
    Io {
        /// What was tried, on what.
        tried: String,
        /// What the system said.
        source: io::Error,
    },

    /// Bytes that contradict their format.
    #[error("{what}: {reason}")]
    Format {
        /// What was being read.
        what: &'static str,
        /// The rule that the bytes break.
        reason: String,
    },

    /// JSON that is malformed or lacks something.
    #[error("unable to parse {what}: {source}")]
    Json {
        /// What the JSON should have been.
        what: String,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },

    /// A chunk on a medium that is damaged.
    #[error(
        "chunk {digest} at byte {offset} of its archive: {source}; restore it from another copy"
    )]
    Chunk {
        /// The chunk.
        digest: Digest,
        /// Where its entry starts, in bytes of the file's content.
        offset: u64,
        /// What is wrong with it.
        source: reel_store::FormatError,
    },

    /// A snapshot archive that could not be written or read.
    #[error("{tried}: {source}")]
    Pxar {
        /// What was tried.
        tried: &'static str,
        /// Why it failed.
        source: reel_store::FormatError,
    },

    /// A text that is not what it was taken for.
    #[error(transparent)]
    Parse(#[from] ParseError),

    /// A media catalog that cannot be used.
    #[error(
        "unable to open media catalog '{}': {source} (re-create it with 'catalog --force')",
        path.display()
    )]
    Catalog {
        /// The catalog's file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },

    /// Somebody else holds a lock.
    #[error(
        "unable to acquire lock '{}' within {wait_s} s; another task is using it, try again later",
        path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for, in seconds.
        wait_s: u64,
    },

    /// A label text that several media carry.
    #[error("There are '{count}' tapes with the label '{label_text}'; name the one by its uuid")]
    DuplicateLabelText {
        /// How many media carry it.
        count: usize,
        /// The text.
        label_text: LabelText,
    },

    /// Two media claim the same place in a set.
    #[error(
        "found duplicate sequence number in media set '{set}' (number {seq_nr}); \
         remove the wrong medium from the inventory"
    )]
    DuplicateSequenceNumber {
        /// The set.
        set: MediaSetId,
        /// The number that is there twice.
        seq_nr: u64,
    },

    /// A set of which the inventory knows no medium.
    #[error("media set {set} is incomplete - unable to lookup pool")]
    SetUnknown {
        /// The set.
        set: MediaSetId,
    },

    /// A set that lacks a medium.
    #[error("media set {set} is incomplete (missing member {seq_nr}).")]
    SetIncomplete {
        /// The set.
        set: MediaSetId,
        /// The first sequence number that is missing.
        seq_nr: u64,
    },

    /// Members of one set disagree about their pool.
    #[error(
        "media set {set} has members of several pools ({pools}); re-read the labels of its media"
    )]
    SetPools {
        /// The set.
        set: MediaSetId,
        /// The pools, joined by commas.
        pools: String,
    },

    /// A set that became unfit for writing while a job was writing it.
    #[error("unable to go on with media set {set} of pool '{pool}': {reason}")]
    SetUnusable {
        /// The pool.
        pool: PoolName,
        /// The set.
        set: MediaSetId,
        /// Why it is unfit.
        reason: SetUnusable,
    },

    /// No medium of a pool, or of none, can be written.
    #[error("alloc writable media in pool '{pool}' failed: no usable media found")]
    NoUsableMedia {
        /// The pool.
        pool: PoolName,
    },

    /// A medium that the inventory does not know.
    #[error("no such media '{medium}' in the inventory")]
    NoSuchMedium {
        /// What was looked for: a UUID or a label text.
        medium: String,
    },

    /// A status that only computing may give.
    #[error("setting media status '{0}' is not allowed; use 'full', 'damaged' or 'retired'")]
    StatusNotAllowed(MediaStatus),

    /// A file or value that does not fit what was promised or is allowed.
    #[error("{0}")]
    InvalidInput(String),

    /// A device failed, in code that knows no drive's name; callers add it ([`Error::Drive`]).
    #[error(transparent)]
    Device(#[from] reel_hw::Error),

    /// A drive failed.
    #[error("drive '{drive}': {source}")]
    Drive {
        /// The drive.
        drive: DriveName,
        /// What it said.
        source: reel_hw::Error,
    },

    /// Somebody else uses a drive.
    #[error("drive '{drive}' is busy ({holder}); try again when it is free, or stop that task")]
    DriveBusy {
        /// The drive.
        drive: DriveName,
        /// Who uses it: an UPID or a short text.
        holder: String,
    },

    /// A drive that no changer serves.
    #[error("drive '{drive}' has no associated changer device")]
    NoChanger {
        /// The drive.
        drive: DriveName,
    },

    /// Nothing to clean a drive with.
    #[error(
        "the cleaning cartridges in the library are used up ({cartridges}); put another one in"
    )]
    CleanersUsedUp {
        /// Their bar codes.
        cartridges: String,
    },

    /// A medium that is in no library.
    #[error("unable to find media '{medium}' (offline?); put it into the library and try again")]
    MediumOffline {
        /// Its label.
        medium: LabelText,
    },

    /// A drive without changer that nobody has put the medium into.
    #[error("there is no medium in drive '{drive}'; insert '{medium}' and try again")]
    InsertMedium {
        /// Its label.
        medium: LabelText,
        /// The drive.
        drive: DriveName,
    },

    /// Another medium than the one that should be there.
    #[error("expected media '{wanted}' in the drive, found {found}; check its bar code")]
    WrongMedium {
        /// The label of the one that is wanted.
        wanted: LabelText,
        /// What is there.
        found: String,
    },

    /// A filemark where the label should be: a foreign program's blank medium.
    #[error("got unexpected filemark at BOT")]
    FilemarkAtBeginning,

    /// A medium without label.
    #[error("Media is empty (no label).")]
    MediumBlank,

    /// A medium that holds data and should not.
    #[error("media is not empty (format it first)")]
    MediumNotEmpty,

    /// A medium that may not be written.
    #[error("media '{0}' is write protected; remove the protection or mark the medium 'full'")]
    WriteProtected(LabelText),

    /// A catalog that would be replaced.
    #[error("{0}")]
    CatalogExists(String),

    /// A used medium that would be forgotten.
    #[error("media '{0}' contains data (please use 'force' flag to remove).")]
    MediumHoldsData(LabelText),

    /// A label text that is taken.
    #[error("Media with label '{0}' already exists")]
    LabelExists(LabelText),

    /// A key that the key files do not have.
    #[error(
        "unable to find {what} '{fingerprint}' in '{file}'; bring the key files of the server \
         that has the key"
    )]
    KeyUnknown {
        /// What is missing: the key or its protected copy.
        what: &'static str,
        /// Short form of the key's fingerprint.
        fingerprint: String,
        /// The file that should have it.
        file: String,
    },

    /// Key files that can't be read.
    #[error("unable to get tape encryption key '{fingerprint}': {source}")]
    KeyFiles {
        /// Short form of the key's fingerprint.
        fingerprint: String,
        /// Why they can't be read.
        source: reel_config::ConfigError,
    },

    /// A key whose copy on tape would be open to everybody.
    #[error(
        "tape encryption key '{fingerprint}' has no passphrase: its copy on tape would be open to \
         everybody; give it one"
    )]
    KeyUnprotected {
        /// Short form of the key's fingerprint.
        fingerprint: String,
    },

    /// A drive without encryption, for an encrypted set.
    #[error(
        "drive '{drive}' has no encryption, or its library keeps it for itself; use another drive, \
         or a pool without 'encrypt'"
    )]
    NoEncryption {
        /// The drive.
        drive: DriveName,
    },

    /// A drive whose encryption is not as it was set.
    #[error(
        "drive '{drive}' {}; nothing is written with it",
        if *encrypts { "still encrypts although its key was taken away" }
        else { "does not encrypt although it was given a key" }
    )]
    EncryptionState {
        /// The drive.
        drive: DriveName,
        /// Whether it encrypts.
        encrypts: bool,
    },

    /// A datastore could not do its part.
    #[error(transparent)]
    Store(#[from] reel_store::StoreError),

    /// Something on a datastore or tape is not what its format says.
    #[error(transparent)]
    Data(#[from] reel_store::FormatError),

    /// The task was asked to stop.
    #[error(transparent)]
    Stopped(#[from] TaskStopped),

    /// Our own index could not be read or written.
    #[error(transparent)]
    Index(#[from] reel_index::Error),

    /// A job that did what it could; what it could not is in its log.
    #[error("{0}")]
    Unfinished(String),
}

impl Error {
    /// An [`Error::Format`] about `what`.
    pub(crate) fn format(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Format { what, reason: reason.into() }
    }

    /// Wraps an I/O error with what was `tried`, for `map_err`.
    pub(crate) fn io(tried: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let tried = tried.into();
        move |source| Self::Io { tried, source }
    }

    /// What a device said, straight or through the `io::Error` of a reader.
    pub(crate) fn device(&self) -> Option<&reel_hw::Error> {
        match self {
            Self::Device(device) | Self::Drive { source: device, .. } => Some(device),
            Self::Io { source, .. } => source.get_ref()?.downcast_ref(),
            _ => None,
        }
    }

    /// Takes what a device said out of the `io::Error` that carried it through a reader.
    pub(crate) fn out_of_reader(self) -> Self {
        let Self::Io { tried, source } = self else { return self };
        match source.downcast() {
            Ok(device) => Self::Device(device),
            Err(source) => Self::Io { tried, source },
        }
    }

    /// Whether it is the key of a media set that is missing or wrong: then nothing of the set can be read.
    pub(crate) fn is_about_key(&self) -> bool {
        matches!(self, Self::KeyUnknown { .. } | Self::KeyFiles { .. })
            || matches!(self.device(), Some(reel_hw::Error::WrongKey))
    }

    /// The errno that tells a file system's user.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Io { source, .. } => source.raw_os_error().unwrap_or(Errno::EIO as i32),
            Self::Catalog { source, .. } => source.errno(),
            Self::Chunk { source, .. } | Self::Pxar { source, .. } => source.errno(),
            Self::Format { .. } | Self::Json { .. } => Errno::EIO as i32,
            Self::Parse(_) | Self::InvalidInput(_) => Errno::EINVAL as i32,
            Self::Locked { .. } => Errno::EAGAIN as i32,
            Self::DuplicateLabelText { .. } => Errno::ENOTUNIQ as i32,
            Self::DuplicateSequenceNumber { .. } | Self::SetPools { .. } => Errno::EIO as i32,
            Self::SetUnknown { .. } | Self::NoSuchMedium { .. } => Errno::ENOENT as i32,
            Self::SetIncomplete { .. } | Self::NoUsableMedia { .. } => Errno::ENOMEDIUM as i32,
            Self::SetUnusable { .. } => Errno::EIO as i32,
            Self::StatusNotAllowed(_) => Errno::EPERM as i32,
            Self::Device(source) | Self::Drive { source, .. } => source.errno(),
            Self::DriveBusy { .. } => Errno::EBUSY as i32,
            Self::WriteProtected(_) => Errno::EROFS as i32,
            Self::Index(source) => source.errno(),
            Self::MediumHoldsData(_) => Errno::EPERM as i32,
            Self::NoChanger { .. } => Errno::EOPNOTSUPP as i32,
            Self::MediumOffline { .. }
            | Self::InsertMedium { .. }
            | Self::CleanersUsedUp { .. } => Errno::ENOMEDIUM as i32,
            Self::WrongMedium { .. } | Self::MediumBlank | Self::FilemarkAtBeginning => {
                Errno::EMEDIUMTYPE as i32
            }
            Self::MediumNotEmpty | Self::LabelExists(_) | Self::CatalogExists(_) => {
                Errno::EEXIST as i32
            }
            Self::KeyUnknown { .. } => Errno::ENOKEY as i32,
            Self::KeyFiles { source, .. } => source.errno(),
            Self::KeyUnprotected { .. } => Errno::EKEYREJECTED as i32,
            Self::NoEncryption { .. } => Errno::EOPNOTSUPP as i32,
            Self::EncryptionState { .. } => Errno::EIO as i32,
            Self::Store(source) => source.errno(),
            Self::Data(source) => source.errno(),
            Self::Stopped(_) => Errno::ECANCELED as i32,
            Self::Unfinished(_) => Errno::EIO as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_errno_comes_through() {
        let full = Error::Io {
            tried: "write".into(),
            source: io::Error::from_raw_os_error(Errno::ENOSPC as i32),
        };
        assert_eq!(full.errno(), Errno::ENOSPC as i32);
        let catalog = Error::Catalog { path: "x.log".into(), source: Box::new(full) };
        assert_eq!(catalog.errno(), Errno::ENOSPC as i32);
        assert_eq!(Error::format("label", "broken").errno(), Errno::EIO as i32);
    }
}
