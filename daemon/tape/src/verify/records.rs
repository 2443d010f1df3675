//! What verifications found, a file for each medium: `STATE/verified/UUID.json`.

use std::path::PathBuf;

use reel_types::{MediaId, MediaSetId};
use serde::{Deserialize, Serialize};

use super::findings::Findings;
use crate::env::TapeEnv;
use crate::inventory::InventoryEntry;
use crate::state_dir::StateDir;
use crate::{Error, Result};

/// What the last verification of a medium found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifyRecord {
    /// When it ended (UNIX seconds).
    pub time: i64,
    /// The media set that the medium was in: what is on it now, if it still is.
    pub media_set: MediaSetId,
    /// Chunks that were read.
    pub chunks: u64,
    /// Their bytes as they are stored.
    pub bytes: u64,
    /// Snapshot archives that are good.
    pub snapshots: u64,
    /// Chunks that the catalog names and that are not good.
    pub lost_chunks: u64,
    /// Snapshot archives of that kind.
    pub lost_snapshots: u64,
    /// Places that could not be read.
    pub damaged_places: u64,
}

impl VerifyRecord {
    pub(super) fn new(time: i64, media_set: MediaSetId, findings: &Findings) -> Self {
        Self {
            time,
            media_set,
            chunks: findings.chunks,
            bytes: findings.bytes,
            snapshots: findings.snapshots,
            lost_chunks: findings.lost_chunks.len() as u64,
            lost_snapshots: findings.lost_snapshots.len() as u64,
            damaged_places: findings.damage.len() as u64,
        }
    }

    /// Whether everything was good.
    pub fn is_good(&self) -> bool {
        (self.lost_chunks, self.lost_snapshots, self.damaged_places) == (0, 0, 0)
    }
}

/// What the last verification of what is on a medium found; none where that was never verified.
///
/// # Errors
/// A file that can't be read.
pub fn of_medium(env: &TapeEnv, entry: &InventoryEntry) -> Result<Option<VerifyRecord>> {
    let Some(set_label) = entry.assigned_set() else { return Ok(None) };
    let path = path(env, entry.uuid());
    let Some(json) = env.state.read_if_there(&path)? else { return Ok(None) };
    let record: VerifyRecord = serde_json::from_slice(&json).map_err(|error| {
        Error::format("record of a verification", format!("'{}': {error}", path.display()))
    })?;
    Ok(Some(record).filter(|record| record.media_set == set_label.uuid))
}

pub(super) fn store(env: &TapeEnv, medium: MediaId, record: &VerifyRecord) -> Result<()> {
    let json = crate::json::to_pretty(record, "record of a verification")?;
    StateDir::new(folder(&env.state)).replace(&path(env, medium), &json)
}

/// Makes the folder of records where it is missing, and clears up after a killed process. Only for a start: others may
/// be writing records later.
pub(crate) fn open(state: &StateDir) -> Result<()> {
    StateDir::open(folder(state)).map(drop)
}

fn folder(state: &StateDir) -> PathBuf {
    state.path().join("verified")
}

fn path(env: &TapeEnv, medium: MediaId) -> PathBuf {
    folder(&env.state).join(format!("{medium}.json"))
}
