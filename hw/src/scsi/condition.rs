//! What sense data mean to a tape drive or changer, and what to do next (spec scsi.md §2).

use super::sense::{Sense, SenseKey};

/// What a device says, beyond "done".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Condition {
    /// The command did what it should.
    Fine,
    /// A filemark was met.
    Filemark,
    /// The end of the medium is near; what was to be written was.
    EarlyWarning,
    /// The beginning of the medium was met.
    BeginningOfMedium,
    /// Nothing is recorded here or further on.
    EndOfData,
    /// The physical end of the medium; what was to be written was not, or not all of it.
    EndOfMedium,
    /// Loading, calibrating, formatting or busy with something of its own.
    BecomingReady,
    /// A medium sits in the drive, but was ejected or never threaded.
    NeedsLoad,
    /// Switched off line by an operator.
    Offline,
    /// No medium.
    NoMedium,
    /// A cleaning cartridge is in the drive.
    CleaningCartridge,
    /// Cleaning did not work: the cartridge is used up or none.
    CleaningFailed,
    /// Not ready for another reason.
    NotReady,
    /// Another medium may lie in the drive.
    MediumChanged,
    /// An operator opened the import/export element.
    ImportExportAccessed,
    /// Power on or reset: mode settings and key are gone, the medium may be rewound.
    Reset,
    /// The reservation or its key was taken away: another host may have used the device since.
    ReservationLost,
    /// Somebody else, or a reset, changed mode parameters.
    ModeChanged,
    /// Somebody else, or the library, changed encryption parameters.
    EncryptionChanged,
    /// Another event that changes nothing for us.
    Attention,
    /// The device does not know the command.
    UnknownCommand,
    /// The device does not know a field of the command or of its parameters.
    InvalidField,
    /// The changer has no such element.
    InvalidElement,
    /// The place to move to is taken.
    DestinationFull,
    /// The place to move from is empty.
    SourceEmpty,
    /// The drive has not given its medium out.
    NotUnloaded,
    /// Removal is prevented, by a lock or a host.
    RemovalPrevented,
    /// Another objection to the command.
    IllegalRequest,
    /// The medium cannot be read at this place.
    ReadError,
    /// The medium cannot be written.
    WriteError,
    /// The medium is of a kind or format that this drive cannot use.
    IncompatibleMedium,
    /// The cartridge is broken.
    CartridgeFault,
    /// Another fault of the medium.
    MediumError,
    /// Write protected by the tab on the cartridge, or by the drive.
    WriteProtected,
    /// A WORM medium is written once.
    WormProtected,
    /// Encrypted, and the drive has no key, or another.
    WrongKey,
    /// Not encrypted, where only encrypted blocks are accepted.
    NotEncrypted,
    /// Another protection.
    DataProtected,
    /// The CRC that came with a block does not fit it: the block was not accepted.
    GuardCheckFailed,
    /// The device is at fault.
    HardwareError,
    /// The device gave the command up, and does not say how far it had come.
    Aborted,
    /// Anything else.
    Unknown,
}

/// What to do about a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Go on: the command did its work.
    GoOn,
    /// Send it again: it was not done, and nothing has changed.
    Repeat,
    /// It was not done, and the device may have forgotten settings, key and place: put these back first.
    Restore,
    /// Wait, then send it again.
    Wait,
    /// Give up.
    GiveUp,
}

impl Condition {
    /// What sense data mean.
    pub fn of(sense: &Sense) -> Self {
        let code = (sense.asc, sense.ascq);
        match sense.key {
            SenseKey::NoSense => Self::of_no_sense(sense),
            SenseKey::RecoveredError | SenseKey::Completed => Self::Fine,
            SenseKey::NotReady => Self::of_not_ready(code),
            SenseKey::MediumError => Self::of_medium_error(code),
            SenseKey::HardwareError => Self::of_hardware_error(code),
            SenseKey::IllegalRequest => Self::of_illegal_request(code),
            SenseKey::UnitAttention => Self::of_unit_attention(code),
            SenseKey::DataProtect => Self::of_data_protect(code),
            SenseKey::BlankCheck => Self::EndOfData,
            SenseKey::VolumeOverflow => Self::EndOfMedium,
            SenseKey::AbortedCommand | SenseKey::CopyAborted => Self::Aborted,
            SenseKey::VendorSpecific | SenseKey::Equal | SenseKey::Miscompare => Self::Unknown,
        }
    }

