//! Every file of every snapshot of a datastore that PBS wrote, read through the views and compared
//! with what PBS's own client restored and with what the independent checker reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use reel_store::datastore::{Datastore, SnapshotReader};
use reel_store::source::{ChunkSource, DatastoreSource};
use reel_store::view::{
    BlobView, ChunkMemory, ImageView, Seek, StreamView, ViewContext, ViewParts,
};
use reel_store::{CryptConfig, KeyFile, plain_digest};
use reel_types::{ArchiveKind, ArchiveName, GroupPath, Namespace, SnapshotPath};

use crate::support::{Pool, block_on, fixtures, open, unpacked};

const PASSPHRASE: &str = "key Pass-word 1";
const KEYS: [&str; 3] = ["enc-none.key", "enc-scrypt.key", "enc-pbkdf2.key"];
/// As a file system asks for them.
const READ_BYTES: usize = 1 << 20;

struct Setup {
    _run: tempfile::TempDir,
    fixtures: PathBuf,
    base: PathBuf,
    store: Arc<Datastore>,
    source: DatastoreSource,
    context: ViewContext,
    keys: Vec<Arc<CryptConfig>>,
}

impl Setup {
    fn new() -> Option<Self> {
        let fixtures = fixtures()?;
        let base = unpacked(&fixtures, "pbs-datastore-store1.tar.zst", "store1");
        let run = tempfile::tempdir().unwrap();
        let store = open(&base, run.path());
        let blocking = Pool::new(2);
        let source = DatastoreSource::new(store.chunks().clone(), blocking.clone(), 64 << 20);
        let context = ViewContext { memory: ChunkMemory::new(64 << 20), blocking, ahead_chunks: 3 };
        let keys = KEYS.map(|name| Arc::new(key(&fixtures, name))).into();
        Some(Self { _run: run, fixtures, base, store, source, context, keys })
    }

    fn all_snapshots(&self) -> Vec<SnapshotPath> {
        let namespaces = self.store.namespaces(&Namespace::root(), None).unwrap();
        assert!(namespaces.skipped.is_empty());
        let mut found = Vec::new();
        for namespace in namespaces.items {
            for group in self.store.groups(&namespace).unwrap().items {
                let group = GroupPath { namespace: namespace.clone(), group };
                let snapshots = self.store.snapshots(&group).unwrap().items;
                found.extend(snapshots.into_iter().map(|entry| group.at(entry.time)));
            }
        }
        found
    }

    fn key_of(&self, reader: &SnapshotReader) -> Option<Arc<CryptConfig>> {
        let wanted = reader.manifest().key_fingerprint().unwrap()?;
        self.keys.iter().find(|key| key.fingerprint() == wanted).cloned()
    }

    fn parts(&self, reader: &SnapshotReader, name: &ArchiveName) -> ViewParts {
        let opened = reader.index(name).unwrap();
        ViewParts {
            what: reader.text(name),
            index: opened.index,
            crypt_mode: opened.crypt_mode,
            crypt: self.key_of(reader),
            reader: self.source.reader(),
        }
    }

    fn image(&self, snapshot: &str, name: &str) -> ImageView {
        let reader = self.store.open_snapshot(&snapshot.parse().unwrap()).unwrap();
        ImageView::open(self.parts(&reader, &name.parse().unwrap()), &self.context).unwrap()
    }

    fn content(&self, reader: &SnapshotReader, name: &ArchiveName) -> Vec<u8> {
        match name.kind() {
            ArchiveKind::Blob => {
                let blob = reader.blob(name).unwrap().blob;
                let view = BlobView::open(&blob, self.key_of(reader).as_deref()).unwrap();
                view.read(0, usize::MAX).to_vec()
            }
            ArchiveKind::Fixed => {
                let view = ImageView::open(self.parts(reader, name), &self.context).unwrap();
                read_all(view.size(), |offset| block_on(view.read(offset, READ_BYTES)).unwrap())
            }
            ArchiveKind::Dynamic => {
                let view = StreamView::open(self.parts(reader, name), &self.context).unwrap();
                read_all(view.size(), |offset| block_on(view.read(offset, READ_BYTES)).unwrap())
            }
        }
    }
}

fn key(fixtures: &Path, name: &str) -> CryptConfig {
    let text = fs::read(fixtures.join("pbs-datastore-store1.keys").join(name)).unwrap();
    KeyFile::parse(&text).unwrap().unlock(|| Ok(PASSPHRASE.as_bytes().to_vec())).unwrap()
}

fn read_all(size: u64, read: impl Fn(u64) -> bytes::Bytes) -> Vec<u8> {
    let mut content = Vec::new();
    while (content.len() as u64) < size {
        content.extend_from_slice(&read(content.len() as u64));
    }
    content
}

/// SHA-256 of every plain content by `namespace/type/id/time/name`.
fn read_everything(setup: &Setup) -> BTreeMap<String, String> {
    let mut sums = BTreeMap::new();
    for snapshot in setup.all_snapshots() {
        let reader = setup.store.open_snapshot(&snapshot).unwrap();
        for name in reader.stored_files().unwrap() {
            if name.as_str() == ArchiveName::MANIFEST {
                continue;
            }
            let digest = plain_digest(&setup.content(&reader, &name));
            let path = match snapshot.namespace.is_root() {
                true => format!("{}/{}", snapshot.snapshot, name.plain()),
                false => format!("{}/{}/{}", snapshot.namespace, snapshot.snapshot, name.plain()),
            };
            sums.insert(path, digest.to_string());
        }
    }
    sums
}

