//! Remotes in `remote.cfg` (`config.md` §4.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reel_types::{
    AuthId, CertificateFingerprint, Comment, Fingerprint, HostName, ParseError, Password,
    RemoteName,
};

use crate::entries::{Entry, number, put, put_number, value};
use crate::section::{Key, Schema, Section, SectionType, Unknown, ValueKind};
use crate::{ConfigDigest, ConfigDir, ConfigError, SectionFile, SyncJobs};

/// The port of a PBS.
const PORT_DEFAULT: u16 = 8007;

static FILE: SectionFile = SectionFile {
    name: "remote.cfg",
    lock: ".remote.lck",
    schema: Schema {
        types: &[SectionType {
            name: "remote",
            check_id: |id| id.parse::<RemoteName>().map(drop),
            keys: &[
                Key::required("auth-id", ValueKind::parsed::<AuthId>()),
                Key::optional("comment", ValueKind::parsed::<Comment>()),
                Key::optional("fingerprint", ValueKind::parsed::<CertificateFingerprint>()),
                Key::required("host", ValueKind::parsed::<HostName>()),
                // What is no base64 fails whoever uses the remote, not all others.
                Key::optional("password", ValueKind::Text(|_| Ok(()))),
                Key::optional("port", ValueKind::Integer { min: 0, max: u16::MAX as i64 }),
            ],
            check: |section| RemoteConfig::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        unknown_keys: Unknown::Keep,
    },
};

/// Another server, and how to log in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteConfig {
    /// What it is called here.
    pub name: RemoteName,
    /// Where it is.
    pub host: HostName,
    /// Its port, where it is not 8007.
    pub port: Option<u16>,
    /// As whom to log in: a user or a token.
    pub auth_id: AuthId,
    /// The password or the token's secret.
    pub password: StoredPassword,
    /// Its certificate, where no authority that the system trusts has signed it.
    pub fingerprint: Option<Fingerprint>,
    /// A comment.
    pub comment: Option<Comment>,
}

impl RemoteConfig {
    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(PORT_DEFAULT)
    }

    /// The password or the token's secret.
    pub fn password(&self) -> Result<Password, ConfigError> {
        self.password.decode().map_err(|reason| ConfigError::Invalid {
            kind: Self::KIND,
            name: self.name.to_string(),
            reason: format!("{reason} in {}; set it anew", FILE.name),
        })
    }

    /// Removes the one called `name`, which no sync job may use.
    pub fn remove(
        dir: &ConfigDir,
        name: &RemoteName,
        expected: Option<&ConfigDigest>,
    ) -> Result<(), ConfigError> {
        // Jobs that are made meanwhile wait for the same lock.
        FILE.update(dir, expected, |document| {
            let (jobs, _) = SyncJobs::new(dir).list()?;
            if let Some(job) = jobs.iter().find(|job| job.remote.as_ref() == Some(name)) {
                let reason = format!("sync job '{}' uses it; remove or change that first", job.id);
                let name = name.to_string();
                return Err(ConfigError::Invalid { kind: Self::KIND, name, reason });
            }
            let name = name.to_string();
            let removed = document.remove(&name).map(drop);
            removed.ok_or(ConfigError::NotFound { kind: Self::KIND, name })
        })
    }
}

/// A password as it stands in the file: base64, which hides it from a glance and from nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(Box<str>);

impl StoredPassword {
    fn decode(&self) -> Result<Password, &'static str> {
        let bytes = STANDARD.decode(&*self.0).map_err(|_| "its password is no base64")?;
        let text = String::from_utf8(bytes).map_err(|_| "its password is no text")?;
        text.parse().map_err(|_| "its password is empty or no line of text")
    }
}

impl From<&Password> for StoredPassword {
    fn from(password: &Password) -> Self {
        Self(STANDARD.encode(password.reveal()).into())
    }
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPassword(hidden)")
    }
}

impl Entry for RemoteConfig {
    const KIND: &'static str = "remote";
    const SECTION: &'static str = "remote";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &["comment", "fingerprint", "port"];
    type Name = RemoteName;

