//! Points at which something becomes durable, told to whoever wants to see what is left there.

/// Is told of each commit point as it is reached.
///
/// A crate that commits names its points in a list; a test stops the program at each and looks at what is left.
pub trait CommitPoints: Send + Sync {
    /// The point `name` of such a list was reached.
    fn reached(&self, name: &'static str);
}

/// Nobody cares.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCommitPoints;

impl CommitPoints for NoCommitPoints {
    fn reached(&self, _name: &'static str) {}
}
