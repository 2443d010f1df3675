//! Datastores in `datastore.cfg` (`config.md` §4.3, `datastore.md` §13.3).

use std::path::PathBuf;

use reel_types::commands::NotificationMode;
use reel_types::{
    CalendarEvent, Comment, MaintenanceMode, MaintenanceType, Notify, ParseError, PropertyString,
    StoreName, Tuning, UserId,
};

use crate::entries::{Entry, put, put_bool, value};
use crate::section::{Document, Key, Schema, Section, SectionType, Unknown, ValueKind};
use crate::settings::ConfigPath;
use crate::{ConfigError, SectionFile};

const KEEP: ValueKind = ValueKind::Integer { min: 1, max: i64::MAX };

/// Where a removable datastore is mounted (`datastore.md` §13.3).
const REMOVABLE_MOUNTS: &str = "/mnt/datastore";

static FILE: SectionFile = SectionFile {
    name: "datastore.cfg",
    lock: ".datastore.lck",
    schema: Schema {
        types: &[SectionType {
            name: "datastore",
            check_id: |id| id.parse::<StoreName>().map(drop),
            keys: &[
                Key::optional("comment", ValueKind::parsed::<Comment>()),
                Key::optional("gc-schedule", ValueKind::parsed::<CalendarEvent>()),
                Key::optional("keep-last", KEEP),
                Key::optional("keep-hourly", KEEP),
                Key::optional("keep-daily", KEEP),
                Key::optional("keep-weekly", KEEP),
                Key::optional("keep-monthly", KEEP),
                Key::optional("keep-yearly", KEEP),
                Key::optional("maintenance-mode", ValueKind::parsed::<MaintenanceMode>()),
                Key::optional("notification-mode", ValueKind::parsed::<NotificationMode>()),
                Key::optional("notify", ValueKind::parsed::<Notify>()),
                Key::optional("notify-user", ValueKind::parsed::<UserId>()),
                Key::required("path", ValueKind::parsed::<ConfigPath>()),
                Key::optional("prune-schedule", ValueKind::parsed::<CalendarEvent>()),
                Key::optional("tuning", ValueKind::parsed::<Tuning>()),
                Key::optional("verify-new", ValueKind::Bool),
            ],
            check: |section| DatastoreConfig::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        // Later releases add keys, and share the file with us (`datastore.md` §13.3).
        unknown_keys: Unknown::Keep,
    },
};

/// What is configured about a datastore.
///
/// The legacy prune keys (`prune-schedule`, `keep-*`) stay in the file until they are deleted; they
/// can't be set here, since PBS turns them into prune jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct DatastoreConfig {
    /// Its name.
    pub name: StoreName,
    /// Its folder; absolute, but for a removable datastore relative to its device.
    pub path: ConfigPath,
    /// A comment.
    pub comment: Option<Comment>,
    /// When garbage is collected.
    pub gc_schedule: Option<CalendarEvent>,
    /// What is refused for now, and why.
    pub maintenance_mode: Option<MaintenanceMode>,
    /// How news reach people.
    pub notification_mode: Option<NotificationMode>,
    /// For which work legacy mails are sent.
    pub notify: Option<Notify>,
    /// Who gets legacy mails.
    pub notify_user: Option<UserId>,
    /// How it works inside.
    pub tuning: Option<Tuning>,
    /// Whether new snapshots are verified at once.
    pub verify_new: Option<bool>,
    /// The partition of a removable datastore; set by later releases of PBS.
    backing_device: Option<String>,
    /// Where the chunks are; set by later releases of PBS.
    backend: Option<String>,
}

impl DatastoreConfig {
    /// A datastore at `path` with defaults for all else.
    pub fn new(name: StoreName, path: ConfigPath) -> Self {
        Self {
            name,
            path,
            comment: None,
            gc_schedule: None,
            maintenance_mode: None,
            notification_mode: None,
            notify: None,
            notify_user: None,
            tuning: None,
            verify_new: None,
            backing_device: None,
            backend: None,
        }
    }

    /// The folder that holds its content: its path, or the mount point of a removable datastore.
    /// A datastore whose chunks are not in a file system is refused.
    pub fn base_path(&self) -> Result<PathBuf, ConfigError> {
        if let Some(backend) = &self.backend {
            let pairs = PropertyString::parse(backend, Some("type"))?;
            if pairs.get("type") != Some("filesystem") {
                return Err(ConfigError::Unsupported {
                    kind: Self::KIND,
                    name: self.name.to_string(),
                    reason: format!("its backend '{backend}' is not a file system"),
                });
            }
        }
        Ok(match self.backing_device {
            Some(_) => PathBuf::from(REMOVABLE_MOUNTS).join(&self.name),
            None => self.path.as_path().to_owned(),
        })
    }

    fn refuse(&self, reason: &str) -> ConfigError {
        let (kind, name) = (Self::KIND, self.name.to_string());
        ConfigError::Invalid { kind, name, reason: reason.into() }
    }
}

impl Entry for DatastoreConfig {
    const KIND: &'static str = "datastore";
    const SECTION: &'static str = "datastore";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &[
        "comment",
        "gc-schedule",
        "keep-last",
        "keep-hourly",
        "keep-daily",
        "keep-weekly",
        "keep-monthly",
        "keep-yearly",
        "maintenance-mode",
        "notification-mode",
        "notify",
        "notify-user",
        "prune-schedule",
        "tuning",
        "verify-new",
    ];
    type Name = StoreName;

    fn name(&self) -> &StoreName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let config = Self {
            name: section.id().parse()?,
            path: section.get("path").unwrap_or_default().parse()?,
            comment: value(section, "comment")?,
            gc_schedule: value(section, "gc-schedule")?,
            maintenance_mode: value(section, "maintenance-mode")?,
            notification_mode: value(section, "notification-mode")?,
            notify: value(section, "notify")?,
            notify_user: value(section, "notify-user")?,
            tuning: value(section, "tuning")?,
            verify_new: section.get("verify-new").map(reel_types::parse_bool).transpose()?,
            backing_device: section.get("backing-device").map(Into::into),
            backend: section.get("backend").map(Into::into),
        };
        if config.backing_device.is_none() {
            config.path.check_absolute("path of a datastore")?;
        }
        Ok(config)
    }

    fn write(&self, section: &mut Section) {
        put(section, "path", Some(&self.path));
        put(section, "comment", self.comment.as_ref());
        put(section, "gc-schedule", self.gc_schedule.as_ref());
        put(section, "maintenance-mode", self.maintenance_mode.as_ref());
        put(section, "notification-mode", self.notification_mode.as_ref());
        put(section, "notify", self.notify.as_ref());
        put(section, "notify-user", self.notify_user.as_ref());
        put(section, "tuning", self.tuning.as_ref());
        put_bool(section, "verify-new", self.verify_new);
    }

    /// A store that is being deleted stays so (`datastore.md` §13.1), and a store never moves.
    fn check(&self, before: Option<&Self>, _others: &Document) -> Result<(), ConfigError> {
        let Some(before) = before else { return Ok(()) };
        let deletes = |config: &Self| {
            config.maintenance_mode.as_ref().is_some_and(|m| m.mode == MaintenanceType::Delete)
        };
        if deletes(before) && !deletes(self) {
            return Err(self.refuse("it is being deleted; this maintenance mode can't be left"));
        }
        if before.path != self.path {
            return Err(self.refuse("its path can't be changed"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
