//! The certificate that a server shows (`remote-protocol.md` §1.2).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslOptions};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Name, X509NameRef};
use reel_config::{ConfigDir, FileClass};
use reel_types::Fingerprint;
use uuid::Uuid;

use super::key_files;
use crate::RemoteError;

const CERTIFICATE: &str = "proxy.pem";
const KEY: &str = "proxy.key";
/// Held while certificate and key are replaced, so that two replacements leave a pair.
const LOCK: &str = ".proxy.lck";
const RSA_BITS: u32 = 4096;
const VALID_SECONDS: i64 = 365 * 1000 * 86_400;
const ORGANISATION: &str = "Proxmox Backup Server";

/// What this computer is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames {
    /// Up to the first dot.
    pub node: String,
    /// With the domain, if it has one.
    pub fqdn: String,
}

/// Makes the keys of tickets, and the certificate with its key, where they are missing; `anew`, a new certificate in any
/// case. `now` is in UNIX seconds.
pub fn create_keys(
    config: &ConfigDir,
    names: &HostNames,
    anew: bool,
    now: i64,
) -> Result<(), RemoteError> {
    create_keys_of(config, names, anew, now, RSA_BITS)
}

pub(super) fn create_keys_of(
    config: &ConfigDir,
    names: &HostNames,
    anew: bool,
    now: i64,
    bits: u32,
) -> Result<(), RemoteError> {
    let _lock = config.lock(LOCK)?;
    key_files::create_missing(config)?;
    let is_there = !config.read(CERTIFICATE)?.is_empty() && !config.read(KEY)?.is_empty();
    if is_there && !anew {
        return Ok(());
    }
    let key = PKey::from_rsa(Rsa::generate(bits)?)?;
    let certificate = self_signed(&key, names, now)?;
    config.replace(KEY, &key.private_key_to_pem_pkcs8()?, FileClass::Normal)?;
    config.replace(CERTIFICATE, &certificate.to_pem()?, FileClass::Normal)?;
    Ok(())
}

fn self_signed(key: &PKey<Private>, names: &HostNames, now: i64) -> Result<X509, ErrorStack> {
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_nid(Nid::ORGANIZATIONNAME, ORGANISATION)?;
    let unit = Uuid::new_v4().hyphenated().to_string().to_uppercase();
    subject.append_entry_by_nid(Nid::ORGANIZATIONALUNITNAME, &unit)?;
    subject.append_entry_by_nid(Nid::COMMONNAME, &names.fqdn)?;
    let subject = subject.build();

    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    let serial = BigNum::from_slice(&Uuid::new_v4().as_u128().to_be_bytes())?.to_asn1_integer()?;
    certificate.set_serial_number(serial.as_ref())?;
    certificate.set_subject_name(&subject)?;
    certificate.set_issuer_name(&subject)?;
    certificate.set_not_before(Asn1Time::from_unix(now)?.as_ref())?;
    certificate.set_not_after(Asn1Time::from_unix(now.saturating_add(VALID_SECONDS))?.as_ref())?;
    certificate.set_pubkey(key)?;
    certificate.append_extension(BasicConstraints::new().build()?)?;
    certificate.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let context = certificate.x509v3_context(None, None);
    let other_names = other_names(names).build(&context)?;
    let subject_key = SubjectKeyIdentifier::new().build(&context)?;
    certificate.append_extension(other_names)?;
    certificate.append_extension(subject_key)?;
    let context = certificate.x509v3_context(None, None);
    let authority_key = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
    certificate.append_extension(authority_key)?;
    certificate.sign(key, MessageDigest::sha256())?;
    Ok(certificate.build())
}

fn other_names(names: &HostNames) -> SubjectAlternativeName {
    let mut other = SubjectAlternativeName::new();
    other.ip("127.0.0.1").ip("::1").dns("localhost");
    if names.node != "localhost" {
        other.dns(&names.node);
    }
    if names.fqdn != names.node {
        other.dns(&names.fqdn);
    }
    other
}

