//! Writes archives to the media of a pool: one medium after the other, as each takes no more.
//!
//! A medium is chosen before it is loaded, and loaded only when something is to be written
//! (`tape-format.md` §10). What was written counts when the drive has flushed it: then, in this order, our
//! index of places and PBS's catalog are committed, so that neither ever claims what a power cut could take.

use std::fs::{File, Metadata};
use std::io::Seek;
use std::os::unix::fs::MetadataExt;

use reel_hw::drive::move_to_append_position;
use reel_store::datastore::SnapshotReader;
use reel_store::pxar::FileStat;
use reel_types::{ArchiveName, Digest, MediaId, MediaStatus, SnapshotPath, StoreName, TaskContext};
use uuid::Uuid;

use super::archives::{
    ArchiveStart, ChunkArchive, Written, copy_exactly, write_chunk_archive, write_whole_archive,
};
use super::chunk_feed::ChunkFeed;
use crate::archive::catalog::CatalogArchiveHeader;
use crate::archive::chunk::ChunkArchiveHeader;
use crate::archive::snapshot::{SnapshotArchiveHeader, SnapshotArchiveWriter};
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::env::TapeEnv;
use crate::label::{MediaLabels, MediaSetLabel};
use crate::media_catalog::MediaCatalog;
use crate::medium::{self, name_drive};
use crate::places::PlaceLearner;
use crate::pool::{MediaPool, WritableMedium};
use crate::snapshot_files::{FillingSnapshot, SnapshotOnSet};
use crate::{Error, Result};

/// So much may be written before it is flushed and committed (`tape-format.md` §1).
const COMMIT_BYTES: u64 = 128 << 30;

/// The medium that is being written.
struct LoadedMedium {
    labels: MediaLabels,
    set_label: MediaSetLabel,
    catalog: MediaCatalog,
    places: PlaceLearner,
    bytes_since_commit: u64,
}

/// Writes to a pool's current media set through one drive.
pub(super) struct PoolWriter<'a> {
    env: &'a TapeEnv,
    hold: &'a mut DriveHold,
    task: &'a dyn TaskContext,
    pool: MediaPool,
    loaded: Option<LoadedMedium>,
    /// Files of snapshots that are on tape and not yet committed.
    uncommitted: Vec<FillingSnapshot>,
    may_have_namespaces: bool,
    used: Vec<MediaId>,
}

/// How many chunks of a snapshot were written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ChunkCount {
    pub(super) chunks: u64,
    pub(super) bytes: u64,
}

impl<'a> PoolWriter<'a> {
    pub(super) fn new(
        env: &'a TapeEnv,
        hold: &'a mut DriveHold,
        task: &'a dyn TaskContext,
        pool: MediaPool,
        may_have_namespaces: bool,
    ) -> Self {
        Self {
            env,
            hold,
            task,
            pool,
            loaded: None,
            uncommitted: Vec::new(),
            may_have_namespaces,
            used: Vec::new(),
        }
    }

    pub(super) fn pool(&self) -> &MediaPool {
        &self.pool
    }

    pub(super) fn hold(&mut self) -> &mut DriveHold {
        self.hold
    }

    /// The media that were written, in order.
    pub(super) fn used(&self) -> &[MediaId] {
        &self.used
    }

    /// Writes all chunks of `feed`, each in full, to as many archives and media as it takes.
    ///
    /// `on_chunk` is told of each. An error of the datastore comes after what could be written was.
    pub(super) fn write_chunks(
        &mut self,
        store: &StoreName,
        feed: &mut ChunkFeed,
        on_chunk: &mut dyn FnMut(&Digest) -> Result<()>,
    ) -> Result<ChunkCount> {
        let mut count = ChunkCount::default();
        let mut useless_media = 0;
        while let Some(chunk) = feed.next()? {
            feed.put_back(chunk);
            self.task.check()?;
            let before = count.chunks;
            let archive = self.write_chunk_archive(store, feed, &mut count, on_chunk)?;
            useless_media = if count.chunks > before { 0 } else { useless_media + 1 };
            self.after_archive(archive.written)?;
            if let Some(error) = archive.failed {
                return Err(error);
            }
            if useless_media > 2 {
                return Err(Error::InvalidInput(
                    "a chunk doesn't fit on an empty medium; use larger media".into(),
                ));
            }
        }
        Ok(count)
    }

