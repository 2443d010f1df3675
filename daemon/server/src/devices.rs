//! The devices behind the configuration: `virtual:` folders, SCSI drives and changers, emulated libraries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reel_config::{ChangerConfig, ConfigPath, LtoDriveConfig};
use reel_emu::{Device, EmulatedLibrary, Host};
use reel_hw::scsi::DeviceType;
use reel_hw::scsi_changer::Ejector;
use reel_hw::transport::Transport;
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, LtoDrive, LtoOptions, QueuedChanger, RobotQueue,
    ScsiChanger, SlotNumber, TapeDrive, VirtualDrive, VirtualLibrary, VirtualOptions,
};
use reel_tape::DriveOpener;
use reel_types::ChangerName;

use crate::drives::ConfiguredDrive;

/// Opens a `virtual:` drive.
pub(crate) struct VirtualOpener(pub(crate) VirtualOptions);

impl DriveOpener for VirtualOpener {
    fn open(&self, cancel: &Cancel) -> reel_hw::Result<Box<dyn TapeDrive>> {
        Ok(Box::new(VirtualDrive::open(&self.0, cancel)?))
    }

    fn library(&self) -> Option<Box<dyn Changer>> {
        Some(Box::new(VirtualLibrary::new(self.0.clone(), Cancel::new())))
    }

    fn lock_path(&self) -> &Path {
        &self.0.path
    }
}

/// Opens an LTO drive, with the changer that it is in.
pub(crate) struct LtoOpener {
    drive: LtoDriveConfig,
    changer: Option<ChangerConfig>,
    devices: Arc<Devices>,
    lock_path: PathBuf,
}

impl LtoOpener {
    pub(crate) fn new(
        drive: LtoDriveConfig,
        changer: Option<ChangerConfig>,
        devices: Arc<Devices>,
    ) -> Self {
        // Drives of one emulated library share its folder as their path, and not their lock.
        let lock_path = match drive.path.emulated_folder() {
            Some(folder) => folder.join(format!("drive{}", drive.changer_drivenum)),
            None => drive.path.as_path().to_owned(),
        };
        Self { drive, changer, devices, lock_path }
    }

    fn number(&self) -> DriveNumber {
        DriveNumber(u32::from(self.drive.changer_drivenum))
    }
}

impl DriveOpener for LtoOpener {
    fn open(&self, cancel: &Cancel) -> reel_hw::Result<Box<dyn TapeDrive>> {
        let transport = self.devices.drive(&self.drive)?;
        let drive = LtoDrive::open(transport, LtoOptions::default(), cancel)?;
        let Some(changer) = &self.changer else { return Ok(Box::new(drive)) };
        let robot = self.devices.robot(changer, None, cancel)?;
        Ok(Box::new(drive.in_library(robot, self.number(), changer.eject_before_unload)?))
    }

    fn library(&self) -> Option<Box<dyn Changer>> {
        let changer = self.changer.as_ref()?;
        match self.devices.robot(changer, None, &Cancel::new()) {
            Ok(robot) => Some(robot),
            Err(error) => {
                tracing::warn!(changer = %changer.name, %error, "the changer can't be opened");
                None
            }
        }
    }

    fn lock_path(&self) -> &Path {
        &self.lock_path
    }
}

/// What a device says that it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub(crate) vendor: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
}

/// What is open over all commands: emulated libraries, and the queue of each robot.
#[derive(Default)]
pub(crate) struct Devices {
    libraries: Mutex<BTreeMap<PathBuf, (EmulatedLibrary, Host)>>,
    robots: Mutex<BTreeMap<ChangerName, RobotQueue>>,
}

impl Devices {
    /// The way to a drive.
    pub(crate) fn drive(&self, drive: &LtoDriveConfig) -> reel_hw::Result<Box<dyn Transport>> {
        self.transport(&drive.path, Device::Drive(usize::from(drive.changer_drivenum)))
    }

    /// The way to a changer.
    pub(crate) fn changer(&self, path: &ConfigPath) -> reel_hw::Result<Box<dyn Transport>> {
        self.transport(path, Device::Changer)
    }

    fn transport(&self, path: &ConfigPath, device: Device) -> reel_hw::Result<Box<dyn Transport>> {
        match path.emulated_folder() {
            Some(folder) => {
                let (library, host) = self.library(folder)?;
                Ok(Box::new(library.transport_of(&host, device)))
            }
            None => reel_hw::transport::open(path.as_path()),
        }
    }

    /// A changer in the queue of its robot. With an ejector, drives eject before each unload.
    pub(crate) fn robot(
        &self,
        changer: &ChangerConfig,
        ejector: Option<Ejector>,
        cancel: &Cancel,
    ) -> reel_hw::Result<Box<dyn Changer>> {
        let slots = changer.export_slots.iter().filter_map(|slot| SlotNumber::new(*slot));
        let options = ChangerOptions { export_slots: slots.collect(), ..Default::default() };
        let mut robot = ScsiChanger::open(self.changer(&changer.path)?, options, cancel)?;
        if let Some(ejector) = ejector {
            robot = robot.with_ejector(ejector);
        }
        Ok(Box::new(QueuedChanger::new(Box::new(robot), self.queue(&changer.name))))
    }

    /// The queue of a robot.
    pub(crate) fn queue(&self, changer: &ChangerName) -> RobotQueue {
        let mut robots = self.robots.lock().unwrap_or_else(PoisonError::into_inner);
        robots.entry(changer.clone()).or_default().clone()
    }

    /// Who made a drive and what it is; nothing where it does not answer, or is only files.
    pub(crate) fn identify_drive(&self, drive: &ConfiguredDrive) -> Identity {
        let ConfiguredDrive::Lto(drive, _) = drive else { return Identity::default() };
        let transport = self.drive(drive);
        transport.and_then(|way| self.identify(DeviceType::Tape, way)).unwrap_or_default()
    }

    /// Who made a changer and what it is; nothing where it does not answer.
    pub(crate) fn identify_changer(&self, changer: &ChangerConfig) -> Identity {
        let transport = self.changer(&changer.path);
        transport.and_then(|way| self.identify(DeviceType::Changer, way)).unwrap_or_default()
    }

    /// Asks a device what it is.
    pub(crate) fn identify(
        &self,
        kind: DeviceType,
        transport: Box<dyn Transport>,
    ) -> reel_hw::Result<Identity> {
        let found = reel_hw::device::identify(kind, transport)?;
        Ok(Identity {
            vendor: Some(found.vendor),
            model: Some(found.product),
            serial: found.serial,
        })
    }

    /// An emulated library, switched on when it is first wanted, and this daemon as a host of it.
    fn library(&self, folder: &Path) -> reel_hw::Result<(EmulatedLibrary, Host)> {
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((library, host)) = libraries.get(folder) {
            return Ok((library.clone(), *host));
        }
        let opened = EmulatedLibrary::open(folder).map_err(|error| reel_hw::Error::Io {
            action: "open the emulated library in",
            path: folder.to_owned(),
            source: std::io::Error::other(error),
        })?;
        let host = opened.new_host();
        libraries.insert(folder.to_owned(), (opened.clone(), host));
        Ok((opened, host))
    }

    /// Switches those off that nothing is configured to be in.
    pub(crate) fn keep_only(&self, wanted: impl Fn(&Path) -> bool) {
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        libraries.retain(|folder, _| wanted(folder));
    }
}
