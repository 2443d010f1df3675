//! What the daemon does for a drive by itself, in `reelfs.cfg`.
//!
//! The file is reelfs's own, beside PBS's: a PBS would refuse a whole `tape.cfg` for one key that it does not know
//! (`config.md` §2).

use reel_types::{DriveName, ParseError, parse_bool};

use crate::entries::{Entry, put_bool};
use crate::section::{Key, Schema, Section, SectionType, Unknown, ValueKind};
use crate::{ConfigDir, ConfigError, Entries, SectionFile};

static FILE: SectionFile = SectionFile {
    name: "reelfs.cfg",
    lock: ".reelfs.lck",
    schema: Schema {
        types: &[SectionType {
            name: "drive",
            check_id: |id| id.parse::<DriveName>().map(drop),
            keys: &[Key::optional("auto-clean", ValueKind::Bool)],
            check: |section| DriveCare::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Keep,
        unknown_keys: Unknown::Keep,
    },
};

/// What is done for a drive without a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveCare {
    /// The drive.
    pub name: DriveName,
    /// It is cleaned when it asks for it and nobody uses it.
    pub auto_clean: bool,
}

impl DriveCare {
    /// What is configured for a drive; nothing is done for one that the file does not name.
    pub fn of(dir: &ConfigDir, name: &DriveName) -> Result<Self, ConfigError> {
        match Entries::<Self>::new(dir).get(name) {
            Err(ConfigError::NotFound { .. }) => Ok(Self { name: name.clone(), auto_clean: false }),
            other => other,
        }
    }

    /// Makes it so.
    pub fn save(&self, dir: &ConfigDir) -> Result<(), ConfigError> {
        Entries::<Self>::new(dir).put(self)
    }

    /// Forgets a drive; one that is not there is fine.
    pub fn forget(dir: &ConfigDir, name: &DriveName) -> Result<(), ConfigError> {
        Entries::<Self>::new(dir).forget(name)
    }
}

impl Entry for DriveCare {
    const KIND: &'static str = "drive";
    const SECTION: &'static str = "drive";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &["auto-clean"];
    type Name = DriveName;

    fn name(&self) -> &DriveName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let auto_clean = section.get("auto-clean").map(parse_bool).transpose()?;
        Ok(Self { name: section.id().parse()?, auto_clean: auto_clean.unwrap_or(false) })
    }

    fn write(&self, section: &mut Section) {
        put_bool(section, "auto-clean", Some(self.auto_clean));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_drive_is_left_alone_unless_the_file_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path());
        let name: DriveName = "drive0".parse().unwrap();
        assert!(!DriveCare::of(&dir, &name).unwrap().auto_clean);
        DriveCare::forget(&dir, &name).unwrap();
        fs::write(dir.file("reelfs.cfg"), "drive: drive0\n\tlater x\n").unwrap();
        assert!(!DriveCare::of(&dir, &name).unwrap().auto_clean);
        DriveCare { name: name.clone(), auto_clean: true }.save(&dir).unwrap();
        assert!(DriveCare::of(&dir, &name).unwrap().auto_clean);
        let text = fs::read_to_string(dir.file("reelfs.cfg")).unwrap();
        assert!(text.contains("auto-clean true") && text.contains("later x"), "{text}");
        DriveCare::forget(&dir, &name).unwrap();
        assert!(!DriveCare::of(&dir, &name).unwrap().auto_clean);
        fs::write(dir.file("reelfs.cfg"), "drive: drive0\n\tauto-clean maybe\n").unwrap();
        assert!(DriveCare::of(&dir, &name).is_err());
    }
}
