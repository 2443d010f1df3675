//! One medium in memory: its objects, what of them survives a loss of power, and its limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::drive::{EncryptionKey, HostAttribute, WriteOutcome};
use crate::error::{Error, Result};
use crate::layout::{Layout, Place};
use crate::number::{BlockNumber, Capacity};

/// Where the early warning and the physical end of a medium are. Filemarks take no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediumLimits {
    /// Blocks that end beyond this many bytes report the early warning.
    pub early_warning: Capacity,
    /// Blocks that would end beyond this many bytes are not written.
    pub end: Capacity,
}

impl MediumLimits {
    /// No limits.
    pub const NONE: Self = Self { early_warning: Capacity(u64::MAX), end: Capacity(u64::MAX) };
}

/// One object on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedObject {
    /// A block.
    Block {
        /// What was written.
        data: Arc<[u8]>,
        /// The key that was set in the drive when it was written.
        key: Option<EncryptionKey>,
    },
    /// A filemark.
    Filemark,
}

impl RecordedObject {
    fn bytes(&self) -> u64 {
        match self {
            Self::Block { data, .. } => data.len() as u64,
            Self::Filemark => 0,
        }
    }
}

/// One medium of a [`MemoryLibrary`](super::MemoryLibrary).
#[derive(Debug, Clone)]
pub struct MemoryMedium {
    objects: Vec<RecordedObject>,
    layout: Layout,
    bytes: u64,
    /// The objects as the last flush left them.
    flushed: Vec<RecordedObject>,
    /// How many objects at the beginning were not touched since the last flush.
    untouched: usize,
    /// Where early warning and end are.
    pub limits: MediumLimits,
    /// Whether writing is refused.
    pub write_protected: bool,
    /// Attributes in the medium's own memory.
    pub attributes: BTreeMap<HostAttribute, String>,
}

impl Default for MemoryMedium {
    fn default() -> Self {
        Self {
            objects: Vec::new(),
            layout: Layout::blank(),
            bytes: 0,
            flushed: Vec::new(),
            untouched: 0,
            limits: MediumLimits::NONE,
            write_protected: false,
            attributes: BTreeMap::new(),
        }
    }
}

impl MemoryMedium {
    /// Everything recorded, flushed or not.
    pub fn objects(&self) -> &[RecordedObject] {
        &self.objects
    }

    /// Bytes of all blocks.
    pub fn bytes(&self) -> Capacity {
        Capacity(self.bytes)
    }

