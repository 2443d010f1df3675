//! What a backup that starts now would do with a pool's media, and why. Nothing is changed to find out.

use std::fmt;

use jiff::tz::TimeZone;
use reel_types::{AllocationPolicy, MediaLocation, MediaSetId, MediaStatus, rfc3339};

use super::{PoolRules, PoolView, Site, lasting_status};
use crate::Result;
use crate::inventory::{Inventory, InventoryEntry, SetMembers};
use crate::usability::{NewSetReason, Usability};

const NO_SET: &str = "the pool has no media set yet";

/// Why a medium is the one to write (`tape-state.md` §6.3), in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It is the last of the set that is written.
    Current,
    /// It belongs to the pool and holds nothing.
    Empty,
    /// It belongs to the pool and may be written over.
    Expired,
    /// It belongs to no pool and holds nothing.
    Free,
}

impl Choice {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Empty => "empty",
            Self::Expired => "expired",
            Self::Free => "free",
        }
    }
}

/// The reason, for people.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "last medium of the media set",
            Self::Empty => "empty medium of the pool that was labelled first",
            Self::Expired => "no empty medium in the pool; expired medium of the oldest media set",
            Self::Free => {
                "no empty or expired medium in the pool; free medium that was labelled first"
            }
        })
    }
}

/// What a backup would do.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolPlan<'a> {
    /// The set that it would write; none for one that is yet to come.
    pub set: Option<MediaSetId>,
    /// Whether it would begin a set, although there is one.
    pub new_set: bool,
    /// Why.
    pub reason: String,
    /// The media that it would write, in their order.
    pub media: Vec<(Choice, &'a InventoryEntry)>,
    /// The pool's other media, with the reason why not.
    pub out_of_use: Vec<(&'a InventoryEntry, String)>,
    /// The pool's full media and from when on they may be written over (UNIX seconds), the first in front; none for
    /// never, as far as is known.
    pub expiry: Vec<(&'a InventoryEntry, Option<i64>)>,
}

impl<'a> PoolPlan<'a> {
    /// The plan of a job that starts at `now` (UNIX seconds) on a drive that reaches the media of `site`.
    pub fn of_job_at(
        rules: &'a PoolRules,
        inventory: &'a Inventory,
        site: &'a Site,
        zone: &'a TimeZone,
        now: i64,
    ) -> Result<Self> {
        let latest = inventory.latest_set(&rules.name);
        let before = PoolView::new(rules, inventory, latest, site, zone)?;
        let new_set = before.reason_for_new_set(now, false);
        let view = PoolView::of_job_at(rules, inventory, site, zone, now)?;
        let mut media = view.current_medium().map(|entry| (Choice::Current, entry)).into_iter();
        let media: Vec<_> = media.by_ref().chain(view.candidates(now)).collect();
        let is_used =
            |entry: &InventoryEntry| media.iter().any(|(_, used)| used.uuid() == entry.uuid());
        let others = inventory.media_in_pool(&rules.name).filter(|entry| !is_used(entry));
        let out_of_use = others.map(|entry| (entry, view.why_not(entry, now))).collect();
        Ok(Self {
            set: view.current_set(),
            new_set: latest.is_none() || new_set.is_some(),
            reason: match &new_set {
                Some(reason) => reason.to_string(),
                None => view.reason_to_continue(),
            },
            media,
            out_of_use,
            expiry: view.expiry(),
        })
    }
}

impl<'a> PoolView<'a> {
    /// The medium that the current set goes on with, where it needs no other.
    fn current_medium(&self) -> Option<&'a InventoryEntry> {
        match self.usability() {
            Ok(Usability::Writable(medium)) => self.inventory().get(medium),
            _ => None,
        }
    }

    /// The media that may join the current set at `now` (UNIX seconds), the one to take first in front.
    pub fn candidates(&self, now: i64) -> Vec<(Choice, &'a InventoryEntry)> {
        let with = |choice: Choice| move |entry: &'a InventoryEntry| (choice, entry);
        let empty = self.empty_media().into_iter().map(with(Choice::Empty));
        let expired = self.expired_media(now).into_iter().map(with(Choice::Expired));
        empty.chain(expired).chain(self.free_media().into_iter().map(with(Choice::Free))).collect()
    }

    /// Whether the current set has no media yet.
    fn is_first_set(&self) -> bool {
        self.members().is_none_or(SetMembers::is_empty)
    }

    /// Why a job that starts now goes on with the current set.
    pub(crate) fn reason_to_continue(&self) -> String {
        let Some(set) = self.current_set().filter(|_| !self.is_first_set()) else {
            return NO_SET.into();
        };
        let mut reason = match &self.rules().allocation {
            AllocationPolicy::Continue | AllocationPolicy::Always => {
                "policy is Continue".to_owned()
            }
            AllocationPolicy::At(event) => {
                let start = self.inventory().set_start_time(set);
                match start.map(|start| event.next_after(start, self.zone())) {
                    None => "it is not known when the media set was begun".into(),
                    Some(None) => format!("policy '{event}' has no further event"),
                    Some(Some(next)) => {
                        format!(
                            "policy '{event}' begins the next one at {}",
                            rfc3339(next, self.zone())
                        )
                    }
                }
            }
        };
        if let Some(last) = self.last_out_of_reach() {
            let label = &last.labels.label.label_text;
            reason +=
                &format!("; it goes on with another medium, for '{label}' is {}", place_of(last));
        }
        reason
    }

    /// The set's last medium, where it could be written and is not at hand.
    fn last_out_of_reach(&self) -> Option<&'a InventoryEntry> {
        let (_, medium) = self.members()?.last()?;
        let entry = self.inventory().get(medium)?;
        let is_writable = self.status(entry) == MediaStatus::Writable;
        (is_writable && !self.site().reaches(&entry.location())).then_some(entry)
    }

    /// Why a job that starts at `now` does not write a medium of the pool.
    fn why_not(&self, entry: &InventoryEntry, now: i64) -> String {
        let is_current = |set| Some(set) == self.current_set();
        match self.status(entry) {
            MediaStatus::Damaged => return "damaged".into(),
            MediaStatus::Retired => return "retired".into(),
            MediaStatus::Unknown => return "its set label names another pool".into(),
            MediaStatus::Full if entry.assigned_set().is_some_and(|set| is_current(set.uuid)) => {
                return "full, in the media set that is written".into();
            }
            MediaStatus::Full
                if lasting_status(entry).is_some() && entry.assigned_set().is_none() =>
            {
                return "marked full".into();
            }
            MediaStatus::Full if !self.is_expired(entry, now) => {
                return match self.expires_at(entry) {
                    Some(time) => format!("kept until {}", rfc3339(time, self.zone())),
                    None => "kept".into(),
                };
            }
            MediaStatus::Full | MediaStatus::Writable => {}
        }
        place_of(entry)
    }

    fn expiry(&self) -> Vec<(&'a InventoryEntry, Option<i64>)> {
        let media = self.inventory().media_in_pool(&self.rules().name);
        let full = media.filter(|entry| {
            entry.assigned_set().is_some() && self.status(entry) == MediaStatus::Full
        });
        let mut expiry: Vec<_> = full.map(|entry| (entry, self.expires_at(entry))).collect();
        expiry.sort_by_key(|(entry, time)| {
            (time.unwrap_or(i64::MAX), entry.labels.label.label_text.clone())
        });
        expiry
    }
}

/// Where a medium is that the drive of a job does not reach.
fn place_of(entry: &InventoryEntry) -> String {
    match entry.location() {
        MediaLocation::Offline => "offline".into(),
        MediaLocation::Online(library) => format!("in library '{library}', where the drive is not"),
        MediaLocation::Vault(vault) => format!("in vault '{vault}'"),
    }
}

/// What is written at the start of a job about the set: why there is a new one, or why not.
pub(crate) fn start_line(view: &PoolView<'_>, reason: Option<&NewSetReason>) -> String {
    match reason {
        Some(reason) => format!("starting new media set - reason: {reason}"),
        None if view.is_first_set() => format!("starting media set - reason: {NO_SET}"),
        None => format!("continuing media set - reason: {}", view.reason_to_continue()),
    }
}
