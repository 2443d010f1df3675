//! Tapes, catalogs and the inventory that PBS 3.2.4 wrote (`pbs-tape-public.tar.zst`): all of it is read,
//! what we write of the same is the same, and the catalogs state what is on the tapes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "pbs_tapes/tape.rs"]
mod tape;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use reel_tape::archive::ArchiveHeader;
use reel_tape::archive::catalog::CatalogArchiveHeader;
use reel_tape::archive::chunk::{
    ChunkArchiveHeader, ChunkArchiveReader, ChunkEntry, ContentOffset,
};
use reel_tape::archive::snapshot::{
    SnapshotArchiveHeader, SnapshotArchiveReader, SnapshotArchiveWriter,
};
use reel_tape::media_catalog::{
    CatalogExpectation, CatalogHeader, CatalogReader, CatalogRecord, CatalogSnapshot,
    RestoredCatalog, snapshots_on_medium,
};
use reel_tape::{
    ContentKind, FileNumber, Inventory, MediaCatalog, MediaLabels, MediaSetLabel, StateDir,
};
use reel_types::Digest;
use tape::{Fixtures, Tape, TapeFile};
use uuid::Uuid;

fn expected(tape: &Tape) -> CatalogExpectation {
    CatalogExpectation::of(tape.label.uuid, tape.set_label.as_ref())
}

fn labels(tape: &Tape) -> MediaLabels {
    MediaLabels { label: tape.label.clone(), media_set_label: tape.set_label.clone() }
}

fn catalog_records(state: &StateDir, tape: &Tape) -> Vec<CatalogRecord> {
    let bytes = fs::read(state.catalog(tape.label.uuid)).unwrap();
    let reader = CatalogReader::new(bytes.as_slice(), expected(tape)).unwrap();
    reader.collect::<Result<_, _>>().unwrap()
}

/// The digests in a chunk archive; every entry's header must be what we would write.
fn digests(file: &TapeFile) -> (ChunkArchiveHeader, Vec<Digest>) {
    let mut content = file.content.as_slice();
    let header = ChunkArchiveHeader::read(file.header.size, &mut content).unwrap();
    assert_eq!(header.to_json().unwrap(), file.header_data());
    let mut reader = ChunkArchiveReader::new(content, ContentOffset(0));
    let mut digests = Vec::new();
    while let Some((entry, blob)) = reader.next_chunk().unwrap() {
        let start = usize::try_from(entry.offset.0).unwrap();
        let header = ChunkEntry::header(&entry.digest, entry.blob_bytes);
        assert_eq!(file.body()[start..start + header.len()], header);
        assert_eq!(&file.body()[start + header.len()..][..blob.raw().len()], blob.raw());
        digests.push(entry.digest);
    }
    (header, digests)
}

/// Writes the catalog of a tape anew from what is on the tape.
fn scan(state: &StateDir, tape: &Tape) -> MediaCatalog {
    let mut catalog = MediaCatalog::create_temporary(state, &labels(tape)).unwrap();
    for (number, file) in (2..).map(FileNumber).zip(&tape.files) {
        let uuid = Uuid::from_bytes(file.header.uuid);
        match file.kind {
            ContentKind::ChunkArchive => {
                let (header, digests) = digests(file);
                catalog.start_chunk_archive(uuid, number, &header.store).unwrap();
                digests.iter().for_each(|digest| catalog.register_chunk(digest).unwrap());
                catalog.end_chunk_archive().unwrap();
            }
            ContentKind::SnapshotArchive | ContentKind::SnapshotArchiveInNamespace => {
                let mut content = file.content.as_slice();
                let header = SnapshotArchiveHeader::read(file.header.size, &mut content).unwrap();
                assert_eq!(
                    (header.kind(), file.header_data().to_vec()),
                    (file.kind, header.to_json().unwrap())
                );
                if !file.incomplete {
                    let (store, path) = (&header.store, &header.snapshot);
                    catalog.register_snapshot(uuid, number, store, path).unwrap();
                }
            }
            ContentKind::CatalogArchive | ContentKind::CatalogArchiveWithNamespaces => {}
            other => panic!("{} among the archives", other.name()),
        }
    }
    catalog.finish_temporary().unwrap();
    catalog
}

