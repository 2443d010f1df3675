//! Media pools: which medium a job writes next (`tape-state.md` §5, §6).
//!
//! Rules and facts make everything that a pool decides, so all of that is pure: a [`PoolView`] looks at an
//! [`Inventory`] by the [`PoolRules`] and tells status, usability, expiry and candidates. Listings use
//! nothing else. [`MediaPool`] is what a job holds: the locks, the set that it writes, and the two changes
//! that are made on the way: a medium joins the set, a medium is full.
//!
//! A job keeps its set locked, so the members can't change under it and the cheap question "is the last
//! medium still writable" (asked before every archive) is answered from memory. Choosing another medium
//! is done under the pool's lock on a freshly read inventory, since other jobs choose from the same media.

mod plan;
mod rules;
mod view;

use std::time::Duration;

use jiff::tz::TimeZone;
use reel_types::{LabelText, MediaId, MediaSetId, MediaStatus};

use crate::inventory::{Inventory, InventoryEntry, InventoryFile};
use crate::label::{MediaLabels, MediaSetLabel};
use crate::state_dir::{Patience, StateDir, StateLock};
use crate::usability::{NewSetReason, Usability};
use crate::{Error, Result};

pub(crate) use plan::start_line;
pub use plan::{Choice, PoolPlan};
pub use rules::{PoolRules, Site};
pub use view::PoolView;
pub(crate) use view::lasting_status;

/// Makes identities of new media sets (random ones, but for tests).
pub type NewSetId = Box<dyn FnMut() -> MediaSetId + Send>;

/// A pool as a job holds it, with its current media set locked.
pub struct MediaPool {
    state: StateDir,
    file: InventoryFile,
    inventory: Inventory,
    rules: PoolRules,
    site: Site,
    zone: TimeZone,
    new_set_id: NewSetId,
    patience: Patience,
    current_set: MediaSetId,
    set_lock: StateLock,
    passed_over: Vec<BusyMedium>,
}

/// An expired medium that is not reused now, since somebody reads or writes its old set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyMedium {
    /// Its label.
    pub label_text: LabelText,
    /// The set.
    pub media_set: MediaSetId,
}

/// The medium that takes the next archive.
#[derive(Debug, Clone, PartialEq)]
pub struct WritableMedium {
    /// Its labels, as they are or must come to be on the tape.
    pub labels: MediaLabels,
    /// The set label in it, once more without the doubt whether there is one.
    pub set_label: MediaSetLabel,
    /// Why it is this one.
    pub choice: Choice,
}

impl WritableMedium {
    /// Whether it joined the set just now, so that it wants a new set label and catalog.
    pub fn is_new(&self) -> bool {
        self.choice != Choice::Current
    }
}

/// A medium, why it is that one, and the lock of the set that it leaves.
type ChosenMedium = (Choice, InventoryEntry, Option<StateLock>);

impl MediaPool {
    /// Opens a pool and locks its newest set, or a new one where there is none.
    ///
    /// `site` says which media the job's drive can get at, `zone` is the local time zone, `patience` how each lock is
    /// waited for but that of the set, which somebody may hold for hours: the pool would be locked as long. An error is
    /// [`Error::Locked`] while another job or a restore has the set.
    pub fn open(
        state: StateDir,
        rules: PoolRules,
        site: Site,
        zone: TimeZone,
        mut new_set_id: NewSetId,
        patience: Patience,
    ) -> Result<Self> {
        let _pool_lock = state.lock_pool(&rules.name, &patience)?;
        let file = InventoryFile::new(state.clone());
        let inventory = file.load()?;
        let current_set = inventory.latest_set(&rules.name).unwrap_or_else(&mut new_set_id);
        let set_lock = state.lock_media_set(current_set, Duration::ZERO)?;
        Ok(Self {
            state,
            file,
            inventory,
            rules,
            site,
            zone,
            new_set_id,
            patience,
            current_set,
            set_lock,
            passed_over: Vec::new(),
        })
    }

