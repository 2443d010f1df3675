//! Jobs that back datastores up to tape, in `tape-job.cfg` (`config.md` §4.8).

use reel_types::commands::NotificationMode;
use reel_types::{
    CalendarEvent, Comment, DriveName, GroupFilter, JobId, Namespace, NamespaceDepth, ParseError,
    PoolName, StoreName, UserId,
};

use crate::SectionFile;
use crate::entries::{Entry, put, put_bool, value};
use crate::section::{Key, Need, Schema, Section, SectionType, Unknown, ValueKind};

/// How an older manual spells `export-media-set`; read, and written as today.
const OLD_EXPORT: &str = "export-media";
const EXPORT: &str = "export-media-set";

static FILE: SectionFile = SectionFile {
    name: "tape-job.cfg",
    lock: ".tape-job.lck",
    schema: Schema {
        types: &[SectionType {
            name: "backup",
            check_id: |id| id.parse::<JobId>().map(drop),
            keys: &[
                Key::optional("comment", ValueKind::parsed::<Comment>()),
                Key::required("drive", ValueKind::parsed::<DriveName>()),
                Key::optional("eject-media", ValueKind::Bool),
                Key::optional(OLD_EXPORT, ValueKind::Bool),
                Key::optional(EXPORT, ValueKind::Bool),
                Key {
                    name: "group-filter",
                    value: ValueKind::parsed::<GroupFilter>(),
                    need: Need::Repeated,
                },
                Key::optional("latest-only", ValueKind::Bool),
                Key::optional("max-depth", ValueKind::parsed::<NamespaceDepth>()),
                Key::optional("notification-mode", ValueKind::parsed::<NotificationMode>()),
                Key::optional("notify-user", ValueKind::parsed::<UserId>()),
                Key::optional("ns", ValueKind::parsed::<Namespace>()),
                Key::required("pool", ValueKind::parsed::<PoolName>()),
                Key::optional("schedule", ValueKind::parsed::<CalendarEvent>()),
                Key::required("store", ValueKind::parsed::<StoreName>()),
            ],
            check: |section| TapeJobConfig::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        unknown_keys: Unknown::Keep,
    },
};

/// What a job writes to which pool, by which drive and when; an absent value has its default.
#[derive(Debug, Clone, PartialEq)]
pub struct TapeJobConfig {
    /// Its id.
    pub id: JobId,
    /// The datastore.
    pub store: StoreName,
    /// The media pool.
    pub pool: PoolName,
    /// The drive.
    pub drive: DriveName,
    /// From which namespace on; the root by default.
    pub ns: Option<Namespace>,
    /// How many levels of namespaces below it; all by default.
    pub max_depth: Option<NamespaceDepth>,
    /// Which groups; none is all.
    pub group_filter: Vec<GroupFilter>,
    /// Whether only the newest snapshot of each group is written.
    pub latest_only: Option<bool>,
    /// Whether the last medium is put away at the end.
    pub eject_media: Option<bool>,
    /// Whether the media set is exported at the end.
    pub export_media_set: Option<bool>,
    /// Who gets mails; `root@pam` by default.
    pub notify_user: Option<UserId>,
    /// How news reach people.
    pub notification_mode: Option<NotificationMode>,
    /// When it runs by itself.
    pub schedule: Option<CalendarEvent>,
    /// A comment.
    pub comment: Option<Comment>,
}

impl TapeJobConfig {
    /// A job with defaults for all else.
    pub fn new(id: JobId, store: StoreName, pool: PoolName, drive: DriveName) -> Self {
        Self {
            id,
            store,
            pool,
            drive,
            ns: None,
            max_depth: None,
            group_filter: Vec::new(),
            latest_only: None,
            eject_media: None,
            export_media_set: None,
            notify_user: None,
            notification_mode: None,
            schedule: None,
            comment: None,
        }
    }
}

impl Entry for TapeJobConfig {
    const KIND: &'static str = "tape backup job";
    const SECTION: &'static str = "backup";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &[
        "comment",
        "schedule",
        "eject-media",
        EXPORT,
        "latest-only",
        "notify-user",
        "notification-mode",
        "group-filter",
        "max-depth",
        "ns",
    ];
    type Name = JobId;

    fn name(&self) -> &JobId {
        &self.id
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let required = |key| section.get(key).unwrap_or_default();
        let flag = |key| section.get(key).map(reel_types::parse_bool).transpose();
        Ok(Self {
            id: section.id().parse()?,
            store: required("store").parse()?,
            pool: required("pool").parse()?,
            drive: required("drive").parse()?,
            ns: value(section, "ns")?,
            max_depth: value(section, "max-depth")?,
            group_filter: section
                .get_all("group-filter")
                .map(str::parse)
                .collect::<Result<_, _>>()?,
            latest_only: flag("latest-only")?,
            eject_media: flag("eject-media")?,
            export_media_set: match flag(EXPORT)? {
                None => flag(OLD_EXPORT)?,
                set => set,
            },
            notify_user: value(section, "notify-user")?,
            notification_mode: value(section, "notification-mode")?,
            schedule: value(section, "schedule")?,
            comment: value(section, "comment")?,
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "store", Some(&self.store));
        put(section, "pool", Some(&self.pool));
        put(section, "drive", Some(&self.drive));
        put(section, "ns", self.ns.as_ref());
        put(section, "max-depth", self.max_depth.as_ref());
        section.set("group-filter", self.group_filter.iter().map(ToString::to_string));
        put_bool(section, "latest-only", self.latest_only);
        put_bool(section, "eject-media", self.eject_media);
        section.unset(OLD_EXPORT);
        put_bool(section, EXPORT, self.export_media_set);
        put(section, "notify-user", self.notify_user.as_ref());
        put(section, "notification-mode", self.notification_mode.as_ref());
        put(section, "schedule", self.schedule.as_ref());
        put(section, "comment", self.comment.as_ref());
    }

    fn delete_aliases(key: &str) -> &'static [&'static str] {
        if key == EXPORT { &[OLD_EXPORT] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use crate::TapeJobs;

    use super::*;
    use crate::testing::{content_of, folder_with};

    const EXAMPLE: &str = "backup: nightly-1\n\tcomment weekly job\n\tdrive vt0\n\tgroup-filter type:vm\n\tgroup-filter exclude:regex:^vm/3.*\n\tlatest-only true\n\tmax-depth 2\n\tns a\n\tpool poolA\n\tschedule sat 18:15\n\tstore store1\n";

    #[test]
    fn a_file_of_pbs_is_read_and_written_so() {
        let (_folder, dir) = folder_with(&FILE, EXAMPLE);
        let (jobs, _) = TapeJobs::new(&dir).list().unwrap();
        assert_eq!(jobs[0].group_filter.len(), 2);
        let (_other, other) = folder_with(&FILE, "");
        TapeJobs::new(&other).create(&jobs[0]).unwrap();
        assert_eq!(content_of(&FILE, &other), EXAMPLE);
    }

    #[test]
    fn the_older_name_is_read_and_a_later_key_is_kept() {
        let text = "backup: old\n\tdrive vt0\n\texport-media yes\n\tpool poolA\n\tstore store1\n\tworker-threads 4\n";
        let (_folder, dir) = folder_with(&FILE, text);
        let id = "old".parse().unwrap();
        assert_eq!(TapeJobs::new(&dir).get(&id).unwrap().export_media_set, Some(true));
        TapeJobs::new(&dir).update(&id, &[""; 0], None, |_| Ok(())).unwrap();
        let written = content_of(&FILE, &dir);
        assert!(written.contains("\texport-media-set true\n"), "{written}");
        assert!(!written.contains("export-media "), "{written}");
        assert!(written.contains("\tworker-threads 4\n"), "{written}");
        let (_folder, dir) = folder_with(&FILE, text);
        TapeJobs::new(&dir).update(&id, &["export-media-set"], None, |_| Ok(())).unwrap();
        assert!(!content_of(&FILE, &dir).contains("export-media"), "{}", content_of(&FILE, &dir));
    }
}
