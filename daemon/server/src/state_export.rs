//! The state in one file: what a new machine needs to know what the tapes of the old one hold (docs/total-loss.md).
//!
//! An archive that `tar` unpacks: `config/` with the files of the configuration that hold no secret, the texts of mails,
//! and the tape keys as their passphrases protect them; `state/` with the inventory and the catalogs. The keys
//! themselves, client keys, passwords, hashes of passwords, secrets of tokens and remotes, whose passwords stand in their
//! file, stay out.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::libc;
use reel_config::{
    ConfigDigest, ConfigDir, Kdf, Remotes, TapeKeyInfo, TapeKeys, WrappedKey, WrappedKeys,
};
use reel_tape::TapeEnv;
use reel_tape::inventory::InventoryEntry;
use reel_tape::media_catalog::whole_part;
use reel_types::TaskContext;
use tempfile::NamedTempFile;

use crate::failure::{Failure, Outcome};
use crate::notifications::TEMPLATES;
use crate::tasks::Task;

/// Files of the configuration without a secret.
const CONFIG_FILES: [&str; 15] = [
    "acl.cfg",
    "datastore.cfg",
    "domains.cfg",
    "media-pool.cfg",
    "media-verify.cfg",
    "notifications.cfg",
    "prune.cfg",
    "reelfs-pool.cfg",
    "reelfs.cfg",
    "sync.cfg",
    "tape-job.cfg",
    "tape.cfg",
    "traffic-control.cfg",
    "user.cfg",
    "verification.cfg",
];

/// Tasks that change what is known of tapes: verifications mark what is damaged.
const JOBS: [&str; 12] = [
    "tape-backup",
    "tape-backup-job",
    "tape-restore",
    "label-media",
    "barcode-label-media",
    "format-media",
    "catalog-media",
    "inventory-update",
    "verify-media",
    "media-verify-job",
    "media-set-export",
    "vault-move",
];

/// Speed before size: it is written after each job.
const COMPRESSION: i32 = 3;

/// Writes the state of a daemon into one file.
pub(crate) struct StateExport {
    config: ConfigDir,
    tape: Arc<TapeEnv>,
    after_jobs: Option<PathBuf>,
    /// Held by who writes: jobs may end at the same time.
    turn: Mutex<()>,
}

impl StateExport {
    /// That of the configuration and the tapes' state; into the file `after_jobs` after each job.
    pub(crate) fn new(config: ConfigDir, tape: Arc<TapeEnv>, after_jobs: Option<PathBuf>) -> Self {
        Self { config, tape, after_jobs, turn: Mutex::default() }
    }

    /// A task has ended; a failure to write is a warning in its log.
    pub(crate) fn after(&self, task: &Task) {
        let is_job = JOBS.contains(&&*task.upid().parts().worker_type);
        let Some(target) = self.after_jobs.as_ref().filter(|_| is_job) else { return };
        match self.write(target) {
            Ok(()) => task.log(&format!("exported the state to '{}'", target.display())),
            Err(failure) => task.warn(&failure.message),
        }
    }

