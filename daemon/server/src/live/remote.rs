//! One remote: its login, what it answered, how it is, and the snapshots that are read there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt;
use futures_util::future::join_all;
use nix::libc;
use reel_config::RemoteConfig;
use reel_fs::Preparation;
use reel_remote::{
    Client, ClientOptions, DatastoreItem, Endpoint, GroupItem, Login, RemoteError, Version,
};
use reel_store::Handover;
use reel_types::{ArchiveName, GroupPath, Namespace, SnapshotPath, StoreName};

use super::answers::{Answers, Asking, GOOD_SECONDS, Question, Reply, Snapshots};
use super::files::LiveSnapshot;
use super::{PATIENCE, Parts, failure, is_down};
use crate::failure::{Failure, Outcome};
use crate::memo::Memo;

/// Files that were measured, in one generation.
const MEASURED_KEPT: usize = 4096;

/// Told what was asked in vain, and why.
pub(crate) type Note = Arc<dyn Fn(&str, &Failure) + Send + Sync>;

/// Faults remembered at most.
const FAULTS_MAX: usize = 1024;

type SnapshotKey = (StoreName, SnapshotPath);

/// A remote that somebody has looked into.
pub(crate) struct LiveRemote {
    config: RemoteConfig,
    parts: Arc<Parts>,
    client: Client,
    answers: Mutex<Answers>,
    health: Mutex<Health>,
    snapshots: Mutex<HashMap<SnapshotKey, Weak<LiveSnapshot>>>,
    /// Why files could not be brought when they were wanted last.
    faults: Mutex<HashMap<(SnapshotKey, ArchiveName), Failure>>,
    measured: Memo<(SnapshotKey, ArchiveName), Option<u64>, u64>,
}

/// How a remote was found when it was asked last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    /// Whether it answered; none before it was asked.
    pub(crate) reachable: Option<bool>,
    /// Since when that is so, UNIX seconds.
    pub(crate) since: i64,
    /// What went wrong last, and when.
    pub(crate) last_error: Option<(i64, Failure)>,
}

impl Health {
    fn note(&mut self, now: i64, error: Option<&RemoteError>) {
        let reachable = !error.is_some_and(is_down);
        if self.reachable != Some(reachable) {
            (self.reachable, self.since) = (Some(reachable), now);
        }
        if let Some(error) = error {
            self.last_error = Some((now, failure(error)));
        }
    }

    /// Why it is not asked again so soon.
    fn is_down(&self, now: i64) -> Option<Failure> {
        let (failed, failure) = self.last_error.as_ref()?;
        let soon = (0..GOOD_SECONDS).contains(&(now - failed));
        (soon && self.reachable == Some(false)).then(|| failure.clone())
    }
}

impl LiveRemote {
    pub(super) fn new(config: RemoteConfig, parts: &Arc<Parts>) -> Outcome<Self> {
        let options = ClientOptions { patience: PATIENCE, ..ClientOptions::default() };
        let client = Client::new(Endpoint::of(&config), Login::of(&config)?, options);
        Ok(Self {
            config,
            parts: Arc::clone(parts),
            client,
            answers: Mutex::default(),
            health: Mutex::default(),
            snapshots: Mutex::default(),
            faults: Mutex::default(),
            measured: Memo::new(MEASURED_KEPT),
        })
    }

    pub(crate) fn config(&self) -> &RemoteConfig {
        &self.config
    }

