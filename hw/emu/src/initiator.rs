//! Who sends commands.

/// A host's port, or a handle that stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Initiator(pub(crate) u32);
