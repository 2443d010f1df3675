//! The robot: what a media changer answers.

mod shuttle;

pub(crate) use shuttle::Shuttle;

use reel_hw::scsi::inquiry::{Inquiry, VpdData, VpdPage};
use reel_hw::scsi::mode::{ElementAddresses, ModeData, PageContent};
use reel_hw::scsi::{Cdb, CdbForm, Command, DeviceType, PageControl, SenseFormat, SenseKey};

use crate::answer::{Answer, Outcome, Refusal, check, invalid_field, unknown_command};
use crate::drive::{Context, designators};
use crate::element_status;
use crate::elements::Elements;
use crate::hosts::Hosts;
use crate::initiator::Initiator;
use crate::opcodes;
use crate::timing::Timing;

const VENDOR: &str = "REELFS";
const PRODUCT: &str = "EMULATED LIBRARY";

/// Element address assignment.
const ADDRESSES: u8 = 0x1D;
/// Every page.
const ALL_PAGES: u8 = 0x3F;

/// The robot.
pub(crate) struct Robot {
    pub(crate) serial: String,
    /// Who prevents removal has locked the import/export door.
    pub(crate) hosts: Hosts,
    pub(crate) shuttle: Shuttle,
    /// The import/export door stands open.
    door_open: bool,
    /// A magazine is pulled out.
    magazine_open: bool,
    /// The next medium slips out of its hand on the way.
    pub(crate) drops_next: bool,
}

impl Robot {
    pub(crate) fn new(serial: &str, timing: &Timing) -> Self {
        Self {
            serial: serial.to_owned(),
            hosts: Hosts::default(),
            shuttle: Shuttle::new(timing, serial),
            door_open: false,
            magazine_open: false,
            drops_next: false,
        }
    }

    /// An operator opened the door of the import/export slots, or of a magazine, and closed it again.
    pub(crate) fn opened(&mut self, import_export: bool) {
        self.hosts.tell(0x28, u8::from(import_export), None);
    }

    /// Opens or closes the import/export door; `false` where a host has locked it.
    pub(crate) fn set_door(&mut self, open: bool) -> bool {
        if open && self.is_locked() {
            return false;
        }
        if self.door_open && !open {
            self.opened(true);
        }
        self.door_open = open;
        true
    }

    /// Pulls a magazine out or pushes it in.
    pub(crate) fn set_magazine(&mut self, open: bool) {
        if self.magazine_open && !open {
            self.opened(false);
        }
        self.magazine_open = open;
    }

    /// Whether a host has locked the import/export door.
    pub(crate) fn is_locked(&self) -> bool {
        !self.hosts.allow_removal()
    }

    /// Carries out a command.
    pub(crate) fn execute(
        &mut self,
        elements: &mut Elements,
        context: &mut Context<'_, '_>,
        cdb: &Cdb,
    ) -> Outcome {
        let command = Command::from_cdb(DeviceType::Changer, cdb);
        if let Some(Command::RequestSense { descriptor, allocation }) = command {
            let answer = self.request_sense(context.initiator, descriptor);
            return Ok(answer.cut(usize::from(allocation)));
        }
        let command = self.hosts.admit(context.initiator, command)?;
        let outcome = self
            .robot_command(elements, command)
            .or_else(|| self.host_command(elements, context, command))
            .unwrap_or_else(|| Err(unknown_command()));
        outcome.map(|answer| answer.cut(command.allocation()))
    }

    /// What the robot itself is needed for.
    fn robot_command(&mut self, elements: &mut Elements, command: Command) -> Option<Outcome> {
        Some(match command {
            Command::TestUnitReady => self.ready().map(|()| Answer::Done),
            Command::InitializeElementStatus => self.initialize(elements, None),
            Command::InitializeElementStatusWithRange { range, first, count, .. } => {
                self.initialize(elements, range.then_some((first, count)))
            }
            Command::ReadElementStatus { .. } => {
                self.shuttle.tell();
                element_status::report(elements, command)
            }
            Command::RequestVolumeElementAddress { .. } => Ok(element_status::report_nothing()),
            Command::MoveMedium { transport, source, destination, invert } => {
                self.move_medium(elements, transport, (source, destination), invert)
            }
            Command::ExchangeMedium { transport, source, destination, second_destination } => {
                self.exchange(elements, transport, [source, destination, second_destination])
            }
            Command::PositionToElement { transport, destination } => {
                self.position_to(elements, transport, destination)
            }
            Command::OpenCloseImportExport { element, action } => {
                self.open_close(elements, element, action)
            }
            _ => return None,
        })
    }

    /// What is between the changer and its hosts.
    fn host_command(
        &mut self,
        elements: &Elements,
        context: &mut Context<'_, '_>,
        command: Command,
    ) -> Option<Outcome> {
        Some(match command {
            Command::Inquiry { page, .. } => self.inquiry(page),
            Command::ReportLuns { select, .. } => opcodes::report_luns(select),
            Command::ReportSupportedOpcodes {
                timeouts, options, opcode, service_action, ..
            } => {
                let (all, kind) = (opcodes::of_changer(), DeviceType::Changer);
                opcodes::report(kind, &all, timeouts, options, (opcode, service_action))
            }
            Command::ModeSense { form, control, page, .. } => {
                mode_sense(elements, form, control, page)
            }
            Command::SendDiagnostic { length: 0, .. } => Ok(Answer::Done),
            Command::SendDiagnostic { .. } => Err(invalid_field()),
            _ => return self.hosts.carry_out(context, command),
        })
    }

