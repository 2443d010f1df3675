//! What people are told: events with the fields of `tape-state.md` §15, and what a program is given of them.

use reel_config::NotificationSettings;
use reel_types::UserId;
use reel_types::commands::NotificationMode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The port of PBS's interface, which events name.
const PORT: u16 = 8007;

/// Whom news are for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipient {
    /// By mail, or as an event.
    pub(crate) mode: NotificationMode,
    /// Whom mails go to.
    pub(crate) user: UserId,
}

impl Recipient {
    /// What was chosen, or the defaults of PBS: mails to the superuser.
    pub(crate) fn chosen(mode: Option<NotificationMode>, user: Option<UserId>) -> Self {
        Self {
            mode: mode.unwrap_or(NotificationMode::LegacySendmail),
            user: user.unwrap_or_else(superuser),
        }
    }

    /// Of what belongs to no job.
    pub(super) fn of(settings: &NotificationSettings) -> Self {
        Self::chosen(settings.notification_mode, settings.notify_user.clone())
    }
}

fn superuser() -> UserId {
    #[allow(clippy::expect_used, reason = "a constant")]
    "root@pam".parse().expect("the superuser's name")
}

/// This computer.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// Its name up to the first dot.
    pub(crate) hostname: String,
    /// Its whole name.
    pub(crate) fqdn: String,
}

impl Host {
    pub(super) fn current() -> Self {
        match crate::serving::host_names() {
            Ok(names) => Self { hostname: names.node, fqdn: names.fqdn },
            Err(_) => Self { hostname: "localhost".into(), fqdn: "localhost".into() },
        }
    }

    #[cfg(test)]
    pub(super) fn called(fqdn: &str) -> Self {
        Self { hostname: fqdn.split('.').next().unwrap_or(fqdn).into(), fqdn: fqdn.into() }
    }
}

/// How bad news are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// All is well.
    Info,
    /// Somebody has to do something.
    Notice,
    /// Something may fail soon.
    Warning,
    /// Something failed.
    Error,
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// What it is about: when that is settled, none of these counts any more.
    pub(super) thread: String,
    /// The same text of the same thread is the same piece of news.
    pub(super) key: String,
    /// Its template.
    pub(super) template: Template,
    /// PBS's `type`.
    pub(super) kind: String,
    /// How bad it is.
    pub(super) severity: Severity,
    /// When, UNIX seconds.
    pub(super) timestamp: i64,
    /// What matchers of PBS look at.
    pub(super) fields: Map<String, Value>,
    /// What templates show.
    pub(super) data: Map<String, Value>,
    /// Whom it is for.
    pub(super) to: Recipient,
}

/// The templates there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Template {
    Load,
    BackupOk,
    BackupErr,
    VerifyOk,
    VerifyErr,
    Health,
}

impl Template {
    /// Its name, and that of the file that replaces it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Load => "tape-load",
            Self::BackupOk => "tape-backup-ok",
            Self::BackupErr => "tape-backup-err",
            Self::VerifyOk => "tape-verify-ok",
            Self::VerifyErr => "tape-verify-err",
            Self::Health => "tape-health",
        }
    }

    /// The one that comes with the program.
    pub(super) fn built_in(self) -> &'static str {
        match self {
            Self::Load => include_str!("templates/tape-load.txt"),
            Self::BackupOk => include_str!("templates/tape-backup-ok.txt"),
            Self::BackupErr => include_str!("templates/tape-backup-err.txt"),
            Self::VerifyOk => include_str!("templates/tape-verify-ok.txt"),
            Self::VerifyErr => include_str!("templates/tape-verify-err.txt"),
            Self::Health => include_str!("templates/tape-health.txt"),
        }
    }
}

/// A medium that somebody has to put in.
pub(crate) struct LoadRequest<'r> {
    pub(crate) device_type: &'r str,
    pub(crate) device: &'r str,
    pub(crate) label_text: &'r str,
    pub(crate) reason: &'r str,
    /// The drive that wants it, and what wants it there.
    pub(crate) asker: &'r str,
}

