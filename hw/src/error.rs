//! The one error type of this crate.
//!
//! Each variant is something a caller decides on: another medium is needed ([`Error::EndOfMedium`]), the disk
//! below a virtual medium is full ([`Error::DiskFull`], which another medium would not cure), the operator must
//! act ([`Error::WriteProtected`], [`Error::NoMedium`]), or the data is bad ([`Error::Block`], [`Error::Corrupt`]).

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

use crate::changer::ElementContent;
use crate::device::DeviceError;
use crate::number::{DriveNumber, SlotNumber, VolumeTag};
use crate::scsi::Condition;
use crate::stream::BlockError;
use crate::transport::TransportError;

/// Result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong at a drive, a changer or in a block stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The drive is empty, or its medium was ejected.
    #[error("{what}: no medium in the drive; load one first")]
    NoMedium {
        /// What was tried.
        what: &'static str,
    },

    /// The medium, or the index file of a virtual one, may not be written.
    #[error("{what}: the medium is write protected; remove the protection or use another medium")]
    WriteProtected {
        /// What was tried.
        what: &'static str,
    },

    /// The physical end of the medium: the block was not written.
    #[error("write block: physical end of the medium reached; go on with another medium")]
    EndOfMedium,

    /// The disk that holds a virtual medium is full. Another virtual medium on it will not help.
    #[error("{action} {path}: the disk is full; free space there", path = path.display())]
    DiskFull {
        /// What was tried.
        action: &'static str,
        /// The file in question.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// Nothing is recorded where something was expected.
    #[error("{what}: unexpected end of data")]
    UnexpectedEndOfData {
        /// What was tried, and where.
        what: String,
    },

    /// A filemark where a block was expected.
    #[error("{what}: unexpected filemark")]
    UnexpectedFilemark {
        /// What was tried, and where.
        what: String,
    },

    /// The system refused an operation on a file or device.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or device in question.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// A device of a kind that is made elsewhere cannot be had.
    #[error("{source}")]
    Other {
        /// What kind of failure it is, as an errno.
        errno: i32,
        /// What its maker says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A block of a size that the drive, or the caller's buffer, cannot take.
    #[error("{what}: unexpected block length ({found} != {expected})")]
    WrongBlockSize {
        /// What was tried.
        what: &'static str,
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },

    /// A SCSI device did not do what it was asked.
    #[error("{what} on {device}: {source}")]
    Device {
        /// What was tried.
        what: &'static str,
        /// Which device.
        device: String,
        /// Why it did not.
        source: DeviceError,
    },

    /// The device cannot do this.
    #[error("{what} is not supported by {device}")]
    Unsupported {
        /// What was tried.
        what: &'static str,
        /// Which kind of device.
        device: &'static str,
    },

    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,

    /// What was read is not what it should be.
    #[error("{what} is damaged: {reason}")]
    Corrupt {
        /// What is damaged.
        what: String,
        /// In which way, and what can be done.
        reason: String,
    },

    /// A block that breaks the rules of the block stream.
    #[error("read block {sequence} of the file: {source}")]
    Block {
        /// Sequence number expected at this place of the file.
        sequence: u32,
        /// The broken rule.
        source: BlockError,
    },

    /// A block stream was used in a state that does not allow it.
    #[error("{0}")]
    StreamState(&'static str),

    /// The block is encrypted, and not with the key the drive was given.
    #[error("read block: it is encrypted with another key; load the key of this media set")]
    WrongKey,

    /// Somebody else has the drive open.
    #[error("{what} is locked by another user of the drive (waited {} s); try again later", waited.as_secs())]
    Busy {
        /// The lock in question.
        what: String,
        /// How long was waited for it.
        waited: Duration,
    },

    /// No online medium carries this tag.
    #[error("unable to find media '{0}' (offline?)")]
    MediumNotFound(VolumeTag),

    /// The medium is not where the move wants it.
    #[error("unable to load media '{tag}': it is {place}")]
    MediumElsewhere {
        /// The medium.
        tag: VolumeTag,
        /// Where it is.
        place: String,
    },

    /// A medium with that tag exists already.
    #[error("a medium '{0}' exists already")]
    MediumExists(VolumeTag),

    /// Cleaning cartridges are not loaded as media.
    #[error("'{0}' is a cleaning cartridge, not a medium")]
    CleaningCartridge(VolumeTag),

    /// Nothing to clean a drive with.
    #[error("no cleaning cartridge in the library's storage slots; put one in")]
    NoCleaningCartridge,

    /// The changer has no such slot.
    #[error("invalid slot number '{number}' (max {slots} slots)")]
    NoSuchSlot {
        /// The number.
        number: SlotNumber,
        /// How many slots there are.
        slots: usize,
    },

    /// The changer has no such drive.
    #[error("invalid drive number {0}")]
    NoSuchDrive(DriveNumber),

    /// The number that a drive is said to have in the changer is another drive's.
    #[error(
        "{device} has serial number '{serial}', and is drive {number} of the changer, not drive {configured} \
         (which has serial number '{other}'); correct its number (changer-drivenum)"
    )]
    WrongDriveNumber {
        /// The drive.
        device: String,
        /// The serial number that it says it has.
        serial: String,
        /// Its number by that.
        number: DriveNumber,
        /// The number that it was said to have.
        configured: DriveNumber,
        /// The serial number of the drive with that number.
        other: String,
    },

    /// Nothing to move.
    #[error("slot {0} is empty")]
    SlotEmpty(SlotNumber),

    /// The target is taken.
    #[error("slot {0} is full")]
    SlotFull(SlotNumber),

    /// Nothing to unload.
    #[error("drive {0} is empty")]
    DriveEmpty(DriveNumber),

    /// The target is taken.
    #[error("drive {drive} holds {content}; unload it first")]
    DriveFull {
        /// The drive.
        drive: DriveNumber,
        /// What it holds.
        content: ElementContent,
    },

    /// No slot to unload to.
    #[error("drive '{0}' unload failure - no free slot")]
    NoFreeSlot(DriveNumber),

    /// No import/export slot to export to.
    #[error("unable to find free export slot")]
    NoFreeExportSlot,
}

