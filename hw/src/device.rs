//! A SCSI device behind a transport: sends typed commands, tells trouble from success, repeats what may be repeated.

use std::sync::Arc;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::clock::{Clock, RealClock};
use crate::scsi::inquiry::{Inquiry, VpdData, VpdPage};
use crate::scsi::{Command, Condition, DecodeError, DeviceType, NextStep, Sense};
use crate::transport::{Data, Reply, Status, Transport, TransportError};

/// VPD page with the serial number of the unit.
const UNIT_SERIAL_NUMBER: u8 = 0x80;

/// Bytes of standard INQUIRY data that are asked for.
const INQUIRY_BYTES: u16 = 36;

/// How long a device may say that it is busy.
const BUSY_LIMIT: Duration = Duration::from_secs(60);
/// How long to wait before a busy device is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// Unit attentions that are taken one behind the other; a device that has still more to tell is out of order.
pub(crate) const ATTENTIONS_MAX: u32 = 8;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// It did not come through.
    #[error(transparent)]
    Transport(#[from] TransportError),

    /// The device objects.
    #[error("{0}{hint}", hint = hint(.0.condition()))]
    Sense(Sense),

    /// Another host or program has the device for itself.
    #[error("the device is reserved by {}; release it there, or wait", holder_name(*.holder))]
    Reserved {
        /// Its reservation key, where the device tells it.
        holder: Option<u64>,
    },

    /// The device is busy and does not say why.
    #[error("the device has been busy for {} s; try again later", BUSY_LIMIT.as_secs())]
    Busy,

    /// A status that no device should send.
    #[error("the device answered with status {0:#04x}")]
    Status(u8),

    /// A check condition with sense that cannot be read, or without.
    #[error("the device objects, and does not say why")]
    NoSense,

    /// The answer cannot be understood.
    #[error("the device sent something that cannot be understood: {0}")]
    Answer(#[from] DecodeError),

    /// The answer can be understood, and is not acceptable.
    #[error("{0}")]
    Refused(String),

    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl DeviceError {
    /// What the device said to the command, where it said something.
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::Sense(sense) if !sense.deferred => Some(sense.condition()),
            _ => None,
        }
    }

    /// Whether the device does not have what was asked for.
    pub fn is_unsupported(&self) -> bool {
        self.condition().is_some_and(Condition::is_unsupported)
    }
}

/// What an operator can do about a condition.
fn hint(condition: Condition) -> &'static str {
    match condition {
        Condition::Offline => "; switch the device on line",
        Condition::CleaningCartridge => "; a cleaning cartridge is in the drive, unload it",
        Condition::CleaningFailed => "; use another cleaning cartridge",
        Condition::NotUnloaded => "; unload the drive first (eject-before-unload of the changer)",
        Condition::RemovalPrevented => "; another host or program has locked the medium in",
        Condition::ImportExportAccessed => "; close the import/export door",
        Condition::IncompatibleMedium => "; this drive cannot use this kind of medium",
        Condition::CartridgeFault => "; put the cartridge aside",
        Condition::ReadError | Condition::WriteError | Condition::MediumError => {
            "; clean the drive, try another drive or another copy"
        }
        Condition::HardwareError => "; see the drive's own display and its tape alerts",
        _ => "",
    }
}

fn holder_name(holder: Option<u64>) -> String {
    match holder {
        Some(key) => format!("another host (reservation key {key:016x})"),
        None => "another host or program".to_owned(),
    }
}

/// A command that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Bytes that moved.
    pub transferred: usize,
    /// What the device said to it: a filemark, an early warning, a recovered error.
    pub sense: Option<Sense>,
}

impl Done {
    /// What the device said, in a word.
    pub fn condition(&self) -> Condition {
        self.sense.map_or(Condition::Fine, |sense| sense.condition())
    }
}

/// A device, and the way to it.
pub struct ScsiDevice {
    transport: Box<dyn Transport>,
    cancel: Cancel,
    clock: Arc<dyn Clock>,
    /// The worst that was told to commands that have nothing to lose: who has hears of it later.
    unsettled: Option<Sense>,
    /// Commands that did not do their work.
    failures: u64,
}

/// What a device told. It holds until a command does not do its work, be it only that a unit attention came first: then
/// anything may be otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Told<T> {
    value: T,
    /// The device's count of failures then.
    failures: u64,
}

