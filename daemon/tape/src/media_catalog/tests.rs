use std::fs::File;
use std::io::Cursor;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use reel_types::MediaSetId;

use super::*;
use crate::archive::catalog::CatalogArchiveHeader;
use crate::label::MediaLabel;

const MEDIUM: &str = "7f42c4dd-9626-4d89-9f2b-c7bc6da7d533";
const SET: &str = "9da37a55-aac7-4deb-91c6-482b3b675f30";
const CONTENT: &str = "11111111-2222-4333-8444-555555555555";
const SNAPSHOT: &str = "vm/201/2021-01-11T10:43:48Z";

/// `tape-state.md` §17.
const VECTOR: &str = "4c8ee8c120a88971\
    4c00000000000000007f42c4dd96264d899f2bc7bc6da7d5330000000000000000\
    4c01000000000000009da37a55aac74deb91c6482b3b675f300000000000000000\
    410200000000000000111111112222433384445555555555550600000000000000\
    73746f726531\
    43b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78\
    45020000000000000011111111222243338444555555555555\
    5303000000000000001111111122224333844455555555555506001b0000000000\
    73746f7265313a766d2f3230312f323032312d30312d31315431303a34333a34385a";

fn vector() -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    VECTOR.as_bytes().chunks(2).map(|pair| (digit(pair[0]) << 4) | digit(pair[1])).collect()
}

fn content() -> Uuid {
    CONTENT.parse().unwrap()
}

fn store() -> StoreName {
    "store1".parse().unwrap()
}

fn abc() -> Digest {
    Digest(openssl::sha::sha256(b"ABC"))
}

fn set_label() -> MediaSetLabel {
    MediaSetLabel {
        ctime: 2,
        encryption_key_fingerprint: None,
        key_config: None,
        pool: "daily".parse().unwrap(),
        seq_nr: 0,
        uuid: SET.parse().unwrap(),
    }
}

fn labels() -> MediaLabels {
    let label = MediaLabel {
        ctime: 1,
        label_text: "vtape1".parse().unwrap(),
        pool: None,
        uuid: MEDIUM.parse().unwrap(),
    };
    MediaLabels { label, media_set_label: Some(set_label()) }
}

fn medium() -> MediaId {
    MEDIUM.parse().unwrap()
}

fn expected() -> CatalogExpectation {
    CatalogExpectation::of(medium(), Some(&set_label()))
}

fn state() -> (tempfile::TempDir, StateDir) {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path());
    (folder, state)
}

fn records(bytes: &[u8], expected: CatalogExpectation) -> Result<Vec<CatalogRecord>> {
    CatalogReader::new(bytes, expected)?.collect()
}

fn write_vector(state: &StateDir) -> MediaCatalog {
    let mut catalog = MediaCatalog::overwrite(state, &labels()).unwrap();
    catalog.start_chunk_archive(content(), FileNumber(2), &store()).unwrap();
    catalog.register_chunk(&abc()).unwrap();
    catalog.end_chunk_archive().unwrap();
    let path = SNAPSHOT.parse().unwrap();
    catalog.register_snapshot(content(), FileNumber(3), &store(), &path).unwrap();
    catalog.commit().unwrap();
    catalog
}

fn refusal(bytes: &[u8]) -> String {
    records(bytes, expected()).unwrap_err().to_string()
}

fn open(state: &StateDir) -> Result<MediaCatalog> {
    MediaCatalog::open(state, medium(), Some(&set_label()), |_| Ok(()))
}

#[test]
fn the_vector_byte_for_byte() {
    let (_folder, state) = state();
    write_vector(&state);
    let written = fs::read(state.catalog(medium())).unwrap();
    assert_eq!(written, vector());
    assert_eq!(written.len(), 238);
    let contents = CatalogContents::read(written.as_slice(), expected()).unwrap();
    assert_eq!(contents.chunks[&store()][&abc()], FileNumber(2));
    assert_eq!(contents.snapshots[0].path.to_string(), SNAPSHOT);
    assert!(!state.catalog_being_built(medium()).exists());
}