    fn of_no_sense(sense: &Sense) -> Self {
        match (sense.asc, sense.ascq) {
            (0x00, 0x01) => Self::Filemark,
            (0x00, 0x02 | 0x07) => Self::EarlyWarning,
            (0x00, 0x04) => Self::BeginningOfMedium,
            (0x00, 0x05) => Self::EndOfData,
            (0x00, 0x00) if sense.filemark => Self::Filemark,
            (0x00, 0x00) if sense.end_of_medium => Self::EarlyWarning,
            _ => Self::Fine,
        }
    }

    fn of_not_ready(code: (u8, u8)) -> Self {
        match code {
            (0x04, 0x01 | 0x04 | 0x07 | 0x13) | (0x3E, 0x00) => Self::BecomingReady,
            (0x04, 0x02) => Self::NeedsLoad,
            (0x04, 0x12) => Self::Offline,
            (0x30, 0x03) => Self::CleaningCartridge,
            (0x30, 0x07) => Self::CleaningFailed,
            (0x3A, 0x02) => Self::ImportExportAccessed,
            (0x3A, _) => Self::NoMedium,
            _ => Self::NotReady,
        }
    }

    fn of_medium_error(code: (u8, u8)) -> Self {
        match code {
            (0x11, _) | (0x14, _) => Self::ReadError,
            (0x0C, _) => Self::WriteError,
            (0x30, 0x07) => Self::CleaningFailed,
            (0x30, _) => Self::IncompatibleMedium,
            (0x52, _) => Self::CartridgeFault,
            _ => Self::MediumError,
        }
    }

    fn of_hardware_error(code: (u8, u8)) -> Self {
        match code {
            (0x10, 0x01 | 0x04) => Self::GuardCheckFailed,
            _ => Self::HardwareError,
        }
    }

    fn of_illegal_request(code: (u8, u8)) -> Self {
        match code {
            (0x20, _) => Self::UnknownCommand,
            (0x24 | 0x26, _) => Self::InvalidField,
            (0x21, 0x01) => Self::InvalidElement,
            (0x3B, 0x0D) => Self::DestinationFull,
            (0x3B, 0x0E) => Self::SourceEmpty,
            (0x53, 0x01) => Self::NotUnloaded,
            (0x53, 0x02) => Self::RemovalPrevented,
            _ => Self::IllegalRequest,
        }
    }

    fn of_unit_attention(code: (u8, u8)) -> Self {
        match code {
            (0x28, 0x00) => Self::MediumChanged,
            (0x28, _) => Self::ImportExportAccessed,
            (0x29, _) => Self::Reset,
            (0x2A, 0x01) => Self::ModeChanged,
            (0x2A, 0x03..=0x05) => Self::ReservationLost,
            (0x2A, 0x11..=0x13) => Self::EncryptionChanged,
            (0x3F, 0x01) => Self::Reset,
            _ => Self::Attention,
        }
    }

    fn of_data_protect(code: (u8, u8)) -> Self {
        match code {
            (0x27, _) | (0x5A, 0x02) => Self::WriteProtected,
            (0x30, 0x0C | 0x0D) => Self::WormProtected,
            (0x74, 0x02) => Self::NotEncrypted,
            // The key opens the medium, this one block is not what was written.
            (0x74, 0x04 | 0x05) => Self::ReadError,
            (0x74, _) => Self::WrongKey,
            (0x2A, 0x13) => Self::EncryptionChanged,
            _ => Self::DataProtected,
        }
    }

    /// Whether the device does not have what was asked for.
    pub fn is_unsupported(self) -> bool {
        matches!(self, Self::UnknownCommand | Self::InvalidField)
    }

