//! The devices behind the configuration: `virtual:` folders, SCSI drives and changers, emulated libraries.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reel_config::{ChangerConfig, ConfigPath, LtoDriveConfig};
use reel_emu::{Device, EmulatedLibrary, Host};
use reel_hw::device::{self, DeviceIdentity};
use reel_hw::discovery::FoundDevice;
use reel_hw::scsi::DeviceType;
use reel_hw::transport::Transport;
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, LtoDrive, LtoOptions, QueuedChanger, RobotQueue,
    ScsiChanger, SlotNumber, TapeDrive, VirtualDrive, VirtualOptions,
};
use reel_tape::{DriveOpener, Opening};

use crate::drives::ConfiguredDrive;

/// Opens a `virtual:` drive.
pub(crate) struct VirtualOpener(pub(crate) VirtualOptions);

impl DriveOpener for VirtualOpener {
    fn open(&self, opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        Ok(Box::new(VirtualDrive::open(&self.0, &opening.cancel)?))
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
    fn open(&self, opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        let transport = self.devices.drive_for_use(&self.drive)?;
        let options = LtoOptions {
            only_status: opening.only_status,
            on_wait: opening.on_wait.clone(),
            ..LtoOptions::default()
        };
        let drive = LtoDrive::open(transport, options, &opening.cancel)?;
        let Some(changer) = &self.changer else { return Ok(Box::new(drive)) };
        let robot = self.devices.robot(changer, &opening.cancel);
        Ok(Box::new(drive.in_library(robot, self.number(), changer.eject_before_unload)))
    }

    fn lock_path(&self) -> &Path {
        &self.lock_path
    }
}

/// What is open over all commands: emulated libraries, and the queue of each robot by its device.
#[derive(Default)]
pub(crate) struct Devices {
    libraries: Mutex<BTreeMap<ConfigPath, (EmulatedLibrary, Host)>>,
    robots: Mutex<BTreeMap<ConfigPath, RobotQueue>>,
}

impl Devices {
    /// The way to a drive that no other program uses.
    pub(crate) fn drive_for_use(
        &self,
        drive: &LtoDriveConfig,
    ) -> reel_hw::Result<Box<dyn Transport>> {
        if drive.path.emulated_folder().is_none() {
            reel_hw::transport::expect_no_other_user(drive.path.as_path())?;
        }
        self.drive(drive)
    }

    /// The way to a drive.
    pub(crate) fn drive(&self, drive: &LtoDriveConfig) -> reel_hw::Result<Box<dyn Transport>> {
        self.drive_at(&drive.path, drive.changer_drivenum)
    }

    /// The way to the drive at a path; `number` says which one of an emulated library.
    pub(crate) fn drive_at(
        &self,
        path: &ConfigPath,
        number: u8,
    ) -> reel_hw::Result<Box<dyn Transport>> {
        self.transport(path, Device::Drive(usize::from(number)))
    }

    /// The way to a changer.
    pub(crate) fn changer(&self, path: &ConfigPath) -> reel_hw::Result<Box<dyn Transport>> {
        self.transport(path, Device::Changer)
    }

    fn transport(&self, path: &ConfigPath, device: Device) -> reel_hw::Result<Box<dyn Transport>> {
        let Some(folder) = path.emulated_folder() else {
            return reel_hw::transport::open(path.as_path());
        };
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        let (library, host) = match libraries.entry(path.clone()) {
            Entry::Occupied(running) => running.into_mut(),
            Entry::Vacant(off) => off.insert(switch_on(folder)?),
        };
        Ok(Box::new(library.transport_of(host, device)))
    }

    /// The emulated library at a path, where it is on.
    #[cfg(test)]
    pub(crate) fn emulated(&self, path: &ConfigPath) -> Option<EmulatedLibrary> {
        let libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        libraries.get(path).map(|(library, _)| library.clone())
    }

    /// A changer in the queue of its robot; it is opened when it is first asked for something.
    pub(crate) fn robot(
        self: &Arc<Self>,
        changer: &ChangerConfig,
        cancel: &Cancel,
    ) -> Box<dyn Changer> {
        let queue = self.queue(&changer.path);
        let (devices, changer, cancel) = (Arc::clone(self), changer.clone(), cancel.clone());
        let open = move || devices.open_changer(&changer, &cancel);
        Box::new(QueuedChanger::new(open, queue))
    }

    fn open_changer(
        &self,
        changer: &ChangerConfig,
        cancel: &Cancel,
    ) -> reel_hw::Result<Box<dyn Changer>> {
        let slots = changer.export_slots.slots().iter().copied().filter_map(SlotNumber::new);
        let options = ChangerOptions { export_slots: slots.collect(), ..Default::default() };
        Ok(Box::new(ScsiChanger::open(self.changer(&changer.path)?, options, cancel)?))
    }

    /// The queue of the robot at a path.
    pub(crate) fn queue(&self, path: &ConfigPath) -> RobotQueue {
        let mut robots = self.robots.lock().unwrap_or_else(PoisonError::into_inner);
        robots.entry(path.clone()).or_default().clone()
    }

    /// Who made a drive and what it is; nothing where it does not answer, or is only files.
    pub(crate) fn identify_drive(
        &self,
        drive: &ConfiguredDrive,
        known: &[FoundDevice],
    ) -> Option<DeviceIdentity> {
        let ConfiguredDrive::Lto(drive, _) = drive else { return None };
        let found = identity_at(&drive.path, known);
        found.or_else(|| device::identify(DeviceType::Tape, self.drive(drive).ok()?).ok())
    }

    /// Who made a changer and what it is; nothing where it does not answer.
    pub(crate) fn identify_changer(
        &self,
        path: &ConfigPath,
        known: &[FoundDevice],
    ) -> Option<DeviceIdentity> {
        let found = identity_at(path, known);
        found.or_else(|| device::identify(DeviceType::Changer, self.changer(path).ok()?).ok())
    }

    /// Switches the emulated libraries off that nothing is configured to be in, and forgets what lay in changers that
    /// are not configured.
    pub(crate) fn keep_only(&self, is_wanted: impl Fn(&ConfigPath) -> bool) {
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        libraries.retain(|path, _| is_wanted(path));
        drop(libraries);
        let mut robots = self.robots.lock().unwrap_or_else(PoisonError::into_inner);
        robots.retain(|path, _| is_wanted(path));
    }
}

/// Switches an emulated library on, and makes this daemon a host of it.
fn switch_on(folder: &Path) -> reel_hw::Result<(EmulatedLibrary, Host)> {
    let library = EmulatedLibrary::open(folder)
        .map_err(|error| reel_hw::Error::Other { errno: error.errno(), source: error.into() })?;
    let host = library.new_host();
    Ok((library, host))
}

/// What sysfs knows of the device at a path.
fn identity_at(path: &ConfigPath, known: &[FoundDevice]) -> Option<DeviceIdentity> {
    let found = known.iter().find(|device| device.is_at(path.as_path()))?;
    Some(DeviceIdentity {
        vendor: found.vendor.clone(),
        product: found.model.clone(),
        revision: String::new(),
        serial: Some(found.serial.clone()),
    })
}
