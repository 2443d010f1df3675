use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use reel_hw::memory::MediumLimits;
use reel_hw::number::{DriveNumber, VolumeTag};
use reel_hw::{MemoryLibrary, TapeDrive};
use reel_types::{Cancel, MediaId, NoTask, SystemClock, TimeZone};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::archive::chunk::ChunkArchiveHeader;
use crate::archive::{ArchiveHeader, ContentKind};
use crate::catalog_restore::{CatalogOptions, restore_catalog};
use crate::drive_desk::{DriveDesk, DriveOpener, Opening};
use crate::label::{MediaLabel, MediaLabels};
use crate::media_catalog::MediaCatalog;
use crate::medium::{
    Beginning, load_member, read_labels, write_json_file, write_label, write_set_label,
};
use crate::testing::{fixtures, unpack};
use reel_types::NoCommitPoints;

const SET: &str = "9da37a55-aac7-4deb-91c6-482b3b675f30";
/// The fingerprint of the key 00 01 02 … 1f (`tape-format.md` §16).
const FINGERPRINT: &str = "0e:ab:d4:46:0b:6e:b9:ca:34:50:23:de:e2:b7:78:c7:90:e5:4a:16:83:b9:65:9c:0a:57:ae:19:90:90:15:9b";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn set() -> MediaSetId {
    SET.parse().unwrap()
}

fn fingerprint() -> Fingerprint {
    FINGERPRINT.parse().unwrap()
}

fn counting_key() -> SecretKey {
    SecretKey::new(&std::array::from_fn(|index| index as u8))
}

fn hex(key: &EncryptionKey) -> String {
    key.expose().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key_files(folder: &Path, keys: &Value, config: &Value) -> TapeKeyFiles {
    fs::write(folder.join(TapeKeys::KEYS_FILE), keys.to_string()).unwrap();
    fs::write(folder.join(TapeKeys::CONFIG_FILE), config.to_string()).unwrap();
    TapeKeyFiles::of(ConfigDir::new(folder))
}

fn keys() -> Value {
    json!([{ "fingerprint": FINGERPRINT, "key": KEY }])
}

fn config(kdf: &Value) -> Value {
    json!([{
        "kdf": kdf, "created": "2026-11-23T14:18:23+00:00", "modified": "2026-11-23T14:18:23+00:00",
        "data": "c2VjcmV0", "fingerprint": FINGERPRINT, "hint": "a hint",
    }])
}

fn scrypt() -> Value {
    json!({ "Scrypt": { "n": 65536, "r": 8, "p": 1, "salt": "AAAA" } })
}

#[test]
fn drive_keys_of_the_specification() {
    let derived = drive_key(&counting_key(), set()).unwrap();
    let expected = "cbcebebbdf94e64f41dd864687afe8ea19742b1db528263cd3a32e2f26eeffce";
    assert_eq!(hex(&derived), expected);
    let derived = drive_key(&SecretKey::new(&[0; 32]), MediaSetId(Uuid::nil())).unwrap();
    let expected = "430cf7e06d8225c87ce70435a54d983ad91f68603e8761d32dc0b1f3c2d142e0";
    assert_eq!(hex(&derived), expected);
}

/// The value behind `name` in a text of the fixtures.
fn value_of<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(name)).expect(name);
    line.rsplit(": ").next().unwrap()
}

#[test]
fn labels_and_drive_keys_are_those_of_pbs() {
    let Some(lto) = fixtures().map(|folder| folder.join("lto")) else { return };
    let written = fs::read(lto.join("poolS-media-set-label.json")).unwrap();
    let label = MediaSetLabel::from_json(&written).unwrap();
    let text = fs::read_to_string(lto.join("poolS-tape-key.txt")).unwrap();
    let fingerprint = label.encryption_key_fingerprint.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = key_files(
        folder.path(),
        &json!([{ "fingerprint": fingerprint, "key": value_of(&text, "secret key") }]),
        &json!([label.key_config.as_ref().unwrap().as_value()]),
    );
    let key = files.set_key(&fingerprint).unwrap();
    assert_eq!(key.on_tape(&label.without_key_config()).to_json().unwrap(), written);
    let sent = hex(&key.of_set(label.uuid).unwrap());
    assert_eq!(sent, value_of(&text, "key sent to the drive"));
}

