//! The manifest `index.json.blob`: what a snapshot consists of (`formats.md` §5, `datastore.md` §7).
//!
//! A JSON object in a blob that is never encrypted. It lists the snapshot's files with size and
//! csum, may carry the client's signature, and has one part, `unprotected`, that the server may
//! change: notes, the state of the last verification, statistics.
//!
//! The parsed JSON is kept as it came, because the signature covers members that we have never heard
//! of; typed access reads from it and writes into it. So a manifest that was changed and written
//! still verifies, and nothing that another version put there is lost.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use reel_types::{ArchiveName, BackupTime, Digest, Fingerprint, ParseError, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::blob::DataBlob;
use crate::canonical::canonical_object;
use crate::crypto::{CryptConfig, plain_digest};
use crate::error::{FormatError, FormatResult};

/// Largest JSON text of a manifest that is read, in bytes: far above what notes can add.
pub const MANIFEST_JSON_MAX: usize = 16 << 20;

const UNPROTECTED: &str = "unprotected";
const SIGNATURE: &str = "signature";
const FILES: &str = "files";
const NOTES: &str = "notes";
const VERIFY_STATE: &str = "verify_state";
const UPLOAD_STATS: &str = "chunk_upload_stats";
const KEY_FINGERPRINT: &str = "key-fingerprint";

/// How a backup was made: the same for all files of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CryptMode {
    /// No key was in use.
    None,
    /// All chunks are encrypted.
    Encrypt,
    /// Chunks are plain, the manifest is signed.
    SignOnly,
}

impl CryptMode {
    /// `none`, `encrypt` or `sign-only`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Encrypt => "encrypt",
            Self::SignOnly => "sign-only",
        }
    }
}

impl fmt::Display for CryptMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CryptMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        [Self::None, Self::Encrypt, Self::SignOnly]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| {
                ParseError::new("crypt mode", text, "must be 'none', 'encrypt' or 'sign-only'")
            })
    }
}

/// One file of a snapshot, as its manifest tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its name, with the server's extension.
    pub name: ArchiveName,
    /// The mode of the backup run.
    pub crypt_mode: CryptMode,
    /// Bytes of the image or stream; of a blob, length of the encoded file.
    pub size: u64,
    /// Csum of the index; of a blob, SHA-256 of the encoded file.
    pub csum: [u8; 32],
}

impl ManifestFile {
    /// Describes an encoded blob file.
    pub fn of_blob(name: ArchiveName, crypt_mode: CryptMode, raw: &[u8]) -> Self {
        Self { name, crypt_mode, size: raw.len() as u64, csum: plain_digest(raw).0 }
    }

    /// Compares an encoded blob file with what the manifest tells of it.
    pub fn verify_blob(&self, raw: &[u8]) -> FormatResult<()> {
        if raw.len() as u64 != self.size {
            return Err(FormatError::checksum(format!(
                "'{}' is {} bytes long, the manifest tells {}",
                self.name,
                raw.len(),
                self.size
            )));
        }
        let computed = plain_digest(raw);
        if computed.0 == self.csum {
            return Ok(());
        }
        Err(FormatError::checksum(format!(
            "'{}' has SHA-256 {computed}, the manifest tells {}",
            self.name,
            Digest(self.csum)
        )))
    }
}

/// How a verification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyOutcome {
    /// All chunks of all files were good.
    Ok,
    /// Something was missing or damaged.
    Failed,
}

/// The last verification of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyState {
    /// The task that verified.
    pub upid: String,
    /// Its result.
    pub state: VerifyOutcome,
}

/// What a backup uploaded; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChunkUploadStats {
    /// Uploaded chunks.
    pub count: u64,
    /// Their plain size.
    pub size: u64,
    /// Their encoded size.
    pub compressed_size: u64,
    /// Those that the datastore already had.
    pub duplicates: u64,
}

/// What checking a signature found; a wrong one is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureCheck {
    /// The manifest is signed with the given key.
    Valid,
    /// The manifest carries no signature.
    Unsigned,
}

/// A manifest. See the module's head.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    json: Map<String, Value>,
    snapshot: Snapshot,
    files: Vec<ManifestFile>,
}

impl Manifest {
    /// An empty, unsigned manifest.
    pub fn new(snapshot: Snapshot) -> Self {
        let members = [
            ("backup-type", json!(snapshot.group.kind)),
            ("backup-id", json!(snapshot.group.id)),
            ("backup-time", json!(snapshot.time.epoch())),
            (FILES, json!([])),
            (SIGNATURE, Value::Null),
            (UNPROTECTED, json!({})),
        ];
        let json = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { json, snapshot, files: Vec::new() }
    }

