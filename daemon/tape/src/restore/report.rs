//! What became of everything, for the end of the job.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use reel_hw::FileNumber;
use reel_types::commands::TapeSnapshot;
use reel_types::{Digest, LabelText, StoreName, TaskContext, human_bytes_decimal};

use super::RestoreSummary;
use crate::chunk_intake::BadChunk;
use crate::{Error, Result};

/// Counts what is restored and keeps the names of what is not.
pub(super) struct Report<'a> {
    task: &'a dyn TaskContext,
    summary: RestoreSummary,
    /// Snapshots that should be restored and are not, with the reason.
    failed: BTreeMap<String, String>,
    /// Snapshots that are where they should be.
    settled: HashSet<String>,
    /// Snapshots that were asked for and are on a set.
    found: HashSet<TapeSnapshot>,
    /// Media of which nobody can say what was on them, each with the reason.
    lost: Vec<String>,
    /// Media that could not be read, each with the reason: why snapshots are not restored, if any are not.
    unread: Vec<String>,
    /// Places of media that could not be read, and chunks that are not what they should be.
    damage: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(task: &'a dyn TaskContext) -> Self {
        Self {
            task,
            summary: RestoreSummary::default(),
            failed: BTreeMap::new(),
            settled: HashSet::new(),
            found: HashSet::new(),
            lost: Vec::new(),
            unread: Vec::new(),
            damage: 0,
        }
    }

    pub(super) fn restored(&mut self) {
        self.summary.restored += 1;
    }

    pub(super) fn skipped(&mut self, snapshot: String) {
        self.summary.skipped.push(snapshot);
    }

    /// A snapshot is not restored; says so with the reason. Another set may still have it.
    pub(super) fn failed(&mut self, snapshot: String, reason: &str) {
        if self.settled.contains(&snapshot) {
            return;
        }
        self.task.warn(&format!("snapshot {snapshot} is not restored: {reason}"));
        self.failed.insert(snapshot, reason.into());
    }

    /// A snapshot is everywhere where it should be.
    pub(super) fn settle(&mut self, snapshot: String) {
        self.failed.remove(&snapshot);
        self.settled.insert(snapshot);
    }

    pub(super) fn is_settled(&self, snapshot: &str) -> bool {
        self.settled.contains(snapshot)
    }

    /// A snapshot that was asked for is on a set.
    pub(super) fn found(&mut self, snapshot: TapeSnapshot) {
        self.found.insert(snapshot);
    }

    pub(super) fn has_found(&self, snapshot: &TapeSnapshot) -> bool {
        self.found.contains(snapshot)
    }

    /// A medium could not be read; says so. What its catalog names may come from elsewhere.
    pub(super) fn unread_medium(&mut self, what: String) {
        self.task.warn(&what);
        self.unread.push(what);
    }

    /// What was on a medium is not known, or can't be had; says so.
    pub(super) fn lost_medium(&mut self, what: String) {
        self.task.warn(&what);
        self.lost.push(what.trim_end_matches('.').to_string());
    }

    /// Media could not be read in so many places; the log has them already.
    pub(super) fn damaged(&mut self, places: usize) {
        self.damage += places;
    }

    /// Chunks that are not what their digests say.
    pub(super) fn bad_chunks(&mut self, store: &StoreName, chunks: &[BadChunk]) {
        for BadChunk { digest, reason } in chunks {
            self.bad_chunk(store, digest, reason);
        }
    }

    /// A chunk could not be had from its place on a medium; there may be others.
    pub(super) fn unreadable(
        &self,
        digest: &Digest,
        medium: &LabelText,
        file: FileNumber,
        why: &str,
    ) {
        self.task.warn(&format!("chunk {digest} on medium '{medium}', file {file}: {why}"));
    }

    fn bad_chunk(&mut self, store: &StoreName, digest: &Digest, reason: &str) {
        self.task.warn(&format!(
            "chunk {digest} of datastore '{store}' is not restored: {reason}; restore it from another copy"
        ));
        self.damage += 1;
    }

    /// Chunks of one archive were stored.
    pub(super) fn stored(&mut self, tally: &Tally) {
        self.summary.chunks += tally.chunks;
        self.summary.bytes += tally.bytes;
        let bytes = human_bytes_decimal(tally.bytes);
        self.task.log(&format!("restored {bytes} ({}/s)", human_bytes_decimal(tally.per_second())));
    }

    /// Names of snapshots that were passed over or failed.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &String> {
        self.summary.skipped.iter().chain(self.failed.keys())
    }

    /// Bytes of chunks so far.
    pub(super) fn bytes(&self) -> u64 {
        self.summary.bytes
    }

    /// The end of the job: an error where anything is missing that should be there.
    pub(super) fn finish(self) -> Result<RestoreSummary> {
        if self.failed.is_empty() && self.lost.is_empty() && self.damage == 0 {
            return Ok(self.summary);
        }
        let mut text = format!("restored {} snapshots, but not all", self.summary.restored);
        if !self.failed.is_empty() {
            let names: Vec<&str> = self.failed.keys().map(String::as_str).collect();
            text += &format!("; not restored: {}", names.join(", "));
        }
        for what in self.unread.iter().chain(&self.lost) {
            text += &format!("; {what}");
        }
        if self.damage > 0 {
            text += &format!("; {} damaged places, see the log", self.damage);
        }
        Err(Error::Unfinished(text))
    }
}

/// What was taken from one archive.
pub(super) struct Tally {
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    started: Instant,
}

impl Tally {
    pub(super) fn begin() -> Self {
        Self { chunks: 0, bytes: 0, started: Instant::now() }
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.chunks += 1;
        self.bytes += bytes as u64;
    }

    /// Bytes a second, rounded as PBS does.
    fn per_second(&self) -> u64 {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-6);
        let rate = self.bytes as f64 / seconds;
        let unit = if rate < 1e6 { 1e1 } else { 1e4 };
        ((rate / unit).round() * unit) as u64
    }
}
