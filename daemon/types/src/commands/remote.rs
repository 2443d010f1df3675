//! Remotes and sync jobs (`cli-manager.md` §3.1, §3.2).

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, text};
use super::values::{Count, LocalPath, Port, RemoteProperty, SyncJobProperty, WorkerThreads};
use crate::{
    AuthId, ByteSize, CalendarEvent, CertificateFingerprint, Comment, Digest, GroupFilter,
    HostName, JobId, Namespace, NamespaceDepth, Password, RemoteName, StoreName,
};

const REMOTES: Listing = Listing {
    columns: &[text("name"), text("host"), text("auth-id"), text("fingerprint"), text("comment")],
    sort_by: &["name"],
};

const REMOTE: &[Column] = &[
    text("name"),
    text("auth-id"),
    text("host"),
    text("comment"),
    text("fingerprint"),
    number("port"),
];

const CHECK: &[Column] = &[text("version"), text("release"), text("datastores")];

const JOB_STATE: &[Column] = &[
    text("id"),
    rendered("last-run-endtime", Render::Epoch),
    text("last-run-state"),
    text("last-run-upid"),
    rendered("next-run", Render::Epoch),
];

const JOBS: Listing = Listing {
    columns: &[
        text("id"),
        text("store"),
        text("remote"),
        text("remote-store"),
        text("schedule"),
        rendered("group-filter", Render::GroupFilter),
        text("rate-in"),
        text("comment"),
    ],
    sort_by: &["id"],
};

const JOB: &[Column] = &[
    text("id"),
    text("remote-store"),
    text("store"),
    text("comment"),
    text("group-filter"),
    number("max-depth"),
    text("ns"),
    text("owner"),
    text("remote"),
    text("remote-ns"),
    number("remove-vanished"),
    text("schedule"),
    number("transfer-last"),
    text("burst-in"),
    text("burst-out"),
    text("rate-in"),
    text("rate-out"),
    number("resync-corrupt"),
    number("worker-threads"),
];

commands! {
    /// List the remotes.
    RemoteList ["remote" "list"] => Answer::List(&REMOTES);
    {}

    /// Show how a remote is configured.
    RemoteShow ["remote" "show"] => Answer::Object(REMOTE);
    {
        /// Remote name.
        arg name: RemoteName,
    }

    /// Log in at a remote, and show what it is and which datastores it shows.
    RemoteCheck ["remote" "check"] => Answer::Object(CHECK);
    {
        /// Remote name.
        arg name: RemoteName,
    }
}

settings! {
    /// Create a remote.
    RemoteCreate ["remote" "create"] => Answer::Nothing;
    /// Change how a remote is configured.
    RemoteUpdate ["remote" "update"];
    {
        /// Remote name.
        arg name: RemoteName,
        /// The user or token to log in as.
        must auth_id also "userid": AuthId,
        /// DNS name or IP address.
        must host: HostName,
        /// Password, or the token's secret. Better in a file: others see it in the list of processes.
        may password: Password,
        /// File whose first line is the password, readable by its owner alone; '-' is the standard input of reelctl.
        may password_file: LocalPath,
        /// The server's certificate, where no authority vouches for it.
        may fingerprint: CertificateFingerprint,
        /// Port, where it isn't 8007.
        may port: Port,
        /// Comment; an empty one removes it.
        may comment: Comment,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<RemoteProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}

commands! {
    /// Forget a remote; no sync job may use it.
    RemoteRemove ["remote" "remove"] => Answer::Nothing;
    {
        /// Remote name.
        arg name: RemoteName,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }

    /// List the sync jobs.
    SyncJobList ["sync-job" "list"] => Answer::List(&JOBS);
    {}

    /// Show how a sync job is configured.
    SyncJobShow ["sync-job" "show"] => Answer::Object(JOB);
    {
        /// Job id.
        arg id: JobId,
    }

    /// Show how a sync job ran last, and when it runs next.
    SyncJobStatus ["sync-job" "status"] => Answer::Object(JOB_STATE);
    {
        /// Job id.
        arg id: JobId,
    }

    /// Run a sync job now.
    SyncJobRun ["sync-job" "run"] => Answer::Task;
    {
        /// Job id.
        arg id: JobId,
    }

    /// Pull from a remote once, without a job.
    Pull ["pull"] => Answer::Task;
    {
        /// The remote to pull from.
        arg remote: RemoteName,
        /// The datastore to pull from.
        arg remote_store: StoreName,
        /// The datastore to fill.
        arg store: StoreName,
        /// Fill this namespace and those below it.
        opt ns: Option<Namespace>,
        /// Pull this namespace and those below it.
        opt remote_ns: Option<Namespace>,
        /// Remove what is gone at the source, but what is protected here.
        opt remove_vanished: bool = false,
        /// How many levels of namespaces to pull.
        opt max_depth: Option<NamespaceDepth>,
        /// Which groups to pull; may be given more than once.
        opt group_filter: Vec<GroupFilter>,
        /// Bytes to receive a second.
        opt rate_in: Option<ByteSize>,
        /// Bytes that may be received at once.
        opt burst_in: Option<ByteSize>,
        /// Bytes to send a second.
        opt rate_out: Option<ByteSize>,
        /// Bytes that may be sent at once.
        opt burst_out: Option<ByteSize>,
        /// Pull only so many of the newest snapshots of each group.
        opt transfer_last: Option<Count>,
        /// Pull snapshots anew that a verification found damaged.
        opt resync_corrupt: bool = false,
    }
}

settings! {
    /// Create a sync job.
    SyncJobCreate ["sync-job" "create"] => Answer::Nothing;
    /// Change how a sync job is configured.
    SyncJobUpdate ["sync-job" "update"];
    {
        /// Job id.
        arg id: JobId,
        /// The datastore to fill.
        must store: StoreName,
        /// The datastore to pull from.
        must remote_store: StoreName,
        /// The remote to pull from; none is this server.
        may remote: RemoteName,
        /// Fill this namespace and those below it.
        may ns: Namespace,
        /// Pull this namespace and those below it.
        may remote_ns: Namespace,
        /// Whose the groups become that the job makes.
        may owner: AuthId,
        /// Comment; an empty one removes it.
        may comment: Comment,
        /// When to run, a calendar event.
        may schedule: CalendarEvent,
        /// Remove what is gone at the source, but what is protected here.
        may remove_vanished: bool,
        /// How many levels of namespaces to pull; as many as there are without it.
        may max_depth: NamespaceDepth,
        /// Which groups, such as type:vm, group:ct/101 or exclude:regex:^vm/9. A change replaces all of them.
        many group_filter: GroupFilter,
        /// Bytes to receive a second.
        may rate_in: ByteSize,
        /// Bytes that may be received at once.
        may burst_in: ByteSize,
        /// Bytes to send a second.
        may rate_out: ByteSize,
        /// Bytes that may be sent at once.
        may burst_out: ByteSize,
        /// Pull only so many of the newest snapshots of each group.
        may transfer_last: Count,
        /// Pull snapshots anew that a verification found damaged. A PBS before 4 can't read a sync.cfg with it.
        may resync_corrupt: bool,
        /// How many groups to pull at once, 1 to 32; 4 where it isn't set. A PBS 3.2 can't read a sync.cfg with it.
        may worker_threads: WorkerThreads,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<SyncJobProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}

commands! {
    /// Forget a sync job; what it pulled stays.
    SyncJobRemove ["sync-job" "remove"] => Answer::Nothing;
    {
        /// Job id.
        arg id: JobId,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}
