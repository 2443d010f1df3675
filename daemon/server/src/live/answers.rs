//! What a server was asked and what it said, kept for some seconds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use nix::libc;
use reel_remote::{Client, DatastoreItem, GroupItem, RemoteError, SnapshotItem, Version};
use reel_store::Handover;
use reel_types::{BackupTime, GroupPath, Namespace, StoreName};

use crate::failure::{Failure, Outcome};

/// For how many seconds an answer is good: a listing, and the look-ups of all its names.
pub(super) const GOOD_SECONDS: i64 = 10;
/// So many answers are kept before old ones are dropped.
const ANSWERS_MAX: usize = 1024;

/// What a server can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// What it is.
    Version,
    /// Which datastores the user may see.
    Stores,
    /// All namespaces of a datastore.
    Namespaces(StoreName),
    /// The groups of a namespace.
    Groups(StoreName, Namespace),
    /// The snapshots of a group.
    Snapshots(StoreName, GroupPath),
}

/// Snapshots of a group, the oldest first.
pub(crate) type Snapshots = BTreeMap<BackupTime, Arc<SnapshotItem>>;

/// What it says; cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Version(Arc<Version>),
    Stores(Arc<Vec<DatastoreItem>>),
    Namespaces(Arc<Vec<Namespace>>),
    Groups(Arc<Vec<GroupItem>>),
    Snapshots(Arc<Snapshots>),
}

impl Question {
    /// Asks.
    pub(super) async fn ask(&self, client: &Client) -> Result<Reply, RemoteError> {
        Ok(match self {
            Self::Version => Reply::Version(Arc::new(client.version().await?)),
            Self::Stores => Reply::Stores(Arc::new(client.datastores().await?)),
            Self::Namespaces(store) => {
                Reply::Namespaces(Arc::new(namespaces(client, store).await?))
            }
            Self::Groups(store, ns) => {
                let mut groups = client.groups(store, ns).await?;
                groups.sort_by(|a, b| {
                    (a.backup_type, a.backup_id.as_str())
                        .cmp(&(b.backup_type, b.backup_id.as_str()))
                });
                Reply::Groups(Arc::new(groups))
            }
            Self::Snapshots(store, group) => {
                let items = client.snapshots(store, &group.namespace, &group.group).await?;
                let timed = |item: SnapshotItem| Ok((item.snapshot()?.time, Arc::new(item)));
                let snapshots = items.into_iter().map(timed).collect::<Result<_, RemoteError>>();
                Reply::Snapshots(Arc::new(snapshots?))
            }
        })
    }
}

/// All namespaces; a server that knows none has the root.
async fn namespaces(client: &Client, store: &StoreName) -> Result<Vec<Namespace>, RemoteError> {
    match client.namespaces(store, &Namespace::root(), None).await {
        Ok(items) => Ok(items.into_iter().map(|item| item.ns).collect()),
        Err(error) if error.status() == Some(404) => Ok(vec![Namespace::root()]),
        Err(error) => Err(error),
    }
}

/// A reply and when it came; and who waits for a newer one.
#[derive(Default)]
struct Kept {
    reply: Option<(i64, Outcome<Reply>)>,
    flight: Option<Arc<Handover<()>>>,
}

impl Kept {
    fn is_good(&self, now: i64) -> bool {
        self.reply.as_ref().is_some_and(|(came, _)| (0..GOOD_SECONDS).contains(&(now - came)))
    }
}

/// What is known.
#[derive(Default)]
pub(super) struct Answers(HashMap<Question, Kept>);

/// Who is to ask, and what to wait for.
pub(super) enum Asking {
    /// The answer is good.
    Known,
    /// Somebody asks already.
    Begun(Arc<Handover<()>>),
    /// Whoever gets this must ask.
    Begin(Arc<Handover<()>>),
}

impl Answers {
    pub(super) fn asking(&mut self, question: &Question, now: i64) -> Asking {
        let kept = self.0.entry(question.clone()).or_default();
        if kept.is_good(now) {
            return Asking::Known;
        }
        if let Some(flight) = &kept.flight {
            return Asking::Begun(Arc::clone(flight));
        }
        let flight = Handover::new();
        kept.flight = Some(Arc::clone(&flight));
        Asking::Begin(flight)
    }

    pub(super) fn keep(&mut self, question: Question, now: i64, reply: Outcome<Reply>) {
        if self.0.len() >= ANSWERS_MAX {
            self.0.retain(|_, kept| kept.flight.is_some() || kept.is_good(now));
        }
        self.0.insert(question, Kept { reply: Some((now, reply)), flight: None });
    }

    /// Ends a flight that brought nothing.
    pub(super) fn give_up(&mut self, question: &Question) {
        if let Some(kept) = self.0.get_mut(question) {
            kept.flight = None;
        }
    }

    /// What was said last, however old it is: whoever needs it fresh has had it asked for before.
    pub(super) fn last(&self, question: &Question) -> Outcome<Reply> {
        match self.0.get(question).and_then(|kept| kept.reply.clone()) {
            Some((_, reply)) => reply,
            None => {
                let text = format!("the remote has not answered yet ({question:?}); try again");
                Err(Failure::new(libc::EAGAIN, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(release: &str) -> Outcome<Reply> {
        let (version, release, repoid) = ("3.2".into(), release.into(), String::new());
        Ok(Reply::Version(Arc::new(Version { version, release, repoid })))
    }

    #[test]
    fn an_answer_is_asked_for_once_and_again_when_it_is_old() {
        let mut answers = Answers::default();
        let question = Question::Version;
        assert!(matches!(answers.asking(&question, 100), Asking::Begin(_)));
        assert!(matches!(answers.asking(&question, 100), Asking::Begun(_)));
        assert_eq!(answers.last(&question).unwrap_err().errno, libc::EAGAIN);
        answers.keep(question.clone(), 100, version("1"));
        assert!(matches!(answers.asking(&question, 100 + GOOD_SECONDS - 1), Asking::Known));
        assert!(matches!(answers.asking(&question, 100 + GOOD_SECONDS), Asking::Begin(_)));
        assert!(answers.last(&question).is_ok(), "the old one stands until the new one comes");
        answers.give_up(&question);
        assert!(matches!(answers.asking(&question, 50), Asking::Begin(_)), "a clock that was set");
    }

    #[test]
    fn old_answers_make_room() {
        let mut answers = Answers::default();
        for number in 0..2 * ANSWERS_MAX {
            let store = format!("store{number}").parse().unwrap();
            answers.keep(Question::Namespaces(store), number as i64, version("1"));
        }
        assert!(answers.0.len() <= ANSWERS_MAX);
    }
}
