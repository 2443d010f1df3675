//! Everything that touches a tape device.
//!
//! A tape drive is one head: whoever holds a `&mut dyn TapeDrive` owns it, calls block until the device is done,
//! and nothing here is async. The crate knows media, blocks, filemarks and slots, but not what is written in
//! them: labels, archives and catalogs are the tape layer's.
//!
//! | module | is |
//! | --- | --- |
//! | [`drive`] | the [`TapeDrive`] trait and the values it speaks of |
//! | [`changer`] | the [`Changer`] trait, element status, and the moves every changer shares |
//! | [`stream`] | the block stream that makes a tape file out of bytes, and back |
//! | [`transport`] | the way of a SCSI command to a device and back |
//! | [`scsi`] | commands, parameter data and sense as types |
//! | [`device`] | a SCSI device: typed commands, and what went wrong |
//! | [`quirks`] | devices that lack what every other has, and what makes that good |
//! | [`discovery`] | which drives and changers the kernel knows |
//! | [`lto`] | an LTO drive, by SCSI commands |
//! | [`scsi_changer`] | a media changer, by SCSI commands |
//! | [`virtual_drive`] | the `virtual:` drive: a directory of tapes, with the layout PBS gives it |
//! | [`durable`] | files that are replaced whole, folders that stay |
//! | [`tool`] | what `mt` and `mtx` do with one device |
//! | [`memory`] | a library in memory that can be told to fail, for tests |
//! | [`conformance`] | what every drive must do, as checks that take any drive |
//! | [`fuzz`] | entry points for fuzzers |
//!
//! The `virtual:` drive and the one in memory share one picture of what lies on a medium (`layout`), so object numbers,
//! spacing and positions cannot drift apart between them.

pub mod cancel;
pub mod changer;
pub mod clock;
pub mod conformance;
pub mod device;
pub mod discovery;
pub mod drive;
pub mod durable;
pub mod error;
pub mod fuzz;
mod layout;
pub mod lto;
pub mod memory;
pub mod number;
pub mod quirks;
pub mod scsi;
pub mod scsi_changer;
pub mod stream;
pub mod tool;
pub mod transport;
pub mod virtual_drive;

pub use cancel::Cancel;
pub use changer::{
    Changer, ChangerStatus, DriveElement, ElementContent, QueuedChanger, RobotQueue, SlotElement,
    TransportElement,
};
pub use clock::{Clock, RealClock};
pub use drive::{
    CleaningRequest, DriveCounters, DriveFacts, DriveHealth, DriveLife, EncryptionKey, FeedWatch,
    HostAttribute, ObjectRange, Position, ReadOutcome, SpaceOutcome, TapeAlerts, TapeDrive,
    VolumeStatistics, WriteOutcome, move_to_append_position,
};
pub use error::{Error, Result};
pub use lto::{LtoDrive, LtoOptions, Wait, WaitListener};
pub use memory::{MemoryChanger, MemoryDrive, MemoryLibrary};
pub use number::{
    BlockNumber, Capacity, DriveNumber, ElementAddress, FileNumber, SlotNumber, VolumeTag,
};
pub use scsi_changer::{ChangerOptions, ScsiChanger};
pub use stream::{
    BlockReader, BlockWriter, CONTENT_HEADER_SIZE, ContentHeader, ContentMagic, OpenedFile,
    TAPE_BLOCK_HEADER_SIZE, TAPE_BLOCK_PAYLOAD_SIZE, TAPE_BLOCK_SIZE,
};
pub use virtual_drive::{VirtualDrive, VirtualLibrary, VirtualOptions};
