//! Dirt, and how it goes away.

use reel_hw::scsi::log::DeviceActivity;

use super::{Drive, media_access};
use crate::cartridge::CartridgeKind;

/// A cleaning, s.
const CLEANING_S: f64 = 120.0;
/// Bytes that pass the head before the drive asks to be cleaned, unless it is told otherwise.
const BYTES_UNTIL_DIRTY: u64 = 500_000_000_000_000;

/// How urgently a drive wants to be cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CleaningWish {
    /// When there is time: TapeAlert 15h.
    Soon,
    /// Before anything else: TapeAlert 14h.
    Now,
}

/// How clean the head is.
#[derive(Debug)]
pub(crate) struct Cleanliness {
    /// Bytes that passed the head since it was cleaned.
    bytes: u64,
    /// Bytes until the drive asks.
    pub(crate) bytes_until_dirty: u64,
    pub(crate) wish: Option<CleaningWish>,
    /// Cleanings since the drive was switched on.
    pub(super) cleanings: u64,
}

impl Default for Cleanliness {
    fn default() -> Self {
        Self { bytes: 0, bytes_until_dirty: BYTES_UNTIL_DIRTY, wish: None, cleanings: 0 }
    }
}

impl Drive {
    /// Bytes pass the head.
    pub(super) fn soil(&mut self, bytes: u64) {
        let state = &mut self.cleanliness;
        state.bytes = state.bytes.saturating_add(bytes);
        if state.bytes >= state.bytes_until_dirty && state.wish.is_none() {
            self.want_cleaning(CleaningWish::Soon);
        }
    }

    /// The drive asks to be cleaned.
    pub(crate) fn want_cleaning(&mut self, wish: CleaningWish) {
        self.cleanliness.wish = self.cleanliness.wish.max(Some(wish));
        self.raise_cleaning_alert(wish);
    }

    /// A cleaning cartridge with so many uses left was threaded.
    pub(super) fn clean(&mut self, uses: u32) {
        let Some(mounted) = &mut self.mounted else { return };
        let facts = &mut mounted.cartridge.facts;
        facts.loads += 1;
        facts.life.expired = uses == 0;
        facts.kind = CartridgeKind::Cleaning { uses: uses.saturating_sub(1) };
        mounted.cleaning = uses > 0;
        mounted.threaded = uses > 0;
        self.threading_changed = true;
        media_access::keep_facts(&mounted.cartridge);
        if uses == 0 {
            self.raise_expired_alert();
        } else {
            self.clockwork.spend(DeviceActivity::Cleaning, CLEANING_S);
        }
    }

    /// A cleaning is over.
    pub(super) fn cleaned(&mut self) {
        self.cleanliness.bytes = 0;
        self.cleanliness.wish = None;
        self.cleanliness.cleanings += 1;
        self.forget_cleaning_alerts();
    }
}
