//! The master key: a copy of each backup's key that only the owner of an RSA key can read.

use bytes::Bytes;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};

use super::{KeyFile, KeyTime};
use crate::blob::{BLOB_PLAIN_MAX, DataBlob};
use crate::crypto::{CryptConfig, wipe};
use crate::error::{FormatError, FormatResult};

/// What PKCS#1 v1.5 adds to the message, in bytes.
const PADDING_LEN: usize = 11;

/// Makes `rsa-encrypted.key.blob` for the owner of an RSA public key (PEM).
///
/// `created` is when the key was made, `modified` is now. A key too small for the text, below some
/// 2136 bits, is `InvalidInput`.
pub fn seal_for_master(
    key: &CryptConfig,
    created: KeyTime,
    modified: KeyTime,
    public_pem: &[u8],
) -> FormatResult<DataBlob> {
    let rsa = public_key(public_pem)
        .map_err(|error| unusable("the master public key is not an RSA key in PEM", error))?;
    let mut text = KeyFile::unprotected(key, created, modified).to_json()?.into_bytes();
    let sealed = encrypt(&rsa, &text);
    wipe(&mut text);
    DataBlob::encode(&sealed?, None, false)
}

fn encrypt(rsa: &Rsa<Public>, text: &[u8]) -> FormatResult<Vec<u8>> {
    let modulus_len = rsa.size() as usize;
    if modulus_len < text.len() + PADDING_LEN {
        return Err(FormatError::invalid(format!(
            "the master key has {} bits, too few for an encryption key; make one of 4096 bits",
            8 * modulus_len
        )));
    }
    let mut sealed = vec![0; modulus_len];
    let length = rsa
        .public_encrypt(text, &mut sealed, Padding::PKCS1)
        .map_err(FormatError::crypto("cannot encrypt for the master key"))?;
    sealed.truncate(length);
    Ok(sealed)
}

/// Opens `rsa-encrypted.key.blob` with the RSA private key (PEM, encrypted or not).
///
/// The pass phrase is used only where the PEM is encrypted.
pub fn open_with_master(
    raw: Bytes,
    private_pem: &[u8],
    passphrase: &[u8],
) -> FormatResult<KeyFile> {
    let rsa = private_key(private_pem, passphrase).map_err(|error| {
        unusable(
            "the master private key is not an RSA key in PEM, or its pass phrase is wrong",
            error,
        )
    })?;
    let sealed = DataBlob::from_raw(raw)?.decode(None, BLOB_PLAIN_MAX)?;
    let mut text = decrypt(&rsa, &sealed)?;
    let key_file = KeyFile::parse(&text);
    wipe(&mut text);
    key_file.map_err(|error| FormatError::corrupt_by(WRONG_MASTER, error))
}

fn decrypt(rsa: &Rsa<Private>, sealed: &[u8]) -> FormatResult<Vec<u8>> {
    if sealed.len() != rsa.size() as usize {
        return Err(FormatError::corrupt(WRONG_MASTER));
    }
    let mut text = vec![0; sealed.len()];
    let length = rsa
        .private_decrypt(sealed, &mut text, Padding::PKCS1)
        .map_err(|error| FormatError::corrupt_by(WRONG_MASTER, error))?;
    text.truncate(length);
    Ok(text)
}

const WRONG_MASTER: &str = "the encrypted key is damaged, or was not encrypted for this master key";

fn public_key(pem: &[u8]) -> Result<Rsa<Public>, ErrorStack> {
    PKey::public_key_from_pem(pem)?.rsa()
}

fn private_key(pem: &[u8], passphrase: &[u8]) -> Result<Rsa<Private>, ErrorStack> {
    PKey::private_key_from_pem_passphrase(pem, passphrase)?.rsa()
}

fn unusable(what: &str, cause: ErrorStack) -> FormatError {
    FormatError::InvalidInput { what: what.to_owned(), source: Some(cause.into()) }
}
