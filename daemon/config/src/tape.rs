//! Drives and changers in `tape.cfg` (`config.md` §4.6).
//!
//! Names are unique over all types of sections. This release knows only `virtual:` drives; every other
//! section (`lto:`, `changer:`, the older `linux:`) keeps its place and its very lines.

use reel_types::{DriveName, ParseError};

use crate::entries::{Entry, put, value};
use crate::section::{Document, Key, Schema, Section, SectionType, Unknown, ValueKind};
use crate::settings::ConfigPath;
use crate::{ConfigDir, ConfigError, SectionFile};

static FILE: SectionFile = SectionFile {
    name: "tape.cfg",
    lock: ".tape.lck",
    schema: Schema {
        types: &[SectionType {
            name: "virtual",
            check_id: |id| id.parse::<DriveName>().map(drop),
            keys: &[
                Key::optional("max-size", ValueKind::Integer { min: 0, max: i64::MAX }),
                Key::required("path", ValueKind::parsed::<ConfigPath>()),
            ],
            check: |section| VirtualDrive::read(section).map(drop),
        }],
        unknown_types: Unknown::Keep,
        unknown_keys: Unknown::Keep,
    },
};

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

/// A section that this release keeps without knowing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherSection {
    /// The type in its header, such as `lto`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its `path`, if it has one.
    pub path: Option<String>,
}

/// The sections of `tape.cfg` that aren't `virtual:` drives, in the order of the file.
pub fn other_tape_sections(dir: &ConfigDir) -> Result<Vec<OtherSection>, ConfigError> {
    let (document, _) = FILE.load(dir)?;
    let foreign = document.sections().iter().filter(|section| section.is_foreign());
    Ok(foreign
        .map(|section| OtherSection {
            kind: section.kind().into(),
            name: section.id().into(),
            path: section.get("path").map(Into::into),
        })
        .collect())
}

impl Entry for VirtualDrive {
    const KIND: &'static str = "drive";
    const SECTION: &'static str = "virtual";
    const FILE: &'static SectionFile = &FILE;
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
        let other = others.sections().iter().find(|section| {
            section.kind() == Self::SECTION
                && section.id() != self.name.as_str()
                && section
                    .get("path")
                    .is_some_and(|path| self.path.as_path() == std::path::Path::new(path))
        });
        let Some(other) = other else { return Ok(()) };
        let reason = format!("drive '{}' uses {} already", other.id(), self.path);
        Err(ConfigError::Invalid { kind: Self::KIND, name: self.name.to_string(), reason })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::VirtualDrives;

    use super::*;

    const MIXED: &str = "lto: drive1\n\tpath  /dev/sg1\n    changer sl3\n\tchanger-drivenum 1\n\nvirtual: vt0\n\tmax-size 8388608\n\tnewer x\n\tpath /srv/vtape\n\nchanger: sl3\n\texport-slots 14,15\n\tpath /dev/sg2\n\nlinux :old\n\tpath /dev/nst0\n";

    fn folder(content: &str) -> (tempfile::TempDir, ConfigDir) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tape.cfg"), content).unwrap();
        let dir = ConfigDir::new(folder.path());
        (folder, dir)
    }

    fn content(dir: &ConfigDir) -> String {
        fs::read_to_string(dir.file("tape.cfg")).unwrap()
    }

    fn drive(name: &str, path: &str) -> VirtualDrive {
        VirtualDrive {
            name: name.parse().unwrap(),
            path: path.parse().unwrap(),
            max_size_bytes: None,
        }
    }

    #[test]
    fn other_sections_are_listed_and_kept() {
        let (_folder, dir) = folder(MIXED);
        let others = other_tape_sections(&dir).unwrap();
        let shown: Vec<String> = others
            .iter()
            .map(|s| format!("{} {} {}", s.kind, s.name, s.path.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(shown, ["lto drive1 /dev/sg1", "changer sl3 /dev/sg2", "linux old /dev/nst0"]);

        let drives = VirtualDrives::new(&dir);
        drives.create(&drive("vt1", "/srv/other")).unwrap();
        let added = format!("{MIXED}\nvirtual: vt1\n\tpath /srv/other\n");
        assert_eq!(content(&dir), added);
        drives.update(&"vt0".parse().unwrap(), &["max-size"], None, |_| Ok(())).unwrap();
        assert_eq!(content(&dir), added.replace("\tmax-size 8388608\n", ""));
        drives.remove(&"vt1".parse().unwrap(), None).unwrap();
        assert_eq!(content(&dir), MIXED.replace("\tmax-size 8388608\n", ""));
    }

    #[test]
    fn names_are_unique_over_all_types_and_folders_over_drives() {
        let (_folder, dir) = folder(MIXED);
        let drives = VirtualDrives::new(&dir);
        for taken in ["drive1", "sl3", "vt0", "old"] {
            let error = drives.create(&drive(taken, "/srv/new")).unwrap_err();
            assert_eq!(error.errno(), nix::libc::EEXIST, "{taken}");
        }
        for path in ["/srv/vtape", "/srv/vtape/", "relative"] {
            let error = drives.create(&drive("vt1", path)).unwrap_err();
            assert_eq!(error.errno(), nix::libc::EINVAL, "{path}");
        }
        for other in ["drive1", "sl3"] {
            let error = drives.remove(&other.parse().unwrap(), None).unwrap_err();
            assert_eq!(error.errno(), nix::libc::EOPNOTSUPP, "{other}");
        }
        assert_eq!(content(&dir), MIXED);
    }

    #[test]
    fn broken_files_are_refused() {
        for text in [
            "virtual: vt0\n",
            "virtual: vt0\n\tpath /x\n\tmax-size 8M\n",
            "virtual: vt0\n\tpath /x\n\tmax-size -1\n",
            "virtual: v\n\tpath /x\n",
            "lto: drive1\n\tpath\n",
        ] {
            let (_folder, dir) = folder(text);
            let error = VirtualDrives::new(&dir).list().unwrap_err();
            assert!(matches!(error, ConfigError::Syntax { .. }), "{text:?}: {error}");
        }
    }
}
