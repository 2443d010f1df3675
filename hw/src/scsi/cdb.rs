//! Command descriptor blocks as bytes.

use std::fmt;

/// Bytes of the longest CDB that is sent or taken.
const CDB_BYTES_MAX: usize = 32;

/// A command descriptor block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cdb {
    bytes: [u8; CDB_BYTES_MAX],
    length: usize,
}

impl Cdb {
    /// From its bytes; `None` where there are none or more than 32.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let mut cdb = Self { bytes: [0; CDB_BYTES_MAX], length: bytes.len() };
        cdb.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(cdb)
    }

    /// From the bytes up to the last field; zeros fill it up to the length that its opcode has.
    pub(super) fn padded(fields: &[u8]) -> Self {
        let mut bytes = [0; CDB_BYTES_MAX];
        bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = *field);
        Self { bytes, length: cdb_length(bytes[0]) }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The first byte, which names the command.
    pub fn opcode(&self) -> u8 {
        self.bytes[0]
    }

    /// A byte; 0 behind the end.
    pub fn byte(&self, offset: usize) -> u8 {
        self.as_bytes().get(offset).copied().unwrap_or(0)
    }

    /// Whether a bit (a mask) is set in a byte.
    pub fn bit(&self, offset: usize, mask: u8) -> bool {
        self.byte(offset) & mask != 0
    }

    /// Two bytes.
    pub fn u16(&self, offset: usize) -> u16 {
        self.uint(offset, 2) as u16
    }

    /// Three bytes.
    pub fn u24(&self, offset: usize) -> u32 {
        self.uint(offset, 3) as u32
    }

    /// Four bytes.
    pub fn u32(&self, offset: usize) -> u32 {
        self.uint(offset, 4) as u32
    }

    /// A big-endian number of `count` bytes, at most eight; bytes behind the end are 0.
    pub fn uint(&self, offset: usize, count: usize) -> u64 {
        let places = offset..offset + count.min(8);
        places.fold(0, |value, place| value << 8 | u64::from(self.byte(place)))
    }
}

/// The length of a CDB, which its opcode's group tells (SPC-5 §4.2.5.1); vendor-specific ones have 10 here.
pub fn cdb_length(opcode: u8) -> usize {
    match opcode >> 5 {
        0 => 6,
        4 => 16,
        3 if opcode == 0x7F => 32,
        5 => 12,
        _ => 10,
    }
}

impl fmt::Debug for Cdb {
    /// `5a 00 0f 00 …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<_> = self.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        f.write_str(&bytes.join(" "))
    }
}

impl fmt::Display for Cdb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