    /// Whether the robot may move.
    fn ready(&self) -> Result<(), Refusal> {
        if self.door_open {
            return Err(check(SenseKey::NotReady, 0x3A, 0x02));
        }
        if self.magazine_open {
            return Err(check(SenseKey::NotReady, 0x04, 0x12));
        }
        Ok(())
    }

    fn initialize(&mut self, elements: &Elements, range: Option<(u16, u16)>) -> Outcome {
        self.ready()?;
        let (slots, media) = match range {
            None => elements.to_look_at(0, u16::MAX),
            Some((first, count)) => {
                elements.place(first)?;
                elements.to_look_at(first, if count == 0 { u16::MAX } else { count })
            }
        };
        self.shuttle.take_inventory(slots, media);
        Ok(Answer::Done)
    }

    fn move_medium(
        &mut self,
        elements: &mut Elements,
        transport: u16,
        (source, destination): (u16, u16),
        invert: bool,
    ) -> Outcome {
        expect_robot(elements, transport)?;
        if invert {
            return Err(invalid_field());
        }
        self.ready()?;
        let slips = std::mem::take(&mut self.drops_next);
        let moved = elements.move_medium(&mut self.shuttle, source, destination, slips);
        moved.map(|()| Answer::Done)
    }

    fn exchange(
        &mut self,
        elements: &mut Elements,
        transport: u16,
        addresses: [u16; 3],
    ) -> Outcome {
        expect_robot(elements, transport)?;
        self.ready()?;
        let slips = std::mem::take(&mut self.drops_next);
        elements.exchange(&mut self.shuttle, addresses, slips).map(|()| Answer::Done)
    }

    fn position_to(&mut self, elements: &Elements, transport: u16, destination: u16) -> Outcome {
        expect_robot(elements, transport)?;
        self.ready()?;
        elements.place(destination).map(|_| Answer::Done)
    }

    fn open_close(&mut self, elements: &Elements, element: u16, action: u8) -> Outcome {
        if !elements.addresses().import_export.contains(element) {
            return Err(check(SenseKey::IllegalRequest, 0x21, 0x01));
        }
        let open = match action {
            0 => true,
            1 => false,
            _ => return Err(invalid_field()),
        };
        if self.set_door(open) {
            return Ok(Answer::Done);
        }
        Err(check(SenseKey::IllegalRequest, 0x53, 0x02))
    }

    fn inquiry(&self, page: Option<u8>) -> Outcome {
        let page = match page {
            None => return Ok(Answer::Data(standard_inquiry().encode())),
            Some(0x00) => VpdPage::Supported(vec![0x00, 0x80, 0x83]),
            Some(0x80) => VpdPage::UnitSerialNumber(self.serial.clone()),
            Some(0x83) => VpdPage::DeviceIdentification(designators(VENDOR, PRODUCT, &self.serial)),
            Some(_) => return Err(invalid_field()),
        };
        Ok(Answer::Data(VpdData { device: DeviceType::Changer.number(), page }.encode()))
    }

    fn request_sense(&mut self, initiator: Initiator, descriptor: bool) -> Answer {
        let format = if descriptor { SenseFormat::Descriptor } else { SenseFormat::Fixed };
        let ready = self.ready();
        Answer::Data(self.hosts.sense(initiator, ready).encode(format))
    }
}

fn standard_inquiry() -> Inquiry {
    Inquiry {
        qualifier: 0,
        peripheral_type: DeviceType::Changer.number(),
        removable: true,
        version: 6,
        protect: false,
        vendor: VENDOR.to_owned(),
        product: PRODUCT.to_owned(),
        revision: "0100".to_owned(),
    }
}

/// Nothing of it can be changed.
fn mode_sense(elements: &Elements, form: CdbForm, control: PageControl, page: u8) -> Outcome {
    if ![ADDRESSES, ALL_PAGES].contains(&page) {
        return Err(invalid_field());
    }
    let addresses = match control {
        PageControl::Current | PageControl::Default => elements.addresses(),
        PageControl::Changeable => ElementAddresses::default(),
        PageControl::Saved => return Err(check(SenseKey::IllegalRequest, 0x39, 0x00)),
    };
    let pages = vec![PageContent::ElementAddresses(addresses).into()];
    Ok(Answer::Data(ModeData { pages, ..ModeData::default() }.encode(form)))
}

/// Address 0 is the default robot; there is one.
fn expect_robot(elements: &Elements, transport: u16) -> Result<(), Refusal> {
    let robots = elements.addresses().transport;
    if transport == 0 || robots.contains(transport) {
        return Ok(());
    }
    Err(check(SenseKey::IllegalRequest, 0x21, 0x01))
}