#[test]
fn catalogs_state_what_is_on_the_tapes() {
    let Some(fixtures) = Fixtures::unpack() else { return };
    let state = fixtures.state();
    let scratch = tempfile::tempdir().unwrap();
    let (mut chunks, mut snapshots, mut compared) = (0, 0, 0);
    for tape in fixtures.tapes() {
        let ours = StateDir::new(scratch.path());
        let catalog = scan(&ours, &tape);
        if !state.catalog(tape.label.uuid).exists() {
            continue;
        }
        let found = catalog_records(&ours, &tape);
        chunks += found.iter().filter(|record| matches!(record, CatalogRecord::Chunk(_))).count();
        snapshots +=
            found.iter().filter(|record| matches!(record, CatalogRecord::Snapshot { .. })).count();
        assert_eq!(found, catalog_records(&state, &tape), "{}", tape.label.label_text);
        compared += 1;
        if tape.set_label.is_some() {
            let theirs = state.catalog(tape.label.uuid);
            oracle(&fixtures, &["compare-catalog", text(catalog.path()), text(&theirs)]);
        }
    }
    assert!(compared > 15 && chunks > 200 && snapshots > 30, "{compared} {chunks} {snapshots}");
}

#[test]
fn catalogs_open_for_appending() {
    let Some(fixtures) = Fixtures::unpack() else { return };
    let state = fixtures.state();
    let inventory = Inventory::from_json(&fs::read(state.inventory()).unwrap()).unwrap();
    for medium in state.media_with_catalog().unwrap() {
        let before = fs::read(state.catalog(medium)).unwrap();
        let set_label =
            inventory.get(medium).and_then(|entry| entry.labels.media_set_label.clone());
        let mut catalog =
            MediaCatalog::open(&state, medium, set_label.as_ref(), |_| Ok(())).unwrap();
        let number = FileNumber(catalog.last_file().unwrap().0.max(1) + 1);
        let uuid = Uuid::from_u128(1);
        catalog.start_chunk_archive(uuid, number, &"store1".parse().unwrap()).unwrap();
        catalog.end_chunk_archive().unwrap();
        catalog.commit().unwrap();
        assert_eq!(fs::read(state.catalog(medium)).unwrap()[..before.len()], before);
    }
    let one = inventory.iter().find(|entry| entry.assigned_set().is_some()).unwrap().uuid();
    oracle(&fixtures, &["catalog", text(&state.catalog(one))]);
}

#[test]
fn snapshot_archives_are_written_as_pbs_wrote_them() {
    let Some(fixtures) = Fixtures::unpack() else { return };
    let (mut archives, mut cut) = (0, 0);
    for file in fixtures.tapes().iter().flat_map(|tape| &tape.files) {
        if !matches!(
            file.kind,
            ContentKind::SnapshotArchive | ContentKind::SnapshotArchiveInNamespace
        ) {
            continue;
        }
        let rewritten = rewrite(file.body());
        if file.incomplete {
            assert!(rewritten.is_err());
            cut += 1;
        } else {
            assert!(rewritten.unwrap() == file.body(), "another pxar than PBS's");
            archives += 1;
        }
    }
    assert!(archives > 30, "{archives} archives, {cut} of them cut");
}

fn rewrite(content: &[u8]) -> reel_tape::Result<Vec<u8>> {
    let mut reader = SnapshotArchiveReader::new(content)?;
    let mut writer = SnapshotArchiveWriter::new(Vec::new())?;
    while let Some(file) = reader.next_file()? {
        writer.add_file(&file.name, &file.stat, file.size, reader.content())?;
    }
    writer.finish()
}

#[test]
fn catalog_archives_hold_catalogs() {
    let Some(fixtures) = Fixtures::unpack() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let state = StateDir::new(scratch.path());
    let mut restored = 0;
    for tape in fixtures.tapes() {
        for file in &tape.files {
            if !matches!(
                file.kind,
                ContentKind::CatalogArchive | ContentKind::CatalogArchiveWithNamespaces
            ) {
                continue;
            }
            let mut content = file.content.as_slice();
            let header = CatalogArchiveHeader::read(file.header.size, &mut content).unwrap();
            assert_eq!(header.to_json().unwrap(), file.header_data());
            if file.incomplete {
                continue;
            }
            let found = CatalogHeader::parse(content).unwrap();
            assert_eq!(
                (found.medium, found.set, found.seq_nr),
                (header.uuid, header.media_set_uuid, header.seq_nr)
            );
            RestoredCatalog::receive(&state, &header, content).unwrap().keep().unwrap();
            assert_eq!(fs::read(state.catalog(header.uuid)).unwrap(), content);
            restored += 1;
        }
    }
    assert!(restored > 8, "{restored}");
}

