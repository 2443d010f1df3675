//! Log pages (spec scsi.md §7).

use reel_hw::scsi::SenseKey;
use reel_hw::scsi::log::{
    self, DeviceActivity, DeviceStatus, LogPage, LogParameter, PerformanceData, SupportedPages,
    TapeCapacity, VolumeStatisticsPage, page,
};

use super::cleaning::CleaningWish;
use super::counters::HardError;
use super::{Drive, Mounted};
use crate::answer::{Answer, Outcome, check, invalid_field, invalid_parameter};
use crate::cartridge::CartridgeKind;
use crate::initiator::Initiator;
use crate::model::Maker;

/// Errors of media.
const DIAGNOSTIC_DATA: u8 = 0x16;
/// What compression did.
const COMPRESSION: u8 = 0x1B;

/// Pages that every drive has, ascending.
const PAGES: [u8; 12] = [
    page::SUPPORTED,
    page::WRITE_ERRORS,
    page::READ_ERRORS,
    page::SEQUENTIAL_ACCESS,
    page::DEVICE_STATUS,
    page::ALERT_RESPONSE,
    page::DEVICE_STATISTICS,
    DIAGNOSTIC_DATA,
    page::VOLUME_STATISTICS,
    COMPRESSION,
    page::ALERTS,
    page::TAPE_CAPACITY,
];

/// The subpage that lists subpages.
const ALL_SUBPAGES: u8 = 0xFF;

/// What the drive writes in one piece, bytes.
const DATASET_BYTES: u64 = 4_800_000;

/// Without compression, in hundredths.
const RATIO_ONE: u64 = 100;

/// Bits of byte 1 of the device status: a medium is present, threaded, mounted.
const PRESENT: u8 = 0x10;
const THREADED_AND_MOUNTED: u8 = 0x05;

impl Drive {
    pub(super) fn log_sense(&mut self, page: u8, subpage: u8, pointer: u16) -> Outcome {
        let bytes = match (page, subpage) {
            (page::SUPPORTED, 0) => return Ok(Answer::Data(self.supported_pages(false))),
            (page::SUPPORTED, ALL_SUBPAGES) => {
                return Ok(Answer::Data(self.supported_pages(true)));
            }
            (_, 0) => self.log_page(page)?,
            _ => return Err(invalid_field()),
        };
        if pointer == 0 {
            return Ok(Answer::Data(bytes));
        }
        let mut log = LogPage::decode(&bytes).map_err(|_| invalid_field())?;
        log.parameters.retain(|parameter| parameter.code >= pointer);
        if log.parameters.is_empty() {
            return Err(invalid_field());
        }
        Ok(Answer::Data(log.encode()))
    }

    fn supported_pages(&self, with_subpages: bool) -> Vec<u8> {
        let subpages = with_subpages.then_some((page::SUPPORTED, ALL_SUBPAGES));
        let of_vendor = [page::PERFORMANCE_DATA, page::VENDOR_DEVICE_STATUS].map(|page| (page, 0));
        let of_vendor = of_vendor.into_iter().filter(|_| self.model.maker == Maker::Hp);
        let mut pages: Vec<_> = PAGES.iter().map(|page| (*page, 0)).collect();
        pages.extend(subpages.into_iter().chain(of_vendor));
        pages.sort_unstable();
        SupportedPages { pages, with_subpages }.encode()
    }

    fn log_page(&mut self, page: u8) -> Result<Vec<u8>, crate::answer::Refusal> {
        Ok(match page {
            page::WRITE_ERRORS => self.counters.write.page().encode(page),
            page::READ_ERRORS => self.counters.read.page().encode(page),
            page::SEQUENTIAL_ACCESS => {
                self.counters.sequential_access(self.cleanliness.wish.is_some()).encode()
            }
            page::DEVICE_STATUS => self.device_status().encode(),
            page::ALERT_RESPONSE => log::encode_alert_response(&self.alerts),
            page::ALERTS => log::encode_alerts(&std::mem::take(&mut self.alerts)),
            page::DEVICE_STATISTICS => self.device_statistics().encode(),
            DIAGNOSTIC_DATA => self.diagnostic_data().encode(),
            COMPRESSION => self.compression().encode(),
            page::VOLUME_STATISTICS => volume_statistics(self.ready()?).encode(),
            page::TAPE_CAPACITY => capacity(self.ready()?).encode(),
            page::PERFORMANCE_DATA if self.model.maker == Maker::Hp => {
                performance(self.ready()?).encode()
            }
            page::VENDOR_DEVICE_STATUS if self.model.maker == Maker::Hp => {
                self.vendor_status().encode()
            }
            _ => return Err(invalid_field()),
        })
    }

