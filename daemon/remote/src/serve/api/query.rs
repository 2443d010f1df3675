//! Parameters that many paths share.

use reel_types::{
    BackupGroup, BackupId, BackupTime, BackupType, GroupPath, Namespace, Snapshot, SnapshotPath,
    StoreName,
};

use crate::serve::params::ParamReader;

/// A group of a datastore.
pub(in crate::serve) struct GroupQuery {
    pub(in crate::serve) store: StoreName,
    pub(in crate::serve) group: GroupPath,
}

/// A snapshot of a datastore.
pub(in crate::serve) struct SnapshotQuery {
    pub(in crate::serve) store: StoreName,
    pub(in crate::serve) snapshot: SnapshotPath,
}

impl GroupQuery {
    /// None where something is missing, which the reader has noted.
    pub(in crate::serve) fn read(params: &mut ParamReader) -> Option<Self> {
        let store: Option<StoreName> = params.need("store");
        let namespace: Namespace = params.may("ns").unwrap_or_default();
        let kind: Option<BackupType> = params.need("backup-type");
        let id: Option<BackupId> = params.need("backup-id");
        let group = BackupGroup { kind: kind?, id: id? };
        Some(Self { store: store?, group: GroupPath { namespace, group } })
    }
}

impl SnapshotQuery {
    /// None where something is missing, which the reader has noted.
    pub(in crate::serve) fn read(params: &mut ParamReader) -> Option<Self> {
        let time: Option<BackupTime> = params.need("backup-time");
        let GroupQuery { store, group: GroupPath { namespace, group } } = GroupQuery::read(params)?;
        let snapshot = Snapshot { group, time: time? };
        Some(Self { store, snapshot: SnapshotPath { namespace, snapshot } })
    }
}
