//! What is lost on a medium, and how that is told.

use std::collections::HashSet;

use reel_types::{Digest, LabelText, MediaId, StoreName, TaskContext};

use super::copies::Copies;
use crate::env::TapeEnv;
use crate::restore::content::SnapshotContent;
use crate::snapshot_files::SnapshotOnSet;
use crate::{FileNumber, Result};

/// Lost chunks that are named in the log; of a medium that is gone altogether there may be millions.
const NAMED_MAX: usize = 1000;

/// A chunk that the catalog names and that is not good on the medium.
pub(super) struct LostChunk {
    pub(super) digest: Digest,
    pub(super) store: StoreName,
    pub(super) file: FileNumber,
    pub(super) reason: String,
}

/// What a pass over a medium came to.
pub(super) struct Findings {
    /// Chunks that were read, and their bytes as they are stored.
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    /// Snapshot archives that are good.
    pub(super) snapshots: u64,
    /// Places that could not be read, each with its reason; the log has them.
    pub(super) damage: Vec<String>,
    pub(super) lost_chunks: Vec<LostChunk>,
    pub(super) lost_snapshots: Vec<SnapshotOnSet>,
}

impl Findings {
    pub(super) fn is_good(&self) -> bool {
        self.damage.is_empty() && self.lost_chunks.is_empty() && self.lost_snapshots.is_empty()
    }

    /// Says what is lost, and where it still is.
    pub(super) fn tell(
        &self,
        env: &TapeEnv,
        (label, medium): (&LabelText, MediaId),
        copies: &Copies,
        task: &dyn TaskContext,
    ) -> Result<()> {
        let (chunks, snapshots) = (self.lost_chunks.len(), self.lost_snapshots.len());
        task.warn(&format!(
            "lost on media '{label}': {chunks} chunks, {snapshots} snapshot archives"
        ));
        for lost in self.lost_chunks.iter().take(NAMED_MAX) {
            let LostChunk { digest, store, file, reason } = lost;
            let elsewhere = copies.of_chunk(digest, medium);
            task.warn(&format!(
                "chunk {digest} of datastore '{store}' in file {file}: {reason}; {elsewhere}"
            ));
        }
        if chunks > NAMED_MAX {
            task.warn(&format!("and {} more chunks", chunks - NAMED_MAX));
        }
        for snapshot in &self.lost_snapshots {
            let elsewhere = copies.of_snapshot(snapshot, medium);
            let name = name_of(snapshot);
            task.warn(&format!("the archive of snapshot {name} is lost; {elsewhere}"));
        }
        self.tell_incomplete_snapshots(env, medium, copies, task)
    }

    /// Names the snapshots of the set that need a chunk of which there is no copy elsewhere on it.
    fn tell_incomplete_snapshots(
        &self,
        env: &TapeEnv,
        medium: MediaId,
        copies: &Copies,
        task: &dyn TaskContext,
    ) -> Result<()> {
        let mut lost: HashSet<[u8; 32]> = HashSet::new();
        for chunk in &self.lost_chunks {
            if !copies.is_elsewhere_on_set(&chunk.store, &chunk.digest, medium) {
                lost.insert(*chunk.digest.as_bytes());
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        let mut unknown = 0;
        for snapshot in copies.snapshots_of_set() {
            task.check()?;
            let Some(Ok(content)) =
                env.snapshots.get(&snapshot).map(|files| SnapshotContent::open(&files))
            else {
                unknown += 1;
                continue;
            };
            let mut missing = 0;
            content.visit_digests(|digests| {
                digests.sort_unstable();
                digests.dedup();
                missing += digests.iter().filter(|digest| lost.contains(*digest)).count();
                Ok(())
            })?;
            if missing > 0 {
                let (name, elsewhere) = (name_of(&snapshot), copies.of_snapshot(&snapshot, medium));
                task.warn(&format!(
                    "snapshot {name} lacks {missing} chunks on this media set; {elsewhere}"
                ));
            }
        }
        if unknown > 0 {
            task.warn(&format!(
                "of {unknown} snapshots nobody knows whether they need lost chunks; 'fetch' reads their indexes"
            ));
        }
        Ok(())
    }
}

fn name_of(snapshot: &SnapshotOnSet) -> String {
    format!("{}:{}", snapshot.store, snapshot.path)
}
