//! `remotes/NAME/`: how a remote is, and `datastores/` as it holds them, read live.

use std::ffi::OsStr;
use std::sync::Arc;

use nix::libc;
use reel_fs::{Caller, Entry, FnDir, KeyValues, Node, Preparation, StaticDir};
use reel_remote::{DatastoreItem, GroupItem};
use reel_types::commands::Place;
use reel_types::{BackupGroup, GroupPath, Namespace, RemoteName, SnapshotPath, StoreName};

use super::Tree;
use super::catalogue::{Catalogue, SnapshotName, namespace_folder};
use super::control::refuse_with;
use super::facts::{fact, fs_error, key_values, no_such, parsed, prepared_key_values, utc};
use super::live_snapshot::{LivePlace, live_snapshot};
use crate::failure::{Failure, Outcome};
use crate::live::{LiveRemote, Note, Question};

const REFUSAL: &str = "what lies on a remote is only read from here";

/// `status`: whether the remote answers, what it is, since when, and what went wrong last.
pub(super) fn status(tree: &Arc<Tree>, name: &RemoteName) -> [(String, Node); 2] {
    let (asking, asked) = (Arc::clone(tree), name.clone());
    let prepare = move || asking.prepare_live(&asked, [Question::Version]);
    let (tree, name) = (Arc::clone(tree), name.clone());
    prepared_key_values("status", prepare, move || {
        let remote = tree.live(&name)?;
        let version = remote.version().ok();
        let health = remote.health();
        let told = health.last_error.as_ref();
        Ok(KeyValues::new()
            .with("reachable", health.reachable.map(|reachable| reachable.to_string()))
            .with("since", health.reachable.map(|_| utc(health.since)))
            .with("version", version.as_ref().map(|version| version.version.clone()))
            .with("release", version.as_ref().map(|version| version.release.clone()))
            .with("last-error", told.map(|(_, failure)| failure.message.clone()))
            .with("last-error-time", told.map(|(time, _)| utc(*time))))
    })
}

/// `datastores/`: those that the login may see.
pub(super) fn datastores(tree: &Arc<Tree>, name: &RemoteName) -> Node {
    let (all, all_of) = (Arc::clone(tree), name.clone());
    let entries = move || {
        let stores = all.live(&all_of).and_then(|remote| remote.stores()).map_err(fs_error)?;
        Ok(stores.iter().map(|item| Entry::directory(item.store.as_str())).collect())
    };
    let (one, one_of) = (Arc::clone(tree), name.clone());
    let lookup = move |name: &OsStr| {
        let store: StoreName = parsed(name)?;
        let remote = one.live(&one_of).map_err(fs_error)?;
        let stores = remote.stores().map_err(fs_error)?;
        let item = stores.iter().find(|item| item.store == store).ok_or_else(|| no_such(name))?;
        Ok(datastore(&one, &one_of, item))
    };
    let (tree, name) = (Arc::clone(tree), name.clone());
    let fixed = tree.noted_at(&name);
    let prepare = move || tree.prepare_live(&name, [Question::Stores]);
    FnDir::new(entries, lookup).prepared_by(prepare).beside(fixed).node()
}

fn datastore(tree: &Arc<Tree>, remote: &RemoteName, item: &DatastoreItem) -> Node {
    let (comment, maintenance) = (item.comment.clone(), item.maintenance.clone());
    let values = move || {
        let values = KeyValues::new().with("comment", comment.clone());
        Ok(values.with("maintenance-mode", maintenance.clone()))
    };
    let fixed = tree.noted_at(remote).with_all(key_values("status", values));
    let catalogue: Arc<dyn Catalogue> = Arc::new(LiveCatalogue {
        tree: Arc::clone(tree),
        remote: remote.clone(),
        store: item.store.clone(),
    });
    namespace_folder(&catalogue, &Namespace::root(), fixed)
}

impl Tree {
    /// A remote as it is configured now.
    fn live(&self, name: &RemoteName) -> Outcome<Arc<LiveRemote>> {
        self.reeld.live.of(&self.reeld.config, name)
    }

    /// Has a remote asked what is not known; what goes wrong is noted in its `last-error`.
    fn prepare_live<const N: usize>(
        self: &Arc<Self>,
        name: &RemoteName,
        questions: [Question; N],
    ) -> Option<Preparation> {
        // Where the configuration can't be read, whoever asks is told by what comes behind.
        self.live(name).ok()?.prepare(questions, &self.note_at(name))
    }

    fn note_at(&self, name: &RemoteName) -> Note {
        let log = self.log_of(&Place::Remote(name.clone()));
        // Several may have wanted to know, so nobody in particular has asked.
        let caller = Caller { uid: 0, gid: 0, pid: 0 };
        Arc::new(move |asked: &str, failure: &Failure| {
            log.refused(&caller, asked, &fs_error(failure.clone()));
        })
    }

    /// A folder whose refusals stand in the remote's `last-error`.
    fn noted_at(&self, name: &RemoteName) -> StaticDir {
        StaticDir::new()
            .with_log(self.log_of(&Place::Remote(name.clone())))
            .with_refusal(refuse_with(REFUSAL.into()))
    }
}

