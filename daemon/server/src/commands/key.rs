//! Tape keys (`cli-tape.md` §9): made, listed, printed, restored.
//!
//! A passphrase comes with the call or from a file that only its owner can read, and is gone with the command. The keys
//! stay in the two files, which are read anew for each use.

use reel_config::{
    ConfigError, Existing, Kdf as KdfInfo, Pools, SecretKey, TapeKeyEdits, TapeKeyInfo, WrappedKey,
    WrappedKeys,
};
use reel_store::key::{KdfKind, KeyFile, KeyRandomness, KeyTime, Protection};
use reel_store::{CryptConfig, FormatError};
use reel_tape::ops::read_and_store_labels;
use reel_types::commands::results::{NewTapeKey, PaperKey, TapeKeyEntry};
use reel_types::commands::{
    KeyChangePassphrase, KeyCreate, KeyKdf, KeyPaperkey, KeyRemove, KeyRestore, KeyShow, LocalPath,
    PaperFormat,
};
use reel_types::{AuthId, Cancel, DriveName, Fingerprint, Passphrase, PasswordHint};
use zeroize::Zeroizing;

use super::drive::DRIVE_WAIT;
use super::paper::{self, page, text_of_paper};
use super::secrets::{first_line, read_secret};
use super::{Done, config_digest};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn key_create(&self, command: &KeyCreate, who: &AuthId) -> Outcome<Done> {
        let passphrase = given(&command.passphrase, &command.passphrase_file, who)?;
        let (crypt, now) = (CryptConfig::generate()?, self.key_time()?);
        let hint = Some(command.hint.as_str());
        let file = protect(&crypt, command.kdf, &required(passphrase)?, hint, now, now)?;
        self.store_key(&crypt, &file, Existing::Refused)?;
        Done::data(NewTapeKey { fingerprint: crypt.fingerprint() })
    }

    pub(super) fn key_list(&self) -> Outcome<Done> {
        Done::data(self.tape_key_entries()?)
    }

    /// What may be told of all tape keys.
    pub(crate) fn tape_key_entries(&self) -> Outcome<Vec<TapeKeyEntry>> {
        Ok(WrappedKeys::load(&self.config)?.infos().map(entry).collect())
    }

    pub(super) fn key_show(&self, command: &KeyShow) -> Outcome<Done> {
        let keys = WrappedKeys::load(&self.config)?;
        Done::data(entry(&keys.require(&command.fingerprint)?.0))
    }

    pub(super) fn key_change_passphrase(
        &self,
        command: &KeyChangePassphrase,
        who: &AuthId,
    ) -> Outcome<Done> {
        let keys = WrappedKeys::load(&self.config)?;
        let (_, wrapped) = keys.require(&command.fingerprint)?;
        let former = KeyFile::parse(wrapped.as_json().to_string().as_bytes())?;
        let crypt = self.unlocked(command, &former, who)?;
        let passphrase = given(&command.new_passphrase, &command.new_passphrase_file, who)?;
        let hint = command.hint.as_ref().map(PasswordHint::as_str).or(former.hint());
        let (created, now) = (former.created(), self.key_time()?);
        let file = protect(&crypt, command.kdf, &required(passphrase)?, hint, created, now)?;
        let (info, wrapped) = parts(&file)?;
        self.key_edits().rewrap(info, wrapped, keys.digest())?;
        Done::nothing()
    }

    /// The key whose passphrase is changed: by the current one, or by force from the file of keys.
    fn unlocked(
        &self,
        command: &KeyChangePassphrase,
        former: &KeyFile,
        who: &AuthId,
    ) -> Outcome<CryptConfig> {
        let current = given(&command.passphrase, &command.passphrase_file, who)?;
        match (command.force, current) {
            (true, Some(_)) => {
                Err(Failure::invalid("give the current passphrase or --force, not both"))
            }
            (true, None) => {
                let key = self.tape.keys.key(&command.fingerprint)?;
                Ok(CryptConfig::from_slice(key.as_bytes())?)
            }
            (false, current) => unlock(former, &current),
        }
    }

    pub(super) fn key_paperkey(&self, command: &KeyPaperkey) -> Outcome<Done> {
        let format = command.output_format.unwrap_or(PaperFormat::Html);
        let subject = command.subject.as_ref().map(|subject| subject.as_str());
        Done::data(PaperKey { document: self.paper_key(&command.fingerprint, subject, format)? })
    }

    /// A tape key, protected by its passphrase, for paper.
    pub(crate) fn paper_key(
        &self,
        fingerprint: &Fingerprint,
        subject: Option<&str>,
        format: PaperFormat,
    ) -> Outcome<String> {
        let keys = WrappedKeys::load(&self.config)?;
        let (info, wrapped) = keys.require(fingerprint)?;
        if info.kdf == KdfInfo::None {
            let reason = format!(
                "tape key '{}' has no passphrase: on paper it would be open to everybody; give it one with 'key change-passphrase --force'",
                fingerprint.short()
            );
            return Err(Failure::new(nix::libc::EKEYREJECTED, reason));
        }
        match format {
            PaperFormat::Html => page(wrapped, subject),
            PaperFormat::Text => paper::text(wrapped, subject),
        }
    }

    pub(super) fn key_remove(&self, command: &KeyRemove) -> Outcome<Done> {
        if !command.force {
            self.refuse_needed_key(&command.fingerprint)?;
        }
        let digest = config_digest(command.digest.as_ref())?;
        self.key_edits().remove(&command.fingerprint, digest)?;
        Done::nothing()
    }

    /// Refuses a key that a pool writes with, or that a known media set was written with.
    fn refuse_needed_key(&self, fingerprint: &Fingerprint) -> Outcome<()> {
        let refuse = |user: String| {
            let short = fingerprint.short();
            let text = format!(
                "tape key '{short}' is needed by {user}; without it those tapes can't be read. Print it first ('key paperkey'), or remove it with --force"
            );
            Err(Failure::new(nix::libc::EBUSY, text))
        };
        let pools = Pools::new(&self.config).list()?.0;
        if let Some(pool) = pools.iter().find(|pool| pool.encrypt == Some(*fingerprint)) {
            return refuse(format!("pool '{}'", pool.name));
        }
        let inventory = self.tape.inventory.load()?;
        let labels = inventory.iter().filter_map(|medium| medium.assigned_set());
        let mut written =
            labels.filter(|label| label.encryption_key_fingerprint == Some(*fingerprint));
        match written.next() {
            Some(label) => refuse(format!("media set {} of pool '{}'", label.uuid, label.pool)),
            None => Ok(()),
        }
    }

    pub(super) fn key_restore(&self, command: &KeyRestore, who: &AuthId) -> Outcome<Done> {
        let passphrase = given(&command.passphrase, &command.passphrase_file, who)?;
        let (text, existing) = match (&command.drive, &command.key, &command.key_file) {
            (drive, None, None) => (self.key_on_tape(drive.as_ref())?, Existing::Replaced),
            (None, Some(key), None) => (text_of_paper(key.as_str()), Existing::Refused),
            (None, None, Some(file)) => {
                let content = read_secret(file.as_path(), who)?;
                (text_of_paper(&String::from_utf8_lossy(&content)), Existing::Refused)
            }
            _ => {
                let text = "give only one of --drive, --key and --key-file";
                return Err(Failure::invalid(text));
            }
        };
        let file = KeyFile::parse(text.as_bytes())?;
        let crypt = unlock(&file, &passphrase)?;
        let file = match (file.kdf(), file.fingerprint()) {
            (Some(_), Some(_)) => file,
            // The file of protected keys may be read by others than the superuser, and names each key.
            _ => {
                let (created, modified) = (file.created(), file.modified());
                protect(&crypt, None, &required(passphrase)?, file.hint(), created, modified)?
            }
        };
        self.store_key(&crypt, &file, existing)?;
        Done::nothing()
    }

    /// The protected key in the label of the medium in a drive.
    fn key_on_tape(&self, drive: Option<&DriveName>) -> Outcome<Zeroizing<String>> {
        let desk = self.drives.chosen(drive)?;
        let mut hold = desk.hold("restore key", DRIVE_WAIT, &Cancel::new())?;
        let labels = read_and_store_labels(&self.tape, &mut hold, false)?;
        let config = labels.media_set_label.as_ref().and_then(|label| label.key_config.as_ref());
        let config = config.ok_or_else(|| {
            let label = &labels.label.label_text;
            let text = format!(
                "there is no key on medium '{label}': it belongs to no encrypted media set"
            );
            Failure::new(nix::libc::ENOKEY, text)
        })?;
        Ok(Zeroizing::new(config.as_value().to_string()))
    }

    fn key_edits(&self) -> TapeKeyEdits<'_> {
        TapeKeyEdits::new(&self.config, &*self.tape.commit_points)
    }

    fn store_key(&self, crypt: &CryptConfig, file: &KeyFile, existing: Existing) -> Outcome<()> {
        let (info, wrapped) = parts(file)?;
        let key = SecretKey::new(crypt.enc_key());
        self.key_edits().insert(&key, info, wrapped, existing).map_err(|error| match error {
            ConfigError::Exists { .. } => {
                let text =
                    format!("{error}; to change its passphrase, use 'key change-passphrase'");
                Failure::new(error.errno(), text)
            }
            other => other.into(),
        })
    }

    fn key_time(&self) -> Outcome<KeyTime> {
        Ok(KeyTime::at(self.clock.now(), &self.zone)?)
    }
}

