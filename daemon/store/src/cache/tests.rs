use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::blob::DataBlob;
use crate::crypto::plain_digest;
use crate::failure::StoreErrorKind;

/// A chunk whose blob has 112 bytes.
fn chunk(fill: u8) -> (Digest, Chunk) {
    let data = [fill; 100];
    let (digest, blob) = (plain_digest(&data), DataBlob::encode(&data, None, false).unwrap());
    (digest, Chunk::checked(blob, &digest).unwrap())
}

const BLOB_BYTES: u64 = 112;

struct Setup {
    dir: tempfile::TempDir,
    warnings: Arc<AtomicUsize>,
}

impl Setup {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), warnings: Arc::default() }
    }

    fn open(&self, blobs: u64) -> Arc<DiskCache> {
        let warnings = self.warnings.clone();
        let warn = Box::new(move |_: &StoreError| {
            warnings.fetch_add(1, Ordering::SeqCst);
        });
        Arc::new(DiskCache::open(self.dir.path(), blobs * BLOB_BYTES, warn).unwrap())
    }

    fn path(&self, digest: &Digest) -> std::path::PathBuf {
        let name = digest.to_string();
        self.dir.path().join(&name[..2]).join(&name[2..4]).join(&name)
    }

    fn warnings(&self) -> usize {
        self.warnings.load(Ordering::SeqCst)
    }
}

fn put(cache: &DiskCache, fill: u8) -> (Digest, Kept) {
    let (digest, chunk) = chunk(fill);
    (digest, cache.put(&digest, &chunk))
}

#[test]
fn what_was_put_is_there_until_room_is_needed() {
    let setup = Setup::new();
    let cache = setup.open(2);
    let ((a, _), (b, _)) = (put(&cache, 1), put(&cache, 2));
    assert_eq!(cache.get(&a).unwrap().blob, chunk(1).1.blob);
    let (c, kept) = put(&cache, 3);
    assert_eq!(kept, Kept::Stored);
    assert_eq!((cache.contains(&a), cache.contains(&b), cache.contains(&c)), (true, false, true));
    assert_eq!(cache.used_bytes(), 2 * BLOB_BYTES);
    assert!(cache.get(&b).is_none());
}

#[test]
fn the_order_of_use_survives_a_restart() {
    let setup = Setup::new();
    let cache = setup.open(3);
    let ((a, _), (b, _), (c, _)) = (put(&cache, 1), put(&cache, 2), put(&cache, 3));
    for (digest, seconds) in [(&a, 1000), (&b, 1500), (&c, 2000)] {
        let time = nix::sys::time::TimeVal::new(seconds, 0);
        nix::sys::stat::utimes(&setup.path(digest), &time, &time).unwrap();
    }
    assert!(cache.get(&a).is_some());
    drop(cache);
    let cache = setup.open(2);
    assert_eq!((cache.contains(&a), cache.contains(&b), cache.contains(&c)), (true, false, true));
    drop(cache);
    assert_eq!(setup.open(3).used_bytes(), 2 * BLOB_BYTES);
}

#[test]
fn torn_files_are_found_and_removed() {
    let setup = Setup::new();
    let cache = setup.open(9);
    let ((a, _), (b, _)) = (put(&cache, 1), put(&cache, 2));
    let path = |digest: &Digest| setup.path(digest);
    std::fs::write(path(&a), b"torn").unwrap();
    std::fs::write(path(&b).with_file_name(format!("{b}.tmp_abc")), b"left by a crash").unwrap();
    let mut raw = std::fs::read(path(&b)).unwrap();
    raw[50] ^= 1;
    std::fs::write(path(&b), raw).unwrap();
    drop(cache);
    let cache = setup.open(9);
    assert_eq!((cache.contains(&a), cache.contains(&b)), (false, true));
    assert!(!path(&a).exists());
    assert!(cache.get(&b).is_none());
    assert!(!path(&b).exists());
    assert_eq!((setup.warnings(), cache.used_bytes()), (1, 0));
    assert_eq!(std::fs::read_dir(path(&b).parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn pinned_blobs_stay_and_the_new_one_passes_through() {
    let setup = Setup::new();
    let cache = setup.open(2);
    let (a, b) = (chunk(1).0, chunk(2).0);
    let pin = cache.pin([a, b]);
    put(&cache, 1);
    put(&cache, 2);
    assert_eq!(put(&cache, 3).1, Kept::PassedThrough);
    assert!(cache.get(&a).is_some() && cache.get(&b).is_some());
    drop(pin);
    assert_eq!(put(&cache, 3).1, Kept::Stored);
    assert_eq!(cache.used_bytes(), 2 * BLOB_BYTES);
}

#[test]
fn a_cache_smaller_than_a_chunk_keeps_nothing() {
    let setup = Setup::new();
    let cache = setup.open(0);
    assert_eq!(put(&cache, 1).1, Kept::PassedThrough);
    assert_eq!((cache.used_bytes(), setup.warnings()), (0, 0));
}

#[test]
fn what_was_found_is_compared_with_its_digest() {
    let setup = Setup::new();
    let cache = setup.open(2);
    let ((a, _), (b, _)) = (put(&cache, 1), put(&cache, 2));
    drop(cache);
    std::fs::copy(setup.path(&a), setup.path(&b)).unwrap();
    let cache = setup.open(2);
    assert!(cache.get(&a).is_some());
    assert!(cache.get(&b).is_none(), "a good blob of other data");
    assert_eq!(setup.warnings(), 1);
    assert!(!setup.path(&b).exists());
}

#[test]
fn a_disk_that_cannot_be_written_warns_once_and_passes_through() {
    let setup = Setup::new();
    let cache = setup.open(9);
    let (a, content) = chunk(1);
    let blocked = setup.dir.path().join(&a.to_string()[..2]);
    std::fs::write(&blocked, b"a file where a folder is needed").unwrap();
    for _ in 0..2 {
        assert_eq!(cache.put(&a, &content), Kept::PassedThrough);
    }
    assert_eq!((setup.warnings(), cache.used_bytes()), (1, 0));
    std::fs::remove_file(&blocked).unwrap();
    assert_eq!(cache.put(&a, &content), Kept::Stored);
}

#[test]
fn one_cache_folder_serves_one_process() {
    let setup = Setup::new();
    let _first = setup.open(1);
    let second = DiskCache::open(setup.dir.path(), 1, Box::new(|_| {}));
    assert_eq!(second.err().map(|error| error.kind()), Some(StoreErrorKind::Locked));
}
