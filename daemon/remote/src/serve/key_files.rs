//! The keys that a server signs tickets with (`remote-protocol.md` §3.2), made when they are first needed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::rand::rand_bytes;
use openssl::sha::Sha256;
use openssl::sign::{Signer, Verifier};
use reel_config::{ConfigDir, FileClass};

use crate::RemoteError;

const AUTH_KEY: &str = "authkey.key";
const AUTH_PUB: &str = "authkey.pub";
const CSRF_KEY: &str = "csrf.key";
const CSRF_KEY_BYTES: usize = 64;

/// The pair that signs tickets.
pub(super) struct AuthKey {
    private: PKey<Private>,
    public: PKey<Public>,
}

/// What signs CSRF tokens.
pub(super) struct CsrfKey(Vec<u8>);

/// Makes the keys that are missing.
pub(super) fn create_missing(config: &ConfigDir) -> Result<(), RemoteError> {
    let private = config.read(AUTH_KEY)?;
    if private.is_empty() {
        let key = PKey::generate_ed25519()?;
        config.replace(AUTH_KEY, &key.private_key_to_pem_pkcs8()?, FileClass::Secret)?;
        config.replace(AUTH_PUB, &key.public_key_to_pem()?, FileClass::Normal)?;
    } else if config.read(AUTH_PUB)?.is_empty() {
        let key = PKey::private_key_from_pem(&private).map_err(|_| unreadable(config, AUTH_KEY))?;
        config.replace(AUTH_PUB, &key.public_key_to_pem()?, FileClass::Normal)?;
    }
    if config.read(CSRF_KEY)?.is_empty() {
        let mut secret = [0; CSRF_KEY_BYTES];
        rand_bytes(&mut secret)?;
        let text = STANDARD_NO_PAD.encode(secret);
        config.replace(CSRF_KEY, text.as_bytes(), FileClass::Normal)?;
    }
    Ok(())
}

fn unreadable(config: &ConfigDir, name: &str) -> RemoteError {
    RemoteError::KeyFile { path: config.file(name), reason: "it holds no key in PEM".into() }
}

impl AuthKey {
    /// Reads the pair; Ed25519, or RSA from old installations.
    pub(super) fn load(config: &ConfigDir) -> Result<Self, RemoteError> {
        let private = PKey::private_key_from_pem(&config.read(AUTH_KEY)?)
            .map_err(|_| unreadable(config, AUTH_KEY))?;
        let public = PKey::public_key_from_pem(&config.read(AUTH_PUB)?)
            .map_err(|_| unreadable(config, AUTH_PUB))?;
        if !private.public_eq(&public) {
            let reason =
                format!("it is not the public half of '{AUTH_KEY}'; remove it and start again");
            return Err(RemoteError::KeyFile { path: config.file(AUTH_PUB), reason });
        }
        Ok(Self { private, public })
    }

    /// The signature of `text` as tickets carry it.
    pub(super) fn sign(&self, text: &[u8]) -> Result<String, RemoteError> {
        let mut signer = match self.private.id() {
            Id::ED25519 => Signer::new_without_digest(&self.private)?,
            _ => Signer::new(MessageDigest::sha256(), &self.private)?,
        };
        Ok(STANDARD_NO_PAD.encode(signer.sign_oneshot_to_vec(text)?))
    }

    /// Whether `signature` is one of `text`.
    pub(super) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD_NO_PAD.decode(signature) else { return false };
        let verifier = match self.public.id() {
            Id::ED25519 => Verifier::new_without_digest(&self.public),
            _ => Verifier::new(MessageDigest::sha256(), &self.public),
        };
        let verified = verifier.and_then(|mut verifier| verifier.verify_oneshot(&signature, text));
        verified.unwrap_or(false)
    }
}

impl CsrfKey {
    pub(super) fn load(config: &ConfigDir) -> Result<Self, RemoteError> {
        let key = config.read(CSRF_KEY)?;
        if key.is_empty() {
            let reason = "it is empty; remove it and start again".into();
            return Err(RemoteError::KeyFile { path: config.file(CSRF_KEY), reason });
        }
        Ok(Self(key))
    }

    pub(super) fn sign(&self, text: &[u8]) -> Result<String, RemoteError> {
        let key = PKey::hmac(&self.0)?;
        let mut signer = Signer::new(MessageDigest::sha3_256(), &key)?;
        Ok(STANDARD_NO_PAD.encode(signer.sign_oneshot_to_vec(text)?))
    }

    /// Whether `signature` is one of `text`, as it is made or as it was made once.
    pub(super) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        let is = |expected: &str| {
            expected.len() == signature.len()
                && memcmp::eq(expected.as_bytes(), signature.as_bytes())
        };
        self.sign(text).is_ok_and(|current| is(&current)) || is(&self.sign_as_once(text))
    }

    fn sign_as_once(&self, text: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(text);
        hash.update(&self.0);
        STANDARD_NO_PAD.encode(hash.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use openssl::rsa::Rsa;

    use super::*;

    fn folder() -> (tempfile::TempDir, ConfigDir) {
        let folder = tempfile::tempdir().unwrap();
        let config = ConfigDir::new(folder.path());
        (folder, config)
    }

    #[test]
    fn keys_are_made_once_and_stay_secret() {
        let (_folder, config) = folder();
        create_missing(&config).unwrap();
        let read = |name: &str| config.read(name).unwrap();
        let before = [AUTH_KEY, AUTH_PUB, CSRF_KEY].map(read);
        create_missing(&config).unwrap();
        assert_eq!(before, [AUTH_KEY, AUTH_PUB, CSRF_KEY].map(read));
        let mode = |name: &str| config.file(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(AUTH_KEY), mode(AUTH_PUB), mode(CSRF_KEY)), (0o600, 0o640, 0o640));
        assert!(before[0].starts_with(b"-----BEGIN PRIVATE KEY-----"));
        assert_eq!(STANDARD_NO_PAD.decode(&before[2]).unwrap().len(), CSRF_KEY_BYTES);
    }

    #[test]
    fn ed25519_and_rsa_sign() {
        let (_folder, config) = folder();
        create_missing(&config).unwrap();
        let ed25519 = AuthKey::load(&config).unwrap();
        let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let pem = rsa.rsa().unwrap().private_key_to_pem().unwrap();
        config.replace(AUTH_KEY, &pem, FileClass::Secret).unwrap();
        assert!(AuthKey::load(&config).is_err(), "halves of two pairs");
        std::fs::remove_file(config.file(AUTH_PUB)).unwrap();
        create_missing(&config).unwrap();
        let rsa = AuthKey::load(&config).unwrap();
        for key in [&ed25519, &rsa] {
            let signature = key.sign(b"text").unwrap();
            assert!(key.verifies(b"text", &signature));
            assert!(!key.verifies(b"texT", &signature));
            assert!(!key.verifies(b"text", &format!("{signature}A")));
            assert!(!key.verifies(b"text", ""));
        }
        assert!(!rsa.verifies(b"text", &ed25519.sign(b"text").unwrap()));
    }

    #[test]
    fn csrf_tokens_of_both_kinds() {
        let key = CsrfKey(b"key".to_vec());
        let current = key.sign(b"66607524:sync@pam:").unwrap();
        assert!(key.verifies(b"66607524:sync@pam:", &current));
        let old = key.sign_as_once(b"66607524:sync@pam:");
        assert_ne!(current, old);
        assert!(key.verifies(b"66607524:sync@pam:", &old));
        assert!(!key.verifies(b"66607525:sync@pam:", &current));
    }
}