    /// What to do next.
    pub fn next_step(self) -> NextStep {
        match self {
            Self::Fine
            | Self::Filemark
            | Self::EarlyWarning
            | Self::BeginningOfMedium
            | Self::EndOfData => NextStep::GoOn,
            Self::BecomingReady => NextStep::Wait,
            Self::Attention | Self::ImportExportAccessed => NextStep::Repeat,
            Self::MediumChanged
            | Self::Reset
            | Self::ReservationLost
            | Self::ModeChanged
            | Self::EncryptionChanged => NextStep::Restore,
            _ => NextStep::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of spec scsi.md §2.
    #[test]
    fn every_triple_of_the_table_has_its_meaning() {
        use Condition::*;
        let table = [
            (0x0, 0x00, 0x01, Filemark),
            (0x0, 0x00, 0x02, EarlyWarning),
            (0x0, 0x00, 0x04, BeginningOfMedium),
            (0x0, 0x00, 0x07, EarlyWarning),
            (0x8, 0x00, 0x05, EndOfData),
            (0xD, 0x00, 0x02, EndOfMedium),
            (0x2, 0x04, 0x01, BecomingReady),
            (0x2, 0x04, 0x02, NeedsLoad),
            (0x2, 0x04, 0x07, BecomingReady),
            (0x2, 0x04, 0x04, BecomingReady),
            (0x2, 0x04, 0x13, BecomingReady),
            (0x2, 0x04, 0x12, Offline),
            (0x2, 0x30, 0x03, CleaningCartridge),
            (0x2, 0x30, 0x07, CleaningFailed),
            (0x2, 0x3A, 0x00, NoMedium),
            (0x2, 0x3A, 0x04, NoMedium),
            (0x2, 0x3E, 0x00, BecomingReady),
            (0x6, 0x28, 0x00, MediumChanged),
            (0x6, 0x28, 0x01, ImportExportAccessed),
            (0x6, 0x29, 0x02, Reset),
            (0x6, 0x2A, 0x01, ModeChanged),
            (0x6, 0x2A, 0x03, ReservationLost),
            (0x6, 0x2A, 0x04, ReservationLost),
            (0x6, 0x2A, 0x05, ReservationLost),
            (0x6, 0x2A, 0x11, EncryptionChanged),
            (0x6, 0x2A, 0x12, EncryptionChanged),
            (0x6, 0x3F, 0x01, Reset),
            (0x5, 0x20, 0x00, UnknownCommand),
            (0x5, 0x24, 0x00, InvalidField),
            (0x5, 0x26, 0x00, InvalidField),
            (0x5, 0x3B, 0x0D, DestinationFull),
            (0x5, 0x3B, 0x0E, SourceEmpty),
            (0x5, 0x21, 0x01, InvalidElement),
            (0x5, 0x53, 0x01, NotUnloaded),
            (0x5, 0x53, 0x02, RemovalPrevented),
            (0x3, 0x11, 0x00, ReadError),
            (0x3, 0x0C, 0x00, WriteError),
            (0x3, 0x14, 0x03, ReadError),
            (0x3, 0x30, 0x00, IncompatibleMedium),
            (0x3, 0x31, 0x00, MediumError),
            (0x3, 0x52, 0x00, CartridgeFault),
            (0x7, 0x27, 0x00, WriteProtected),
            (0x7, 0x30, 0x0C, WormProtected),
            (0x7, 0x30, 0x0D, WormProtected),
            (0x7, 0x5A, 0x02, WriteProtected),
            (0x7, 0x74, 0x01, WrongKey),
            (0x7, 0x74, 0x02, NotEncrypted),
            (0x7, 0x74, 0x03, WrongKey),
            (0x7, 0x74, 0x04, ReadError),
            (0x7, 0x74, 0x05, ReadError),
            (0x7, 0x2A, 0x13, EncryptionChanged),
            (0x4, 0x10, 0x01, GuardCheckFailed),
            (0x4, 0x10, 0x04, GuardCheckFailed),
            (0x1, 0x17, 0x01, Fine),
        ];
        for (key, asc, ascq, condition) in table {
            let sense = Sense::new(SenseKey::from_bits(key), asc, ascq);
            assert_eq!(sense.condition(), condition, "{sense}");
        }
    }

    #[test]
    fn marks_without_a_code_count_too() {
        let mut sense = Sense::new(SenseKey::NoSense, 0, 0);
        assert_eq!(sense.condition(), Condition::Fine);
        sense.filemark = true;
        assert_eq!(sense.condition(), Condition::Filemark);
    }

    #[test]
    fn nothing_that_was_not_done_goes_on() {
        for key in 0x2..=0x7 {
            for asc in 0..=0xFF {
                let sense = Sense::new(SenseKey::from_bits(key), asc, 0);
                assert_ne!(sense.condition().next_step(), NextStep::GoOn, "{sense}");
            }
        }
    }
}
