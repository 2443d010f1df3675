//! Whole tape files of the format's test vectors, to the byte (`tape-format.md` §16).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use reel_hw::stream::{BlockHeader, TAPE_BLOCK_SIZE};
use reel_hw::{ContentHeader, ContentMagic};
use reel_store::DataBlob;
use reel_store::pxar::FileStat;
use reel_tape::archive::ArchiveHeader;
use reel_tape::archive::catalog::CatalogArchiveHeader;
use reel_tape::archive::chunk::{ChunkArchiveHeader, ChunkEntry};
use reel_tape::archive::snapshot::{SnapshotArchiveHeader, SnapshotArchiveWriter};
use reel_tape::{
    ContentKind, FileNumber, MediaCatalog, MediaLabel, MediaLabels, MediaSetLabel, StateDir,
};
use reel_types::Digest;
use uuid::Uuid;

const CONTENT: &str = "11111111-2222-4333-8444-555555555555";

fn label() -> MediaLabel {
    MediaLabel {
        ctime: 1_609_924_071,
        label_text: "vtape1".parse().unwrap(),
        pool: Some("daily".parse().unwrap()),
        uuid: "7f42c4dd-9626-4d89-9f2b-c7bc6da7d533".parse().unwrap(),
    }
}

fn set_label() -> MediaSetLabel {
    MediaSetLabel {
        ctime: 1_609_924_100,
        encryption_key_fingerprint: None,
        key_config: None,
        pool: "daily".parse().unwrap(),
        seq_nr: 0,
        uuid: "9da37a55-aac7-4deb-91c6-482b3b675f30".parse().unwrap(),
    }
}

fn content_uuid() -> Uuid {
    CONTENT.parse().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Digest(openssl::sha::sha256(bytes)).to_string()
}

/// The payload of a file, and the sum of its one block.
fn file(kind: ContentKind, ctime: i64, json: &[u8], content: &[u8]) -> (Vec<u8>, String) {
    let header = ContentHeader {
        content_magic: ContentMagic(kind.magic()),
        uuid: content_uuid().into_bytes(),
        ctime,
        size: u32::try_from(json.len()).unwrap(),
    };
    let payload = [&header.to_bytes()[..], json, content].concat();
    let size = u32::try_from(payload.len()).unwrap();
    let block = BlockHeader { end_of_stream: true, incomplete: false, size, sequence: 0 };
    let mut block = [&block.to_bytes()[..], &payload].concat();
    block.resize(TAPE_BLOCK_SIZE, 0);
    (payload, sha256(&block))
}

#[test]
fn media_label() {
    let json = label().to_json().unwrap();
    let (payload, sum) = file(ContentKind::MediaLabel, 1_609_924_071, &json, &[]);
    assert_eq!((json.len(), payload.len()), (120, 168));
    assert_eq!(sum, "c1affdca5a6b82a827626ff0ae9448ce43f8a396f83edb250308e6d051344f80");
}

#[test]
fn media_set_label() {
    let json = set_label().to_json().unwrap();
    let (payload, sum) = file(ContentKind::MediaSetLabel, 1_609_924_100, &json, &[]);
    assert_eq!((json.len(), payload.len()), (109, 157));
    assert_eq!(sum, "f186dd288c571a9a2f5215ef4658771f27132e397ffe6b95f8c64e2f4c094bbd");
}

#[test]
fn chunk_archive() {
    let json = ChunkArchiveHeader { store: "store1".parse().unwrap() }.to_json().unwrap();
    let mut content = Vec::new();
    for chunk in [b"ABC".as_slice(), b""] {
        let blob = DataBlob::encode(chunk, None, false).unwrap();
        let digest = Digest(openssl::sha::sha256(chunk));
        content.extend(ChunkEntry::header(&digest, blob.raw().len() as u64));
        content.extend(blob.raw());
    }
    let (payload, sum) = file(ContentKind::ChunkArchive, 1_609_924_200, &json, &content);
    assert_eq!((json.len(), payload.len()), (23, 194));
    assert_eq!(sum, "ef8c9972bd71d336e037ea4f0314148557400eecd07df6d002eb679188f04dbb");
}

#[test]
fn snapshot_archive() {
    let header = SnapshotArchiveHeader {
        snapshot: "vm/201/2021-01-11T10:43:48Z".parse().unwrap(),
        store: "store1".parse().unwrap(),
    };
    let json = header.to_json().unwrap();
    let stat = FileStat { mode: 0o100_644, uid: 34, gid: 34, mtime: 1_610_361_828, mtime_nanos: 0 };
    let mut writer = SnapshotArchiveWriter::new(Vec::new()).unwrap();
    writer.add_file(&"index.json.blob".parse().unwrap(), &stat, 2, b"{}".as_slice()).unwrap();
    let content = writer.finish().unwrap();
    let (payload, sum) = file(header.kind(), 1_609_924_300, &json, &content);
    assert_eq!((json.len(), payload.len()), (68, 342));
    assert_eq!(sum, "831cad8105f115d1cf2cec831cf8bb7e7fbca1e6ef2a5f490af4576f3a662970");
}

#[test]
fn catalog_archive() {
    let folder = tempfile::tempdir().unwrap();
    let labels = MediaLabels { label: label(), media_set_label: Some(set_label()) };
    let mut catalog = MediaCatalog::overwrite(&StateDir::new(folder.path()), &labels).unwrap();
    let store = "store1".parse().unwrap();
    catalog.start_chunk_archive(content_uuid(), FileNumber(2), &store).unwrap();
    catalog.register_chunk(&Digest(openssl::sha::sha256(b"ABC"))).unwrap();
    catalog.end_chunk_archive().unwrap();
    let snapshot = "vm/201/2021-01-11T10:43:48Z".parse().unwrap();
    catalog.register_snapshot(content_uuid(), FileNumber(3), &store, &snapshot).unwrap();
    catalog.commit().unwrap();
    let content = std::fs::read(catalog.path()).unwrap();
    assert_eq!(
        sha256(&content),
        "4ac9f7fb18e38ecf05ad1dba41337d21de6d5310d1e74ed3aff9bf78ac947f58"
    );

    let header =
        CatalogArchiveHeader { uuid: label().uuid, media_set_uuid: set_label().uuid, seq_nr: 0 };
    let json = header.to_json().unwrap();
    let kind = CatalogArchiveHeader::kind(true);
    let (payload, sum) = file(kind, 1_609_924_400, &json, &content);
    assert_eq!((json.len(), payload.len()), (127, 413));
    assert_eq!(sum, "471c86fed8d7c251c79b557429ab120b1a74179ae271a5ea2c153fa5716cc9ad");
}