    /// Reads the bytes of an `index.json.blob` file: CRC, no encryption, JSON.
    pub fn from_raw(raw: Bytes) -> FormatResult<Self> {
        let blob = DataBlob::from_raw(raw)?;
        if blob.is_encrypted() {
            return Err(FormatError::corrupt("the manifest is encrypted, which it never may be"));
        }
        Self::from_json(&blob.decode(None, MANIFEST_JSON_MAX)?)
    }

    /// Reads the JSON text of a manifest.
    pub fn from_json(text: &[u8]) -> FormatResult<Self> {
        let wrong = |error| FormatError::corrupt_by("the manifest is not a valid one", error);
        let json: Map<String, Value> = serde_json::from_slice(text).map_err(wrong)?;
        let wire = Wire::deserialize(&json).map_err(wrong)?;
        let snapshot = wire.snapshot()?;
        let files = wire.files.into_iter().map(WireFile::check).collect::<FormatResult<_>>()?;
        Ok(Self { json, snapshot, files })
    }

    /// Which snapshot it describes.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The snapshot's files in the order of their upload. Neither the manifest itself nor
    /// `client.log.blob` is among them.
    pub fn files(&self) -> &[ManifestFile] {
        &self.files
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> FormatResult<&ManifestFile> {
        self.files
            .iter()
            .find(|file| file.name.as_str() == name)
            .ok_or_else(|| FormatError::NotListed { name: name.to_owned() })
    }

    /// Lists one more file.
    ///
    /// The signature, if there is one, no longer fits after that.
    pub fn add_file(&mut self, file: ManifestFile) -> FormatResult<()> {
        if self.file(file.name.as_str()).is_ok() {
            return Err(FormatError::invalid(format!(
                "the manifest already lists a file '{}'",
                file.name
            )));
        }
        let entry = json!({
            "filename": file.name,
            "crypt-mode": file.crypt_mode,
            "size": file.size,
            "csum": Digest(file.csum),
        });
        if let Some(Value::Array(listed)) = self.json.get_mut(FILES) {
            listed.push(entry);
        }
        self.files.push(file);
        Ok(())
    }

    /// The user's notes.
    pub fn notes(&self) -> Option<&str> {
        self.unprotected(NOTES)?.as_str()
    }

    /// Replaces the notes.
    pub fn set_notes(&mut self, notes: &str) {
        self.set_unprotected(NOTES, json!(notes));
    }

    /// The last verification; an unreadable one is `Corrupt`.
    pub fn verify_state(&self) -> FormatResult<Option<VerifyState>> {
        self.read_unprotected(VERIFY_STATE)
    }

    /// Records a verification.
    pub fn set_verify_state(&mut self, state: &VerifyState) {
        self.set_unprotected(VERIFY_STATE, json!(state));
    }

    /// Forgets the last verification.
    pub fn remove_verify_state(&mut self) {
        if let Some(Value::Object(unprotected)) = self.json.get_mut(UNPROTECTED) {
            unprotected.remove(VERIFY_STATE);
        }
    }

    /// The same manifest without the last verification: a restored copy was never verified.
    #[must_use]
    pub fn without_verify_state(&self) -> Self {
        let mut manifest = self.clone();
        manifest.remove_verify_state();
        manifest
    }

    /// What the backup uploaded; unreadable statistics are `Corrupt`.
    pub fn chunk_upload_stats(&self) -> FormatResult<Option<ChunkUploadStats>> {
        self.read_unprotected(UPLOAD_STATS)
    }

    /// Records what the backup uploaded.
    pub fn set_chunk_upload_stats(&mut self, stats: &ChunkUploadStats) {
        self.set_unprotected(UPLOAD_STATS, json!(stats));
    }

    /// The key that the backup was made with; an unreadable fingerprint is `Corrupt`.
    pub fn key_fingerprint(&self) -> FormatResult<Option<Fingerprint>> {
        self.read_unprotected(KEY_FINGERPRINT)
    }

    /// Whether the manifest carries a signature.
    pub fn is_signed(&self) -> bool {
        self.signature().is_some()
    }

    /// Signs the manifest and notes the key's fingerprint.
    pub fn sign(&mut self, crypt: &CryptConfig) -> FormatResult<()> {
        let tag = self.expected_signature(crypt)?;
        self.json.insert(SIGNATURE.to_owned(), json!(Digest(tag)));
        self.set_unprotected(KEY_FINGERPRINT, json!(crypt.fingerprint()));
        Ok(())
    }

    /// Checks the signature, if there is one, over the JSON as it was received.
    ///
    /// Whether to accept an unsigned manifest is the caller's decision.
    pub fn check_signature(&self, crypt: &CryptConfig) -> FormatResult<SignatureCheck> {
        let Some(signature) = self.signature() else { return Ok(SignatureCheck::Unsigned) };
        let expected = self.expected_signature(crypt)?;
        self.check_fingerprint(crypt)?;
        let received: Option<Digest> = signature.parse().ok();
        match received {
            Some(received) if openssl::memcmp::eq(&received.0, &expected) => {
                Ok(SignatureCheck::Valid)
            }
            _ => Err(FormatError::checksum(
                "wrong signature: the manifest was changed after it was signed",
            )),
        }
    }

    /// Whether this key, or none, is the right one to read the snapshot's data with.
    pub fn check_key(&self, crypt: Option<&CryptConfig>) -> FormatResult<()> {
        match crypt {
            Some(crypt) => self.check_fingerprint(crypt),
            None => match self.key_fingerprint()? {
                None => Ok(()),
                fingerprint => Err(FormatError::MissingKey { fingerprint }),
            },
        }
    }

    /// The JSON text as PBS writes it: members sorted, indented by two spaces.
    pub fn to_json(&self) -> FormatResult<Vec<u8>> {
        serde_json::to_vec_pretty(&self.json)
            .map_err(|error| FormatError::corrupt_by("cannot print the manifest", error))
    }

    /// The compressed, never encrypted blob to store. One that would be too large to be read again is
    /// `TooLarge`.
    pub fn to_blob(&self) -> FormatResult<DataBlob> {
        let text = self.to_json()?;
        if text.len() > MANIFEST_JSON_MAX {
            let limit = MANIFEST_JSON_MAX as u64;
            return Err(FormatError::TooLarge { what: "the manifest", limit });
        }
        DataBlob::encode(&text, None, true)
    }

    fn check_fingerprint(&self, crypt: &CryptConfig) -> FormatResult<()> {
        match self.key_fingerprint()? {
            Some(want) if want != crypt.fingerprint() => {
                Err(FormatError::WrongKey { want, have: crypt.fingerprint() })
            }
            _ => Ok(()),
        }
    }

    fn signature(&self) -> Option<&str> {
        self.json.get(SIGNATURE)?.as_str()
    }

    fn expected_signature(&self, crypt: &CryptConfig) -> FormatResult<[u8; 32]> {
        let mut signed = self.json.clone();
        signed.remove(SIGNATURE);
        signed.remove(UNPROTECTED);
        crypt.auth_tag(&canonical_object(&signed)?)
    }

    fn unprotected(&self, name: &str) -> Option<&Value> {
        self.json.get(UNPROTECTED)?.get(name)
    }

    fn read_unprotected<'a, T: Deserialize<'a>>(&'a self, name: &str) -> FormatResult<Option<T>> {
        let Some(value) = self.unprotected(name) else { return Ok(None) };
        Option::<T>::deserialize(value).map_err(|error| {
            FormatError::corrupt_by(format!("the manifest's '{name}' cannot be read"), error)
        })
    }

    fn set_unprotected(&mut self, name: &str, value: Value) {
        let unprotected = self.json.entry(UNPROTECTED).or_insert(Value::Null);
        match unprotected {
            Value::Object(members) => {
                members.insert(name.to_owned(), value);
            }
            absent => *absent = json!({ name: value }),
        }
    }
}

/// The members that every manifest must have, or may have only in this form.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    backup_type: String,
    backup_id: String,
    backup_time: i64,
    files: Vec<WireFile>,
    #[serde(rename = "signature")]
    _signature: Option<String>,
    #[serde(rename = "unprotected")]
    _unprotected: Option<Map<String, Value>>,
}

impl Wire {
    fn snapshot(&self) -> FormatResult<Snapshot> {
        let parse = || {
            let group = format!("{}/{}", self.backup_type, self.backup_id).parse()?;
            Ok(Snapshot { group, time: BackupTime::from_epoch(self.backup_time)? })
        };
        parse().map_err(|error: ParseError| {
            FormatError::corrupt_by("the manifest names no valid snapshot", error)
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireFile {
    filename: String,
    #[serde(default = "no_crypt_mode")]
    crypt_mode: CryptMode,
    size: u64,
    csum: String,
}

fn no_crypt_mode() -> CryptMode {
    CryptMode::None
}

impl WireFile {
    /// A name that cannot be a file of a snapshot is refused here already: it would become a path.
    fn check(self) -> FormatResult<ManifestFile> {
        let name: ArchiveName = self.filename.parse()?;
        let csum: Digest =
            self.csum.to_ascii_lowercase().parse().map_err(|error: ParseError| {
                FormatError::corrupt_by(format!("the manifest's csum of '{name}' is none"), error)
            })?;
        Ok(ManifestFile { name, crypt_mode: self.crypt_mode, size: self.size, csum: csum.0 })
    }
}

#[cfg(test)]
mod tests;
