//! Tapes that a real PBS wrote: every snapshot of poolA's set is fetched, and every chunk that its indexes name
//! reads as the store has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use reel_store::index::{ChunkIndex, Index};
use reel_tape::fetch::fetch;
use reel_tape::set_contents::SetContents;
use reel_tape::snapshot_files::SnapshotOnSet;
use reel_types::{ArchiveKind, Cancel, Digest, NoTask};

use crate::support::{CountingOpener, Reading, block_on, desk, fixtures, tape_env, unpack};

/// The chunks alone: all the empty folders of the store would take longer than the test.
const CHUNK_FILES: &str =
    "store1/.chunks/????/????????????????????????????????????????????????????????????????";

#[test]
fn all_chunks_of_a_set_of_pbs_read_as_its_store_has_them() {
    let Some(fixtures) = fixtures() else { return };
    let folder = tempfile::tempdir().unwrap();
    unpack(&fixtures.join("pbs-tape-public.tar.zst"), folder.path(), "*");
    unpack(&fixtures.join("pbs-datastore-store1.tar.zst"), folder.path(), CHUNK_FILES);
    let state = folder.path().join("var-lib-proxmox-backup/tape");
    let env = tape_env(&state, &folder.path().join("cache"));
    let inventory = env.inventory.load().unwrap();
    let set = inventory.latest_set(&"poolA".parse().unwrap()).unwrap();
    let contents = Arc::new(SetContents::open(&env, &inventory, set).unwrap());
    assert_eq!(contents.first_missing(), None);
    let opener = CountingOpener::of_virtual(&folder.path().join("vtape"));
    let desk = desk(opener, &folder.path().join("run"));
    let mut hold = desk.hold("fetch", std::time::Duration::ZERO, &Cancel::new()).unwrap();
    let fetched = fetch(&env, &mut hold, &contents, |_| true, &NoTask::default()).unwrap();
    drop(hold);
    let snapshots = contents.snapshots();
    assert_eq!(fetched.fetched, snapshots.len() as u64);
    assert!(snapshots.len() > 10, "{}", snapshots.len());

    let mut wanted = BTreeMap::<_, Vec<Digest>>::new();
    for snapshot in &snapshots {
        let on_set =
            SnapshotOnSet { set, store: snapshot.store.clone(), path: snapshot.path.clone() };
        let files = env.snapshots.get(&on_set).unwrap();
        let digests = wanted.entry(snapshot.store.clone()).or_default();
        for entry in std::fs::read_dir(files.folder()).unwrap() {
            digests.extend(digests_of(&entry.unwrap().path()));
        }
    }
    let mut compared = 0;
    for (name, mut digests) in wanted {
        digests.sort();
        digests.dedup();
        let cache = folder.path().join(format!("chunks-{name}"));
        let options = reel_tape::queue::QueueOptions::default();
        let reading =
            Reading::with(&env, &desk, contents.clone(), name, &cache, 1_u64 << 30, options);
        let reader = reading.reader();
        reader.ahead(&digests);
        for digest in &digests {
            let chunk = block_on(reader.chunk(*digest)).unwrap();
            let text = digest.to_string();
            let path = folder.path().join("store1/.chunks").join(&text[..4]).join(&text);
            let in_store = std::fs::read(path).unwrap();
            assert!(*chunk.blob.raw() == in_store, "chunk {digest}");
            assert_eq!(chunk.plain.is_none(), chunk.blob.is_encrypted());
            compared += 1;
        }
        assert!(reading.damage.all().is_empty());
    }
    assert!(compared > 50, "{compared}");
}

fn digests_of(path: &std::path::Path) -> Vec<Digest> {
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("fidx") => ArchiveKind::Fixed,
        Some("didx") => ArchiveKind::Dynamic,
        _ => return Vec::new(),
    };
    let index = Index::open(kind, std::fs::File::open(path).unwrap()).unwrap();
    let entries = index.window(0..index.chunk_count()).unwrap();
    entries.into_iter().map(|entry| entry.digest).collect()
}
