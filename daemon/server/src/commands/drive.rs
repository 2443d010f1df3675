//! Drives (`cli-tape.md` §6).

use std::path::Path;
use std::time::Duration;

use reel_config::{ConfigPath, LtoDriveConfig, LtoDrives, VirtualDrive, VirtualDrives};
use reel_hw::discovery::Discovery;
use reel_hw::scsi::DeviceType;
use reel_types::commands::results::{DriveConfigEntry, DriveListEntry, ScanEntry};
use reel_types::commands::{
    DriveConfig, DriveCreate, DrivePath, DriveProperty, DriveRemove, DriveUpdate,
};

use super::Done;
use super::changer::make_library;
use crate::drives::ConfiguredDrive;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// How long a command waits for a drive that is busy (`tape-state.md` §2).
pub(super) const DRIVE_WAIT: Duration = Duration::from_secs(10);

impl Reeld {
    pub(super) fn drive_list(&self) -> Outcome<Done> {
        let mut entries = Vec::new();
        for config in self.drives.configs()? {
            let desk = self.drives.desk(config.name())?;
            let identity = self.drives.devices.identify_drive(&config);
            let state = desk.activity();
            entries.push(DriveListEntry {
                path: config.path().to_string(),
                changer: config.changer().cloned(),
                changer_drivenum: drivenum(&config),
                vendor: identity.vendor,
                model: identity.model,
                serial: identity.serial,
                activity: Some(desk.state().as_str().into()),
                state,
                name: config.name().clone(),
            });
        }
        Done::data(entries)
    }

    pub(super) fn drive_scan(&self) -> Outcome<Done> {
        Done::data(scan(DeviceType::Tape)?)
    }

    pub(super) fn drive_config(&self, command: &DriveConfig) -> Outcome<Done> {
        let config = self.drives.config(&command.name)?;
        let max_size = match &config {
            ConfiguredDrive::Virtual(drive) => drive.max_size_bytes.map(|bytes| bytes.to_string()),
            ConfiguredDrive::Lto(..) => None,
        };
        Done::data(DriveConfigEntry {
            path: config.path().to_string(),
            changer: config.changer().cloned(),
            changer_drivenum: drivenum(&config),
            max_size,
            name: config.name().clone(),
        })
    }

    pub(super) fn drive_create(&self, command: &DriveCreate) -> Outcome<Done> {
        match &command.path {
            DrivePath::Virtual(folder) => self.create_virtual_drive(command, folder.as_path())?,
            DrivePath::Emulated(_) | DrivePath::Device(_) => self.create_lto_drive(command)?,
        }
        Done::nothing()
    }

    fn create_virtual_drive(&self, command: &DriveCreate, folder: &Path) -> Outcome<()> {
        if command.changer.is_some() || command.changer_drivenum.is_some() {
            return Err(Failure::invalid(
                "a virtual drive is its own changer; leave 'changer' out",
            ));
        }
        let mut drives = self.drives.configs()?.into_iter();
        if let Some(other) = drives.find(|drive| drive.path().as_path() == folder) {
            let text = format!("'{}' is drive '{}' already", folder.display(), other.name());
            return Err(Failure::new(nix::libc::EEXIST, text));
        }
        std::fs::create_dir_all(folder).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
            Failure::new(errno, format!("create the folder '{}': {error}", folder.display()))
        })?;
        let text = folder.to_str().ok_or_else(|| Failure::invalid("the path must be UTF-8"))?;
        VirtualDrives::new(&self.config).create(&VirtualDrive {
            name: command.name.clone(),
            path: text.parse()?,
            max_size_bytes: command.max_size.map(|size| size.bytes()),
        })?;
        Ok(())
    }

    fn create_lto_drive(&self, command: &DriveCreate) -> Outcome<()> {
        if command.max_size.is_some() {
            return Err(Failure::invalid("'max-size' is for virtual drives; leave it out"));
        }
        let config = LtoDriveConfig {
            name: command.name.clone(),
            path: command.path.to_string().parse()?,
            changer: command.changer.clone(),
            changer_drivenum: command.changer_drivenum.map_or(0, |number| number.get() as u8),
        };
        self.expect_drive(&command.path, &config)?;
        LtoDrives::new(&self.config).create(&config)?;
        Ok(())
    }

    pub(super) fn drive_update(&self, command: &DriveUpdate) -> Outcome<Done> {
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        let unnumbered = command.delete.contains(&DriveProperty::Changer);
        if matches!(command.path, Some(DrivePath::Virtual(_))) {
            let text = "a drive does not become a virtual one; remove it and create another";
            return Err(Failure::invalid(text));
        }
        let path: Option<ConfigPath> =
            command.path.as_ref().map(|path| path.to_string().parse()).transpose()?;
        LtoDrives::new(&self.config).update(&command.name, &delete, None, |config| {
            if unnumbered {
                config.changer_drivenum = 0;
            }
            config.path = path.unwrap_or(config.path.clone());
            config.changer = command.changer.clone().or(config.changer.take());
            if let Some(number) = command.changer_drivenum {
                config.changer_drivenum = number.get() as u8;
            }
            Ok(())
        })?;
        self.drives.let_go_of_unconfigured()?;
        Done::nothing()
    }

    /// A device must be a tape drive; the folder of an emulated library gets one if it has none.
    fn expect_drive(&self, path: &DrivePath, config: &LtoDriveConfig) -> Outcome<()> {
        if let DrivePath::Emulated(folder) = path {
            make_library(folder.as_path())?;
        }
        let identity =
            self.drives.devices.identify(DeviceType::Tape, self.drives.devices.drive(config)?);
        identity.map(drop).map_err(Failure::from)
    }

    pub(super) fn drive_remove(&self, command: &DriveRemove) -> Outcome<Done> {
        let desk = self.drives.desk(&command.name)?;
        if let Some(holder) = desk.activity() {
            let text = format!("drive '{}' is busy ({holder}); try again later", command.name);
            return Err(Failure::new(nix::libc::EBUSY, text));
        }
        match self.drives.config(&command.name)? {
            ConfiguredDrive::Virtual(drive) => {
                VirtualDrives::new(&self.config).remove(&drive.name, None).map(drop)?;
            }
            ConfiguredDrive::Lto(drive, _) => {
                LtoDrives::new(&self.config).remove(&drive.name, None).map(drop)?;
            }
        }
        self.drives.let_go_of_unconfigured()?;
        Done::nothing()
    }
}

fn drivenum(config: &ConfiguredDrive) -> Option<u64> {
    Some(u64::from(config.number_in_changer())).filter(|number| *number != 0)
}

/// What the system knows of a kind of device.
pub(super) fn scan(kind: DeviceType) -> Outcome<Vec<ScanEntry>> {
    let found = Discovery::default().scan(kind).map_err(|error| {
        let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
        Failure::new(errno, format!("look for devices in /sys: {error}"))
    })?;
    let word = match kind {
        DeviceType::Tape => "tape",
        DeviceType::Changer => "changer",
    };
    let entry = |device: reel_hw::discovery::FoundDevice| ScanEntry {
        kind: word.to_owned(),
        major: u64::from(device.major),
        minor: u64::from(device.minor),
        model: device.model,
        path: device.path.display().to_string(),
        serial: device.serial,
        vendor: device.vendor,
    };
    Ok(found.into_iter().map(entry).collect())
}
