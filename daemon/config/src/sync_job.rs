//! Sync jobs in `sync.cfg` (`config.md` §4.2).

use reel_types::{
    AuthId, ByteSize, CalendarEvent, Comment, GroupFilter, JobId, Namespace, NamespaceDepth,
    ParseError, RemoteName, StoreName,
};

use crate::entries::{Entry, number, put, put_bool, put_number, value};
use crate::section::{Document, Key, Need, Schema, Section, SectionType, Unknown, ValueKind};
use crate::{ConfigError, SectionFile};

static FILE: SectionFile = SectionFile {
    name: "sync.cfg",
    lock: ".sync.lck",
    schema: Schema {
        types: &[SectionType {
            name: "sync",
            check_id: |id| id.parse::<JobId>().map(drop),
            keys: &[
                Key::optional("burst-in", ValueKind::parsed::<ByteSize>()),
                Key::optional("burst-out", ValueKind::parsed::<ByteSize>()),
                Key::optional("comment", ValueKind::parsed::<Comment>()),
                Key {
                    name: "group-filter",
                    value: ValueKind::parsed::<GroupFilter>(),
                    need: Need::Repeated,
                },
                Key::optional("max-depth", ValueKind::parsed::<NamespaceDepth>()),
                Key::optional("ns", ValueKind::parsed::<Namespace>()),
                Key::optional("owner", ValueKind::parsed::<AuthId>()),
                Key::optional("rate-in", ValueKind::parsed::<ByteSize>()),
                Key::optional("rate-out", ValueKind::parsed::<ByteSize>()),
                Key::optional("remote", ValueKind::parsed::<RemoteName>()),
                Key::optional("remote-ns", ValueKind::parsed::<Namespace>()),
                Key::required("remote-store", ValueKind::parsed::<StoreName>()),
                Key::optional("remove-vanished", ValueKind::Bool),
                Key::optional("resync-corrupt", ValueKind::Bool),
                Key::optional("schedule", ValueKind::parsed::<CalendarEvent>()),
                Key::required("store", ValueKind::parsed::<StoreName>()),
                Key::optional("transfer-last", ValueKind::Integer { min: 1, max: i64::MAX }),
                Key::optional("worker-threads", ValueKind::Integer { min: 1, max: 32 }),
            ],
            check: |section| SyncJobConfig::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        unknown_keys: Unknown::Keep,
    },
};

/// What a job pulls, from where and when; an absent value has its default.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncJobConfig {
    /// Its id.
    pub id: JobId,
    /// The datastore that it fills.
    pub store: StoreName,
    /// Below which namespace there.
    pub ns: Option<Namespace>,
    /// From which server; none is this one.
    pub remote: Option<RemoteName>,
    /// From which datastore of it.
    pub remote_store: StoreName,
    /// Below which namespace there.
    pub remote_ns: Option<Namespace>,
    /// Whose the groups become that it makes; `root@pam` by default.
    pub owner: Option<AuthId>,
    /// Whether what is gone at the source goes here too.
    pub remove_vanished: Option<bool>,
    /// How many levels of namespaces; none is as many as there are.
    pub max_depth: Option<NamespaceDepth>,
    /// Which groups; none is all.
    pub group_filter: Vec<GroupFilter>,
    /// Limits of what goes over the line.
    pub limits: SyncLimits,
    /// Only the newest snapshots of each group.
    pub transfer_last: Option<u64>,
    /// Snapshots that a verification found damaged are pulled anew.
    pub resync_corrupt: Option<bool>,
    /// How many groups at once, where it was set by hand: PBS 3.2 can't read a file with it.
    pub worker_threads: Option<u64>,
    /// When it runs by itself.
    pub schedule: Option<CalendarEvent>,
    /// A comment.
    pub comment: Option<Comment>,
}

/// Bytes a second, and how many may go at once; none is no limit (`sync.md` §9).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs, reason = "the names are PBS's own and say it")]
pub struct SyncLimits {
    pub rate_in: Option<ByteSize>,
    pub burst_in: Option<ByteSize>,
    pub rate_out: Option<ByteSize>,
    pub burst_out: Option<ByteSize>,
}

impl SyncLimits {
    fn check(&self) -> Result<(), String> {
        for (name, rate) in [("rate-in", self.rate_in), ("rate-out", self.rate_out)] {
            if rate.is_some_and(|rate| rate.bytes() == 0) {
                return Err(format!(
                    "'{name}' must be at least 1 byte a second; leave it out for no limit"
                ));
            }
        }
        Ok(())
    }
}

impl SyncJobConfig {
    /// A job with defaults for all else.
    pub fn new(id: JobId, store: StoreName, remote_store: StoreName) -> Self {
        Self {
            id,
            store,
            ns: None,
            remote: None,
            remote_store,
            remote_ns: None,
            owner: None,
            remove_vanished: None,
            max_depth: None,
            group_filter: Vec::new(),
            limits: SyncLimits::default(),
            transfer_last: None,
            resync_corrupt: None,
            worker_threads: None,
            schedule: None,
            comment: None,
        }
    }

    /// What must hold of a job whatever the configuration says (`sync.md` §1).
    pub fn check_itself(&self) -> Result<(), String> {
        if self.remote.is_none() && self.store == self.remote_store {
            return Err("'store' and 'remote-store' can't be the same without a 'remote'".into());
        }
        for (name, anchor) in [("ns", &self.ns), ("remote-ns", &self.remote_ns)] {
            let depth = anchor.as_ref().map_or(0, Namespace::depth);
            let below = self.max_depth.map_or(0, NamespaceDepth::levels);
            if depth + below > NamespaceDepth::FULL.levels() {
                return Err(format!(
                    "'{name}' is {depth} levels deep and 'max-depth' {below}, together more than 7; lower 'max-depth'"
                ));
            }
        }
        self.limits.check()
    }
}

impl Entry for SyncJobConfig {
    const KIND: &'static str = "sync job";
    const SECTION: &'static str = "sync";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &[
        "remote",
        "owner",
        "comment",
        "schedule",
        "remove-vanished",
        "group-filter",
        "rate-in",
        "burst-in",
        "rate-out",
        "burst-out",
        "ns",
        "remote-ns",
        "max-depth",
        "transfer-last",
        "resync-corrupt",
        "worker-threads",
    ];
    type Name = JobId;

    fn name(&self) -> &JobId {
        &self.id
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let store = |key| section.get(key).unwrap_or_default().parse();
        let flag = |key| section.get(key).map(reel_types::parse_bool).transpose();
        Ok(Self {
            id: section.id().parse()?,
            store: store("store")?,
            ns: value(section, "ns")?,
            remote: value(section, "remote")?,
            remote_store: store("remote-store")?,
            remote_ns: value(section, "remote-ns")?,
            owner: value(section, "owner")?,
            remove_vanished: flag("remove-vanished")?,
            max_depth: value(section, "max-depth")?,
            group_filter: section
                .get_all("group-filter")
                .map(str::parse)
                .collect::<Result<_, _>>()?,
            limits: SyncLimits {
                rate_in: value(section, "rate-in")?,
                burst_in: value(section, "burst-in")?,
                rate_out: value(section, "rate-out")?,
                burst_out: value(section, "burst-out")?,
            },
            transfer_last: number(section, "transfer-last"),
            resync_corrupt: flag("resync-corrupt")?,
            worker_threads: number(section, "worker-threads"),
            schedule: value(section, "schedule")?,
            comment: value(section, "comment")?,
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "store", Some(&self.store));
        put(section, "ns", self.ns.as_ref());
        put(section, "remote", self.remote.as_ref());
        put(section, "remote-store", Some(&self.remote_store));
        put(section, "remote-ns", self.remote_ns.as_ref());
        put(section, "owner", self.owner.as_ref());
        put_bool(section, "remove-vanished", self.remove_vanished);
        put(section, "max-depth", self.max_depth.as_ref());
        section.set("group-filter", self.group_filter.iter().map(ToString::to_string));
        put(section, "rate-in", self.limits.rate_in.as_ref());
        put(section, "burst-in", self.limits.burst_in.as_ref());
        put(section, "rate-out", self.limits.rate_out.as_ref());
        put(section, "burst-out", self.limits.burst_out.as_ref());
        put_number(section, "transfer-last", self.transfer_last);
        put_bool(section, "resync-corrupt", self.resync_corrupt);
        put_number(section, "worker-threads", self.worker_threads);
        put(section, "schedule", self.schedule.as_ref());
        put(section, "comment", self.comment.as_ref());
    }

    fn check(&self, _before: Option<&Self>, _others: &Document) -> Result<(), ConfigError> {
        self.check_itself().map_err(|reason| ConfigError::Invalid {
            kind: Self::KIND,
            name: self.id.to_string(),
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::SyncJobs;

    use super::*;
    use crate::testing::{content_of, folder_with};

    /// `config.md` §11.1.
    const EXAMPLE: &str = "sync: pbs2-local\n\tcomment offsite\n\tgroup-filter type:ct\n\tgroup-filter exclude:regex:^ct/9\n\towner root@pam\n\trate-in 20 MiB\n\tremote pbs2\n\tremote-store local\n\tremove-vanished true\n\tschedule Wed 02:30\n\tstore local\n";

    fn job(store: &str, remote_store: &str) -> SyncJobConfig {
        SyncJobConfig::new(
            "job1".parse().unwrap(),
            store.parse().unwrap(),
            remote_store.parse().unwrap(),
        )
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_written_so() {
        let (_folder, dir) = folder_with(&FILE, EXAMPLE);
        let (jobs, digest) = SyncJobs::new(&dir).list().unwrap();
        let expected = "5b7f3de1abce1f27ca3826a7a3f1f06ee8171b66e371c1bce920bbcc155162c4";
        assert_eq!(digest.to_string(), expected);
        let (_other, other) = folder_with(&FILE, "");
        SyncJobs::new(&other).create(&jobs[0]).unwrap();
        assert_eq!(content_of(&FILE, &other), EXAMPLE);
    }

    #[test]
    fn sizes_are_written_in_one_form_and_defaults_not_at_all() {
        let (_folder, dir) = folder_with(&FILE, "");
        let mut new = job("dst", "src");
        new.limits.rate_in = Some("20MiB".parse().unwrap());
        SyncJobs::new(&dir).create(&new).unwrap();
        assert_eq!(
            content_of(&FILE, &dir),
            "sync: job1\n\trate-in 20 MiB\n\tremote-store src\n\tstore dst\n"
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let (_folder, dir) = folder_with(&FILE, "");
        let refused =
            |new: &SyncJobConfig| SyncJobs::new(&dir).create(new).unwrap_err().to_string();
        assert!(refused(&job("same", "same")).contains("can't be the same"));
        let mut deep = job("dst", "src");
        deep.ns = Some("a/b/c/d/e".parse().unwrap());
        deep.max_depth = Some("3".parse().unwrap());
        assert!(refused(&deep).contains("'ns' is 5 levels deep"), "{}", refused(&deep));
        let mut slow = job("dst", "src");
        slow.limits.rate_out = Some("0.5".parse().unwrap());
        assert!(refused(&slow).contains("'rate-out'"));
        assert_eq!(content_of(&FILE, &dir), "");
    }

    #[test]
    fn filters_are_deleted_as_a_whole() {
        let (_folder, dir) = folder_with(&FILE, EXAMPLE);
        let name = "pbs2-local".parse().unwrap();
        SyncJobs::new(&dir).update(&name, &["group-filter"], None, |_| Ok(())).unwrap();
        assert!(!content_of(&FILE, &dir).contains("group-filter"));
    }
}
