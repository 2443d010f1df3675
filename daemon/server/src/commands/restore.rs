//! Restores from tape, and reading what is on it (`cli-tape.md` §4).

use std::collections::BTreeMap;
use std::sync::Arc;

use reel_tape::catalog_restore::{CatalogOptions, restore_catalog};
use reel_tape::fetch::fetch;
use reel_tape::medium::load_by_label;
use reel_tape::restore::{self, RestoreJob, restore};
use reel_tape::set_contents::SetSnapshot;
use reel_types::commands::{Catalog, Fetch, Restore};
use reel_types::{AuthId, DriveName, MediaSetId, StoreName};

use super::Done;
use super::plan::Choice;
use crate::drives::ConfiguredDrive;
use crate::failure::Outcome;
use crate::notifications::Recipient;
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn restore(self: &Arc<Self>, command: &Restore, who: &AuthId) -> Outcome<Done> {
        let targets = command.store.targets();
        let in_use = targets
            .into_iter()
            .map(|name| self.stores.begin_writing(name))
            .collect::<Outcome<Vec<_>>>()?;
        let stores: BTreeMap<_, _> = in_use
            .iter()
            .map(|target| (target.store().name().clone(), Arc::clone(target.store())))
            .collect();
        let job = RestoreJob {
            sets: command.media_set.sets().to_vec(),
            map: command.store.clone(),
            stores,
            snapshots: command.snapshots.clone(),
            namespaces: command.namespaces.clone(),
            owner: command.owner.clone().unwrap_or_else(|| who.clone()),
        };
        restore::check(&self.tape, &job)?;
        let desk = self.drives.chosen(command.drive.as_ref())?;
        for set in &job.sets {
            self.require_key(*set, desk.name())?;
        }
        let names: Vec<&str> = job.stores.keys().map(StoreName::as_str).collect();
        let (reeld, id) = (Arc::clone(self), names.join(", "));
        let user = command.notify_user.as_ref().and_then(|id| id.user().parse().ok());
        let (to, asker) = (Recipient::chosen(None, user), format!("restore {}", command.media_set));
        let asks = !command.skip_missing;
        self.drive_task(&desk, "tape-restore", &id, who, move |hold, task| {
            let _in_use = in_use;
            if asks {
                reeld.ask_for_media(hold, to, &asker)?;
            }
            restore(&reeld.tape, hold, &job, task)?;
            Ok(())
        })
    }

    pub(super) fn fetch(self: &Arc<Self>, command: &Fetch, who: &AuthId) -> Outcome<Done> {
        let contents = self.set_contents(command.media_set)?;
        let desk = self.drives.chosen(command.drive.as_ref())?;
        self.require_key(command.media_set, desk.name())?;
        let (reeld, wanted) = (Arc::clone(self), Choice::from(command));
        let id = command.media_set.to_string();
        let to = Recipient::chosen(None, command.notify_user.clone());
        let asks = !command.skip_missing;
        self.drive_task(&desk, "fetch", &id, who, move |hold, task| {
            if asks {
                reeld.ask_for_media(hold, to, &format!("fetch {}", task.upid()))?;
            }
            let is_wanted = |found: &SetSnapshot| wanted.contains(found);
            fetch(&reeld.tape, hold, &contents, is_wanted, task)?;
            Ok(())
        })
    }

    pub(super) fn catalog(self: &Arc<Self>, command: &Catalog, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let options =
            CatalogOptions { force: command.force, scan: command.scan, verbose: command.verbose };
        let (reeld, label) = (Arc::clone(self), command.label_text.clone());
        let id = desk.name().to_string();
        self.drive_task(&desk, "catalog-media", &id, who, move |hold, task| {
            if let Some(label) = &label {
                load_by_label(hold, label)?;
            }
            restore_catalog(&reeld.tape, hold, options, task)?;
            Ok(reeld.refresh_online_status()?)
        })
    }

    /// Refuses to read a media set whose key is not known, before anything is moved. A drive of files has never
    /// encrypted anything and needs none.
    pub(super) fn require_key(&self, set: MediaSetId, drive: &DriveName) -> Outcome<()> {
        match self.drives.config(drive)? {
            ConfiguredDrive::Virtual(_) => Ok(()),
            ConfiguredDrive::Lto(..) => Ok(reel_tape::require_key(&self.tape, set)?),
        }
    }
}
