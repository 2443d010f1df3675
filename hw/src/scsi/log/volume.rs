//! Volume statistics, page 17h.

use serde::Serialize;
use serde_with::skip_serializing_none;

use super::{LogPage, LogParameter, WHAT, page};
use crate::drive::VolumeStatistics;
use crate::number::Capacity;
use crate::scsi::cursor::{DecodeError, Decoded, Reader};

/// Bytes in the unit of the byte counters.
const MEGABYTE: u64 = 1_000_000;

/// What drive and medium counted over the medium's life (SSC-5 §8.2.9); `None` where they did not.
///
/// It serializes as PBS's `volume-statistics`, whose keys these are.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say what PBS and SSC-5 say of them")]
pub struct VolumeStatisticsPage {
    pub volume_mounts: Option<u64>,
    pub volume_datasets_written: Option<u64>,
    pub volume_recovered_write_data_errors: Option<u64>,
    pub volume_unrecovered_write_data_errors: Option<u64>,
    pub volume_write_servo_errors: Option<u64>,
    pub volume_unrecovered_write_servo_errors: Option<u64>,
    pub volume_datasets_read: Option<u64>,
    pub volume_recovered_read_errors: Option<u64>,
    pub volume_unrecovered_read_errors: Option<u64>,
    pub last_mount_unrecovered_write_errors: Option<u64>,
    pub last_mount_unrecovered_read_errors: Option<u64>,
    pub last_mount_bytes_written: Option<u64>,
    pub last_mount_bytes_read: Option<u64>,
    pub lifetime_bytes_written: Option<u64>,
    pub lifetime_bytes_read: Option<u64>,
    /// In hundredths.
    pub last_load_write_compression_ratio: Option<u64>,
    /// In hundredths.
    pub last_load_read_compression_ratio: Option<u64>,
    /// In milliseconds.
    pub medium_mount_time: Option<u64>,
    /// In milliseconds.
    pub medium_ready_time: Option<u64>,
    /// In bytes.
    pub total_native_capacity: Option<u64>,
    /// In bytes.
    pub total_used_native_capacity: Option<u64>,
    /// Volume serial number.
    pub serial: Option<String>,
    pub write_protect: bool,
    pub worm: bool,
    pub beginning_of_medium_passes: Option<u64>,
    pub middle_of_tape_passes: Option<u64>,
}

/// Code, usual width in bytes, and unit of the counters, in the order of [`VolumeStatisticsPage::counters`].
const COUNTERS: [(u16, usize, u64); 23] = [
    (0x0001, 4, 1),
    (0x0002, 8, 1),
    (0x0003, 4, 1),
    (0x0004, 2, 1),
    (0x0005, 2, 1),
    (0x0006, 2, 1),
    (0x0007, 8, 1),
    (0x0008, 4, 1),
    (0x0009, 2, 1),
    (0x000C, 2, 1),
    (0x000D, 2, 1),
    (0x000E, 4, MEGABYTE),
    (0x000F, 4, MEGABYTE),
    (0x0010, 8, MEGABYTE),
    (0x0011, 8, MEGABYTE),
    (0x0012, 4, 1),
    (0x0013, 4, 1),
    (0x0014, 8, 1),
    (0x0015, 8, 1),
    (0x0016, 4, MEGABYTE),
    (0x0017, 4, MEGABYTE),
    (0x0101, 4, 1),
    (0x0102, 4, 1),
];

/// Codes of what is no counter.
const PAGE_VALID: u16 = 0x0000;
const SERIAL: u16 = 0x0040;
const WRITE_PROTECT: u16 = 0x0080;
const WORM: u16 = 0x0081;

/// Width of the serial number.
const SERIAL_CHARACTERS: usize = 32;

impl VolumeStatisticsPage {
    /// One that tells everything there is, as zeros: it serializes with all keys.
    pub fn with_every_key() -> Self {
        let mut page = Self { serial: Some(String::new()), ..Self::default() };
        page.counters_mut().into_iter().for_each(|counter| *counter = Some(0));
        page
    }

