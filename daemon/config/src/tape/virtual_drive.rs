//! Drives whose media are files in a folder.

use reel_types::{DriveName, ParseError};

use super::check_path_is_free;
use crate::entries::{Entry, put, value};
use crate::section::{Document, Section};
use crate::settings::ConfigPath;
use crate::{ConfigError, SectionFile};

/// A drive whose media are files in a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualDrive {
    /// Its name.
    pub name: DriveName,
    /// The folder.
    pub path: ConfigPath,
    /// How many bytes a medium holds; none for no limit but the disk's.
    pub max_size_bytes: Option<u64>,
}

impl Entry for VirtualDrive {
    const KIND: &'static str = "drive";
    const SECTION: &'static str = "virtual";
    const FILE: &'static SectionFile = &super::FILE;
    const DELETABLE: &'static [&'static str] = &["max-size"];
    type Name = DriveName;

    fn name(&self) -> &DriveName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let size = section.get("max-size").map(|text| {
            let refuse = |_| ParseError::new("size", text, "must be a number of bytes");
            text.parse::<u64>().map_err(refuse)
        });
        Ok(Self {
            name: section.id().parse()?,
            path: value(section, "path")?.map_or_else(|| "".parse(), Ok)?,
            max_size_bytes: size.transpose()?,
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "path", Some(&self.path));
        match self.max_size_bytes {
            Some(bytes) => section.set("max-size", [bytes.to_string()]),
            None => section.unset("max-size"),
        }
    }

    /// The folder is absolute and no other drive's.
    fn check(&self, before: Option<&Self>, others: &Document) -> Result<(), ConfigError> {
        if before.is_some_and(|before| before.path == self.path) {
            return Ok(());
        }
        self.path.check_absolute("folder of a virtual drive")?;
        check_path_is_free::<Self>(&self.name, &self.path, others)
    }
}