#[test]
fn the_key_files_of_pbs_give_the_label_that_it_wrote() {
    let Some(fixtures) = fixtures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let members = ["etc-proxmox-backup", "vtape/tapefile-1-E00001L8.json"];
    unpack(&fixtures.join("pbs-tape-public.tar.zst"), folder.path(), &members);
    let block = fs::read(folder.path().join(members[1])).unwrap();
    // Behind the headers of block and content, as long as the latter tells (`tape-format.md` §3, §4).
    let size = u32::from_le_bytes(block[16 + 40..][..4].try_into().unwrap()) as usize;
    let written = &block[16 + 48..][..size];
    let label = MediaSetLabel::from_json(written).unwrap();
    let files = TapeKeyFiles::of(ConfigDir::new(folder.path().join(members[0])));
    let key = files.set_key(&label.encryption_key_fingerprint.unwrap()).unwrap();
    assert_eq!(key.on_tape(&label.without_key_config()).to_json().unwrap(), written);
}

#[test]
fn what_is_missing_is_named_and_nothing_secret_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let short = fingerprint().short();
    let none = TapeKeyFiles::of(ConfigDir::new(folder.path()));
    let said = |error: Error, errno: Errno| {
        assert_eq!(error.errno(), errno as i32, "{error}");
        let (text, debug) = (error.to_string(), format!("{error:?}"));
        assert!(text.contains(&short), "{text}");
        assert!(!debug.contains(&KEY[..16]) && !debug.contains("c2VjcmV0"), "{debug}");
        text
    };
    let text = said(none.set_key(&fingerprint()).unwrap_err(), Errno::ENOKEY);
    let expected = format!("unable to find tape encryption key config '{short}' in '");
    assert!(text.starts_with(&expected) && text.contains(TapeKeys::CONFIG_FILE), "{text}");
    let text = said(none.key(&fingerprint()).unwrap_err(), Errno::ENOKEY);
    assert!(text.contains(&*folder.path().to_string_lossy()), "{text}");
    assert!(TapeKeyFiles::default().key(&fingerprint()).is_err());

    let open = key_files(folder.path(), &keys(), &config(&Value::Null));
    said(open.set_key(&fingerprint()).unwrap_err(), Errno::EKEYREJECTED);
    let config_alone = key_files(folder.path(), &json!([]), &config(&scrypt()));
    said(config_alone.set_key(&fingerprint()).unwrap_err(), Errno::ENOKEY);
    let both = key_files(folder.path(), &keys(), &config(&scrypt()));
    let shown = format!("{:?}", both.set_key(&fingerprint()).unwrap());
    assert!(!shown.contains("c2VjcmV0") && !shown.contains("31"), "{shown}");
    let broken = key_files(folder.path(), &json!({ "key": KEY }), &config(&scrypt()));
    said(broken.key(&fingerprint()).unwrap_err(), Errno::EIO);
}

