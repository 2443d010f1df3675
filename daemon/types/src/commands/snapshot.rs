//! Snapshots and groups of a datastore.

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use super::params::OneOrMore;
use super::values::{FileName, NamedFile, Notes};
use crate::{AuthId, BackupGroup, BackupTime, Namespace, Snapshot, StoreName};

const SNAPSHOTS: Listing = Listing {
    columns: &[
        Column { title: "snapshot", ..rendered("backup-time", Render::SnapshotName) },
        rendered_right("size", Render::Bytes),
        rendered("files", Render::FileNames),
    ],
    sort_by: &["backup-type", "backup-id", "backup-time"],
};

const FILES: Listing = Listing {
    columns: &[text("filename"), text("crypt-mode"), number("size")],
    sort_by: &["filename"],
};

const GROUPS: Listing = Listing {
    columns: &[
        Column { title: "group", ..rendered("backup-id", Render::GroupName) },
        Column { title: "last snapshot", ..rendered("last-backup", Render::LastSnapshot) },
        number("backup-count"),
        rendered("files", Render::FileNames),
    ],
    sort_by: &["backup-type", "backup-id"],
};

commands! {
    /// List the snapshots of a datastore.
    SnapshotList ["snapshot" "list"] => Answer::List(&SNAPSHOTS);
    {
        /// Datastore name.
        arg store: StoreName,
        /// Only those of this group, TYPE/ID.
        arg group: Option<BackupGroup>,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// List the files of a snapshot.
    SnapshotFiles ["snapshot" "files"] => Answer::List(&FILES);
    {
        /// Datastore name.
        arg store: StoreName,
        /// The snapshot, TYPE/ID/TIME.
        arg snapshot: Snapshot,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Make a snapshot from local files.
    SnapshotCreate ["snapshot" "create"] => Answer::Task;
    {
        /// Datastore name.
        arg store: StoreName,
        /// The group, TYPE/ID.
        arg group: BackupGroup,
        /// The files, NAME=PATH each; a NAME that ends in .img is stored as an image.
        arg files: OneOrMore<NamedFile>,
        /// Namespace.
        opt ns: Option<Namespace>,
        /// The time of the snapshot; now, if absent.
        opt time: Option<BackupTime>,
        /// Who owns the group, where it is new.
        opt owner: Option<AuthId>,
    }

    /// Write the decoded content of a snapshot's file to standard output.
    SnapshotCat ["snapshot" "cat"] => Answer::Content;
    {
        /// Datastore name.
        arg store: StoreName,
        /// The snapshot, TYPE/ID/TIME.
        arg snapshot: Snapshot,
        /// The file, as 'snapshot files' calls it or without the last extension.
        arg file: FileName,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Delete a snapshot.
    SnapshotForget ["snapshot" "forget"] => Answer::Nothing;
    {
        /// Datastore name.
        arg store: StoreName,
        /// The snapshot, TYPE/ID/TIME.
        arg snapshot: Snapshot,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Show the notes of a snapshot.
    SnapshotNotesShow ["snapshot" "notes" "show"] => Answer::Text("notes");
    {
        /// Datastore name.
        arg store: StoreName,
        /// The snapshot, TYPE/ID/TIME.
        arg snapshot: Snapshot,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Replace the notes of a snapshot.
    SnapshotNotesUpdate ["snapshot" "notes" "update"] => Answer::Nothing;
    {
        /// Datastore name.
        arg store: StoreName,
        /// The snapshot, TYPE/ID/TIME.
        arg snapshot: Snapshot,
        /// The notes.
        arg notes: Notes,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Show whether a snapshot is protected from deletion.
    SnapshotProtectedShow ["snapshot" "protected" "show"] => Answer::Text("protected");
    {
        /// Datastore name.
        arg store: StoreName,
        /// The snapshot, TYPE/ID/TIME.
        arg snapshot: Snapshot,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Protect a snapshot from deletion, or no longer.
    SnapshotProtectedUpdate ["snapshot" "protected" "update"] => Answer::Nothing;
    {
        /// Datastore name.
        arg store: StoreName,
        /// The snapshot, TYPE/ID/TIME.
        arg snapshot: Snapshot,
        /// Whether it is protected.
        arg protected: bool,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// List the backup groups of a datastore.
    GroupList ["group" "list"] => Answer::List(&GROUPS);
    {
        /// Datastore name.
        arg store: StoreName,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Delete a group with all its snapshots that aren't protected.
    GroupForget ["group" "forget"] => Answer::Nothing;
    {
        /// Datastore name.
        arg store: StoreName,
        /// The group, TYPE/ID.
        arg group: BackupGroup,
        /// Namespace.
        opt ns: Option<Namespace>,
    }

    /// Give a group to another owner.
    GroupChangeOwner ["group" "change-owner"] => Answer::Nothing;
    {
        /// Datastore name.
        arg store: StoreName,
        /// The group, TYPE/ID.
        arg group: BackupGroup,
        /// The new owner.
        arg new_owner: AuthId,
        /// Namespace.
        opt ns: Option<Namespace>,
    }
}
