//! The media of the set, and having the right one in the drive.

use std::fs::File;
use std::io::BufReader;

use reel_types::{LabelText, MediaId, MediaSetId, PoolName, TaskContext};

use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::inventory::Inventory;
use crate::label::{MediaLabels, MediaSetLabel};
use crate::media_catalog::{CatalogExpectation, CatalogReader, CatalogRecord};
use crate::medium::load_member;
use crate::ops::online_labels;
use crate::{Error, Result};

/// One medium of the set.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) uuid: MediaId,
    pub(super) label: LabelText,
    pub(super) set_label: MediaSetLabel,
    /// What a drive counted on it; 0 where none did.
    pub(super) bytes_used: u64,
}

/// All media of a set, in order, none missing.
#[derive(Debug)]
pub(super) struct Members {
    pool: PoolName,
    media: Vec<Member>,
}

impl Members {
    /// Fails where the set is not known, or lacks a medium.
    pub(super) fn of_set(inventory: &Inventory, set: MediaSetId) -> Result<Self> {
        let pool = inventory.pool_of_set(set)?;
        let uuids = inventory.set_members(set)?.complete()?;
        let media = uuids
            .into_iter()
            .map(|uuid| {
                let entry = inventory.require(uuid)?;
                let set_label = entry.assigned_set().cloned().ok_or(Error::SetUnknown { set })?;
                Ok(Member {
                    uuid,
                    label: entry.labels.label.label_text.clone(),
                    set_label,
                    bytes_used: entry.bytes_used.unwrap_or(0),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { pool, media })
    }

    pub(super) fn pool(&self) -> &PoolName {
        &self.pool
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.media.iter()
    }
}

/// Names the media that will be asked for, and fails at once where the drive can't get one of them and nobody is asked
/// for it: better than after hours with the others.
pub(super) fn require_media<'a>(
    hold: &mut DriveHold,
    media: impl Iterator<Item = &'a Member>,
    task: &dyn TaskContext,
) -> Result<()> {
    let mut labels: Vec<&LabelText> = media.map(|member| &member.label).collect();
    labels.sort();
    let names: Vec<&str> = labels.iter().map(|label| label.as_str()).collect();
    task.log(&format!("Required media list: {}", names.join(";")));
    if hold.changer().is_none() || hold.asking().is_some() {
        return Ok(());
    }
    let online = online_labels(hold)?;
    match labels.into_iter().find(|label| !online.contains(*label)) {
        Some(label) => Err(Error::MediumOffline { medium: label.clone() }),
        None => Ok(()),
    }
}

impl Member {
    /// Loads the medium; the drive stands in front of file 2 then. It must be what the inventory says that it is.
    pub(super) fn load(
        &self,
        env: &TapeEnv,
        hold: &mut DriveHold,
        task: &dyn TaskContext,
    ) -> Result<MediaLabels> {
        let Self { label, uuid, set_label: wanted, .. } = self;
        let labels = load_member(env, hold, (label, *uuid), wanted.uuid, task)?;
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