impl LoadRequest<'_> {
    /// What is settled once the medium is there.
    pub(crate) fn thread(&self) -> String {
        format!("tape-load/{}/{}/{}", self.asker, self.device, self.label_text)
    }

    pub(crate) fn notice(&self, host: &Host, to: &Recipient, now: i64) -> Notice {
        let Self { device_type, device, label_text, reason, .. } = self;
        let data = json!({
            "device-type": device_type, "device": device, "label-text": label_text,
            "reason": reason, "is-changer": *device_type == "changer",
            "hostname": host.hostname,
        });
        Notice {
            thread: self.thread(),
            key: (*reason).into(),
            template: Template::Load,
            kind: "tape-load".into(),
            severity: Severity::Notice,
            timestamp: now,
            fields: object(json!({"hostname": host.hostname, "type": "tape-load"})),
            data: object(data),
            to: to.clone(),
        }
    }
}

/// A task that has come to its end, by a job or by hand.
pub(crate) struct EndedTask<'r> {
    /// The job's id; none of what was started by hand.
    pub(crate) id: Option<&'r str>,
    /// The job's settings.
    pub(crate) job: Value,
    pub(crate) upid: &'r str,
    pub(crate) seconds: i64,
    pub(crate) error: Option<String>,
}

/// What a kind of task tells when it ends, beside what all tell.
struct Telling {
    kind: &'static str,
    ok: Template,
    err: Template,
    fields: Value,
    data: Value,
}

impl EndedTask<'_> {
    fn notice(self, telling: Telling, host: &Host, to: &Recipient, now: i64) -> Notice {
        let mut fields = object(telling.fields);
        fields.extend(object(json!({"hostname": host.hostname, "type": telling.kind})));
        if let Some(id) = self.id {
            fields.insert("job-id".into(), id.into());
        }
        let duration = u64::try_from(self.seconds).unwrap_or(0);
        let mut data = object(telling.data);
        data.extend(object(json!({
            "job": self.job, "fqdn": host.fqdn, "hostname": host.hostname, "port": PORT,
            "id": self.id, "job-duration": format!("{duration} s"), "error": self.error,
            "upid": self.upid,
        })));
        let (template, severity) = match self.error {
            None => (telling.ok, Severity::Info),
            Some(_) => (telling.err, Severity::Error),
        };
        Notice {
            thread: self.upid.into(),
            key: String::new(),
            template,
            kind: telling.kind.into(),
            severity,
            timestamp: now,
            fields,
            data,
            to: to.clone(),
        }
    }
}

/// How a backup to tape ended.
pub(crate) struct BackupResult<'r> {
    pub(crate) task: EndedTask<'r>,
    pub(crate) store: &'r str,
    pub(crate) pool: &'r str,
    /// What is surely on tape, also where the backup failed.
    pub(crate) snapshots: Vec<String>,
    pub(crate) tapes: Vec<String>,
}

impl BackupResult<'_> {
    pub(crate) fn notice(self, host: &Host, to: &Recipient, now: i64) -> Notice {
        let telling = Telling {
            kind: "tape-backup",
            ok: Template::BackupOk,
            err: Template::BackupErr,
            fields: json!({"datastore": self.store, "media-pool": self.pool}),
            data: json!({"snapshot-list": self.snapshots, "used-tapes": self.tapes}),
        };
        self.task.notice(telling, host, to, now)
    }
}

/// How a verification of media ended; media by their labels.
pub(crate) struct VerifyResult<'r> {
    pub(crate) task: EndedTask<'r>,
    pub(crate) good: Vec<String>,
    pub(crate) damaged: Vec<String>,
    pub(crate) unread: Vec<String>,
}

impl VerifyResult<'_> {
    pub(crate) fn notice(self, host: &Host, to: &Recipient, now: i64) -> Notice {
        let telling = Telling {
            kind: "tape-verify",
            ok: Template::VerifyOk,
            err: Template::VerifyErr,
            fields: json!({}),
            data: json!({"good": self.good, "damaged": self.damaged, "unread": self.unread}),
        };
        self.task.notice(telling, host, to, now)
    }
}

