//! Telling people: tapes that have to be put in, how backups ended, what got worse (`tape-state.md` §15).
//!
//! News are kept in a spool first, and a thread of its own sends them: whatever a mail server or a program does, no job
//! waits for it or fails by it. What could surely not be sent is tried again, for a day; what may have been is not, and
//! the daemon's log says so. Nothing is sent twice.

mod mail;
mod notice;
mod program;
mod requests;
mod spool;
mod template;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use reel_config::{ConfigDir, ConfigPath, Entries, NotificationSettings, UserConfig};
use reel_tape::HealthWatch;
use reel_types::commands::NotificationMode;
use reel_types::{Clock, DriveName, UserId};
use serde_json::Value;

use mail::{Mail, text_of};
use notice::{Host, Template, health};
use spool::{DAY_S, Letter, Spool, name_of};

pub(crate) use notice::{BackupResult, EndedTask, LoadRequest, Notice, Recipient, VerifyResult};
pub(crate) use requests::Requests;

/// How long a program that is told of events may take, where the settings say nothing, in seconds.
const HOOK_LIMIT_S: u64 = 30;
/// The first pause after a failure, in seconds; each further one is twice as long.
const FIRST_PAUSE_S: i64 = 60;
/// The longest pause, in seconds.
const PAUSE_MAX_S: i64 = 3600;
/// Where templates of the operator lie, in the folder of the configuration.
pub(crate) const TEMPLATES: &str = "notification-templates";

/// Why something did not reach people.
#[derive(Debug)]
enum Undelivered {
    /// It surely did not go out: it may be tried again.
    Later(String),
    /// It may have gone out, or never will.
    Final(String),
}

/// Sends what people have to know.
pub(crate) struct Notifications {
    office: Arc<Office>,
    wake: mpsc::Sender<()>,
}

/// Everything that sending needs.
struct Office {
    spool: Spool,
    config: ConfigDir,
    clock: Arc<dyn Clock>,
    host: Host,
    /// One letter after the other.
    sending: Mutex<()>,
    is_closed: AtomicBool,
}

impl Notifications {
    /// Keeps what is to be sent in `folder`, and sends by what `config` says. What an earlier process left is sent.
    pub(crate) fn open(
        folder: PathBuf,
        config: ConfigDir,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let spool = Spool::open(folder)?;
        let host = Host::current();
        let (sending, is_closed) = Default::default();
        let office = Arc::new(Office { spool, config, clock, host, sending, is_closed });
        let (wake, woken) = mpsc::channel();
        let sender = Arc::clone(&office);
        // It ends with the last who could wake it.
        std::thread::Builder::new().name("notifications".into()).spawn(move || {
            while woken.recv().is_ok() {
                sender.send_all();
            }
        })?;
        let notifications = Self { office, wake };
        notifications.try_again();
        Ok(notifications)
    }

    /// This computer, as news name it.
    pub(crate) fn host(&self) -> &Host {
        &self.office.host
    }

    /// Tells people; each piece of news once.
    pub(crate) fn tell(&self, notice: Notice) {
        let kind = notice.kind.clone();
        match self.office.spool.add(notice) {
            Ok(true) => self.try_again(),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, kind, "a notification can't be kept, and nobody is told");
            }
        }
    }

    /// What a thread of news was about is over.
    pub(crate) fn settle(&self, thread: &str) {
        if let Err(error) = self.office.spool.settle(thread) {
            tracing::error!(%error, thread, "what was told of this can't be forgotten");
        }
    }

    /// Begins to send nothing more, and waits for what is being sent. The rest is sent by the next daemon.
    pub(crate) fn close(&self) {
        self.office.is_closed.store(true, Ordering::Relaxed);
        drop(self.office.sending.lock());
    }

    /// Sends what is due; what failed before, too.
    pub(crate) fn try_again(&self) {
        // It waits as long as there is somebody to wake it.
        let _ = self.wake.send(());
    }
}

impl HealthWatch for Notifications {
    fn got_worse(&self, drive: &DriveName, what: &str) {
        let settings = self.office.settings();
        let to = Recipient::of(&settings);
        self.tell(health(drive.as_str(), what, self.host(), to, self.office.clock.now()));
    }
}

impl Office {
    /// The settings; where they can't be read, the defaults, and a complaint.
    fn settings(&self) -> NotificationSettings {
        NotificationSettings::of(&self.config).unwrap_or_else(|error| {
            tracing::error!(%error, "the settings of notifications can't be read; defaults are used");
            NotificationSettings::default()
        })
    }

