//! The two labels that make a tape a medium (`tape-format.md` §5).
//!
//! File 0 of every medium names it, file 1 names the media set it belongs to. Both are one JSON object
//! and nothing else. Their keys are written in alphabetic order, as PBS writes them; any order is read.
//! Labels are what everything else hangs on, so reading is strict about size and trailing bytes and
//! every error says which of the two labels it is about.

use std::fmt;
use std::io::Read;

use reel_types::{Fingerprint, LabelText, MediaId, MediaSetId, PoolName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archive::ContentKind;
use crate::json;
use crate::{Error, Result};

/// The most bytes of JSON that a label may have (`tape-format.md` §1).
pub const LABEL_BYTES_MAX: u32 = 65536;

/// What file 0 says: who this medium is (`tape-format.md` §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaLabel {
    /// When the medium was labelled, UNIX seconds.
    pub ctime: i64,
    /// The text on the cartridge's bar code. The technical preview called the key `changer_id`.
    #[serde(alias = "changer_id")]
    pub label_text: LabelText,
    /// The pool that the medium is reserved for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolName>,
    /// The medium's identity in all databases.
    pub uuid: MediaId,
}

/// What file 1 says: the media set that this medium belongs to (`tape-format.md` §5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaSetLabel {
    /// When the medium joined the set, UNIX seconds; that of member 0 is the start of the set.
    pub ctime: i64,
    /// Fingerprint of the key that the media of this set are encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key_fingerprint: Option<Fingerprint>,
    /// The password-protected copy of that key; on tape only, never in the inventory.
    #[serde(default, rename = "key-config", skip_serializing_if = "Option::is_none")]
    pub key_config: Option<KeyConfig>,
    /// The pool that wrote the set.
    pub pool: PoolName,
    /// Position of this medium in the set, from 0.
    pub seq_nr: u64,
    /// The media set; all zeros mean "empty, only reserved for the pool".
    pub uuid: MediaSetId,
}

/// A protected key as it stands in a label (`tape-format.md` §5.3).
///
/// It is carried without a look inside, so that no member is lost on the way. Its `Debug` shows
/// nothing: with `kdf` null the object holds the bare key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyConfig(Value);

impl KeyConfig {
    /// Takes the JSON object of a key file.
    pub fn new(object: Value) -> Result<Self> {
        if object.is_object() {
            return Ok(Self(object));
        }
        Err(Error::format("key config", "must be a JSON object"))
    }

    /// The JSON object.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for KeyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyConfig(..)")
    }
}

/// Both labels of one medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaLabels {
    /// Who the medium is.
    pub label: MediaLabel,
    /// The set it belongs to, once it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_set_label: Option<MediaSetLabel>,
}

impl MediaLabels {
    /// The set label if it stands for a real set and is not just a reservation.
    pub fn assigned_set(&self) -> Option<&MediaSetLabel> {
        self.media_set_label.as_ref().filter(|label| !label.uuid.is_unassigned())
    }

    /// The pool: the set label's if there is one, else the label's (`tape-state.md` §3).
    pub fn pool(&self) -> Option<&PoolName> {
        match &self.media_set_label {
            Some(set_label) => Some(&set_label.pool),
            None => self.label.pool.as_ref(),
        }
    }
}

impl MediaLabel {
    /// The JSON that follows the content header.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        json::to_sorted(self, "drive label")
    }

    /// Reads the JSON that follows the content header.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        json::parse(bytes, "drive label")
    }

    /// Reads a label file from behind its content header, which announced `kind` and `size` bytes
    /// of JSON, to its end.
    pub fn read(kind: [u8; 8], size: u32, content: impl Read) -> Result<Self> {
        Self::from_json(&read_label(ContentKind::MediaLabel, "drive label", kind, size, content)?)
    }
}

impl MediaSetLabel {
    /// The JSON that follows the content header.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        json::to_sorted(self, "media set label")
    }

    /// Reads the JSON that follows the content header.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let label: Self = json::parse(bytes, "media set label")?;
        match &label.key_config {
            Some(KeyConfig(object)) if !object.is_object() => {
                Err(Error::format("media set label", "'key-config' must be a JSON object"))
            }
            _ => Ok(label),
        }
    }

    /// Reads a set label file from behind its content header, which announced `kind` and `size`
    /// bytes of JSON, to its end.
    pub fn read(kind: [u8; 8], size: u32, content: impl Read) -> Result<Self> {
        let what = "media set label";
        Self::from_json(&read_label(ContentKind::MediaSetLabel, what, kind, size, content)?)
    }

    /// This label as the inventory keeps it: without the protected key.
    pub fn without_key_config(&self) -> Self {
        Self { key_config: None, ..self.clone() }
    }
}

fn read_label(
    wanted: ContentKind,
    what: &'static str,
    magic: [u8; 8],
    size: u32,
    mut content: impl Read,
) -> Result<Vec<u8>> {
    if magic != wanted.magic() {
        return Err(Error::format(what, "wrong content magic"));
    }
    if size == 0 || size > LABEL_BYTES_MAX {
        return Err(Error::format(what, format!("unexpected size ({size} bytes)")));
    }
    let bytes = json::read_header_data(&mut content, size, what)?;
    let mut probe = [0];
    match content.read(&mut probe).map_err(Error::io(format!("read the end of the {what}")))? {
        0 => Ok(bytes),
        _ => Err(Error::format(what, trailing(wanted))),
    }
}

