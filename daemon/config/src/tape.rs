//! Drives and changers in `tape.cfg` (`config.md` §4.6).
//!
//! Names are unique over all types of sections. `lto:` and `changer:` are SCSI devices, or parts of an emulated
//! library; `virtual:` are drives whose media are files. The older spelling `linux:` is read as `lto:` and becomes
//! it when the file is written. Every other section keeps its place and its very lines.

mod changer;
mod lto_drive;
mod virtual_drive;

use reel_types::commands::SlotList;
use reel_types::{ChangerName, DriveName};

use crate::entries::entries_of;
use crate::section::{Document, Key, Schema, SectionType, Unknown, ValueKind};
use crate::settings::ConfigPath;
use crate::{ConfigDir, ConfigError, Entry, SectionFile};

pub use changer::ChangerConfig;
pub use lto_drive::LtoDriveConfig;
pub use virtual_drive::VirtualDrive;

static FILE: SectionFile = SectionFile {
    name: TapeConfig::FILE_NAME,
    lock: ".tape.lck",
    schema: Schema {
        types: &[
            SectionType {
                name: "changer",
                check_id: |id| id.parse::<ChangerName>().map(drop),
                keys: &[
                    Key::optional("eject-before-unload", ValueKind::Bool),
                    Key::optional("export-slots", ValueKind::parsed::<SlotList>()),
                    Key::required("path", ValueKind::parsed::<ConfigPath>()),
                ],
                check: |section| ChangerConfig::read(section).map(drop),
            },
            SectionType {
                name: "lto",
                check_id: |id| id.parse::<DriveName>().map(drop),
                keys: &[
                    Key::optional("changer", ValueKind::parsed::<ChangerName>()),
                    Key::optional("changer-drivenum", ValueKind::Integer { min: 0, max: 255 }),
                    Key::required("path", ValueKind::parsed::<ConfigPath>()),
                ],
                check: |section| LtoDriveConfig::read(section).map(drop),
            },
            SectionType {
                name: "virtual",
                check_id: |id| id.parse::<DriveName>().map(drop),
                keys: &[
                    Key::optional("max-size", ValueKind::Integer { min: 0, max: i64::MAX }),
                    Key::required("path", ValueKind::parsed::<ConfigPath>()),
                ],
                check: |section| VirtualDrive::read(section).map(drop),
            },
        ],
        aliases: &[("linux", "lto")],
        unknown_types: Unknown::Keep,
        unknown_keys: Unknown::Keep,
    },
};

/// All drives and changers of `tape.cfg`, read at once.
#[derive(Debug, Clone, PartialEq)]
pub struct TapeConfig {
    /// Drives whose media are files.
    pub virtual_drives: Vec<VirtualDrive>,
    /// LTO drives.
    pub lto_drives: Vec<LtoDriveConfig>,
    /// Changers.
    pub changers: Vec<ChangerConfig>,
}

impl TapeConfig {
    /// The name of the file.
    pub const FILE_NAME: &'static str = "tape.cfg";

    /// Reads the file in the folder `dir`.
    pub fn load(dir: &ConfigDir) -> Result<Self, ConfigError> {
        let (document, _) = FILE.load(dir)?;
        Ok(Self {
            virtual_drives: entries_of(&document)?,
            lto_drives: entries_of(&document)?,
            changers: entries_of(&document)?,
        })
    }
}