    fn write_chunk_archive(
        &mut self,
        store: &StoreName,
        feed: &mut ChunkFeed,
        count: &mut ChunkCount,
        on_chunk: &mut dyn FnMut(&Digest) -> Result<()>,
    ) -> Result<ChunkArchive> {
        let start = self.begin_archive()?;
        let header = ChunkArchiveHeader { store: store.clone() }.to_json()?;
        let (uuid, now) = (Uuid::new_v4(), self.env.clock.now());
        let task = self.task;
        let loaded = loaded(&mut self.loaded)?;
        loaded.catalog.start_chunk_archive(uuid, start.file, store)?;
        loaded.places.begin_archive(start.file, start.object);
        let (catalog, places) = (&mut loaded.catalog, &mut loaded.places);
        let mut register = |digest: &Digest, offset: u64| {
            catalog.register_chunk(digest)?;
            places.chunk(digest, offset);
            count.chunks += 1;
            on_chunk(digest)?;
            Ok(task.check()?)
        };
        let drive = self.hold.drive();
        let written = write_chunk_archive(drive, uuid, now, &header, feed, &mut register);
        let archive = written.map_err(|error| name_drive(self.hold, error))?;
        loaded.catalog.end_chunk_archive()?;
        loaded.places.end_archive()?;
        count.bytes += archive.written.bytes;
        self.env.reached("backup: chunk archive written");
        Ok(archive)
    }

    /// Writes the archive of a snapshot, on the next medium where it does not fit on this one.
    pub(super) fn write_snapshot(&mut self, snapshot: &SnapshotReader) -> Result<()> {
        for _ in 0..2 {
            let written = self.write_snapshot_once(snapshot)?;
            let complete = written.complete;
            self.after_archive(written)?;
            if complete {
                return Ok(());
            }
        }
        Err(Error::InvalidInput(format!(
            "the files of snapshot '{}' don't fit on an empty medium; use larger media",
            snapshot.snapshot()
        )))
    }

    fn write_snapshot_once(&mut self, snapshot: &SnapshotReader) -> Result<Written> {
        let files = snapshot_files(snapshot)?;
        let start = self.begin_archive()?;
        let store = snapshot.store().name().clone();
        let header =
            SnapshotArchiveHeader { snapshot: snapshot.snapshot().clone(), store: store.clone() };
        let (uuid, now, json) = (Uuid::new_v4(), self.env.clock.now(), header.to_json()?);
        let drive = self.hold.drive();
        let written = write_whole_archive(drive, header.kind(), now, uuid, &json, |out| {
            let mut archive = SnapshotArchiveWriter::new(out)?;
            for file in &files {
                archive.add_file(&file.name, &file.stat, file.size, &file.content)?;
            }
            archive.finish()?;
            Ok(())
        });
        let written = written.map_err(|error| name_drive(self.hold, error))?;
        if written.complete {
            let loaded = loaded(&mut self.loaded)?;
            loaded.catalog.register_snapshot(uuid, start.file, &store, snapshot.snapshot())?;
            self.keep_files(&store, snapshot.snapshot(), &files)?;
            self.env.reached("backup: snapshot archive written");
        }
        Ok(written)
    }

    /// Keeps a snapshot's files for browsing, from the commit on.
    fn keep_files(
        &mut self,
        store: &StoreName,
        path: &SnapshotPath,
        files: &[SnapshotFile],
    ) -> Result<()> {
        let set = self.pool.current_set();
        let on_set = SnapshotOnSet { set, store: store.clone(), path: path.clone() };
        let filling = self.env.snapshots.fill(&on_set)?;
        for file in files {
            let mut content = &file.content;
            content.rewind().map_err(Error::io(format!("read '{}' again", file.name)))?;
            filling.add(&file.name, &mut content)?;
        }
        self.uncommitted.push(filling);
        Ok(())
    }

