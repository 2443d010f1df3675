//! Media changers.

use reel_types::commands::SlotList;
use reel_types::{ChangerName, ParseError};

use super::{LtoDriveConfig, check_path_is_free};
use crate::entries::{Entry, put, put_bool, value};
use crate::section::{Document, Section};
use crate::settings::ConfigPath;
use crate::{ConfigError, SectionFile};

/// A media changer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangerConfig {
    /// Its name.
    pub name: ChangerName,
    /// A device node or link, or `emulated:FOLDER`.
    pub path: ConfigPath,
    /// Storage slots that count as import/export slots.
    pub export_slots: SlotList,
    /// A drive ejects its medium before the changer takes it.
    pub eject_before_unload: bool,
}

impl Entry for ChangerConfig {
    const KIND: &'static str = "changer";
    const SECTION: &'static str = "changer";
    const FILE: &'static SectionFile = &super::FILE;
    const DELETABLE: &'static [&'static str] = &["eject-before-unload", "export-slots"];
    type Name = ChangerName;

    fn name(&self) -> &ChangerName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let eject = section.get("eject-before-unload").map(reel_types::parse_bool).transpose()?;
        Ok(Self {
            name: section.id().parse()?,
            path: value(section, "path")?.map_or_else(|| "".parse(), Ok)?,
            export_slots: value(section, "export-slots")?.unwrap_or_default(),
            eject_before_unload: eject.unwrap_or(false),
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "path", Some(&self.path));
        let slots = Some(&self.export_slots).filter(|slots| !slots.is_empty());
        put(section, "export-slots", slots);
        put_bool(section, "eject-before-unload", self.eject_before_unload.then_some(true));
    }

    /// The path is no other changer's, and drives in it stay in its library.
    fn check(&self, before: Option<&Self>, others: &Document) -> Result<(), ConfigError> {
        if before.is_some_and(|before| before.path == self.path) {
            return Ok(());
        }
        if !self.path.is_emulated() {
            self.path.check_absolute("device of a changer")?;
        }
        check_path_is_free::<Self>(&self.name, &self.path, others)?;
        for drive in self.drives_in(others) {
            LtoDriveConfig::read(drive)?.check_is_in(&self.path)?;
        }
        Ok(())
    }

    /// No drive is in it.
    fn check_removal(&self, others: &Document) -> Result<(), ConfigError> {
        let Some(drive) = self.drives_in(others).next() else { return Ok(()) };
        let reason = format!("drive '{}' is in it; remove or change that first", drive.id());
        Err(ConfigError::Invalid { kind: Self::KIND, name: self.name.to_string(), reason })
    }
}

impl ChangerConfig {
    fn drives_in<'d>(&self, document: &'d Document) -> impl Iterator<Item = &'d Section> {
        document.sections().iter().filter(|section| {
            section.kind() == LtoDriveConfig::SECTION
                && section.get("changer") == Some(self.name.as_str())
        })
    }
}
