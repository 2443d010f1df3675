//! Pages that are nothing but counters.

use super::{LogPage, LogParameter, page};
use crate::scsi::cursor::Decoded;

/// A structure of counters, each with its parameter code and usual width in bytes.
macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($(#[$counter_doc:meta])* $counter:ident: $code:literal, $width:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[$counter_doc])* pub $counter: Option<u64>,)*
        }

        impl $name {
            fn from_page(page: &LogPage) -> Decoded<Self> {
                Ok(Self { $($counter: page.counter($code)?,)* })
            }

            fn parameters(&self) -> Vec<LogParameter> {
                let all = [$(($code, self.$counter, $width),)*];
                let known = all.into_iter().filter_map(|(code, value, width)| {
                    value.map(|value| LogParameter::number(code, value, width))
                });
                known.collect()
            }
        }
    };
}

counters! {
    /// Errors on writing (page 02h) or reading (03h); SPC-5 §7.3.5.
    ErrorCounters {
        /// Corrected without substantial delay.
        corrected_fast: 0x0000, 4;
        /// Corrected with possible delay.
        corrected_slow: 0x0001, 4;
        /// Blocks written or read again.
        retries: 0x0002, 4;
        /// All that were corrected.
        corrected: 0x0003, 4;
        /// How often the correction ran.
        corrections: 0x0004, 4;
        /// Bytes that were processed.
        bytes: 0x0005, 8;
        /// Those that could not be corrected.
        uncorrected: 0x0006, 4;
    }
}

counters! {
    /// Sequential-access device, page 0Ch: what passed in bytes (SSC-5 §8.2.2).
    SequentialAccess {
        /// Bytes that hosts wrote, before compression.
        host_bytes_written: 0x0000, 8;
        /// Bytes written to media, after compression.
        medium_bytes_written: 0x0001, 8;
        /// Bytes read from media, before decompression.
        medium_bytes_read: 0x0002, 8;
        /// Bytes that hosts read, after decompression.
        host_bytes_read: 0x0003, 8;
        /// Whether the drive asks to be cleaned: not 0.
        cleaning_requested: 0x0100, 4;
    }
}

counters! {
    /// Tape capacity, page 31h, in units of 1048576 bytes on LTO.
    TapeCapacity {
        /// Room left in partition 0.
        remaining: 0x0001, 4;
        /// Room left in partition 1.
        remaining_partition_1: 0x0002, 4;
        /// Room in partition 0.
        maximum: 0x0003, 4;
        /// Room in partition 1.
        maximum_partition_1: 0x0004, 4;
    }
}

counters! {
    /// Performance data, page 34h of HP drives, since the medium was loaded.
    PerformanceData {
        /// How often the tape changed its direction for each 100 MB that were written.
        repositions_per_100_mb: 0x0000, 2;
        /// Into the buffer, in units of 100 kB/s.
        buffer_rate: 0x0001, 2;
        /// The most that the drive could do with these data, in the same unit.
        rate_max: 0x0002, 2;
        /// What hosts send now, in the same unit.
        host_rate: 0x0003, 2;
        /// What the drive writes without compression, in the same unit.
        native_rate: 0x0004, 2;
    }
}

impl ErrorCounters {
    /// Decodes page 02h or 03h, as asked for.
    ///
    /// # Errors
    /// `wrong page code`, `invalid counter size`, a page that is cut.
    pub fn decode(bytes: &[u8], page: u8) -> Decoded<Self> {
        Self::from_page(&LogPage::decode_page(bytes, page)?)
    }

    /// Encodes page 02h or 03h.
    pub fn encode(&self, page: u8) -> Vec<u8> {
        LogPage::new(page, self.parameters()).encode()
    }
}

impl SequentialAccess {
    /// Decodes page 0Ch.
    ///
    /// # Errors
    /// `wrong page code`, `invalid counter size`, a page that is cut.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        Self::from_page(&LogPage::decode_page(bytes, page::SEQUENTIAL_ACCESS)?)
    }

    /// Encodes page 0Ch.
    pub fn encode(&self) -> Vec<u8> {
        LogPage::new(page::SEQUENTIAL_ACCESS, self.parameters()).encode()
    }
}

impl TapeCapacity {
    /// Decodes page 31h.
    ///
    /// # Errors
    /// `wrong page code`, `invalid counter size`, a page that is cut.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        Self::from_page(&LogPage::decode_page(bytes, page::TAPE_CAPACITY)?)
    }

    /// Encodes page 31h.
    pub fn encode(&self) -> Vec<u8> {
        LogPage::new(page::TAPE_CAPACITY, self.parameters()).encode()
    }
}

impl PerformanceData {
    /// Decodes page 34h.
    ///
    /// # Errors
    /// `wrong page code`, `invalid counter size`, a page that is cut.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        Self::from_page(&LogPage::decode_page(bytes, page::PERFORMANCE_DATA)?)
    }

    /// Encodes page 34h.
    pub fn encode(&self) -> Vec<u8> {
        LogPage::new(page::PERFORMANCE_DATA, self.parameters()).encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    #[test]
    fn errors_on_writing() {
        let bytes = hex("02 00 0014 0003 03 04 00000009 0005 03 08 0000000100000000");
        let errors = ErrorCounters::decode(&bytes, page::WRITE_ERRORS).unwrap();
        assert_eq!((errors.corrected, errors.bytes), (Some(9), Some(1 << 32)));
        assert_eq!(errors.uncorrected, None);
        assert_eq!(errors.encode(page::WRITE_ERRORS), bytes);
        assert!(ErrorCounters::decode(&bytes, page::READ_ERRORS).is_err());
    }

    #[test]
    fn capacity_of_both_partitions() {
        let bytes = hex("31 00 0010 0001 03 04 000AE9F7 0003 03 04 00B71B00");
        let capacity = TapeCapacity::decode(&bytes).unwrap();
        assert_eq!((capacity.remaining, capacity.maximum), (Some(0xA_E9F7), Some(12_000_000)));
        assert_eq!(capacity.encode(), bytes);
    }

    #[test]
    fn what_passed() {
        let passed = SequentialAccess { host_bytes_written: Some(5), ..Default::default() };
        let bytes = passed.encode();
        assert_eq!(bytes, hex("0C 00 000C 0000 03 08 0000000000000005"));
        assert_eq!(SequentialAccess::decode(&bytes).unwrap(), passed);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(parameters in proptest::collection::vec(
            (0u16..8, proptest::collection::vec(any::<u8>(), 0..10)), 0..8,
        )) {
            let parameters = parameters.into_iter();
            let parameters: Vec<_> =
                parameters.map(|(code, value)| LogParameter { code, control: 0, value }).collect();
            let bytes = |page| LogPage::new(page, parameters.clone()).encode();
            let decode = |bytes: &[u8]| ErrorCounters::decode(bytes, page::READ_ERRORS);
            assert_round_trip(&bytes(0x03), decode, |page| page.encode(page::READ_ERRORS));
            assert_round_trip(&bytes(0x0C), SequentialAccess::decode, SequentialAccess::encode);
            assert_round_trip(&bytes(0x34), PerformanceData::decode, PerformanceData::encode);
            assert_round_trip(&bytes(0x31), TapeCapacity::decode, TapeCapacity::encode);
        }
    }
}
