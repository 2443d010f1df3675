//! Log pages.

use reel_hw::scsi::log::{
    self, DeviceActivity, DeviceStatus, SupportedPages, TapeCapacity, VolumeStatisticsPage,
};

use super::{Drive, Mounted};
use crate::answer::{Answer, Outcome, invalid_field};
use crate::cartridge::CartridgeKind;

/// Pages that every drive has.
const PAGES: [u8; 6] = [0x00, 0x11, 0x12, 0x17, 0x2E, 0x31];

impl Drive {
    pub(super) fn log_sense(&mut self, page: u8, subpage: u8) -> Outcome {
        if subpage != 0 {
            return Err(invalid_field());
        }
        Ok(Answer::Data(match page {
            0x00 => {
                let pages = PAGES.iter().map(|page| (*page, 0)).collect();
                SupportedPages { pages, with_subpages: false }.encode()
            }
            0x11 => self.device_status().encode(),
            0x12 => log::encode_alert_response(&self.alerts),
            0x2E => {
                let alerts = std::mem::take(&mut self.alerts);
                log::encode_alerts(&alerts)
            }
            0x17 => volume_statistics(self.ready()?).encode(),
            0x31 => capacity(self.ready()?).encode(),
            _ => return Err(invalid_field()),
        }))
    }

    fn device_status(&self) -> DeviceStatus {
        let protected =
            self.mounted.as_ref().is_some_and(|one| one.cartridge.facts.write_protected);
        let mut status = DeviceStatus::of(DeviceActivity::NoActivity);
        if protected {
            status.flags |= DeviceStatus::WRITE_PROTECTED;
        }
        status
    }
}

fn volume_statistics(mounted: &Mounted) -> VolumeStatisticsPage {
    let facts = &mounted.cartridge.facts;
    let used = mounted.cartridge.room_before(mounted.cartridge.objects().count());
    VolumeStatisticsPage {
        volume_mounts: Some(facts.loads),
        lifetime_bytes_written: Some(facts.bytes_written),
        lifetime_bytes_read: Some(facts.bytes_read),
        total_native_capacity: Some(facts.capacity),
        total_used_native_capacity: Some(used),
        serial: facts.barcode.clone(),
        write_protect: facts.write_protected,
        worm: facts.kind == CartridgeKind::Worm,
        ..VolumeStatisticsPage::default()
    }
}

fn capacity(mounted: &Mounted) -> TapeCapacity {
    let total = mounted.cartridge.facts.capacity;
    let used = mounted.cartridge.room_before(mounted.cartridge.objects().count());
    TapeCapacity {
        remaining: Some(total.saturating_sub(used) >> 20),
        maximum: Some(total >> 20),
        ..TapeCapacity::default()
    }
}
