//! The way of a SCSI command to a device and back.
//!
//! A [`Transport`] knows nothing of what a command means: it takes a CDB, a buffer and a time limit, and brings
//! back status, sense and how many bytes arrived. The kernel's SG_IO is one ([`sg`]), an emulated library another.

mod holder;
pub mod sg;
mod st;

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::scsi::Cdb;

pub use sg::SgTransport;
pub use st::{DriverOption, OptionChange, change_options};

/// Sense bytes that a transport keeps. SPC allows 252, devices send up to 96.
pub const SENSE_BYTES_MAX: usize = 96;

/// The data that go with a command.
#[derive(Debug)]
pub enum Data<'a> {
    /// None.
    None,
    /// From the device.
    In(&'a mut [u8]),
    /// To the device.
    Out(&'a [u8]),
}

impl Data<'_> {
    /// The same data, for a command that may have to be sent again.
    pub fn reborrow(&mut self) -> Data<'_> {
        match self {
            Self::None => Data::None,
            Self::In(buffer) => Data::In(buffer),
            Self::Out(bytes) => Data::Out(bytes),
        }
    }

    /// Bytes that may move.
    pub fn length(&self) -> usize {
        match self {
            Self::None => 0,
            Self::In(buffer) => buffer.len(),
            Self::Out(bytes) => bytes.len(),
        }
    }
}

/// SCSI status (SAM-5 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Good,
    /// Something is to be said: see the sense.
    CheckCondition,
    /// The device is busy for a moment.
    Busy,
    /// Another host or program has reserved the device.
    ReservationConflict,
    /// The device has no room for one more command.
    TaskSetFull,
    /// Anything else.
    Other(u8),
}

impl Status {
    /// From the byte on the wire.
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0x00 => Self::Good,
            0x02 => Self::CheckCondition,
            0x08 => Self::Busy,
            0x18 => Self::ReservationConflict,
            0x28 => Self::TaskSetFull,
            other => Self::Other(other),
        }
    }

    /// The byte on the wire.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Good => 0x00,
            Self::CheckCondition => 0x02,
            Self::Busy => 0x08,
            Self::ReservationConflict => 0x18,
            Self::TaskSetFull => 0x28,
            Self::Other(byte) => byte,
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How the command ended.
    pub status: Status,
    /// Bytes that moved. With a check condition some transports cannot tell and give the whole buffer: then the
    /// sense's information field decides (spec emulations.md, "SG_IO in practice").
    pub transferred: usize,
    /// Sense bytes, at most [`SENSE_BYTES_MAX`]; empty where the device sent none.
    pub sense: Vec<u8>,
}

/// A command that did not come through; what the device did with it is not known.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The system refused it.
    #[error("the system refused the command: {0}")]
    System(#[source] io::Error),

    /// The device is no longer there.
    #[error("the device is gone; check cable and power")]
    Gone,

    /// The device did not answer within the limit. The kernel then aborts the command or resets the device, so the
    /// position is lost.
    #[error("no answer within {} s", limit.as_secs())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },

    /// Host adapter or driver failed.
    #[error("the host adapter reports an error (host status {host:#x}, driver status {driver:#x})")]
    Adapter {
        /// `host_status` of the kernel.
        host: u16,
        /// `driver_status` of the kernel.
        driver: u16,
    },

    /// The answer contradicts itself.
    #[error("the answer makes no sense: {0}")]
    Garbage(&'static str),
}

/// Opens a device of the kernel, see [`SgTransport::open`], with what it is known to lack made good ([`crate::quirks`]).
pub fn open(path: &Path) -> crate::Result<Box<dyn Transport>> {
    let opened =
        SgTransport::open(path).map_err(|source| crate::Error::io("open", path, source))?;
    Ok(crate::quirks::made_good(Box::new(opened)))
}

/// That no other process moves the tape of a drive of the kernel, see [`sg::expect_no_other_user`].
pub fn expect_no_other_user(path: &Path) -> crate::Result<()> {
    sg::expect_no_other_user(path).map_err(|source| crate::Error::io("open", path, source))
}

/// A way to one device. One command at a time.
pub trait Transport: Send {
    /// Sends a command and waits for its end.
    ///
    /// # Errors
    /// [`TransportError`] where the command did not come through. A check condition is no error here.
    fn execute(
        &mut self,
        cdb: &Cdb,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError>;

    /// How messages name the device, such as `/dev/sg3`.
    fn device(&self) -> &str;

    /// Whoever sends the commands tells that another medium may be in the drive by now.
    fn medium_may_be_another(&mut self) {}
}
