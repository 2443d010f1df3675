//! A datastore damaged on purpose: each damage has its error, names the chunk, and hits nothing else.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use reel_store::datastore::Datastore;
use reel_store::source::{ChunkSource, DatastoreSource};
use reel_store::view::{ChunkMemory, ImageView, ViewContext, ViewParts};
use reel_store::{ChunkIndex, StoreErrorKind, plain_digest};
use reel_types::{ArchiveName, Namespace, SnapshotPath};

use crate::support::{Pool, block_on, fixtures, open, unpacked};

const MIB: u64 = 1 << 20;

struct Setup {
    _run: tempfile::TempDir,
    fixtures: PathBuf,
    store: Arc<Datastore>,
}

impl Setup {
    fn new() -> Option<Self> {
        let fixtures = fixtures()?;
        let base = unpacked(&fixtures, "pbs-datastore-damaged.tar.zst", "damaged");
        let run = tempfile::tempdir().unwrap();
        let store = open(&base, run.path());
        Some(Self { _run: run, fixtures, store })
    }

    fn view(&self, id: &str) -> ImageView {
        let reader = self.store.open_snapshot(&snapshot(id)).unwrap();
        let opened = reader.index(&disk()).unwrap();
        let blocking = Pool::new(2);
        let source = DatastoreSource::new(self.store.chunks().clone(), blocking.clone(), 0);
        let context = ViewContext { memory: ChunkMemory::new(0), blocking, ahead_chunks: 1 };
        let parts = ViewParts {
            what: reader.text(&disk()),
            index: opened.index,
            crypt_mode: opened.crypt_mode,
            crypt: None,
            reader: source.reader(),
        };
        ImageView::open(parts, &context).unwrap()
    }
}

fn snapshot(id: &str) -> SnapshotPath {
    format!("vm/{id}/2024-07-03T09:46:40Z").parse().unwrap()
}

fn disk() -> ArchiveName {
    "disk.img.fidx".parse().unwrap()
}

#[test]
fn a_bad_chunk_fails_its_own_range_and_is_named() {
    let Some(setup) = Setup::new() else { return };
    let manifest = fs::read_to_string(setup.fixtures.join("pbs-datastore-damaged.MANIFEST.md"));
    let manifest = manifest.unwrap();
    for id in ["badcrc", "baddigest", "missing", "truncated", "empty", "badmagic", "wronglen"] {
        let line = manifest.lines().find(|line| line.contains(&format!("vm/{id}: chunk"))).unwrap();
        let bad = line.split(' ').find(|word| word.len() == 64).unwrap();
        let reader = setup.store.open_snapshot(&snapshot(id)).unwrap();
        let index = reader.index(&disk()).unwrap().index;
        let view = setup.view(id);
        let mut failed = 0;
        for entry in index.entries(0..index.chunk_count()) {
            let entry = entry.unwrap();
            let read = block_on(view.read(entry.start, MIB as usize));
            if entry.digest.to_string() != bad {
                assert_eq!(read.unwrap().len() as u64, MIB, "{id}");
                continue;
            }
            failed += 1;
            let error = read.unwrap_err();
            assert_eq!(error.errno(), libc::EIO, "{id}: {error}");
            let text = error.to_string();
            for part in [bad, "'store1'", "disk.img.fidx", id] {
                assert!(text.contains(part), "{id}: '{part}' is not in: {text}");
            }
        }
        assert_eq!(failed, 1, "{id}");
    }
}

#[test]
fn bad_snapshots_are_refused_as_pbs_does() {
    let Some(setup) = Setup::new() else { return };
    let index = |id: &str| {
        let reader = setup.store.open_snapshot(&snapshot(id)).unwrap();
        reader.index(&disk()).unwrap_err().kind()
    };
    assert_eq!(index("badindex"), StoreErrorKind::Checksum);
    assert_eq!(index("shortindex"), StoreErrorKind::Corrupt);
    assert_eq!(index("noindex"), StoreErrorKind::NotFound);
    let open = |id: &str| setup.store.open_snapshot(&snapshot(id)).unwrap_err().kind();
    assert_eq!(open("nomanifest"), StoreErrorKind::NotFound);
    assert_eq!(open("unfinished"), StoreErrorKind::NotFound);
    assert_eq!(open("badmanifest"), StoreErrorKind::Checksum);
}

#[test]
fn what_is_whole_reads_and_a_header_csum_does_not_matter() {
    let Some(setup) = Setup::new() else { return };
    let sums = setup.fixtures.join("pbs-datastore-damaged.outputs/plain.sha256.txt");
    let sums = fs::read_to_string(sums).unwrap();
    for id in ["good", "wrongcsum"] {
        let view = setup.view(id);
        let content = block_on(view.read(0, 100 << 20)).unwrap();
        let digest = plain_digest(&content).to_string();
        assert!(sums.contains(&format!("{digest}  {id}.raw")), "{id}");
    }
}

#[test]
fn damage_does_not_stop_a_listing() {
    let Some(setup) = Setup::new() else { return };
    let groups = setup.store.groups(&Namespace::root()).unwrap();
    assert_eq!(groups.items.len(), 15);
    let unfinished: Vec<_> = groups
        .items
        .iter()
        .map(|group| snapshot(group.id.as_str()))
        .filter(|snapshot| !setup.store.snapshot_entry(snapshot).unwrap().finished)
        .map(|snapshot| snapshot.snapshot.group.id.to_string())
        .collect();
    assert_eq!(unfinished, ["nomanifest", "unfinished"]);
    assert_eq!(setup.store.files(&snapshot("nomanifest")).unwrap().items.len(), 1);
    assert!(setup.store.files(&snapshot("unfinished")).unwrap().items.is_empty());
    assert_eq!(setup.store.snapshot_size(&snapshot("missing")).unwrap(), 12_583_226);
}
