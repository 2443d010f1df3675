//! What a pull does, before it does anything: which namespaces go where, which snapshots are taken, how far it is
//! (`sync.md` §§3, 6). Nothing here asks a server or touches a datastore.

mod namespaces;
mod progress;
mod selection;

pub use namespaces::{NamespaceMapping, NamespacePair};
pub use progress::Progress;
pub use selection::{Selection, SkipReason, Skipped, select};
