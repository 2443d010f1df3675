//! How news about tapes reach people, in `reelfs.cfg`: one section `notifications: settings`.
//!
//! The file is reelfs's own (see `DriveCare`); PBS's `notifications.cfg` is not read.

use reel_types::commands::NotificationMode;
use reel_types::{HostName, ParseError, UserId};

use crate::entries::{Entry, number, put, put_number, value};
use crate::section::{Key, Schema, Section, SectionType, Unknown, ValueKind};
use crate::{ConfigDir, ConfigError, ConfigPath, Entries, SectionFile};

/// The only id of such a section.
const ID: &str = "settings";

static FILE: SectionFile = SectionFile {
    name: "reelfs.cfg",
    lock: ".reelfs.lck",
    schema: Schema {
        types: &[SectionType {
            name: "notifications",
            check_id: |id| match id {
                ID => Ok(()),
                _ => Err(ParseError::new("section id", id, "must be 'settings'")),
            },
            keys: &[
                Key::optional("from", ValueKind::Text(check_address)),
                Key::optional("hook", ValueKind::parsed::<ConfigPath>()),
                Key::optional("hook-timeout", ValueKind::Integer { min: 1, max: 3600 }),
                Key::optional("notification-mode", ValueKind::parsed::<NotificationMode>()),
                Key::optional("notify-user", ValueKind::parsed::<UserId>()),
                Key::optional("sendmail", ValueKind::parsed::<ConfigPath>()),
                Key::optional("smtp-mode", ValueKind::parsed::<SmtpMode>()),
                Key::optional("smtp-password-file", ValueKind::parsed::<ConfigPath>()),
                Key::optional("smtp-port", ValueKind::Integer { min: 1, max: 65535 }),
                Key::optional("smtp-server", ValueKind::parsed::<HostName>()),
                Key::optional("smtp-username", ValueKind::Text(check_username)),
            ],
            check: |section| NotificationSettings::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Keep,
        unknown_keys: Unknown::Keep,
    },
};

fn check_address(text: &str) -> Result<(), ParseError> {
    match text.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() => Ok(()),
        _ => Err(ParseError::new("mail address", text, "must be 'name@host'")),
    }
}

fn check_username(text: &str) -> Result<(), ParseError> {
    match text.is_empty() {
        true => Err(ParseError::new("user name", text, "must not be empty")),
        false => Ok(()),
    }
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmtpMode {
    /// Not at all.
    Insecure,
    /// It begins in the clear and goes on by TLS.
    StartTls,
    /// By TLS from the beginning.
    #[default]
    Tls,
}

impl std::fmt::Display for SmtpMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Insecure => "insecure",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
        })
    }
}

impl std::str::FromStr for SmtpMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "insecure" => Ok(Self::Insecure),
            "starttls" => Ok(Self::StartTls),
            "tls" => Ok(Self::Tls),
            _ => {
                let reason = "must be 'insecure', 'starttls' or 'tls'";
                Err(ParseError::new("smtp mode", text, reason))
            }
        }
    }
}

/// A mail server that is spoken to by SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// Where it is.
    pub host: HostName,
    /// Its port; the usual one of the mode by default.
    pub port: Option<u16>,
    /// How the way to it is protected.
    pub mode: SmtpMode,
    /// Who logs in there; nobody by default.
    pub username: Option<String>,
    /// The file with that user's password, readable by its owner alone.
    pub password_file: Option<ConfigPath>,
}

/// How news reach people; an absent value has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationSettings {
    /// Whose address mails come from; `root` of this computer by default.
    pub from: Option<String>,
    /// The mail server; the system's `sendmail` by default.
    pub server: Option<MailServer>,
    /// The program that takes mails; `/usr/sbin/sendmail` by default.
    pub sendmail: Option<ConfigPath>,
    /// The program that is told of events.
    pub hook: Option<ConfigPath>,
    /// How long that may take, in seconds; 30 by default.
    pub hook_timeout_s: Option<u64>,
    /// Who gets mails about what belongs to no job; `root@pam` by default.
    pub notify_user: Option<UserId>,
    /// How news that belong to no job reach people; mails by default.
    pub notification_mode: Option<NotificationMode>,
}

impl NotificationSettings {
    /// Those of a configuration; defaults where it has none.
    pub fn of(dir: &ConfigDir) -> Result<Self, ConfigError> {
        match Entries::<Self>::new(dir).get(&ID.to_owned()) {
            Err(ConfigError::NotFound { .. }) => Ok(Self::default()),
            other => other,
        }
    }
}

impl Entry for NotificationSettings {
    const KIND: &'static str = "notification settings";
    const SECTION: &'static str = "notifications";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &[];
    type Name = String;

    fn name(&self) -> &String {
        static NAME: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| ID.to_owned());
        &NAME
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let server = value(section, "smtp-server")?;
        let server = server.map(|host| {
            Ok(MailServer {
                host,
                port: number(section, "smtp-port"),
                mode: value(section, "smtp-mode")?.unwrap_or_default(),
                username: section.get("smtp-username").map(str::to_owned),
                password_file: value(section, "smtp-password-file")?,
            })
        });
        Ok(Self {
            from: section.get("from").map(str::to_owned),
            server: server.transpose()?,
            sendmail: value(section, "sendmail")?,
            hook: value(section, "hook")?,
            hook_timeout_s: number(section, "hook-timeout"),
            notify_user: value(section, "notify-user")?,
            notification_mode: value(section, "notification-mode")?,
        })
    }

    fn write(&self, section: &mut Section) {
        let server = self.server.as_ref();
        section.set("from", self.from.iter());
        put(section, "smtp-server", server.map(|server| &server.host));
        put_number(section, "smtp-port", server.and_then(|server| server.port));
        put(section, "smtp-mode", server.map(|server| &server.mode));
        section.set("smtp-username", server.and_then(|server| server.username.as_ref()));
        put(section, "smtp-password-file", server.and_then(|s| s.password_file.as_ref()));
        put(section, "sendmail", self.sendmail.as_ref());
        put(section, "hook", self.hook.as_ref());
        put_number(section, "hook-timeout", self.hook_timeout_s);
        put(section, "notify-user", self.notify_user.as_ref());
        put(section, "notification-mode", self.notification_mode.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn settings(content: &str) -> Result<NotificationSettings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE.name), content).unwrap();
        NotificationSettings::of(&ConfigDir::new(folder.path()))
    }

    #[test]
    fn settings_stand_beside_those_of_drives() {
        let text = "drive: drive0\n\tauto-clean true\n\nnotifications: settings\n\tfrom tapes@example.com\n\thook /usr/local/bin/tell\n\tsmtp-server mail.example.com\n\tsmtp-mode starttls\n\tsmtp-port 2525\n";
        let found = settings(text).unwrap();
        assert_eq!(found.from.as_deref(), Some("tapes@example.com"));
        let server = found.server.unwrap();
        assert_eq!((server.mode, server.port), (SmtpMode::StartTls, Some(2525)));
        assert_eq!(settings("").unwrap(), NotificationSettings::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (line, word) in [
            ("smtp-mode none", "'insecure', 'starttls' or 'tls'"),
            ("smtp-port 0", "1 to 65535"),
            ("from nobody", "name@host"),
            ("hook-timeout 0", "1 to 3600"),
            ("notify-user x", "key 'notify-user'"),
        ] {
            let error = settings(&format!("notifications: settings\n\t{line}\n")).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(word) && text.contains("line 2"), "{line}: {text}");
        }
        assert!(settings("notifications: other\n").is_err());
    }
}