/// What `cert info` tells of the certificate (`cli-manager.md` §3.9).
pub fn describe_certificate(config: &ConfigDir) -> Result<String, RemoteError> {
    let certificate = Certificates::of(config).read()?;
    let key = certificate.public_key()?;
    let mut lines = vec![format!("Subject: {}", name_text(certificate.subject_name()))];
    lines.extend(other_name_lines(&certificate));
    lines.push(format!("Issuer: {}", name_text(certificate.issuer_name())));
    lines.push("Validity:".to_owned());
    lines.push(format!("    Not Before: {}", certificate.not_before()));
    lines.push(format!("    Not After : {}", certificate.not_after()));
    lines.push(format!("Fingerprint (sha256): {}", fingerprint(&certificate)?));
    lines.push(format!("Public key type: {}", Nid::from_raw(key.id().as_raw()).long_name()?));
    lines.push(format!("Public key bits: {}", key.bits()));
    Ok(lines.join("\n"))
}

fn name_text(name: &X509NameRef) -> String {
    let entries = name.entries().map(|entry| {
        let key = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_default();
        format!("{key} = {value}")
    });
    entries.collect::<Vec<_>>().join(", ")
}

fn other_name_lines(certificate: &X509) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let lines = names.iter().flatten().filter_map(|name| {
        let text = |kind: &str, text: &str| format!("    {kind}:{text}");
        name.dnsname()
            .map(|dns| text("DNS", dns))
            .or_else(|| name.ipaddress().map(|bytes| text("IP", &format!("{bytes:?}"))))
            .or_else(|| name.email().map(|email| text("EMAIL", email)))
            .or_else(|| name.uri().map(|uri| text("URI", uri)))
    });
    lines.collect()
}

fn fingerprint(certificate: &X509) -> Result<Fingerprint, RemoteError> {
    let digest = certificate.digest(MessageDigest::sha256())?;
    let bytes = digest.as_ref().try_into().map_err(|_| ErrorStack::get())?;
    Ok(Fingerprint(bytes))
}

/// The certificate in the folder of the configuration; one that replaces it counts for the next connection.
pub(super) struct Certificates {
    config: ConfigDir,
    current: Mutex<Option<(Stamp, Arc<SslAcceptor>)>>,
}

/// Inode, size and change of both files.
type Stamp = [(u64, u64, i64, i64); 2];

impl Certificates {
    pub(super) fn of(config: &ConfigDir) -> Self {
        Self { config: config.clone(), current: Mutex::default() }
    }

    /// The certificate itself.
    fn read(&self) -> Result<X509, RemoteError> {
        let pem = self.config.read(CERTIFICATE)?;
        if pem.is_empty() {
            let reason = "there is none; 'cert update' makes one".to_owned();
            return Err(RemoteError::KeyFile { path: self.path(), reason });
        }
        X509::from_pem(&pem).map_err(|error| self.unusable(error))
    }

