//! Byte sizes as people write them (`config.md` §8): `20 MiB`, `1.5kb`, `300`.
//!
//! A size keeps the unit it was written with, because configuration files show it again; only
//! [`ByteSize::bytes`] turns it into a number of bytes. Decimal units count by 1000, binary ones (with
//! an `i`) by 1024.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::text::serde_as_text;

const KIND: &str = "byte size";
const TEXT_CHARS_MAX: usize = 64;
/// The prefixes, each 1000 (or 1024) times the one before.
const PREFIXES: [char; 6] = [' ', 'K', 'M', 'G', 'T', 'P'];
/// The first float that no `u64` can hold: 2^64.
const BYTES_LIMIT: f64 = 18_446_744_073_709_551_616.0;

/// A unit of bytes: a power of 1000 or of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SizeUnit {
    binary: bool,
    /// Index in [`PREFIXES`].
    power: u8,
}

impl SizeUnit {
    /// Single bytes.
    pub const BYTE: Self = Self { binary: false, power: 0 };

    /// How many bytes one of this unit is.
    pub fn factor(self) -> f64 {
        let base: f64 = if self.binary { 1024.0 } else { 1000.0 };
        base.powi(i32::from(self.power))
    }
}

impl fmt::Display for SizeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.power, self.binary) {
            (0, _) => f.write_str("B"),
            (power, true) => write!(f, "{}iB", PREFIXES[usize::from(power)]),
            (power, false) => write!(f, "{}B", PREFIXES[usize::from(power)]),
        }
    }
}

/// A size with the unit it was written with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByteSize {
    value: f64,
    unit: SizeUnit,
}

impl ByteSize {
    /// So many bytes, shown in bytes.
    pub fn from_bytes(bytes: u64) -> Self {
        Self { value: bytes as f64, unit: SizeUnit::BYTE }
    }

    /// So many bytes in the largest binary unit that leaves at least 1 before the point.
    pub fn binary(bytes: u64) -> Self {
        Self::scaled(bytes, true)
    }

    /// So many bytes in the largest decimal unit that leaves at least 1 before the point.
    pub fn decimal(bytes: u64) -> Self {
        Self::scaled(bytes, false)
    }

    fn scaled(bytes: u64, binary: bool) -> Self {
        let bytes = bytes as f64;
        let units = (0..PREFIXES.len() as u8).rev().map(|power| SizeUnit { binary, power });
        let unit = units.into_iter().find(|unit| bytes >= unit.factor()).unwrap_or(SizeUnit::BYTE);
        Self { value: bytes / unit.factor(), unit }
    }

    /// Whole bytes; what is left of the last byte is cut off.
    pub fn bytes(self) -> u64 {
        (self.value * self.unit.factor()) as u64
    }

    /// The unit it was written with.
    pub fn unit(self) -> SizeUnit {
        self.unit
    }
}

impl fmt::Display for ByteSize {
    /// At most three decimals, one blank, the unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", rounded(self.value), self.unit))
    }
}

/// Three decimals; whole numbers stay untouched, since multiplying large ones would change them.
fn rounded(value: f64) -> f64 {
    if value.fract() == 0.0 { value } else { (value * 1000.0).round() / 1000.0 }
}

impl FromStr for ByteSize {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new(KIND, text, reason);
        if !(1..=TEXT_CHARS_MAX).contains(&text.chars().count()) {
            return Err(refuse("must be 1 to 64 characters long"));
        }
        let (number, unit) = split_unit(text);
        let value: f64 = number
            .parse()
            .map_err(|_| refuse("must be a number and a unit such as KB, MiB or G"))?;
        if !value.is_finite() || value.is_sign_negative() {
            return Err(refuse("must be a finite number, 0 or more"));
        }
        if value * unit.factor() >= BYTES_LIMIT {
            return Err(refuse("is more than 2^64 bytes"));
        }
        Ok(Self { value, unit })
    }
}

serde_as_text!(ByteSize);

/// Takes the unit off the end: `[prefix]["i"]["b"]`, then the blanks before it.
fn split_unit(text: &str) -> (&str, SizeUnit) {
    let rest = text.strip_suffix(['b', 'B']).unwrap_or(text);
    let (rest, binary) = match rest.strip_suffix('i') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let prefix = rest.chars().next_back().map(|last| last.to_ascii_uppercase());
    let power = (1..PREFIXES.len()).find(|&power| Some(PREFIXES[power]) == prefix);
    match power {
        Some(power) => (rest[..rest.len() - 1].trim_end(), SizeUnit { binary, power: power as u8 }),
        None => (rest.trim_end(), SizeUnit::BYTE),
    }
}

/// Bytes as logs show them, scaled by 1024: `8.789 KiB`.
pub fn human_bytes_binary(bytes: u64) -> String {
    ByteSize::binary(bytes).to_string()
}

/// Bytes as the logs of tape restores show them, scaled by 1000: `9 KB`.
pub fn human_bytes_decimal(bytes: u64) -> String {
    ByteSize::decimal(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(text: &str) -> ByteSize {
        text.parse().unwrap()
    }

    #[test]
    fn printed_with_the_unit_it_was_written_with() {
        let rows = [
            ("14.4567", "14.457 B", 14),
            ("1300 b", "1300 B", 1300),
            ("1.5kb", "1.5 KB", 1500),
            ("2.3456MiB", "2.346 MiB", 2_459_539),
            ("4gib", "4 GiB", 4 << 30),
            ("20M", "20 MB", 20_000_000),
            ("20MB", "20 MB", 20_000_000),
            ("20Mi", "20 MiB", 20_971_520),
            ("20MiB", "20 MiB", 20_971_520),
            ("1e3k", "1000 KB", 1_000_000),
            ("8388608", "8388608 B", 8_388_608),
            ("0.5 P", "0.5 PB", 500_000_000_000_000),
        ];
        for (text, printed, bytes) in rows {
            assert_eq!((&*size(text).to_string(), size(text).bytes()), (printed, bytes), "{text}");
        }
    }

    #[test]
    fn scaled_for_logs() {
        let rows = [
            (0, "0 B", "0 B"),
            (1022, "1022 B", "1.022 KB"),
            (9000, "8.789 KiB", "9 KB"),
            (10_000_000, "9.537 MiB", "10 MB"),
            (1 << 40, "1 TiB", "1.1 TB"),
            ((1 << 40) - 1, "1024 GiB", "1.1 TB"),
            (u64::MAX, "16384 PiB", "18446.744 PB"),
        ];
        for (bytes, binary, decimal) in rows {
            assert_eq!(human_bytes_binary(bytes), binary);
            assert_eq!(human_bytes_decimal(bytes), decimal);
        }
    }

    #[test]
    fn what_is_no_size() {
        let long = format!("{}1", "0".repeat(64));
        for bad in [
            "", "-1", "-10", "abc", " 5", "5 XB", "inf", "nan", "5 IB", "1e30", "B", "5 k i b",
            "--5", &long,
        ] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_bytes_survive_printing(bytes in 0..(1u64 << 50)) {
            let text = ByteSize::from_bytes(bytes).to_string();
            prop_assert_eq!(size(&text).bytes(), bytes);
        }

        #[test]
        fn printing_settles(bytes: u64) {
            let text = human_bytes_binary(bytes);
            if let Ok(read) = text.parse::<ByteSize>() {
                prop_assert_eq!(read.to_string(), text);
            } else {
                prop_assert!(bytes > u64::MAX - (1 << 50), "only 2^64 itself is too much: {}", text);
            }
        }
    }
}
