//! The catalog of the medium in a drive: from the copies on the medium, or by reading all of it
//! (`tape-state.md` §11).

use reel_hw::TapeDrive;
use reel_hw::number::FileNumber;
use reel_hw::stream::{BlockReader, OpenedFile};
use reel_store::DataBlob;
use reel_types::{Digest, MediaId, StoreName, TaskContext};

use crate::archive::catalog::CatalogArchiveHeader;
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::encryption;
use crate::env::TapeEnv;
use crate::inventory::Inventory;
use crate::label::{MediaLabels, MediaSetLabel};
use crate::media_catalog::{self, RestoredCatalog};
use crate::medium::{Beginning, name_drive, read_header, read_labels};
use crate::pass::{OldCatalog, Sink, has_end, is_end_of_data, pass_over_medium};
use crate::snapshot_files::{KeptSnapshot, SnapshotOnSet};
use crate::state_dir::{LOCK_WAIT, Patience};
use crate::{Error, Result};

/// How to come by a catalog.
#[derive(Debug, Clone, Copy, Default)]
pub struct CatalogOptions {
    /// Replace a catalog that is there.
    pub force: bool,
    /// Read the whole medium, whatever catalogs are saved on it.
    pub scan: bool,
    /// Name each chunk in the log.
    pub verbose: bool,
}

/// Makes the catalog of the medium in the drive, and adds the medium to the inventory.
///
/// # Errors
/// An encrypted set whose key is not known: nothing is changed then.
/// [`Error::Unfinished`] where the medium is damaged; what could be read is in the catalog.
pub fn restore_catalog(
    env: &TapeEnv,
    hold: &mut DriveHold,
    options: CatalogOptions,
    task: &dyn TaskContext,
) -> Result<()> {
    let Beginning::Labelled(labels) = read_labels(hold)? else {
        return Err(Error::MediumBlank);
    };
    log_labels(&labels, task)?;
    // Nothing is given up for an inventory that can't be written afterwards.
    env.inventory.load()?;
    let Some(set_label) = labels.assigned_set() else {
        task.log("media is empty");
        media_catalog::destroy(&env.state, labels.label.uuid)?;
        return store(env, &labels);
    };
    encryption::unlock(env, hold, set_label, task)?;
    let _pool = env.state.lock_pool(&set_label.pool, Patience::of_task(task))?;
    let _set = env.state.lock_media_set(set_label.uuid, Patience::of_task(task))?;
    match media_catalog::destroy_unrelated(&env.state, &labels) {
        // The one that is there is to be replaced, however broken it is.
        Err(error) if options.force => task.log(&format!("replacing a catalog: {error}")),
        related => related?,
    }
    store(env, &labels)?;
    env.reached("catalog: inventory stored");
    if media_catalog::exists(&env.state, labels.label.uuid) && !options.force {
        let text = "media catalog exists (please use --force to overwrite)";
        return Err(Error::CatalogExists(text.into()));
    }
    if !options.scan {
        if restore_saved(env, hold, &labels, set_label, task)? {
            return Ok(());
        }
        task.log("no catalog found");
    }
    scan(env, hold, options, task)
}

fn log_labels(labels: &MediaLabels, task: &dyn TaskContext) -> Result<()> {
    let shown = MediaLabels {
        label: labels.label.clone(),
        media_set_label: labels.media_set_label.as_ref().map(MediaSetLabel::without_key_config),
    };
    let json = serde_json::to_value(&shown)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .map_err(|source| Error::Json { what: "media label".into(), source })?;
    task.log(&format!("found media label: {json}"));
    Ok(())
}

fn store(env: &TapeEnv, labels: &MediaLabels) -> Result<()> {
    env.inventory.update(LOCK_WAIT, |inventory| {
        inventory.store(labels.clone(), false);
        Ok(())
    })
}

fn scan(
    env: &TapeEnv,
    hold: &mut DriveHold,
    options: CatalogOptions,
    task: &dyn TaskContext,
) -> Result<()> {
    task.log("scanning entire media to reconstruct catalog");
    let Beginning::Labelled(labels) = read_labels(hold)? else {
        return Err(Error::MediumBlank);
    };
    let set_label = labels.assigned_set().ok_or(Error::MediumBlank)?;
    encryption::unlock(env, hold, set_label, task)?;
    let mut lister = Lister { verbose: options.verbose, task };
    let outcome = pass_over_medium(env, hold, &labels, OldCatalog::Replace, &mut lister, task)?;
    match outcome.damage.len() {
        0 => Ok(()),
        count => Err(Error::Unfinished(format!(
            "media '{}' is damaged in {count} places (see the log); the catalog has what could be read",
            labels.label.label_text
        ))),
    }
}

/// Only names chunks.
struct Lister<'a> {
    verbose: bool,
    task: &'a dyn TaskContext,
}

impl Sink for Lister<'_> {
    fn wants(&self, _store: &StoreName) -> bool {
        true
    }

    fn needs_data(&self) -> bool {
        false
    }

    fn chunk(
        &mut self,
        _store: &StoreName,
        digest: &Digest,
        _blob: Option<DataBlob>,
    ) -> Result<()> {
        if self.verbose {
            self.task.log(&format!("Found chunk: {digest}"));
        }
        Ok(())
    }

    fn end_of_chunks(&mut self, _store: &StoreName) -> Result<()> {
        Ok(())
    }

    fn snapshot(&mut self, _snapshot: &SnapshotOnSet, _files: &KeptSnapshot) -> Result<()> {
        Ok(())
    }
}

