//! Sense data: what a device says of a command that did not simply succeed (spec scsi.md §2, SPC-5 §4.5).

use std::fmt;

use super::condition::Condition;
use super::cursor::{DecodeError, Decoded, Writer};
use super::sense_text;

/// Length of sense in fixed format, without vendor bytes.
pub const FIXED_SENSE_BYTES: usize = 18;

/// The kind of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SenseKey {
    /// Nothing went wrong; a mark or a warning may be told.
    NoSense = 0x0,
    /// Done, with trouble on the way.
    RecoveredError = 0x1,
    /// Not now.
    NotReady = 0x2,
    /// The medium is at fault.
    MediumError = 0x3,
    /// The device is at fault.
    HardwareError = 0x4,
    /// The command is at fault.
    IllegalRequest = 0x5,
    /// Something happened since the last command, which was not done.
    UnitAttention = 0x6,
    /// The data are protected.
    DataProtect = 0x7,
    /// Nothing is recorded there.
    BlankCheck = 0x8,
    /// Whatever the vendor says.
    VendorSpecific = 0x9,
    /// A copy was aborted.
    CopyAborted = 0xA,
    /// The device gave the command up.
    AbortedCommand = 0xB,
    /// Obsolete.
    Equal = 0xC,
    /// The physical end of the medium.
    VolumeOverflow = 0xD,
    /// Data differ.
    Miscompare = 0xE,
    /// Done.
    Completed = 0xF,
}

impl SenseKey {
    /// From the low four bits of a byte.
    pub fn from_bits(bits: u8) -> Self {
        match bits & 0xF {
            0x0 => Self::NoSense,
            0x1 => Self::RecoveredError,
            0x2 => Self::NotReady,
            0x3 => Self::MediumError,
            0x4 => Self::HardwareError,
            0x5 => Self::IllegalRequest,
            0x6 => Self::UnitAttention,
            0x7 => Self::DataProtect,
            0x8 => Self::BlankCheck,
            0x9 => Self::VendorSpecific,
            0xA => Self::CopyAborted,
            0xB => Self::AbortedCommand,
            0xC => Self::Equal,
            0xD => Self::VolumeOverflow,
            0xE => Self::Miscompare,
            _ => Self::Completed,
        }
    }

    /// The name that PBS prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSense => "No Sense",
            Self::RecoveredError => "Recovered Error",
            Self::NotReady => "Not Ready",
            Self::MediumError => "Medium Error",
            Self::HardwareError => "Hardware Error",
            Self::IllegalRequest => "Illegal Request",
            Self::UnitAttention => "Unit Attention",
            Self::DataProtect => "Data Protect",
            Self::BlankCheck => "Blank Check",
            Self::VendorSpecific => "Vendor specific",
            Self::CopyAborted => "Copy Aborted",
            Self::AbortedCommand => "Aborted Command",
            Self::Equal => "Equal",
            Self::VolumeOverflow => "Volume Overflow",
            Self::Miscompare => "Miscompare",
            Self::Completed => "Completed",
        }
    }
}

/// Sense data, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sense {
    /// The kind.
    pub key: SenseKey,
    /// Additional sense code.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
    /// Whether it speaks of an earlier command that had been reported as done.
    pub deferred: bool,
    /// A filemark was met.
    pub filemark: bool,
    /// The end (or early warning) of the medium was met.
    pub end_of_medium: bool,
    /// The block had another length than was asked for.
    pub incorrect_length: bool,
    /// What was asked for and not done, in the unit of the command (bytes of a variable block, marks, blocks);
    /// negative where a block was longer than asked for.
    pub information: Option<i64>,
    /// How far an operation is that the device is busy with, of 65536.
    pub progress: Option<u16>,
}

/// How sense is put into bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SenseFormat {
    /// Response codes 70h and 71h.
    #[default]
    Fixed,
    /// Response codes 72h and 73h.
    Descriptor,
}

impl Sense {
    /// Sense of a triple and nothing else.
    pub const fn new(key: SenseKey, asc: u8, ascq: u8) -> Self {
        Self {
            key,
            asc,
            ascq,
            deferred: false,
            filemark: false,
            end_of_medium: false,
            incorrect_length: false,
            information: None,
            progress: None,
        }
    }

