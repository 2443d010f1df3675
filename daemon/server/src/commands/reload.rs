//! `reload`: what somebody changed in the configuration files by hand.
//!
//! Each command reads the files that it needs, so changes count at once. What `reload` adds: it tells of all files
//! whether they can be read, and lets go of datastores and drives that they name no more, whose files would stay open.

use reel_config::{
    ClientKeys, DriveCare, Entries, MediaVerifyJobs, NotificationSettings, PoolCare, Remotes,
    SyncJobs, TapeJobs, TapeKeys,
};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn reload(&self) -> Outcome<Done> {
        let checks = [
            self.stores.let_go_of_unconfigured(),
            self.drives.let_go_of_unconfigured(),
            self.pools().map(drop),
            Entries::<DriveCare>::new(&self.config).list().map(drop).map_err(Failure::from),
            Entries::<PoolCare>::new(&self.config).list().map(drop).map_err(Failure::from),
            Remotes::new(&self.config).list().map(drop).map_err(Failure::from),
            TapeJobs::new(&self.config).list().map(drop).map_err(Failure::from),
            MediaVerifyJobs::new(&self.config).list().map(drop).map_err(Failure::from),
            NotificationSettings::of(&self.config).map(drop).map_err(Failure::from),
            SyncJobs::new(&self.config).list().map(drop).map_err(Failure::from),
            ClientKeys::new(&self.config).ring_of_all().map(drop).map_err(Failure::from),
            TapeKeys::load(&self.config).map(drop).map_err(Failure::from),
        ];
        let failures: Vec<Failure> = checks.into_iter().filter_map(Result::err).collect();
        let Some(first) = failures.first() else { return Done::nothing() };
        let messages: Vec<&str> = failures.iter().map(|failure| &*failure.message).collect();
        Err(Failure::new(first.errno, messages.join("; ")))
    }
}
