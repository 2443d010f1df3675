//! Open files and folders by the number that the kernel gives back with each request.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::attributes::Caller;
use crate::content::OpenContent;
use crate::control::ControlSession;
use crate::engine::SharedDirectoryListing;
use crate::error::FsError;
use crate::fact::FactHandle;
use crate::guard::locked;
use crate::wait::WaitHandle;

/// What stands behind an open handle.
#[derive(Clone)]
pub(crate) enum Handle {
    Fact(Arc<FactHandle>),
    Control(Arc<ControlSession>),
    Content(Arc<OpenContent>),
    Wait(Arc<WaitHandle>),
    Directory(Arc<Mutex<Option<SharedDirectoryListing>>>),
}

/// A handle with who opened it, whose rights count for as long as it is open.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) handle: Handle,
    pub(crate) opener: Caller,
    pub(crate) path: Arc<Path>,
}

/// All open handles.
#[derive(Default)]
pub(crate) struct Handles {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
}

impl Handles {
    pub(crate) fn insert(&self, open: Open) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        locked(&self.open).insert(number, open);
        number
    }

    pub(crate) fn get(&self, number: u64) -> Result<Open, FsError> {
        locked(&self.open)
            .get(&number)
            .cloned()
            .ok_or_else(|| FsError::new(libc::EBADF, format!("handle {number} is not open")))
    }

    pub(crate) fn remove(&self, number: u64) -> Option<Open> {
        locked(&self.open).remove(&number)
    }
}
