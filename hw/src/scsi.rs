//! SCSI for tape drives and media changers: commands, parameter data and sense as types, to bytes and back (spec
//! scsi.md; SPC-5, SSC-5, SMC-3).
//!
//! Nothing here moves a byte: a [`Transport`](crate::transport::Transport) does. All structures decode from a
//! bounded cursor and encode to bytes, so that the emulated library answers with what the drivers read.

pub mod access_order;
pub mod attribute;
pub mod block_limits;
pub mod cdb;
pub mod command;
pub mod condition;
pub mod cursor;
pub mod density;
pub mod element;
pub mod encryption;
pub mod inquiry;
pub mod log;
pub mod mode;
pub mod position;
pub mod protection;
pub mod reservation;
pub mod sense;
pub mod sense_text;

#[cfg(test)]
pub(crate) mod test_bytes;

pub use cdb::Cdb;
pub use command::{
    CdbForm, Command, DeviceType, ElementFilter, LocateTarget, PageControl, SpaceCode,
};
pub use condition::{Condition, NextStep};
pub use cursor::{DecodeError, Decoded};
pub use sense::{Sense, SenseFormat, SenseKey};
