//! The robot: what a media changer answers.

use reel_hw::scsi::inquiry::{Inquiry, VpdData, VpdPage};
use reel_hw::scsi::mode::{ModeData, PageContent};
use reel_hw::scsi::reservation::{OutParameters, ServiceAction};
use reel_hw::scsi::{Cdb, CdbForm, Command, DeviceType, Sense, SenseFormat, SenseKey};

use crate::answer::{Answer, Outcome, Refusal, invalid_field, parameter_length, unknown_command};
use crate::attention::Attentions;
use crate::drive::{Context, designators, parameters};
use crate::element_status;
use crate::elements::Elements;
use crate::initiator::Initiator;
use crate::reservation::Reservations;

const VENDOR: &str = "REELFS";
const PRODUCT: &str = "EMULATED LIBRARY";

/// Element address assignment.
const ADDRESSES: u8 = 0x1D;
/// Every page.
const ALL_PAGES: u8 = 0x3F;

/// The robot.
pub(crate) struct Robot {
    serial: String,
    attentions: Attentions,
    reservations: Reservations,
    /// Who has locked the import/export door.
    locks: Vec<Initiator>,
}

impl Robot {
    pub(crate) fn new(serial: &str) -> Self {
        Self {
            serial: serial.to_owned(),
            attentions: Attentions::default(),
            reservations: Reservations::default(),
            locks: Vec::new(),
        }
    }

    /// An operator opened the door of the import/export slots, or of a magazine.
    pub(crate) fn opened(&mut self, import_export: bool) {
        self.attentions.raise(0x28, u8::from(import_export), None);
    }

    pub(crate) fn forget(&mut self, initiator: Initiator) {
        self.attentions.forget(initiator);
        self.reservations.forget(initiator);
        self.locks.retain(|holder| *holder != initiator);
    }

    /// Carries out a command.
    pub(crate) fn execute(
        &mut self,
        elements: &mut Elements,
        context: &mut Context<'_, '_>,
        cdb: &Cdb,
    ) -> Outcome {
        let command = Command::from_cdb(DeviceType::Changer, cdb);
        let waits = match command {
            Some(Command::Inquiry { .. } | Command::ReportLuns { .. }) => None,
            Some(Command::RequestSense { descriptor, .. }) => {
                return Ok(self.request_sense(context.initiator, descriptor));
            }
            _ => self.attentions.take(context.initiator),
        };
        if let Some(attention) = waits {
            return Err(attention.into());
        }
        let command = command.ok_or_else(unknown_command)?;
        if self.reservations.forbid(context.initiator, &command) {
            return Err(Refusal::ReservationConflict);
        }
        let allocation = command.allocation();
        self.dispatch(elements, context, command).map(|answer| answer.cut(allocation))
    }

    fn dispatch(
        &mut self,
        elements: &mut Elements,
        context: &mut Context<'_, '_>,
        command: Command,
    ) -> Outcome {
        match command {
            Command::TestUnitReady
            | Command::InitializeElementStatus
            | Command::InitializeElementStatusWithRange { .. }
            | Command::OpenCloseImportExport { .. }
            | Command::SendDiagnostic { .. } => Ok(Answer::Done),
            Command::Inquiry { page, .. } => self.inquiry(page),
            Command::ModeSense { form, page, .. } => mode_sense(elements, form, page),
            Command::ReadElementStatus { .. } => element_status::report(elements, command),
            Command::MoveMedium { transport, source, destination, .. } => {
                expect_robot(elements, transport)?;
                elements.move_medium(source, destination).map(|()| Answer::Done)
            }
            Command::ExchangeMedium { transport, source, destination, second_destination } => {
                expect_robot(elements, transport)?;
                elements.move_medium(destination, second_destination)?;
                elements.move_medium(source, destination).map(|()| Answer::Done)
            }
            Command::PositionToElement { transport, destination } => {
                expect_robot(elements, transport)?;
                elements.place(destination).map(|_| Answer::Done)
            }
            Command::PreventRemoval { prevent } => {
                self.locks.retain(|holder| *holder != context.initiator);
                if prevent {
                    self.locks.push(context.initiator);
                }
                Ok(Answer::Done)
            }
            Command::Reserve(_) => self.reservations.reserve(context.initiator),
            Command::Release(_) => self.reservations.release(context.initiator),
            Command::PersistentReserveIn { service_action, .. } => {
                self.reservations.report(service_action)
            }
            Command::PersistentReserveOut { service_action, scope_type, length } => {
                let parameters = OutParameters::decode(parameters(context, length)?);
                let parameters = parameters.map_err(|_| parameter_length())?;
                let action = ServiceAction::from_number(service_action);
                self.reservations.change(context.initiator, action, scope_type & 0xF, &parameters)
            }
            _ => Err(unknown_command()),
        }
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
        let told = self.attentions.take(initiator);
        Answer::Data(told.unwrap_or(Sense::new(SenseKey::NoSense, 0, 0)).encode(format))
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

fn mode_sense(elements: &Elements, form: CdbForm, page: u8) -> Outcome {
    if ![ADDRESSES, ALL_PAGES].contains(&page) {
        return Err(invalid_field());
    }
    let pages = vec![PageContent::ElementAddresses(elements.addresses()).into()];
    Ok(Answer::Data(ModeData { pages, ..ModeData::default() }.encode(form)))
}

/// Address 0 is the default robot; there is one.
fn expect_robot(elements: &Elements, transport: u16) -> Result<(), Refusal> {
    let robots = elements.addresses().transport;
    if transport == 0 || robots.contains(transport) {
        return Ok(());
    }
    Err(crate::answer::check(SenseKey::IllegalRequest, 0x21, 0x01))
}
