//! What the fuzz targets run: each takes arbitrary bytes, and must neither panic nor allocate beyond
//! what the formats allow.
//!
//! Beyond that the bodies check what must hold of anything accepted: what was read can be written,
//! and reads the same again.

use bytes::Bytes;
use reel_types::ArchiveKind;

use crate::blob::DataBlob;
use crate::crypto::{CryptConfig, plain_digest};
use crate::index::{ChunkIndex, Index};
use crate::key::KeyFile;
use crate::manifest::Manifest;

const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Decodes bytes as a blob of whichever kind, CRC right or not.
pub fn blob(data: &[u8]) {
    let Ok(blob) = DataBlob::from_raw_unverified(Bytes::copy_from_slice(data)) else { return };
    let _ = blob.verify_crc();
    let key = CryptConfig::new([7; 32]).ok();
    for limit in [OUTPUT_BYTES_MAX, 64 * OUTPUT_BYTES_MAX] {
        if let Ok(plain) = blob.decode(key.as_ref(), limit) {
            assert!(plain.len() <= limit);
        }
    }
    let _ = blob.decode_chunk(key.as_ref(), &plain_digest(b""), 4096);
}

/// Reads bytes as a fixed index.
pub fn fixed_index(data: &[u8]) {
    index(ArchiveKind::Fixed, data);
}

/// Reads bytes as a dynamic index.
pub fn dynamic_index(data: &[u8]) {
    index(ArchiveKind::Dynamic, data);
}

fn index(kind: ArchiveKind, data: &[u8]) {
    let Ok(index) = Index::open(kind, data) else { return };
    let sound = index.csum().is_ok();
    let mut end = 0;
    for entry in index.entries(0..u64::MAX) {
        let Ok(entry) = entry else {
            assert!(!sound);
            return;
        };
        assert!(entry.start == end && entry.end > end);
        end = entry.end;
    }
    assert!(sound && end == index.size());
    for offset in [0, end / 2, end - 1] {
        assert!(matches!(index.chunk_at(offset), Ok(Some(_))));
    }
}

/// Parses bytes as a manifest: the JSON itself, and the blob around it.
pub fn manifest(data: &[u8]) {
    let _ = Manifest::from_raw(Bytes::copy_from_slice(data));
    let Ok(mut manifest) = Manifest::from_json(data) else { return };
    let Ok(key) = CryptConfig::new([7; 32]) else { return };
    let _ = manifest.check_signature(&key);
    let _ = (manifest.verify_state(), manifest.chunk_upload_stats(), manifest.check_key(None));
    manifest.set_notes("fuzzed");
    let Ok(written) = manifest.to_blob() else { return };
    let again = Manifest::from_raw(written.into_raw());
    assert!(again.is_ok_and(|again| again.files() == manifest.files()));
}

/// Parses bytes as a key file; derives nothing, which may rightly take seconds.
pub fn key_file(data: &[u8]) {
    let Ok(file) = KeyFile::parse(data) else { return };
    if file.kdf().is_none() {
        let _ = file.unlock(|| Ok(Vec::new()));
    }
    let written = file.to_json().and_then(|text| KeyFile::parse(text.as_bytes()));
    assert!(written.is_ok_and(|again| again.fingerprint() == file.fingerprint()));
}

#[cfg(test)]
mod tests;
