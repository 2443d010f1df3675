//! Flat pxar archives: one folder of files, as snapshot archives on tape hold them (`tape-format.md` §7,
//! `pxar.md` §1–§6).
//!
//! ```text
//! ENTRY (folder)
//!   FILENAME, ENTRY (file), PAYLOAD      for each file, in any order
//! GOODBYE                                a table of the files for readers that start at the end
//! ```
//!
//! Each item has a header of 16 bytes: its type and its full length, header included. Writer and reader
//! are streams: a file of any size passes through a fixed buffer, and nothing is held but the table's
//! 24 bytes a file. Both check that every file has exactly the length that was announced: an archive is
//! a snapshot's last copy, and one that is off by a byte is none.

mod flat_reader;
mod flat_writer;
mod goodbye;
#[cfg(test)]
mod tests;

pub use flat_reader::{FlatContent, FlatFile, FlatReader};
pub use flat_writer::FlatWriter;

use crate::error::{FormatError, FormatResult};

/// Item types.
const ENTRY: u64 = 0xd595_6474_e588_acef;
const FILENAME: u64 = 0x1670_1121_0639_17b3;
const PAYLOAD: u64 = 0x2814_7a1b_0b7c_1a25;
const GOODBYE: u64 = 0x2fec_4fa6_42d5_731d;

const ITEM_HEADER_LEN: u64 = 16;
const ENTRY_LEN: u64 = ITEM_HEADER_LEN + 40;

/// Longest file name, in bytes without the NUL.
const NAME_LEN_MAX: usize = 4096;

const MODE_KIND: u32 = 0o170_000;
const MODE_FOLDER: u32 = 0o040_000;
const MODE_REGULAR: u32 = 0o100_000;

/// What an archive keeps of a file's or folder's `stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Kind and permissions, as in `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, UNIX seconds rounded down.
    pub mtime: i64,
    /// Nanoseconds after [`mtime`](Self::mtime), below 10⁹.
    pub mtime_nanos: u32,
}

impl FileStat {
    /// The folder around a snapshot's files, the same in all archives.
    pub const SNAPSHOT_FOLDER: Self =
        Self { mode: MODE_FOLDER | 0o664, uid: 0, gid: 0, mtime: 0, mtime_nanos: 0 };

    /// Whether it is a regular file's.
    pub fn is_regular(&self) -> bool {
        self.mode & MODE_KIND == MODE_REGULAR
    }

    /// Whether it is a folder's.
    pub fn is_folder(&self) -> bool {
        self.mode & MODE_KIND == MODE_FOLDER
    }

    fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&u64::from(self.mode).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.uid.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.gid.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.mtime.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.mtime_nanos.to_le_bytes());
        bytes
    }

    /// Flags (bytes 8 to 15) are read over: they tell of file attributes that no restore sets here.
    fn from_bytes(bytes: &[u8; 40]) -> FormatResult<Self> {
        let stat = Self {
            mode: u32_at(bytes, 0),
            uid: u32_at(bytes, 16),
            gid: u32_at(bytes, 20),
            mtime: i64::from_le_bytes(std::array::from_fn(|index| bytes[24 + index])),
            mtime_nanos: u32_at(bytes, 32),
        };
        if stat.mtime_nanos >= 1_000_000_000 {
            return Err(FormatError::corrupt("a file's time has more than 10⁹ nanoseconds"));
        }
        if stat.mode & !(MODE_KIND | 0o7777) != 0 || u32_at(bytes, 4) != 0 {
            return Err(FormatError::corrupt("a file's mode has bits that no mode has"));
        }
        Ok(stat)
    }
}

fn u32_at(bytes: &[u8; 40], offset: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|index| bytes[offset + index]))
}

/// Checks that a name is one component that may stand directly in a folder.
fn check_name(name: &str) -> FormatResult<()> {
    let usable = !name.is_empty()
        && name.len() <= NAME_LEN_MAX
        && !matches!(name, "." | "..")
        && !name.contains(['/', '\0']);
    if usable {
        return Ok(());
    }
    let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    Err(FormatError::corrupt(format!("'{shown}' is no name of a file directly in the archive")))
}
