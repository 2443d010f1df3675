//! Digests, keys and AES-256-GCM (`formats.md` §2).
//!
//! One 32-byte key encrypts everything of a backup. From it comes the id key, which is mixed into
//! the digest of each encrypted chunk (so that the same data under two keys never shares a chunk),
//! signs manifests, and gives the fingerprint by which people and manifests name the key.
//!
//! AES-GCM runs with IVs of 16 bytes as PBS does, which most libraries for GCM can't: hence OpenSSL,
//! whose SHA-256 also is the fastest at hand.

use std::fmt;
use std::ops::{Deref, DerefMut};

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::{Sha256, sha256};
use openssl::sign::Signer;
use reel_types::{Digest, Fingerprint};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{FormatError, FormatResult};

/// Length of the IV of each encrypted blob, in bytes.
pub const IV_LEN: usize = 16;
/// Length of a GCM tag, in bytes.
pub const TAG_LEN: usize = 16;
/// Length of a key, in bytes.
pub const KEY_LEN: usize = 32;

const ID_KEY_SALT: &[u8] = b"_id_key";
const ID_KEY_ITERATIONS: usize = 10;
const FINGERPRINT_INPUT: &[u8] = b"Proxmox Backup Encryption Key Fingerprint";

/// SHA-256: the digest of an unencrypted chunk, or the csum of a blob file.
pub fn plain_digest(data: &[u8]) -> Digest {
    Digest(sha256(data))
}

/// A key and what is derived from it.
///
/// Nothing of it shows in `Debug`, and its bytes are wiped when it is dropped.
pub struct CryptConfig {
    enc_key: Secret,
    id_key: Secret,
    fingerprint: Fingerprint,
}

impl CryptConfig {
    /// Derives everything from a key's 32 bytes.
    pub fn new(enc_key: [u8; KEY_LEN]) -> FormatResult<Self> {
        let enc_key = Zeroizing::new(enc_key);
        Self::of(Secret::copy_of(&enc_key))
    }

    fn of(enc_key: Secret) -> FormatResult<Self> {
        let id_key = pbkdf2(&*enc_key, ID_KEY_SALT, ID_KEY_ITERATIONS)?;
        let mut hasher = Sha256::new();
        hasher.update(&sha256(FINGERPRINT_INPUT));
        hasher.update(&*id_key);
        let fingerprint = Fingerprint(hasher.finish());
        Ok(Self { enc_key, id_key, fingerprint })
    }

    /// A new random key.
    pub fn generate() -> FormatResult<Self> {
        let mut enc_key = Secret::zeros();
        openssl::rand::rand_bytes(&mut *enc_key).map_err(FormatError::crypto("no random bytes"))?;
        Self::of(enc_key)
    }

    /// Takes a key from bytes whose length is yet unchecked; they are copied to their last place at once.
    pub fn from_slice(bytes: &[u8]) -> FormatResult<Self> {
        let wrong = |_| FormatError::corrupt(format!("key of {} bytes, not 32", bytes.len()));
        Self::of(Secret::copy_of(bytes.try_into().map_err(wrong)?))
    }

    /// The key itself, for whoever keeps it for later; it must go nowhere else.
    pub fn expose_key(&self) -> &[u8; KEY_LEN] {
        &self.enc_key
    }

    /// The key's name.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The secret itself, for whoever keeps it in key files; it must go nowhere else.
    pub fn enc_key(&self) -> &[u8; KEY_LEN] {
        &self.enc_key
    }

    /// Digest of an encrypted chunk, over its plain data.
    pub fn chunk_digest(&self, data: &[u8]) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(data);
        hasher.update(&*self.id_key);
        Digest(hasher.finish())
    }

    /// Authenticates a message: HMAC-SHA-256 with the id key.
    pub fn auth_tag(&self, message: &[u8]) -> FormatResult<[u8; 32]> {
        self.hmac(message).map_err(FormatError::crypto("cannot compute an authentication tag"))
    }

    fn hmac(&self, message: &[u8]) -> Result<[u8; 32], openssl::error::ErrorStack> {
        let key = PKey::hmac(&*self.id_key)?;
        let mut tag = [0; 32];
        Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot(&mut tag, message)?;
        Ok(tag)
    }

    /// Encrypts `data` where it stands and returns the tag.
    pub(crate) fn seal(&self, iv: &[u8; IV_LEN], data: &mut [u8]) -> FormatResult<[u8; TAG_LEN]> {
        aes_seal(&self.enc_key, iv, data)
    }

    /// Decrypts; gives nothing unless the tag fits.
    pub(crate) fn open(
        &self,
        iv: &[u8; IV_LEN],
        tag: &[u8; TAG_LEN],
        data: &[u8],
    ) -> FormatResult<Vec<u8>> {
        aes_open(&self.enc_key, iv, tag, data)?.ok_or_else(|| {
            FormatError::checksum(format!(
                "authentication tag mismatch: the data is damaged, or was not encrypted with key {}",
                self.fingerprint.short()
            ))
        })
    }
}