/// The passphrase that was given, itself or by the name of a file.
fn given(
    passphrase: &Option<Passphrase>,
    file: &Option<LocalPath>,
    who: &AuthId,
) -> Outcome<Option<Passphrase>> {
    match (passphrase, file) {
        (Some(_), Some(_)) => Err(Failure::invalid("give the passphrase or a file, not both")),
        (None, Some(file)) => {
            let line = first_line(file.as_path(), who)?;
            let line = std::str::from_utf8(&line)
                .map_err(|_| Failure::invalid("the passphrase in the file is no text"))?;
            Ok(Some(line.parse()?))
        }
        (given, None) => Ok(given.clone()),
    }
}

fn required(passphrase: Option<Passphrase>) -> Outcome<Passphrase> {
    passphrase.ok_or_else(|| {
        Failure::invalid("a passphrase is needed: put it into a file and name that by passphrase-file (a new one by new-passphrase-file)")
    })
}

fn unlock(file: &KeyFile, passphrase: &Option<Passphrase>) -> Outcome<CryptConfig> {
    let opened = file.unlock(|| match passphrase {
        Some(passphrase) => Ok(passphrase.reveal().as_bytes().to_vec()),
        None => Err(std::io::Error::other(
            "none was given: put it into a file and name that by passphrase-file",
        )),
    });
    opened.map_err(|error| match &error {
        FormatError::WrongPassphrase { .. } => {
            Failure::new(nix::libc::EKEYREJECTED, error.to_string())
        }
        _ => error.into(),
    })
}

