//! Jobs that back datastores up to tape (`cli-tape.md` §10).

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use super::values::{BackupJobProperty, NotificationMode};
use crate::{
    CalendarEvent, Comment, Digest, DriveName, GroupFilter, JobId, Namespace, NamespaceDepth,
    PoolName, StoreName, UserId,
};

const JOBS: Listing = Listing {
    columns: &[
        text("id"),
        text("store"),
        text("pool"),
        text("drive"),
        text("schedule"),
        rendered_right("next-run", Render::Epoch),
        text("next-media-label"),
        text("comment"),
    ],
    sort_by: &["id"],
};

const JOB: &[Column] = &[
    text("id"),
    text("drive"),
    text("pool"),
    text("store"),
    text("comment"),
    text("schedule"),
    number("eject-media"),
    number("export-media-set"),
    text("group-filter"),
    number("latest-only"),
    number("max-depth"),
    text("notification-mode"),
    text("notify-user"),
    text("ns"),
];

const JOB_STATE: &[Column] = &[
    text("id"),
    rendered("last-run-endtime", Render::Epoch),
    text("last-run-state"),
    text("last-run-upid"),
    rendered("next-run", Render::Epoch),
    text("next-media-label"),
];

commands! {
    /// List the backup jobs.
    BackupJobList ["backup-job" "list"] => Answer::List(&JOBS);
    {}

    /// Show how a backup job is configured.
    BackupJobShow ["backup-job" "show"] => Answer::Object(JOB);
    {
        /// Job id.
        arg id: JobId,
    }

    /// Show how a backup job ran last, when it runs next, and on which medium.
    BackupJobStatus ["backup-job" "status"] => Answer::Object(JOB_STATE);
    {
        /// Job id.
        arg id: JobId,
    }

    /// Run a backup job now.
    BackupJobRun ["backup-job" "run"] => Answer::Task;
    {
        /// Job id.
        arg id: JobId,
    }
}

settings! {
    /// Create a backup job.
    BackupJobCreate ["backup-job" "create"] => Answer::Nothing;
    /// Change how a backup job is configured.
    BackupJobUpdate ["backup-job" "update"];
    {
        /// Job id.
        arg id: JobId,
        /// Drive name.
        must drive: DriveName,
        /// Media pool name.
        must pool: PoolName,
        /// Datastore name.
        must store: StoreName,
        /// Comment; an empty one removes it.
        may comment: Comment,
        /// When to run, a calendar event.
        may schedule: CalendarEvent,
        /// Eject the media when done.
        may eject_media: bool,
        /// Move the media set to import/export slots when done.
        may export_media_set also "export-media": bool,
        /// Only the newest snapshot of each group.
        may latest_only: bool,
        /// Who gets mails: whoever stands in user.cfg with an email address; root@pam without it.
        may notify_user: UserId,
        /// Mails to that user, or events for a program of yours (docs/notifications.md).
        may notification_mode: NotificationMode,
        /// Which groups, such as type:vm, group:ct/101 or exclude:regex:^vm/9. A change replaces all of them.
        many group_filter also "groups": GroupFilter,
        /// Namespace.
        may ns: Namespace,
        /// How many levels of namespaces below it.
        may max_depth: NamespaceDepth,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<BackupJobProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}

commands! {
    /// Forget a backup job; what it wrote stays, and a run that is under way goes on to its end.
    BackupJobRemove ["backup-job" "remove"] => Answer::Nothing;
    {
        /// Job id.
        arg id: JobId,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}