/// Fails where another section of the same type has that path.
fn check_path_is_free<E: Entry>(
    name: &E::Name,
    path: &ConfigPath,
    others: &Document,
) -> Result<(), ConfigError> {
    let name = name.to_string();
    let other = others.sections().iter().find(|section| {
        section.kind() == E::SECTION
            && section.id() != name
            && section
                .get("path")
                .is_some_and(|other| path.as_path() == std::path::Path::new(other))
    });
    let Some(other) = other else { return Ok(()) };
    let reason = format!("{} '{}' uses {path} already", E::KIND, other.id());
    Err(ConfigError::Invalid { kind: E::KIND, name, reason })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{Changers, LtoDrives, VirtualDrives};

    use super::*;

    const MIXED: &str = "shelf: s1\n\trows  4\n    path /x\n\nlto: drive1\n\tchanger sl3\n\tchanger-drivenum 1\n\tpath /dev/sg1\n\nvirtual: vt0\n\tmax-size 8388608\n\tnewer x\n\tpath /srv/vtape\n\nchanger: sl3\n\texport-slots 15,14\n\tpath /dev/sg2\n\nlinux :old\n\tpath /dev/nst0\n";
    /// What becomes of it when it is written.
    const WRITTEN: &str = "shelf: s1\n\trows  4\n    path /x\n\nlto: drive1\n\tchanger sl3\n\tchanger-drivenum 1\n\tpath /dev/sg1\n\nvirtual: vt0\n\tmax-size 8388608\n\tnewer x\n\tpath /srv/vtape\n\nchanger: sl3\n\texport-slots 15,14\n\tpath /dev/sg2\n\nlto: old\n\tpath /dev/nst0\n";

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

    fn lto(name: &str, path: &str, changer: Option<&str>) -> LtoDriveConfig {
        LtoDriveConfig {
            name: name.parse().unwrap(),
            path: path.parse().unwrap(),
            changer: changer.map(|name| name.parse().unwrap()),
            changer_drivenum: 0,
        }
    }

    #[test]
    fn other_sections_are_kept_and_old_words_become_new_ones() {
        let (_folder, dir) = folder(MIXED);
        let drives = VirtualDrives::new(&dir);
        drives.create(&drive("vt1", "/srv/other")).unwrap();
        let added = format!("{WRITTEN}\nvirtual: vt1\n\tpath /srv/other\n");
        assert_eq!(content(&dir), added);
        drives.update(&"vt0".parse().unwrap(), &["max-size"], None, |_| Ok(())).unwrap();
        assert_eq!(content(&dir), added.replace("\tmax-size 8388608\n", ""));
        drives.remove(&"vt1".parse().unwrap(), None).unwrap();
        assert_eq!(content(&dir), WRITTEN.replace("\tmax-size 8388608\n", ""));
    }

    #[test]
    fn drives_and_changers_say_where_they_are() {
        let (_folder, dir) = folder(MIXED);
        let (drives, _) = LtoDrives::new(&dir).list().unwrap();
        let shown: Vec<_> = drives
            .iter()
            .map(|drive| (drive.name.to_string(), drive.changer.clone(), drive.changer_drivenum))
            .collect();
        let sl3 = Some("sl3".parse().unwrap());
        assert_eq!(shown, [("drive1".to_owned(), sl3, 1), ("old".to_owned(), None, 0)]);
        let changer = Changers::new(&dir).get(&"sl3".parse().unwrap()).unwrap();
        assert_eq!(
            (changer.export_slots.slots(), changer.eject_before_unload),
            (&[14, 15][..], false)
        );
    }

    #[test]
    fn a_drive_needs_its_changer_and_a_changer_in_use_stays() {
        let (_folder, dir) = folder(MIXED);
        let drives = LtoDrives::new(&dir);
        assert!(drives.create(&lto("drive2", "/dev/sg5", Some("nowhere"))).is_err());
        assert!(drives.create(&lto("drive2", "/dev/sg1", None)).is_err(), "drive1 has it");
        let numbered = LtoDriveConfig { changer_drivenum: 2, ..lto("drive2", "/dev/sg5", None) };
        assert!(drives.create(&numbered).is_err());
        let (changers, sl3) = (Changers::new(&dir), "sl3".parse().unwrap());
        let text = changers.remove(&sl3, None).unwrap_err().to_string();
        assert!(text.contains("drive 'drive1' is in it"), "{text}");
        drives
            .update(&"drive1".parse().unwrap(), &["changer", "changer-drivenum"], None, |_| Ok(()))
            .unwrap();
        changers.remove(&sl3, None).unwrap();
        assert!(changers.list().unwrap().0.is_empty());
    }

    #[test]
    fn parts_of_an_emulated_library_are_in_it_once() {
        let (_folder, dir) =
            folder("changer: emu\n\tpath emulated:/srv/a\n\nchanger: sl3\n\tpath /dev/sg2\n");
        let drives = LtoDrives::new(&dir);
        drives.create(&lto("drive0", "emulated:/srv/a", Some("emu"))).unwrap();
        let numbered = |number| LtoDriveConfig {
            changer_drivenum: number,
            ..lto("drive1", "emulated:/srv/a", Some("emu"))
        };
        let text = drives.create(&numbered(0)).unwrap_err().to_string();
        assert!(text.contains("drive 'drive0' is drive 0 of emulated:/srv/a already"), "{text}");
        for (path, changer) in
            [("emulated:/srv/a", "sl3"), ("emulated:/srv/b", "emu"), ("/dev/sg5", "emu")]
        {
            let text = drives.create(&lto("drive1", path, Some(changer))).unwrap_err().to_string();
            assert!(text.contains("is in another library"), "{path} in {changer}: {text}");
        }
        drives.create(&numbered(1)).unwrap();
        let drive1 = "drive1".parse().unwrap();
        let to_zero = |config: &mut LtoDriveConfig| {
            config.changer_drivenum = 0;
            Ok(())
        };
        assert!(drives.update(&drive1, &[""; 0], None, to_zero).is_err());
        let move_away = |config: &mut ChangerConfig| {
            config.path = "emulated:/srv/b".parse()?;
            Ok(())
        };
        let changers = Changers::new(&dir);
        assert!(changers.update(&"emu".parse().unwrap(), &[""; 0], None, move_away).is_err());
    }

    #[test]
    fn names_are_unique_over_all_types_and_folders_over_drives() {
        let (_folder, dir) = folder(MIXED);
        let drives = VirtualDrives::new(&dir);
        for taken in ["drive1", "sl3", "vt0", "old", "s1"] {
            let Ok(name) = taken.parse() else { continue };
            let taken_drive = VirtualDrive { name, ..drive("vt1", "/srv/new") };
            let error = drives.create(&taken_drive).unwrap_err();
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
            "lto: drive1\n",
            "lto: drive1\n\tpath /x\n\tchanger-drivenum 256\n",
            "changer: sl3\n\tpath /x\n\texport-slots 0\n",
            "changer: sl3\n\tpath /x\n\texport-slots a\n",
            "changer: sl3\n\tpath /x\n\teject-before-unload maybe\n",
        ] {
            let (_folder, dir) = folder(text);
            let error = VirtualDrives::new(&dir).list().unwrap_err();
            assert!(matches!(error, ConfigError::Syntax { .. }), "{text:?}: {error}");
        }
    }
}
