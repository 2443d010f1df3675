//! The media of the set, and having the right one in the drive.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;

use reel_types::{
    Fingerprint, LabelText, MediaId, MediaLocation, MediaSetId, MediaStatus, PoolName,
};

use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::inventory::{Inventory, InventoryEntry};
use crate::label::{MediaLabels, MediaSetLabel};
use crate::media_catalog::{CatalogExpectation, CatalogReader, CatalogRecord};
use crate::medium::load_member;
use crate::ops::online_labels;
use crate::{Error, Result};

use super::Run;

/// One medium of the set.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) uuid: MediaId,
    pub(crate) label: LabelText,
    pub(crate) set_label: MediaSetLabel,
    /// What a drive counted on it; 0 where none did.
    pub(crate) bytes_used: u64,
}

/// The media of a set that the inventory knows, in order.
#[derive(Debug)]
pub(super) struct Members {
    pool: PoolName,
    media: Vec<Member>,
    missing: Vec<u64>,
}

impl Members {
    /// Fails where the set is not known; a medium that it lacks is named by [`Self::missing`].
    pub(super) fn of_set(inventory: &Inventory, set: MediaSetId) -> Result<Self> {
        let pool = inventory.pool_of_set(set)?;
        let members = inventory.set_members(set)?;
        let media = members
            .iter()
            .map(|(_, uuid)| Member::of(inventory.require(uuid)?).ok_or(Error::SetUnknown { set }))
            .collect::<Result<_>>()?;
        let missing = (0..members.places()).filter(|place| members.get(*place).is_none()).collect();
        Ok(Self { pool, media, missing })
    }

    pub(super) fn pool(&self) -> &PoolName {
        &self.pool
    }

    /// The key that the set is encrypted with.
    pub(super) fn key(&self) -> Option<&Fingerprint> {
        self.media.iter().find_map(|member| member.set_label.encryption_key_fingerprint.as_ref())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.media.iter()
    }

    /// Sequence numbers of media that the inventory does not know.
    pub(super) fn missing(&self) -> &[u64] {
        &self.missing
    }
}

/// Media that are not in any vault and belong to other sets, the newest set first: where else a chunk may be.
pub(super) fn media_of_other_sets(inventory: &Inventory, set: MediaSetId) -> Vec<Member> {
    let others = inventory.iter().filter(|entry| {
        !matches!(entry.location(), MediaLocation::Vault(_))
            && entry.assigned_set().is_some_and(|label| label.uuid != set)
            && entry.status != Some(MediaStatus::Damaged)
    });
    let mut media: Vec<Member> = others.filter_map(Member::of).collect();
    media.sort_by_key(|member| {
        let label = &member.set_label;
        (std::cmp::Reverse(inventory.set_start_time(label.uuid)), label.uuid, label.seq_nr)
    });
    media
}

/// The media that will be asked for, those first that are in the drive's library: so much is restored before anybody
/// has to bring one. Names them all, and those that have to be brought.
pub(super) fn in_reach_first<'a>(
    run: &Run<'_>,
    hold: &mut DriveHold,
    media: impl Iterator<Item = &'a Member>,
) -> Result<Vec<&'a Member>> {
    let mut media: Vec<&Member> = media.collect();
    let mut labels: Vec<&str> = media.iter().map(|member| member.label.as_str()).collect();
    labels.sort_unstable();
    run.task.log(&format!("Required media list: {}", labels.join(";")));
    let Some(online) = labels_in_reach(hold)? else { return Ok(media) };
    media.sort_by_key(|member| !online.contains(&member.label));
    let away: Vec<&str> = media
        .iter()
        .filter(|member| !online.contains(&member.label))
        .map(|member| member.label.as_str())
        .collect();
    if !away.is_empty() {
        run.task.log(&format!("Not in the library: {}", away.join(";")));
    }
    Ok(media)
}

/// The labels in the drive's library; none for a drive on its own.
pub(super) fn labels_in_reach(hold: &mut DriveHold) -> Result<Option<HashSet<LabelText>>> {
    match hold.changer() {
        Some(_) => Ok(Some(online_labels(hold)?.into_iter().collect())),
        None => Ok(None),
    }
}

impl Member {
    fn of(entry: &InventoryEntry) -> Option<Self> {
        Some(Self {
            uuid: entry.uuid(),
            label: entry.labels.label.label_text.clone(),
            set_label: entry.assigned_set().cloned()?,
            bytes_used: entry.bytes_used.unwrap_or(0),
        })
    }

    /// Loads the medium; the drive stands in front of file 2 then. It must be what the inventory says that it is.
    pub(super) fn load(&self, run: &Run<'_>, hold: &mut DriveHold) -> Result<MediaLabels> {
        let Self { label, uuid, set_label: wanted, .. } = self;
        let labels = load_member(run.env, hold, (label, *uuid), wanted.uuid, run.task)?;
        match labels.assigned_set().map(|found| found.seq_nr) {
            Some(seq_nr) if seq_nr != wanted.seq_nr => Err(Error::WrongMedium {
                wanted: label.clone(),
                found: format!("it as number {seq_nr} of media set {}", wanted.uuid),
            }),
            _ => Ok(labels),
        }
    }

    /// Goes through the records of the medium's catalog, which must be there and fit the medium.
    pub(super) fn visit_catalog(
        &self,
        env: &TapeEnv,
        mut visit: impl FnMut(CatalogRecord) -> Result<()>,
    ) -> Result<()> {
        let path = env.state.catalog(self.uuid);
        let refuse = |source| Error::Catalog { path: path.clone(), source: Box::new(source) };
        let file = File::open(&path).map_err(Error::io("read it")).map_err(refuse)?;
        let expected = CatalogExpectation::of(self.uuid, Some(&self.set_label));
        let records = CatalogReader::new(BufReader::new(file), expected).map_err(refuse)?;
        for record in records {
            visit(record.map_err(refuse)?)?;
        }
        Ok(())
    }
}