    /// Replaces the bytes of a recorded block behind the drive's back. `false` if there is no block.
    pub fn damage_block(&mut self, object: BlockNumber, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let index = usize::try_from(object.0).unwrap_or(usize::MAX);
        let Some(RecordedObject::Block { data, .. }) = self.objects.get_mut(index) else {
            return false;
        };
        let mut bytes = data.to_vec();
        change(&mut bytes);
        self.bytes = self.bytes - data.len() as u64 + bytes.len() as u64;
        *data = bytes.into();
        if let Some(flushed) = self.flushed.get_mut(index) {
            flushed.clone_from(&self.objects[index]);
        }
        true
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn block_at(&self, place: Place) -> Option<(Arc<[u8]>, Option<&EncryptionKey>)> {
        let index = self.layout.object_at(place).0 as usize;
        match self.objects.get(index) {
            Some(RecordedObject::Block { data, key }) => Some((data.clone(), key.as_ref())),
            _ => None,
        }
    }

    /// Writes a block at `place` and cuts off what is behind it.
    pub(super) fn write_block(
        &mut self,
        place: Place,
        data: &[u8],
        key: Option<EncryptionKey>,
    ) -> Result<WriteOutcome> {
        let used = self.bytes_before(place) + data.len() as u64;
        if used > self.limits.end.bytes() {
            return Err(Error::EndOfMedium);
        }
        self.cut(place);
        self.push(RecordedObject::Block { data: data.into(), key });
        self.layout.push_block();
        Ok(self.outcome())
    }

    /// Writes a filemark at `place` and cuts off what is behind it.
    pub(super) fn write_filemark(&mut self, place: Place) -> WriteOutcome {
        self.cut(place);
        self.push(RecordedObject::Filemark);
        self.layout.push_filemark();
        self.outcome()
    }

    pub(super) fn cut(&mut self, place: Place) {
        let keep = self.layout.object_at(place).0 as usize;
        if keep < self.objects.len() {
            self.bytes = self.bytes_before(place);
            self.objects.truncate(keep);
            self.untouched = self.untouched.min(keep);
        }
        self.layout.cut(place);
    }

    pub(super) fn flush(&mut self) {
        self.flushed.truncate(self.untouched);
        self.flushed.extend_from_slice(&self.objects[self.untouched..]);
        self.untouched = self.objects.len();
    }

    /// What a loss of power leaves: everything flushed and, of what was done since, the first `kept` objects
    /// that were written. With none kept, not even the cut in front of them happened.
    pub(super) fn cut_power(&mut self, kept: usize) {
        if kept == 0 {
            self.objects.clone_from(&self.flushed);
        } else {
            self.objects.truncate(self.untouched.saturating_add(kept));
        }
        self.flushed.clone_from(&self.objects);
        self.untouched = self.objects.len();
        self.bytes = self.objects.iter().map(RecordedObject::bytes).sum();
        self.layout = Layout::blank();
        for object in &self.objects {
            match object {
                RecordedObject::Block { .. } => self.layout.push_block(),
                RecordedObject::Filemark => self.layout.push_filemark(),
            }
        }
    }

    fn push(&mut self, object: RecordedObject) {
        self.bytes += object.bytes();
        self.objects.push(object);
    }

    fn bytes_before(&self, place: Place) -> u64 {
        let keep = self.layout.object_at(place).0 as usize;
        let behind = self.objects.iter().skip(keep).map(RecordedObject::bytes);
        self.bytes - behind.sum::<u64>()
    }

    fn outcome(&self) -> WriteOutcome {
        if self.bytes > self.limits.early_warning.bytes() {
            return WriteOutcome::EarlyWarning;
        }
        WriteOutcome::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(closed: &[&[u8]]) -> MemoryMedium {
        let mut medium = MemoryMedium::default();
        for data in closed {
            medium.write_block(medium.layout.end(), data, None).unwrap();
            medium.write_filemark(medium.layout.end());
        }
        medium
    }

    #[test]
    fn a_power_cut_keeps_what_was_flushed_and_as_much_more_as_asked_for() {
        let mut all = medium(&[b"one"]);
        all.flush();
        all.write_block(all.layout.end(), b"two", None).unwrap();
        all.write_filemark(all.layout.end());
        for (kept, objects, bytes) in [(0, 2, 3), (1, 3, 6), (2, 4, 6), (9, 4, 6)] {
            let mut medium = all.clone();
            medium.cut_power(kept);
            assert_eq!(medium.objects().len(), objects, "kept {kept}");
            assert_eq!(medium.bytes(), Capacity(bytes));
            assert_eq!(medium.layout.object_at(medium.layout.end()).0, objects as u64);
        }
    }

    #[test]
    fn an_overwrite_that_never_reached_the_medium_did_not_happen() {
        let mut medium = medium(&[b"one", b"two"]);
        medium.flush();
        medium.write_block(Place::BEGINNING, b"new", None).unwrap();
        let mut nothing = medium.clone();
        nothing.cut_power(0);
        assert_eq!(nothing.objects().len(), 4);
        medium.write_filemark(medium.layout.end());
        medium.cut_power(1);
        assert_eq!(medium.objects().len(), 1);
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let mut medium = medium(&[]);
        medium.limits = MediumLimits { early_warning: Capacity(4), end: Capacity(7) };
        let mut write = |data: &[u8]| medium.write_block(medium.layout.end(), data, None);
        assert_eq!(write(b"1234").unwrap(), WriteOutcome::Ok);
        assert_eq!(write(b"567").unwrap(), WriteOutcome::EarlyWarning);
        assert!(matches!(write(b"8"), Err(Error::EndOfMedium)));
        assert_eq!(medium.write_filemark(medium.layout.end()), WriteOutcome::EarlyWarning);
    }
}
