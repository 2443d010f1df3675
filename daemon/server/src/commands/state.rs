//! The state in one file.

use reel_types::commands::StateExport;

use super::Done;
use crate::failure::Outcome;
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn state_export(&self, command: &StateExport) -> Outcome<Done> {
        self.state_export.write(command.file.as_path())?;
        Done::nothing()
    }
}
