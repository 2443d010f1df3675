//! The tree that the mount shows.
//!
//! ```text
//! /  README version abi ctl
//! ├── datastores/STORE/[ns/NAME/…]TYPE/ID/TIME/…   what a datastore holds          ┐ one shape, one piece
//! ├── media-sets/UUID/STORE/[ns/NAME/…]TYPE/ID/TIME/…   what a media set holds     │ of code: `catalogue`
//! ├── remotes/NAME/datastores/STORE/[ns/NAME/…]TYPE/ID/TIME/…   what others hold   ┘
//! ├── pools/NAME/  media/LABEL/  drives/NAME/  remotes/NAME/  sync-jobs/ID/  backup-jobs/ID/  media-verify-jobs/ID/  keys/FINGERPRINT/  users/ID/  acl/
//! │                                              one object a folder, one fact a file
//! └── tasks/UPID/                                   with `wait`, which blocks until the task ends
//! ```
//!
//! Everything is found when it is asked for and nothing is built ahead. What look-ups would read again and again
//! (the inventory, manifests, lists of snapshots) is remembered for as long as its file stays the same
//! ([`crate::memo`]), so that `ls -lR` over all of it stays cheap, and none of it ever moves a tape: only reading
//! content in a media set does. What a remote holds is asked for before a look-up, by a future ([`crate::live`]). Each folder with a `ctl` runs the very commands of the command line ([`control`]).

mod catalogue;
mod changers;
mod content_file;
mod control;
mod datastores;
mod drive_values;
mod drives;
mod facts;
mod health;
mod jobs;
mod keys;
mod listing;
mod live;
mod live_snapshot;
mod media;
mod media_sets;
mod pools;
mod remotes;
mod set_listing;
mod sizes;
mod snapshot;
mod tape_places;
mod tasks;
mod users;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use reel_fs::{Directory, text};
use reel_types::commands::Place;

use crate::content::FinishedSnapshot;
use crate::failure::Outcome;
use crate::memo::{Memo, Stamp};
use crate::reeld::Reeld;

pub(crate) use media::MediaNames;
pub(crate) use snapshot::FIXED as SNAPSHOT_NAMES;

use control::ControlLogs;
use listing::Listings;
use media_sets::SetNames;
use set_listing::SetListings;
use sizes::Sizes;

/// Number of the interface: it grows when a name of the tree changes its meaning.
const ABI: u32 = 1;

const README: &str = "\
This is reelfs: datastores of Proxmox Backup Server, media pools, media sets and tape drives as files.
Reading shows, 'cp' restores, and lines written to a file called 'ctl' act; 'cat ctl' prints what it takes.
What was refused stands in 'last-error' beside it, the task that was started in 'last-task'.

    ls datastores/*                      what there is to back up
    cat media/*/status                   which tapes there are, and where
    echo 'backup POOL' > datastores/STORE/ctl && cat tasks/$(cat datastores/STORE/last-task)/wait
    cat media-sets/*/plan                which tapes a restore would read
    cp media-sets/UUID/STORE/vm/100/TIME/drive-scsi0.img .      restores one image from tape
";

type HeldSnapshots = HashMap<PathBuf, Weak<dyn FinishedSnapshot>>;

/// What all nodes of the tree share.
struct Tree {
    reeld: Arc<Reeld>,
    logs: ControlLogs,
    listings: Listings,
    sizes: Sizes,
    sets: SetListings,
    set_names: Memo<(), (Option<Stamp>, Option<Stamp>), Arc<SetNames>>,
    /// Snapshots that somebody has a file open in.
    open: Mutex<HeldSnapshots>,
}

/// The root of the tree over a daemon.
pub fn root(reeld: Arc<Reeld>) -> Arc<dyn Directory> {
    let clock = Arc::clone(&reeld.clock);
    let tree = Arc::new(Tree {
        logs: ControlLogs::new(Arc::new(move || facts::system_time(clock.now()))),
        listings: Listings::new(),
        sizes: Sizes::new(Arc::clone(&reeld.holes)),
        sets: SetListings::new(),
        set_names: Memo::new(1),
        open: Mutex::default(),
        reeld,
    });
    let refusal = "the folders of the root stay as they are";
    Arc::new(
        tree.controlled(Place::Root, refusal)
            .with("README", text(README))
            .with("version", text(format!("{}\n", env!("CARGO_PKG_VERSION"))))
            .with("abi", text(format!("{ABI}\n")))
            .with("datastores", datastores::datastores(&tree))
            .with("pools", pools::pools(&tree))
            .with("media", media::media(&tree))
            .with("media-sets", media_sets::media_sets(&tree))
            .with("changers", changers::changers(&tree))
            .with("drives", drives::drives(&tree))
            .with("remotes", remotes::remotes(&tree))
            .with("sync-jobs", jobs::sync_jobs(&tree))
            .with("backup-jobs", jobs::backup_jobs(&tree))
            .with("media-verify-jobs", jobs::media_verify_jobs(&tree))
            .with("keys", keys::keys(&tree))
            .with("users", users::users(&tree))
            .with("acl", users::acl(&tree))
            .with("tasks", tasks::tasks(&tree)),
    )
}

impl Tree {
    /// The snapshot in `folder`, held for reading: the one that others have open already, or what `open` gives.
    fn held_snapshot(
        &self,
        folder: PathBuf,
        open: impl FnOnce() -> Outcome<Arc<dyn FinishedSnapshot>>,
    ) -> Outcome<Arc<dyn FinishedSnapshot>> {
        if let Some(snapshot) = self.held().get(&folder).and_then(Weak::upgrade) {
            return Ok(snapshot);
        }
        let opened = open()?;
        let mut held = self.held();
        if let Some(first) = held.get(&folder).and_then(Weak::upgrade) {
            return Ok(first);
        }
        held.retain(|_, snapshot| snapshot.strong_count() > 0);
        held.insert(folder, Arc::downgrade(&opened));
        Ok(opened)
    }

    fn held(&self) -> MutexGuard<'_, HeldSnapshots> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