    pub(super) fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// How it was found last.
    pub(crate) fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_health(&self, error: Option<&RemoteError>) {
        let now = self.parts.clock.now();
        self.health.lock().unwrap_or_else(PoisonError::into_inner).note(now, error);
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has these asked where what is known is too old; nothing to wait for where all is known. `note` is told what
    /// goes wrong.
    pub(crate) fn prepare(
        self: &Arc<Self>,
        questions: impl IntoIterator<Item = Question>,
        note: &Note,
    ) -> Option<Preparation> {
        let asked = |question| self.prepare_one(question, note);
        let waits: Vec<_> = questions.into_iter().filter_map(asked).collect();
        if waits.is_empty() {
            return None;
        }
        Some(join_all(waits.into_iter().map(|flight| flight.wait())).map(drop).boxed())
    }

    fn prepare_one(self: &Arc<Self>, question: Question, note: &Note) -> Option<Arc<Handover<()>>> {
        let now = self.parts.clock.now();
        let down = self.health().is_down(now);
        let mut answers = self.answers();
        let flight = match answers.asking(&question, now) {
            Asking::Known => return None,
            Asking::Begun(flight) => return Some(flight),
            Asking::Begin(flight) => flight,
        };
        if let Some(down) = down {
            answers.keep(question, now, Err(down));
            flight.deliver(());
            return None;
        }
        drop(answers);
        let asking = Flight { remote: Arc::clone(self), question, handover: Arc::clone(&flight) };
        self.parts.runtime.run_future(asking.ask(Arc::clone(note)));
        Some(flight)
    }

    /// What it is.
    pub(crate) fn version(&self) -> Outcome<Arc<Version>> {
        match self.answers().last(&Question::Version)? {
            Reply::Version(version) => Ok(version),
            _ => Err(mixed_up()),
        }
    }

    /// The datastores that the user may see.
    pub(crate) fn stores(&self) -> Outcome<Arc<Vec<DatastoreItem>>> {
        match self.answers().last(&Question::Stores)? {
            Reply::Stores(stores) => Ok(stores),
            _ => Err(mixed_up()),
        }
    }

    /// All namespaces of a datastore.
    pub(crate) fn namespaces(&self, store: &StoreName) -> Outcome<Arc<Vec<Namespace>>> {
        match self.answers().last(&Question::Namespaces(store.clone()))? {
            Reply::Namespaces(namespaces) => Ok(namespaces),
            _ => Err(mixed_up()),
        }
    }

    /// The groups of a namespace.
    pub(crate) fn groups(&self, store: &StoreName, ns: &Namespace) -> Outcome<Arc<Vec<GroupItem>>> {
        match self.answers().last(&Question::Groups(store.clone(), ns.clone()))? {
            Reply::Groups(groups) => Ok(groups),
            _ => Err(mixed_up()),
        }
    }

    /// The snapshots of a group.
    pub(crate) fn snapshots(
        &self,
        store: &StoreName,
        group: &GroupPath,
    ) -> Outcome<Arc<Snapshots>> {
        match self.answers().last(&Question::Snapshots(store.clone(), group.clone()))? {
            Reply::Snapshots(snapshots) => Ok(snapshots),
            _ => Err(mixed_up()),
        }
    }

    /// A snapshot, with what was brought of it already.
    pub(crate) fn snapshot(
        self: &Arc<Self>,
        store: &StoreName,
        path: &SnapshotPath,
    ) -> Outcome<Arc<LiveSnapshot>> {
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (store.clone(), path.clone());
        if let Some(known) = snapshots.get(&key).and_then(Weak::upgrade) {
            return Ok(known);
        }
        snapshots.retain(|_, snapshot| snapshot.strong_count() > 0);
        let snapshot = Arc::new(LiveSnapshot::new(self, store, path)?);
        snapshots.insert(key, Arc::downgrade(&snapshot));
        Ok(snapshot)
    }

    /// A snapshot that something was brought of.
    pub(crate) fn known_snapshot(
        &self,
        store: &StoreName,
        path: &SnapshotPath,
    ) -> Option<Arc<LiveSnapshot>> {
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        snapshots.get(&(store.clone(), path.clone()))?.upgrade()
    }

    /// Remembers how it went to bring a file: who wanted it may look for that after all else was dropped.
    pub(super) fn note_brought(
        &self,
        (store, path): (&StoreName, &SnapshotPath),
        name: &ArchiveName,
        came: Outcome<()>,
    ) {
        let key = ((store.clone(), path.clone()), name.clone());
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() >= FAULTS_MAX {
            faults.clear();
        }
        match came {
            Ok(()) => drop(faults.remove(&key)),
            Err(failure) => drop(faults.insert(key, failure)),
        }
    }

    /// Why a file could not be brought when it was wanted last.
    pub(super) fn why_not_brought(
        &self,
        (store, path): (&StoreName, &SnapshotPath),
        name: &ArchiveName,
    ) -> Option<Failure> {
        let key = ((store.clone(), path.clone()), name.clone());
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// What only reading a file tells of it: of a blob the decoded size, of an image the bytes that are no holes; none
    /// where it was not read. `found` is remembered, as long as the server lists it with `listed` bytes.
    pub(crate) fn measured(
        &self,
        (store, path): (&StoreName, &SnapshotPath),
        name: &ArchiveName,
        listed: Option<u64>,
        found: Option<u64>,
    ) -> Option<u64> {
        let key = ((store.clone(), path.clone()), name.clone());
        self.measured.get_or(key, listed, || found.ok_or(())).ok()
    }
}

/// A question that is on its way. Whoever waits for it is let go in any case.
struct Flight {
    remote: Arc<LiveRemote>,
    question: Question,
    handover: Arc<Handover<()>>,
}

impl Flight {
    async fn ask(self, note: Note) {
        let asked = self.question.ask(&self.remote.client).await;
        self.remote.note_health(asked.as_ref().err());
        let reply = asked.map_err(|error| failure(&error));
        if let Err(failure) = &reply {
            note(&format!("ask remote {}", self.remote.config.name), failure);
        }
        let now = self.remote.parts.clock.now();
        self.remote.answers().keep(self.question.clone(), now, reply);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.remote.answers().give_up(&self.question);
        self.handover.deliver(());
    }
}

/// Replies are kept by question, so this can't be.
fn mixed_up() -> Failure {
    Failure::new(libc::EIO, "the answer is to another question; please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> RemoteError {
        let (what, server, text) = ("ask".into(), "pbs:8007".into(), "no".into());
        RemoteError::Refused { what, server, status, text }
    }

    #[test]
    fn a_remote_is_down_until_it_answers_whatever_it_answers() {
        let silent =
            RemoteError::Silent { what: "ask".into(), server: "pbs:8007".into(), seconds: 30 };
        let mut health = Health::default();
        health.note(100, None);
        health.note(110, Some(&refused(403)));
        assert_eq!((health.reachable, health.since), (Some(true), 100));
        assert_eq!(health.is_down(110), None);
        health.note(120, Some(&silent));
        assert_eq!((health.reachable, health.since), (Some(false), 120));
        assert_eq!(health.is_down(120).unwrap().errno, libc::EHOSTDOWN);
        assert_eq!(health.is_down(120 + GOOD_SECONDS), None, "it is asked again");
        health.note(140, None);
        assert_eq!((health.reachable, health.since), (Some(true), 140));
        assert!(health.last_error.is_some(), "what went wrong last is still told");
    }
}
