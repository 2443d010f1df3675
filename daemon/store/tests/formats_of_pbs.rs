//! Our formats against a datastore that PBS wrote: every manifest, index and blob file of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use reel_store::{
    BLOB_PLAIN_MAX, ChunkIndex, CryptConfig, CryptMode, DataBlob, Index, KeyFile, Manifest,
    ManifestFile, SignatureCheck, open_with_master,
};
use reel_types::{ArchiveKind, ArchiveName};

const PASSPHRASE: &[u8] = b"key Pass-word 1";

fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures"));
    let folder = std::env::var_os("REELFS_FIXTURES").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no fixtures at {}", folder.display());
    None
}

/// Unpacks all of the datastore but its chunks.
fn unpack(fixtures: &Path, target: &Path) {
    let status = Command::new("tar")
        .args(["--zstd", "--no-same-owner", "--wildcards", "-xf"])
        .arg(fixtures.join("pbs-datastore-store1.tar.zst"))
        .arg("-C")
        .arg(target)
        .args(["store1/vm/*", "store1/ct/*", "store1/host/*", "store1/ns/*"])
        .status()
        .unwrap();
    assert!(status.success());
}

fn manifests_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            manifests_below(&path, found);
        } else if path.ends_with(ArchiveName::MANIFEST) {
            found.push(path);
        }
    }
}

fn keys(fixtures: &Path) -> Vec<CryptConfig> {
    ["enc-none.key", "enc-scrypt.key", "enc-pbkdf2.key"]
        .map(|name| {
            let text = fs::read(fixtures.join("pbs-datastore-store1.keys").join(name)).unwrap();
            KeyFile::parse(&text).unwrap().unlock(|| Ok(PASSPHRASE.to_vec())).unwrap()
        })
        .into()
}

fn read(path: &Path) -> Bytes {
    fs::read(path).unwrap().into()
}

fn check_file(folder: &Path, file: &ManifestFile, key: Option<&CryptConfig>) {
    let path = folder.join(file.name.as_str());
    if file.name.kind() != ArchiveKind::Blob {
        let index = Index::open(file.name.kind(), File::open(path).unwrap()).unwrap();
        index.verify(file.size, &file.csum).unwrap();
        let last = index.entry(index.chunk_count() - 1).unwrap();
        assert_eq!(index.chunk_at(file.size - 1).unwrap(), Some(index.chunk_count() - 1));
        assert_eq!(last.end, file.size);
        return;
    }
    let raw = read(&path);
    file.verify_blob(&raw).unwrap();
    let blob = DataBlob::from_raw(raw).unwrap();
    blob.decode(key, BLOB_PLAIN_MAX).unwrap();
    let is_master_copy = file.name.as_str() == "rsa-encrypted.key.blob";
    let expect_encrypted = file.crypt_mode == CryptMode::Encrypt && !is_master_copy;
    assert_eq!(blob.is_encrypted(), expect_encrypted, "{}", file.name);
}

#[test]
fn every_snapshot_reads_verifies_and_prints_as_it_was() {
    let Some(fixtures) = fixtures() else { return };
    let target = tempfile::tempdir().unwrap();
    unpack(&fixtures, target.path());
    let keys = keys(&fixtures);
    let mut paths = Vec::new();
    manifests_below(target.path(), &mut paths);
    assert!(paths.len() > 20, "{}", paths.len());
    let mut signed = 0;
    for path in &paths {
        let folder = path.parent().unwrap();
        let manifest = Manifest::from_raw(read(path)).unwrap();
        assert!(folder.ends_with(manifest.snapshot().path()), "{}", folder.display());
        let text = DataBlob::from_raw(read(path)).unwrap().decode(None, BLOB_PLAIN_MAX).unwrap();
        assert_eq!(manifest.to_json().unwrap(), text, "{}", path.display());
        manifest.verify_state().unwrap();
        manifest.chunk_upload_stats().unwrap();
        let wanted = manifest.key_fingerprint().unwrap();
        let key = keys.iter().find(|key| Some(key.fingerprint()) == wanted);
        assert_eq!(key.is_some(), wanted.is_some());
        manifest.check_key(key).unwrap();
        if let Some(key) = key {
            assert_eq!(manifest.check_signature(key).unwrap(), SignatureCheck::Valid);
            signed += 1;
        }
        for file in manifest.files() {
            check_file(folder, file, key);
        }
    }
    assert!(signed >= 7, "{signed}");
}

#[test]
fn the_master_key_opens_the_copy_in_a_snapshot() {
    let Some(fixtures) = fixtures() else { return };
    let target = tempfile::tempdir().unwrap();
    unpack(&fixtures, target.path());
    let sealed =
        target.path().join("store1/host/master/2024-06-05T08:00:00Z/rsa-encrypted.key.blob");
    let private = fs::read(fixtures.join("pbs-datastore-store1.keys/master.priv.pem")).unwrap();
    let copy = open_with_master(read(&sealed), &private, b"").unwrap();
    let key = copy.unlock(|| unreachable!("the copy has no pass phrase")).unwrap();
    assert_eq!(key.fingerprint(), keys(&fixtures)[0].fingerprint());
}
