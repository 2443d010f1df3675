//! READ ELEMENT STATUS.

use reel_hw::scsi::element::{DeviceIdentifier, Element, ElementStatus, ElementType, StatusPage};
use reel_hw::scsi::{Command, ElementFilter, SenseKey};

use crate::answer::{Answer, Outcome, check, invalid_field};
use crate::cartridge::Cartridge;
use crate::elements::{Bay, Elements, Slot};

/// The pages that were asked for, in the order of their element types.
pub(crate) fn report(elements: &Elements, command: Command) -> Outcome {
    let Command::ReadElementStatus { volume_tags, filter, first, count, device_ids, .. } = command
    else {
        return Err(invalid_field());
    };
    let wanted = match filter {
        ElementFilter::All => None,
        ElementFilter::Type(kind) => {
            Some(ElementType::from_number(kind).map_err(|_| invalid_field())?)
        }
    };
    let mut left = usize::from(count);
    let mut pages = Vec::new();
    for kind in KINDS.into_iter().filter(|kind| wanted.is_none_or(|wanted| wanted == *kind)) {
        let found: Vec<_> = elements_of(elements, kind, volume_tags, device_ids)
            .filter(|element| element.address >= first)
            .take(left)
            .collect();
        left -= found.len();
        if !found.is_empty() {
            pages.push(StatusPage::new(kind, volume_tags, found));
        }
    }
    if pages.is_empty() && first > last_address(elements) {
        return Err(check(SenseKey::IllegalRequest, 0x21, 0x01));
    }
    Ok(Answer::Data(ElementStatus { pages }.encode()))
}

/// The answer where no volume was searched for: a header, and no element.
pub(crate) fn report_nothing() -> Answer {
    Answer::Data(ElementStatus::default().encode())
}

fn last_address(elements: &Elements) -> u16 {
    let addresses = elements.addresses();
    let ranges =
        [addresses.transport, addresses.storage, addresses.import_export, addresses.drives];
    let last = |range: &reel_hw::scsi::mode::ElementRange| range.first + range.count.max(1) - 1;
    ranges.iter().map(last).max().unwrap_or(0)
}

/// In the order of their numbers.
const KINDS: [ElementType; 4] =
    [ElementType::Transport, ElementType::Storage, ElementType::ImportExport, ElementType::Drive];

fn elements_of(
    elements: &Elements,
    kind: ElementType,
    tags: bool,
    ids: bool,
) -> Box<dyn Iterator<Item = Element> + '_> {
    let slots = |import_export: bool| {
        let slots = elements.slots.iter().enumerate();
        let of_kind = slots.filter(move |(_, slot)| slot.import_export == import_export);
        of_kind.map(move |(index, slot)| slot_element(elements.slot_address(index), slot, tags))
    };
    match kind {
        ElementType::Transport => Box::new(std::iter::once(hand_element(elements, tags))),
        ElementType::Storage => Box::new(slots(false)),
        ElementType::ImportExport => Box::new(slots(true)),
        ElementType::Drive => {
            let drives = elements.bays.iter().enumerate();
            Box::new(drives.map(move |(index, bay)| drive_element(index, bay, tags, ids)))
        }
    }
}

fn with_content(address: u16, cartridge: Option<&Cartridge>, tags: bool) -> Element {
    let Some(cartridge) = cartridge else { return Element::empty(address) };
    let mut element = match &cartridge.facts.barcode {
        Some(barcode) if tags => Element::with_medium(address, barcode),
        _ => Element { full: true, ..Element::empty(address) },
    };
    element.medium_type = if cartridge.is_cleaner() { 2 } else { 1 };
    element
}

fn hand_element(elements: &Elements, tags: bool) -> Element {
    let hand = elements.hand.as_ref();
    let address = elements.addresses().transport.first;
    Element {
        source: hand.and_then(|(_, home)| *home),
        ..with_content(address, hand.map(|(cartridge, _)| cartridge), tags)
    }
}

/// Code of an element whose bar code cannot be made out, as several vendors give it.
const BAR_CODE_QUESTIONABLE: (u8, u8) = (0x83, 0x02);

fn slot_element(address: u16, slot: &Slot, tags: bool) -> Element {
    let is_unreadable = slot.unreadable && slot.cartridge.is_some();
    let mut element = Element {
        accessible: true,
        by_operator: slot.by_operator && slot.cartridge.is_some(),
        export_enabled: slot.import_export,
        import_enabled: slot.import_export,
        ..with_content(address, slot.cartridge.as_ref(), tags)
    };
    if is_unreadable {
        element.exception = true;
        element.sense_code = BAR_CODE_QUESTIONABLE;
        element.tag = None;
    }
    element
}

fn drive_element(index: usize, bay: &Bay, tags: bool, ids: bool) -> Element {
    let mounted = bay.drive.mounted.as_ref();
    let model = &bay.drive.model;
    let identifier =
        ids.then(|| DeviceIdentifier::of_drive(model.vendor(), &model.product(), &model.serial));
    Element {
        accessible: mounted.is_none_or(|mounted| !mounted.threaded),
        source: bay.home.filter(|_| mounted.is_some()),
        identifier,
        ..with_content(
            Elements::drive_address(index),
            mounted.map(|mounted| &mounted.cartridge),
            tags,
        )
    }
}
