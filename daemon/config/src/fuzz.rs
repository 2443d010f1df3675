//! Bodies of the fuzz targets of this crate: each takes arbitrary bytes and panics where a promise
//! breaks.

use crate::Entry;
use crate::client_keys::parse_key;
use crate::section::{Document, Schema};
use crate::tape_keys::{parse_config, parse_keys};
use crate::{DatastoreConfig, PoolConfig, RemoteConfig, SyncJobConfig, VirtualDrive};

/// Section files: what is read can be written, and the written text reads as the same document. Only a
/// control character that a value had before keeps a file from being written.
pub fn section_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    read_and_write(text, &DatastoreConfig::FILE.schema);
    read_and_write(text, &PoolConfig::FILE.schema);
    read_and_write(text, &VirtualDrive::FILE.schema);
    read_and_write(text, &RemoteConfig::FILE.schema);
    read_and_write(text, &SyncJobConfig::FILE.schema);
}

fn read_and_write(text: &str, schema: &Schema) {
    let Ok(document) = Document::parse(text, schema) else { return };
    let Ok(written) = document.to_text(schema) else {
        assert!(text.contains(|c: char| c.is_control() && c != '\n'), "{text:?} can't be written");
        return;
    };
    let again = Document::parse(&written, schema).map(|again| again.to_text(schema));
    assert_eq!(again, Ok(Ok(written)), "read from {text:?}");
}

/// Key files of tapes and clients: no key is accepted under another's fingerprint.
pub fn key_files(data: &[u8]) {
    if let Ok(keys) = parse_keys(data) {
        for (fingerprint, key) in &keys {
            assert_eq!(crate::fingerprint_of(key).ok().as_ref(), Some(fingerprint));
        }
    }
    if let Ok(key) = parse_key(data) {
        assert_eq!(crate::fingerprint_of(&key.key).ok(), Some(key.fingerprint));
    }
    // An error is fine, a panic is not.
    let _ = parse_config(data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes(data: Vec<u8>) {
            section_file(&data);
            key_files(&data);
        }

        #[test]
        fn lines_that_look_like_sections(
            lines in prop::collection::vec(
                prop::sample::select(vec![
                    "", " ", "datastore: abc", "pool: abc", "virtual: abc", "remote: abc", "sync: abc", "\tauth-id a@pam", "\thost ::1", "\tremote-store abc", "\tstore abc", "\tgroup-filter type:ct", "lto: x y", "a:b",
                    "\tpath /x", "  path\t/x ", "\tcomment ", "\tcomment a  b", "\tnewer \u{1}",
                    "\tnewer x", "\tmax-size +5", "\tverify-new ON", "\tretention 1y", "x",
                ]),
                0..12,
            ),
        ) {
            section_file(lines.join("\n").as_bytes());
        }
    }
}