impl Error {
    /// Wraps a system error; a full disk becomes [`Error::DiskFull`].
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { action, path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }

    /// Names what a SCSI device was asked.
    pub(crate) fn device(what: &'static str, device: &str, source: DeviceError) -> Self {
        match source {
            DeviceError::Cancelled => Self::Cancelled,
            source => Self::Device { what, device: device.to_owned(), source },
        }
    }

    /// Names what a tape drive was asked; conditions that every drive has become their own variants.
    pub(crate) fn drive(what: &'static str, device: &str, source: DeviceError) -> Self {
        match source.condition() {
            Some(Condition::NoMedium | Condition::NeedsLoad) => Self::NoMedium { what },
            Some(Condition::WriteProtected) => Self::WriteProtected { what },
            Some(Condition::EndOfMedium) => Self::EndOfMedium,
            Some(Condition::WrongKey) => Self::WrongKey,
            _ => Self::device(what, device, source),
        }
    }

    /// What a SCSI device said, where it said something.
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::Device { source: DeviceError::Sense(sense), .. } => Some(sense.condition()),
            _ => None,
        }
    }

    /// The errno a file system shows for this error.
    pub fn errno(&self) -> i32 {
        let errno = match self {
            Self::NoMedium { .. } | Self::DriveEmpty(_) => Errno::ENOMEDIUM,
            Self::WriteProtected { .. } => Errno::EROFS,
            Self::EndOfMedium | Self::NoFreeSlot(_) | Self::NoFreeExportSlot => Errno::ENOSPC,
            Self::DiskFull { source, .. } | Self::Io { source, .. } => {
                return source.raw_os_error().unwrap_or_else(|| errno_of(source.kind()) as i32);
            }
            Self::Other { errno, .. } => return *errno,
            Self::Unsupported { .. } => Errno::EOPNOTSUPP,
            Self::Device { source, .. } => device_errno(source),
            Self::Cancelled => Errno::ECANCELED,
            Self::Busy { .. } | Self::DriveFull { .. } | Self::MediumElsewhere { .. } => {
                Errno::EBUSY
            }
            Self::MediumNotFound(_) | Self::SlotEmpty(_) | Self::NoCleaningCartridge => {
                Errno::ENOENT
            }
            Self::MediumExists(_) | Self::SlotFull(_) => Errno::EEXIST,
            Self::CleaningCartridge(_)
            | Self::NoSuchSlot { .. }
            | Self::NoSuchDrive(_)
            | Self::WrongDriveNumber { .. } => Errno::EINVAL,
            Self::WrongKey => Errno::EKEYREJECTED,
            Self::UnexpectedEndOfData { .. }
            | Self::UnexpectedFilemark { .. }
            | Self::WrongBlockSize { .. }
            | Self::Corrupt { .. }
            | Self::Block { .. }
            | Self::StreamState(_) => Errno::EIO,
        };
        errno as i32
    }

    /// Whether the medium is full: the write may be repeated on another medium.
    pub fn is_end_of_medium(&self) -> bool {
        matches!(self, Self::EndOfMedium)
    }
}

