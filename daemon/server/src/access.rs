//! Who may use the mount, until permissions exist: root and the daemon's own user.

use std::path::Path;

use reel_fs::{Access, Authorizer, Caller, FsError};
use reel_types::{AuthId, Privilege};

/// Lets root and the daemon's own user in, and nobody else.
#[derive(Debug, Clone, Copy)]
pub struct RootAndOwner {
    own_uid: u32,
}

impl RootAndOwner {
    /// For the user that runs this process.
    #[allow(clippy::new_without_default, reason = "it asks the system")]
    pub fn new() -> Self {
        Self { own_uid: nix::unistd::geteuid().as_raw() }
    }
}

/// Lets everybody who came in do everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unrestricted;

impl reel_types::Authorizer for Unrestricted {
    fn allows(&self, _who: &AuthId, _path: &str, _privilege: Privilege) -> bool {
        true
    }
}

impl Authorizer for RootAndOwner {
    fn check(&self, caller: &Caller, _path: &Path, _access: Access) -> Result<(), FsError> {
        if caller.uid == 0 || caller.uid == self.own_uid {
            return Ok(());
        }
        Err(FsError::denied("only root and the daemon's own user may use this mount"))
    }
}
