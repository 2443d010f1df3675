//! What each TapeAlert flag says of a medium's or a drive's health (SSC-5 annex A).
//!
//! Flags that tell of an operator's mistake, such as a protected medium, say nothing of health and are not here; those
//! that ask for cleaning, or tell of a cleaning cartridge, are told by other means too and are judged there.

use super::verdict::Verdict;

/// Whose trouble a flag tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The medium's.
    Medium,
    /// The drive's.
    Drive,
    /// One of both; who else met it decides.
    Either,
}

/// A flag, in words.
pub(super) struct Meaning {
    pub(super) flag: u8,
    pub(super) subject: Subject,
    pub(super) verdict: Verdict,
    pub(super) says: &'static str,
}

/// What a flag says; none where it says nothing of health.
pub(super) fn meaning(flag: u8) -> Option<&'static Meaning> {
    MEANINGS.iter().find(|meaning| meaning.flag == flag)
}

const fn of(flag: u8, subject: Subject, verdict: Verdict, says: &'static str) -> Meaning {
    Meaning { flag, subject, verdict, says }
}

use Subject::{Drive, Either, Medium};
use Verdict::{Replace, Warn};

const MEANINGS: &[Meaning] = &[
    of(0x01, Either, Warn, "reading is getting hard"),
    of(0x02, Either, Warn, "writing is getting hard"),
    of(0x03, Either, Warn, "an error that was not corrected"),
    of(0x04, Medium, Replace, "the medium's fault: data are at risk"),
    of(0x05, Either, Warn, "a read failed for good"),
    of(0x06, Either, Warn, "a write failed for good"),
    of(0x07, Medium, Replace, "the medium has reached the end of its life"),
    of(0x08, Medium, Replace, "the medium is not made for data"),
    of(0x0D, Medium, Replace, "the cartridge is broken"),
    of(0x0E, Medium, Replace, "the tape is torn"),
    of(0x0F, Medium, Warn, "the cartridge's memory chip failed"),
    of(0x12, Medium, Warn, "the tape's directory is damaged, finding places is slow"),
    of(0x13, Medium, Warn, "the medium is near the end of its life"),
    of(0x1A, Drive, Warn, "a fan failed"),
    of(0x1B, Drive, Warn, "a power supply failed"),
    of(0x1C, Drive, Warn, "it draws too much power"),
    of(0x1D, Drive, Warn, "it is due for maintenance"),
    of(0x1E, Drive, Warn, "a hardware fault that a reset may cure"),
    of(0x1F, Drive, Replace, "a hardware fault that a reset does not cure"),
    of(0x20, Drive, Warn, "trouble on the way to the computer"),
    of(0x22, Drive, Warn, "its firmware was not taken"),
    of(0x23, Drive, Warn, "the air is too moist or too dry"),
    of(0x24, Drive, Warn, "it is too warm or too cold"),
    of(0x25, Drive, Warn, "its voltage is wrong"),
    of(0x26, Drive, Replace, "it expects to fail"),
    of(0x27, Drive, Warn, "it wants to be diagnosed"),
    of(0x31, Medium, Warn, "the medium holds less than it should"),
    of(0x33, Medium, Warn, "the tape's directory was not written, finding places will be slow"),
    of(0x34, Medium, Replace, "the tape's system area cannot be written"),
    of(0x35, Medium, Replace, "the tape's system area cannot be read"),
    of(0x36, Medium, Replace, "the beginning of data is not found: damaged, or erased by a magnet"),
    of(0x37, Either, Warn, "the medium could not be threaded"),
    of(0x38, Drive, Replace, "it cannot let go of a medium"),
    of(0x39, Drive, Warn, "trouble on the way to the robot"),
    of(0x3A, Drive, Warn, "its firmware failed"),
    of(0x3B, Medium, Replace, "a WORM medium is not what it was"),
];

#[cfg(test)]
mod tests {
    use reel_hw::TapeAlerts;

    use super::*;

    #[test]
    fn each_meaning_is_of_a_flag_with_a_name() {
        assert!(MEANINGS.is_sorted_by(|before, after| before.flag < after.flag));
        for meaning in MEANINGS {
            assert!(TapeAlerts::name(meaning.flag).is_some(), "{:#x}", meaning.flag);
        }
    }

    /// All but write protection, removal, and what cleaning and loaders tell.
    #[test]
    fn what_is_critical_is_judged() {
        let elsewhere = [0x09, 0x10, 0x16, 0x17, 0x21, 0x29, 0x2D];
        for flag in (1..=64).filter(|flag| TapeAlerts::from_flags(&[*flag]).is_critical()) {
            assert!(meaning(flag).is_some() || elsewhere.contains(&flag), "{flag:#x}");
        }
    }
}