#[test]
fn the_inventory_is_written_as_pbs_wrote_it() {
    let Some(fixtures) = Fixtures::unpack() else { return };
    let path = fixtures.state().inventory();
    let bytes = fs::read(&path).unwrap();
    let inventory = Inventory::from_json(&bytes).unwrap();
    assert_eq!(String::from_utf8(inventory.to_json().unwrap()), String::from_utf8(bytes));
    for tape in fixtures.tapes() {
        let Some(entry) = inventory.get(tape.label.uuid) else { continue };
        assert_eq!(entry.labels.label, tape.label);
        let known = entry.labels.media_set_label.clone();
        assert_eq!(known, tape.set_label.as_ref().map(MediaSetLabel::without_key_config));
    }
    assert!(inventory.sets().len() >= 5);
    for set in inventory.sets() {
        assert!(!inventory.set_members(set).unwrap().complete().unwrap().is_empty());
    }

    let mut changed = inventory.clone();
    let first = inventory.iter().next().unwrap();
    changed.set_status(first.uuid(), Some("damaged".parse().unwrap())).unwrap();
    changed.set_location(first.uuid(), "vault-office".parse().unwrap()).unwrap();
    fs::write(&path, changed.to_json().unwrap()).unwrap();
    oracle(&fixtures, &["inventory", text(&path)]);
}

#[test]
fn lists_of_snapshots_are_those_of_pbs() {
    let Some(fixtures) = Fixtures::unpack() else { return };
    let state = fixtures.state();
    let mut compared = 0;
    for tape in fixtures.tapes() {
        let cache = state.snapshot_cache(tape.label.uuid);
        let Ok(theirs) = fs::read_to_string(&cache) else { continue };
        if !state.catalog(tape.label.uuid).exists() {
            continue;
        }
        let catalog = fs::read(state.catalog(tape.label.uuid)).unwrap();
        let in_catalog = CatalogSnapshot::read_all(catalog.as_slice(), expected(&tape)).unwrap();
        let listed = snapshots_on_medium(&state, tape.label.uuid, expected(&tape)).unwrap();
        assert_eq!(listed.len(), in_catalog.len());
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let ours = fs::read_to_string(&cache).unwrap();
        if theirs[17..33] == ours[17..33] {
            assert_eq!(sorted(&ours), sorted(&theirs), "{}", tape.label.label_text);
            compared += 1;
        }
    }
    assert!(compared > 3, "{compared}");
}

#[test]
fn a_set_label_with_its_key_is_written_as_pbs_wrote_it() {
    let Some(fixtures) = Fixtures::unpack() else { return };
    let mut text = Vec::new();
    let path = fixtures.source.join("lto/poolS-media-set-label.json");
    fs::File::open(path).unwrap().read_to_end(&mut text).unwrap();
    let label = MediaSetLabel::from_json(&text).unwrap();
    assert_eq!(label.to_json().unwrap(), text.trim_ascii_end());
    assert!(label.key_config.is_some());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Whether there is a Python with the packages that the independent reader needs.
static PYTHON: LazyLock<bool> = LazyLock::new(|| {
    Command::new("python3")
        .args(["-c", "import zstandard, cryptography"])
        .status()
        .is_ok_and(|status| status.success())
});

/// Lets the independent reader judge files of ours, where it and Python are there.
fn oracle(fixtures: &Fixtures, arguments: &[&str]) {
    let program = fixtures.source.join("../tools/oracle/oracle.py");
    if !program.exists() || !*PYTHON {
        eprintln!("skipped: no independent reader at {}", program.display());
        return;
    }
    let output = Command::new("python3").arg("-B").arg(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {said}");
}
