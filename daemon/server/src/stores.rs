//! The configured datastores, each opened once.
//!
//! PBS's process lock is a POSIX record lock, so a process must keep one open description of it per store;
//! that is why opened stores are kept, and handed out again for as long as their configuration stays. What the
//! configuration's file says is remembered until the file changes, whoever changes it: every look-up in a datastore asks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reel_config::{ConfigDir, DatastoreConfig, Datastores, Entry, Operation};
use reel_store::chunk_store::SyncLevel;
use reel_store::datastore::{
    ChunkOrder, Datastore, DatastoreConfig as StoreConfig, StoreEnvironment,
};
use reel_store::locks::{self, OperationGuard};
use reel_store::source::{Blocking, DatastoreSource};
use reel_types::StoreName;

use crate::failure::{Failure, Outcome};
use crate::memo::{Memo, Stamp};

/// A datastore and where its chunks come from.
#[derive(Clone)]
pub struct OpenStore {
    /// The datastore.
    pub store: Arc<Datastore>,
    /// Its chunks, for everybody who reads content.
    pub source: Arc<DatastoreSource>,
}

/// A datastore in use, which PBS and other programs are told of (`datastore.md` §13.2) until this is dropped.
pub struct StoreInUse {
    /// The datastore and its chunks.
    pub open: OpenStore,
    _operation: OperationGuard,
}

impl StoreInUse {
    /// The datastore.
    pub fn store(&self) -> &Arc<Datastore> {
        &self.open.store
    }
}

/// The configured datastores.
pub struct Stores {
    config: ConfigDir,
    environment: StoreEnvironment,
    blocking: Arc<dyn Blocking>,
    memory_bytes: usize,
    open: Mutex<HashMap<StoreName, (StoreConfig, OpenStore)>>,
    names: Memo<(), Option<Stamp>, Vec<StoreName>>,
    configs: Memo<StoreName, Option<Stamp>, DatastoreConfig>,
}

/// Datastores whose configuration is remembered, in one generation.
const CONFIGS_KEPT: usize = 1024;

impl Stores {
    /// The datastores of `config`; `memory_bytes` of their chunks are kept in memory, each.
    pub fn new(
        config: ConfigDir,
        environment: StoreEnvironment,
        blocking: Arc<dyn Blocking>,
        memory_bytes: usize,
    ) -> Self {
        Self {
            config,
            environment,
            blocking,
            memory_bytes,
            open: Mutex::default(),
            names: Memo::new(1),
            configs: Memo::new(CONFIGS_KEPT),
        }
    }

    /// The names of all that are configured.
    pub fn names(&self) -> Outcome<Vec<StoreName>> {
        self.names.get_or((), self.stamp()?, || {
            let (configs, _) = Datastores::new(&self.config).list()?;
            Ok(configs.into_iter().map(|config| config.name).collect())
        })
    }

    /// What is configured about one.
    pub fn config(&self, name: &StoreName) -> Outcome<DatastoreConfig> {
        self.configs.get_or(name.clone(), self.stamp()?, || {
            Datastores::new(&self.config).get(name).map_err(|error| match error {
                reel_config::ConfigError::NotFound { .. } => {
                    Failure::not_found(format!("no such datastore '{name}'"))
                }
                other => other.into(),
            })
        })
    }

    /// The state of the configuration's file.
    fn stamp(&self) -> Outcome<Option<Stamp>> {
        Ok(Stamp::of(&self.config.file(DatastoreConfig::FILE.name))?)
    }

    /// Opens a datastore for `operation`, unless its maintenance mode forbids that.
    pub fn open(&self, name: &StoreName, operation: Operation) -> Outcome<OpenStore> {
        let config = self.config(name)?;
        refuse_in_maintenance(&config, operation)?;
        let wanted = store_config(&config)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, store)) = open.get(name).filter(|(known, _)| *known == wanted) {
            debug_assert_eq!(known.name, *name);
            return Ok(store.clone());
        }
        let store = Datastore::open(&wanted, &self.environment)?;
        let source = DatastoreSource::new(
            Arc::clone(store.chunks()),
            Arc::clone(&self.blocking),
            self.memory_bytes,
        );
        let opened = OpenStore { store, source: Arc::new(source) };
        open.insert(name.clone(), (wanted, opened.clone()));
        Ok(opened)
    }

    /// Opens a datastore for reading and counts as a reader of it.
    pub fn begin_reading(&self, name: &StoreName) -> Outcome<StoreInUse> {
        self.begin(name, Operation::Read, locks::Operation::Read)
    }

    /// Opens a datastore for writing and counts as a writer of it.
    pub fn begin_writing(&self, name: &StoreName) -> Outcome<StoreInUse> {
        self.begin(name, Operation::Write, locks::Operation::Write)
    }

    fn begin(
        &self,
        name: &StoreName,
        allowed: Operation,
        counted: locks::Operation,
    ) -> Outcome<StoreInUse> {
        // PBS makes check and count one step by the configuration's lock, so that a change of the maintenance
        // mode meets either none or both.
        let _lock = Datastores::new(&self.config).lock()?;
        let open = self.open(name, allowed)?;
        let operation = self.environment.run.begin_operation(name, counted)?;
        Ok(StoreInUse { open, _operation: operation })
    }

    /// Forgets an opened datastore, so that its file system can be unmounted.
    pub fn close(&self, name: &StoreName) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.environment.locks.close_unused();
    }

    /// Forgets the opened datastores that the configuration names no more, or names otherwise.
    pub fn let_go_of_unconfigured(&self) -> Outcome<()> {
        let (configs, _) = Datastores::new(&self.config).list()?;
        let wanted = configs.iter().map(store_config).collect::<Outcome<Vec<_>>>()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (known, _)| wanted.contains(known));
        drop(open);
        self.environment.locks.close_unused();
        Ok(())
    }

    /// What all datastores share.
    pub fn environment(&self) -> &StoreEnvironment {
        &self.environment
    }

    /// The datastore that already uses `path`, if one does.
    pub fn at_path(&self, path: &Path) -> Outcome<Option<StoreName>> {
        let (configs, _) = Datastores::new(&self.config).list()?;
        let same =
            |config: &DatastoreConfig| config.base_path().is_ok_and(|base: PathBuf| base == path);
        Ok(configs.into_iter().find(same).map(|config| config.name))
    }
}

fn refuse_in_maintenance(config: &DatastoreConfig, operation: Operation) -> Outcome<()> {
    let Some(mode) = config.maintenance_mode.as_ref().filter(|mode| mode.refuses(operation)) else {
        return Ok(());
    };
    let message = mode.shown_message().map(|text| format!(": {text}")).unwrap_or_default();
    Err(Failure::new(
        nix::libc::EBUSY,
        format!(
            "datastore '{}' is in maintenance mode '{}'{message}; end that first",
            config.name,
            mode.mode.as_str()
        ),
    ))
}

fn store_config(config: &DatastoreConfig) -> Outcome<StoreConfig> {
    let tuning = config.tuning.clone().unwrap_or_default();
    Ok(StoreConfig {
        name: config.name.clone(),
        path: config.base_path()?,
        sync_level: match tuning.sync_level() {
            reel_config::SyncLevel::None => SyncLevel::None,
            reel_config::SyncLevel::Filesystem => SyncLevel::Filesystem,
            reel_config::SyncLevel::File => SyncLevel::File,
        },
        chunk_order: match tuning.chunk_order() {
            reel_config::ChunkOrder::None => ChunkOrder::None,
            reel_config::ChunkOrder::Inode => ChunkOrder::Inode,
        },
    })
}