/// What the client of PBS restored, from the list beside the archive.
fn restored_by_pbs(fixtures: &Path) -> BTreeMap<String, String> {
    let list = fixtures.join("pbs-datastore-store1.lists/plain.sha256.txt");
    let text = fs::read_to_string(list).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let (namespace, snapshot) = words[0].split_once(':').unwrap();
            let prefix = if namespace == "(root)" { "" } else { &format!("{namespace}/") };
            (format!("{prefix}{snapshot}/{}", words[1]), words[3].to_owned())
        })
        .collect()
}

/// What the independent checker reads; none, with a word about it, where it can't be run.
fn read_by_oracle(setup: &Setup) -> Option<BTreeMap<String, String>> {
    let oracle = setup.fixtures.join("../tools/oracle/oracle.py");
    let mut command = Command::new("python3");
    command.arg(oracle).arg("datastore").arg(&setup.base).args(["--dump-sha256", "--password"]);
    command.arg(PASSPHRASE);
    for name in KEYS {
        command.arg("--key").arg(setup.fixtures.join("pbs-datastore-store1.keys").join(name));
    }
    match command.output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).unwrap();
            let pair = |line: &str| {
                let (sum, path) = line.split_once("  ").unwrap();
                (path.to_owned(), sum.to_owned())
            };
            Some(text.lines().map(pair).collect())
        }
        _ => {
            eprintln!("skipped: the oracle can't be run");
            None
        }
    }
}

#[test]
fn every_file_of_every_snapshot_reads() {
    let Some(setup) = Setup::new() else { return };
    let ours = read_everything(&setup);
    let restored = restored_by_pbs(&setup.fixtures);
    assert!(restored.len() > 15);
    for (path, sum) in &restored {
        assert_eq!(ours.get(path), Some(sum), "{path}");
    }
    if let Some(oracle) = read_by_oracle(&setup) {
        assert_eq!(ours, oracle);
    }
}

#[test]
fn flags_owners_and_notes_are_those_of_pbs() {
    let Some(setup) = Setup::new() else { return };
    let store = &setup.store;
    assert_eq!(setup.all_snapshots().len(), 24);
    let alpha = "host/alpha".parse().unwrap();
    let protected: Vec<_> =
        store.snapshots(&alpha).unwrap().items.iter().map(|entry| entry.protected).collect();
    assert_eq!(protected, [false, false, true, false]);
    assert_eq!(store.owner(&alpha).unwrap().to_string(), "alice@pbs");
    assert_eq!(store.group_notes(&alpha).unwrap().trim_end(), "group notes of alpha");
    let owner = store.owner(&"host/my_id-1.2".parse().unwrap()).unwrap();
    assert_eq!(owner.to_string(), "alice@pbs!tok1");
    let noted = "ns/a/ns/b/vm/100/2024-06-05T10:00:14Z".parse().unwrap();
    assert_eq!(store.notes(&noted).unwrap(), "note in namespace");
    let two_lines = store.notes(&"host/alpha/2024-06-05T09:00:07Z".parse().unwrap()).unwrap();
    assert_eq!(two_lines.lines().count(), 2);
}

#[test]
fn all_chunks_are_found_and_whole() {
    let Some(setup) = Setup::new() else { return };
    let list = setup.fixtures.join("pbs-datastore-store1.lists/store-chunks.txt");
    let listed = fs::read_to_string(list).unwrap().lines().count();
    let mut found = 0;
    for chunk in setup.store.chunks().walk() {
        setup.store.chunks().read_verified(&chunk.unwrap().digest, None).unwrap();
        found += 1;
    }
    assert_eq!(found, listed);
}

#[test]
fn zeros_are_holes_also_when_encrypted() {
    let Some(setup) = Setup::new() else { return };
    let zeros = setup.image("vm/101/2024-06-05T13:00:35Z", "zero.img.fidx");
    assert_eq!(zeros.seek_hole_data(0, Seek::Hole).unwrap(), 0);
    assert_eq!(zeros.seek_hole_data(0, Seek::Data).unwrap_err().errno(), libc::ENXIO);
    let plain = setup.image("vm/101/2024-06-05T13:00:35Z", "drive-virtio0.img.fidx");
    let encrypted = setup.image("vm/300/2024-06-05T08:00:00Z", "drive-scsi0.img.fidx");
    let map = |view: &ImageView| {
        (0..view.size() >> 20)
            .map(|mib| view.seek_hole_data(mib << 20, Seek::Data).ok())
            .collect::<Vec<_>>()
    };
    assert_eq!(map(&plain), map(&encrypted));
}

#[test]
fn encrypted_files_need_their_own_key() {
    let Some(setup) = Setup::new() else { return };
    let snapshot: SnapshotPath = "host/encpw/2024-06-05T08:00:00Z".parse().unwrap();
    let reader = setup.store.open_snapshot(&snapshot).unwrap();
    let name: ArchiveName = "data.pxar.didx".parse().unwrap();
    let without = ViewParts { crypt: None, ..setup.parts(&reader, &name) };
    let error = StreamView::open(without, &setup.context).err().unwrap();
    assert_eq!(error.errno(), libc::ENOKEY);
    assert!(error.to_string().contains("data.pxar.didx"), "{error}");
    let wrong = reader.manifest().check_key(Some(&*setup.keys[0])).unwrap_err();
    assert_eq!(wrong.errno(), libc::EKEYREJECTED);
}
