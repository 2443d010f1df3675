//! The paths of the API, one file for each kind of thing.

pub(super) mod access;
pub(super) mod datastore;
pub(super) mod files;
pub(super) mod groups;
pub(super) mod notes;
mod query;
pub(super) mod snapshots;
pub(super) mod version;

pub(super) use query::SnapshotQuery;
