//! `inventory.json` and its lock.

use std::time::Duration;

use super::Inventory;
use crate::Result;
use crate::state_dir::StateDir;

/// The inventory of a state folder.
#[derive(Debug, Clone)]
pub struct InventoryFile {
    state: StateDir,
}

impl InventoryFile {
    /// The inventory in `state`.
    pub fn new(state: StateDir) -> Self {
        Self { state }
    }

    /// Reads the inventory; a missing or empty file is an empty one.
    pub fn load(&self) -> Result<Inventory> {
        let path = self.state.inventory();
        match self.state.read_if_there(&path)? {
            Some(bytes) => Inventory::from_json(&bytes),
            None => Ok(Inventory::new()),
        }
    }

    /// Changes the inventory: locks it (waiting at most `wait`), reads it anew, calls `change`, writes
    /// it whole and syncs it.
    ///
    /// Nothing is written where `change` or the reading fails.
    pub fn update<T>(
        &self,
        wait: Duration,
        change: impl FnOnce(&mut Inventory) -> Result<T>,
    ) -> Result<T> {
        let _lock = self.state.lock_inventory(wait)?;
        let before = self.load()?;
        let mut after = before.clone();
        let result = change(&mut after)?;
        if after != before {
            self.state.replace(&self.state.inventory(), &after.to_json()?)?;
        }
        Ok(result)
    }
}
