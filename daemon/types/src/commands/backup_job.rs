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

    /// Create a backup job.
    BackupJobCreate ["backup-job" "create"] => Answer::Nothing;
    {
        /// Job id.
        arg id: JobId,
        /// Drive name.
        opt drive: DriveName,
        /// Media pool name.
        opt pool: PoolName,
        /// Datastore name.
        opt store: StoreName,
        /// Comment.
        opt comment: Option<Comment>,
        /// When to run, a calendar event.
        opt schedule: Option<CalendarEvent>,
        /// Eject the media when done.
        opt eject_media: Option<bool>,
        /// Move the media set to import/export slots when done.
        opt export_media_set also "export-media": Option<bool>,
        /// Only the newest snapshot of each group.
        opt latest_only: Option<bool>,
        /// Who gets mails: whoever stands in user.cfg with an email address; root@pam without it.
        opt notify_user: Option<UserId>,
        /// Mails to that user, or events for a program of yours (docs/notifications.md).
        opt notification_mode: Option<NotificationMode>,
        /// Which groups to back up, such as type:vm, group:ct/101 or exclude:regex:^vm/9.
        opt group_filter also "groups": Vec<GroupFilter>,
        /// Namespace.
        opt ns: Option<Namespace>,
        /// How many levels of namespaces below it.
        opt max_depth: Option<NamespaceDepth>,
    }

    /// Change how a backup job is configured.
    BackupJobUpdate ["backup-job" "update"] => Answer::Nothing;
    {
        /// Job id.
        arg id: JobId,
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Media pool name.
        opt pool: Option<PoolName>,
        /// Datastore name.
        opt store: Option<StoreName>,
        /// Comment; an empty one removes it.
        opt comment: Option<Comment>,
        /// When to run, a calendar event.
        opt schedule: Option<CalendarEvent>,
        /// Eject the media when done.
        opt eject_media: Option<bool>,
        /// Move the media set to import/export slots when done.
        opt export_media_set also "export-media": Option<bool>,
        /// Only the newest snapshot of each group.
        opt latest_only: Option<bool>,
        /// Who gets mails.
        opt notify_user: Option<UserId>,
        /// Mails to that user, or events for a program of yours.
        opt notification_mode: Option<NotificationMode>,
        /// Which groups to back up, in the place of all filters before.
        opt group_filter also "groups": Vec<GroupFilter>,
        /// Namespace.
        opt ns: Option<Namespace>,
        /// How many levels of namespaces below it.
        opt max_depth: Option<NamespaceDepth>,
        /// Properties to delete, before new values are set.
        opt delete: Vec<BackupJobProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }

    /// Forget a backup job; what it wrote stays, and a run that is under way goes on to its end.
    BackupJobRemove ["backup-job" "remove"] => Answer::Nothing;
    {
        /// Job id.
        arg id: JobId,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}