    /// The rules it was opened with.
    pub fn rules(&self) -> &PoolRules {
        &self.rules
    }

    /// The set that is written; it may have no medium yet.
    pub fn current_set(&self) -> MediaSetId {
        self.current_set
    }

    /// The inventory as this pool last read it.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What [`MediaPool::alloc_writable_media`] passed over at its last call, in the order in which it was looked at.
    pub fn passed_over(&self) -> &[BusyMedium] {
        &self.passed_over
    }

    /// The media of the current set, without gaps.
    pub fn members(&self) -> Result<Vec<MediaId>> {
        self.inventory.set_members(self.current_set)?.complete()
    }

    /// What the pool makes of its media now.
    pub fn view(&self) -> Result<PoolView<'_>> {
        let current_set = Some(self.current_set);
        PoolView::new(&self.rules, &self.inventory, current_set, &self.site, &self.zone)
    }

    /// Decides at the start of a job whether to continue the current set; tells why not.
    ///
    /// Nothing is stored for a new set before it has a medium.
    pub fn start_write_session(&mut self, now: i64, force: bool) -> Result<Option<NewSetReason>> {
        let _pool_lock = self.state.lock_pool(&self.rules.name, &self.patience)?;
        self.inventory = self.file.load()?;
        let reason = self.view()?.reason_for_new_set(now, force);
        if reason.is_some() {
            let set = (self.new_set_id)();
            self.set_lock = self.state.lock_media_set(set, &self.patience)?;
            self.current_set = set;
        }
        Ok(reason)
    }

    /// The medium for the next archive: the set's last one, or another that joins the set at `now`.
    ///
    /// `new_catalog` is called with the labels of a medium that joins, before the inventory says that it
    /// did: it replaces the medium's catalog by an empty one of the new set.
    pub fn alloc_writable_media(
        &mut self,
        now: i64,
        new_catalog: impl FnOnce(&MediaLabels) -> Result<()>,
    ) -> Result<WritableMedium> {
        self.passed_over.clear();
        if let Some(medium) = self.writable_member()? {
            return Ok(medium);
        }
        let _pool_lock = self.state.lock_pool(&self.rules.name, &self.patience)?;
        self.inventory = self.file.load()?;
        if let Some(medium) = self.writable_member()? {
            return Ok(medium);
        }
        let (chosen, passed_over) = self.choose_from_pool(now)?;
        self.passed_over = passed_over;
        if let Some((choice, entry, _old_set_lock)) = chosen {
            return self.join_set((choice, &entry), now, new_catalog);
        }
        let _free_lock = self.state.lock_unassigned_pool(&self.patience)?;
        self.inventory = self.file.load()?;
        match self.view()?.free_media().first() {
            Some(entry) => self.join_set((Choice::Free, &(*entry).clone()), now, new_catalog),
            None => Err(Error::NoUsableMedia { pool: self.rules.name.clone() }),
        }
    }

    /// Whether a medium that carries these labels may be written over at `now`, whatever the inventory says that it
    /// carries.
    pub(crate) fn may_overwrite(&self, found: &MediaLabels, now: i64) -> Result<bool> {
        let mut inventory = self.inventory.clone();
        inventory.store(found.clone(), true);
        let Self { rules, site, zone, .. } = self;
        let view = PoolView::new(rules, &inventory, Some(self.current_set), site, zone)?;
        Ok(view.is_expired(inventory.require(found.label.uuid)?, now))
    }

    /// Notes that a medium took all it can.
    pub fn set_full(&mut self, medium: MediaId) -> Result<()> {
        self.update(|inventory| inventory.set_status(medium, Some(MediaStatus::Full)))
    }

    /// Notes how many native bytes the drive counted on a medium.
    pub fn set_bytes_used(&mut self, medium: MediaId, bytes_used: Option<u64>) -> Result<()> {
        self.update(|inventory| inventory.set_bytes_used(medium, bytes_used))
    }

    /// Changes the inventory file, and knows the outcome.
    fn update(&mut self, change: impl FnOnce(&mut Inventory) -> Result<()>) -> Result<()> {
        self.inventory = self.file.update(self.patience.most(), |inventory| {
            change(inventory)?;
            Ok(inventory.clone())
        })?;
        Ok(())
    }

    fn writable_member(&self) -> Result<Option<WritableMedium>> {
        let usability = self.view()?.usability().map_err(|reason| Error::SetUnusable {
            pool: self.rules.name.clone(),
            set: self.current_set,
            reason,
        })?;
        let Usability::Writable(medium) = usability else { return Ok(None) };
        let entry = self.inventory.require(medium)?;
        let (labels, set_label) = (entry.labels.clone(), entry.assigned_set().cloned());
        let choice = Choice::Current;
        Ok(set_label.map(|set_label| WritableMedium { labels, set_label, choice }))
    }

    /// The best empty medium of the pool, else the best expired one with the lock of its old set; and better ones whose
    /// sets are locked.
    fn choose_from_pool(&self, now: i64) -> Result<(Option<ChosenMedium>, Vec<BusyMedium>)> {
        let view = self.view()?;
        let mut passed_over = Vec::new();
        if let Some(entry) = view.empty_media().first() {
            return Ok((Some((Choice::Empty, (*entry).clone(), None)), passed_over));
        }
        for entry in view.expired_media(now) {
            let Some(label) = entry.assigned_set() else { continue };
            match self.state.lock_media_set(label.uuid, Duration::ZERO) {
                Ok(lock) => {
                    let chosen = (Choice::Expired, entry.clone(), Some(lock));
                    return Ok((Some(chosen), passed_over));
                }
                Err(Error::Locked { .. }) => passed_over.push(BusyMedium {
                    label_text: entry.labels.label.label_text.clone(),
                    media_set: label.uuid,
                }),
                Err(error) => return Err(error),
            }
        }
        Ok((None, passed_over))
    }

    /// The time in a new set label: `now`, unless that lies in front of labels that the pool has.
    ///
    /// Which set is the newest and what expires when hangs on the order of these times, so a clock that was set back must
    /// not change that order.
    fn label_time(&self, now: i64) -> i64 {
        let labels = self.inventory.media_in_pool(&self.rules.name);
        let after = labels
            .filter_map(InventoryEntry::assigned_set)
            .map(|label| label.ctime.saturating_add(i64::from(label.uuid != self.current_set)));
        after.fold(now, i64::max)
    }

    /// Makes a medium the last of the set.
    fn join_set(
        &mut self,
        (choice, entry): (Choice, &InventoryEntry),
        now: i64,
        new_catalog: impl FnOnce(&MediaLabels) -> Result<()>,
    ) -> Result<WritableMedium> {
        let set_label = MediaSetLabel {
            ctime: self.label_time(now),
            encryption_key_fingerprint: self.rules.encrypt,
            key_config: None,
            pool: self.rules.name.clone(),
            seq_nr: self.inventory.set_members(self.current_set)?.places(),
            uuid: self.current_set,
        };
        let label = entry.labels.label.clone();
        let labels = MediaLabels { label, media_set_label: Some(set_label.clone()) };
        new_catalog(&labels)?;
        self.update(|inventory| {
            require_unchanged(inventory, entry)?;
            inventory.store(labels.clone(), true);
            Ok(())
        })?;
        Ok(WritableMedium { labels, set_label, choice })
    }
}

/// Somebody who doesn't take the pool's lock may have relabelled the medium since it was chosen.
fn require_unchanged(inventory: &Inventory, chosen: &InventoryEntry) -> Result<()> {
    let now = inventory.require(chosen.uuid())?;
    if (&now.labels, now.status) == (&chosen.labels, chosen.status) {
        return Ok(());
    }
    let label_text = &chosen.labels.label.label_text;
    Err(Error::InvalidInput(format!(
        "medium '{label_text}' was changed by somebody else while it was being allocated; try again"
    )))
}

#[cfg(test)]
mod tests;
