//! Which client key opens a snapshot, and whether what it signed is still what it signed.

use std::sync::Arc;

use nix::libc;
use reel_store::CryptConfig;
use reel_types::Fingerprint;

use super::FinishedSnapshot;
use crate::failure::{Failure, Outcome};

/// The key that content `what` of `snapshot` needs; none where it is not encrypted and no key was given.
///
/// A manifest that says which key it was made with has its signature checked wherever that key is there, also for
/// content that could be read without.
pub(super) fn key_for(
    snapshot: &dyn FinishedSnapshot,
    is_encrypted: bool,
    what: &str,
) -> Outcome<Option<Arc<CryptConfig>>> {
    let refuse = |errno, text: &str| Failure::new(errno, format!("read {what}: {text}"));
    let fingerprint = snapshot.manifest().key_fingerprint()?;
    let key = match (fingerprint, is_encrypted) {
        (Some(fingerprint), true) => snapshot.key(&fingerprint).map(Some),
        (Some(fingerprint), false) => Ok(snapshot.key(&fingerprint).ok()),
        (None, false) => Ok(None),
        (None, true) => {
            let text = "it is encrypted and the manifest does not say with which key";
            Err(refuse(libc::ENOKEY, text))
        }
    };
    let key = key.map_err(|failure| refuse(failure.errno, &failure.message))?;
    if let Some(key) = &key {
        snapshot
            .manifest()
            .check_signature(key)
            .map_err(|error| refuse(error.errno(), &error.to_string()))?;
    }
    Ok(key)
}

/// Why there is no key: none was given at all, or only others.
pub(super) fn no_key(fingerprint: &Fingerprint, others: usize, place: &str) -> Failure {
    let short = fingerprint.short();
    if others == 0 {
        let text = format!(
            "it is encrypted with key {short}… and no key was given; \
             write 'client-key add key-file=FILE' to the ctl of {place}"
        );
        return Failure::new(libc::ENOKEY, text);
    }
    let text = format!(
        "it is encrypted with key {short}… and only other keys were given ({others}); \
         write 'client-key add key-file=FILE' with the right one to the ctl of {place}"
    );
    Failure::new(libc::EKEYREJECTED, text)
}