fn trailing(kind: ContentKind) -> &'static str {
    match kind {
        ContentKind::MediaSetLabel => "unexpected data after media set label",
        _ => "unexpected data after label",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEDIUM: &str = "7f42c4dd-9626-4d89-9f2b-c7bc6da7d533";
    const SET: &str = "9da37a55-aac7-4deb-91c6-482b3b675f30";

    fn label() -> MediaLabel {
        MediaLabel {
            ctime: 1_609_924_071,
            label_text: "vtape1".parse().unwrap(),
            pool: Some("daily".parse().unwrap()),
            uuid: MEDIUM.parse().unwrap(),
        }
    }

    fn set_label() -> MediaSetLabel {
        MediaSetLabel {
            ctime: 1_609_924_100,
            encryption_key_fingerprint: None,
            key_config: None,
            pool: "daily".parse().unwrap(),
            seq_nr: 0,
            uuid: SET.parse().unwrap(),
        }
    }

    #[test]
    fn keys_stand_in_alphabetic_order() {
        let json = String::from_utf8(label().to_json().unwrap()).unwrap();
        let expected = format!(
            "{{\n  \"ctime\": 1609924071,\n  \"label_text\": \"vtape1\",\n  \"pool\": \"daily\",\n  \
             \"uuid\": \"{MEDIUM}\"\n}}"
        );
        assert_eq!((json.as_str(), json.len()), (expected.as_str(), 120));
        let json = String::from_utf8(set_label().to_json().unwrap()).unwrap();
        let expected = format!(
            "{{\n  \"ctime\": 1609924100,\n  \"pool\": \"daily\",\n  \"seq_nr\": 0,\n  \
             \"uuid\": \"{SET}\"\n}}"
        );
        assert_eq!((json.as_str(), json.len()), (expected.as_str(), 109));
    }

    #[test]
    fn an_encrypted_set_label_keeps_its_key_and_hides_it() {
        let fingerprint = vec!["6e"; 32].join(":");
        let text = format!(
            r#"{{"uuid":"{SET}","seq_nr":3,"pool":"poolS","ctime":1,"later":[],
                "encryption_key_fingerprint":"{fingerprint}",
                "key-config":{{"kdf":null,"data":"c2VjcmV0","created":"x","odd":1}}}}"#
        );
        let label = MediaSetLabel::from_json(text.as_bytes()).unwrap();
        assert_eq!(label.encryption_key_fingerprint.unwrap().to_string(), fingerprint);
        assert!(!format!("{label:?}").contains("c2VjcmV0"));
        let written = label.to_json().unwrap();
        assert_eq!(MediaSetLabel::from_json(&written).unwrap(), label);
        let written = String::from_utf8(written).unwrap();
        assert!(written.contains("\"odd\": 1"), "{written}");
        assert!(written.find("encryption_key").unwrap() < written.find("key-config").unwrap());
        let stored = String::from_utf8(label.without_key_config().to_json().unwrap()).unwrap();
        assert!(!stored.contains("key-config"), "{stored}");
    }

    #[test]
    fn the_preview_called_the_text_changer_id() {
        let text = format!(r#"{{"changer_id":"A00001L8","ctime":1,"uuid":"{MEDIUM}"}}"#);
        let label = MediaLabel::from_json(text.as_bytes()).unwrap();
        assert_eq!((label.label_text.as_str(), label.pool), ("A00001L8", None));
    }

    #[test]
    fn errors_name_the_label() {
        let json = label().to_json().unwrap();
        let size = u32::try_from(json.len()).unwrap();
        let magic = ContentKind::MediaLabel.magic();
        assert_eq!(MediaLabel::read(magic, size, json.as_slice()).unwrap(), label());

        let set_magic = ContentKind::MediaSetLabel.magic();
        let chunk_magic = ContentKind::ChunkArchive.magic();
        let longer = [json.as_slice(), b"\0"].concat();
        let media = |magic, size, bytes: &[u8]| {
            MediaLabel::read(magic, size, bytes).unwrap_err().to_string()
        };
        let set = |magic, size, bytes: &[u8]| {
            MediaSetLabel::read(magic, size, bytes).unwrap_err().to_string()
        };
        assert_eq!(media(set_magic, size, &json), "drive label: wrong content magic");
        assert_eq!(set(chunk_magic, size, &json), "media set label: wrong content magic");
        assert_eq!(media(magic, 0, b""), "drive label: unexpected size (0 bytes)");
        assert_eq!(media(magic, 65537, b""), "drive label: unexpected size (65537 bytes)");
        assert_eq!(media(magic, size, &longer), "drive label: unexpected data after label");
        assert!(media(magic, size + 1, &json).contains("drive label"));
        assert!(media(magic, 2, b"{}").starts_with("unable to parse drive label: missing field"));
        assert!(set(set_magic, 1, b"{").starts_with("unable to parse media set label: "));
        let set_json = set_label().to_json().unwrap();
        let size = u32::try_from(set_json.len()).unwrap();
        let longer = [set_json.as_slice(), b"x"].concat();
        assert_eq!(
            set(set_magic, size, &longer),
            "media set label: unexpected data after media set label"
        );
    }

    #[test]
    fn the_set_label_decides_about_the_pool() {
        let mut labels = MediaLabels { label: label(), media_set_label: None };
        assert_eq!(labels.pool().unwrap().as_str(), "daily");
        let reserved = MediaSetLabel {
            pool: "other".parse().unwrap(),
            uuid: MediaSetId(uuid::Uuid::nil()),
            ..set_label()
        };
        labels.media_set_label = Some(reserved);
        assert_eq!(labels.pool().unwrap().as_str(), "other");
        assert_eq!(labels.assigned_set(), None);
    }
}
