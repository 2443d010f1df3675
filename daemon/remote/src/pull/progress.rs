//! How far a pull is (`sync.md` §6).

use std::fmt;

/// Groups of a namespace, and snapshots of the group that is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Groups that are done.
    pub done_groups: u64,
    /// All groups.
    pub groups: u64,
    /// Snapshots of this group that are done.
    pub done_snapshots: u64,
    /// The snapshots of this group that are taken.
    pub snapshots: u64,
}

impl Progress {
    /// What is done, from 0 to 1.
    pub fn share(&self) -> f64 {
        let part = |done: u64, all: u64| if all == 0 { 0.0 } else { done as f64 / all as f64 };
        let of_group = if self.groups == 0 { 0.0 } else { 1.0 / self.groups as f64 };
        part(self.done_groups, self.groups) + part(self.done_snapshots, self.snapshots) * of_group
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done_groups, groups, done_snapshots, snapshots } = *self;
        let current = done_groups + 1;
        write!(f, "{:.2}% (", 100.0 * self.share())?;
        match (snapshots, groups) {
            (0, _) => write!(f, "{done_groups}/{groups} groups)"),
            (_, 1) => write!(f, "{done_snapshots}/{snapshots} snapshots)"),
            _ if done_snapshots == snapshots => write!(f, "{current}/{groups} groups)"),
            _ => write!(
                f,
                "{done_groups}/{groups} groups, {done_snapshots}/{snapshots} snapshots in group #{current})"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_specification() {
        let rows = [
            ((2, 4, 1, 2), "62.50% (2/4 groups, 1/2 snapshots in group #3)"),
            ((2, 4, 2, 2), "75.00% (3/4 groups)"),
            ((0, 1, 1, 3), "33.33% (1/3 snapshots)"),
            ((1, 2, 0, 0), "50.00% (1/2 groups)"),
            ((0, 0, 0, 0), "0.00% (0/0 groups)"),
        ];
        for ((done_groups, groups, done_snapshots, snapshots), text) in rows {
            let progress = Progress { done_groups, groups, done_snapshots, snapshots };
            assert_eq!(progress.to_string(), text);
        }
    }
}
