//! What a drive complains of by itself: TapeAlert flags, and what goes into its history of errors.

use reel_hw::TapeAlerts;
use reel_hw::scsi::{Condition, Sense};

use super::Drive;
use super::cleaning::CleaningWish;
use super::counters::HardError;
use crate::media::Use;

/// Flags of TapeAlert (spec scsi.md §7).
mod flag {
    pub(super) const HARD_ERROR: u8 = 0x03;
    pub(super) const READ_FAILURE: u8 = 0x05;
    pub(super) const WRITE_FAILURE: u8 = 0x06;
    pub(super) const MEDIA_LIFE: u8 = 0x07;
    pub(super) const WRITE_PROTECT: u8 = 0x09;
    pub(super) const NO_REMOVAL: u8 = 0x0A;
    pub(super) const UNSUPPORTED_FORMAT: u8 = 0x0C;
    pub(super) const READ_ONLY_FORMAT: u8 = 0x11;
    pub(super) const NEARING_MEDIA_LIFE: u8 = 0x13;
    pub(super) const CLEAN_NOW: u8 = 0x14;
    pub(super) const CLEAN_PERIODIC: u8 = 0x15;
    pub(super) const EXPIRED_CLEANING_MEDIA: u8 = 0x16;
    pub(super) const HARDWARE_A: u8 = 0x1E;
    pub(super) const WORM_OVERWRITE_ATTEMPTED: u8 = 0x3C;
}

/// What is said of one medium, and no longer true of the next.
const OF_MEDIUM: [u8; 10] = [
    flag::HARD_ERROR,
    flag::READ_FAILURE,
    flag::WRITE_FAILURE,
    flag::MEDIA_LIFE,
    flag::WRITE_PROTECT,
    flag::NO_REMOVAL,
    flag::UNSUPPORTED_FORMAT,
    flag::READ_ONLY_FORMAT,
    flag::NEARING_MEDIA_LIFE,
    flag::EXPIRED_CLEANING_MEDIA,
];

/// Passes of the tape over the head in a medium's life (the 16000 of spec scsi.md §7), and loads.
const PASSES_MAX: u64 = 16_000;
const LOADS_MAX: u64 = 20_000;
/// From this share of its life on a medium is said to be near its end, percent.
const NEAR_END_PERCENT: u64 = 90;

impl Drive {
    /// A command with that opcode was refused, or a planned failure came instead.
    pub(crate) fn complain(&mut self, sense: &Sense, opcode: u8) {
        const WRITE: u8 = 0x0A;
        let condition = sense.condition();
        let flags: &[u8] = match condition {
            Condition::ReadError => &[flag::HARD_ERROR, flag::READ_FAILURE],
            Condition::WriteError => &[flag::HARD_ERROR, flag::WRITE_FAILURE],
            Condition::HardwareError => &[flag::HARDWARE_A],
            Condition::WriteProtected if opcode == WRITE => &[flag::WRITE_PROTECT],
            Condition::WormProtected => &[flag::WORM_OVERWRITE_ATTEMPTED],
            Condition::RemovalPrevented => &[flag::NO_REMOVAL],
            Condition::IncompatibleMedium if sense.ascq == 0x05 => &[flag::READ_ONLY_FORMAT],
            Condition::IncompatibleMedium => &[flag::UNSUPPORTED_FORMAT],
            _ => &[],
        };
        self.alert(flags);
        self.count_error(condition);
        if matches!(
            condition,
            Condition::ReadError | Condition::WriteError | Condition::HardwareError
        ) {
            self.counters.remember(HardError { sense: *sense, opcode });
        }
    }

    fn count_error(&mut self, condition: Condition) {
        let (reads, writes) = match condition {
            Condition::ReadError => (1, 0),
            Condition::WriteError => (0, 1),
            _ => return,
        };
        self.counters.read.uncorrected += reads;
        self.counters.write.uncorrected += writes;
        if let Some(mounted) = &mut self.mounted {
            mounted.read_errors += reads;
            mounted.write_errors += writes;
            mounted.cartridge.facts.life.read_errors += reads;
            mounted.cartridge.facts.life.write_errors += writes;
        }
    }

    /// A medium was threaded: whether it can be used, and for how long still.
    pub(super) fn look_at_medium(&mut self) {
        let Some(mounted) = &self.mounted else { return };
        let facts = &mounted.cartridge.facts;
        let percent = |used: u64, life: u64| used.saturating_mul(100) / life;
        let passes = facts.life.beginning_passes.max(facts.life.middle_passes);
        let used = percent(passes, PASSES_MAX).max(percent(facts.loads, LOADS_MAX));
        let is_unusable = mounted.usable == Use::None;
        match used {
            _ if is_unusable => self.alert(&[flag::UNSUPPORTED_FORMAT]),
            100.. => self.alert(&[flag::MEDIA_LIFE, flag::NEARING_MEDIA_LIFE]),
            NEAR_END_PERCENT.. => self.alert(&[flag::NEARING_MEDIA_LIFE]),
            _ => {}
        }
    }

    pub(super) fn raise_cleaning_alert(&mut self, wish: CleaningWish) {
        match wish {
            CleaningWish::Soon => self.alert(&[flag::CLEAN_PERIODIC]),
            CleaningWish::Now => self.alert(&[flag::CLEAN_NOW]),
        }
    }

    pub(super) fn raise_expired_alert(&mut self) {
        self.alert(&[flag::EXPIRED_CLEANING_MEDIA]);
    }

    pub(super) fn forget_cleaning_alerts(&mut self) {
        self.forget_alerts(&[flag::CLEAN_NOW, flag::CLEAN_PERIODIC]);
    }

    pub(super) fn forget_medium_alerts(&mut self) {
        self.forget_alerts(&OF_MEDIUM);
    }

    fn alert(&mut self, flags: &[u8]) {
        self.alerts.0 |= TapeAlerts::from_flags(flags).0;
    }

    fn forget_alerts(&mut self, flags: &[u8]) {
        self.alerts.0 &= !TapeAlerts::from_flags(flags).0;
    }
}
