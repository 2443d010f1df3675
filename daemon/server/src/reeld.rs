//! The daemon as one value: configuration, stores, drives, media and tasks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reel_config::{ClientKeys, ConfigDir, KeySource, PoolConfig, Pools};
use reel_store::cache::DiskCache;
use reel_store::datastore::StoreEnvironment;
use reel_store::locks::{ProcessLocks, RunDir};
use reel_store::source::{Blocking, ChunkSource};
use reel_store::view::{ChunkMemory, ViewContext};
use reel_store::{CryptConfig, ServiceUser, StoreError};
use reel_tape::online::{OnlineMedia, media_of_labels, update_online_status};
use reel_tape::set_contents::SetContents;
use reel_tape::set_source::{Library, MediaSetSource, SourceParts, Staging};
use reel_tape::state_dir::LOCK_WAIT;
use reel_tape::{Followers, HealthWatch, IdleWatch, PoolRules, TapeEnv, TapeKeyFiles};
use reel_types::{
    ChangerName, Clock, CommitPoints, Digest, Fingerprint, LabelText, MediaSetId, PoolName,
    StoreName, TimeZone,
};

use crate::auto_clean::AutoClean;
use crate::drives::Drives;
use crate::failure::{Failure, Outcome};
use crate::folders::Folders;
use crate::holes::Holes;
use crate::libraries::Libraries;
use crate::live::{LiveRemotes, Parts};
use crate::memo::{Memo, Stamp};
use crate::notifications::Notifications;
use crate::rights::Rights;
use crate::runtime::Runtime;
use crate::state_export::StateExport;
use crate::stores::Stores;
use crate::tasks::{JobStates, Process, Tasks};
use crate::tokens::Tokens;
use crate::tree::MediaNames;

/// Chunks that a reader going forward asks for ahead.
const AHEAD_CHUNKS: u64 = 4;

/// What a daemon is made of, besides its folders.
pub struct Surroundings {
    /// Tells what time it is.
    pub clock: Arc<dyn Clock>,
    /// Local time.
    pub zone: TimeZone,
    /// Runs what blocks, and what waits for other servers.
    pub runtime: Runtime,
    /// Is told of commit points.
    pub commit_points: Arc<dyn CommitPoints>,
    /// The file that gets the state after each job.
    pub export_state: Option<PathBuf>,
    /// A copy of the file of tape keys, for a daemon that may not read the file itself.
    pub key_credential: Option<PathBuf>,
    /// How much of verified chunks is kept on disk, in bytes.
    pub chunk_cache_bytes: u64,
    /// How much of decoded chunks is kept in memory, in bytes.
    pub chunk_memory_bytes: usize,
    /// How long to wait before a medium that people were asked for is looked for again; PBS has 5 s.
    pub ask_again: Duration,
}

/// A running daemon, without its doors.
pub struct Reeld {
    pub(crate) folders: Folders,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) zone: TimeZone,
    pub(crate) config: ConfigDir,
    pub(crate) rights: Arc<Rights>,
    pub(crate) stores: Stores,
    pub(crate) drives: Arc<Drives>,
    pub(crate) tape: Arc<TapeEnv>,
    pub(crate) tasks: Tasks,
    pub(crate) jobs: JobStates,
    pub(crate) views: ViewContext,
    pub(crate) holes: Arc<Holes>,
    pub(crate) auto_clean: Arc<AutoClean>,
    pub(crate) libraries: Arc<Libraries>,
    pub(crate) live: LiveRemotes,
    pub(crate) notifications: Arc<Notifications>,
    pub(crate) ask_again: Duration,
    pub(crate) state_export: Arc<StateExport>,
    staging: Arc<Staging>,
    tokens: Mutex<Tokens>,
    media: Memo<(), Option<Stamp>, Arc<MediaNames>>,
}

