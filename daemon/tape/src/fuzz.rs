//! Entry points for fuzzers: each takes any bytes, must never panic, and asserts what must hold for all
//! input.

use std::io;

use crate::archive::ArchiveHeader;
use crate::archive::catalog::CatalogArchiveHeader;
use crate::archive::chunk::{ChunkArchiveHeader, ChunkArchiveReader, ContentOffset};
use crate::archive::snapshot::{SnapshotArchiveHeader, visit_snapshot_files};
use crate::label::{MediaLabel, MediaSetLabel};
use crate::media_catalog::{
    CatalogContents, CatalogExpectation, CatalogHeader, CatalogReader, CatalogRecord,
};
use crate::{ContentKind, Error, Inventory};

/// Labels and archive headers; what is accepted must come back from what is written.
pub fn fuzz_labels(data: &[u8]) {
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
    if let Ok(label) = MediaLabel::read(ContentKind::MediaLabel.magic(), size, data) {
        assert_same(&label, label.to_json().and_then(|json| MediaLabel::from_json(&json)));
    }
    if let Ok(label) = MediaSetLabel::read(ContentKind::MediaSetLabel.magic(), size, data) {
        assert_same(&label, label.to_json().and_then(|json| MediaSetLabel::from_json(&json)));
    }
    fuzz_header::<ChunkArchiveHeader>(data);
    fuzz_header::<SnapshotArchiveHeader>(data);
    fuzz_header::<CatalogArchiveHeader>(data);
}

fn fuzz_header<H: ArchiveHeader + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(header) = H::from_json(data) {
        assert_same(&header, header.to_json().and_then(|json| H::from_json(&json)));
    }
}

fn assert_same<T: PartialEq + std::fmt::Debug>(value: &T, again: crate::Result<T>) {
    assert_eq!(again.ok().as_ref(), Some(value));
}

/// A chunk archive; reading, checking and skipping must see the same entries as far as all come.
pub fn fuzz_chunk_archive(data: &[u8]) {
    let mut reading = ChunkArchiveReader::new(data, ContentOffset(0));
    let mut checking = ChunkArchiveReader::new(data, ContentOffset(0));
    let mut skipping = ChunkArchiveReader::new(data, ContentOffset(0));
    while let Ok(Some((entry, blob))) = reading.next_chunk() {
        assert_eq!(blob.raw().len() as u64, entry.blob_bytes);
        assert_eq!(checking.next_checked().ok().flatten(), Some(entry));
        assert_eq!(skipping.next_entry().ok().flatten(), Some(entry));
        assert_eq!(skipping.skip_blob().ok(), Some(true));
    }
    assert!(!matches!(checking.next_checked(), Ok(Some(_))));
    assert_eq!(checking.is_cut_short(), reading.is_cut_short());
    if reading.is_cut_short() {
        assert!(skipping.next_entry().is_ok_and(|entry| entry.is_some()));
        assert_eq!(skipping.skip_blob().ok(), Some(false));
    }
}

/// A snapshot archive; each file that is told must have the length it is said to have.
pub fn fuzz_snapshot_archive(data: &[u8]) {
    // Whether it is accepted is for the fuzzer to find out; any error is fine.
    let _ = visit_snapshot_files(data, |file, content| {
        let length = io::copy(content, &mut io::sink())
            .map_err(|source| Error::Io { tried: "read a file of the archive".into(), source })?;
        assert_eq!(length, file.size);
        Ok(())
    });
}

/// A catalog; its good beginning must be a good catalog that is written the same, padding aside.
pub fn fuzz_catalog(data: &[u8]) {
    // Both need only not panic.
    let _ = CatalogHeader::parse(data);
    let _ = CatalogContents::read(data, CatalogExpectation::default());
    let Ok(mut reader) = CatalogReader::new(data, CatalogExpectation::default()) else {
        return;
    };
    let mut records: Vec<CatalogRecord> = Vec::new();
    let mut complete_records = 0;
    while let Ok(Some(record)) = reader.next_record() {
        records.push(record);
        if !reader.has_open_archive() {
            complete_records = records.len();
        }
    }
    records.truncate(complete_records);
    let mut written = Vec::new();
    let magic = data.iter().take(8).copied();
    written.extend(magic.take(usize::from(reader.complete_bytes() > 0) * 8));
    assert!(records.iter().all(|record| record.encode(&mut written).is_ok()));
    assert_eq!(written.len() as u64, reader.complete_bytes());
    let again = CatalogReader::new(written.as_slice(), CatalogExpectation::default())
        .and_then(|reader| reader.collect::<crate::Result<Vec<_>>>());
    assert_same(&records, again);
}

/// An inventory; what is accepted must come back from what is written.
pub fn fuzz_inventory(data: &[u8]) {
    let Ok(inventory) = Inventory::from_json(data) else {
        return;
    };
    let json = inventory.to_json();
    let again = json.as_ref().ok().and_then(|json| Inventory::from_json(json).ok());
    let rewritten = again.as_ref().and_then(|again| again.to_json().ok());
    assert_eq!(rewritten, json.ok());
    for set in inventory.sets() {
        // Either answer is fine.
        let _ = inventory.set_members(set).map(|members| members.complete());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_upset_the_formats(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            fuzz_labels(&data);
            fuzz_chunk_archive(&data);
            fuzz_snapshot_archive(&data);
            fuzz_catalog(&data);
            fuzz_inventory(&data);
        }

        #[test]
        fn texts_like_json_do_not_either(data in r#"[\[{](\{"id":\{"label":\{|"[a-z_]{1,12}":|[0-9"{},:]|\]|null){0,30}"#) {
            fuzz_labels(data.as_bytes());
            fuzz_inventory(data.as_bytes());
        }
    }
}