/// The errno of a system's error that was put into other words.
fn errno_of(kind: io::ErrorKind) -> Errno {
    match kind {
        io::ErrorKind::PermissionDenied => Errno::EACCES,
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::ResourceBusy => Errno::EBUSY,
        io::ErrorKind::InvalidInput => Errno::EINVAL,
        _ => Errno::EIO,
    }
}

fn device_errno(error: &DeviceError) -> Errno {
    match error {
        DeviceError::Reserved { .. } | DeviceError::Busy => Errno::EBUSY,
        DeviceError::Transport(TransportError::TimedOut { .. }) => Errno::ETIMEDOUT,
        DeviceError::Transport(TransportError::Gone) => Errno::ENODEV,
        DeviceError::Sense(sense) => match sense.condition() {
            Condition::CleaningCartridge | Condition::IncompatibleMedium => Errno::EMEDIUMTYPE,
            Condition::WormProtected | Condition::DataProtected => Errno::EROFS,
            Condition::BecomingReady | Condition::RemovalPrevented | Condition::NotUnloaded => {
                Errno::EBUSY
            }
            Condition::UnknownCommand | Condition::InvalidField => Errno::EOPNOTSUPP,
            _ => Errno::EIO,
        },
        _ => Errno::EIO,
    }
}

/// For the `io::Read` and `io::Write` faces of the block stream; [`Error`] comes back out by downcast.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::EndOfMedium | Error::DiskFull { .. } => io::ErrorKind::StorageFull,
            Error::UnexpectedEndOfData { .. } => io::ErrorKind::UnexpectedEof,
            Error::Corrupt { .. } | Error::Block { .. } => io::ErrorKind::InvalidData,
            Error::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::{Sense, SenseKey};

    fn with_errno(errno: Errno) -> Error {
        let source = io::Error::from_raw_os_error(errno as i32);
        Error::io("write", Path::new("/media/tapefile-0-X.json"), source)
    }

    #[test]
    fn a_full_disk_is_not_the_end_of_a_medium() {
        for errno in [Errno::ENOSPC, Errno::EDQUOT] {
            let error = with_errno(errno);
            assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
            assert!(!error.is_end_of_medium());
            assert_eq!(error.errno(), errno as i32);
        }
        assert!(Error::EndOfMedium.is_end_of_medium());
    }

    #[test]
    fn messages_say_what_was_tried_on_what_and_why() {
        assert_eq!(
            with_errno(Errno::EACCES).to_string(),
            "write /media/tapefile-0-X.json: Permission denied (os error 13)"
        );
        assert_eq!(
            with_errno(Errno::ENOSPC).to_string(),
            "write /media/tapefile-0-X.json: the disk is full; free space there"
        );
    }

    #[test]
    fn a_changer_without_a_medium_is_no_empty_drive() {
        let sense = Sense::new(SenseKey::NotReady, 0x3A, 0x00);
        let of_drive = Error::drive("read block", "/dev/nst0", DeviceError::Sense(sense));
        assert!(matches!(of_drive, Error::NoMedium { .. }));
        let of_changer = Error::device("load medium", "/dev/sg3", DeviceError::Sense(sense));
        assert!(of_changer.to_string().starts_with("load medium on /dev/sg3: "), "{of_changer}");
    }

    #[test]
    fn other_words_keep_the_errno() {
        for (kind, errno) in [
            (io::ErrorKind::PermissionDenied, Errno::EACCES),
            (io::ErrorKind::ResourceBusy, Errno::EBUSY),
            (io::ErrorKind::InvalidInput, Errno::EINVAL),
            (io::ErrorKind::Other, Errno::EIO),
        ] {
            let error = Error::io("open", Path::new("/dev/sg3"), io::Error::new(kind, "so"));
            assert_eq!(
                (error.errno(), error.to_string().as_str()),
                (errno as i32, "open /dev/sg3: so")
            );
        }
    }

    #[test]
    fn an_error_survives_the_io_face() {
        let outer = io::Error::from(Error::EndOfMedium);
        assert_eq!(outer.kind(), io::ErrorKind::StorageFull);
        let inner = outer.into_inner().unwrap().downcast::<Error>().unwrap();
        assert!(inner.is_end_of_medium());
    }
}
