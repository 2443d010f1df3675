//! Cleaning cartridges: how often each was used.
//!
//! A drive tells nothing of a cleaning cartridge but that it is used up, so the uses are those that we saw. Cleanings
//! that a library does by itself go uncounted, until a drive finds the cartridge expired.

use reel_types::DriveName;
use serde::{Deserialize, Serialize};

use super::thresholds::CLEANINGS_OF_A_LIFE;

/// One use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CleaningUse {
    /// When, in seconds since 1970.
    pub time: i64,
    /// The cartridge's bar code.
    pub cartridge: String,
    /// The drive that was cleaned.
    pub drive: DriveName,
    /// Whether the drive found it used up; it was not cleaned then.
    pub expired: bool,
}

/// What is known of a cleaning cartridge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cleaner {
    /// Drives that it cleaned.
    pub uses: u64,
    /// Whether a drive found it used up.
    pub expired: bool,
    /// Its last use.
    pub last: Option<CleaningUse>,
}

impl Cleaner {
    /// Uses that are left.
    pub fn uses_left(&self) -> u64 {
        if self.expired { 0 } else { CLEANINGS_OF_A_LIFE.saturating_sub(self.uses) }
    }

    /// Whether it cleans no more.
    pub fn is_used_up(&self) -> bool {
        self.uses_left() == 0
    }

    /// How worn it is, in percent.
    pub fn wearout_percent(&self) -> u64 {
        100 - 100 * self.uses_left() / CLEANINGS_OF_A_LIFE
    }
}

/// The cartridge that was used so, oldest use first.
pub fn cleaner_of(uses: &[CleaningUse]) -> Cleaner {
    Cleaner {
        uses: uses.iter().filter(|one| !one.expired).count() as u64,
        expired: uses.iter().any(|one| one.expired),
        last: uses.last().cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(count: usize) -> Vec<CleaningUse> {
        let one = |time| CleaningUse {
            time,
            cartridge: "CLN001CU".into(),
            drive: "drive0".parse().unwrap(),
            expired: false,
        };
        (0..count as i64).map(one).collect()
    }

    #[test]
    fn each_use_is_two_percent() {
        let cleaner = cleaner_of(&uses(3));
        assert_eq!((cleaner.uses_left(), cleaner.wearout_percent()), (47, 6));
        assert_eq!(cleaner.last.unwrap().time, 2);
        assert_eq!(cleaner_of(&[]).uses_left(), CLEANINGS_OF_A_LIFE);
        assert!(cleaner_of(&uses(50)).is_used_up() && cleaner_of(&uses(51)).is_used_up());
        assert!(!cleaner_of(&uses(49)).is_used_up());
    }

    #[test]
    fn what_a_drive_found_expired_is_used_up_whatever_was_counted() {
        let mut uses = uses(2);
        uses[1].expired = true;
        let cleaner = cleaner_of(&uses);
        assert_eq!((cleaner.uses, cleaner.uses_left(), cleaner.wearout_percent()), (1, 0, 100));
    }
}