    /// Decodes page 17h.
    ///
    /// # Errors
    /// `missing page-valid parameter`, `page is not valid`, `invalid counter size`, `wrong page code`. Unknown
    /// parameters are passed over; a number of bytes that does not fit into 64 bits counts as not told.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let log = LogPage::decode_page(bytes, page::VOLUME_STATISTICS)?;
        match log.counter(PAGE_VALID)? {
            None => return Err(DecodeError::field(WHAT, "missing page-valid parameter")),
            Some(0) => return Err(DecodeError::field(WHAT, "page is not valid")),
            Some(_) => {}
        }
        let mut statistics = Self::default();
        for ((code, _, unit), place) in COUNTERS.into_iter().zip(statistics.counters_mut()) {
            *place = log.counter(code)?.and_then(|value| value.checked_mul(unit));
        }
        statistics.serial = match log.parameter(SERIAL) {
            Some(text) => Some(Reader::new(WHAT, &text.value).ascii(text.value.len())?),
            None => None,
        };
        statistics.write_protect = log.counter(WRITE_PROTECT)? == Some(1);
        statistics.worm = log.counter(WORM)? == Some(1);
        Ok(statistics)
    }

    /// Encodes page 17h.
    pub fn encode(&self) -> Vec<u8> {
        let mut parameters = vec![LogParameter::number(PAGE_VALID, 1, 1)];
        for ((code, width, unit), value) in COUNTERS.into_iter().zip(self.counters()) {
            parameters.extend(value.map(|value| LogParameter::number(code, value / unit, width)));
        }
        let serial = self.serial.as_ref();
        parameters.extend(serial.map(|text| LogParameter::text(SERIAL, text, SERIAL_CHARACTERS)));
        parameters.push(LogParameter::number(WRITE_PROTECT, u64::from(self.write_protect), 1));
        parameters.push(LogParameter::number(WORM, u64::from(self.worm), 1));
        parameters.sort_by_key(|parameter| parameter.code);
        LogPage::new(page::VOLUME_STATISTICS, parameters).encode()
    }

    /// How often the tape passed the head where it passes most: a measure of wear.
    pub fn passes(&self) -> Option<u64> {
        self.beginning_of_medium_passes.max(self.middle_of_tape_passes)
    }

    /// What a drive tells of a volume.
    pub fn summary(&self) -> VolumeStatistics {
        VolumeStatistics {
            last_mount_bytes_read: self.last_mount_bytes_read.map(Capacity),
            last_mount_bytes_written: self.last_mount_bytes_written.map(Capacity),
            lifetime_bytes_read: self.lifetime_bytes_read.map(Capacity),
            lifetime_bytes_written: self.lifetime_bytes_written.map(Capacity),
            total_native_capacity: self.total_native_capacity.map(Capacity),
            total_used_native_capacity: self.total_used_native_capacity.map(Capacity),
            write_protect: self.write_protect,
        }
    }

    fn counters(&self) -> [Option<u64>; COUNTERS.len()] {
        self.clone().counters_mut().map(|counter| *counter)
    }

    fn counters_mut(&mut self) -> [&mut Option<u64>; COUNTERS.len()] {
        [
            &mut self.volume_mounts,
            &mut self.volume_datasets_written,
            &mut self.volume_recovered_write_data_errors,
            &mut self.volume_unrecovered_write_data_errors,
            &mut self.volume_write_servo_errors,
            &mut self.volume_unrecovered_write_servo_errors,
            &mut self.volume_datasets_read,
            &mut self.volume_recovered_read_errors,
            &mut self.volume_unrecovered_read_errors,
            &mut self.last_mount_unrecovered_write_errors,
            &mut self.last_mount_unrecovered_read_errors,
            &mut self.last_mount_bytes_written,
            &mut self.last_mount_bytes_read,
            &mut self.lifetime_bytes_written,
            &mut self.lifetime_bytes_read,
            &mut self.last_load_write_compression_ratio,
            &mut self.last_load_read_compression_ratio,
            &mut self.medium_mount_time,
            &mut self.medium_ready_time,
            &mut self.total_native_capacity,
            &mut self.total_used_native_capacity,
            &mut self.beginning_of_medium_passes,
            &mut self.middle_of_tape_passes,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    /// Recorded: `proxmox-tape volume-statistics` on an emulated LTO-8 drive.
    const RECORDED: &str = "170000f7 00000301 01000103 04000000 0d000203 08000000 00000000 0d000303
        04000000 00000403 02000000 05030200 00000603 02000000 07030800 00000000 00000100 08030400
        00000000 09030200 00000c03 02000000 0d030200 00000e03 04000000 21000f03 04000000 03001003
        08000000 00000000 21001103 08000000 00000000 03001203 04000000 64001303 04000000 64001403
        08000000 00000013 88001503 08000000 0000000f a0001603 0400b71b 00001703 04000000 07004001
        20454d55 53455230 30303030 30303030 30303030 30303030 30303030 30303030 30008003 01000081
        03010001 01030400 00000401 02030400 000002";

    /// What PBS printed for it.
    #[test]
    fn statistics_that_pbs_read() {
        let page = VolumeStatisticsPage::decode(&hex(RECORDED)).unwrap();
        assert_eq!(page.volume_mounts, Some(13));
        assert_eq!(page.volume_datasets_written, Some(13));
        assert_eq!(page.volume_datasets_read, Some(1));
        assert_eq!(page.last_mount_bytes_read, Some(3_000_000));
        assert_eq!(page.last_mount_bytes_written, Some(33_000_000));
        assert_eq!(page.lifetime_bytes_written, Some(33_000_000));
        assert_eq!(page.last_load_read_compression_ratio, Some(100));
        assert_eq!((page.medium_mount_time, page.medium_ready_time), (Some(5000), Some(4000)));
        assert_eq!(page.total_native_capacity, Some(12_000_000_000_000));
        assert_eq!(page.total_used_native_capacity, Some(7_000_000));
        assert_eq!(page.serial.as_deref(), Some("EMUSER00000000000000000000000000"));
        assert!(!page.worm && !page.write_protect);
        assert_eq!(page.passes(), Some(4));
        assert_eq!(page.summary().total_native_capacity, Some(Capacity(12_000_000_000_000)));
        assert_eq!(page.encode(), hex(RECORDED));
    }

    #[test]
    fn a_page_must_be_valid() {
        let refused = |text| VolumeStatisticsPage::decode(&hex(text)).unwrap_err().to_string();
        assert!(refused("17 00 0000").contains("missing page-valid parameter"));
        assert!(refused("17 00 0005 0000 03 01 00").contains("page is not valid"));
        assert!(refused("17 00 0009 0000 03 01 01 0001 03 00").contains("invalid counter size"));
        let wide = "17 00 0012 0000 03 01 01 0001 03 09 000000000000000000";
        assert!(refused(wide).contains("invalid counter size"));
        assert!(refused("16 00 0000").contains("wrong page code"));
    }

    #[test]
    fn unknown_parameters_are_passed_over() {
        let page = hex("17 00 0010 0000 03 01 01 0081 03 01 01 0202 03 02 AAAA");
        assert!(VolumeStatisticsPage::decode(&page).unwrap().worm);
    }

    #[test]
    fn more_bytes_than_numbers_hold_are_not_told() {
        let page = hex("17 00 0011 0000 03 01 01 0010 03 08 FFFFFFFFFFFFFFFF");
        assert_eq!(VolumeStatisticsPage::decode(&page).unwrap().lifetime_bytes_written, None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(parameters in proptest::collection::vec(
            (0u16..0x82, proptest::collection::vec(any::<u8>(), 0..10)), 0..16,
        )) {
            let mut all = vec![LogParameter::number(PAGE_VALID, 1, 1)];
            let rest = parameters.into_iter();
            all.extend(rest.map(|(code, value)| LogParameter { code, control: 0, value }));
            let bytes = LogPage::new(page::VOLUME_STATISTICS, all).encode();
            assert_round_trip(&bytes, VolumeStatisticsPage::decode, VolumeStatisticsPage::encode);
        }
    }
}