/// What got worse with a drive or a medium in it.
pub(super) fn health(drive: &str, warning: &str, host: &Host, to: Recipient, now: i64) -> Notice {
    const KIND: &str = "tape-health";
    Notice {
        // It got worse once more where it is told at another time.
        thread: format!("{KIND}/{drive}/{now}"),
        key: warning.into(),
        template: Template::Health,
        kind: KIND.into(),
        severity: Severity::Warning,
        timestamp: now,
        fields: object(json!({"hostname": host.hostname, "type": KIND})),
        data: object(json!({"drive": drive, "warning": warning, "hostname": host.hostname})),
        to,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl Notice {
    /// What the hook reads.
    pub(super) fn event(&self, title: &str) -> Value {
        json!({
            "type": self.kind, "severity": self.severity, "timestamp": self.timestamp,
            "title": title, "fields": self.fields, "data": self.data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifications::mail::text_of;

    fn host() -> Host {
        Host::called("pbs1.example.com")
    }

    fn recipient() -> Recipient {
        Recipient::chosen(None, None)
    }

    #[test]
    fn a_request_reads_as_pbs_titles_it() {
        let request = LoadRequest {
            device_type: "changer",
            device: "sl3",
            label_text: "A00001L8",
            reason: "unable to find media 'A00001L8' (offline?)",
            asker: "drive0/job1",
        };
        let notice = request.notice(&host(), &recipient(), 5);
        let (subject, body) = text_of(Template::Load.built_in(), &notice).unwrap();
        assert_eq!(subject, "Load Media 'A00001L8' request for changer 'sl3'");
        for line in ["Changer: sl3", "Media: A00001L8", "things are: unable to find"] {
            assert!(body.contains(line), "{line}: {body}");
        }
        let event = notice.event(&subject);
        assert_eq!((&event["type"], &event["severity"]), (&json!("tape-load"), &json!("notice")));
        assert_eq!(event["data"]["is-changer"], true);
    }

    fn ended<'r>(id: Option<&'r str>, error: Option<&str>) -> EndedTask<'r> {
        EndedTask {
            id,
            job: json!({"store": "s1", "pool": "p1", "drive": "d1"}),
            upid: "UPID:x",
            seconds: 61,
            error: error.map(Into::into),
        }
    }

    /// Subject, body, and what was read.
    fn read(notice: Notice) -> (String, String, Notice) {
        let (subject, body) = text_of(notice.template.built_in(), &notice).unwrap();
        (subject, body, notice)
    }

    #[test]
    fn results_name_the_job_if_there_is_one() {
        let told = |id, error| {
            let result = BackupResult {
                task: ended(id, error),
                store: "s1",
                pool: "p1",
                snapshots: vec!["vm/1/a".into(), "vm/1/b".into()],
                tapes: vec!["A00001L8".into()],
            };
            read(result.notice(&host(), &recipient(), 5))
        };
        let (subject, body, notice) = told(Some("nightly"), None);
        assert_eq!(subject, "Tape Backup 'nightly' datastore 's1' successful");
        assert!(body.contains("  vm/1/a\n  vm/1/b\n\nUsed Tapes: A00001L8\n"), "{body}");
        assert_eq!(notice.fields["job-id"], "nightly");
        let (subject, body, notice) = told(None, Some("no media"));
        assert_eq!(subject, "Tape Backup datastore 's1' failed");
        assert!(body.contains("Tape Backup failed: no media") && !body.contains("Used"), "{body}");
        assert!(body.contains("on tape:\n  vm/1/a\n  vm/1/b\n"), "{body}");
        assert_eq!(notice.fields.get("job-id"), None);
        assert_eq!(notice.event("")["severity"], "error");
    }

    #[test]
    fn verifications_tell_which_media_are_good_and_which_are_not() {
        let told = |id, damaged: &[&str], error| {
            let result = VerifyResult {
                task: ended(id, error),
                good: vec!["A00001L8".into()],
                damaged: damaged.iter().map(|label| (*label).into()).collect(),
                unread: Vec::new(),
            };
            read(result.notice(&host(), &recipient(), 5))
        };
        let (subject, body, notice) = told(Some("yearly"), &[], None);
        assert_eq!(subject, "Media Verification 'yearly' successful");
        assert!(body.contains("Good: A00001L8\n"), "{body}");
        assert_eq!(notice.fields["job-id"], "yearly");
        let (subject, body, notice) = told(None, &["A00002L8"], Some("not all are good"));
        assert_eq!(subject, "Media Verification failed");
        assert!(body.contains("not all are good\n"), "{body}");
        assert!(body.contains("Damaged: A00002L8\nNot verified: none\n"), "{body}");
        assert_eq!((notice.kind.as_str(), notice.severity), ("tape-verify", Severity::Error));
    }
}
