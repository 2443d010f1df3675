//! Jobs that verify media, in `media-verify.cfg`: a file of reelfs's own, in PBS's grammar (`config.md` §2).

use reel_types::commands::NotificationMode;
use reel_types::{CalendarEvent, Comment, DriveName, JobId, ParseError, PoolName, UserId};

use crate::SectionFile;
use crate::entries::{Entry, number, put, put_number, value};
use crate::section::{Key, Schema, Section, SectionType, Unknown, ValueKind};

/// Days in a century.
const DAYS_MAX: i64 = 36_500;
/// More media than a run gets through.
const LIMIT_MAX: i64 = 65_535;

static FILE: SectionFile = SectionFile {
    name: "media-verify.cfg",
    lock: ".media-verify.lck",
    schema: Schema {
        types: &[SectionType {
            name: "media-verify",
            check_id: |id| id.parse::<JobId>().map(drop),
            keys: &[
                Key::optional("comment", ValueKind::parsed::<Comment>()),
                Key::required("drive", ValueKind::parsed::<DriveName>()),
                Key::optional("limit", ValueKind::Integer { min: 1, max: LIMIT_MAX }),
                Key::optional("notification-mode", ValueKind::parsed::<NotificationMode>()),
                Key::optional("notify-user", ValueKind::parsed::<UserId>()),
                Key::optional("outdated-after", ValueKind::Integer { min: 0, max: DAYS_MAX }),
                Key::required("pool", ValueKind::parsed::<PoolName>()),
                Key::optional("schedule", ValueKind::parsed::<CalendarEvent>()),
            ],
            check: |section| MediaVerifyJobConfig::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        unknown_keys: Unknown::Keep,
    },
};

/// Which media a job verifies, by which drive and when; an absent value has its default.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaVerifyJobConfig {
    /// Its id.
    pub id: JobId,
    /// The pool whose media are verified.
    pub pool: PoolName,
    /// The drive.
    pub drive: DriveName,
    /// Only media that were not verified for so many days; all by default.
    pub outdated_after: Option<u64>,
    /// No more media than this in a run; all by default.
    pub limit: Option<u64>,
    /// Who gets mails; `root@pam` by default.
    pub notify_user: Option<UserId>,
    /// How news reach people.
    pub notification_mode: Option<NotificationMode>,
    /// When it runs by itself.
    pub schedule: Option<CalendarEvent>,
    /// A comment.
    pub comment: Option<Comment>,
}

impl MediaVerifyJobConfig {
    /// A job with defaults for all else.
    pub fn new(id: JobId, pool: PoolName, drive: DriveName) -> Self {
        Self {
            id,
            pool,
            drive,
            outdated_after: None,
            limit: None,
            notify_user: None,
            notification_mode: None,
            schedule: None,
            comment: None,
        }
    }
}

impl Entry for MediaVerifyJobConfig {
    const KIND: &'static str = "media verify job";
    const SECTION: &'static str = "media-verify";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] =
        &["comment", "limit", "notification-mode", "notify-user", "outdated-after", "schedule"];
    type Name = JobId;

    fn name(&self) -> &JobId {
        &self.id
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let required = |key| section.get(key).unwrap_or_default();
        Ok(Self {
            id: section.id().parse()?,
            pool: required("pool").parse()?,
            drive: required("drive").parse()?,
            outdated_after: number(section, "outdated-after"),
            limit: number(section, "limit"),
            notify_user: value(section, "notify-user")?,
            notification_mode: value(section, "notification-mode")?,
            schedule: value(section, "schedule")?,
            comment: value(section, "comment")?,
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "pool", Some(&self.pool));
        put(section, "drive", Some(&self.drive));
        put_number(section, "outdated-after", self.outdated_after);
        put_number(section, "limit", self.limit);
        put(section, "notify-user", self.notify_user.as_ref());
        put(section, "notification-mode", self.notification_mode.as_ref());
        put(section, "schedule", self.schedule.as_ref());
        put(section, "comment", self.comment.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{ConfigDir, MediaVerifyJobs};

    use super::*;

    const EXAMPLE: &str = "media-verify: half-yearly\n\tcomment all of it\n\tdrive drive0\n\tlimit 2\n\tnotify-user ops@pbs\n\toutdated-after 180\n\tpool vault\n\tschedule sat 06:00\n";

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE.name), EXAMPLE).unwrap();
        let (jobs, _) = MediaVerifyJobs::new(&ConfigDir::new(folder.path())).list().unwrap();
        assert_eq!((jobs[0].outdated_after, jobs[0].limit), (Some(180), Some(2)));
        let other = tempfile::tempdir().unwrap();
        MediaVerifyJobs::new(&ConfigDir::new(other.path())).create(&jobs[0]).unwrap();
        assert_eq!(fs::read_to_string(other.path().join(FILE.name)).unwrap(), EXAMPLE);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for line in ["limit 0", "limit 70000", "outdated-after -1", "outdated-after soon"] {
            let folder = tempfile::tempdir().unwrap();
            let text = EXAMPLE.replace("limit 2", line);
            fs::write(folder.path().join(FILE.name), text).unwrap();
            let listed = MediaVerifyJobs::new(&ConfigDir::new(folder.path())).list();
            assert!(listed.is_err(), "{line}");
        }
    }
}
