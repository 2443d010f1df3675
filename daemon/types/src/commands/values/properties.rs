//! What an update may delete of each thing that is configured.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::ParamValue;
use super::words::words;
use crate::ParseError;
use crate::commands::info::Kind;

words! {
    /// Properties of a pool that an update may delete (`config.md` §4.7).
    PoolProperty {
        /// When a new media set begins.
        Allocation = "allocation",
        /// How long content is kept.
        Retention = "retention",
        /// How media sets are named.
        Template = "template",
        /// The key that content is encrypted with.
        Encrypt = "encrypt",
        /// The operator's words.
        Comment = "comment",
        /// The vault that its full media sets are taken to.
        Vault = "vault",
    }

    /// Properties of a drive that an update may delete (`config.md` §4.6).
    DriveProperty {
        /// The changer that it is in.
        Changer = "changer",
        /// Its number in there.
        ChangerDrivenum = "changer-drivenum",
    }

    /// Properties of a changer that an update may delete (`config.md` §4.6).
    ChangerProperty {
        /// Slots that count as import/export slots.
        ExportSlots = "export-slots",
        /// Whether drives eject before an unload.
        EjectBeforeUnload = "eject-before-unload",
    }

    /// Properties of a remote that an update may delete (`config.md` §4.1).
    RemoteProperty {
        /// The operator's words.
        Comment = "comment",
        /// The certificate that is expected.
        Fingerprint = "fingerprint",
        /// The port, where it isn't 8007.
        Port = "port",
    }

    /// Properties of a sync job that an update may delete (`config.md` §4.2).
    SyncJobProperty {
        /// The server to pull from.
        Remote = "remote",
        /// Whose new groups become.
        Owner = "owner",
        /// The operator's words.
        Comment = "comment",
        /// When it runs by itself.
        Schedule = "schedule",
        /// Whether what is gone at the source goes here.
        RemoveVanished = "remove-vanished",
        /// Which groups.
        GroupFilter = "group-filter",
        /// Bytes received a second.
        RateIn = "rate-in",
        /// Bytes received at once.
        BurstIn = "burst-in",
        /// Bytes sent a second.
        RateOut = "rate-out",
        /// Bytes sent at once.
        BurstOut = "burst-out",
        /// Below which namespace here.
        Ns = "ns",
        /// Below which namespace there.
        RemoteNs = "remote-ns",
        /// How many levels of namespaces.
        MaxDepth = "max-depth",
        /// How many of the newest snapshots.
        TransferLast = "transfer-last",
        /// Whether damaged snapshots are pulled anew.
        ResyncCorrupt = "resync-corrupt",
        /// How many groups at once.
        WorkerThreads = "worker-threads",
    }

    /// Properties of a job that verifies media that an update may delete.
    MediaVerifyJobProperty {
        /// The operator's words.
        Comment = "comment",
        /// No more media than this in a run.
        Limit = "limit",
        /// How news reach people.
        NotificationMode = "notification-mode",
        /// Who gets mails.
        NotifyUser = "notify-user",
        /// Only media that were not verified for so many days.
        OutdatedAfter = "outdated-after",
        /// When it runs by itself.
        Schedule = "schedule",
    }

    /// Properties of a backup job that an update may delete (`config.md` §4.8).
    BackupJobProperty {
        /// The operator's words.
        Comment = "comment",
        /// When it runs by itself.
        Schedule = "schedule",
        /// Whether the last medium is put away at the end.
        EjectMedia = "eject-media",
        /// Whether the media set is exported at the end.
        ExportMediaSet = "export-media-set",
        /// Whether only the newest snapshots are written.
        LatestOnly = "latest-only",
        /// Who gets mails.
        NotifyUser = "notify-user",
        /// How news reach people.
        NotificationMode = "notification-mode",
        /// Which groups.
        GroupFilter = "group-filter",
        /// How many levels of namespaces.
        MaxDepth = "max-depth",
        /// Which namespace.
        Ns = "ns",
    }

    /// Properties of a user that an update may delete (`cli-manager.md` §3.5).
    UserProperty {
        /// The operator's words.
        Comment = "comment",
        /// First name.
        Firstname = "firstname",
        /// Last name.
        Lastname = "lastname",
        /// Email address.
        Email = "email",
    }

    /// Properties of a datastore that an update may delete (`config.md` §4.3).
    DatastoreProperty {
        /// The operator's words.
        Comment = "comment",
        /// When garbage is collected.
        GcSchedule = "gc-schedule",
        /// What is refused for now.
        MaintenanceMode = "maintenance-mode",
        /// How news reach people.
        NotificationMode = "notification-mode",
        /// For which work mails are sent.
        Notify = "notify",
        /// Who gets mails.
        NotifyUser = "notify-user",
        /// How it works inside.
        Tuning = "tuning",
        /// Whether new snapshots are verified at once.
        VerifyNew = "verify-new",
        /// Legacy: when snapshots are pruned.
        PruneSchedule = "prune-schedule",
        /// Legacy: how many of the newest snapshots pruning keeps.
        KeepLast = "keep-last",
        /// Legacy: for how many hours.
        KeepHourly = "keep-hourly",
        /// Legacy: for how many days.
        KeepDaily = "keep-daily",
        /// Legacy: for how many weeks.
        KeepWeekly = "keep-weekly",
        /// Legacy: for how many months.
        KeepMonthly = "keep-monthly",
        /// Legacy: for how many years.
        KeepYearly = "keep-yearly",
    }
}
