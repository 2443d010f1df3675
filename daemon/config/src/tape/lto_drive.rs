//! LTO drives.

use reel_types::{ChangerName, DriveName, ParseError};

use super::{ChangerConfig, check_path_is_free};
use crate::entries::{Entry, entries_of, put, value};
use crate::section::{Document, Section};
use crate::settings::ConfigPath;
use crate::{ConfigError, SectionFile};

/// An LTO drive.
#[derive(Debug, Clone, PartialEq)]
pub struct LtoDriveConfig {
    /// Its name.
    pub name: DriveName,
    /// A device node or link, or `emulated:FOLDER`.
    pub path: ConfigPath,
    /// The changer that it is in.
    pub changer: Option<ChangerName>,
    /// Its number in there.
    pub changer_drivenum: u8,
}

impl Entry for LtoDriveConfig {
    const KIND: &'static str = "drive";
    const SECTION: &'static str = "lto";
    const FILE: &'static SectionFile = &super::FILE;
    const DELETABLE: &'static [&'static str] = &["changer", "changer-drivenum"];
    type Name = DriveName;

    fn name(&self) -> &DriveName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let number = section.get("changer-drivenum").map(|text| {
            let refuse = |_| ParseError::new("drive number", text, "must be 0 to 255");
            text.parse::<u8>().map_err(refuse)
        });
        Ok(Self {
            name: section.id().parse()?,
            path: value(section, "path")?.map_or_else(|| "".parse(), Ok)?,
            changer: value(section, "changer")?,
            changer_drivenum: number.transpose()?.unwrap_or(0),
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "path", Some(&self.path));
        put(section, "changer", self.changer.as_ref());
        match (&self.changer, self.changer_drivenum) {
            (None, _) | (_, 0) => section.unset("changer-drivenum"),
            (_, number) => section.set("changer-drivenum", [number.to_string()]),
        }
    }

    /// The path is no other drive's, the changer is there, and a number only goes with one.
    fn check(&self, before: Option<&Self>, others: &Document) -> Result<(), ConfigError> {
        if self.changer.is_none() && self.changer_drivenum != 0 {
            return Err(self.invalid("changer-drivenum needs changer".to_owned()));
        }
        if let Some(changer) = &self.changer {
            let found = others.get(changer.as_str());
            let found = found.filter(|section| section.kind() == ChangerConfig::SECTION);
            let Some(section) = found else {
                return Err(self.invalid(format!("there is no changer '{changer}'")));
            };
            self.check_is_in(&ChangerConfig::read(section)?.path)?;
        }
        if self.path.is_emulated() {
            return self.check_is_alone(others);
        }
        if before.is_some_and(|before| before.path == self.path) {
            return Ok(());
        }
        self.path.check_absolute("device of a drive")?;
        check_path_is_free::<Self>(&self.name, &self.path, others)
    }
}

impl LtoDriveConfig {
    /// Fails where the drive and a changer with that path can't be in one library: all parts of an emulated one have
    /// its folder as their path.
    pub(super) fn check_is_in(&self, changer: &ConfigPath) -> Result<(), ConfigError> {
        if self.path == *changer || !(self.path.is_emulated() || changer.is_emulated()) {
            return Ok(());
        }
        let reason = format!("{} is in another library than the changer at {changer}", self.path);
        Err(self.invalid(reason))
    }

    /// Fails where another drive is the same one of an emulated library.
    fn check_is_alone(&self, others: &Document) -> Result<(), ConfigError> {
        let same = |other: &Self| {
            other.name != self.name
                && (&other.path, other.changer_drivenum) == (&self.path, self.changer_drivenum)
        };
        let Some(other) = entries_of::<Self>(others)?.into_iter().find(same) else { return Ok(()) };
        let Self { path, changer_drivenum, .. } = self;
        let reason =
            format!("drive '{}' is drive {changer_drivenum} of {path} already", other.name);
        Err(self.invalid(reason))
    }

    fn invalid(&self, reason: String) -> ConfigError {
        ConfigError::Invalid { kind: Self::KIND, name: self.name.to_string(), reason }
    }
}
