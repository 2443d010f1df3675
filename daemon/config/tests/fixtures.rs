//! The configuration that PBS 3.2.4 wrote (`pbs-tape-public.tar.zst`) reads and writes back as it was.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reel_config::section::{Document, Schema, Section, SectionType, Unknown};
use reel_config::{
    AclFile, ConfigDigest, ConfigDir, DatastoreConfig, Datastores, Entry, Kdf, PoolConfig, Pools,
    TapeKeys, Tokens, UserConfig, VirtualDrive, VirtualDrives, WrappedKey, fingerprint_of,
};
use reel_types::{ParseError, RetentionPolicy, Role};

/// Unpacks the folder of the configuration; none (and a word about it) where there are no fixtures.
fn unpacked() -> Option<(tempfile::TempDir, ConfigDir)> {
    let fixtures = std::env::var_os("REELFS_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        PathBuf::from,
    );
    let archive = fixtures.join("pbs-tape-public.tar.zst");
    if !archive.exists() {
        eprintln!("skipped: no fixtures at {}", fixtures.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("tar")
        .arg("--zstd")
        .arg("-xf")
        .arg(&archive)
        .args(["--no-same-owner", "-C"])
        .arg(folder.path())
        .arg("etc-proxmox-backup")
        .status()
        .expect("tar runs");
    assert!(status.success(), "tar can't unpack {}", archive.display());
    let dir = ConfigDir::new(folder.path().join("etc-proxmox-backup"));
    Some((folder, dir))
}

fn read(dir: &ConfigDir, name: &str) -> String {
    fs::read_to_string(dir.file(name)).unwrap()
}

fn rewritten(text: &str, schema: &Schema) -> String {
    Document::parse(text, schema).unwrap().to_text(schema).unwrap()
}

const fn keyless(name: &'static str) -> SectionType {
    fn any_id(_: &str) -> Result<(), ParseError> {
        Ok(())
    }
    fn nothing_more(_: &Section) -> Result<(), ParseError> {
        Ok(())
    }
    SectionType { name, check_id: any_id, keys: &[], check: nothing_more }
}

#[test]
fn section_files_are_written_as_pbs_wrote_them() {
    const OTHERS: Schema = Schema {
        types: &[
            keyless("remote"),
            keyless("sync"),
            keyless("backup"),
            keyless("user"),
            keyless("token"),
        ],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        unknown_keys: Unknown::Keep,
    };
    let Some((_folder, dir)) = unpacked() else { return };
    let rows = [
        ("datastore.cfg", &DatastoreConfig::FILE.schema),
        ("media-pool.cfg", &PoolConfig::FILE.schema),
        ("remote.cfg", &OTHERS),
        ("sync.cfg", &OTHERS),
        ("tape-job.cfg", &OTHERS),
        ("user.cfg", &UserConfig::FILE.schema),
    ];
    for (name, schema) in rows {
        let text = read(&dir, name);
        assert_eq!(rewritten(&text, schema), text, "{name}");
    }
    // This one was typed by hand: keys unsorted, a blank line at the end.
    let canonical = "virtual: vt0\n\tmax-size 8388608\n\tpath /srv/vtape/set1\n";
    assert_eq!(rewritten(&read(&dir, "tape.cfg"), &VirtualDrive::FILE.schema), canonical);
}

#[test]
fn rights() {
    let Some((_folder, dir)) = unpacked() else { return };
    let (tree, _) = AclFile::new(&dir).load().unwrap();
    assert_eq!(tree.to_text(), read(&dir, "acl.cfg"));
    let token = "alice@pbs!tok1".parse().unwrap();
    let (privileges, _) = tree.privileges(&token, ["datastore", "store1"]);
    assert_eq!(privileges, Role::DatastorePowerUser.privileges());
    let (tokens, _) = Tokens::new(&dir).list().unwrap();
    assert_eq!(tokens.len(), 2);
}

#[test]
fn typed_sections() {
    let Some((_folder, dir)) = unpacked() else { return };
    let (stores, digest) = Datastores::new(&dir).list().unwrap();
    let names: Vec<&str> = stores.iter().map(|store| store.name.as_str()).collect();
    assert_eq!(names, ["store1", "mirror1", "restored1", "partial1"]);
    assert_eq!(digest, ConfigDigest::of(read(&dir, "datastore.cfg").as_bytes()));
    assert_eq!(stores[0].comment.as_ref().unwrap().as_str(), "fixture store 1");

    let (pools, _) = Pools::new(&dir).list().unwrap();
    let pool = |name: &str| pools.iter().find(|pool| pool.name.as_str() == name).unwrap();
    assert_eq!(pool("poolB").retention, Some(RetentionPolicy::Overwrite));
    assert_eq!(pool("poolC").allocation.as_ref().unwrap().to_string(), "mon..fri 20:00");
    assert!(pool("poolE").encrypt.is_some());

    let (drives, _) = VirtualDrives::new(&dir).list().unwrap();
    assert_eq!((drives[0].name.as_str(), drives[0].max_size_bytes), ("vt0", Some(8_388_608)));
}

#[test]
fn an_update_changes_its_line_only() {
    let Some((_folder, dir)) = unpacked() else { return };
    let before = read(&dir, "media-pool.cfg");
    let pools = Pools::new(&dir);
    let change = |pool: &mut PoolConfig| {
        pool.comment = Some("changed".parse()?);
        Ok(())
    };
    pools.update(&"poolE".parse().unwrap(), &[] as &[&str], None, change).unwrap();
    let after = before.replace("\tencrypt", "\tcomment changed\n\tencrypt");
    assert_eq!(read(&dir, "media-pool.cfg"), after);
}

#[test]
fn tape_keys() {
    let Some((_folder, dir)) = unpacked() else { return };
    let keys = TapeKeys::load(&dir).unwrap();
    let infos: Vec<_> = keys.infos().collect();
    let hints: Vec<&str> = infos.iter().map(|info| info.hint.as_ref().unwrap().as_str()).collect();
    assert_eq!(hints, ["second tape key", "tape key hint 1"]);
    assert_eq!(infos[0].kdf, Kdf::Pbkdf2 { iterations: 65535 });
    assert_eq!(infos[1].kdf, Kdf::Scrypt { n: 65536, r: 8, p: 1 });
    let list = WrappedKey::list_text(infos.iter().map(|i| keys.wrapped(&i.fingerprint).unwrap().1));
    assert_eq!(list, read(&dir, "tape-encryption-key-config.json"));
    for info in infos {
        let key = keys.key(&info.fingerprint).unwrap();
        assert_eq!(fingerprint_of(key).unwrap(), info.fingerprint);
    }
    assert_eq!(
        keys.digest(),
        ConfigDigest::of(read(&dir, "tape-encryption-key-config.json").as_bytes())
    );
}
