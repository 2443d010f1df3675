//! The drive's own encryption: AES-256 in GCM, a nonce and a tag with each block.

use std::io;

use openssl::rand::rand_bytes;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use reel_hw::EncryptionKey;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// What an encrypted block takes beyond its content: nonce and tag.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Encrypts a block: nonce, tag, content.
pub(crate) fn seal(key: &EncryptionKey, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut head = [0; NONCE_BYTES + TAG_BYTES];
    let (nonce, tag) = head.split_at_mut(NONCE_BYTES);
    rand_bytes(nonce)?;
    let sealed = encrypt_aead(Cipher::aes_256_gcm(), key.expose(), Some(nonce), &[], content, tag)?;
    Ok([&head[..], &sealed].concat())
}

/// Decrypts a block; `None` where the key is another or the block is damaged.
pub(crate) fn open(key: &EncryptionKey, stored: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = stored.split_at_checked(NONCE_BYTES)?;
    let (tag, sealed) = rest.split_at_checked(TAG_BYTES)?;
    decrypt_aead(Cipher::aes_256_gcm(), key.expose(), Some(nonce), &[], sealed, tag).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_a_block() {
        let (key, other) = (EncryptionKey::new(&[1; 32]), EncryptionKey::new(&[2; 32]));
        let mut sealed = seal(&key, b"a block of data").unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"block"));
        assert_eq!(open(&key, &sealed).unwrap(), b"a block of data");
        assert_eq!(open(&other, &sealed), None);
        sealed[30] ^= 1;
        assert_eq!(open(&key, &sealed), None);
        assert_eq!(open(&key, &[0; 5]), None);
    }
}
