//! Whom to believe that it is the server (`remote-protocol.md` §1.2).

use std::sync::{Arc, Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ssl::{ConnectConfiguration, SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509StoreContextRef;
use reel_types::Fingerprint;

/// What a handshake found out of the server's certificate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict(Arc<Mutex<Trust>>);

#[derive(Debug, Default)]
struct Trust {
    /// An issuer was let pass that nobody vouches for: the certificate itself must be the expected one.
    is_doubted: bool,
    /// The certificate that was refused.
    refused: Option<Fingerprint>,
}

impl Verdict {
    /// The fingerprint of the certificate that was refused, if one was.
    pub(crate) fn refused(&self) -> Option<Fingerprint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refused
    }
}

/// One handshake, which believes the system's authorities, or the certificate with the expected fingerprint.
///
/// A certificate that an authority vouches for is taken whatever is expected: those of ACME change all the time.
pub(crate) fn handshake(
    expected: Option<Fingerprint>,
) -> Result<(ConnectConfiguration, Verdict), ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let verdict = Verdict::default();
    let trust = Arc::clone(&verdict.0);
    builder.set_verify_callback(SslVerifyMode::PEER, move |is_valid, chain| {
        let mut trust = trust.lock().unwrap_or_else(PoisonError::into_inner);
        judge(&mut trust, expected, is_valid, chain)
    });
    Ok((builder.build().configure()?, verdict))
}

/// Asked for each certificate of the chain, issuers first.
fn judge(
    trust: &mut Trust,
    expected: Option<Fingerprint>,
    is_valid: bool,
    chain: &mut X509StoreContextRef,
) -> bool {
    if is_valid && !trust.is_doubted {
        return true;
    }
    if chain.error_depth() > 0 {
        trust.is_doubted = true;
        return true;
    }
    let presented = fingerprint(chain);
    if presented.is_some() && presented == expected {
        return true;
    }
    trust.refused = presented;
    false
}

fn fingerprint(chain: &X509StoreContextRef) -> Option<Fingerprint> {
    let digest = chain.current_cert()?.digest(MessageDigest::sha256()).ok()?;
    digest.as_ref().try_into().ok().map(Fingerprint)
}
