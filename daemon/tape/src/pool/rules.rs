//! What a pool is told by its configuration and by the drive of the job.

use reel_config::PoolConfig;
use reel_types::{
    AllocationPolicy, ChangerName, Fingerprint, MediaLocation, PoolName, RetentionPolicy,
    TapeTemplate,
};

/// A pool's configuration with its defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolRules {
    /// The pool.
    pub name: PoolName,
    /// When a job starts a new media set.
    pub allocation: AllocationPolicy,
    /// How long media are kept once their set is no longer written.
    pub retention: RetentionPolicy,
    /// The key that the pool's sets are encrypted with.
    pub encrypt: Option<Fingerprint>,
    /// How the pool's sets are named (`tape-state.md` §8).
    pub template: Option<TapeTemplate>,
}

impl PoolRules {
    /// A pool of which nothing but its name is configured.
    pub fn new(name: PoolName) -> Self {
        Self::from(&PoolConfig::new(name))
    }
}

impl From<&PoolConfig> for PoolRules {
    fn from(config: &PoolConfig) -> Self {
        Self {
            name: config.name.clone(),
            allocation: config.allocation.clone().unwrap_or_default(),
            retention: config.retention.clone().unwrap_or_default(),
            encrypt: config.encrypt,
            template: config.template.clone(),
        }
    }
}

/// Which media somebody can get at without going for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// A drive in that library.
    Changer(ChangerName),
    /// A drive of its own: it takes what lies on the shelf, and nothing from inside a library.
    Standalone,
    /// Nobody in particular, for listings: everything but what is in a vault.
    Anywhere,
}

impl Site {
    /// Whether a medium at `location` is within reach.
    pub fn reaches(&self, location: &MediaLocation) -> bool {
        match (self, location) {
            (_, MediaLocation::Vault(_)) => false,
            (Self::Anywhere, _) => true,
            (Self::Changer(own), MediaLocation::Online(other)) => own == other,
            (Self::Changer(_), MediaLocation::Offline) => false,
            (Self::Standalone, MediaLocation::Online(_)) => false,
            (Self::Standalone, MediaLocation::Offline) => true,
        }
    }
}
