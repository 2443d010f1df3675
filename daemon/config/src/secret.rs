//! Encryption keys in memory, and their fingerprints (`config.md` §4.9).

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::sha::{Sha256, sha256};
use reel_types::Fingerprint;

/// The 32 bytes of a key. They never show in `Debug`, and are overwritten when the value goes.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes; keep them out of messages and logs.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
            .collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect();
        bytes.try_into().ok().map(Self).filter(|_| digits.len() == 64)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without a reader the compiler would drop the writes.
        std::hint::black_box(&self.0);
    }
}

/// The fingerprint of a key: SHA-256 over a fixed text's digest and a key derived from it.
pub fn fingerprint_of(key: &SecretKey) -> Result<Fingerprint, openssl::error::ErrorStack> {
    const ITERATIONS: usize = 10;
    let mut id_key = [0; 32];
    pbkdf2_hmac(key.as_bytes(), b"_id_key", ITERATIONS, MessageDigest::sha256(), &mut id_key)?;
    let mut hash = Sha256::new();
    hash.update(&sha256(b"Proxmox Backup Encryption Key Fingerprint"));
    hash.update(&id_key);
    Ok(Fingerprint(hash.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting_key() -> SecretKey {
        SecretKey::new(std::array::from_fn(|index| index as u8))
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
        assert_eq!(SecretKey::from_hex(&text).unwrap().as_bytes(), counting_key().as_bytes());
        for bad in ["", &text[1..], &text[2..], &format!("{text}0"), &text.replace('0', "g")] {
            assert!(SecretKey::from_hex(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_bytes_do_not_show() {
        assert_eq!(format!("{:?}", counting_key()), "SecretKey(hidden)");
    }
}
