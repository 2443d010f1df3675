//! How far work on groups and their snapshots is (`sync.md` §6, `cli-tape.md` §4).

use std::fmt;

/// Groups, and snapshots of the group that is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupsProgress {
    /// Groups that are done.
    pub done_groups: u64,
    /// All groups.
    pub groups: u64,
    /// Snapshots of this group that are done.
    pub done_snapshots: u64,
    /// The snapshots of this group that are taken.
    pub snapshots: u64,
}

impl GroupsProgress {
    /// What is done, from 0 to 1.
    pub fn share(&self) -> f64 {
        let part = |done: u64, all: u64| if all == 0 { 0.0 } else { done as f64 / all as f64 };
        let of_group = if self.groups == 0 { 0.0 } else { 1.0 / self.groups as f64 };
        part(self.done_groups, self.groups) + part(self.done_snapshots, self.snapshots) * of_group
    }
}

impl fmt::Display for GroupsProgress {
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
            ((0, 16, 1, 2), "3.12% (0/16 groups, 1/2 snapshots in group #1)"),
            ((1, 16, 1, 1), "12.50% (2/16 groups)"),
            ((0, 1, 1, 3), "33.33% (1/3 snapshots)"),
            ((1, 2, 0, 0), "50.00% (1/2 groups)"),
            ((0, 0, 0, 0), "0.00% (0/0 groups)"),
        ];
        for ((done_groups, groups, done_snapshots, snapshots), text) in rows {
            let progress = GroupsProgress { done_groups, groups, done_snapshots, snapshots };
            assert_eq!(progress.to_string(), text);
        }
    }
}