#[test]
fn key_files_of_others_say_who_may_read_them() {
    let error = Error::KeyFiles {
        fingerprint: fingerprint().short(),
        source: reel_config::ConfigError::KeysUnreadable {
            path: "/etc/proxmox-backup/tape-encryption-keys.json".into(),
            source: std::io::Error::from_raw_os_error(Errno::EACCES as i32),
        },
    };
    assert_eq!(error.errno(), Errno::EACCES as i32);
    let text = error.to_string();
    let parts = ["tape-encryption-keys.json: Permission denied", "must run as a user who may"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

/// A drive in memory with a medium of an encrypted set in it, and a folder of key files.
struct Bench {
    folder: tempfile::TempDir,
    env: TapeEnv,
    library: MemoryLibrary,
    desk: Arc<DriveDesk>,
}

struct Opener(MemoryLibrary, PathBuf);

impl DriveOpener for Opener {
    fn open(&self, _opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        Ok(Box::new(self.0.drive(DriveNumber(0))?))
    }

    fn lock_path(&self) -> &Path {
        &self.1
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        for name in ["run/drive-lock", "run/drive-state", "etc"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        let tag = VolumeTag::new("A00001L8").unwrap();
        let (library, drive) = MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).unwrap();
        drop(drive);
        let opener = Arc::new(Opener(library.clone(), base.join("drive")));
        let desk = DriveDesk::new("drive0".parse().unwrap(), opener, &base.join("run"));
        let (clock, points) = (Arc::new(SystemClock), Arc::new(NoCommitPoints));
        let env =
            TapeEnv::open(&base.join("state"), &base.join("cache"), clock, TimeZone::UTC, points);
        let env = env.unwrap().with_keys(TapeKeyFiles::of(ConfigDir::new(base.join("etc"))));
        Self { folder, env, library, desk }
    }

    fn hold(&self) -> DriveHold {
        self.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap()
    }

    fn with_key_files(&self) {
        key_files(&self.folder.path().join("etc"), &keys(), &config(&scrypt()));
    }

    fn labels(&self) -> MediaLabels {
        let label = MediaLabel {
            ctime: 1,
            label_text: "A00001L8".parse().unwrap(),
            pool: Some("crypt".parse().unwrap()),
            uuid: MediaId(Uuid::from_u128(1)),
        };
        let set_label = MediaSetLabel {
            ctime: 2,
            encryption_key_fingerprint: Some(fingerprint()),
            key_config: None,
            pool: "crypt".parse().unwrap(),
            seq_nr: 0,
            uuid: set(),
        };
        MediaLabels { label, media_set_label: Some(set_label) }
    }

    /// Writes both labels, and behind them an archive that is encrypted with `key`.
    fn write(&self, hold: &mut DriveHold, key: &EncryptionKey) {
        let MediaLabels { label, media_set_label } = self.labels();
        write_label(hold, &label).unwrap();
        write_set_label(hold, &media_set_label.unwrap()).unwrap();
        set_drive_key(hold, Some(key)).unwrap();
        let json = ChunkArchiveHeader { store: "store1".parse().unwrap() }.to_json().unwrap();
        write_json_file(hold.drive(), ContentKind::ChunkArchive, 3, &json).unwrap();
    }

    fn load(&self, hold: &mut DriveHold) -> Result<MediaLabels> {
        let MediaLabels { label, .. } = self.labels();
        let task = NoTask(Cancel::new());
        load_member(&self.env, hold, (&label.label_text, label.uuid), set(), &task)
    }
}

#[test]
fn a_key_is_in_the_drive_from_the_labels_to_the_next() {
    let bench = Bench::new();
    bench.with_key_files();
    let mut hold = bench.hold();
    bench.write(&mut hold, &drive_key(&counting_key(), set()).unwrap());
    let encrypts = |hold: &mut DriveHold| hold.drive().encryption_active().unwrap();
    bench.load(&mut hold).unwrap();
    assert!(encrypts(&mut hold));
    assert!(matches!(read_labels(&mut hold), Ok(Beginning::Labelled(_))));
    assert!(!encrypts(&mut hold), "labels are read without key");
    bench.load(&mut hold).unwrap();
    write_set_label(&mut hold, &bench.labels().media_set_label.unwrap()).unwrap();
    assert!(!encrypts(&mut hold), "labels are written without key");
    bench.load(&mut hold).unwrap();
    drop(hold);
    let mut drive = bench.library.drive(DriveNumber(0)).unwrap();
    assert!(!drive.encryption_active().unwrap(), "the key goes with the hold");
}

#[test]
fn without_its_key_a_medium_is_refused_and_its_labels_are_read() {
    let bench = Bench::new();
    let mut hold = bench.hold();
    bench.write(&mut hold, &drive_key(&counting_key(), set()).unwrap());
    let error = bench.load(&mut hold).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOKEY as i32, "{error}");
    assert!(!hold.drive().encryption_active().unwrap());
    assert!(matches!(read_labels(&mut hold), Ok(Beginning::Labelled(_))));
}

#[test]
fn a_wrong_key_is_no_damage_and_leaves_the_catalog() {
    let bench = Bench::new();
    bench.with_key_files();
    let labels = bench.labels();
    MediaCatalog::overwrite(&bench.env.state, &labels).unwrap();
    let path = bench.env.state.catalog(labels.label.uuid);
    let before = fs::read(&path).unwrap();
    let mut hold = bench.hold();
    bench.write(&mut hold, &EncryptionKey::new(&[9; 32]));
    for scan in [false, true] {
        let options = CatalogOptions { force: true, scan, verbose: false };
        let task = NoTask(Cancel::new());
        let error = restore_catalog(&bench.env, &mut hold, options, &task).unwrap_err();
        assert_eq!(error.errno(), Errno::EKEYREJECTED as i32, "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