impl Reeld {
    /// Makes a daemon in `folders`, which exist and are locked for this process.
    pub fn new(folders: Folders, surroundings: Surroundings) -> Outcome<Arc<Self>> {
        let Surroundings { clock, zone, runtime, commit_points, .. } = surroundings;
        let blocking: Arc<dyn Blocking> = Arc::new(runtime.clone());
        let config = ConfigDir::new(&folders.config);
        let user = ServiceUser::detect();
        let environment = StoreEnvironment {
            locks: ProcessLocks::new(),
            run: RunDir::new(&folders.pbs_run, user),
            user,
            clock: Arc::clone(&clock),
        };
        // Decoded chunks serve one reader's next call: more memory for them gains nothing.
        let quarter = surroundings.chunk_memory_bytes / 4;
        let (view_bytes, staging_bytes, source_bytes) = (quarter, quarter, 2 * quarter);
        let tape = TapeEnv::open(
            &folders.tape_state(),
            &folders.cache,
            Arc::clone(&clock),
            zone.clone(),
            commit_points,
        )?
        .with_keys(TapeKeyFiles::from_source(
            KeySource::of(config.clone()).with_credential(surroundings.key_credential),
        ));
        let process = Process::current()?;
        let tape = Arc::new(tape);
        let auto_clean = Arc::new(AutoClean::default());
        let notifications = Arc::new(Notifications::open(
            folders.notifications(),
            config.clone(),
            Arc::clone(&clock),
        )?);
        let followers = Followers {
            worse: Arc::clone(&notifications) as Arc<dyn HealthWatch>,
            health: Arc::clone(&tape.health),
            idle: Arc::clone(&auto_clean) as Arc<dyn IdleWatch>,
        };
        let drives =
            Drives::new(config.clone(), folders.pbs_run.clone(), Arc::clone(&clock), followers);
        let drives = Arc::new(drives);
        let cache = open_chunk_cache(&folders, surroundings.chunk_cache_bytes)?;
        let live = LiveRemotes::new(Parts {
            runtime,
            clock: Arc::clone(&clock),
            cache: Arc::clone(&cache),
            folder: folders.cache.join("remotes"),
        })?;
        let libraries = Libraries::new(Arc::clone(&drives), Arc::clone(&tape), Arc::clone(&cache));
        let state_export =
            StateExport::new(config.clone(), Arc::clone(&tape), surroundings.export_state);
        let state_export = Arc::new(state_export);
        let exporter = Arc::clone(&state_export);
        let reeld = Arc::new(Self {
            state_export,
            auto_clean: Arc::clone(&auto_clean),
            libraries: Arc::new(libraries),
            live,
            notifications,
            ask_again: surroundings.ask_again,
            staging: Staging::new(cache, staging_bytes),
            stores: Stores::new(config.clone(), environment, Arc::clone(&blocking), source_bytes),
            drives,
            tape,
            tasks: Tasks::open(folders.tasks(), Arc::clone(&clock), zone.clone(), process)?
                .followed_by(move |task| exporter.after(task)),
            jobs: JobStates::open(folders.job_states())?,
            views: ViewContext {
                memory: ChunkMemory::new(view_bytes),
                blocking,
                ahead_chunks: AHEAD_CHUNKS,
            },
            holes: Arc::new(Holes::new()),
            tokens: Mutex::default(),
            media: Memo::new(1),
            rights: Arc::new(Rights::new(config.clone(), Arc::clone(&clock))),
            folders,
            clock,
            zone,
            config,
        });
        auto_clean.begin(&reeld);
        Ok(reeld)
    }

    /// All tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Ends what tells people; what is not sent by then the next daemon sends. For the end, when no task runs any more.
    pub fn close_notifications(&self) {
        self.notifications.close();
    }

    /// Where the socket of the API lies.
    pub fn socket(&self) -> PathBuf {
        self.folders.socket()
    }