    fn send_all(&self) {
        let _one = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let sent = self.spool.due(now).and_then(|letters| {
            letters.into_iter().try_for_each(|letter| self.send(letter, now))?;
            self.spool.forget_old(now)
        });
        if let Err(error) = sent {
            tracing::error!(%error, "notifications can't be sent");
        }
    }

    fn send(&self, mut letter: Letter, now: i64) -> io::Result<()> {
        if self.is_closed.load(Ordering::Relaxed) || !self.spool.begin(&letter)? {
            return Ok(());
        }
        let kind = letter.notice.kind.clone();
        match self.deliver(&letter.notice) {
            Ok(()) => self.spool.end(&letter),
            Err(Undelivered::Later(reason))
                if now.saturating_sub(letter.notice.timestamp) < DAY_S =>
            {
                letter.tries += 1;
                letter.not_before = now + pause_s(letter.tries);
                let tries = letter.tries;
                tracing::error!(
                    kind,
                    tries,
                    "a notification was not sent, and is tried again later unless it is settled by then: {reason}"
                );
                self.spool.put_back(&letter)
            }
            Err(Undelivered::Later(reason) | Undelivered::Final(reason)) => {
                tracing::error!(kind, notice = ?letter.notice.data, "a notification was not sent: {reason}");
                self.spool.end(&letter)
            }
        }
    }

    fn deliver(&self, notice: &Notice) -> Result<(), Undelivered> {
        let settings = NotificationSettings::of(&self.config);
        let settings = settings.map_err(|error| Undelivered::Later(error.to_string()))?;
        let (subject, body) = self.text_of(notice)?;
        match notice.to.mode {
            NotificationMode::LegacySendmail => {
                let Some(to) = self.address_of(&notice.to.user)? else {
                    tracing::info!(user = %notice.to.user, subject, "no mail: the user has no email address");
                    return Ok(());
                };
                let mail = Mail {
                    to: &to,
                    subject: &subject,
                    body: &body,
                    id: &format!("{}.{}", notice.timestamp, name_of(notice)),
                    timestamp: notice.timestamp,
                };
                mail.send(&settings, &self.host)
            }
            NotificationMode::NotificationSystem => match &settings.hook {
                Some(hook) => {
                    let limit_s = settings.hook_timeout_s.unwrap_or(HOOK_LIMIT_S);
                    run_hook(hook, &notice.kind, &notice.event(&subject), limit_s)
                }
                None => {
                    tracing::info!(
                        kind = notice.kind,
                        subject,
                        "no 'hook' in reelfs.cfg is told of this event"
                    );
                    Ok(())
                }
            },
        }
    }

    /// The mail address of a user; none of one who has none.
    fn address_of(&self, user: &UserId) -> Result<Option<String>, Undelivered> {
        match Entries::<UserConfig>::new(&self.config).get(user) {
            Ok(user) => Ok(user.email.map(|email| email.to_string())),
            Err(error) => Err(Undelivered::Later(format!("who is '{user}'? {error}"))),
        }
    }

    /// Subject and body, by the operator's template where that is one.
    fn text_of(&self, notice: &Notice) -> Result<(String, String), Undelivered> {
        let own = self.own_template(notice.template);
        if let Some((path, text)) = own {
            match text_of(&text, notice) {
                Ok(text) => return Ok(text),
                Err(error) => {
                    let path = path.display();
                    tracing::error!(%path, %error, "the template is not used; the one of the program is");
                }
            }
        }
        text_of(notice.template.built_in(), notice)
            .map_err(|error| Undelivered::Final(format!("the program's template: {error}")))
    }

    fn own_template(&self, template: Template) -> Option<(PathBuf, String)> {
        let path = self.config.file(TEMPLATES).join(format!("{}.txt", template.name()));
        match std::fs::read_to_string(&path) {
            Ok(text) => Some((path, text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a template can't be read");
                None
            }
        }
    }
}

/// How long to wait after so many failures, in seconds.
fn pause_s(tries: u32) -> i64 {
    FIRST_PAUSE_S.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(PAUSE_MAX_S)
}

fn run_hook(hook: &ConfigPath, kind: &str, event: &Value, limit_s: u64) -> Result<(), Undelivered> {
    let input = format!("{event}\n");
    let limit = Duration::from_secs(limit_s);
    let ran = program::run(hook.as_path(), &[OsStr::new(kind)], input.as_bytes(), limit);
    ran.map_err(|error| match error.is_before_start() {
        true => Undelivered::Later(error.to_string()),
        // It may have told somebody before.
        false => Undelivered::Final(error.to_string()),
    })
}
