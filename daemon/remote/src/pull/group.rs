//! The groups of a namespace, several at once, and the snapshots of each (`sync.md` §§5, 6).

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use reel_store::VerifyOutcome;
use reel_store::datastore::SnapshotEntry;
use reel_types::{
    BackupGroup, BackupTime, GroupPath, GroupsProgress, Namespace, Privilege, Snapshot,
    filters_accept,
};

use super::run::{Run, error_or_stop};
use super::snapshot::{Outcome, PulledSnapshot};
use super::source::{Source, SourceSnapshot};
use super::{NamespacePair, PullError, select};

/// Parts of a whole that progress is told in.
const PARTS: f64 = 10_000.0;

/// How far the groups of a namespace are.
pub(super) struct Gauge {
    groups: usize,
    done: AtomicUsize,
    /// Of each worker, which share of its group is done.
    shares: Mutex<Vec<f64>>,
}

impl Gauge {
    fn new(groups: usize, workers: usize) -> Self {
        let shares = Mutex::new(vec![0.0; workers]);
        Self { groups, done: AtomicUsize::new(0), shares }
    }

    fn set(&self, worker: usize, share: f64) -> f64 {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares[worker] = share;
        let done = self.done.load(Ordering::Relaxed) as f64 + shares.iter().sum::<f64>();
        done / self.groups.max(1) as f64
    }
}

/// A group that is pulled by one of the workers.
pub(super) struct PulledGroup<'g> {
    pub(super) run: &'g Run<'g>,
    pub(super) pair: &'g NamespacePair,
    pub(super) group: &'g BackupGroup,
    /// How many connections its snapshots may have.
    pub(super) connections: usize,
    gauge: &'g Gauge,
    worker: usize,
}

impl Run<'_> {
    /// Pulls all groups that the filters let through.
    pub(super) fn all_groups(&self, pair: &NamespacePair) -> Result<(), PullError> {
        let mut groups = self.groups_of_source(&pair.source)?;
        groups.sort();
        let total = groups.len();
        groups.retain(|group| filters_accept(&self.job.filters, group));
        self.task.log(&format!("found {} groups to sync (out of {total} total)", groups.len()));
        let workers = self.job.workers.clamp(1, groups.len().max(1));
        let (next, gauge) = (AtomicUsize::new(0), Gauge::new(groups.len(), workers));
        let connections = (self.job.workers / workers).max(1);
        thread::scope(|scope| {
            for worker in 0..workers {
                let (next, gauge, groups) = (&next, &gauge, &groups);
                scope.spawn(move || {
                    while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let group =
                            PulledGroup { run: self, pair, group, connections, gauge, worker };
                        if group.pull_and_tell().is_err() {
                            break;
                        }
                    }
                });
            }
        });
        self.task.check()?;
        if self.job.remove_vanished {
            self.remove_vanished_groups(&pair.target, &groups.into_iter().collect())?;
        }
        Ok(())
    }

    /// All groups of exactly this namespace that the owner may read.
    fn groups_of_source(&self, namespace: &Namespace) -> Result<Vec<BackupGroup>, PullError> {
        let groups = self.job.source.groups(&self.network, namespace)?;
        let Source::Local(store) = &self.job.source else { return Ok(groups) };
        let may = |privilege| self.may(store.name(), namespace, privilege);
        if may(Privilege::DatastoreRead) {
            return Ok(groups);
        }
        if !may(Privilege::DatastoreBackup) {
            return Ok(Vec::new());
        }
        let is_own = |group: &BackupGroup| {
            let path = GroupPath { namespace: namespace.clone(), group: group.clone() };
            store.check_owner(&path, self.owner()).is_ok()
        };
        Ok(groups.into_iter().filter(is_own).collect())
    }
}