    /// Writes the file whole, or leaves the one that is there.
    pub(crate) fn write(&self, target: &Path) -> Outcome<()> {
        let tried = |error: io::Error| {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            Failure::new(errno, format!("export the state to '{}': {error}", target.display()))
        };
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = target.parent().unwrap_or(Path::new("/"));
        let mut temporary = file_to_replace(target, folder).map_err(tried)?;
        self.fill(temporary.as_file_mut(), &tried)?;
        temporary.as_file().sync_all().map_err(tried)?;
        self.tape.commit_points.reached("state: written");
        temporary.persist(target).map_err(|error| tried(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(tried)?;
        self.tape.commit_points.reached("state: replaced");
        Ok(())
    }

    fn fill(&self, file: &mut File, tried: &impl Fn(io::Error) -> Failure) -> Outcome<()> {
        let mut packed = zstd::Encoder::new(file, COMPRESSION).map_err(tried)?;
        packed.include_checksum(true).map_err(tried)?;
        let mut archive = Archive { tar: tar::Builder::new(packed), time: self.tape.clock.now() };
        archive.add_bytes("README", self.readme()?.as_bytes()).map_err(tried)?;
        for name in CONFIG_FILES {
            let content = self.config.read(name)?;
            if !content.is_empty() {
                archive.add_bytes(&format!("config/{name}"), &content).map_err(tried)?;
            }
        }
        add_templates(&self.config, &mut archive).map_err(tried)?;
        let keys = self.protected_keys()?;
        archive
            .add_bytes(&format!("config/{}", TapeKeys::CONFIG_FILE), keys.as_bytes())
            .map_err(tried)?;
        self.add_tapes(&mut archive, tried)?;
        let packed = archive.tar.into_inner().map_err(tried)?;
        packed.finish().map_err(tried)?.flush().map_err(tried)
    }

    /// The inventory last: a catalog that it doesn't know of is passed over, one that is missing would be missed.
    fn add_tapes<W: Write>(
        &self,
        archive: &mut Archive<W>,
        tried: &impl Fn(io::Error) -> Failure,
    ) -> Outcome<()> {
        let inventory = self.tape.inventory.load()?;
        let content = match fs::read(self.tape.state.inventory()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => b"[]".to_vec(),
            read => read.map_err(tried)?,
        };
        for medium in inventory.iter().map(InventoryEntry::uuid) {
            let Some((catalog, length)) = whole_part(&self.tape.state, medium)? else { continue };
            let name = format!("state/tape/{medium}.log");
            archive.add(&name, catalog.take(length), length).map_err(tried)?;
        }
        archive.add_bytes("state/tape/inventory.json", &content).map_err(tried)
    }

    /// The file of protected keys, without those that have no passphrase.
    fn protected_keys(&self) -> Outcome<String> {
        let keys = WrappedKeys::load(&self.config)?;
        let is_protected = |info: &&TapeKeyInfo| info.kdf != Kdf::None;
        let fingerprints = keys.infos().filter(is_protected).map(|info| info.fingerprint);
        let protected: Vec<_> =
            fingerprints.filter_map(|fingerprint| keys.get(&fingerprint)).collect();
        Ok(WrappedKey::list_text(protected.into_iter().map(|(_, wrapped)| wrapped)))
    }

    fn readme(&self) -> Outcome<String> {
        let remotes = Remotes::new(&self.config).list()?.0;
        let lines: String = remotes
            .iter()
            .map(|remote| format!("  {} at {} as {}\n", remote.name, remote.host, remote.auth_id))
            .collect();
        Ok(format!("{README}{}", if lines.is_empty() { "  none\n" } else { &lines }))
    }
}

/// The operator's own texts of mails.
fn add_templates<W: Write>(config: &ConfigDir, archive: &mut Archive<W>) -> io::Result<()> {
    let folder = match fs::read_dir(config.file(TEMPLATES)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    for entry in folder {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.ends_with(".txt")) else { continue };
        if fs::metadata(entry.path())?.is_file() {
            let content = fs::read(entry.path())?;
            archive.add_bytes(&format!("config/{TEMPLATES}/{name}"), &content)?;
        }
    }
    Ok(())
}

/// A new file beside `target`. Its name is always the same, so that what a killed process left of one goes, and of one
/// length, since that of `target` may be as long as a name can be.
fn file_to_replace(target: &Path, folder: &Path) -> io::Result<NamedTempFile> {
    let target = target.file_name().unwrap_or_default().as_bytes();
    let name = format!(".reelfs-state.{}", ConfigDigest::of(target));
    match fs::remove_file(folder.join(&name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => tempfile::Builder::new().prefix(&name).rand_bytes(0).tempfile_in(folder),
    }
}

const README: &str = "\
State of a reelfs daemon. Unpack it on a machine where reeld does not run yet:

  tar --zstd -xf FILE -C /etc/reelfs --strip-components=1 config
  tar --zstd -xf FILE -C /var/lib/reelfs --strip-components=1 state

Tape keys are protected by their passphrases: 'reelctl key restore' gets each from a tape or from paper.
Passwords are not in here. Users of the realm 'pbs' need new ones, tokens new secrets, and these remotes must be
created anew:
";

struct Archive<W: Write> {
    tar: tar::Builder<W>,
    time: i64,
}

impl<W: Write> Archive<W> {
    fn add_bytes(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.add(name, content, content.len() as u64)
    }

    fn add(&mut self, name: &str, content: impl Read, length: u64) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o640);
        header.set_mtime(u64::try_from(self.time).unwrap_or_default());
        self.tar.append_data(&mut header, name, content)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What holds a secret, and the keys, of which the part that a passphrase protects is exported.
    const SECRET: [&str; 4] =
        ["remote.cfg", "shadow.json", "token.shadow", "tape-encryption-keys.json"];

    /// The names of files that the sources of the configuration have in quotes, those of tests aside.
    fn named_in_sources(folder: &Path) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names.extend(named_in_sources(&path));
            } else if !path.ends_with("tests.rs") {
                let source = fs::read_to_string(&path).unwrap();
                let program = source.split("#[cfg(test)]").next().unwrap_or_default();
                let quoted = program.split('"').filter(|text| is_config_name(text));
                names.extend(quoted.map(ToOwned::to_owned));
            }
        }
        names
    }

    fn is_config_name(text: &str) -> bool {
        let (stem, end) = text.rsplit_once('.').unwrap_or_default();
        let is_stem = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !stem.is_empty() && stem.bytes().all(is_stem) && ["cfg", "json", "shadow"].contains(&end)
    }

    #[test]
    fn every_file_of_the_configuration_is_exported_or_secret() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/src");
        let names = named_in_sources(&sources);
        assert!(names.len() > 12, "{names:?}");
        for name in names {
            let exported = CONFIG_FILES.contains(&&*name) || name == TapeKeys::CONFIG_FILE;
            assert!(exported != SECRET.contains(&&*name), "{name}");
        }
    }

    #[test]
    fn a_name_of_any_length_has_another_one_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x".repeat(255));
        let beside = file_to_replace(&target, folder.path()).unwrap();
        let path = beside.path().to_owned();
        assert_ne!(path, target);
        // As a killed process leaves it.
        std::mem::forget(beside);
        assert_eq!(file_to_replace(&target, folder.path()).unwrap().path(), path);
        let other = file_to_replace(&folder.path().join("y"), folder.path()).unwrap();
        assert_ne!(other.path(), path);
    }

    #[test]
    fn texts_of_mails_are_exported_and_nothing_else_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let config = ConfigDir::new(folder.path());
        let exported = || {
            let mut archive = Archive { tar: tar::Builder::new(Vec::new()), time: 0 };
            add_templates(&config, &mut archive).unwrap();
            let packed = archive.tar.into_inner().unwrap();
            let mut archive = tar::Archive::new(&*packed);
            let mut names = Vec::new();
            for entry in archive.entries().unwrap() {
                names.push(entry.unwrap().path().unwrap().display().to_string());
            }
            names
        };
        assert!(exported().is_empty(), "there is no such folder");
        let templates = config.file(TEMPLATES);
        fs::create_dir_all(templates.join("folder.txt")).unwrap();
        fs::write(templates.join("tape-load.txt"), "bring {{label}}").unwrap();
        fs::write(templates.join("tape-load.txt~"), "older").unwrap();
        assert_eq!(exported(), ["config/notification-templates/tape-load.txt"]);
    }
}
