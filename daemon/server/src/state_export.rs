//! The state in one file: what a new machine needs to know what the tapes of the old one hold (docs/total-loss.md).
//!
//! An archive that `tar` unpacks: `config/` with the files of the configuration that hold no secret, and the tape keys as
//! their passphrases protect them; `state/` with the inventory and the catalogs. The keys themselves, client keys,
//! passwords, hashes of passwords, secrets of tokens and remotes, whose passwords stand in their file, stay out.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::libc;
use reel_config::{ConfigDir, Kdf, Remotes, TapeKeyInfo, TapeKeys, WrappedKey, WrappedKeys};
use reel_tape::TapeEnv;
use reel_tape::inventory::InventoryEntry;
use reel_tape::media_catalog::whole_part;
use reel_types::TaskContext;
use tempfile::NamedTempFile;

use crate::failure::{Failure, Outcome};

/// Files of the configuration without a secret.
const CONFIG_FILES: [&str; 13] = [
    "acl.cfg",
    "datastore.cfg",
    "domains.cfg",
    "media-pool.cfg",
    "notifications.cfg",
    "prune.cfg",
    "reelfs.cfg",
    "sync.cfg",
    "tape-job.cfg",
    "tape.cfg",
    "traffic-control.cfg",
    "user.cfg",
    "verification.cfg",
];

/// Tasks that change what is known of tapes.
const JOBS: [&str; 8] = [
    "tape-backup",
    "tape-backup-job",
    "tape-restore",
    "label-media",
    "barcode-label-media",
    "format-media",
    "catalog-media",
    "inventory-update",
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
    pub(crate) fn after(&self, kind: &str, task: &dyn TaskContext) {
        let Some(target) = self.after_jobs.as_ref().filter(|_| JOBS.contains(&kind)) else {
            return;
        };
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

/// A new file beside `target`. Its name is always the same, so that what a killed process left of one goes.
fn file_to_replace(target: &Path, folder: &Path) -> io::Result<NamedTempFile> {
    let mut name = OsString::from(".reelfs-state.");
    name.push(target.file_name().unwrap_or_default());
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
