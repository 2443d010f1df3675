//! Newtypes for every number and name a device knows, so that a slot is never taken for a drive.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Logical object number: how many blocks *and* filemarks lie between the beginning of the medium and a place.
    BlockNumber(u64)
}
number! {
    /// How many filemarks lie between the beginning of the medium and a place; the first file is 0.
    FileNumber(u64)
}
number! {
    /// A drive of a changer, from 0.
    DriveNumber(u32)
}
number! {
    /// SCSI element address inside a changer.
    ElementAddress(u16)
}
number! {
    /// An amount of space on a medium, in bytes.
    Capacity(u64)
}

/// A slot of a changer, from 1: all storage slots, then all import/export slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNumber(u32);

impl SlotNumber {
    /// The slot `number`; there is no slot 0.
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The slot at `index` of a list that starts at 0.
    pub(crate) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).map_or(u32::MAX, |index| index.saturating_add(1)))
    }

    /// The number as people write it.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Index in a list that starts at 0.
    pub fn index(self) -> usize {
        self.0 as usize - 1
    }
}

impl fmt::Display for SlotNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bar code of a medium as a changer reads it, or the label a virtual medium's files carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeTag(String);

/// Longest tag: the field of READ ELEMENT STATUS has 32 characters, labels are limited to the same.
const VOLUME_TAG_LENGTH_MAX: usize = 32;

impl VolumeTag {
    /// A tag of 1 to 32 printable ASCII characters, none of them `/` (virtual media carry it in file names).
    pub fn new(text: &str) -> Option<Self> {
        let printable = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        let fits = (1..=VOLUME_TAG_LENGTH_MAX).contains(&text.len());
        (fits && text.bytes().all(printable)).then(|| Self(text.to_owned()))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a cleaning cartridge, which holds no data and is never listed as online.
    pub fn is_cleaning(&self) -> bool {
        self.0.starts_with("CLN")
    }
}

impl fmt::Display for VolumeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Capacity {
    /// Bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_start_at_one() {
        assert_eq!(SlotNumber::new(0), None);
        assert_eq!(SlotNumber::new(1).unwrap().index(), 0);
        assert_eq!(SlotNumber::from_index(7).get(), 8);
    }

    #[test]
    fn tags_that_could_leave_a_directory_are_refused() {
        assert!(VolumeTag::new("A00001L8").is_some());
        assert!(VolumeTag::new("ODD_x-1").is_some());
        for bad in ["", "a/b", "a b", "a\nb", "ü", &"x".repeat(33)] {
            assert_eq!(VolumeTag::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn cleaning_cartridges_are_known_by_their_prefix() {
        assert!(VolumeTag::new("CLN001L1").unwrap().is_cleaning());
        assert!(!VolumeTag::new("XCLN01L1").unwrap().is_cleaning());
    }
}