#[test]
fn padding_is_not_looked_at() {
    let mut bytes = vector();
    let archive = 8 + 33 + 33;
    bytes[archive + 26..archive + 33].fill(0x5a);
    let snapshot = archive + 33 + 6 + 33 + 25;
    bytes[snapshot + 26] = 0x5a;
    bytes[snapshot + 29..snapshot + 33].fill(0x5a);
    assert_eq!(records(&bytes, expected()).unwrap(), records(&vector(), expected()).unwrap());
}

#[test]
fn a_catalog_goes_on_where_it_stopped() {
    let (_folder, state) = state();
    write_vector(&state);
    let mut seen = Vec::new();
    let mut catalog = MediaCatalog::open(&state, medium(), Some(&set_label()), |record| {
        seen.push(record);
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, records(&vector(), expected()).unwrap());
    assert_eq!(catalog.last_file(), Some(FileNumber(3)));
    assert!(catalog.start_chunk_archive(content(), FileNumber(3), &store()).is_err());
    catalog.start_chunk_archive(content(), FileNumber(7), &store()).unwrap();
    assert!(catalog.commit().is_err());
    catalog.end_chunk_archive().unwrap();
    assert_eq!(fs::read(catalog.path()).unwrap(), vector());
    catalog.commit().unwrap();
    assert!(!catalog.has_pending());
    assert_eq!(open(&state).unwrap().last_file(), Some(FileNumber(7)));
}

#[test]
fn an_archive_can_be_forgotten() {
    let (_folder, state) = state();
    let mut catalog = write_vector(&state);
    catalog.start_chunk_archive(content(), FileNumber(4), &store()).unwrap();
    catalog.register_chunk(&abc()).unwrap();
    catalog.discard_chunk_archive();
    assert_eq!((catalog.has_pending(), catalog.last_file()), (false, Some(FileNumber(3))));
    catalog.start_chunk_archive(content(), FileNumber(4), &store()).unwrap();
}

#[test]
fn the_order_of_things_holds_for_writers() {
    let (_folder, state) = state();
    let mut catalog = MediaCatalog::overwrite(&state, &labels()).unwrap();
    let text = |result: Result<()>| result.unwrap_err().to_string();
    assert!(
        text(catalog.register_chunk(&abc())).contains("register_chunk failed: no archive started")
    );
    assert!(text(catalog.end_chunk_archive()).contains("not started"));
    let snapshot = SNAPSHOT.parse().unwrap();
    let mut register =
        |number| catalog.register_snapshot(content(), FileNumber(number), &store(), &snapshot);
    assert!(text(register(1)).contains("got file number 1, expected at least 2"));
    register(5).unwrap();
    assert!(text(register(5)).contains("got file number 5, expected at least 6"));
    catalog.start_chunk_archive(content(), FileNumber(6), &store()).unwrap();
    assert!(
        text(catalog.start_chunk_archive(content(), FileNumber(7), &store()))
            .contains("already started")
    );
    assert!(catalog.register_snapshot(content(), FileNumber(7), &store(), &snapshot).is_err());
}

#[test]
fn every_cut_record_is_an_error_and_every_border_is_fine() {
    let whole = vector();
    let ends = [0, 8, 41, 74, 74 + 39, 74 + 72, 74 + 97, 238];
    for len in 0..=whole.len() {
        let result = records(&whole[..len], expected());
        assert_eq!(result.is_ok(), ends.contains(&len), "{len}");
    }
}

#[test]
fn what_bad_catalogs_are_told() {
    let mut old = vector();
    old[..8].copy_from_slice(&MAGIC_V1_0);
    assert!(refusal(&old).ends_with("old catalog format (v1.0) is no longer supported"));
    let mut wrong = vector();
    wrong[0] = 0;
    assert!(refusal(&wrong).ends_with("wrong magic number"));
    assert!(refusal(&vector()[..5]).ends_with("wrong magic number"));
    let stray = [&vector()[..74], &[b'C'; 33]].concat();
    assert!(refusal(&stray).contains("register_chunk failed: no archive started"));
    assert!(refusal(&[&vector()[..74], b"X"].concat()).contains("unknown entry type 0x58"));
    let error = refusal(&[&vector()[..74], b"L"].concat());
    assert!(error.ends_with("the catalog ends inside this record (record at byte 74)"), "{error}");

    let other_set = CatalogExpectation { set: Some((MediaSetId(content()), 0)), ..expected() };
    let error = records(&vector(), other_set).unwrap_err().to_string();
    assert!(error.contains("got unexpected media set uuid"), "{error}");
    let other_place = CatalogExpectation { set: Some((SET.parse().unwrap(), 1)), ..expected() };
    let error = records(&vector(), other_place).unwrap_err().to_string();
    assert!(error.contains("got unexpected media set sequence number"), "{error}");
    let other_medium = CatalogExpectation { medium: Some(MediaId(content())), set: None };
    let error = records(&vector(), other_medium).unwrap_err().to_string();
    assert!(error.contains("got unexpected media uuid"), "{error}");
    let no_label = [&vector()[..8], &vector()[41..74]].concat();
    assert!(refusal(&no_label).contains("got unexpected file number 1"));
    let other_end = {
        let mut bytes = vector();
        bytes[74 + 72 + 1] = 9;
        bytes
    };
    assert!(refusal(&other_end).contains("end_chunk_archive failed"));
}

#[test]
fn errors_name_the_file_and_the_way_out() {
    let (_folder, state) = state();
    let missing = open(&state).unwrap_err();
    assert_eq!(missing.errno(), nix::errno::Errno::ENOENT as i32);
    fs::write(state.catalog(medium()), &vector()[..100]).unwrap();
    let text = open(&state).unwrap_err().to_string();
    assert!(text.starts_with("unable to open media catalog '"), "{text}");
    assert!(text.contains(MEDIUM) && text.contains("catalog --force"), "{text}");
    assert_eq!(fs::read(state.catalog(medium())).unwrap(), &vector()[..100]);
}

#[test]
fn an_empty_file_gets_its_labels_with_the_first_commit() {
    let (_folder, state) = state();
    fs::write(state.catalog(medium()), b"").unwrap();
    let mut catalog = open(&state).unwrap();
    assert_eq!(fs::read(state.catalog(medium())).unwrap(), b"");
    catalog.commit().unwrap();
    assert_eq!(fs::read(state.catalog(medium())).unwrap(), &vector()[..74]);
}

#[test]
fn an_open_archive_loads_but_takes_no_more() {
    let (_folder, state) = state();
    fs::write(state.catalog(medium()), &vector()[..74 + 72]).unwrap();
    let mut catalog = open(&state).unwrap();
    let next = catalog.start_chunk_archive(content(), FileNumber(3), &store());
    assert!(next.unwrap_err().to_string().contains("already started"));
    let bytes = fs::read(state.catalog(medium())).unwrap();
    let contents = CatalogContents::read(bytes.as_slice(), expected()).unwrap();
    assert_eq!(contents, CatalogContents::default());
}

#[test]
fn a_repair_keeps_whole_archives_and_says_what_it_cut() {
    let (_folder, state) = state();
    let repair = |bytes: &[u8]| {
        fs::write(state.catalog(medium()), bytes).unwrap();
        let repair = truncate_to_last_complete(&state, medium(), expected()).unwrap();
        assert_eq!(fs::read(state.catalog(medium())).unwrap().len() as u64, repair.kept_bytes);
        (repair.kept_bytes, repair.removed_bytes, repair.last_file.map(|file| file.0))
    };
    assert_eq!(repair(&vector()), (238, 0, Some(3)));
    assert_eq!(repair(&vector()[..237]), (171, 66, Some(2)));
    assert_eq!(repair(&vector()[..170]), (74, 96, Some(1)));
    assert_eq!(repair(&vector()[..146]), (74, 72, Some(1)));
    assert_eq!(repair(&vector()[..8]), (8, 0, None));
    assert_eq!(repair(&[&vector()[..], b"garbage"].concat()), (238, 7, Some(3)));
    fs::write(state.catalog(medium()), b"no catalog").unwrap();
    assert!(truncate_to_last_complete(&state, medium(), expected()).is_err());
    assert_eq!(fs::read(state.catalog(medium())).unwrap(), b"no catalog");
}

#[test]
fn a_change_by_somebody_else_is_noticed() {
    let (_folder, state) = state();
    let mut ours = write_vector(&state);
    let mut theirs = open(&state).unwrap();
    let snapshot = SNAPSHOT.parse().unwrap();
    theirs.register_snapshot(content(), FileNumber(4), &store(), &snapshot).unwrap();
    theirs.commit().unwrap();
    ours.register_snapshot(content(), FileNumber(4), &store(), &snapshot).unwrap();
    let error = ours.commit().unwrap_err().to_string();
    assert!(error.contains("was changed by somebody else"), "{error}");
    assert!(open(&state).is_ok());
}

#[test]
fn only_much_is_committed_on_the_way() {
    let (_folder, state) = state();
    let mut catalog = MediaCatalog::overwrite(&state, &labels()).unwrap();
    catalog.start_chunk_archive(content(), FileNumber(2), &store()).unwrap();
    for _ in 0..PENDING_BYTES_MAX / 33 + 1 {
        catalog.register_chunk(&abc()).unwrap();
    }
    catalog.commit_if_large().unwrap();
    assert!(catalog.has_pending());
    catalog.end_chunk_archive().unwrap();
    catalog.commit_if_large().unwrap();
    assert!(!catalog.has_pending());
    let snapshot = SNAPSHOT.parse().unwrap();
    catalog.register_snapshot(content(), FileNumber(3), &store(), &snapshot).unwrap();
    catalog.commit_if_large().unwrap();
    assert!(catalog.has_pending());
}

#[test]
fn a_scan_that_fails_leaves_the_present_catalog() {
    let (_folder, state) = state();
    write_vector(&state);
    let mut scan = MediaCatalog::create_temporary(&state, &labels()).unwrap();
    scan.start_chunk_archive(content(), FileNumber(2), &store()).unwrap();
    drop(scan);
    assert_eq!(fs::read(state.catalog(medium())).unwrap(), vector());
    let mut again = MediaCatalog::create_temporary(&state, &labels()).unwrap();
    again.finish_temporary().unwrap();
    assert_eq!(fs::read(state.catalog(medium())).unwrap(), &vector()[..74]);
    assert_eq!(again.path(), state.catalog(medium()));
}

#[test]
fn unrelated_catalogs_go_and_others_stay() {
    let (_folder, state) = state();
    let path = state.catalog(medium());
    let left = |bytes: &[u8], labels: &MediaLabels| {
        fs::write(&path, bytes).unwrap();
        destroy_unrelated(&state, labels).map(|()| path.exists())
    };
    assert!(left(&vector(), &labels()).unwrap());
    assert!(left(b"", &labels()).unwrap());
    assert!(left(&vector()[..41], &labels()).unwrap());
    assert!(left(&vector()[..20], &labels()).unwrap());
    let mut other = labels();
    other.media_set_label.as_mut().unwrap().uuid = MediaSetId(content());
    assert!(!left(&vector(), &other).unwrap());
    let unused = MediaLabels { media_set_label: None, ..labels() };
    assert!(!left(&vector(), &unused).unwrap());
    let mut foreign = vector();
    foreign[20] ^= 1;
    assert!(!left(&foreign, &labels()).unwrap());
    assert!(left(b"not a catalog", &labels()).is_err());
    destroy(&state, medium()).unwrap();
    destroy(&state, medium()).unwrap();
    destroy_unrelated(&state, &labels()).unwrap();
    assert!(!exists(&state, medium()));
}

#[test]
fn restored_catalogs_are_checked_before_they_count() {
    let (_folder, state) = state();
    let header =
        CatalogArchiveHeader { uuid: medium(), media_set_uuid: SET.parse().unwrap(), seq_nr: 0 };
    let receive = |bytes: &[u8]| RestoredCatalog::receive(&state, &header, bytes);
    for bad in [&b""[..], &vector()[..41], &vector()[..100], &vector()[..146]] {
        assert!(receive(bad).is_err(), "{}", bad.len());
    }
    let other = CatalogArchiveHeader { uuid: MediaId(content()), ..header.clone() };
    assert!(RestoredCatalog::receive(&state, &other, vector().as_slice()).is_err());
    let received = receive(&vector()).unwrap();
    assert!(!exists(&state, medium()));
    received.keep().unwrap();
    assert_eq!(fs::read(state.catalog(medium())).unwrap(), vector());
    let header = CatalogHeader::parse(vector().as_slice()).unwrap();
    assert_eq!((header.medium, header.set.to_string(), header.seq_nr), (medium(), SET.into(), 0));
    let short = CatalogHeader::parse(&vector()[..41]).unwrap_err().to_string();
    assert!(short.contains("incomplete"), "{short}");
}

/// When a file last changed in any way, by the file system's clock.
fn changed(path: &Path) -> SystemTime {
    let metadata = fs::metadata(path).unwrap();
    let nanos = u32::try_from(metadata.ctime_nsec()).unwrap();
    UNIX_EPOCH + Duration::new(u64::try_from(metadata.ctime()).unwrap(), nanos)
}

#[test]
fn the_list_of_snapshots_follows_the_catalog() {
    let (_folder, state) = state();
    let mut catalog = write_vector(&state);
    let list = || snapshots_on_medium(&state, medium(), expected());
    assert_eq!(list().unwrap().len(), 1);
    let cache = state.snapshot_cache(medium());
    let text = fs::read_to_string(&cache).unwrap();
    assert!(text.ends_with(&format!("\nstore1:{SNAPSHOT}\n")), "{text}");

    let first_line = text.lines().next().unwrap();
    let write_list = |lines: &str, age: Duration| {
        fs::write(&cache, format!("{first_line}\n{lines}\n")).unwrap();
        let time = changed(&state.catalog(medium())) + age;
        File::options().write(true).open(&cache).unwrap().set_modified(time).unwrap();
    };
    let tick = Duration::from_nanos(1);
    write_list(&format!("store9:ns/x/{SNAPSHOT}"), tick);
    assert_eq!(list().unwrap()[0].0.as_str(), "store9");
    write_list("nonsense", tick);
    assert_eq!(list().unwrap()[0].0.as_str(), "store1");
    // The id says the same of two states in one second; what isn't younger than the catalog's change is made anew.
    write_list(&format!("store9:ns/x/{SNAPSHOT}"), Duration::ZERO);
    assert_eq!(list().unwrap()[0].0.as_str(), "store1");

    let other: SnapshotPath = "ct/1/2021-01-11T10:43:48Z".parse().unwrap();
    catalog.register_snapshot(content(), FileNumber(4), &store(), &other).unwrap();
    catalog.commit().unwrap();
    assert_eq!(list().unwrap().len(), 2);
    fs::write(&cache, "garbage\n").unwrap();
    let error = list().unwrap_err().to_string();
    assert!(error.contains("first line is unreadable"), "{error}");
}

/// Any sequence of records that may follow one another.
fn any_body() -> impl Strategy<Value = Vec<CatalogRecord>> {
    let step = (
        1..4_u64,
        any::<u128>(),
        proptest::collection::vec(any::<[u8; 32]>(), 0..4),
        any::<bool>(),
    );
    proptest::collection::vec(step, 0..8).prop_map(|steps| {
        let mut number = FileNumber(1);
        let mut records = Vec::new();
        for (gap, uuid, digests, is_snapshot) in steps {
            number.0 += gap;
            let (uuid, store) = (Uuid::from_u128(uuid), store());
            if is_snapshot {
                let path = SNAPSHOT.parse().unwrap();
                records.push(CatalogRecord::Snapshot { number, uuid, store, path });
            } else {
                records.push(CatalogRecord::ChunkArchiveStart { number, uuid, store });
                records
                    .extend(digests.into_iter().map(|bytes| CatalogRecord::Chunk(Digest(bytes))));
                records.push(CatalogRecord::ChunkArchiveEnd { number, uuid });
            }
        }
        records
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(body in any_body()) {
        let mut bytes = vector()[..74].to_vec();
        for record in &body {
            record.encode(&mut bytes).unwrap();
        }
        let read = records(&bytes, expected()).unwrap();
        prop_assert_eq!(&read[2..], body.as_slice());
    }

    #[test]
    fn any_bytes_are_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..=238_usize) {
        let bytes = [&vector()[..cut], &tail].concat();
        let mut reader = match CatalogReader::new(Cursor::new(&bytes), CatalogExpectation::default()) {
            Ok(reader) => reader,
            Err(_) => return Ok(()),
        };
        while let Ok(Some(_)) = reader.next_record() {}
        let good = usize::try_from(reader.complete_bytes()).unwrap();
        prop_assert!(records(&bytes[..good], CatalogExpectation::default()).is_ok());
    }
}