    /// Writes the catalog of the medium that is being written behind everything else on it, or at the
    /// beginning of the next one where it does not fit (`tape-format.md` §10).
    pub(super) fn write_own_catalog(&mut self) -> Result<()> {
        for _ in 0..2 {
            self.begin_archive()?;
            let labels = loaded(&mut self.loaded)?.labels.clone();
            let written = self.write_catalog_of(&labels)?;
            self.env.reached("backup: catalog archive written");
            if written.complete {
                self.hold.drive().sync().map_err(|source| self.hold.failed(source))?;
                return self.note_full(written);
            }
            self.task.log("catalog does not fit on tape, writing to next volume");
            self.after_archive(written)?;
        }
        Err(Error::InvalidInput(
            "the catalog doesn't fit on an empty medium; use larger media".into(),
        ))
    }

    fn write_catalog_of(&mut self, labels: &MediaLabels) -> Result<Written> {
        let set_label = labels
            .media_set_label
            .as_ref()
            .ok_or_else(|| Error::format("media set", "a member has no set label"))?;
        let uuid = labels.label.uuid;
        let header =
            CatalogArchiveHeader { uuid, media_set_uuid: set_label.uuid, seq_nr: set_label.seq_nr };
        let path = self.env.state.catalog(uuid);
        let tried = || format!("read the media catalog '{}'", path.display());
        let catalog = File::open(&path).map_err(Error::io(tried()))?;
        let size = catalog.metadata().map_err(Error::io(tried()))?.len();
        let kind: ContentKind = CatalogArchiveHeader::kind(self.may_have_namespaces);
        let (now, json) = (self.env.clock.now(), header.to_json()?);
        let drive = self.hold.drive();
        let written = write_whole_archive(drive, kind, now, Uuid::new_v4(), &json, |out| {
            copy_exactly("a media catalog", size, &catalog, out)
        });
        written.map_err(|error| name_drive(self.hold, error))
    }

    /// Makes sure that a writable medium is loaded and at its end, and tells where the next archive begins.
    fn begin_archive(&mut self) -> Result<ArchiveStart> {
        self.load_writable_medium()?;
        self.hold.set_state(DriveState::Writing);
        let position = self.hold.drive().position().map_err(|source| self.hold.failed(source))?;
        if position.file.0 < 2 {
            return Err(Error::InvalidInput(format!(
                "unexpected file number {} at the end of the medium; read its labels again \
                 ('inventory --read-all-labels')",
                position.file
            )));
        }
        Ok(ArchiveStart { file: position.file, object: position.object })
    }

    fn after_archive(&mut self, mut written: Written) -> Result<()> {
        written.medium_full |= self.is_used_up()?;
        let loaded = loaded(&mut self.loaded)?;
        loaded.bytes_since_commit += written.bytes;
        if written.medium_full || loaded.bytes_since_commit >= COMMIT_BYTES {
            self.commit()?;
        }
        self.note_full(written)
    }

    /// Whether the drive counts more on the medium than it should hold.
    ///
    /// A `virtual:` drive gives each file two blocks whatever is left, and warns behind them alone: runs of small
    /// archives would never be warned.
    fn is_used_up(&mut self) -> Result<bool> {
        let statistics = self.hold.drive().statistics();
        let statistics = statistics.map_err(|source| self.hold.failed(source))?;
        let (used, total) =
            (statistics.total_used_native_capacity, statistics.total_native_capacity);
        Ok(used.zip(total).is_some_and(|(used, total)| used >= total))
    }

    fn note_full(&mut self, written: Written) -> Result<()> {
        if !written.medium_full {
            return Ok(());
        }
        let medium = loaded(&mut self.loaded)?.labels.label.uuid;
        self.pool.set_full(medium)?;
        self.env.reached("backup: medium full");
        Ok(())
    }

