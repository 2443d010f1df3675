//! One pass over a medium, with threads that compare chunks with their digests.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use reel_index::DigestSet;
use reel_store::DataBlob;
use reel_types::{Digest, StoreName, TaskContext, human_bytes_decimal};

use super::findings::{Findings, LostChunk};
use crate::chunk_intake::{self, ChunkIntake, NotTaken, TakeChunk, check_digest};
use crate::env::TapeEnv;
use crate::label::MediaLabels;
use crate::media_catalog::{CatalogExpectation, CatalogReader, CatalogRecord};
use crate::pass::{PassOutcome, Sink};
use crate::restore::content::SnapshotContent;
use crate::snapshot_files::{KeptSnapshot, SnapshotOnSet};
use crate::{Error, FileNumber, Result};

/// Bytes after which progress is told anew.
const PROGRESS_BYTES: u64 = 1 << 30;

/// Takes chunks only to look at them.
struct Checks;

impl TakeChunk for Checks {
    fn take_chunk(&self, digest: &Digest, blob: &DataBlob) -> Result<(), NotTaken> {
        check_digest(digest, blob).map_err(NotTaken::Bad)
    }
}

/// What was seen of a medium so far.
pub(super) struct Survey<'a> {
    task: &'a dyn TaskContext,
    intake: &'a ChunkIntake<Checks>,
    checks: Arc<Checks>,
    /// Chunks that came with the right CRC.
    seen: DigestSet,
    /// Chunks that are not what their digests say.
    bad: BTreeMap<Digest, String>,
    snapshots: HashSet<SnapshotOnSet>,
    chunks: u64,
    bytes: u64,
    told_bytes: u64,
}

impl Survey<'_> {
    /// Makes a survey for `work`, with threads that end when that does.
    pub(super) fn run<R>(
        env: &TapeEnv,
        task: &dyn TaskContext,
        work: impl FnOnce(&mut Survey<'_>) -> Result<R>,
    ) -> Result<R> {
        let intake = ChunkIntake::new();
        std::thread::scope(|scope| {
            for _ in 0..chunk_intake::threads() {
                scope.spawn(|| intake.work());
            }
            let _until_here = intake.close_when_dropped();
            work(&mut Survey {
                task,
                intake: &intake,
                checks: Arc::new(Checks),
                seen: DigestSet::new(&env.scratch),
                bad: BTreeMap::new(),
                snapshots: HashSet::new(),
                chunks: 0,
                bytes: 0,
                told_bytes: 0,
            })
        })
    }

    /// Compares what was seen with what the medium's catalog names.
    pub(super) fn findings(
        &mut self,
        env: &TapeEnv,
        labels: &MediaLabels,
        outcome: PassOutcome,
    ) -> Result<Findings> {
        let set = labels.assigned_set().ok_or(Error::MediumBlank)?.uuid;
        let mut findings = Findings {
            chunks: self.chunks,
            snapshots: self.snapshots.len() as u64,
            bytes: self.bytes,
            damage: outcome.damage,
            lost_chunks: Vec::new(),
            lost_snapshots: Vec::new(),
        };
        let mut archive: Option<(FileNumber, StoreName)> = None;
        self.visit_catalog(env, labels, |survey, record| match record {
            CatalogRecord::ChunkArchiveStart { number, store, .. } => {
                archive = Some((number, store));
            }
            CatalogRecord::Chunk(digest) => {
                let (Some((file, store)), Some(reason)) = (&archive, survey.fault_of(&digest))
                else {
                    return;
                };
                let (file, store) = (*file, store.clone());
                findings.lost_chunks.push(LostChunk { digest, store, file, reason });
            }
            CatalogRecord::Snapshot { store, path, .. } => {
                let snapshot = SnapshotOnSet { set, store, path };
                if !survey.snapshots.contains(&snapshot) {
                    findings.lost_snapshots.push(snapshot);
                }
            }
            CatalogRecord::Label { .. } | CatalogRecord::ChunkArchiveEnd { .. } => {}
        })?;
        Ok(findings)
    }

    fn fault_of(&self, digest: &Digest) -> Option<String> {
        match self.bad.get(digest) {
            Some(reason) => Some(reason.clone()),
            None if self.seen.contains(digest.as_bytes()) => None,
            None => Some("it is damaged or not there".into()),
        }
    }

    fn visit_catalog(
        &self,
        env: &TapeEnv,
        labels: &MediaLabels,
        mut visit: impl FnMut(&Self, CatalogRecord),
    ) -> Result<()> {
        let path = env.state.catalog(labels.label.uuid);
        let refuse = |source| Error::Catalog { path: path.clone(), source: Box::new(source) };
        let file = File::open(&path).map_err(Error::io("read it")).map_err(refuse)?;
        let expected = CatalogExpectation::of(labels.label.uuid, labels.media_set_label.as_ref());
        for record in CatalogReader::new(BufReader::new(file), expected).map_err(refuse)? {
            visit(self, record.map_err(refuse)?);
        }
        Ok(())
    }

    fn tell_progress(&mut self) {
        if self.bytes >= self.told_bytes + PROGRESS_BYTES {
            self.told_bytes = self.bytes;
            self.task.log(&format!("verified {}", human_bytes_decimal(self.bytes)));
        }
    }
}

impl Sink for Survey<'_> {
    fn wants(&self, _store: &StoreName) -> bool {
        true
    }

    fn needs_data(&self) -> bool {
        true
    }

    fn chunk(&mut self, _store: &StoreName, digest: &Digest, blob: Option<DataBlob>) -> Result<()> {
        let Some(blob) = blob else { return Ok(()) };
        self.chunks += 1;
        self.bytes += blob.raw().len() as u64;
        self.seen.insert(*digest.as_bytes())?;
        self.tell_progress();
        self.intake.put(&self.checks, *digest, blob, self.task)
    }

    fn end_of_chunks(&mut self, _store: &StoreName) -> Result<()> {
        let bad = self.intake.settle(self.task)?;
        self.bad.extend(bad.into_iter().map(|bad| (bad.digest, bad.reason)));
        Ok(())
    }

    fn check_snapshot(&mut self, snapshot: &SnapshotOnSet, files: &KeptSnapshot) -> Result<()> {
        SnapshotContent::open(files).map_err(|error| {
            let name = format!("{}:{}", snapshot.store, snapshot.path);
            Error::format("snapshot archive", format!("the files of {name}: {error}"))
        })?;
        self.snapshots.insert(snapshot.clone());
        Ok(())
    }

    fn snapshot(&mut self, _snapshot: &SnapshotOnSet, _files: &KeptSnapshot) -> Result<()> {
        Ok(())
    }
}
