//! Encryption keys in memory, and their fingerprints (`config.md` §4.9).

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::sha::{Sha256, sha256};
use reel_types::Fingerprint;
use zeroize::Zeroizing;

/// The 32 bytes of a key. They never show in `Debug`, have a place of their own, so that nothing of them stays behind
/// where the value is moved, and are overwritten when it goes.
pub struct SecretKey(Box<Zeroizing<[u8; 32]>>);

impl SecretKey {
    /// A key of these bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let mut key = Self::zeros();
        key.0.copy_from_slice(bytes);
        key
    }

    fn zeros() -> Self {
        Self(Box::new(Zeroizing::new([0; 32])))
    }

    /// The bytes; keep them out of messages and logs.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut key = Self::zeros();
        for (byte, pair) in key.0.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(key)
    }

    /// The 64 hexadecimal digits.
    pub(crate) fn to_hex(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 0xF] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        text
    }
}

impl Clone for SecretKey {
    fn clone(&self) -> Self {
        Self::new(self.as_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// The fingerprint of a key: SHA-256 over a fixed text's digest and a key derived from it.
pub fn fingerprint_of(key: &SecretKey) -> Result<Fingerprint, openssl::error::ErrorStack> {
    const ITERATIONS: usize = 10;
    let mut id_key = Zeroizing::new([0; 32]);
    pbkdf2_hmac(key.as_bytes(), b"_id_key", ITERATIONS, MessageDigest::sha256(), &mut *id_key)?;
    let mut hash = Sha256::new();
    hash.update(&sha256(b"Proxmox Backup Encryption Key Fingerprint"));
    hash.update(&*id_key);
    Ok(Fingerprint(hash.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting_key() -> SecretKey {
        SecretKey::new(&std::array::from_fn(|index| index as u8))
    }

    #[test]
    fn fingerprint_of_the_specification() {
        assert_eq!(
            fingerprint_of(&counting_key()).unwrap().to_string(),
            "0e:ab:d4:46:0b:6e:b9:ca:34:50:23:de:e2:b7:78:c7:90:e5:4a:16:83:b9:65:9c:0a:57:ae:19:90:90:15:9b"
        );
    }

    #[test]
    fn hex_digits() {
        let text: String = (0..32).map(|byte| format!("{byte:02X}")).collect();
        let key = SecretKey::from_hex(&text).unwrap();
        assert_eq!(key.as_bytes(), counting_key().as_bytes());
        assert_eq!(*key.to_hex(), text.to_lowercase());
        for bad in ["", &text[1..], &text[2..], &format!("{text}0"), &text.replace('0', "g")] {
            assert!(SecretKey::from_hex(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_bytes_do_not_show() {
        assert_eq!(format!("{:?}", counting_key()), "SecretKey(hidden)");
    }
}
