//! Remotes and sync jobs.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{
    AuthId, CalendarEvent, Comment, Fingerprint, GroupFilter, HostName, JobId, Namespace,
    NamespaceDepth, RemoteName, StoreName,
};

/// A remote of `remote list`, or the object of `remote show`; never its password.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemoteEntry {
    /// The user or token to log in as.
    pub auth_id: AuthId,
    /// The operator's words.
    pub comment: Option<Comment>,
    /// The certificate that is expected.
    pub fingerprint: Option<Fingerprint>,
    /// Where the server is.
    pub host: HostName,
    /// Its name.
    pub name: RemoteName,
    /// Its port, where it isn't 8007.
    pub port: Option<u16>,
}

/// What a remote says when it is logged in at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemoteCheckEntry {
    /// The datastores that it shows.
    pub datastores: Vec<StoreName>,
    /// The number of its patch.
    pub release: String,
    /// Its version, such as `3.2`.
    pub version: String,
}

/// A job of `sync-job list`, or the object of `sync-job show`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SyncJobEntry {
    /// Bytes that may be received at once.
    pub burst_in: Option<String>,
    /// Bytes that may be sent at once.
    pub burst_out: Option<String>,
    /// The operator's words.
    pub comment: Option<Comment>,
    /// Which groups.
    pub group_filter: Option<Vec<GroupFilter>>,
    /// Its id.
    pub id: JobId,
    /// How many levels of namespaces.
    pub max_depth: Option<NamespaceDepth>,
    /// Below which namespace here.
    pub ns: Option<Namespace>,
    /// Whose new groups become.
    pub owner: Option<AuthId>,
    /// Bytes received a second.
    pub rate_in: Option<String>,
    /// Bytes sent a second.
    pub rate_out: Option<String>,
    /// The server to pull from.
    pub remote: Option<RemoteName>,
    /// Below which namespace there.
    pub remote_ns: Option<Namespace>,
    /// The datastore to pull from.
    pub remote_store: StoreName,
    /// Whether what is gone at the source goes here.
    pub remove_vanished: Option<bool>,
    /// Whether damaged snapshots are pulled anew.
    pub resync_corrupt: Option<bool>,
    /// When it runs by itself.
    pub schedule: Option<CalendarEvent>,
    /// The datastore to fill.
    pub store: StoreName,
    /// How many of the newest snapshots.
    pub transfer_last: Option<u64>,
    /// How many groups at once.
    pub worker_threads: Option<u64>,
}
