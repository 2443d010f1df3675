//! Opening a drive, and leaving it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::settings::Protection;
use super::{LtoDrive, Written, ready::Readiness, timeouts};
use crate::cancel::Cancel;
use crate::clock::{Clock, RealClock};
use crate::device::{DeviceError, ScsiDevice};
use crate::drive::{DriveCounters, FeedWatch};
use crate::error::Result;
use crate::scsi::density::Density;
use crate::scsi::reservation::{EXCLUSIVE_ACCESS, OutParameters, ReservationReport, ServiceAction};
use crate::scsi::{Command, DeviceType};
use crate::transport::{Data, Transport};

/// Our reservation key. All hosts with reelfs share it: who holds a reservation is decided by the host's port.
const RESERVATION_KEY: u64 = u64::from_be_bytes(*b"reelfs\0\x01");

type Attempt<T> = std::result::Result<T, DeviceError>;

/// Whether blocks carry a CRC between host and drive (spec scsi.md §18, "Setting").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProtectionChoice {
    /// No.
    Off,
    /// When they are read.
    Read,
    /// When they are written.
    Write,
    /// Both; a drive that cannot is not opened.
    On,
    /// Both, where the drive can.
    #[default]
    Auto,
}

/// How a drive is to be used.
#[derive(Debug, Clone)]
pub struct LtoOptions {
    /// The drive compresses.
    pub compression: bool,
    /// CRCs with blocks.
    pub protection: ProtectionChoice,
    /// How long to wait for a drive that is getting ready, unless it calibrates.
    pub ready_limit: Duration,
    /// Reserve the drive, where it can be.
    pub reserve: bool,
    /// Open it at once to look at it, and leave it as it is: it is neither reserved nor waited for, no medium is loaded
    /// and nothing is set. Works on a drive that is calibrating. Then only what tells of drive and medium may be asked
    /// ([`facts`](crate::TapeDrive::facts), alerts, statistics, cartridge memory); all else is refused.
    ///
    /// What a drive has to tell it tells a host once: whoever looks while another handle of this host works takes unit
    /// attentions from it that it needs.
    pub only_status: bool,
    /// Hears what is waited for.
    pub on_wait: WaitListener,
    /// By what waiting goes.
    pub clock: Arc<dyn Clock>,
}

/// What a drive that is not ready yet is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It gets a medium ready.
    Loading,
    /// It learns a medium that it has for the first time, which takes up to two hours (LTO-9).
    Calibrating,
}

/// Is told, about once a second while a drive is waited for, what that is for.
#[derive(Clone, Default)]
pub struct WaitListener(Option<Arc<dyn Fn(Wait) + Send + Sync>>);

impl WaitListener {
    /// One that calls `tell`.
    pub fn new(tell: impl Fn(Wait) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub(super) fn tell(&self, wait: Wait) {
        if let Some(tell) = &self.0 {
            tell(wait);
        }
    }
}

impl fmt::Debug for WaitListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "WaitListener" } else { "nobody" })
    }
}

impl Default for LtoOptions {
    fn default() -> Self {
        Self {
            compression: true,
            protection: ProtectionChoice::Auto,
            ready_limit: Duration::from_secs(600),
            reserve: true,
            only_status: false,
            on_wait: WaitListener::default(),
            clock: Arc::new(RealClock),
        }
    }
}

impl LtoDrive {
    /// Opens the drive behind a transport: reserves it, loads a medium that sits in it, waits until that is ready and
    /// sets compression, variable blocks, buffering and block protection. A drive without medium opens too, and so does
    /// one whose medium is of no use but to be taken out, or formatted.
    ///
    /// # Errors
    /// Not a tape drive; reserved by another; not ready within the limit; a setting that the drive does not take.
    pub fn open(
        transport: Box<dyn Transport>,
        options: LtoOptions,
        cancel: &Cancel,
    ) -> Result<Self> {
        let mut drive = Self {
            device: ScsiDevice::new(transport, cancel.clone())
                .with_clock(Arc::clone(&options.clock)),
            options,
            place: None,
            astray: false,
            behind_filemark: false,
            written: Written::Flushed,
            restoring: false,
            prepared: false,
            write_protected: None,
            protection: Protection::OFF,
            protection_page: None,
            key: None,
            encryption: None,
            algorithm: None,
            serial: None,
            file_offset: 0,
            buffer: Vec::new(),
            counters: DriveCounters::default(),
            feed: FeedWatch::new(Density::Unknown),
            reserved: false,
            robot: None,
        };
        drive.begin().map_err(|error| drive.explain("open", error))?;
        if !drive.options.only_status {
            drive.begin_with_medium()?;
        }
        Ok(drive)
    }