    /// Flushes the drive, then commits what is on the medium now.
    pub(super) fn commit(&mut self) -> Result<()> {
        let Some(loaded) = &mut self.loaded else {
            return Ok(());
        };
        self.hold.drive().sync().map_err(|source| self.hold.failed(source))?;
        self.env.reached("backup: flushed");
        store_statistics(&mut self.pool, self.hold, loaded.labels.label.uuid)?;
        self.env.places.store(&mut loaded.places)?;
        self.env.reached("backup: places stored");
        loaded.catalog.commit()?;
        loaded.bytes_since_commit = 0;
        self.env.reached("backup: catalog committed");
        self.uncommitted.drain(..).try_for_each(FillingSnapshot::keep)
    }

    fn load_writable_medium(&mut self) -> Result<()> {
        let env = self.env;
        let wanted = self.pool.alloc_writable_media(env.clock.now(), |labels| {
            env.places.forget(labels.label.uuid)?;
            MediaCatalog::overwrite(&env.state, labels)?;
            env.reached("backup: catalog created");
            Ok(())
        })?;
        let label_text = &wanted.labels.label.label_text;
        if wanted.is_new {
            env.reached("backup: inventory stored");
            self.task.log(&format!("allocated new writable media '{label_text}'"));
        }
        let uuid = wanted.labels.label.uuid;
        if self.loaded.as_ref().is_some_and(|loaded| loaded.labels.label.uuid == uuid) {
            return Ok(());
        }
        self.put_away()?;
        let found = medium::load_medium(self.hold, label_text, uuid, self.task)?;
        self.check_alerts(uuid, &wanted)?;
        self.check_writable(&wanted)?;
        let is_new = found.assigned_set().is_none_or(|set| set.uuid != wanted.set_label.uuid);
        if is_new {
            self.write_set_label(&found, &wanted)?;
        } else {
            check_same_set(&found, &wanted)?;
        }
        self.start_medium(wanted)?;
        if is_new {
            self.write_previous_catalogs()?;
        }
        Ok(())
    }

    /// Puts the medium that was written away, if there was one.
    fn put_away(&mut self) -> Result<()> {
        let Some(old) = self.loaded.take() else {
            return Ok(());
        };
        store_statistics(&mut self.pool, self.hold, old.labels.label.uuid)?;
        self.task.log("eject current media");
        medium::unload_medium(self.hold, self.task)
    }

    fn check_alerts(&mut self, uuid: MediaId, wanted: &WritableMedium) -> Result<()> {
        let alerts = self.hold.drive().tape_alerts().map_err(|source| self.hold.failed(source))?;
        if !alerts.is_critical() {
            return Ok(());
        }
        self.env.inventory.update(crate::state_dir::LOCK_WAIT, |inventory| {
            inventory.set_status(uuid, Some(MediaStatus::Damaged))
        })?;
        let flags: Vec<String> = alerts.flags().map(|flag| format!("{flag:#04x}")).collect();
        Err(Error::InvalidInput(format!(
            "aborting: drive '{}' raised critical alerts ({}) with media '{}', which is marked damaged now",
            self.hold.name(),
            flags.join(", "),
            wanted.labels.label.label_text
        )))
    }

    fn check_writable(&mut self, wanted: &WritableMedium) -> Result<()> {
        if let Some(fingerprint) = &wanted.set_label.encryption_key_fingerprint {
            return Err(Error::EncryptedSet {
                set: wanted.set_label.uuid,
                fingerprint: fingerprint.short(),
            });
        }
        let protected = self.hold.drive().write_protected();
        if protected.map_err(|source| self.hold.failed(source))? {
            return Err(Error::WriteProtected(wanted.labels.label.label_text.clone()));
        }
        Ok(())
    }

    fn write_set_label(&mut self, found: &MediaLabels, wanted: &WritableMedium) -> Result<()> {
        match found.assigned_set() {
            Some(old) => self.task.log(&format!(
                "writing new media set label (overwrite '{}/{}')",
                old.uuid, old.seq_nr
            )),
            None => self.task.log("writing new media set label"),
        }
        medium::write_set_label(self.hold, &wanted.set_label)?;
        self.env.reached("backup: set label written");
        self.env.places.forget(wanted.labels.label.uuid)?;
        MediaCatalog::overwrite(&self.env.state, &wanted.labels)?;
        Ok(())
    }

