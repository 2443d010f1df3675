//! Drives (`cli-tape.md` §6).

use std::path::Path;
use std::time::Duration;

use reel_config::{ConfigPath, DriveCare, LtoDriveConfig, LtoDrives, VirtualDrive, VirtualDrives};
use reel_hw::device::{self, DeviceIdentity};
use reel_hw::discovery::{Discovery, FoundDevice};
use reel_hw::scsi::DeviceType;
use reel_hw::tool;
use reel_types::DriveName;
use reel_types::commands::results::{DriveConfigEntry, DriveListEntry};
use reel_types::commands::{
    DriveConfig, DriveCreate, DrivePath, DriveProperty, DriveRemove, DriveUpdate,
};

use super::{Done, config_digest};
use crate::drives::ConfiguredDrive;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// How long a command waits for a drive that is busy (`tape-state.md` §2).
pub(crate) const DRIVE_WAIT: Duration = Duration::from_secs(10);

impl Reeld {
    pub(super) fn drive_list(&self) -> Outcome<Done> {
        let known = found_devices(DeviceType::Tape);
        let entry = |config: ConfiguredDrive| {
            let desk = self.drives.desk_of(&config);
            let (vendor, model, serial) =
                vendor_model_serial(self.drives.devices.identify_drive(&config, &known));
            DriveListEntry {
                path: config.path().to_string(),
                changer: config.changer().cloned(),
                changer_drivenum: drivenum(&config),
                vendor,
                model,
                serial,
                activity: Some(desk.state().as_str().into()),
                state: desk.activity(),
                name: config.name().clone(),
            }
        };
        Done::data(self.drives.configs()?.into_iter().map(entry).collect::<Vec<_>>())
    }

    pub(super) fn drive_scan(&self) -> Outcome<Done> {
        Ok(Done::Data(tool::scan(DeviceType::Tape)?))
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
            auto_clean: self.is_cleaned_by_itself(config.name())?.then_some(true),
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
        self.expect_drive(&config.path, config.changer_drivenum)?;
        LtoDrives::new(&self.config).create(&config)?;
        Ok(())
    }

    pub(super) fn drive_update(&self, command: &DriveUpdate) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        if matches!(command.path, Some(DrivePath::Virtual(_))) {
            let text = "a drive does not become a virtual one; remove it and create another";
            return Err(Failure::invalid(text));
        }
        self.expect_idle(&command.name)?;
        let number = command.changer_drivenum.map(|number| number.get() as u8);
        let path: Option<ConfigPath> =
            command.path.as_ref().map(|path| path.to_string().parse()).transpose()?;
        if let Some(path) = &path {
            let configured = self.drives.config(&command.name)?.number_in_changer() as u8;
            self.expect_drive(path, number.unwrap_or(configured))?;
        }
        let unnumbered = command.delete.contains(&DriveProperty::Changer);
        LtoDrives::new(&self.config).update(&command.name, &delete, digest.as_ref(), |config| {
            if unnumbered {
                config.changer_drivenum = 0;
            }
            config.path = path.unwrap_or(config.path.clone());
            config.changer = command.changer.clone().or(config.changer.take());
            config.changer_drivenum = number.unwrap_or(config.changer_drivenum);
            Ok(())
        })?;
        if let Some(auto_clean) = command.auto_clean {
            DriveCare { name: command.name.clone(), auto_clean }.save(&self.config)?;
        }
        self.drives.let_go_of_unconfigured()?;
        Done::nothing()
    }

    /// Fails where nothing at the path answers as a tape drive.
    fn expect_drive(&self, path: &ConfigPath, number: u8) -> Outcome<()> {
        let transport = self.drives.devices.drive_at(path, number)?;
        Ok(device::identify(DeviceType::Tape, transport).map(drop)?)
    }

    /// Fails where somebody uses the drive.
    fn expect_idle(&self, name: &DriveName) -> Outcome<()> {
        let Some(holder) = self.drives.desk(name)?.activity() else { return Ok(()) };
        let text = format!("drive '{name}' is busy ({holder}); try again later");
        Err(Failure::new(nix::libc::EBUSY, text))
    }

    pub(super) fn drive_remove(&self, command: &DriveRemove) -> Outcome<Done> {
        self.expect_idle(&command.name)?;
        match self.drives.config(&command.name)? {
            ConfiguredDrive::Virtual(drive) => {
                VirtualDrives::new(&self.config).remove(&drive.name, None).map(drop)?;
            }
            ConfiguredDrive::Lto(drive, _) => {
                LtoDrives::new(&self.config).remove(&drive.name, None).map(drop)?;
            }
        }
        DriveCare::forget(&self.config, &command.name)?;
        self.drives.let_go_of_unconfigured()?;
        Done::nothing()
    }
}

fn drivenum(config: &ConfiguredDrive) -> Option<u64> {
    Some(u64::from(config.number_in_changer())).filter(|number| *number != 0)
}

/// The devices of a kind that sysfs tells of; a listing does without what it cannot tell.
pub(super) fn found_devices(kind: DeviceType) -> Vec<FoundDevice> {
    Discovery::default().scan(kind).unwrap_or_else(|error| {
        tracing::warn!(%error, "the devices in /sys can't be listed");
        Vec::new()
    })
}

/// The columns of listings that tell what a device is.
pub(super) fn vendor_model_serial(
    identity: Option<DeviceIdentity>,
) -> (Option<String>, Option<String>, Option<String>) {
    identity.map_or((None, None, None), |identity| {
        (Some(identity.vendor), Some(identity.product), identity.serial)
    })
}
