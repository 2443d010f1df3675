//! The memory chip of the cartridge.

use reel_hw::TapeAlerts;
use reel_hw::scsi::attribute::{
    Attribute, AttributeFormat, AttributeIds, AttributeInfo, AttributeList,
};

use super::{Context, Drive, Mounted, parameters};
use crate::answer::{Answer, Outcome, invalid_field, invalid_parameter};
use crate::cartridge::Cartridge;
use crate::folder::FolderError;

/// Attributes from here on are the host's.
const HOST_FIRST: u16 = 0x0800;
const HOST_LAST: u16 = 0x0BFF;

impl Drive {
    pub(super) fn read_attribute(
        &mut self,
        service_action: u8,
        partition: u8,
        first: u16,
    ) -> Outcome {
        let alerts = self.alerts;
        let mounted = self.ready()?;
        if partition != 0 {
            return Err(invalid_field());
        }
        let mut attributes = all(mounted, alerts);
        attributes.retain(|attribute| attribute.id >= first);
        Ok(Answer::Data(match service_action {
            0x00 => AttributeList { attributes }.encode(),
            0x01 => {
                let ids = attributes.iter().map(|attribute| attribute.id).collect();
                AttributeIds { ids }.encode()
            }
            _ => return Err(invalid_field()),
        }))
    }

    pub(super) fn write_attribute(
        &mut self,
        context: &Context<'_, '_>,
        partition: u8,
        length: u32,
    ) -> Outcome {
        let mounted = self.ready()?;
        if partition != 0 {
            return Err(invalid_field());
        }
        let bytes = parameters(context, length)?;
        if bytes.is_empty() {
            return Ok(Answer::Done);
        }
        let list = AttributeList::decode(bytes).map_err(|_| invalid_parameter())?;
        let writable = |attribute: &Attribute| (HOST_FIRST..=HOST_LAST).contains(&attribute.id);
        if !list.attributes.iter().all(writable) {
            return Err(invalid_parameter());
        }
        change(&mut mounted.cartridge, list.attributes)?;
        Ok(Answer::Done)
    }
}

/// Changes what hosts wrote to the chip, if that can be kept.
fn change(cartridge: &mut Cartridge, attributes: Vec<Attribute>) -> Result<(), FolderError> {
    let before = cartridge.facts.attributes.clone();
    for attribute in attributes {
        if attribute.value.is_empty() {
            cartridge.facts.attributes.remove(&attribute.id);
        } else {
            cartridge.facts.attributes.insert(attribute.id, attribute.value);
        }
    }
    let saved = cartridge.save();
    if saved.is_err() {
        cartridge.facts.attributes = before;
    }
    saved
}

/// Everything on the chip, ascending.
fn all(mounted: &Mounted, alerts: TapeAlerts) -> Vec<Attribute> {
    let facts = &mounted.cartridge.facts;
    let used = mounted.used_before(mounted.cartridge.objects().count());
    let mib = |bytes: u64| bytes >> 20;
    let (encrypted, clear) = mounted.cartridge.objects().encryption_change();
    let nowhere = u64::MAX;
    let mut attributes = vec![
        number(0x0000, mib(mounted.room().saturating_sub(used)), 8),
        number(0x0001, mib(facts.capacity), 8),
        number(0x0002, alerts.0, 8),
        number(0x0003, facts.loads, 8),
        number(0x0004, 0x0800, 8),
        text(0x0005, "LTO-CVE", 8),
        number(0x0006, u64::from(facts.density), 1),
        number(0x0007, u64::from(facts.initialized), 2),
        number(0x0220, mib(facts.bytes_written), 8),
        number(0x0221, mib(facts.bytes_read), 8),
        number(0x0222, mib(mounted.written), 8),
        number(0x0223, mib(mounted.read), 8),
        number(0x0224, encrypted.unwrap_or(nowhere), 8),
        number(0x0225, clear.unwrap_or(nowhere), 8),
        text(0x0400, "REELFS", 8),
        text(0x0401, &format!("{:016X}", facts.seed), 32),
        text(0x0404, "LTO-CVE", 8),
        number(0x0405, u64::from(facts.density), 1),
        text(0x0406, "20260101", 8),
        number(0x0407, 16 << 10, 8),
        number(0x0408, 0, 1),
    ];
    let drives = (0x020A..).zip(&facts.life.last_drives);
    attributes.extend(drives.map(|(id, drive)| text(id, drive, 40)));
    let stored = facts.attributes.iter();
    attributes.extend(stored.map(|(id, value)| attribute(*id, false, value.clone())));
    attributes.sort_by_key(|attribute| attribute.id);
    attributes
}

fn number(id: u16, value: u64, bytes: usize) -> Attribute {
    let all = value.to_be_bytes();
    attribute(id, true, all[all.len() - bytes..].to_vec())
}

fn text(id: u16, value: &str, bytes: usize) -> Attribute {
    let mut value = value.as_bytes().to_vec();
    value.resize(bytes, b' ');
    attribute(id, true, value)
}

fn attribute(id: u16, read_only: bool, value: Vec<u8>) -> Attribute {
    let format = AttributeInfo::find(id).map_or(AttributeFormat::Binary, AttributeInfo::format);
    Attribute { id, read_only, format, value }
}