    fn name(&self) -> &RemoteName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let required = |key| section.get(key).unwrap_or_default();
        Ok(Self {
            name: section.id().parse()?,
            host: required("host").parse()?,
            port: number(section, "port"),
            auth_id: required("auth-id").parse()?,
            password: StoredPassword(section.get("password").unwrap_or_default().into()),
            fingerprint: value(section, "fingerprint")?,
            comment: value(section, "comment")?,
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "host", Some(&self.host));
        put(section, "auth-id", Some(&self.auth_id));
        put(section, "fingerprint", self.fingerprint.as_ref());
        put(section, "comment", self.comment.as_ref());
        put_number(section, "port", self.port);
        match &*self.password.0 {
            "" => section.unset("password"),
            text => section.set("password", [text]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::Remotes;

    use super::*;
    use crate::testing::{content_of, folder_with};

    /// `config.md` §11.1.
    const EXAMPLE: &str = "remote: pbs2\n\tauth-id sync@pam\n\tfingerprint 64:d3:ff:3a:50:38:53:5a:9b:f7:50:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:ab:fe\n\thost pbs2.example\n\tpassword U0VDUkVU\n";

    #[test]
    fn the_example_of_the_specification_is_read_and_written_so() {
        let (_folder, dir) = folder_with(&FILE, EXAMPLE);
        let (remotes, digest) = Remotes::new(&dir).list().unwrap();
        let expected = "546846fb8285e22f071a271ffe83bef7cad255ff53c6d4b51a973c152ac73781";
        assert_eq!(digest.to_string(), expected);
        let [remote] = &remotes[..] else { panic!("{remotes:?}") };
        assert_eq!((remote.port(), remote.password().unwrap().reveal()), (8007, "SECRET"));
        let (_other, other) = folder_with(&FILE, "");
        Remotes::new(&other).create(remote).unwrap();
        assert_eq!(content_of(&FILE, &other), EXAMPLE);
    }

    #[test]
    fn a_secret_shows_nowhere() {
        let (_folder, dir) = folder_with(&FILE, EXAMPLE);
        let said = format!("{:?}", Remotes::new(&dir).list().unwrap());
        assert!(!said.contains("SECRET") && !said.contains("U0VDUkVU"), "{said}");
    }

    #[test]
    fn a_password_that_is_no_base64_fails_its_remote_alone() {
        let (_folder, dir) = folder_with(&FILE, &EXAMPLE.replace("U0VDUkVU", "!"));
        let remote = Remotes::new(&dir).get(&"pbs2".parse().unwrap()).unwrap();
        let refused = remote.password().unwrap_err().to_string();
        assert!(refused.contains("remote 'pbs2'") && refused.contains("set it anew"), "{refused}");
    }

    #[test]
    fn keys_are_deleted_and_others_stay() {
        let (_folder, dir) = folder_with(&FILE, EXAMPLE);
        let name = "pbs2".parse().unwrap();
        let port = |remote: &mut RemoteConfig| {
            remote.port = Some(443);
            Ok(())
        };
        Remotes::new(&dir).update(&name, &["fingerprint"], None, port).unwrap();
        let expected = "remote: pbs2\n\tauth-id sync@pam\n\thost pbs2.example\n\tpassword U0VDUkVU\n\tport 443\n";
        assert_eq!(content_of(&FILE, &dir), expected);
        assert!(Remotes::new(&dir).update(&name, &["host"], None, port).is_err());
    }

    #[test]
    fn one_that_a_job_uses_stays() {
        let (folder, dir) = folder_with(&FILE, EXAMPLE);
        let job = "sync: j01\n\tremote pbs2\n\tremote-store a01\n\tstore b01\n";
        fs::write(folder.path().join("sync.cfg"), job).unwrap();
        let name = "pbs2".parse().unwrap();
        let refused = RemoteConfig::remove(&dir, &name, None).unwrap_err().to_string();
        assert!(refused.contains("sync job 'j01'"), "{refused}");
        fs::remove_file(folder.path().join("sync.cfg")).unwrap();
        RemoteConfig::remove(&dir, &name, None).unwrap();
        assert_eq!(content_of(&FILE, &dir), "");
    }
}
