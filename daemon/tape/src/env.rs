//! What every operation on media works with, and the points at which it commits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reel_types::{Clock, CommitPoints, TimeZone};

use crate::catalog_index::CatalogIndexes;
use crate::drive_times::DriveTimes;
use crate::encryption::TapeKeyFiles;
use crate::health::HealthLog;
use crate::inventory::InventoryFile;
use crate::places::Places;
use crate::snapshot_files::SnapshotFiles;
use crate::state_dir::StateDir;
use crate::verify::records;
use crate::{Error, Result};

/// Every point at which something becomes durable that the next start must understand.
///
/// A test stops the program at each and looks at what is left.
pub const COMMIT_POINTS: [&str; 25] = [
    "label: written",
    "label: catalog created",
    "label: inventory stored",
    "backup: catalog created",
    "backup: inventory stored",
    "backup: set label written",
    "backup: chunk archive written",
    "backup: snapshot archive written",
    "backup: flushed",
    "backup: places stored",
    "backup: catalog committed",
    "backup: medium full",
    "backup: catalog archive written",
    "catalog: inventory stored",
    "catalog: restored",
    "catalog: places stored",
    "catalog: replaced",
    "restore: chunks stored",
    "restore: snapshot stored",
    "export: moved",
    "export: location stored",
    "verify: medium marked",
    "verify: record stored",
    "state: written",
    "state: replaced",
];

/// The state, caches and surroundings that operations on media share.
pub struct TapeEnv {
    /// PBS's databases.
    pub state: StateDir,
    /// All media.
    pub inventory: InventoryFile,
    /// Where chunks lie on media.
    pub places: Places,
    /// Which chunk is in which archive, by PBS's catalogs.
    pub catalog_indexes: CatalogIndexes,
    /// The small files of snapshots on media, kept so that browsing needs no tape.
    pub snapshots: SnapshotFiles,
    /// How drives and media do.
    pub health: Arc<HealthLog>,
    /// What drives take, and how media are laid out.
    pub times: DriveTimes,
    /// The keys of encrypted media sets.
    pub keys: TapeKeyFiles,
    /// A folder for what a running operation can't keep in memory.
    pub scratch: PathBuf,
    /// Tells what time it is.
    pub clock: Arc<dyn Clock>,
    /// Local time.
    pub zone: TimeZone,
    /// Is told of commit points.
    pub commit_points: Arc<dyn CommitPoints>,
}

impl TapeEnv {
    /// Uses the state folder `state` and the cache folder `cache`, making what is missing in both and clearing up
    /// after a killed process.
    pub fn open(
        state: &Path,
        cache: &Path,
        clock: Arc<dyn Clock>,
        zone: TimeZone,
        commit_points: Arc<dyn CommitPoints>,
    ) -> Result<Self> {
        let scratch = cache.join("scratch");
        std::fs::create_dir_all(&scratch)
            .map_err(Error::io(format!("create the folder '{}'", scratch.display())))?;
        reel_index::remove_leftovers(&scratch)?;
        let state_dir = StateDir::open(state)?;
        records::open(&state_dir)?;
        Ok(Self {
            inventory: InventoryFile::new(state_dir.clone()),
            places: Places::open(state.join("places"))?,
            catalog_indexes: CatalogIndexes::open(cache.join("catalog-index"))?,
            snapshots: SnapshotFiles::open(cache.join("snapshots"))?,
            health: Arc::new(HealthLog::open(&state_dir, Arc::clone(&clock))?),
            times: DriveTimes::open(&state.join("times"))?,
            keys: TapeKeyFiles::default(),
            state: state_dir,
            scratch,
            clock,
            zone,
            commit_points,
        })
    }

    /// Knows the keys of encrypted media sets; without, it knows none.
    pub fn with_keys(self, keys: TapeKeyFiles) -> Self {
        Self { keys, ..self }
    }

    /// Tells that a commit point was reached.
    pub(crate) fn reached(&self, name: &'static str) {
        debug_assert!(COMMIT_POINTS.contains(&name), "{name}");
        self.commit_points.reached(name);
    }
}
