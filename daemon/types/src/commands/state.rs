//! The state of the daemon in one file (docs/total-loss.md).

use super::define::*;
use super::output::Answer;
use super::values::LocalPath;

commands! {
    /// Write configuration, inventory, catalogs and protected tape keys into one file, which is replaced whole. Keys and
    /// passwords stay out.
    StateExport ["state" "export"] => Answer::Nothing;
    {
        /// The file, where the daemon may write it.
        arg file: LocalPath,
    }
}
