//! Datastores and the keys that open what clients encrypted (`cli-manager.md` §3.4).

use super::define::*;
use super::output::{Answer, Column, Listing, number, text};
use super::values::{
    DatastoreProperty, LocalPath, NotificationMode, OperatorMaintenance, StorePath,
};
use crate::{
    CalendarEvent, Comment, Digest, Fingerprint, MediaSetId, Notify, StoreName, Tuning, UserId,
};

const LIST: Listing =
    Listing { columns: &[text("name"), text("path"), text("comment")], sort_by: &["name"] };

const SHOW: &[Column] = &[
    text("name"),
    text("path"),
    text("comment"),
    text("gc-schedule"),
    text("maintenance-mode"),
    text("notification-mode"),
    text("notify"),
    text("notify-user"),
    text("prune-schedule"),
    text("tuning"),
    number("verify-new"),
    number("keep-daily"),
    number("keep-hourly"),
    number("keep-last"),
    number("keep-monthly"),
    number("keep-weekly"),
    number("keep-yearly"),
];

const KEYS: Listing = Listing {
    columns: &[text("fingerprint"), text("store"), text("media-set"), text("hint")],
    sort_by: &["fingerprint", "store", "media-set"],
};

commands! {
    /// List the datastores.
    DatastoreList ["datastore" "list"] => Answer::List(&LIST);
    {}

    /// Show how a datastore is configured.
    DatastoreShow ["datastore" "show"] => Answer::Object(SHOW);
    {
        /// Datastore name.
        arg name: StoreName,
    }
}

settings! {
    /// Create a datastore in a folder, or take up one that exists. reelfs itself collects no garbage and verifies nothing
    /// by these settings; a PBS that uses the same files does.
    DatastoreCreate ["datastore" "create"] => Answer::Task;
    /// Change how a datastore is configured.
    DatastoreUpdate ["datastore" "update"];
    {
        /// Datastore name.
        arg name: StoreName,
        /// Comment; an empty one removes it.
        may comment: Comment,
        /// When garbage is collected, a calendar event.
        may gc_schedule: CalendarEvent,
        /// What is refused for now: read-only or offline, and [,message=TEXT] for those who are refused.
        may maintenance_mode: OperatorMaintenance,
        /// Mails to a user, or events.
        may notification_mode: NotificationMode,
        /// For which work mails are sent: [gc=,][verify=,][sync=,][prune=], each never, always or error.
        may notify: Notify,
        /// Who gets mails.
        may notify_user: UserId,
        /// How it works inside: [chunk-order=inode|none,][sync-level=filesystem|file|none].
        may tuning: Tuning,
        /// Verify new snapshots at once.
        may verify_new: bool,
    }
    create only {
        /// The folder for its content, absolute.
        arg path: StorePath,
        /// Take up the datastore that the folder holds already.
        opt reuse_datastore: bool = false,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<DatastoreProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}

commands! {
    /// Forget a datastore's configuration; its content stays on disk.
    DatastoreRemove ["datastore" "remove"] => Answer::Nothing;
    {
        /// Datastore name.
        arg name: StoreName,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }

    /// Give the daemon a client's encryption key, to show what it encrypted.
    ClientKeyAdd ["client-key" "add"] => Answer::Nothing;
    {
        /// The key file, readable by the caller alone.
        arg key_file: LocalPath,
        /// Use it for this datastore only.
        opt store: Option<StoreName>,
        /// Use it for this media set only.
        opt media_set: Option<MediaSetId>,
        /// File that holds the key's passphrase, readable by the caller alone.
        opt passphrase_file: Option<LocalPath>,
    }

    /// List the client keys that the daemon holds.
    ClientKeyList ["client-key" "list"] => Answer::List(&KEYS);
    {
        /// Only those used for this datastore.
        opt store: Option<StoreName>,
        /// Only those used for this media set.
        opt media_set: Option<MediaSetId>,
    }

    /// Make the daemon forget a client key.
    ClientKeyRemove ["client-key" "remove"] => Answer::Nothing;
    {
        /// The key's fingerprint.
        arg fingerprint: Fingerprint,
        /// Forget it for this datastore only.
        opt store: Option<StoreName>,
        /// Forget it for this media set only.
        opt media_set: Option<MediaSetId>,
    }
}