fn protect(
    crypt: &CryptConfig,
    kdf: Option<KeyKdf>,
    passphrase: &Passphrase,
    hint: Option<&str>,
    created: KeyTime,
    modified: KeyTime,
) -> Outcome<KeyFile> {
    let kdf = match kdf {
        None | Some(KeyKdf::Scrypt) => KdfKind::Scrypt,
        Some(KeyKdf::Pbkdf2) => KdfKind::Pbkdf2,
    };
    let protection = Protection { kdf, passphrase: passphrase.reveal().as_bytes(), hint };
    let randomness = KeyRandomness::fresh()?;
    Ok(KeyFile::protected(crypt, &protection, created, modified, &randomness)?)
}

/// A key file as the file of protected keys has it.
fn parts(file: &KeyFile) -> Outcome<(TapeKeyInfo, WrappedKey)> {
    WrappedKey::parse(&file.to_json()?).map_err(Failure::invalid)
}

fn entry(info: &TapeKeyInfo) -> TapeKeyEntry {
    let kdf = match info.kdf {
        KdfInfo::None => "none",
        KdfInfo::Scrypt { .. } => "scrypt",
        KdfInfo::Pbkdf2 { .. } => "pbkdf2",
    };
    TapeKeyEntry {
        created: info.created,
        fingerprint: info.fingerprint,
        hint: info.hint.clone(),
        kdf: kdf.into(),
        modified: info.modified,
    }
}