    /// Goes to the end of the medium and opens its catalog.
    fn start_medium(&mut self, wanted: WritableMedium) -> Result<()> {
        let WritableMedium { labels, set_label, .. } = wanted;
        let uuid = labels.label.uuid;
        self.task.log("moving to end of media");
        self.hold.set_state(DriveState::Locating);
        move_to_append_position(self.hold.drive()).map_err(|source| self.hold.failed(source))?;
        self.task.log("arrived at end of media");
        let catalog = MediaCatalog::open(&self.env.state, uuid, Some(&set_label), |_| Ok(()))?;
        let places = self.env.places.learn(uuid, set_label.uuid)?;
        self.used.push(uuid);
        self.loaded =
            Some(LoadedMedium { labels, set_label, catalog, places, bytes_since_commit: 0 });
        Ok(())
    }

    /// A new medium begins with the catalogs of all that came before it in the set.
    fn write_previous_catalogs(&mut self) -> Result<()> {
        let set_label = loaded(&mut self.loaded)?.set_label.clone();
        for medium in self.pool.members()? {
            let labels = self.pool.inventory().require(medium)?.labels.clone();
            let seq_nr = labels.media_set_label.as_ref().map(|label| label.seq_nr);
            if seq_nr.is_none_or(|seq_nr| seq_nr >= set_label.seq_nr) {
                continue;
            }
            self.task.log(&format!("write catalog for previous media: {medium}"));
            let written = self.write_catalog_of(&labels)?;
            if !written.complete || written.medium_full {
                return Err(Error::InvalidInput(format!(
                    "the catalogs of the set's earlier media don't fit on media '{}'; use larger media",
                    loaded(&mut self.loaded)?.labels.label.label_text
                )));
            }
        }
        Ok(())
    }
}

fn loaded(loaded: &mut Option<LoadedMedium>) -> Result<&mut LoadedMedium> {
    loaded.as_mut().ok_or(Error::MediumBlank)
}

/// Notes how much the drive counted on the medium; a drive that doesn't count says nothing.
fn store_statistics(pool: &mut MediaPool, hold: &mut DriveHold, medium: MediaId) -> Result<()> {
    let statistics = hold.drive().statistics().map_err(|source| hold.failed(source))?;
    match statistics.total_used_native_capacity {
        Some(used) => pool.set_bytes_used(medium, Some(used.bytes())),
        None => Ok(()),
    }
}

/// A medium that is in the set already must be the member that the inventory says.
fn check_same_set(found: &MediaLabels, wanted: &WritableMedium) -> Result<()> {
    let Some(found) = found.assigned_set() else {
        return Ok(());
    };
    let wanted = &wanted.set_label;
    if found.seq_nr != wanted.seq_nr {
        return Err(Error::InvalidInput(format!(
            "got unexpected media sequence number ({} != {}); read the labels of the set's media again",
            found.seq_nr, wanted.seq_nr
        )));
    }
    if found.encryption_key_fingerprint != wanted.encryption_key_fingerprint {
        return Err(Error::InvalidInput(
            "got unexpected encryption key fingerprint; read the labels of the set's media again"
                .into(),
        ));
    }
    Ok(())
}

/// A file of a snapshot, open, as it goes to tape.
struct SnapshotFile {
    name: ArchiveName,
    stat: FileStat,
    size: u64,
    content: File,
}

fn snapshot_files(snapshot: &SnapshotReader) -> Result<Vec<SnapshotFile>> {
    let open = |name: ArchiveName| -> Result<SnapshotFile> {
        let content = snapshot.open_stored(&name)?;
        let meta =
            content.metadata().map_err(Error::io(format!("look at {}", snapshot.text(&name))))?;
        Ok(SnapshotFile { stat: stat_of(&meta), size: meta.len(), name, content })
    };
    snapshot.stored_files()?.into_iter().map(open).collect()
}

fn stat_of(meta: &Metadata) -> FileStat {
    FileStat {
        mode: meta.mode(),
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: meta.mtime(),
        mtime_nanos: u32::try_from(meta.mtime_nsec()).unwrap_or(0),
    }
}
