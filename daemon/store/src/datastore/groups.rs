//! Namespaces and groups: making them, owner and notes (`datastore.md` §4.4).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use reel_types::{AuthId, GroupPath, Namespace};

use super::Datastore;
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, exists, read_bounded, remove_file_if_there};
use crate::locks::FolderLock;

const FOLDER_MODE: u32 = 0o777;
const OWNER_FILE: &str = "owner";
const NOTES_FILE: &str = "notes";
/// An auth id has at most 64 characters.
const OWNER_BYTES_MAX: u64 = 4096;
/// Far more than anybody writes by hand.
const NOTES_BYTES_MAX: u64 = 1 << 20;

impl Datastore {
    /// Makes a namespace; its parent must be there.
    pub fn create_namespace(&self, namespace: &Namespace) -> Result<(), StoreError> {
        let tried = || format!("create namespace '{namespace}' of datastore '{}'", self.name());
        let Some(parent) = namespace.parent() else {
            let reason = "the root namespace is always there";
            return Err(StoreError::new(StoreErrorKind::Exists, tried(), reason));
        };
        let list = self.require_namespace(&parent)?.join("ns");
        self.make_folder_if_missing(&list).tried(tried)?;
        self.user().make_dir(&self.namespace_dir(namespace), FOLDER_MODE).tried(tried)
    }

    /// Makes a group that belongs to `owner`, or finds the one that is there; the owner as it stands,
    /// and the group's lock.
    ///
    /// Whether somebody may use a group that exists is for the caller to ask: see
    /// [`Datastore::check_owner`].
    pub fn create_group(
        &self,
        group: &GroupPath,
        owner: &AuthId,
    ) -> Result<(AuthId, FolderLock), StoreError> {
        let kind_dir = self.require_namespace(&group.namespace)?.join(group.group.kind.as_str());
        let tried = || format!("create {}", self.group_text(group));
        self.make_folder_if_missing(&kind_dir).tried(tried)?;
        match self.user().make_dir(&self.group_dir(group), FOLDER_MODE) {
            Ok(()) => self.own_new_group(group, owner).inspect_err(|_| self.undo_group(group)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let lock = self.lock_group(group)?;
                Ok((self.owner(group)?, lock))
            }
            Err(error) => Err(StoreError::io(tried(), error)),
        }
    }

    fn own_new_group(
        &self,
        group: &GroupPath,
        owner: &AuthId,
    ) -> Result<(AuthId, FolderLock), StoreError> {
        let lock = self.lock_group(group)?;
        self.write_first_owner(group, owner)
            .tried(|| format!("create {}", self.group_text(group)))?;
        Ok((self.owner(group)?, lock))
    }

    /// A group without an owner would be of no use to anybody.
    fn undo_group(&self, group: &GroupPath) {
        let dir = self.group_dir(group);
        let undone =
            remove_file_if_there(&dir.join(OWNER_FILE)).and_then(|()| fs::remove_dir(&dir));
        if let Err(error) = undone {
            tracing::warn!("remove the group without owner at {dir:?}: {error}");
        }
    }

    fn make_folder_if_missing(&self, path: &Path) -> io::Result<()> {
        match self.user().make_dir(path, FOLDER_MODE) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    fn write_first_owner(&self, group: &GroupPath, owner: &AuthId) -> io::Result<()> {
        let path = self.group_dir(group).join(OWNER_FILE);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        writeln!(file, "{owner}")?;
        self.user().own(&file)
    }

    /// Who owns the group; a missing or unreadable owner is an error, never a default.
    pub fn owner(&self, group: &GroupPath) -> Result<AuthId, StoreError> {
        let what = format!("the owner of {}", self.group_text(group));
        self.require_group(group)?;
        let advice = "set the group's owner anew";
        let content = read_bounded(&self.group_dir(group).join(OWNER_FILE), OWNER_BYTES_MAX, &what)
            .map_err(|error| error.advise(advice))?;
        let unreadable = |cause: Box<dyn std::error::Error + Send + Sync>| {
            StoreError::new(StoreErrorKind::Corrupt, format!("read {what}"), cause.to_string())
                .advise(advice)
                .caused_by(cause)
        };
        let text = std::str::from_utf8(&content).map_err(|cause| unreadable(cause.into()))?;
        let line = text.lines().next().unwrap_or("").trim_end();
        line.parse().map_err(|cause: reel_types::ParseError| unreadable(cause.into()))
    }

    /// Fails unless `actor` may act as owner of the group.
    pub fn check_owner(&self, group: &GroupPath, actor: &AuthId) -> Result<(), StoreError> {
        let owner = self.owner(group)?;
        self.check_ownership(group, &owner, actor)
    }

    pub(super) fn check_ownership(
        &self,
        group: &GroupPath,
        owner: &AuthId,
        actor: &AuthId,
    ) -> Result<(), StoreError> {
        if owner.is_owned_by(actor) {
            return Ok(());
        }
        let tried = format!("use {} as '{actor}'", self.group_text(group));
        let reason = format!("it belongs to '{owner}'");
        Err(StoreError::new(StoreErrorKind::Permission, tried, reason)
            .advise("act as its owner, or change the owner"))
    }

    /// Gives the group to `owner`.
    pub fn set_owner(&self, group: &GroupPath, owner: &AuthId) -> Result<(), StoreError> {
        self.require_group(group)?;
        let content = format!("{owner}\n");
        self.replace_in_group(group, OWNER_FILE, content.as_bytes())
            .tried(|| format!("set the owner of {}", self.group_text(group)))
    }

    /// The group's notes; empty where there are none.
    pub fn group_notes(&self, group: &GroupPath) -> Result<String, StoreError> {
        self.require_group(group)?;
        let what = format!("the notes of {}", self.group_text(group));
        let path = self.group_dir(group).join(NOTES_FILE);
        match read_bounded(&path, NOTES_BYTES_MAX, &what) {
            Ok(content) => String::from_utf8(content).map_err(|cause| {
                let tried = format!("read {what}");
                StoreError::new(StoreErrorKind::Corrupt, tried, "they are not UTF-8")
                    .advise("write the notes anew")
                    .caused_by(cause)
            }),
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the group's notes.
    pub fn set_group_notes(&self, group: &GroupPath, notes: &str) -> Result<(), StoreError> {
        self.require_group(group)?;
        self.replace_in_group(group, NOTES_FILE, notes.as_bytes())
            .tried(|| format!("set the notes of {}", self.group_text(group)))
    }

    fn replace_in_group(&self, group: &GroupPath, name: &str, content: &[u8]) -> io::Result<()> {
        self.user().replace(&self.group_dir(group), name, content, FILE_MODE)
    }

    fn require_group(&self, group: &GroupPath) -> Result<(), StoreError> {
        let dir = self.group_dir(group);
        if exists(&dir).tried(|| format!("open {}", self.group_text(group)))? {
            return Ok(());
        }
        Err(self.no_such_group(group))
    }
}