    fn device_status(&self) -> DeviceStatus {
        let mut status = DeviceStatus::of(self.activity());
        let mounted = self.mounted.as_ref();
        if mounted.is_some_and(Mounted::is_protected) {
            status.flags |= DeviceStatus::WRITE_PROTECTED;
        }
        status.flags |= match self.cleanliness.wish {
            None => 0,
            Some(CleaningWish::Soon) => DeviceStatus::CLEANING_REQUESTED,
            Some(CleaningWish::Now) => {
                DeviceStatus::CLEANING_REQUESTED | DeviceStatus::CLEANING_REQUIRED
            }
        };
        let is_loading =
            matches!(status.activity, DeviceActivity::Loading | DeviceActivity::Calibrating);
        status.medium_flags = match mounted {
            None => 0,
            Some(mounted) if mounted.threaded && !is_loading => PRESENT | THREADED_AND_MOUNTED,
            Some(_) => PRESENT,
        };
        status
    }

    /// What the drive did in its life, which begins when it is switched on (SSC-5 §8.2.7).
    fn device_statistics(&self) -> LogPage {
        let (counts, counters) = (&self.clockwork.counts, &self.counters);
        let hours = |s: f64| (s / 3600.0) as u64;
        let hard = |transfers: &super::counters::Transfers| transfers.uncorrected;
        let numbers = [
            (0x0000, counters.loads, 8),
            (0x0001, self.cleanliness.cleanings, 8),
            (0x0002, hours(self.clockwork.now_s()), 4),
            (0x0003, hours(counts.total_s()), 4),
            (0x000C, 1, 4),
            (0x000D, counters.loads, 8),
            (0x000E, hard(&counters.write), 4),
            (0x000F, hard(&counters.read), 4),
            (0x0080, u64::from(!self.hosts.allow_removal()), 1),
        ];
        let mut parameters: Vec<_> = numbers.map(number).into();
        parameters.insert(8, text(0x0041, &self.model.serial));
        LogPage::new(page::DEVICE_STATISTICS, parameters)
    }

    /// One parameter for each hard error, newest first (SSC-5 §8.2.8).
    fn diagnostic_data(&self) -> LogPage {
        let density = self.mounted.as_ref().map_or(0, |mounted| mounted.cartridge.facts.density);
        let history = self.counters.history.iter().enumerate();
        let one = |(code, error): (usize, &HardError)| LogParameter {
            code: code as u16,
            control: 0x03,
            value: diagnostic_record(density, error),
        };
        LogPage::new(DIAGNOSTIC_DATA, history.map(one).collect())
    }

    fn compression(&self) -> LogPage {
        let (read, written) = (self.counters.read.bytes, self.counters.write.bytes);
        let (mb, rest) = (|bytes: u64| bytes / 1_000_000, |bytes: u64| bytes % 1_000_000);
        let numbers = [
            (0x0000, RATIO_ONE, 2),
            (0x0001, RATIO_ONE, 2),
            (0x0002, mb(read), 4),
            (0x0003, rest(read), 4),
            (0x0004, mb(read), 4),
            (0x0005, rest(read), 4),
            (0x0006, mb(written), 4),
            (0x0007, rest(written), 4),
            (0x0008, mb(written), 4),
            (0x0009, rest(written), 4),
        ];
        LogPage::new(COMPRESSION, numbers.map(number).into())
    }

    /// Loads, and whether the drive wants to be cleaned.
    fn vendor_status(&self) -> LogPage {
        let numbers = [
            (0x0001, self.counters.loads, 4),
            (0x0002, u64::from(self.cleanliness.wish.is_some()), 1),
        ];
        LogPage::new(page::VENDOR_DEVICE_STATUS, numbers.map(number).into())
    }