    /// The certificate's fingerprint.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, RemoteError> {
        fingerprint(&self.read()?)
    }

    /// What shakes hands with the certificate that is there at this moment.
    pub(super) fn acceptor(&self) -> Result<Arc<SslAcceptor>, RemoteError> {
        let stamp = self.stamp();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*current, stamp) {
            (Some((known, acceptor)), Some(stamp)) if *known == stamp => Ok(Arc::clone(acceptor)),
            (Some((_, acceptor)), None) => Ok(Arc::clone(acceptor)),
            (known, stamp) => {
                let made = self.load();
                // Files that are being replaced may not fit each other for a moment.
                let acceptor = match (made, known) {
                    (Ok(acceptor), _) => Arc::new(acceptor),
                    (Err(error), Some((_, old))) => {
                        tracing::warn!(%error, "the old certificate stays in use");
                        return Ok(Arc::clone(old));
                    }
                    (Err(error), None) => return Err(error),
                };
                *current = stamp.map(|stamp| (stamp, Arc::clone(&acceptor)));
                Ok(acceptor)
            }
        }
    }

    fn load(&self) -> Result<SslAcceptor, RemoteError> {
        self.read()?;
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        // Clients end their connections as they like; HTTP tells by itself what is whole.
        acceptor.set_options(SslOptions::IGNORE_UNEXPECTED_EOF);
        acceptor.set_certificate_chain_file(self.path()).map_err(|error| self.unusable(error))?;
        let key = PKey::private_key_from_pem(&self.config.read(KEY)?);
        key.and_then(|key| {
            acceptor.set_private_key(&key).and_then(|()| acceptor.check_private_key())
        })
        .map_err(|_| {
            let reason = format!(
                "it is not the key of '{CERTIFICATE}'; 'cert update --force' makes both anew"
            );
            RemoteError::KeyFile { path: self.config.file(KEY), reason }
        })?;
        Ok(acceptor.build())
    }

    fn path(&self) -> PathBuf {
        self.config.file(CERTIFICATE)
    }

    fn unusable(&self, error: ErrorStack) -> RemoteError {
        RemoteError::KeyFile { path: self.path(), reason: error.to_string() }
    }

    fn stamp(&self) -> Option<Stamp> {
        let of = |name: &str| {
            let meta = fs::metadata(self.config.file(name)).ok()?;
            Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
        };
        Some([of(CERTIFICATE)?, of(KEY)?])
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: i64 = 1_717_597_476;

    fn names(node: &str, fqdn: &str) -> HostNames {
        HostNames { node: node.into(), fqdn: fqdn.into() }
    }

    fn folder() -> (tempfile::TempDir, ConfigDir) {
        let folder = tempfile::tempdir().unwrap();
        let config = ConfigDir::new(folder.path());
        create_keys_of(&config, &names("host", "host.example"), false, NOW, 2048).unwrap();
        (folder, config)
    }

    #[test]
    fn the_certificate_tells_what_the_specification_says() {
        let (_folder, config) = folder();
        let text = describe_certificate(&config).unwrap();
        let certificate = Certificates::of(&config).read().unwrap();
        let unit = text.split("OU = ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        assert_eq!(unit, Uuid::parse_str(&unit).unwrap().to_string().to_uppercase());
        let name = format!("O = Proxmox Backup Server, OU = {unit}, CN = host.example");
        let expected = format!(
            "Subject: {name}\n    IP:[127, 0, 0, 1]\n    \
             IP:[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]\n    DNS:localhost\n    DNS:host\n    \
             DNS:host.example\nIssuer: {name}\nValidity:\n    Not Before: Jun  5 14:24:36 2024 GMT\n    \
             Not After : Oct  7 14:24:36 3023 GMT\nFingerprint (sha256): {}\n\
             Public key type: rsaEncryption\nPublic key bits: 2048",
            fingerprint(&certificate).unwrap()
        );
        assert_eq!(text, expected);
        let details = String::from_utf8(certificate.to_text().unwrap()).unwrap();
        for detail in [
            "Version: 3",
            "CA:FALSE",
            "TLS Web Server Authentication",
            "Subject Key Identifier",
            "Authority Key Identifier",
            "sha256WithRSAEncryption",
        ] {
            assert!(details.contains(detail), "{detail} in {details}");
        }
    }

    #[test]
    fn names_are_told_once() {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let lines =
            |node, fqdn| other_name_lines(&self_signed(&key, &names(node, fqdn), NOW).unwrap());
        assert_eq!(lines("localhost", "localhost").len(), 3);
        assert_eq!(lines("host", "host").len(), 4);
    }

    #[test]
    fn what_is_there_is_used_until_a_new_one_is_asked_for() {
        let (_folder, config) = folder();
        let certificates = Certificates::of(&config);
        let (first, acceptor) =
            (certificates.fingerprint().unwrap(), certificates.acceptor().unwrap());
        let again = |anew| create_keys_of(&config, &names("x", "x"), anew, NOW, 2048).unwrap();
        again(false);
        assert_eq!(certificates.fingerprint().unwrap(), first);
        assert!(Arc::ptr_eq(&acceptor, &certificates.acceptor().unwrap()));
        again(true);
        assert_ne!(certificates.fingerprint().unwrap(), first);
        assert!(!Arc::ptr_eq(&acceptor, &certificates.acceptor().unwrap()));
        for name in [CERTIFICATE, KEY] {
            let mode = config.file(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o640, "{name}");
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_no_key() {
        let (_folder, config) = folder();
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let pem = key.private_key_to_pem_pkcs8().unwrap();
        config.replace(KEY, &pem, FileClass::Normal).unwrap();
        let error = Certificates::of(&config).acceptor().map(drop).unwrap_err();
        assert!(error.to_string().contains("cert update --force"), "{error}");
    }
}