impl fmt::Debug for CryptConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CryptConfig").field("key", &"<hidden>").finish()
    }
}

/// Key bytes that are overwritten when they are dropped. They have a place of their own, so that nothing of them stays
/// behind where the value is moved.
pub(crate) struct Secret(Box<Zeroizing<[u8; KEY_LEN]>>);

impl Secret {
    /// Zeros, to be filled in their place.
    pub(crate) fn zeros() -> Self {
        Self(Box::new(Zeroizing::new([0; KEY_LEN])))
    }

    fn copy_of(bytes: &[u8; KEY_LEN]) -> Self {
        let mut secret = Self::zeros();
        secret.copy_from_slice(bytes);
        secret
    }
}

impl Deref for Secret {
    type Target = [u8; KEY_LEN];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Secret {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// Overwrites secret bytes.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.zeroize();
}

/// Bytes from the system's random number generator.
pub(crate) fn random<const N: usize>() -> FormatResult<[u8; N]> {
    let mut bytes = [0; N];
    openssl::rand::rand_bytes(&mut bytes).map_err(FormatError::crypto("no random bytes"))?;
    Ok(bytes)
}

pub(crate) fn pbkdf2(password: &[u8], salt: &[u8], iterations: usize) -> FormatResult<Secret> {
    let mut key = Secret::zeros();
    openssl::pkcs5::pbkdf2_hmac(password, salt, iterations, MessageDigest::sha256(), &mut *key)
        .map_err(FormatError::crypto("cannot derive a key with PBKDF2"))?;
    Ok(key)
}

/// AES-256-GCM in place, no additional data; returns the tag.
pub(crate) fn aes_seal(
    key: &[u8; KEY_LEN],
    iv: &[u8; IV_LEN],
    data: &mut [u8],
) -> FormatResult<[u8; TAG_LEN]> {
    let mut seal = || {
        let mut context = CipherCtx::new()?;
        context.encrypt_init(Some(Cipher::aes_256_gcm()), None, None)?;
        context.set_iv_length(IV_LEN)?;
        context.encrypt_init(None, Some(key), Some(iv))?;
        let length = data.len();
        context.cipher_update_inplace(data, length)?;
        context.cipher_final(&mut [])?;
        let mut tag = [0; TAG_LEN];
        context.tag(&mut tag)?;
        Ok(tag)
    };
    seal().map_err(FormatError::crypto("cannot encrypt"))
}

/// The reverse of [`aes_seal`]; `None` when the tag doesn't fit, and no plain byte is seen then.
pub(crate) fn aes_open(
    key: &[u8; KEY_LEN],
    iv: &[u8; IV_LEN],
    tag: &[u8; TAG_LEN],
    data: &[u8],
) -> FormatResult<Option<Vec<u8>>> {
    let open = || {
        let mut context = CipherCtx::new()?;
        context.decrypt_init(Some(Cipher::aes_256_gcm()), None, None)?;
        context.set_iv_length(IV_LEN)?;
        context.decrypt_init(None, Some(key), Some(iv))?;
        let mut plain = vec![0; data.len()];
        context.cipher_update(data, Some(&mut plain))?;
        context.set_tag(tag)?;
        if context.cipher_final(&mut []).is_ok() {
            return Ok(Some(plain));
        }
        wipe(&mut plain);
        Ok(None)
    };
    open().map_err(FormatError::crypto("cannot decrypt"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{k0, unhex};

    #[test]
    fn vectors_of_key_k0() {
        let crypt = k0();
        let id_key = "7c2c013efd07f3b25717a485263343cd4d292a4b65c200bb3b18ea227abe225c";
        assert_eq!(crypt.id_key.as_slice(), unhex(id_key));
        assert_eq!(
            crypt.fingerprint().to_string(),
            "0e:ab:d4:46:0b:6e:b9:ca:34:50:23:de:e2:b7:78:c7:\
             90:e5:4a:16:83:b9:65:9c:0a:57:ae:19:90:90:15:9b"
        );
    }

    #[test]
    fn vectors_of_chunk_digests() {
        let zeros = vec![0; 4 << 20];
        for (data, plain, keyed) in [
            (
                b"hello".as_slice(),
                "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
                "e34178a27b992c4a218599bf7f43ed50bc464a03d624d9092306fe2ed74d557e",
            ),
            (
                &zeros,
                "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8",
                "348571e12bbbedb529def1f1394316e338a01945d871df9ef792617ceb13d636",
            ),
        ] {
            assert_eq!(plain_digest(data).to_string(), plain);
            assert_eq!(k0().chunk_digest(data).to_string(), keyed);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", k0()), "CryptConfig { key: \"<hidden>\" }");
    }

    #[test]
    fn keys_of_other_lengths_are_corrupt() {
        for length in [0, 31, 33] {
            let error = CryptConfig::from_slice(&vec![1; length]).unwrap_err();
            assert!(matches!(error, FormatError::Corrupt { .. }), "{error}");
        }
    }
}
