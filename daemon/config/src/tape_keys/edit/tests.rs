use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use reel_types::NoCommitPoints;

use super::*;

const NOTHING: &NoCommitPoints = &NoCommitPoints;

fn key(first: u8) -> (SecretKey, TapeKeyInfo, WrappedKey) {
    let mut bytes = [7; 32];
    bytes[0] = first;
    let key = SecretKey::new(&bytes);
    let (info, wrapped) = wrapped(&fingerprint_of(&key).unwrap(), "a hint");
    (key, info, wrapped)
}

fn wrapped(fingerprint: &Fingerprint, hint: &str) -> (TapeKeyInfo, WrappedKey) {
    let text = format!(
        r#"{{"kdf":{{"PBKDF2":{{"iter":65535,"salt":"AAAA"}}}},"created":"2026-01-01T00:00:00+00:00",
        "modified":"2026-01-01T00:00:00+00:00","data":"AAAA","fingerprint":"{fingerprint}","hint":"{hint}"}}"#
    );
    WrappedKey::parse(&text).unwrap()
}

fn folder() -> (tempfile::TempDir, ConfigDir) {
    let folder = tempfile::tempdir().unwrap();
    let dir = ConfigDir::new(folder.path());
    (folder, dir)
}

fn insert(dir: &ConfigDir, first: u8, existing: Existing) -> Result<Fingerprint, ConfigError> {
    let (key, info, wrapped) = key(first);
    let fingerprint = info.fingerprint;
    TapeKeyEdits::new(dir, NOTHING).insert(&key, info, wrapped, existing).map(|()| fingerprint)
}

#[test]
fn keys_come_change_and_go_with_both_files() {
    let (_folder, dir) = folder();
    let one = insert(&dir, 1, Existing::Refused).unwrap();
    let two = insert(&dir, 2, Existing::Refused).unwrap();
    let mode = |name: &str| fs::metadata(dir.file(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode(TapeKeys::KEYS_FILE), mode(TapeKeys::CONFIG_FILE)), (0o600, 0o640));
    let keys = TapeKeys::load(&dir).unwrap();
    assert_eq!(keys.key(&two).unwrap().as_bytes()[0], 2);
    assert_eq!(insert(&dir, 1, Existing::Refused).unwrap_err().errno(), nix::libc::EEXIST);
    insert(&dir, 1, Existing::Replaced).unwrap();

    let edits = TapeKeyEdits::new(&dir, NOTHING);
    let (info, rewrapped) = wrapped(&one, "another");
    edits.rewrap(info.clone(), rewrapped.clone(), keys.digest()).unwrap();
    let stale = edits.rewrap(info, rewrapped, keys.digest()).unwrap_err();
    assert_eq!(stale.errno(), nix::libc::ESTALE);
    let now = WrappedKeys::load(&dir).unwrap();
    assert_eq!(now.require(&one).unwrap().0.hint.as_ref().unwrap().as_str(), "another");

    assert_eq!(edits.remove(&one, Some(keys.digest())).unwrap_err().errno(), nix::libc::ESTALE);
    edits.remove(&one, Some(now.digest())).unwrap();
    assert_eq!(edits.remove(&one, None).unwrap_err().errno(), nix::libc::ENOENT);
    let left = TapeKeys::load(&dir).unwrap();
    assert!(left.key(&one).is_none() && left.wrapped(&one).is_none() && left.key(&two).is_some());
    edits.remove(&two, None).unwrap();
    assert_eq!(fs::read(dir.file(TapeKeys::KEYS_FILE)).unwrap(), b"[]");
}

#[test]
fn a_key_under_another_fingerprint_is_refused() {
    let (_folder, dir) = folder();
    let ((key, ..), (_, info, wrapped)) = (key(1), key(2));
    let edits = TapeKeyEdits::new(&dir, NOTHING);
    edits.insert(&key, info, wrapped, Existing::Replaced).unwrap_err();
    assert!(!dir.file(TapeKeys::KEYS_FILE).exists());
}

#[test]
fn what_a_crash_between_the_files_leaves_is_put_in_order_by_the_same_change() {
    let (_folder, dir) = folder();
    let one = insert(&dir, 1, Existing::Refused).unwrap();
    fs::remove_file(dir.file(TapeKeys::CONFIG_FILE)).unwrap();
    insert(&dir, 1, Existing::Refused).unwrap();
    assert!(TapeKeys::load(&dir).unwrap().wrapped(&one).is_some());
    fs::write(dir.file(TapeKeys::KEYS_FILE), "[]").unwrap();
    TapeKeyEdits::new(&dir, NOTHING).remove(&one, None).unwrap();
    assert_eq!(WrappedKeys::load(&dir).unwrap().infos().count(), 0);
}

#[test]
fn a_damaged_file_is_never_written_over() {
    let (_folder, dir) = folder();
    for name in [TapeKeys::KEYS_FILE, TapeKeys::CONFIG_FILE] {
        fs::write(dir.file(name), "[{").unwrap();
        insert(&dir, 1, Existing::Replaced).unwrap_err();
        assert_eq!(fs::read(dir.file(name)).unwrap(), b"[{");
        fs::remove_file(dir.file(name)).unwrap();
    }
}

/// Notes points in their order.
struct Noted(Mutex<Vec<&'static str>>);

impl CommitPoints for Noted {
    fn reached(&self, name: &'static str) {
        self.0.lock().unwrap().push(name);
    }
}

#[test]
fn the_key_comes_before_its_wrapped_copy() {
    let (_folder, dir) = folder();
    let noted = Noted(Mutex::default());
    let (key, info, wrapped) = key(1);
    let edits = TapeKeyEdits::new(&dir, &noted);
    edits.insert(&key, info, wrapped, Existing::Refused).unwrap();
    assert_eq!(*noted.0.lock().unwrap(), COMMIT_POINTS);
}
