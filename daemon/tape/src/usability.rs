//! May the current media set take more data, and must a job start a new one (`tape-state.md` §6.1, §6.2)?
//!
//! Both answers are pure functions of a [`PoolView`]. The texts are PBS's, since they stand in task logs
//! that people and scripts read.

use std::fmt;

use reel_types::{
    AllocationPolicy, Fingerprint, MediaId, MediaLocation, MediaStatus, PoolName, VaultName,
};
use thiserror::Error;

use crate::inventory::InventoryEntry;
use crate::pool::PoolView;

/// What a media set that may be continued wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usability {
    /// Its last medium takes more data.
    Writable(MediaId),
    /// It has no medium yet, or its last one is full or out of reach: it goes on with another one.
    WantsMedium,
}

/// Why a media set may not be continued.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SetUnusable {
    /// The inventory lacks a medium of it.
    #[error("media set is incomplete (missing media information)")]
    Incomplete,
    /// A medium of it was written by another pool.
    #[error("media does not belong to pool ({medium} != {pool})")]
    OtherPool {
        /// The medium's pool.
        medium: PoolName,
        /// The pool that was asked.
        pool: PoolName,
    },
    /// The set was written with another key than the pool has now, or only one of both has a key.
    #[error("pool encryption key changed")]
    KeyChanged,
    /// The only medium that could be written was carried away.
    #[error("writable media offsite in vault '{0}'")]
    Offsite(VaultName),
    /// A medium is neither full nor the writable last one.
    #[error("unable to use media set - wrong media status {0:?}")]
    WrongStatus(MediaStatus),
}

/// Why a job starts a new media set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewSetReason {
    /// The user wants one.
    Forced,
    /// The current one can't be continued.
    Unusable(SetUnusable),
    /// The pool's policy wants one for each job.
    AlwaysCreate,
    /// The pool's calendar event happened since the current set was started.
    CreateAt,
}

impl fmt::Display for NewSetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forced => f.write_str("forced"),
            Self::Unusable(reason) => reason.fmt(f),
            Self::AlwaysCreate => f.write_str("policy is AlwaysCreate"),
            Self::CreateAt => f.write_str("policy CreateAt event triggered"),
        }
    }
}

impl PoolView<'_> {
    /// Whether the current set may be continued, and with which medium.
    ///
    /// That members sit at their own sequence number of their own set needs no test here: they are
    /// looked up by just that.
    pub fn usability(&self) -> Result<Usability, SetUnusable> {
        let mut usability = Usability::WantsMedium;
        for seq_nr in 0..self.members().map_or(0, |members| members.places()) {
            let entry = self.member(seq_nr).ok_or(SetUnusable::Incomplete)?;
            self.check_owner(entry)?;
            usability = self.check_status(entry)?;
        }
        Ok(usability)
    }

    /// Pool and key. Members that disagree about the key can't all have the pool's.
    fn check_owner(&self, entry: &InventoryEntry) -> Result<(), SetUnusable> {
        let Some(label) = entry.assigned_set() else { return Err(SetUnusable::Incomplete) };
        let pool = &self.rules().name;
        if label.pool != *pool {
            let (medium, pool) = (label.pool.clone(), pool.clone());
            return Err(SetUnusable::OtherPool { medium, pool });
        }
        let key: Option<Fingerprint> = label.encryption_key_fingerprint;
        if key == self.rules().encrypt { Ok(()) } else { Err(SetUnusable::KeyChanged) }
    }

    /// Only the last member is ever computed to be writable.
    fn check_status(&self, entry: &InventoryEntry) -> Result<Usability, SetUnusable> {
        match (self.status(entry), entry.location()) {
            (MediaStatus::Full, _) => Ok(Usability::WantsMedium),
            (MediaStatus::Writable, location) if self.site().reaches(&location) => {
                Ok(Usability::Writable(entry.uuid()))
            }
            (MediaStatus::Writable, MediaLocation::Vault(vault)) => {
                Err(SetUnusable::Offsite(vault))
            }
            (MediaStatus::Writable, _) => Ok(Usability::WantsMedium),
            (status, _) => Err(SetUnusable::WrongStatus(status)),
        }
    }

    /// Why a job that starts at `now` (UNIX seconds) would start a new set; none if it continues.
    pub fn reason_for_new_set(&self, now: i64, force: bool) -> Option<NewSetReason> {
        if force {
            return Some(NewSetReason::Forced);
        }
        if let Err(reason) = self.usability() {
            return Some(NewSetReason::Unusable(reason));
        }
        match &self.rules().allocation {
            AllocationPolicy::Continue => None,
            AllocationPolicy::Always => Some(NewSetReason::AlwaysCreate),
            AllocationPolicy::At(event) => {
                let start = self.inventory().set_start_time(self.current_set()?)?;
                let next = event.next_after(start, self.zone())?;
                (now >= next).then_some(NewSetReason::CreateAt)
            }
        }
    }
}
