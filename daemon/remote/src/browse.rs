//! What a server has: versions, datastores, namespaces, groups, snapshots (`remote-protocol.md` §4).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reel_types::{
    AuthId, BackupGroup, BackupId, BackupTime, BackupType, Namespace, NamespaceDepth, Snapshot,
    StoreName,
};
use serde::Deserialize;

use crate::{Client, RemoteError};

/// What a server is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// Major and minor, such as `3.2`.
    pub version: String,
    /// The number of the patch.
    #[serde(default)]
    pub release: String,
    /// What it was built from.
    #[serde(default)]
    pub repoid: String,
}

/// A datastore that the user may see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DatastoreItem {
    /// Its name.
    pub store: StoreName,
    /// Its comment.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its maintenance mode, as a property string.
    #[serde(default)]
    pub maintenance: Option<String>,
}

/// A namespace of a datastore.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NamespaceItem {
    /// Which.
    pub ns: Namespace,
    /// Its comment.
    #[serde(default)]
    pub comment: Option<String>,
}

/// A group of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GroupItem {
    /// What was backed up.
    pub backup_type: BackupType,
    /// Which of them.
    pub backup_id: BackupId,
    /// The time of the last snapshot, in UNIX seconds; only roughly, where several are unfinished.
    pub last_backup: i64,
    /// How many snapshots there are.
    pub backup_count: u64,
    /// The files of the last one.
    #[serde(default)]
    pub files: Vec<String>,
    /// Whose it is.
    #[serde(default)]
    pub owner: Option<AuthId>,
    /// The first line of its notes.
    #[serde(default)]
    pub comment: Option<String>,
}

impl GroupItem {
    /// The group.
    pub fn group(&self) -> BackupGroup {
        BackupGroup { kind: self.backup_type, id: self.backup_id.clone() }
    }
}

/// A snapshot of a group.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotItem {
    /// What was backed up.
    pub backup_type: BackupType,
    /// Which of them.
    pub backup_id: BackupId,
    /// When, in UNIX seconds.
    pub backup_time: i64,
    /// Its files.
    #[serde(default)]
    pub files: Vec<FileItem>,
    /// Bytes of all files; none while it is written, or where its manifest can't be read.
    #[serde(default)]
    pub size: Option<u64>,
    /// Whose it is.
    #[serde(default)]
    pub owner: Option<AuthId>,
    /// Whether it is protected from being removed.
    #[serde(default)]
    pub protected: bool,
    /// The first line of its notes.
    #[serde(default)]
    pub comment: Option<String>,
    /// How it was last verified, as the server tells it.
    #[serde(default)]
    pub verification: Option<serde_json::Value>,
    /// The key of its files.
    #[serde(default)]
    pub fingerprint: Option<String>,
}

impl SnapshotItem {
    /// The snapshot.
    pub fn snapshot(&self) -> Result<Snapshot, RemoteError> {
        let group = BackupGroup { kind: self.backup_type, id: self.backup_id.clone() };
        Ok(Snapshot { group, time: BackupTime::from_epoch(self.backup_time)? })
    }
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileItem {
    /// Its name, as it is stored.
    pub filename: String,
    /// `none`, `encrypt` or `sign-only`, where the manifest tells.
    #[serde(default)]
    pub crypt_mode: Option<String>,
    /// Its bytes, where the manifest tells.
    #[serde(default)]
    pub size: Option<u64>,
}

impl Client {
    /// What the server is. It takes a login.
    pub async fn version(&self) -> Result<Version, RemoteError> {
        self.get("version", &[]).await
    }

    /// The datastores that the user may see.
    pub async fn datastores(&self) -> Result<Vec<DatastoreItem>, RemoteError> {
        self.get("admin/datastore", &[]).await
    }

    /// `parent` and the namespaces below it, down to `max_depth` levels; as deep as there are without it.
    ///
    /// # Errors
    /// A server without namespaces answers 404.
    pub async fn namespaces(
        &self,
        store: &StoreName,
        parent: &Namespace,
        max_depth: Option<NamespaceDepth>,
    ) -> Result<Vec<NamespaceItem>, RemoteError> {
        let mut query = Vec::new();
        if let Some(depth) = max_depth {
            query.push(("max-depth", depth.to_string()));
        }
        if !parent.is_root() {
            query.push(("parent", parent.to_string()));
        }
        self.get(&of_store(store, "namespace"), &query).await
    }

    /// The groups of exactly this namespace.
    pub async fn groups(
        &self,
        store: &StoreName,
        ns: &Namespace,
    ) -> Result<Vec<GroupItem>, RemoteError> {
        self.get(&of_store(store, "groups"), &in_namespace(ns)).await
    }

    /// The snapshots of a group.
    pub async fn snapshots(
        &self,
        store: &StoreName,
        ns: &Namespace,
        group: &BackupGroup,
    ) -> Result<Vec<SnapshotItem>, RemoteError> {
        let mut query = in_namespace(ns);
        query.push(("backup-type", group.kind.as_str().to_owned()));
        query.push(("backup-id", group.id.to_string()));
        self.get(&of_store(store, "snapshots"), &query).await
    }
}

fn of_store(store: &StoreName, what: &str) -> String {
    format!("admin/datastore/{}/{what}", utf8_percent_encode(store.as_str(), NON_ALPHANUMERIC))
}

/// Servers that know no namespaces refuse the parameter, so the root goes without.
pub(crate) fn in_namespace(ns: &Namespace) -> Vec<(&'static str, String)> {
    if ns.is_root() { Vec::new() } else { vec![("ns", ns.to_string())] }
}