    /// Decodes either format.
    ///
    /// # Errors
    /// Fixed sense of fewer than 18 bytes, descriptor sense of fewer than 8, another response code.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        match bytes.first().map(|code| code & 0x7F) {
            Some(code @ (0x70 | 0x71)) => Self::decode_fixed(bytes, code == 0x71),
            Some(code @ (0x72 | 0x73)) => Self::decode_descriptor(bytes, code == 0x73),
            Some(code) => {
                Err(DecodeError::field("sense", format!("unknown response code {code:#04x}")))
            }
            None => Err(DecodeError::Short { what: "sense", want: 1, have: 0 }),
        }
    }

    fn decode_fixed(bytes: &[u8], deferred: bool) -> Decoded<Self> {
        let Some(fixed) = bytes.first_chunk::<FIXED_SENSE_BYTES>() else {
            let want = FIXED_SENSE_BYTES;
            return Err(DecodeError::Short { what: "fixed sense", want, have: bytes.len() });
        };
        let mut sense = Self::new(SenseKey::from_bits(fixed[2]), fixed[12], fixed[13]);
        sense.deferred = deferred;
        sense.set_marks(fixed[2]);
        if fixed[0] & 0x80 != 0 {
            let information = i32::from_be_bytes([fixed[3], fixed[4], fixed[5], fixed[6]]);
            sense.information = Some(i64::from(information));
        }
        sense.set_progress([fixed[15], fixed[16], fixed[17]]);
        Ok(sense)
    }

    fn decode_descriptor(bytes: &[u8], deferred: bool) -> Decoded<Self> {
        let Some(header) = bytes.first_chunk::<8>() else {
            return Err(DecodeError::Short {
                what: "descriptor sense",
                want: 8,
                have: bytes.len(),
            });
        };
        let mut sense = Self::new(SenseKey::from_bits(header[1]), header[2], header[3]);
        sense.deferred = deferred;
        let end = bytes.len().min(8 + usize::from(header[7]));
        let mut rest = &bytes[8..end];
        while let [kind, length, tail @ ..] = rest {
            let length = usize::from(*length).min(tail.len());
            sense.add_descriptor(*kind, &tail[..length]);
            rest = &tail[length..];
        }
        Ok(sense)
    }

    /// Takes one descriptor (without its first two bytes); unknown and short ones say nothing.
    fn add_descriptor(&mut self, kind: u8, content: &[u8]) {
        match (kind, content) {
            (0x00, [flags, _, number @ ..]) if flags & 0x80 != 0 => {
                let number = number.first_chunk::<8>().copied();
                self.information = number.map(i64::from_be_bytes);
            }
            (0x02, [_, _, specific @ ..]) => {
                if let Some(specific) = specific.first_chunk::<3>() {
                    self.set_progress(*specific);
                }
            }
            (0x04, [_, marks, ..]) => self.set_marks(*marks),
            _ => {}
        }
    }

    fn set_marks(&mut self, bits: u8) {
        self.filemark = bits & 0x80 != 0;
        self.end_of_medium = bits & 0x40 != 0;
        self.incorrect_length = bits & 0x20 != 0;
    }

    fn marks(&self) -> u8 {
        u8::from(self.filemark) << 7
            | u8::from(self.end_of_medium) << 6
            | u8::from(self.incorrect_length) << 5
    }

    /// The key-specific bytes are a progress only with these keys.
    fn set_progress(&mut self, [flags, high, low]: [u8; 3]) {
        if flags & 0x80 != 0 && matches!(self.key, SenseKey::NoSense | SenseKey::NotReady) {
            self.progress = Some(u16::from_be_bytes([high, low]));
        }
    }

    fn key_specific(&self) -> [u8; 3] {
        let Some(progress) = self.progress else { return [0; 3] };
        let [high, low] = progress.to_be_bytes();
        [0x80, high, low]
    }

    /// Encodes it.
    pub fn encode(&self, format: SenseFormat) -> Vec<u8> {
        match format {
            SenseFormat::Fixed => self.encode_fixed(),
            SenseFormat::Descriptor => self.encode_descriptor(),
        }
    }

    fn encode_fixed(&self) -> Vec<u8> {
        let information = self.information.unwrap_or(0) as u32;
        Writer::new()
            .u8(u8::from(self.information.is_some()) << 7 | 0x70 | u8::from(self.deferred))
            .u8(0)
            .u8(self.marks() | self.key as u8)
            .u32(information)
            .u8((FIXED_SENSE_BYTES - 8) as u8)
            .zeros(4)
            .u8(self.asc)
            .u8(self.ascq)
            .u8(0)
            .bytes(&self.key_specific())
            .finish()
    }

    fn encode_descriptor(&self) -> Vec<u8> {
        let mut descriptors = Writer::new();
        if let Some(information) = self.information {
            descriptors = descriptors.bytes(&[0x00, 0x0A, 0x80, 0]).u64(information as u64);
        }
        if self.progress.is_some() {
            descriptors = descriptors.bytes(&[0x02, 0x06, 0, 0]).bytes(&self.key_specific()).u8(0);
        }
        if self.marks() != 0 {
            descriptors = descriptors.bytes(&[0x04, 0x02, 0, self.marks()]);
        }
        let descriptors = descriptors.finish();
        Writer::new()
            .u8(0x72 | u8::from(self.deferred))
            .u8(self.key as u8)
            .u8(self.asc)
            .u8(self.ascq)
            .zeros(3)
            .u8(descriptors.len() as u8)
            .bytes(&descriptors)
            .finish()
    }

    /// What it means.
    pub fn condition(&self) -> Condition {
        Condition::of(self)
    }
}

