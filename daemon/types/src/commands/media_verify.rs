//! Verifying media, which PBS does not have.

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use super::values::{Bounded, MediaVerifyJobProperty, NotificationMode};
use crate::{
    CalendarEvent, Comment, Digest, DriveName, JobId, LabelText, MediaId, MediaSetId, PoolName,
    UserId,
};

const VERIFIED: Listing = Listing {
    columns: &[
        text("label-text"),
        text("pool"),
        text("media-set-name"),
        number("seq-nr"),
        text("verify-state"),
        rendered("verified", Render::Epoch),
        number("chunks"),
        number("lost-chunks"),
        number("lost-snapshots"),
        number("damaged-places"),
    ],
    sort_by: &["pool", "media-set-name", "seq-nr", "label-text"],
};

commands! {
    /// Read media to their ends and compare all that is on them with what it should be.
    MediaVerify ["media" "verify"] => Answer::Task;
    {
        /// Labels of media.
        arg labels: Vec<LabelText>,
        /// Uuids of media, where labels don't tell them apart.
        opt uuid: Vec<MediaId>,
        /// All media of this set.
        opt media_set: Option<MediaSetId>,
        /// All media of this pool that hold something.
        opt pool: Option<PoolName>,
        /// Only those that were not verified for so many days.
        opt outdated_after: Option<Bounded<0, 36500>>,
        /// No more than so many, those first that were not verified for longest.
        opt limit: Option<Bounded<1, 65535>>,
        /// Pass over media that are not in the library, instead of asking for them.
        opt skip_missing: bool = false,
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Who is asked for media, and told how it ended.
        opt notify_user: Option<UserId>,
    }

    /// List what verifications of media found.
    MediaVerified ["media" "verified"] => Answer::List(&VERIFIED);
    {
        /// Only media of this pool.
        opt pool: Option<PoolName>,
    }
}

const JOBS: Listing = Listing {
    columns: &[
        text("id"),
        text("pool"),
        text("drive"),
        number("outdated-after"),
        number("limit"),
        text("schedule"),
        rendered_right("next-run", Render::Epoch),
        text("comment"),
    ],
    sort_by: &["id"],
};

const JOB: &[Column] = &[
    text("id"),
    text("pool"),
    text("drive"),
    number("outdated-after"),
    number("limit"),
    text("notification-mode"),
    text("notify-user"),
    text("schedule"),
    text("comment"),
];

const JOB_STATE: &[Column] = &[
    text("id"),
    rendered("last-run-endtime", Render::Epoch),
    text("last-run-state"),
    text("last-run-upid"),
    rendered("next-run", Render::Epoch),
];

commands! {
    /// List the jobs that verify media.
    MediaVerifyJobList ["media-verify-job" "list"] => Answer::List(&JOBS);
    {}

    /// Show how a job that verifies media is configured.
    MediaVerifyJobShow ["media-verify-job" "show"] => Answer::Object(JOB);
    {
        /// Job id.
        arg id: JobId,
    }

    /// Show how a job that verifies media ran last, and when it runs next.
    MediaVerifyJobStatus ["media-verify-job" "status"] => Answer::Object(JOB_STATE);
    {
        /// Job id.
        arg id: JobId,
    }

    /// Run a job that verifies media now.
    MediaVerifyJobRun ["media-verify-job" "run"] => Answer::Task;
    {
        /// Job id.
        arg id: JobId,
    }
}

settings! {
    /// Create a job that verifies the media of a pool, as far as they are in the library.
    MediaVerifyJobCreate ["media-verify-job" "create"] => Answer::Nothing;
    /// Change how a job that verifies media is configured.
    MediaVerifyJobUpdate ["media-verify-job" "update"];
    {
        /// Job id.
        arg id: JobId,
        /// The pool whose media are verified.
        must pool: PoolName,
        /// Drive name.
        must drive: DriveName,
        /// Only media that were not verified for so many days.
        may outdated_after: Bounded<0, 36500>,
        /// No more than so many in a run, those first that were not verified for longest.
        may limit: Bounded<1, 65535>,
        /// Who gets mails: whoever stands in user.cfg with an email address; root@pam without it.
        may notify_user: UserId,
        /// Mails to that user, or events for a program of yours (docs/notifications.md).
        may notification_mode: NotificationMode,
        /// When to run, a calendar event.
        may schedule: CalendarEvent,
        /// Comment; an empty one removes it.
        may comment: Comment,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<MediaVerifyJobProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}

commands! {
    /// Forget a job that verifies media; a run that is under way goes on to its end.
    MediaVerifyJobRemove ["media-verify-job" "remove"] => Answer::Nothing;
    {
        /// Job id.
        arg id: JobId,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}
