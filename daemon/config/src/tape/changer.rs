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
    /// Storage slots that count as import/export slots; ascending, each once.
    pub export_slots: Vec<u32>,
    /// A drive ejects its medium before the changer takes it.
    pub eject_before_unload: bool,
}

/// Checks a list of slot numbers.
pub(super) fn check_slots(text: &str) -> Result<(), ParseError> {
    parse_slots(text).map(drop)
}

fn parse_slots(text: &str) -> Result<Vec<u32>, ParseError> {
    Ok(text.parse::<SlotList>()?.slots().to_vec())
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
            export_slots: section.get("export-slots").map_or(Ok(Vec::new()), parse_slots)?,
            eject_before_unload: eject.unwrap_or(false),
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "path", Some(&self.path));
        let slots: Vec<_> = self.export_slots.iter().map(u32::to_string).collect();
        let before = section.get("export-slots").and_then(|text| parse_slots(text).ok());
        if slots.is_empty() {
            section.unset("export-slots");
        } else if before.as_ref() != Some(&self.export_slots) {
            section.set("export-slots", [slots.join(",")]);
        }
        put_bool(section, "eject-before-unload", self.eject_before_unload.then_some(true));
    }

    /// The path is no other changer's.
    fn check(&self, before: Option<&Self>, others: &Document) -> Result<(), ConfigError> {
        if before.is_some_and(|before| before.path == self.path) {
            return Ok(());
        }
        if !self.path.is_emulated() {
            self.path.check_absolute("device of a changer")?;
        }
        check_path_is_free::<Self>(&self.name, &self.path, others)
    }
}

impl ChangerConfig {
    /// Fails where a drive of the file is in the changer.
    pub(crate) fn check_unused(name: &ChangerName, document: &Document) -> Result<(), ConfigError> {
        let uses = |section: &&Section| {
            section.kind() == LtoDriveConfig::SECTION
                && section.get("changer") == Some(name.as_str())
        };
        let Some(drive) = document.sections().iter().find(uses) else { return Ok(()) };
        let reason = format!("drive '{}' is in it; remove or change that first", drive.id());
        Err(ConfigError::Invalid { kind: Self::KIND, name: name.to_string(), reason })
    }
}