impl PulledGroup<'_> {
    /// Fails where the task was stopped, and tells of all else that fails.
    fn pull_and_tell(&self) -> Result<(), PullError> {
        let pulled = self.pull();
        self.gauge.done.fetch_add(1, Ordering::Relaxed);
        self.tell(0.0);
        self.run.report.count(|summary| summary.groups += 1);
        if let Err(error) = pulled {
            error_or_stop(&error)?;
            self.run.report.failed(&format!("group '{}'", self.group), &error);
        }
        Ok(())
    }

    fn pull(&self) -> Result<(), PullError> {
        let (run, path) = (self.run, self.path());
        run.task.check()?;
        let (owner, _lock) = run.job.target.create_group(&path, run.owner())?;
        run.job.commit_points.reached("pull: group made");
        if owner != *run.owner() {
            return Err(PullError::Refused(format!(
                "it belongs to '{owner}', not to '{}'; change its owner, or the job's",
                run.owner()
            )));
        }
        let source = run.job.source.snapshots(&run.network, &self.pair.source, self.group)?;
        let (finished, unfinished): (Vec<_>, Vec<_>) =
            source.into_iter().partition(|snapshot| snapshot.is_finished);
        for SourceSnapshot { time, .. } in unfinished {
            run.task.log(&format!("skipping snapshot '{}/{time}': in progress", self.group));
            run.report.count(|summary| summary.skipped += 1);
        }
        let times: Vec<_> = finished.into_iter().map(|snapshot| snapshot.time).collect();
        self.pull_snapshots(&times)?;
        if run.job.remove_vanished {
            self.remove_vanished_snapshots(&times.into_iter().collect())?;
        }
        Ok(())
    }

    fn pull_snapshots(&self, source: &[BackupTime]) -> Result<(), PullError> {
        let run = self.run;
        let here = run.job.target.snapshots(&self.path())?.items;
        let newest = here.iter().rfind(|entry| entry.finished).map(|entry| entry.time);
        let damaged = self.damaged(&here);
        let selected = select(source, newest, run.job.transfer_last, &damaged);
        run.report.count(|summary| summary.skipped += source.len() - selected.len());
        let snapshots = selected.len() as u64;
        for (selection, done) in selected.into_iter().zip(0..) {
            run.task.check()?;
            if let Some(skipped) = selection.skipped {
                run.task.log(&format!("{}: {skipped}", self.group));
            }
            let snapshot = Snapshot { group: self.group.clone(), time: selection.time };
            let pulled = PulledSnapshot {
                group: self,
                is_damaged: damaged.contains(&snapshot.time),
                tell: &|share| self.tell((done as f64 + share) / snapshots as f64),
                snapshot: &snapshot,
            };
            if pulled.pull()? == Outcome::Pulled {
                run.report.count(|summary| summary.snapshots += 1);
            }
            self.log_progress(done + 1, snapshots);
        }
        Ok(())
    }

    /// The snapshots here whose last verification failed, where they are to be pulled anew.
    fn damaged(&self, here: &[SnapshotEntry]) -> Vec<BackupTime> {
        if !self.run.job.resync_corrupt {
            return Vec::new();
        }
        let has_failed = |time: &BackupTime| {
            let manifest = self.run.job.target.manifest(&self.path().at(*time));
            let state = manifest.ok().and_then(|manifest| manifest.verify_state().ok().flatten());
            state.is_some_and(|state| state.state == VerifyOutcome::Failed)
        };
        here.iter().map(|entry| entry.time).filter(has_failed).collect()
    }

    fn log_progress(&self, done_snapshots: u64, snapshots: u64) {
        let progress = GroupsProgress {
            done_groups: self.gauge.done.load(Ordering::Relaxed) as u64,
            groups: self.gauge.groups as u64,
            done_snapshots,
            snapshots,
        };
        self.run.task.log(&format!("percentage done: {progress}"));
    }

    fn tell(&self, share: f64) {
        let all = self.gauge.set(self.worker, share);
        self.run.task.progress((all * PARTS) as u64, PARTS as u64, "1/10000 of the namespace");
    }

    /// Removes what is gone at the source, but what is protected.
    fn remove_vanished_snapshots(&self, source: &HashSet<BackupTime>) -> Result<(), PullError> {
        let (run, path) = (self.run, self.path());
        for entry in run.job.target.snapshots(&path)?.items {
            run.task.check()?;
            if source.contains(&entry.time) {
                continue;
            }
            let snapshot = path.at(entry.time);
            if entry.protected {
                run.task.log(&format!("don't delete vanished snapshot '{snapshot}': protected"));
                continue;
            }
            run.task.log(&format!("delete vanished snapshot '{snapshot}'"));
            run.job.target.forget_snapshot(&snapshot)?;
            run.report.removed(|removed| removed.snapshots += 1);
            run.job.commit_points.reached("pull: snapshot removed");
        }
        Ok(())
    }

    /// The group here.
    pub(super) fn path(&self) -> GroupPath {
        GroupPath { namespace: self.pair.target.clone(), group: self.group.clone() }
    }
}
