//! What the daemon knows of a media pool beyond PBS, in `reelfs-pool.cfg`.
//!
//! The file is reelfs's own, beside PBS's: a PBS would refuse a whole `media-pool.cfg` for one key that it does not
//! know (`config.md` §2).

use reel_types::{ParseError, PoolName, VaultName};

use crate::entries::{Entry, put, value};
use crate::section::{Key, Schema, Section, SectionType, Unknown, ValueKind};
use crate::{ConfigDir, ConfigError, Entries, SectionFile};

static FILE: SectionFile = SectionFile {
    name: "reelfs-pool.cfg",
    lock: ".reelfs-pool.lck",
    schema: Schema {
        types: &[SectionType {
            name: "pool",
            check_id: |id| id.parse::<PoolName>().map(drop),
            keys: &[Key::optional("vault", ValueKind::parsed::<VaultName>())],
            check: |section| PoolCare::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Keep,
        unknown_keys: Unknown::Keep,
    },
};

/// Where the media of a pool are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolCare {
    /// The pool.
    pub name: PoolName,
    /// The vault that its full media sets are taken to.
    pub vault: Option<VaultName>,
}

impl PoolCare {
    /// What is configured for a pool; nothing is for one that the file does not name.
    pub fn of(dir: &ConfigDir, name: &PoolName) -> Result<Self, ConfigError> {
        match Entries::<Self>::new(dir).get(name) {
            Err(ConfigError::NotFound { .. }) => Ok(Self { name: name.clone(), vault: None }),
            other => other,
        }
    }

    /// Makes it so.
    pub fn save(&self, dir: &ConfigDir) -> Result<(), ConfigError> {
        Entries::<Self>::new(dir).put(self)
    }

    /// Forgets a pool; one that is not there is fine.
    pub fn forget(dir: &ConfigDir, name: &PoolName) -> Result<(), ConfigError> {
        Entries::<Self>::new(dir).forget(name)
    }
}

impl Entry for PoolCare {
    const KIND: &'static str = "pool";
    const SECTION: &'static str = "pool";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &["vault"];
    type Name = PoolName;

    fn name(&self) -> &PoolName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        Ok(Self { name: section.id().parse()?, vault: value(section, "vault")? })
    }

    fn write(&self, section: &mut Section) {
        put(section, "vault", self.vault.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_pool_names_a_vault_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path());
        let name: PoolName = "daily".parse().unwrap();
        assert_eq!(PoolCare::of(&dir, &name).unwrap().vault, None);
        PoolCare::forget(&dir, &name).unwrap();
        fs::write(dir.file("reelfs-pool.cfg"), "pool: daily\n\tlater x\n").unwrap();
        let vault = Some("office".parse().unwrap());
        PoolCare { name: name.clone(), vault: vault.clone() }.save(&dir).unwrap();
        assert_eq!(PoolCare::of(&dir, &name).unwrap().vault, vault);
        let text = fs::read_to_string(dir.file("reelfs-pool.cfg")).unwrap();
        assert_eq!(text, "pool: daily\n\tlater x\n\tvault office\n");
        PoolCare { name: name.clone(), vault: None }.save(&dir).unwrap();
        assert_eq!(PoolCare::of(&dir, &name).unwrap().vault, None);
        fs::write(dir.file("reelfs-pool.cfg"), "pool: daily\n\tvault -\n").unwrap();
        assert!(PoolCare::of(&dir, &name).is_err());
    }
}