/// What is gone where a device says something that its command was not about, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Taken {
    /// The key.
    Key,
    /// Mode settings, and maybe the key.
    Settings,
    /// All of these and the reservation: another may have moved the tape.
    Reservation,
    /// All of these and the place, and what was in the buffer.
    Place,
    /// The medium may be another.
    Medium,
    /// Something that was reported as done was not.
    Data,
}

impl Taken {
    /// What is gone after this was told; `None` where nothing is.
    pub(crate) fn by(sense: &Sense) -> Option<Self> {
        if sense.deferred {
            return Some(Self::Data);
        }
        match sense.condition() {
            Condition::EncryptionChanged => Some(Self::Key),
            Condition::ModeChanged => Some(Self::Settings),
            Condition::ReservationLost => Some(Self::Reservation),
            Condition::Reset => Some(Self::Place),
            Condition::MediumChanged => Some(Self::Medium),
            _ => None,
        }
    }
}

/// Of two things that were told the one that takes more away.
pub(crate) fn worse(one: Sense, other: Sense) -> Sense {
    if Taken::by(&other) > Taken::by(&one) { other } else { one }
}

impl ScsiDevice {
    /// A device behind a transport. `cancel` ends waiting, not a command that runs.
    pub fn new(transport: Box<dyn Transport>, cancel: Cancel) -> Self {
        Self { transport, cancel, clock: Arc::new(RealClock), unsettled: None, failures: 0 }
    }

    /// The same device by another time.
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Tells the way to it that another medium may be in the drive by now.
    pub(crate) fn medium_may_be_another(&mut self) {
        self.transport.medium_may_be_another();
    }

    /// The time by which it waits.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// How messages name it.
    pub fn name(&self) -> &str {
        self.transport.device()
    }

    /// Sends a command once; a device that is busy is asked again for a minute.
    ///
    /// # Errors
    /// Everything but success: also unit attentions, and a write that was lost later (deferred sense).
    pub fn send(
        &mut self,
        command: Command,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Done, DeviceError> {
        let outcome = self.send_unless_busy(command, data, timeout);
        self.failures += u64::from(outcome.is_err());
        outcome
    }

    /// Notes what the device told, to be [recalled](Self::recall).
    pub(crate) fn note<T>(&self, value: T) -> Told<T> {
        Told { value, failures: self.failures }
    }

    /// What was noted, if it still holds.
    pub(crate) fn recall<'t, T>(&self, told: &'t Option<Told<T>>) -> Option<&'t T> {
        let holds = |told: &&Told<T>| told.failures == self.failures;
        told.as_ref().filter(holds).map(|told| &told.value)
    }

    fn send_unless_busy(
        &mut self,
        command: Command,
        mut data: Data<'_>,
        timeout: Duration,
    ) -> Result<Done, DeviceError> {
        let cdb = command.to_cdb();
        let started = self.now();
        loop {
            let reply = self.transport.execute(&cdb, data.reborrow(), timeout)?;
            if reply.transferred > data.length() {
                return Err(
                    TransportError::Garbage("more bytes came than there is room for").into()
                );
            }
            if !matches!(reply.status, Status::Busy | Status::TaskSetFull) {
                return read_reply(command, &reply);
            }
            if self.now().saturating_sub(started) >= BUSY_LIMIT {
                return Err(DeviceError::Busy);
            }
            self.pause(BUSY_PAUSE)?;
        }
    }

    /// The worst that [`ask`](Self::ask) heard and that took data, settings, key or position away.
    pub fn take_unsettled(&mut self) -> Option<Sense> {
        self.unsettled.take()
    }

    /// Keeps what was told until somebody asks [`take_unsettled`](Self::take_unsettled).
    pub(crate) fn unsettle(&mut self, sense: Sense) {
        self.unsettled = Some(self.unsettled.map_or(sense, |before| worse(before, sense)));
    }

    /// Sends a command that depends on nothing a unit attention could have changed. These are passed over; who has
    /// settings to lose asks [`take_unsettled`](Self::take_unsettled) before going on. A write that turns out to be
    /// lost is kept for that too: who asks may have nothing to do with it.
    pub fn ask(
        &mut self,
        command: Command,
        mut data: Data<'_>,
        timeout: Duration,
    ) -> Result<Done, DeviceError> {
        let mut attentions = 0;
        loop {
            let outcome = self.send(command, data.reborrow(), timeout);
            let Err(DeviceError::Sense(sense)) = &outcome else { return outcome };
            if Taken::by(sense).is_some() {
                self.unsettle(*sense);
            }
            let next = sense.condition().next_step();
            let passes = matches!(next, NextStep::Repeat | NextStep::Restore);
            if !passes || sense.deferred || attentions == ATTENTIONS_MAX {
                return outcome;
            }
            attentions += 1;
        }
    }

    /// Asks for data; as many bytes as came, at most `allocation`.
    pub fn ask_data(
        &mut self,
        command: Command,
        allocation: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, DeviceError> {
        let mut buffer = vec![0; allocation];
        let done = self.ask(command, Data::In(&mut buffer), timeout)?;
        buffer.truncate(done.transferred);
        Ok(buffer)
    }

    /// Waits, unless somebody asks to stop.
    pub fn pause(&self, pause: Duration) -> Result<(), DeviceError> {
        /// So often a waiting task looks whether it should stop.
        const STEP: Duration = Duration::from_millis(100);
        let until = self.now() + pause;
        loop {
            if self.cancel.cancelled() {
                return Err(DeviceError::Cancelled);
            }
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                return Ok(());
            }
            self.clock.wait(left.min(STEP));
        }
    }
}