    fn begin(&mut self) -> Attempt<()> {
        self.device.inquire(DeviceType::Tape)?;
        if self.options.reserve && !self.options.only_status {
            self.reserve()?;
        }
        Ok(())
    }

    /// Readies whatever is in the drive. Where it turns out to be of no use the drive is open all the same.
    fn begin_with_medium(&mut self) -> Result<()> {
        const WHAT: &str = "open";
        match self.wait_ready().map_err(|error| self.explain(WHAT, error))? {
            Readiness::Empty | Readiness::Coming(_) => {}
            Readiness::NeedsLoad => self.load_now()?,
            Readiness::Ready => {
                self.prepare().map_err(|error| self.explain(WHAT, error))?;
                // On a medium of several partitions, or at an unknown place, going elsewhere still makes sense.
                let _ = self.position_now(WHAT);
            }
            // Maybe it can be formatted.
            Readiness::Unusable(_) => drop(self.prepare()),
        }
        Ok(())
    }

    /// Takes the drive for this host. A drive that knows no reservations is used without.
    fn reserve(&mut self) -> Attempt<()> {
        let register = OutParameters { key: 0, new_key: RESERVATION_KEY };
        // From here on the drive may have done it, whatever its answer is, so that it is undone at the end.
        self.reserved = true;
        match self.reservation(ServiceAction::RegisterAndIgnore, &register) {
            Err(error) if error.is_unsupported() => {
                self.reserved = false;
                self.options.reserve = false;
                return Ok(());
            }
            other => other?,
        }
        let ours = OutParameters { key: RESERVATION_KEY, new_key: 0 };
        match self.reservation(ServiceAction::Reserve, &ours) {
            Err(DeviceError::Reserved { .. }) => {
                let holder = self.reservation_holder();
                let _ = self.unregister();
                self.reserved = false;
                Err(DeviceError::Reserved { holder })
            }
            other => other,
        }
    }

    /// After something may have taken the reservation, unless none is wanted.
    pub(super) fn reserve_again(&mut self) -> Attempt<()> {
        if self.options.reserve { self.reserve() } else { Ok(()) }
    }

    fn reservation(&mut self, action: ServiceAction, parameters: &OutParameters) -> Attempt<()> {
        let command = Command::PersistentReserveOut {
            service_action: action as u8,
            scope_type: EXCLUSIVE_ACCESS,
            length: OutParameters::BYTES,
        };
        self.device.ask(command, Data::Out(&parameters.encode()), timeouts::QUICK).map(drop)
    }

    /// The key of who holds the reservation.
    fn reservation_holder(&mut self) -> Option<u64> {
        const READ_RESERVATION: u8 = 1;
        const BYTES: u16 = 24;
        let command =
            Command::PersistentReserveIn { service_action: READ_RESERVATION, allocation: BYTES };
        let bytes = self.device.ask_data(command, usize::from(BYTES), timeouts::QUICK).ok()?;
        ReservationReport::decode(&bytes).ok()?.held.map(|(key, _)| key)
    }

    /// Takes our key back, and with it the reservation (SPC-5 §5.13.11.2.3).
    fn unregister(&mut self) -> Attempt<()> {
        let parameters = OutParameters { key: RESERVATION_KEY, new_key: 0 };
        self.reservation(ServiceAction::Register, &parameters)
    }

    /// Leaves the drive as other software expects it: without key, without block protection, free. What cannot be
    /// done now cannot be done at all; the next open begins by doing it again.
    pub(super) fn leave(&mut self) {
        if let Err(error) = self.clear_settings() {
            tracing::warn!(
                drive = self.device.name(), %error,
                "the drive may still have its encryption key or block protection: other programs cannot use it until \
                 it is opened here again or reset"
            );
        }
        // The reservation would keep other hosts out for ever.
        if self.reserved && self.unregister().is_err() {
            let _ = self.unregister();
        }
        self.reserved = false;
    }
}
