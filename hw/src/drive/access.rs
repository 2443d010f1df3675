//! What a drive tells of how its places lie to each other.

use crate::number::BlockNumber;

/// Objects that are read in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectRange {
    /// The first.
    pub first: BlockNumber,
    /// The last, not before the first.
    pub last: BlockNumber,
}
