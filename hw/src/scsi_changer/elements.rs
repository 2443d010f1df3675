//! What lies where: READ ELEMENT STATUS, put together.

use std::collections::BTreeMap;

use super::{ATTENTIONS_MAX, Attempt, MOVE_TIMEOUT, ScsiChanger};
use crate::changer::{ChangerStatus, DriveElement, SlotElement, TransportElement};
use crate::device::DeviceError;
use crate::number::{DriveNumber, ElementAddress, SlotNumber};
use crate::scsi::element::{DriveIdentity, Element, ElementStatus, ElementType, StatusPage};
use crate::scsi::mode::{ElementAddresses, ModeData};
use crate::scsi::{CdbForm, Command, DeviceType, ElementFilter, PageControl};

/// Elements that one request brings at most.
const COUNT_MAX: u16 = 1000;
/// Bytes of an answer; some changers take no more than two bytes of it.
const ALLOCATION: u32 = 0xFFFF;

/// Which elements there are. It holds until the changer tells of something: a magazine may be another then, a drive was
/// exchanged.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    addresses: ElementAddresses,
    /// What the changer knows of its drives, by their addresses.
    identities: BTreeMap<u16, DriveIdentity>,
    /// The robots. What they hold changes only by moves, and by one that is broken off the changer tells.
    transports: ElementStatus,
}

impl ScsiChanger {
    /// What lies where. An answer that does not fit what was known before says that the elements are others: it may have
    /// told another handle of this host.
    pub(super) fn read_status(&mut self) -> Attempt<ChangerStatus> {
        let knew_layout = self.layout.is_some();
        match self.read_all() {
            Err(DeviceError::Answer(_)) if knew_layout => {
                self.layout = None;
                self.read_all()
            }
            read => read,
        }
    }

    /// Where the changer tells of something meanwhile, all of it is asked again.
    fn read_all(&mut self) -> Attempt<ChangerStatus> {
        for _ in 0..ATTENTIONS_MAX {
            let known = self.device.recall(&self.layout).cloned();
            let addresses = match &known {
                Some(layout) => layout.addresses,
                None => self.patiently(Self::addresses)?,
            };
            let mut all =
                self.patiently(|changer| changer.elements(ElementType::Storage, false))?;
            let began = Some(self.device.note(()));
            if addresses.import_export.count > 0 {
                all.pages.extend(self.elements(ElementType::ImportExport, false)?.pages);
            }
            all.pages.extend(self.elements(ElementType::Drive, false)?.pages);
            let told_nothing = match known {
                Some(_) => self.device.recall(&self.layout).is_some(),
                None => self.device.recall(&began).is_some(),
            };
            if told_nothing {
                let layout = self.layout(addresses)?;
                all.pages.extend(layout.transports.pages.iter().cloned());
                all.check_counts(&addresses)?;
                return Ok(self.assemble(&all, &layout));
            }
        }
        let problem = "it has ever more unit attentions to tell";
        Err(DeviceError::Refused(problem.to_owned()))
    }

    /// As it was asked before, if the changer has told of nothing since.
    fn layout(&mut self, addresses: ElementAddresses) -> Attempt<Layout> {
        if let Some(layout) = self.device.recall(&self.layout) {
            return Ok(layout.clone());
        }
        // Some changers cannot tell which drives they have.
        let identified = self.elements(ElementType::Drive, true).unwrap_or_default();
        let transports = self.elements(ElementType::Transport, false)?;
        let layout = Layout { addresses, identities: identities(&identified), transports };
        self.layout = Some(self.device.note(layout.clone()));
        Ok(layout)
    }

    fn addresses(&mut self) -> Attempt<ElementAddresses> {
        const PAGE: u8 = 0x1D;
        const BYTES: u16 = 0xFF;
        let command = Command::ModeSense {
            form: CdbForm::Six,
            no_descriptor: true,
            control: PageControl::Current,
            page: PAGE,
            subpage: 0,
            allocation: BYTES,
        };
        let bytes = self.device.ask_data(command, usize::from(BYTES), MOVE_TIMEOUT)?;
        Ok(ModeData::decode(CdbForm::Six, DeviceType::Changer, &bytes)?.element_addresses()?)
    }

