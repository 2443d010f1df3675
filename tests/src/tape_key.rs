//! PBS's two files of tape keys, with one key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

/// The key 00 01 02 … 1f in hex.
pub const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Its fingerprint.
pub const FINGERPRINT: &str = "0e:ab:d4:46:0b:6e:b9:ca:34:50:23:de:e2:b7:78:c7:90:e5:4a:16:83:b9:65:9c:0a:57:ae:19:90:90:15:9b";

/// What the file of protected keys has in its place; nobody needs its passphrase.
pub const PROTECTED: &str = "vqjyuK0tU1v5g6bxTSknTVKJSZe1UfoO";

/// The file of a folder that has the key itself.
pub fn keys_file(folder: &Path) -> PathBuf {
    folder.join("tape-encryption-keys.json")
}

fn protected_file(folder: &Path) -> PathBuf {
    folder.join("tape-encryption-key-config.json")
}

/// Puts both files into a folder.
pub fn put(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder for keys");
    let keys = json!([{ "fingerprint": FINGERPRINT, "key": KEY }]);
    crate::write_private(&keys_file(folder), keys.to_string().as_bytes());
    let protected = json!([{
        "kdf": { "Scrypt": { "n": 65536, "r": 8, "p": 1, "salt": "Eq6jwW8+ecAY3Bch+jcr/z1ZTVQlYCJynL/8VKa4bIE=" } },
        "created": "2026-01-01T00:00:00+00:00", "modified": "2026-01-01T00:00:00+00:00",
        "data": PROTECTED, "fingerprint": FINGERPRINT, "hint": "a hint",
    }]);
    fs::write(protected_file(folder), protected.to_string()).expect("write the protected key");
}

/// Takes both files away.
pub fn remove(folder: &Path) {
    for path in [keys_file(folder), protected_file(folder)] {
        fs::remove_file(path).expect("remove a key file");
    }
}
