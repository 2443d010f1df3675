//! What other servers hold, read live: asked when somebody looks, and not before.
//!
//! ```text
//! look-up, listing, status ── answers: lists of the server's, kept for some seconds ─┐
//! open of a file ──────────── files: brought into a folder, checked by the manifest ─┼─ one login a remote
//! read ── views ── chunks: got, checked, kept in the cache on disk ── connection ────┘
//! ```
//!
//! Whoever waits for a server waits in a future; work goes on on the runtime also where the one who asked has left,
//! because others may want the same. What came, an error included, is kept, and the synchronous half of the tree
//! reads it from here.

mod answers;
mod chunks;
mod files;
mod remote;
mod session;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::libc;
use reel_config::{ConfigDir, Entry, RemoteConfig, Remotes};
use reel_remote::RemoteError;
use reel_store::cache::DiskCache;
use reel_types::{Clock, RemoteName};

use crate::failure::{Failure, Outcome};
use crate::memo::Stamp;
use crate::runtime::Runtime;

pub(crate) use answers::Question;
pub(crate) use files::LiveSnapshot;
pub(crate) use remote::{LiveRemote, Note};

/// How long a server may keep a look-up or a read waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all live remotes share.
pub(crate) struct Parts {
    pub(crate) runtime: Runtime,
    pub(crate) clock: Arc<dyn Clock>,
    /// Checked chunks.
    pub(crate) cache: Arc<DiskCache>,
    /// Where files of snapshots are brought to, for as long as somebody reads there.
    pub(crate) folder: PathBuf,
}

/// The remotes that somebody has looked into.
pub(crate) struct LiveRemotes {
    parts: Arc<Parts>,
    remotes: Mutex<HashMap<RemoteName, Known>>,
}

/// A remote, and the state of the configuration's file that it was found in.
type Known = (Option<Stamp>, Arc<LiveRemote>);

impl LiveRemotes {
    /// Nobody has looked yet; what a former process left in the folder goes.
    pub(crate) fn new(parts: Parts) -> Outcome<Self> {
        match std::fs::remove_dir_all(&parts.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::create_dir_all(&parts.folder)?,
        }
        Ok(Self { parts: Arc::new(parts), remotes: Mutex::default() })
    }

    /// A remote as it is configured now: where that has changed, all that is known of it is forgotten.
    pub(crate) fn of(&self, config: &ConfigDir, name: &RemoteName) -> Outcome<Arc<LiveRemote>> {
        let stamp = Stamp::of(&config.file(RemoteConfig::FILE.name))?;
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = remotes.get(name).filter(|(found_in, _)| *found_in == stamp) {
            return Ok(Arc::clone(known));
        }
        let known = remotes.remove(name);
        let wanted = Remotes::new(config).get(name)?;
        let remote = match known.filter(|(_, known)| *known.config() == wanted) {
            Some((_, known)) => known,
            None => Arc::new(LiveRemote::new(wanted, &self.parts)?),
        };
        remotes.insert(name.clone(), (stamp, Arc::clone(&remote)));
        Ok(remote)
    }
}

/// What a failure at a server means to whoever uses the tree.
fn failure(error: &RemoteError) -> Failure {
    let errno = match error {
        _ if is_down(error) => libc::EHOSTDOWN,
        RemoteError::Certificate { .. } => libc::EACCES,
        RemoteError::Refused { status: 401 | 403, .. } => libc::EACCES,
        RemoteError::Refused { status: 404, .. } => libc::ENOENT,
        RemoteError::Refused { .. } | RemoteError::Nonsense { .. } => libc::EIO,
        other => other.errno(),
    };
    Failure::new(errno, error.to_string())
}

/// Whether there is no talking to the server.
fn is_down(error: &RemoteError) -> bool {
    matches!(
        error,
        RemoteError::Connect { .. } | RemoteError::Broken { .. } | RemoteError::Silent { .. }
    )
}