    /// All elements of a type, in as many requests as that takes.
    fn elements(&mut self, kind: ElementType, device_ids: bool) -> Attempt<ElementStatus> {
        let mut pages: Vec<StatusPage> = Vec::new();
        let mut next = Some(0);
        while let Some(first) = next {
            let command = Command::ReadElementStatus {
                volume_tags: !device_ids,
                filter: ElementFilter::Type(kind as u8),
                first,
                count: COUNT_MAX,
                current_data: false,
                device_ids,
                allocation: ALLOCATION,
            };
            let bytes = self.device.ask_data(command, ALLOCATION as usize, MOVE_TIMEOUT)?;
            let part = ElementStatus::decode(&bytes, first)?;
            next = part.continue_at(first, COUNT_MAX)?;
            pages.extend(part.pages);
        }
        Ok(ElementStatus { pages })
    }

    fn assemble(&self, all: &ElementStatus, layout: &Layout) -> ChangerStatus {
        let of = |kind| sorted(all, kind);
        let storage = of(ElementType::Storage).into_iter().map(|element| (false, element));
        let import_export =
            of(ElementType::ImportExport).into_iter().map(|element| (true, element));
        let slots: Vec<SlotElement> = storage
            .chain(import_export)
            .enumerate()
            .map(|(index, (import_export, element))| {
                let number = SlotNumber::from_index(index);
                let exports = self.options.export_slots.contains(&number);
                slot_element(number, import_export || exports, element)
            })
            .collect();
        let drives = of(ElementType::Drive).into_iter().enumerate().map(|(index, element)| {
            let identity = layout.identities.get(&element.address).cloned().unwrap_or_default();
            let home = home(&slots, element, &layout.addresses);
            drive_element(DriveNumber(index as u32), home, identity, element)
        });
        let transports = of(ElementType::Transport).into_iter().map(|element| TransportElement {
            content: element.content(),
            address: ElementAddress(element.address),
        });
        ChangerStatus { drives: drives.collect(), transports: transports.collect(), slots }
    }
}

fn sorted(all: &ElementStatus, kind: ElementType) -> Vec<&Element> {
    let mut found: Vec<_> =
        all.elements().filter(|(one, _)| *one == kind).map(|(_, element)| element).collect();
    found.sort_by_key(|element| element.address);
    found
}

/// The slot that a drive's medium came from; a source that is no slot says nothing.
fn home(
    slots: &[SlotElement],
    drive: &Element,
    addresses: &ElementAddresses,
) -> Option<SlotNumber> {
    let source = drive.source.filter(|_| drive.full)?;
    if addresses.drives.contains(source) {
        return None;
    }
    slots.iter().find(|slot| slot.address.0 == source).map(|slot| slot.number)
}

fn slot_element(number: SlotNumber, import_export: bool, element: &Element) -> SlotElement {
    SlotElement {
        number,
        import_export,
        content: element.content(),
        address: ElementAddress(element.address),
    }
}

fn drive_element(
    number: DriveNumber,
    loaded_slot: Option<SlotNumber>,
    identity: DriveIdentity,
    element: &Element,
) -> DriveElement {
    DriveElement {
        number,
        content: element.content(),
        loaded_slot,
        address: ElementAddress(element.address),
        drive_serial_number: identity.serial,
        vendor: identity.vendor,
        model: identity.model,
    }
}

/// What the changer knows of its drives, by their addresses.
fn identities(status: &ElementStatus) -> BTreeMap<u16, DriveIdentity> {
    let drives = status.elements().filter(|(kind, _)| *kind == ElementType::Drive);
    let known = drives.filter_map(|(_, element)| {
        Some((element.address, element.identifier.as_ref()?.identity()))
    });
    known.collect()
}
