//! Encrypted media sets (`tape-format.md` §12).
//!
//! The drive encrypts. Each set has a key of its own, made of a tape key and the set's identity; which tape key that is
//! stands in the set label, beside a copy of it that a passphrase protects. Both labels are in the clear, so they are
//! read and written with no key in the drive ([`crate::medium`]). Behind them the key is loaded, for one medium: it is
//! taken away before the next label is read, and when the drive is let go; when a medium leaves it, the drive's driver
//! takes it away.

use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use reel_config::{ConfigDir, Kdf, KeySource, SecretKey, TapeKeys};
use reel_hw::EncryptionKey;
use reel_types::{Fingerprint, MediaSetId, TaskContext};
use zeroize::Zeroizing;

use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::inventory::InventoryEntry;
use crate::label::{KeyConfig, MediaSetLabel};
use crate::{Error, Result};

/// Where tape keys are looked up, anew each time: keys stay in memory only where they are used.
#[derive(Debug, Clone, Default)]
pub struct TapeKeyFiles(Option<KeySource>);

/// A tape key that media sets are written with.
#[derive(Debug)]
pub(crate) struct SetKey {
    key: SecretKey,
    config: KeyConfig,
}

impl TapeKeyFiles {
    /// PBS's two key files in the folder of the configuration.
    pub fn of(dir: ConfigDir) -> Self {
        Self::from_source(KeySource::of(dir))
    }

    /// PBS's two key files, the keys themselves from where `source` says.
    pub fn from_source(source: KeySource) -> Self {
        Self(Some(source))
    }

    /// The tape key with that fingerprint.
    ///
    /// # Errors
    /// [`Error::KeyUnknown`], [`Error::KeyFiles`].
    pub fn key(&self, fingerprint: &Fingerprint) -> Result<SecretKey> {
        self.key_in(&self.load(fingerprint)?, fingerprint)
    }

    /// The tape key with that fingerprint, to write with: a copy that a passphrase protects must be there.
    ///
    /// # Errors
    /// [`Error::KeyUnprotected`], and as for [`Self::key`].
    pub(crate) fn set_key(&self, fingerprint: &Fingerprint) -> Result<SetKey> {
        let keys = self.load(fingerprint)?;
        let found = keys.as_ref().and_then(|keys| keys.wrapped(fingerprint));
        let (info, wrapped) = found.ok_or_else(|| {
            self.unknown("tape encryption key config", fingerprint, TapeKeys::CONFIG_FILE)
        })?;
        if info.kdf == Kdf::None {
            return Err(Error::KeyUnprotected { fingerprint: fingerprint.short() });
        }
        let config = KeyConfig::new(wrapped.as_json().clone())?;
        Ok(SetKey { key: self.key_in(&keys, fingerprint)?, config })
    }

    fn key_in(&self, keys: &Option<TapeKeys>, fingerprint: &Fingerprint) -> Result<SecretKey> {
        let key = keys.as_ref().and_then(|keys| keys.key(fingerprint)).cloned();
        key.ok_or_else(|| self.unknown("tape encryption key", fingerprint, TapeKeys::KEYS_FILE))
    }

    fn unknown(&self, what: &'static str, fingerprint: &Fingerprint, file: &str) -> Error {
        let path = |source: &KeySource| source.dir().file(file).display().to_string();
        Error::KeyUnknown {
            what,
            fingerprint: fingerprint.short(),
            file: self.0.as_ref().map_or_else(|| file.into(), path),
        }
    }

    fn load(&self, fingerprint: &Fingerprint) -> Result<Option<TapeKeys>> {
        let keys = self.0.as_ref().map(KeySource::load).transpose();
        keys.map_err(|source| Error::KeyFiles { fingerprint: fingerprint.short(), source })
    }
}

impl SetKey {
    /// The set label as it goes to tape: with the protected key.
    pub(crate) fn on_tape(&self, label: &MediaSetLabel) -> MediaSetLabel {
        MediaSetLabel { key_config: Some(self.config.clone()), ..label.clone() }
    }

    /// The key that the drive has for a set.
    pub(crate) fn of_set(&self, set: MediaSetId) -> Result<EncryptionKey> {
        drive_key(&self.key, set)
    }
}

/// The key that a drive encrypts a media set with.
pub(crate) fn drive_key(key: &SecretKey, set: MediaSetId) -> Result<EncryptionKey> {
    const ITERATIONS: usize = 10;
    let (salt, mut derived) = (set.0.as_bytes(), Zeroizing::new([0; 32]));
    pbkdf2_hmac(key.as_bytes(), salt, ITERATIONS, MessageDigest::sha256(), &mut *derived)
        .map_err(|error| Error::io("derive the key of a media set")(error.into()))?;
    Ok(EncryptionKey::new(&derived))
}

/// Finds out, without a drive, whether the key of a media set is known, where it has one.
pub fn require_key(env: &TapeEnv, set: MediaSetId) -> Result<()> {
    let inventory = env.inventory.load()?;
    let mut labels = inventory.iter().filter_map(InventoryEntry::assigned_set);
    let label = labels.find(|label| label.uuid == set);
    match label.and_then(|label| label.encryption_key_fingerprint) {
        Some(fingerprint) => env.keys.key(&fingerprint).map(drop),
        None => Ok(()),
    }
}

/// Makes what lies behind the labels of the medium in the drive readable, where its set is encrypted.
///
/// A drive that has no encryption, such as a `virtual:` one, reads as it does without: what it once wrote under such a
/// label was never encrypted.
pub(crate) fn unlock(
    env: &TapeEnv,
    hold: &mut DriveHold,
    set_label: &MediaSetLabel,
    task: &dyn TaskContext,
) -> Result<()> {
    let Some(fingerprint) = &set_label.encryption_key_fingerprint else { return Ok(()) };
    if !hold.drive().can_encrypt().map_err(|source| hold.failed(source))? {
        task.warn(&format!(
            "media set {} is encrypted with key {}; this drive reads it as if it were not",
            set_label.uuid,
            fingerprint.short()
        ));
        return Ok(());
    }
    let key = env.keys.key(fingerprint)?;
    set_drive_key(hold, Some(&drive_key(&key, set_label.uuid)?))
}

/// Gives the drive a key, or takes it away, and makes sure that it encrypts from now on, or does not.
pub(crate) fn set_drive_key(hold: &mut DriveHold, key: Option<&EncryptionKey>) -> Result<()> {
    hold.drive().set_encryption_key(key).map_err(|source| match source {
        reel_hw::Error::Unsupported { .. } => Error::NoEncryption { drive: hold.name().clone() },
        source => hold.failed(source),
    })?;
    let encrypts = hold.drive().encryption_active().map_err(|source| hold.failed(source))?;
    if encrypts == key.is_some() {
        return Ok(());
    }
    Err(Error::EncryptionState { drive: hold.name().clone(), encrypts })
}

/// Refuses a drive that is known to have no encryption; some tell only once a medium is loaded.
pub(crate) fn require_encryption(hold: &mut DriveHold) -> Result<()> {
    match hold.drive().can_encrypt() {
        Ok(true) | Err(reel_hw::Error::NoMedium { .. }) => Ok(()),
        Ok(false) => Err(Error::NoEncryption { drive: hold.name().clone() }),
        Err(source) => Err(hold.failed(source)),
    }
}

/// Takes the key out of the drive: what comes next is a label, or another medium.
pub(crate) fn clear_key(hold: &mut DriveHold) -> Result<()> {
    hold.drive().set_encryption_key(None).map_err(|source| hold.failed(source))
}

#[cfg(test)]
mod tests;