    /// LOG SELECT: counters are set back, all or those of a page; nothing else can be set.
    pub(super) fn log_select(
        &mut self,
        initiator: Initiator,
        reset: bool,
        (page, subpage): (u8, u8),
        length: u16,
    ) -> Outcome {
        if subpage != 0 || (reset && length > 0) {
            return Err(invalid_field());
        }
        if length > 0 {
            return Err(invalid_parameter());
        }
        if !reset {
            return Ok(Answer::Done);
        }
        match page {
            0 => {
                let loads = self.counters.loads;
                self.counters = super::counters::Counters { loads, ..Default::default() };
            }
            page::WRITE_ERRORS => self.counters.write = Default::default(),
            page::READ_ERRORS => self.counters.read = Default::default(),
            page::SEQUENTIAL_ACCESS | COMPRESSION => {
                (self.counters.write.bytes, self.counters.read.bytes) = (0, 0);
            }
            DIAGNOSTIC_DATA => self.counters.history.clear(),
            _ => return Err(check(SenseKey::IllegalRequest, 0x24, 0x00)),
        }
        self.hosts.tell(0x2A, 0x02, Some(initiator));
        Ok(Answer::Done)
    }
}

fn diagnostic_record(density: u8, error: &HardError) -> Vec<u8> {
    const BYTES: usize = 32;
    let mut record = vec![0; BYTES];
    record[3] = density;
    record[13] = error.sense.key as u8;
    record[14] = error.sense.asc;
    record[15] = error.sense.ascq;
    record[28] = error.opcode;
    record
}

/// A number of at least that many bytes.
fn number((code, value, width): (u16, u64, usize)) -> LogParameter {
    let bytes = value.to_be_bytes();
    let needed = 8 - value.leading_zeros() as usize / 8;
    LogParameter { code, control: 0x03, value: bytes[8 - width.max(needed).min(8)..].to_vec() }
}

fn text(code: u16, text: &str) -> LogParameter {
    LogParameter { code, control: 0x01, value: text.as_bytes().iter().copied().take(255).collect() }
}

fn volume_statistics(mounted: &Mounted) -> VolumeStatisticsPage {
    let facts = &mounted.cartridge.facts;
    let life = &facts.life;
    let used = mounted.used_before(mounted.cartridge.objects().count());
    let datasets = |bytes: u64| Some(bytes.div_ceil(DATASET_BYTES));
    VolumeStatisticsPage {
        volume_mounts: Some(facts.loads),
        volume_datasets_written: datasets(facts.bytes_written),
        volume_recovered_write_data_errors: Some(life.recovered_write_errors),
        volume_unrecovered_write_data_errors: Some(life.write_errors),
        volume_write_servo_errors: Some(0),
        volume_unrecovered_write_servo_errors: Some(0),
        volume_datasets_read: datasets(facts.bytes_read),
        volume_recovered_read_errors: Some(life.recovered_read_errors),
        volume_unrecovered_read_errors: Some(life.read_errors),
        last_mount_unrecovered_write_errors: Some(mounted.write_errors),
        last_mount_unrecovered_read_errors: Some(mounted.read_errors),
        last_mount_bytes_written: Some(mounted.written),
        last_mount_bytes_read: Some(mounted.read),
        lifetime_bytes_written: Some(facts.bytes_written),
        lifetime_bytes_read: Some(facts.bytes_read),
        last_load_write_compression_ratio: Some(RATIO_ONE),
        last_load_read_compression_ratio: Some(RATIO_ONE),
        medium_mount_time: Some((mounted.mechanism.load_s() * 1000.0) as u64),
        medium_ready_time: Some((mounted.mechanism.load_s() * 1000.0) as u64),
        total_native_capacity: Some(facts.capacity),
        total_used_native_capacity: Some(used),
        serial: Some(facts.barcode.clone().unwrap_or_else(|| format!("{:016X}", facts.seed))),
        write_protect: mounted.is_protected(),
        worm: facts.kind == CartridgeKind::Worm,
        beginning_of_medium_passes: Some(life.beginning_passes),
        middle_of_tape_passes: Some(life.middle_passes),
    }
}

/// Rates are those of a drive that holds the host back.
fn performance(mounted: &Mounted) -> PerformanceData {
    let figures = mounted.mechanism.figures();
    let rate = |mb_s: f64| Some((mb_s * 10.0) as u64);
    PerformanceData {
        repositions_per_100_mb: (mounted.stops * 100_000_000).checked_div(mounted.written),
        native_rate: rate(figures.native_mb_s),
        rate_max: rate(figures.top_mb_s),
        ..PerformanceData::default()
    }
}

fn capacity(mounted: &Mounted) -> TapeCapacity {
    let used = mounted.used_before(mounted.cartridge.objects().count());
    TapeCapacity {
        remaining: Some(mounted.room().saturating_sub(used) >> 20),
        maximum: Some(mounted.cartridge.facts.capacity >> 20),
        ..TapeCapacity::default()
    }
}
