//! Options of the kernel's tape driver: the `MTIOCTOP` ioctl on an `st` node (st(4), `linux/mtio.h`).
//!
//! They are settings of the driver, not of the drive: whoever reads and writes by `/dev/nst*` meets them, and nobody who
//! uses the generic node. The kernel lets only root change them, and shows them in
//! `/sys/class/scsi_tape/nst*/options`.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_short};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::Deserialize;

/// Major number of the nodes of `st`.
const ST_MAJOR: u32 = 9;
/// Bit of their minor numbers: the tape stays where it is when the node is closed.
const NO_REWIND: u32 = 0x80;

/// `MTSETDRVBUFFER`.
const SET_DRIVER_OPTIONS: c_short = 24;

/// `struct mtop` of the kernel's `linux/mtio.h`.
#[repr(C)]
pub struct TapeOperation {
    operation: c_short,
    count: c_int,
}

nix::ioctl_write_ptr!(
    /// `MTIOCTOP`.
    tape_operation,
    b'm',
    1,
    TapeOperation
);

/// A switch of the driver. The names are those of `pmt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u16)]
pub enum DriverOption {
    /// Blocks of a fixed length are collected before they are written.
    BufferWrites = 0x0001,
    /// A write returns before the drive has the data.
    AsyncWrites = 0x0002,
    /// Blocks of a fixed length are read ahead.
    ReadAhead = 0x0004,
    /// The driver tells in the kernel's log what it does.
    Debugging = 0x0008,
    /// Closing writes two filemarks.
    TwoFm = 0x0010,
    /// Going to the end of data does not count files.
    FastMteom = 0x0020,
    /// The medium is locked in while the node is open.
    AutoLock = 0x0040,
    /// Default block length and density are for writing only.
    DefWrites = 0x0080,
    /// The drive can space backward over blocks.
    CanBsr = 0x0100,
    /// The drive is not asked for its block limits.
    NoBlklims = 0x0200,
    /// The drive can have several partitions.
    CanPartitions = 0x0400,
    /// Positions are logical ones of SCSI-2. The name is spelled as PBS spells it.
    #[serde(rename = "scsi2locical")]
    Scsi2Logical = 0x0800,
    /// The rules of System V for the end of files.
    Sysv = 0x1000,
    /// Motions return before they are done.
    Nowait = 0x2000,
    /// Blocks of another length than was asked for are no error.
    Sili = 0x4000,
}

impl DriverOption {
    /// All of them, by their bits.
    pub const ALL: [Self; 15] = [
        Self::BufferWrites,
        Self::AsyncWrites,
        Self::ReadAhead,
        Self::Debugging,
        Self::TwoFm,
        Self::FastMteom,
        Self::AutoLock,
        Self::DefWrites,
        Self::CanBsr,
        Self::NoBlklims,
        Self::CanPartitions,
        Self::Scsi2Logical,
        Self::Sysv,
        Self::Nowait,
        Self::Sili,
    ];
}

/// What becomes of the options that are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionChange {
    /// They are set, and all others cleared.
    Exactly,
    /// They are set.
    Set,
    /// They are cleared.
    Clear,
}

impl OptionChange {
    /// The kernel's code for it, in the bits above the options: `MT_ST_BOOLEANS` and its kin.
    fn code(self) -> c_int {
        match self {
            Self::Exactly => 0x1000_0000,
            Self::Set => 0x3000_0000,
            Self::Clear => 0x4000_0000,
        }
    }
}

/// Changes options of the driver at the node `path`, for as long as the driver is loaded.
///
/// # Errors
/// The node is none of `st`, or one that rewinds the tape when it is closed; the caller is not root.
pub fn change_options(
    path: &Path,
    change: OptionChange,
    options: &[DriverOption],
) -> crate::Result<()> {
    let done = open(path).and_then(|node| send(&node, change, options));
    done.map_err(|source| crate::Error::io("set driver options of", path, source))
}

fn send(node: &File, change: OptionChange, options: &[DriverOption]) -> io::Result<()> {
    let bits = options.iter().fold(0, |bits, option| bits | *option as c_int);
    let operation = TapeOperation { operation: SET_DRIVER_OPTIONS, count: change.code() | bits };
    // SAFETY: the descriptor is that of an open st node, and the kernel only reads the operation, which is laid out as
    // its `struct mtop` and outlives the call.
    let sent = unsafe { tape_operation(node.as_raw_fd(), &raw const operation) };
    match sent {
        Ok(_) => Ok(()),
        Err(nix::errno::Errno::EPERM) => {
            let problem = "the kernel lets only root change the options of its tape driver";
            Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a node, whether there is a medium or not.
fn open(path: &Path) -> io::Result<File> {
    let refuse = |problem: String| Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    let metadata = path.metadata()?;
    let (major, minor) = (libc::major(metadata.rdev()), libc::minor(metadata.rdev()));
    let is_ours = metadata.file_type().is_char_device() && major == ST_MAJOR;
    if is_ours && minor & NO_REWIND != 0 {
        let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
        return OpenOptions::new().read(true).custom_flags(flags).open(path);
    }
    let right = sibling(major, minor).unwrap_or_else(|| "the drive's /dev/nst* node".to_owned());
    if is_ours {
        return refuse(format!("this node rewinds the tape when it is closed; name {right}"));
    }
    refuse(format!("not a node of the kernel's tape driver, whose options these are; name {right}"))
}

/// The node of `st` that belongs to the same drive and does not rewind.
fn sibling(major: u32, minor: u32) -> Option<String> {
    let nodes =
        std::fs::read_dir(format!("/sys/dev/char/{major}:{minor}/device/scsi_tape")).ok()?;
    let names = nodes.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_plain = |name: &String| {
        name.strip_prefix("nst").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
    };
    names.into_iter().find(is_plain).map(|name| format!("/dev/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_kernels_bits() {
        for (index, option) in DriverOption::ALL.into_iter().enumerate() {
            assert_eq!(option as u16, 1 << index, "{option:?}");
        }
        let codes = [OptionChange::Exactly, OptionChange::Set, OptionChange::Clear];
        assert!(codes.into_iter().all(|change| change.code() & 0xFFFF == 0));
        assert_eq!(size_of::<TapeOperation>(), 8);
    }

    #[test]
    fn other_nodes_are_refused() {
        for path in ["/dev/null", "/etc/hostname"] {
            let refused = change_options(Path::new(path), OptionChange::Set, &[]).unwrap_err();
            let text = refused.to_string();
            assert!(text.contains(path) && text.contains("/dev/nst* node"), "{text}");
        }
    }
}
