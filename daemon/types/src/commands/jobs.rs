//! Backup to tape and back, tasks, the daemon itself (`cli-tape.md` §4, `cli-manager.md` §3.7).

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, text};
use super::values::{NamespaceMap, SeveralSets, StoreMap, TapeSnapshot, TaskLimit};
use crate::{
    AuthId, DriveName, GroupFilter, LabelText, Namespace, NamespaceDepth, PoolName, StoreName,
    Upid, UserId,
};

const TASKS: Listing = Listing {
    columns: &[
        rendered("starttime", Render::Epoch),
        rendered("endtime", Render::Epoch),
        text("upid"),
        rendered("status", Render::TaskStatus),
    ],
    sort_by: &["starttime"],
};

const TASK: &[Column] = &[
    text("upid"),
    text("node"),
    number("pid"),
    number("pstart"),
    rendered("starttime", Render::Epoch),
    text("type"),
    text("id"),
    text("user"),
    text("status"),
    text("exitstatus"),
];

commands! {
    /// Back a datastore up to a media pool.
    Backup ["backup"] => Answer::Task;
    {
        /// Datastore name.
        arg store: StoreName,
        /// Media pool name.
        arg pool: PoolName,
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Eject the media when done.
        opt eject_media: bool = false,
        /// Move the media set to import/export slots when done.
        opt export_media_set also "export-media": bool = false,
        /// Only the newest snapshot of each group.
        opt latest_only: bool = false,
        /// Only groups that these filters let pass:
        /// [include:|exclude:](group:TYPE/ID|type:TYPE|regex:RE).
        opt groups also "group-filter": Vec<GroupFilter>,
        /// Namespace.
        opt ns: Option<Namespace>,
        /// How many levels of namespaces below it.
        opt max_depth: Option<NamespaceDepth>,
        /// Begin a new media set, whatever the pool's policy.
        opt force_media_set: bool = false,
        /// Who is told the result.
        opt notify_user: Option<UserId>,
    }

    /// Restore media sets, or some of their snapshots, into datastores.
    Restore ["restore"] => Answer::Task;
    {
        /// Media set uuid; several, joined by ',', are taken in that order.
        arg media_set: SeveralSets,
        /// Where the content goes: [SOURCE=]TARGET, several joined by ','.
        arg store: StoreMap,
        /// Only these snapshots, STORE:[ns/NAME/...]TYPE/ID/TIME each.
        arg snapshots: Vec<TapeSnapshot>,
        /// Only these namespaces: store=NAME[,source=NS][,target=NS][,max-depth=N].
        opt namespaces: Vec<NamespaceMap>,
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Who owns restored groups; root@pam if absent.
        opt owner: Option<AuthId>,
        /// Go on without media that are not in the library, and name what is lost.
        opt skip_missing: bool = false,
        /// Who is told the result.
        opt notify_user: Option<AuthId>,
    }

    /// Restore the catalog of the medium in a drive.
    Catalog ["catalog"] => Answer::Task;
    {
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Replace a catalog that exists.
        opt force: bool = false,
        /// Read the whole medium instead of the catalogs on it.
        opt scan: bool = false,
        /// Log each chunk.
        opt verbose: bool = false,
        /// Load this medium first, and catalog no other.
        opt label_text: Option<LabelText>,
    }

    /// List tasks.
    TaskList ["task" "list"] => Answer::List(&TASKS);
    {
        /// How many at most.
        opt limit: TaskLimit = 50,
        /// Finished ones too.
        opt all: bool = false,
    }

    /// Show the log of a task, and follow it while it runs.
    TaskLog ["task" "log"] => Answer::Log;
    {
        /// The task's UPID.
        arg upid: Upid,
    }

    /// Show how a task stands.
    TaskStatus ["task" "status"] => Answer::Object(TASK);
    {
        /// The task's UPID.
        arg upid: Upid,
    }

    /// Ask a task to stop.
    TaskStop ["task" "stop"] => Answer::Nothing;
    {
        /// The task's UPID.
        arg upid: Upid,
    }

    /// Read all configuration files: tell what is wrong in them, let go of what they name no more.
    Reload ["reload"] => Answer::Nothing;
    {}

    /// Show the versions of this program and of the daemon.
    Version ["version"] => Answer::Version;
    {}
}
