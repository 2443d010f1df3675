//! The ring that a device of `target_core_user` shares with us: the crate's one room for `unsafe`.
//!
//! The mapping holds a mailbox, the ring of entries and the data of commands. The kernel appends entries and moves
//! the head; we answer entries, in order, and move the tail. No reference into the mapping is made but to the
//! two atomic words, as the kernel writes there when it likes: bytes are copied out before they are looked at, and each offset is held
//! against the length of the mapping, whoever wrote it.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::entry::{
    ANSWER_END, ANSWER_START, Answer, Area, Entry, HEADER_BYTES, Malformed, entry_length,
};

/// What stands in the mailbox, and where.
mod mailbox {
    pub(super) const VERSION_AND_FLAGS: u64 = 0;
    pub(super) const RING_START: u64 = 4;
    pub(super) const RING_SIZE: u64 = 8;
    pub(super) const HEAD: u64 = 12;
    pub(super) const TAIL: u64 = 64;
    pub(super) const VERSION: u32 = 2;
    /// The kernel takes answers that are shorter than was asked for.
    pub(super) const READ_LENGTH: u32 = 2 << 16;
}

/// Why a ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RingError {
    /// The kernel's side is of another kind.
    #[error(
        "the kernel's ring is of a kind that is not known here (version {0}); use another kernel"
    )]
    Version(u32),

    /// The kernel is too old.
    #[error("the kernel takes no answers shorter than asked for; use Linux 4.20 or newer")]
    NoReadLength,

    /// Something lies outside the mapping.
    #[error("{length} bytes at {offset:#x} lie outside the {mapped:#x} bytes of the mapping")]
    Outside {
        /// Where.
        offset: u64,
        /// How many.
        length: usize,
        /// Bytes of the mapping.
        mapped: usize,
    },

    /// Head, tail or an entry's length make no sense.
    #[error("the ring is damaged: {what} {value:#x} in a ring of {size:#x} bytes")]
    Damaged {
        /// What.
        what: &'static str,
        /// Its value.
        value: u32,
        /// Bytes of the ring.
        size: u32,
    },

    /// An entry cannot be read.
    #[error("the ring is damaged: {0}")]
    Entry(#[from] Malformed),

    /// The kernel does not share its memory.
    #[error("map the ring: {0}")]
    Map(#[source] io::Error),
}

/// Memory that is shared with the kernel.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone, whichever thread that is on; nothing of it is bound to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(file: &File, length: usize) -> Result<Self, RingError> {
        let too_short = || RingError::Map(io::ErrorKind::UnexpectedEof.into());
        let size = NonZeroUsize::new(length).ok_or_else(too_short)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses takes no memory from anybody.
        let start = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, file, 0) };
        let start = start.map_err(|error| RingError::Map(error.into()))?.cast();
        Ok(Self { start, length })
    }

    /// The address of `length` bytes at an offset, all of which lie within the mapping.
    fn address(&self, offset: u64, length: usize) -> Result<NonNull<u8>, RingError> {
        let start = usize::try_from(offset).ok();
        let end = start.and_then(|start| start.checked_add(length));
        match (start, end) {
            // SAFETY: `start` is at most `end`, which is at most the length of the mapping.
            (Some(start), Some(end)) if end <= self.length => Ok(unsafe { self.start.add(start) }),
            _ => Err(RingError::Outside { offset, length, mapped: self.length }),
        }
    }

    /// Copies bytes out.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), RingError> {
        let from = self.address(offset, bytes.len())?;
        // SAFETY: `from` has that many bytes within the mapping, which lives as long as `self`; `bytes` is memory of
        // its own. What the kernel changes meanwhile arrives as some bytes or others, each of which is valid.
        unsafe { from.copy_to_nonoverlapping(NonNull::from(&mut *bytes).cast(), bytes.len()) };
        Ok(())
    }

    /// Copies bytes in.
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), RingError> {
        let to = self.address(offset, bytes.len())?;
        // SAFETY: as in `read`, the other way; no reference into the mapping exists that this could contradict.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Ok(())
    }

    /// Fills with zeros.
    fn zero(&self, offset: u64, length: usize) -> Result<(), RingError> {
        let to = self.address(offset, length)?;
        // SAFETY: as in `write`.
        unsafe { to.write_bytes(0, length) };
        Ok(())
    }

    /// A word that the kernel reads or writes while we do.
    fn word(&self, offset: u64) -> Result<&AtomicU32, RingError> {
        let address = self.address(offset, size_of::<AtomicU32>())?.cast::<u32>();
        if !address.is_aligned() {
            return Err(RingError::Outside { offset, length: 4, mapped: self.length });
        }
        // SAFETY: four aligned bytes within the mapping, valid as long as `self`, and nobody on our side touches the
        // mailbox's words in any other way than by these atomics.
        Ok(unsafe { AtomicU32::from_ptr(address.as_ptr()) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; addresses in it leave this module only inside `self`'s methods.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

/// The ring of a device.
pub(crate) struct Ring {
    mapping: Mapping,
    start: u64,
    size: u32,
}

/// An entry that waits to be handled.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// What it is.
    pub(crate) entry: Entry,
    place: u32,
    length: u32,
}

impl Ring {
    /// Maps the ring behind a device's `uio` file.
    pub(crate) fn map(file: &File, length: usize) -> Result<Self, RingError> {
        let mapping = Mapping::new(file, length)?;
        let word = |offset| Ok::<_, RingError>(mapping.word(offset)?.load(Ordering::Acquire));
        let version = word(mailbox::VERSION_AND_FLAGS)?;
        if version & 0xFFFF != mailbox::VERSION {
            return Err(RingError::Version(version & 0xFFFF));
        }
        if version & mailbox::READ_LENGTH == 0 {
            return Err(RingError::NoReadLength);
        }
        let (start, size) = (word(mailbox::RING_START)?, word(mailbox::RING_SIZE)?);
        mapping.address(u64::from(start), size as usize)?;
        Ok(Self { mapping, start: u64::from(start), size })
    }

    /// The first entry that waits.
    pub(crate) fn next(&self) -> Result<Option<Waiting>, RingError> {
        let head = self.mapping.word(mailbox::HEAD)?.load(Ordering::Acquire);
        let tail = self.mapping.word(mailbox::TAIL)?.load(Ordering::Relaxed);
        if head == tail {
            return Ok(None);
        }
        let room = self.room(head, tail)?;
        let mut first = [0; 4];
        self.mapping.read(self.start + u64::from(tail), &mut first)?;
        let length = entry_length(u32::from_le_bytes(first));
        if length > room || (length as usize) < HEADER_BYTES {
            return Err(self.damaged("entry length", length));
        }
        let mut bytes = vec![0; length as usize];
        self.mapping.read(self.start + u64::from(tail), &mut bytes)?;
        Ok(Some(Waiting { entry: Entry::decode(&bytes)?, place: tail, length }))
    }

    /// Bytes from the tail on that hold entries, without a break.
    fn room(&self, head: u32, tail: u32) -> Result<u32, RingError> {
        match (head, tail) {
            _ if head >= self.size => Err(self.damaged("head", head)),
            _ if tail >= self.size => Err(self.damaged("tail", tail)),
            _ if head > tail => Ok(head - tail),
            _ => Ok(self.size - tail),
        }
    }

    fn damaged(&self, what: &'static str, value: u32) -> RingError {
        RingError::Damaged { what, value, size: self.size }
    }

    /// Copies bytes of a CDB.
    pub(crate) fn read_cdb(&self, offset: u64, bytes: &mut [u8]) -> Result<(), RingError> {
        self.mapping.read(offset, bytes)
    }

    /// Bytes of data areas together; more than the mapping has is none that the kernel means.
    pub(crate) fn data_length(&self, areas: &[Area]) -> Result<usize, RingError> {
        let mut sum = 0usize;
        for area in areas {
            let length = usize::try_from(area.length).unwrap_or(usize::MAX);
            self.mapping.address(area.offset, length)?;
            sum = sum.saturating_add(length);
        }
        self.mapping.address(0, sum)?;
        Ok(sum)
    }

    /// Copies data out of areas until `bytes` is full.
    pub(crate) fn read_data(&self, areas: &[Area], mut bytes: &mut [u8]) -> Result<(), RingError> {
        for area in areas {
            let (part, rest) = bytes.split_at_mut(bytes.len().min(area.length as usize));
            self.mapping.read(area.offset, part)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Copies data into areas until all of `bytes` is there.
    pub(crate) fn write_data(&self, areas: &[Area], mut bytes: &[u8]) -> Result<(), RingError> {
        for area in areas {
            let (part, rest) = bytes.split_at(bytes.len().min(area.length as usize));
            self.mapping.write(area.offset, part)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Takes the bytes of earlier commands out of areas.
    pub(crate) fn zero_data(&self, areas: &[Area]) -> Result<(), RingError> {
        areas.iter().try_for_each(|area| self.mapping.zero(area.offset, area.length as usize))
    }

    /// Writes the answer to a command, over the command.
    pub(crate) fn answer(&self, waiting: &Waiting, answer: &Answer) -> Result<(), RingError> {
        if (waiting.length as usize) < ANSWER_END {
            return Err(self.damaged("entry length", waiting.length));
        }
        let place = self.start + u64::from(waiting.place) + ANSWER_START as u64;
        self.mapping.write(place, &answer.encode())
    }

    /// Hands an entry back to the kernel, answered where it wants an answer.
    pub(crate) fn advance(&self, waiting: &Waiting) -> Result<(), RingError> {
        let tail = (waiting.place + waiting.length) % self.size;
        self.mapping.word(mailbox::TAIL)?.store(tail, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Request;
    use crate::entry::tests::{command, management};
    use std::os::unix::fs::FileExt;

    const START: u32 = 128;
    const SIZE: u32 = 1024;
    const MAPPED: usize = 8192;

    /// The kernel's side of a ring.
    struct Kernel(File);

    impl Kernel {
        fn new() -> Self {
            let file = tempfile::tempfile().unwrap();
            file.set_len(MAPPED as u64).unwrap();
            let kernel = Self(file);
            kernel.put(0, &[2, 0, 0xF, 0]);
            kernel.put(4, &START.to_le_bytes());
            kernel.put(8, &SIZE.to_le_bytes());
            kernel
        }

        fn put(&self, offset: u32, bytes: &[u8]) {
            self.0.write_all_at(bytes, u64::from(offset)).unwrap();
        }

        fn move_to(&self, head: u32, tail: u32) {
            self.put(12, &head.to_le_bytes());
            self.put(64, &tail.to_le_bytes());
        }

        fn get(&self, offset: u32, length: usize) -> Vec<u8> {
            let mut bytes = vec![0; length];
            self.0.read_exact_at(&mut bytes, u64::from(offset)).unwrap();
            bytes
        }

        fn ring(&self) -> Ring {
            Ring::map(&self.0, MAPPED).unwrap()
        }
    }

    #[test]
    fn a_command_is_taken_answered_and_handed_back() {
        let (kernel, areas) = (Kernel::new(), [Area { offset: 4096, length: 16 }]);
        let entry = command(u64::from(START), &[0x12, 0, 0, 0, 16, 0], &areas);
        kernel.put(START, &entry);
        let ring = kernel.ring();
        assert!(ring.next().unwrap().is_none());
        kernel.move_to(entry.len() as u32, 0);
        let waiting = ring.next().unwrap().unwrap();
        let Entry::Command(Request { cdb, areas }) = &waiting.entry else { panic!("{waiting:?}") };
        let mut bytes = [0; 6];
        ring.read_cdb(*cdb, &mut bytes).unwrap();
        assert_eq!(bytes, [0x12, 0, 0, 0, 16, 0]);
        ring.write_data(areas, b"tape").unwrap();
        ring.answer(&waiting, &Answer { status: 2, read: 4, sense: vec![0x70] }).unwrap();
        ring.advance(&waiting).unwrap();
        assert!(ring.next().unwrap().is_none());
        assert_eq!(kernel.get(64, 4), (entry.len() as u32).to_le_bytes());
        assert_eq!(kernel.get(START + 7, 10), [2, 2, 0, 0, 0, 4, 0, 0, 0, 0x70]);
        assert_eq!(kernel.get(4096, 5), b"tape\0");
    }

    #[test]
    fn padding_leads_back_to_the_start() {
        let kernel = Kernel::new();
        kernel.put(START + SIZE - 8, &[8, 0, 0, 0, 0, 0, 0, 0]);
        kernel.put(START, &management(5));
        kernel.move_to(40, SIZE - 8);
        let ring = kernel.ring();
        let padding = ring.next().unwrap().unwrap();
        assert_eq!(padding.entry, Entry::Skip);
        ring.advance(&padding).unwrap();
        assert!(matches!(ring.next().unwrap().unwrap().entry, Entry::Management(_)));
    }

    #[test]
    fn data_are_scattered_and_gathered() {
        let (kernel, ring) = (Kernel::new(), Kernel::new().ring());
        drop(kernel);
        let areas = [Area { offset: 4096, length: 3 }, Area { offset: 8000, length: 4 }];
        assert_eq!(ring.data_length(&areas).unwrap(), 7);
        ring.write_data(&areas, b"abcdefg").unwrap();
        let mut back = [0; 5];
        ring.read_data(&areas, &mut back).unwrap();
        assert_eq!(&back, b"abcde");
        ring.zero_data(&areas[1..]).unwrap();
        let mut back = [1; 7];
        ring.read_data(&areas, &mut back).unwrap();
        assert_eq!(&back, b"abc\0\0\0\0");
    }

    #[test]
    fn nothing_outside_the_mapping_is_touched() {
        let ring = Kernel::new().ring();
        let mapped = MAPPED as u64;
        for (offset, length) in
            [(mapped, 1), (mapped - 1, 2), (u64::MAX, 1), (0, u64::MAX), (8, mapped)]
        {
            let areas = [Area { offset, length }];
            assert!(ring.data_length(&areas).is_err());
            assert!(ring.zero_data(&areas).is_err());
            assert!(ring.write_data(&areas, &[0; 9000]).is_err());
            assert!(ring.read_data(&areas, &mut [0; 9000]).is_err());
        }
        let twice = [Area { offset: 0, length: mapped }; 2];
        assert!(ring.data_length(&twice).is_err(), "more than the mapping has");
        assert!(ring.read_cdb(mapped - 3, &mut [0; 6]).is_err());
    }

    #[test]
    fn damage_is_told_and_never_followed() {
        let kernel = Kernel::new();
        let ring = kernel.ring();
        for (head, tail) in [(SIZE, 0), (0, SIZE), (u32::MAX, 8), (8, u32::MAX)] {
            kernel.move_to(head, tail);
            assert!(matches!(ring.next(), Err(RingError::Damaged { .. })), "{head} {tail}");
        }
        kernel.move_to(64, 0);
        for length in [0, 72, 0xFFFF_FFF8_u32] {
            kernel.put(START, &(length | 1).to_le_bytes());
            assert!(matches!(ring.next(), Err(RingError::Damaged { .. })), "{length}");
        }
        kernel.put(START, &(64u32 | 1).to_le_bytes());
        assert!(matches!(ring.next(), Err(RingError::Entry(_))), "too short for an answer");
    }

    #[test]
    fn rings_of_another_kind_are_refused() {
        let changes: [(u32, &[u8]); 4] =
            [(0, &[3, 0]), (2, &[0xD]), (4, &9000u32.to_le_bytes()), (8, &u32::MAX.to_le_bytes())];
        for (offset, bytes) in changes {
            let kernel = Kernel::new();
            kernel.put(offset, bytes);
            assert!(Ring::map(&kernel.0, MAPPED).is_err(), "{offset}");
        }
        assert!(Ring::map(&Kernel::new().0, 0).is_err());
    }
}
