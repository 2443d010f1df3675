//! Media pools (`cli-tape.md` §7).

use reel_config::{PoolCare, PoolConfig, Pools};
use reel_types::commands::results::PoolEntry;
use reel_types::commands::{
    PoolConfig as PoolConfigCommand, PoolCreate, PoolProperty, PoolRemove, PoolUpdate,
};

use super::{Done, kept};
use crate::failure::Outcome;
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn pool_list(&self) -> Outcome<Done> {
        let mut pools = self.pools()?;
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        let entries = pools.into_iter().map(|pool| self.pool_entry(pool));
        Done::data(entries.collect::<Outcome<Vec<_>>>()?)
    }

    pub(super) fn pool_config(&self, command: &PoolConfigCommand) -> Outcome<Done> {
        Done::data(self.pool_entry(Pools::new(&self.config).get(&command.name)?)?)
    }

    pub(super) fn pool_create(&self, command: &PoolCreate) -> Outcome<Done> {
        let config = PoolConfig {
            allocation: command.allocation.clone(),
            retention: command.retention.clone(),
            template: command.template.clone(),
            encrypt: command.encrypt,
            comment: command.comment.clone(),
            ..PoolConfig::new(command.name.clone())
        };
        Pools::new(&self.config).create(&config)?;
        if command.vault.is_some() {
            PoolCare { name: command.name.clone(), vault: command.vault.clone() }
                .save(&self.config)?;
        }
        Done::nothing()
    }

    pub(super) fn pool_update(&self, command: &PoolUpdate) -> Outcome<Done> {
        let keys = command.delete.iter().filter(|key| **key != PoolProperty::Vault);
        let delete: Vec<&str> = keys.map(|key| key.as_str()).collect();
        Pools::new(&self.config).update(&command.name, &delete, None, |config| {
            let PoolUpdate { allocation, retention, template, encrypt, comment, .. } = command;
            config.allocation = allocation.clone().or(config.allocation.take());
            config.retention = retention.clone().or(config.retention.take());
            config.template = template.clone().or(config.template.take());
            config.encrypt = encrypt.or(config.encrypt);
            if let Some(comment) = comment {
                config.comment = kept(comment);
            }
            Ok(())
        })?;
        let vault = command.vault.clone();
        if vault.is_some() || command.delete.contains(&PoolProperty::Vault) {
            PoolCare { name: command.name.clone(), vault }.save(&self.config)?;
        }
        Done::nothing()
    }

    pub(super) fn pool_remove(&self, command: &PoolRemove) -> Outcome<Done> {
        Pools::new(&self.config).remove(&command.name, None)?;
        PoolCare::forget(&self.config, &command.name)?;
        Done::nothing()
    }

    fn pool_entry(&self, config: PoolConfig) -> Outcome<PoolEntry> {
        Ok(PoolEntry {
            allocation: config.allocation.map(|policy| policy.to_string()),
            comment: config.comment.map(|comment| comment.to_string()),
            encrypt: config.encrypt,
            vault: PoolCare::of(&self.config, &config.name)?.vault,
            name: config.name,
            retention: config.retention.map(|policy| policy.to_string()),
            template: config.template.map(|template| template.to_string()),
        })
    }
}
