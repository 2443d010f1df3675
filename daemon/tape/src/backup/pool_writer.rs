//! Writes archives to the media of a pool: one medium after the other, as each takes no more.
//!
//! A medium is chosen before it is loaded, and loaded only when something is to be written
//! (`tape-format.md` §10). What was written counts when the drive has flushed it: then, in this order, our
//! index of places and PBS's catalog are committed, so that neither ever claims what a power cut could take.

mod loading;

use std::fs::{File, Metadata};
use std::io::Seek;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use reel_store::datastore::SnapshotReader;
use reel_store::pxar::FileStat;
use reel_types::{ArchiveName, Digest, MediaId, SnapshotPath, StoreName, TaskContext};
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
use crate::encryption::SetKey;
use crate::env::TapeEnv;
use crate::label::{MediaLabels, MediaSetLabel};
use crate::media_catalog::MediaCatalog;
use crate::medium::name_drive;
use crate::places::PlaceLearner;
use crate::pool::MediaPool;
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
    /// The key that the pool's sets are encrypted with.
    key: Option<SetKey>,
    loaded: Option<LoadedMedium>,
    /// Snapshots that were written and not yet committed, with their files.
    uncommitted: Vec<(SnapshotPath, FillingSnapshot)>,
    /// Snapshots that are surely on tape, in order.
    committed: Vec<SnapshotPath>,
    may_have_namespaces: bool,
    used: Vec<MediaId>,
}

impl<'a> PoolWriter<'a> {
    pub(super) fn new(
        env: &'a TapeEnv,
        hold: &'a mut DriveHold,
        task: &'a dyn TaskContext,
        (pool, key): (MediaPool, Option<SetKey>),
        may_have_namespaces: bool,
    ) -> Self {
        Self {
            env,
            hold,
            task,
            pool,
            key,
            loaded: None,
            uncommitted: Vec::new(),
            committed: Vec::new(),
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

    /// The snapshots that are surely on tape, in order.
    pub(super) fn committed(&self) -> &[SnapshotPath] {
        &self.committed
    }

    /// Writes all chunks of `feed`, each in full, to as many archives and media as it takes.
    ///
    /// `on_chunk` is told of each. An error of the datastore comes after what could be written was.
    pub(super) fn write_chunks(
        &mut self,
        store: &StoreName,
        feed: &mut ChunkFeed,
        on_chunk: &mut dyn FnMut(&Digest) -> Result<()>,
    ) -> Result<()> {
        let mut useless_media = 0;
        while let Some(chunk) = feed.next()? {
            feed.put_back(chunk);
            self.task.check()?;
            let (archive, chunks) = self.write_chunk_archive(store, feed, on_chunk)?;
            useless_media = if chunks > 0 { 0 } else { useless_media + 1 };
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
        Ok(())
    }

    /// Writes one archive; how many chunks it took.
    fn write_chunk_archive(
        &mut self,
        store: &StoreName,
        feed: &mut ChunkFeed,
        on_chunk: &mut dyn FnMut(&Digest) -> Result<()>,
    ) -> Result<(ChunkArchive, u64)> {
        let start = self.begin_archive()?;
        let (started, mut chunks) = (Instant::now(), 0);
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
            chunks += 1;
            on_chunk(digest)?;
            Ok(task.check()?)
        };
        let drive = self.hold.drive();
        let written = write_chunk_archive(drive, uuid, now, &header, feed, &mut register);
        if written.is_err() {
            // What is whole in front of it can still be committed.
            loaded.catalog.discard_chunk_archive();
        }
        let archive = written.map_err(|error| name_drive(self.hold, error))?;
        loaded.catalog.end_chunk_archive()?;
        loaded.places.end_archive()?;
        self.tell_chunks(chunks, archive.written.bytes, started.elapsed());
        self.env.reached("backup: chunk archive written");
        Ok((archive, chunks))
    }

    fn tell_chunks(&self, chunks: u64, bytes: u64, took: Duration) {
        if chunks > 0 {
            let megabytes = bytes as f64 / 1e6;
            let speed = megabytes / took.as_secs_f64();
            self.task.log(&format!("wrote {chunks} chunks ({megabytes:.2} MB at {speed:.2} MB/s)"));
        }
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
        self.uncommitted.push((path.clone(), filling));
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
        if written.medium_full { self.set_full() } else { Ok(()) }
    }

    /// Notes that the loaded medium takes no more archives.
    fn set_full(&mut self) -> Result<()> {
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
        self.hold.note_underruns();
        store_statistics(&mut self.pool, self.hold, loaded.labels.label.uuid)?;
        self.env.places.store(&mut loaded.places)?;
        self.env.reached("backup: places stored");
        loaded.catalog.commit()?;
        loaded.bytes_since_commit = 0;
        self.env.reached("backup: catalog committed");
        let (snapshots, files): (Vec<_>, Vec<_>) = self.uncommitted.drain(..).unzip();
        self.committed.extend(snapshots);
        files.into_iter().try_for_each(FillingSnapshot::keep)
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