impl fmt::Display for Sense {
    /// `Medium Error, Unrecovered read error (3/11/00)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, asc, ascq, .. } = self;
        if self.deferred {
            f.write_str("deferred from an earlier command: ")?;
        }
        f.write_str(key.name())?;
        if (*asc, *ascq) != (0, 0) {
            write!(f, ", {}", sense_text::describe(*asc, *ascq))?;
        }
        write!(f, " ({:X}/{asc:02X}/{ascq:02X})", *key as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fixed_sense_of_a_filemark() {
        let bytes = [0xF0, 0, 0x80, 0, 4, 0, 0, 10, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let sense = Sense::decode(&bytes).unwrap();
        assert!(sense.filemark && !sense.deferred);
        assert_eq!((sense.key, sense.asc, sense.ascq), (SenseKey::NoSense, 0, 1));
        assert_eq!(sense.information, Some(262144));
        assert_eq!(sense.encode(SenseFormat::Fixed), bytes);
    }

    #[test]
    fn descriptor_sense_of_a_block_too_long() {
        let bytes = [
            0x73, 0, 0, 0, 0, 0, 0, 16, 0, 10, 0x80, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0xFC, 4, 2, 0, 0x20,
        ];
        let sense = Sense::decode(&bytes).unwrap();
        assert!(sense.incorrect_length && sense.deferred);
        assert_eq!(sense.information, Some(-4));
        assert_eq!(sense.encode(SenseFormat::Descriptor), bytes);
    }

    #[test]
    fn what_is_too_short_or_unknown_is_refused() {
        assert!(Sense::decode(&[]).is_err());
        assert!(Sense::decode(&[0x70; 17]).is_err());
        assert!(Sense::decode(&[0x72; 7]).is_err());
        assert!(Sense::decode(&[0x7F; 18]).is_err());
    }

    #[test]
    fn messages_name_key_and_code() {
        let sense = Sense::new(SenseKey::NotReady, 0x3A, 0x00);
        assert_eq!(sense.to_string(), "Not Ready, Medium not present (2/3A/00)");
        assert_eq!(Sense::new(SenseKey::NoSense, 0, 0).to_string(), "No Sense (0/00/00)");
    }

    proptest! {
        #[test]
        fn both_formats_carry_everything(
            key in 0u8..16, asc: u8, ascq: u8, marks in 0u8..8, deferred: bool,
            information in proptest::option::of(any::<i32>()), progress in proptest::option::of(any::<u16>()),
        ) {
            let mut sense = Sense::new(SenseKey::from_bits(key), asc, ascq);
            sense.set_marks(marks << 5);
            sense.deferred = deferred;
            sense.information = information.map(i64::from);
            if matches!(sense.key, SenseKey::NoSense | SenseKey::NotReady) {
                sense.progress = progress;
            }
            for format in [SenseFormat::Fixed, SenseFormat::Descriptor] {
                prop_assert_eq!(Sense::decode(&sense.encode(format)).unwrap(), sense);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(sense) = Sense::decode(&bytes) {
                let _ = (sense.to_string(), sense.condition());
            }
        }
    }
}
