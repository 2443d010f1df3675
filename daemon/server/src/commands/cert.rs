//! The certificate of those who are served (`cli-manager.md` §3.9).

use reel_remote::serve::{create_keys, describe_certificate};
use reel_types::commands::CertUpdate;
use reel_types::commands::results::CertificateText;

use super::Done;
use crate::failure::Outcome;
use crate::reeld::Reeld;
use crate::serving::host_names;

impl Reeld {
    pub(super) fn cert_info(&self) -> Outcome<Done> {
        Done::data(CertificateText { text: describe_certificate(&self.config)? })
    }

    pub(super) fn cert_update(&self, command: &CertUpdate) -> Outcome<Done> {
        create_keys(&self.config, &host_names()?, command.force, self.clock.now())?;
        Done::nothing()
    }
}