    /// Users, tokens, and what they may do.
    pub fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }

    /// The inventory as its file is now, with the names of media in the tree.
    pub(crate) fn media_names(&self) -> Outcome<Arc<MediaNames>> {
        let stamp = Stamp::of(&self.tape.state.inventory())?;
        self.media.get_or((), stamp, || Ok(Arc::new(MediaNames::new(self.tape.inventory.load()?))))
    }

    /// The configured pools.
    pub(crate) fn pools(&self) -> Outcome<Vec<PoolConfig>> {
        Ok(Pools::new(&self.config).list()?.0)
    }

    /// The rules of a pool.
    pub(crate) fn pool_rules(&self, name: &PoolName) -> Outcome<PoolRules> {
        let config = Pools::new(&self.config).get(name).map_err(|error| match error {
            reel_config::ConfigError::NotFound { .. } => {
                Failure::not_found(format!("no such pool ('{name}')"))
            }
            other => other.into(),
        })?;
        Ok(PoolRules::from(&config))
    }

    /// Asks all libraries what they hold, and brings the locations of all media up to date.
    pub(crate) fn refresh_online_status(&self) -> Outcome<()> {
        self.note_online(&self.drives.online_labels()?)
    }

    /// Brings the locations of all media up to date with what libraries were seen to hold; those that were not asked
    /// are none.
    pub(crate) fn note_online(
        &self,
        labels: &BTreeMap<ChangerName, Option<Vec<LabelText>>>,
    ) -> Outcome<()> {
        self.tape.inventory.update(LOCK_WAIT, |inventory| {
            let media =
                |held: &Option<Vec<_>>| held.as_ref().map(|l| media_of_labels(inventory, l));
            let online: OnlineMedia =
                labels.iter().map(|(changer, held)| (changer.clone(), media(held))).collect();
            update_online_status(inventory, &online)
        })?;
        Ok(())
    }

    /// The client key that a snapshot of `store` needs, from those that were given to that datastore.
    pub(crate) fn client_key(
        &self,
        store: &StoreName,
        fingerprint: &Fingerprint,
    ) -> Outcome<Option<Arc<CryptConfig>>> {
        self.crypt(ClientKeys::new(&self.config).ring(store)?.get(fingerprint))
    }

    /// The client key that a snapshot on tape needs, from all that were given.
    pub(crate) fn client_key_of_any(
        &self,
        fingerprint: &Fingerprint,
    ) -> Outcome<Option<Arc<CryptConfig>>> {
        self.crypt(ClientKeys::new(&self.config).ring_of_all()?.get(fingerprint))
    }

    fn crypt(&self, key: Option<&reel_config::SecretKey>) -> Outcome<Option<Arc<CryptConfig>>> {
        let crypt = key.map(|key| CryptConfig::from_slice(key.as_bytes())).transpose()?;
        Ok(crypt.map(Arc::new))
    }

    /// What the catalogs of a media set's members say.
    pub(crate) fn set_contents(&self, set: MediaSetId) -> Outcome<Arc<SetContents>> {
        let inventory = self.tape.inventory.load()?;
        Ok(Arc::new(SetContents::open(&self.tape, &inventory, set)?))
    }

    /// The chunks of `store` on a media set, wherever its media are.
    pub(crate) fn set_chunks(
        &self,
        contents: &Arc<SetContents>,
        store: &StoreName,
    ) -> Arc<dyn ChunkSource> {
        Arc::new(MediaSetSource::new(SourceParts {
            env: Arc::clone(&self.tape),
            contents: Arc::clone(contents),
            store: store.clone(),
            library: Arc::clone(&self.libraries) as Arc<dyn Library>,
            staging: Arc::clone(&self.staging),
            blocking: Arc::clone(&self.views.blocking),
        }))
    }

    /// The chunks of `store` on the media set `set`.
    pub(crate) fn set_source(
        &self,
        set: MediaSetId,
        store: &StoreName,
    ) -> Outcome<Arc<dyn ChunkSource>> {
        Ok(self.set_chunks(&self.set_contents(set)?, store))
    }

    /// Whether a chunk is in the cache.
    pub(crate) fn is_staged(&self, digest: &Digest) -> bool {
        self.libraries.cache.contains(digest)
    }

    /// The commands that carried a token. Whoever starts one holds this until it has: the same token at both doors
    /// at once starts one task.
    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_chunk_cache(folders: &Folders, bytes_max: u64) -> Outcome<Arc<DiskCache>> {
    let warn = Box::new(|error: &StoreError| tracing::warn!(%error, "the chunk cache"));
    Ok(Arc::new(DiskCache::open(&folders.cache.join("chunks"), bytes_max, warn)?))
}