/// Takes the catalogs that are saved at the beginning and at the end of the medium. Whether its own is among them.
pub(crate) fn restore_saved(
    env: &TapeEnv,
    hold: &mut DriveHold,
    labels: &MediaLabels,
    set_label: &MediaSetLabel,
    task: &dyn TaskContext,
) -> Result<bool> {
    hold.set_state(DriveState::Reading);
    let inventory = env.inventory.load()?;
    let search = Search { env, task, inventory, labels, set_label };
    let found = search.run(hold.drive());
    found.map_err(|error| name_drive(hold, error))
}

struct Search<'a> {
    env: &'a TapeEnv,
    task: &'a dyn TaskContext,
    inventory: Inventory,
    labels: &'a MediaLabels,
    set_label: &'a MediaSetLabel,
}

/// What a file of the medium is to the search.
enum Found {
    OwnCatalog,
    OtherCatalog,
    NoCatalog,
    End,
}

impl Search<'_> {
    fn run(&self, drive: &mut dyn TapeDrive) -> Result<bool> {
        let (mut found_own, mut jumped) = (false, false);
        loop {
            self.task.check()?;
            let file = drive.position()?.file;
            let found = match self.look_at_file(drive, file) {
                // A killed writer leaves a file without a filemark: it does not count, and nothing is behind it.
                Err(error) if is_end_of_data(&error) => Found::End,
                looked => looked?,
            };
            match found {
                Found::OwnCatalog => found_own = true,
                Found::OtherCatalog => {}
                Found::End => {
                    self.task.log(&format!("detected EOT after {file} files"));
                    return Ok(found_own);
                }
                Found::NoCatalog if jumped => return Ok(found_own),
                Found::NoCatalog => {
                    jumped = true;
                    self.task.log("searching for catalog at EOT (moving to EOT)");
                    if !go_to_last_file(drive, file)? {
                        return Ok(found_own);
                    }
                }
            }
        }
    }

    fn look_at_file(&self, drive: &mut dyn TapeDrive, file: FileNumber) -> Result<Found> {
        let mut reader = match BlockReader::open(drive)? {
            OpenedFile::EndOfStream => return Ok(Found::End),
            OpenedFile::EndOfFile => return Ok(Found::NoCatalog),
            OpenedFile::Data(reader) => reader,
        };
        let header = read_header(&mut reader)?;
        let kind = ContentKind::from_magic(header.content_magic.0);
        if !matches!(
            kind,
            Some(ContentKind::CatalogArchive | ContentKind::CatalogArchiveWithNamespaces)
        ) {
            return Ok(Found::NoCatalog);
        }
        let catalog = CatalogArchiveHeader::read(header.size, &mut reader)?;
        if !self.is_wanted(&catalog, file)? {
            reader.skip_data()?;
            return Ok(Found::OtherCatalog);
        }
        self.take(&mut reader, &catalog, file)
    }

    fn is_wanted(&self, catalog: &CatalogArchiveHeader, file: FileNumber) -> Result<bool> {
        let uuid = catalog.uuid;
        if catalog.media_set_uuid != self.set_label.uuid {
            self.task.log(&format!("skipping unrelated catalog at pos {file}"));
            return Ok(false);
        }
        if uuid == self.labels.label.uuid {
            return Ok(true);
        }
        if !self.is_member(uuid)? {
            self.task.log(&format!("skip catalog because media '{uuid}' not inventarized"));
            return Ok(false);
        }
        if media_catalog::exists(&self.env.state, uuid) {
            self.task.log(&format!("catalog for media '{uuid}' already exists"));
            return Ok(false);
        }
        Ok(true)
    }

    fn is_member(&self, uuid: MediaId) -> Result<bool> {
        Ok(self.inventory.set_members(self.set_label.uuid)?.seq_nr_of(uuid).is_some())
    }

    fn take(
        &self,
        reader: &mut BlockReader<'_, dyn TapeDrive + '_>,
        catalog: &CatalogArchiveHeader,
        file: FileNumber,
    ) -> Result<Found> {
        self.task.log(&format!("found catalog at pos {file}"));
        let own = catalog.uuid == self.labels.label.uuid;
        let received = RestoredCatalog::receive(&self.env.state, catalog, &mut *reader);
        let whole = match &received {
            Err(error) if is_end_of_data(error) => false,
            _ => has_end(reader)? && !reader.is_incomplete()?,
        };
        match received {
            Ok(restored) if whole => {
                restored.keep()?;
                self.env.reached("catalog: restored");
            }
            given_up => {
                self.env.state.remove(&self.env.state.catalog_being_built(catalog.uuid))?;
                match given_up {
                    Err(error) if whole => {
                        self.task.warn(&format!("the catalog at pos {file} is unusable: {error}"));
                    }
                    _ => self.task.log(&format!("skip incomplete catalog at pos {file}")),
                }
                return Ok(Found::OtherCatalog);
            }
        }
        if own {
            self.task.log("successfully restored catalog");
            return Ok(Found::OwnCatalog);
        }
        self.task.log(&format!("successfully restored related catalog {}", catalog.uuid));
        Ok(Found::OtherCatalog)
    }
}

/// Goes to the last file of the medium, if that is behind file `current`.
fn go_to_last_file(drive: &mut dyn TapeDrive, current: FileNumber) -> Result<bool> {
    drive.space_to_end_of_data()?;
    let end = drive.position()?.file.0;
    if end == 0 || end - 1 <= current.0 {
        return Ok(false);
    }
    drive.locate_file(FileNumber(end - 1))?;
    Ok(true)
}