/// Whether a command can meet the end of data and have done its work all the same. Whatever else is answered with a
/// blank check was not done.
fn may_meet_the_end(command: Command) -> bool {
    matches!(
        command,
        Command::Read { .. }
            | Command::Verify { .. }
            | Command::Space6 { .. }
            | Command::Space16 { .. }
            | Command::Locate10 { .. }
            | Command::Locate16 { .. }
    )
}

fn read_reply(command: Command, reply: &Reply) -> Result<Done, DeviceError> {
    let transferred = reply.transferred;
    match reply.status {
        Status::Good => Ok(Done { transferred, sense: None }),
        Status::ReservationConflict => Err(DeviceError::Reserved { holder: None }),
        Status::CheckCondition if reply.sense.is_empty() => Err(DeviceError::NoSense),
        Status::CheckCondition => {
            let sense = Sense::decode(&reply.sense)?;
            let condition = sense.condition();
            let fits = condition != Condition::EndOfData || may_meet_the_end(command);
            if condition.next_step() == NextStep::GoOn && fits && !sense.deferred {
                return Ok(Done { transferred, sense: Some(sense) });
            }
            Err(DeviceError::Sense(sense))
        }
        other => Err(DeviceError::Status(other.to_byte())),
    }
}

/// Who made a device, what it is, and its serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Vendor.
    pub vendor: String,
    /// Product.
    pub product: String,
    /// Firmware revision.
    pub revision: String,
    /// Serial number of the unit, where it tells one.
    pub serial: Option<String>,
}

/// Asks the device behind a transport what it is. Nothing but INQUIRY is sent, which disturbs nobody.
///
/// # Errors
/// It does not answer, or is of another kind.
pub fn identify(kind: DeviceType, transport: Box<dyn Transport>) -> crate::Result<DeviceIdentity> {
    let mut device = ScsiDevice::new(transport, Cancel::new());
    let inquired = device.inquire(kind);
    let inquiry =
        inquired.map_err(|error| crate::Error::device("identify", device.name(), error))?;
    Ok(DeviceIdentity {
        vendor: inquiry.vendor,
        product: inquiry.product,
        revision: inquiry.revision,
        serial: device.serial_number(),
    })
}

impl ScsiDevice {
    /// Who made the device and what it is: of the kind that is expected.
    ///
    /// # Errors
    /// It does not answer, or is of another kind.
    pub fn inquire(&mut self, kind: DeviceType) -> Result<Inquiry, DeviceError> {
        let inquiry = Inquiry::decode(&self.inquiry(None, INQUIRY_BYTES)?)?;
        inquiry.expect(kind).map_err(DeviceError::Refused)?;
        Ok(inquiry)
    }

    /// Serial number of the unit, where it tells one.
    pub fn serial_number(&mut self) -> Option<String> {
        let page = self.inquiry(Some(UNIT_SERIAL_NUMBER), 252).ok()?;
        match VpdData::decode_page(&page, UNIT_SERIAL_NUMBER).ok()? {
            VpdPage::UnitSerialNumber(serial) => Some(serial),
            _ => None,
        }
    }

    fn inquiry(&mut self, page: Option<u8>, allocation: u16) -> Result<Vec<u8>, DeviceError> {
        /// INQUIRY is answered at once.
        const LIMIT: Duration = Duration::from_secs(30);
        let command = Command::Inquiry { page, allocation };
        self.ask_data(command, usize::from(allocation), LIMIT)
    }
}