/// What a remote holds in one datastore.
struct LiveCatalogue {
    tree: Arc<Tree>,
    remote: RemoteName,
    store: StoreName,
}

impl LiveCatalogue {
    fn live(&self) -> Outcome<Arc<LiveRemote>> {
        self.tree.live(&self.remote)
    }

    /// The groups of a namespace. Who may see only what is inside a namespace sees the way there.
    fn items(&self, namespace: &Namespace) -> Outcome<Arc<Vec<GroupItem>>> {
        match self.live()?.groups(&self.store, namespace) {
            Err(failure)
                if failure.errno == libc::EACCES && !self.namespaces(namespace)?.is_empty() =>
            {
                Ok(Arc::default())
            }
            items => items,
        }
    }

    fn item(&self, group: &GroupPath) -> Outcome<Option<GroupItem>> {
        let items = self.items(&group.namespace)?;
        Ok(items.iter().find(|item| item.group() == group.group).cloned())
    }
}

impl Catalogue for LiveCatalogue {
    fn prepare_namespace(&self, namespace: &Namespace) -> Option<Preparation> {
        let namespaces = Question::Namespaces(self.store.clone());
        let groups = Question::Groups(self.store.clone(), namespace.clone());
        self.tree.prepare_live(&self.remote, [namespaces, groups])
    }

    fn prepare_group(&self, group: &GroupPath) -> Option<Preparation> {
        let snapshots = Question::Snapshots(self.store.clone(), group.clone());
        self.tree.prepare_live(&self.remote, [snapshots])
    }

    fn namespaces(&self, parent: &Namespace) -> Outcome<Vec<Namespace>> {
        let all = self.live()?.namespaces(&self.store)?;
        let inside = all.iter().filter_map(|namespace| {
            let inner = namespace.relative_to(parent)?;
            parent.child(inner.components().next()?).ok()
        });
        let mut namespaces: Vec<Namespace> = inside.collect();
        namespaces.sort();
        namespaces.dedup();
        Ok(namespaces)
    }

    fn has_namespace(&self, namespace: &Namespace) -> Outcome<bool> {
        let all = self.live()?.namespaces(&self.store)?;
        Ok(all.iter().any(|known| known.relative_to(namespace).is_some()))
    }

    fn groups(&self, namespace: &Namespace) -> Outcome<Vec<BackupGroup>> {
        Ok(self.items(namespace)?.iter().map(GroupItem::group).collect())
    }

    fn has_group(&self, group: &GroupPath) -> Outcome<bool> {
        Ok(self.item(group)?.is_some())
    }

    fn snapshots(&self, group: &GroupPath) -> Outcome<Vec<SnapshotName>> {
        let snapshots = self.live()?.snapshots(&self.store, group)?;
        let name = |(time, item): (&_, &Arc<reel_remote::SnapshotItem>)| SnapshotName {
            time: *time,
            finished: item.size.is_some(),
        };
        Ok(snapshots.iter().map(name).collect())
    }

    fn has_snapshot(&self, snapshot: &SnapshotPath) -> Outcome<bool> {
        let snapshots = self.live()?.snapshots(&self.store, &snapshot.group_path())?;
        Ok(snapshots.contains_key(&snapshot.snapshot.time))
    }

    fn group_files(&self, group: &GroupPath) -> StaticDir {
        let item = self.item(group).ok().flatten();
        let (owner, notes) = (item.clone(), item.clone());
        let owner =
            move || Ok(owner.as_ref().and_then(|item| Some(item.owner.as_ref()?.to_string())));
        let notes = move || {
            let comment = notes.as_ref().and_then(|item| item.comment.as_deref());
            Ok(comment.map(|comment| comment.trim_end().to_owned()))
        };
        let status = move || {
            let item = item.as_ref();
            Ok(KeyValues::new()
                .with("backup-count", item.map(|item| item.backup_count.to_string()))
                .with("last-backup", item.map(|item| utc(item.last_backup)))
                .with("owner", item.and_then(|item| Some(item.owner.as_ref()?.to_string()))))
        };
        self.tree
            .noted_at(&self.remote)
            .with("owner", fact(owner))
            .with("notes", fact(notes))
            .with_all(key_values("status", status))
    }

    fn snapshot(&self, snapshot: &SnapshotPath) -> Node {
        let fixed = self.tree.noted_at(&self.remote);
        let found = self.live().and_then(|remote| {
            let snapshots = remote.snapshots(&self.store, &snapshot.group_path())?;
            Ok((remote, snapshots.get(&snapshot.snapshot.time).cloned()))
        });
        // Asked for right behind `has_snapshot`, so it is there but for a change of the configuration in between.
        let Ok((remote, Some(item))) = found else { return fixed.node() };
        let place = LivePlace {
            tree: Arc::clone(&self.tree),
            remote,
            store: self.store.clone(),
            path: snapshot.clone(),
            item,
        };
        live_snapshot(Arc::new(place), fixed)
    }
}
