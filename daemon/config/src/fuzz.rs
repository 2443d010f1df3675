//! Bodies of the fuzz targets of this crate: each takes arbitrary bytes and panics where a promise
//! breaks.

use crate::client_keys::parse_key;
use crate::section::{Document, Schema};
use crate::tape_keys::{parse_config, parse_keys};
use crate::{AclTree, Entry, Grantee};
use crate::{
    DatastoreConfig, PoolConfig, RemoteConfig, SyncJobConfig, TapeJobConfig, UserConfig,
    VirtualDrive,
};

/// Section files: what is read can be written, and the written text reads as the same document. Only a
/// control character that a value had before keeps a file from being written.
pub fn section_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    read_and_write(text, &DatastoreConfig::FILE.schema);
    read_and_write(text, &PoolConfig::FILE.schema);
    read_and_write(text, &VirtualDrive::FILE.schema);
    read_and_write(text, &RemoteConfig::FILE.schema);
    read_and_write(text, &SyncJobConfig::FILE.schema);
    read_and_write(text, &TapeJobConfig::FILE.schema);
    read_and_write(text, &UserConfig::FILE.schema);
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

/// The file of rights: what is read is written in a form that reads as the same rights and is written the same way.
/// Only the superuser's own rights, which mean nothing, are left out.
pub fn acl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(tree) = crate::acl::parse(text) else { return };
    let written = tree.to_text();
    let again = crate::acl::parse(&written);
    let rewritten = again.as_ref().map(AclTree::to_text);
    assert_eq!(rewritten.as_ref(), Ok(&written), "read from {text:?}");
    let mut kept = tree.grants();
    kept.retain(|grant| !matches!(&grant.grantee, Grantee::Id(id) if id.is_root()));
    assert_eq!(again.map(|again| again.grants()), Ok(kept), "read from {text:?}");
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
    let _ = crate::shadow::parse_hashes(data);
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
            acl(&data);
        }

        #[test]
        fn lines_that_look_like_rights(
            lines in prop::collection::vec(
                (
                    prop::sample::select(vec!["acl:0:", "acl:1:", "acl:2:", " acl:1:"]),
                    prop::sample::select(vec!["/", "", "/a", "/a/", "/a-b", "a//b", "/datastore/s"]),
                    prop::sample::select(vec![":u@pbs", ":u@pbs,root@pam", ":@g,u@pbs!t", ":v@pbs,u@pbs", ":"]),
                    prop::sample::select(vec![":Audit", ":NoAccess", ":TapeAudit,Audit", ":Admin,NoAccess", ":x"]),
                ),
                0..12,
            ),
        ) {
            let lines: Vec<String> =
                lines.into_iter().map(|(head, path, who, roles)| [head, path, who, roles].concat()).collect();
            acl(lines.join("\n").as_bytes());
        }

        #[test]
        fn lines_that_look_like_sections(
            lines in prop::collection::vec(
                prop::sample::select(vec![
                    "", " ", "datastore: abc", "pool: abc", "virtual: abc", "remote: abc", "sync: abc", "backup: abc", "\tpool ab", "\tdrive abc", "\texport-media 1", "user: a@pbs", "token: a@pbs!tok", "\tenable no", "\texpire 5", "\tauth-id a@pam", "\thost ::1", "\tremote-store abc", "\tstore abc", "\tgroup-filter type:ct", "lto: x y", "a:b",
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
