//! When to merge the runs of an index that grows.
//!
//! Runs are of one tier when their sizes are within a factor of eight; eight runs of one tier (and
//! whatever smaller ones lie between) become one. So a record is rewritten once a tier, and 100 million
//! records that came in pieces of 600,000 lie in 21 runs at most.

use crate::run::Run;

/// Runs of one tier that make one of the next, and the ratio of their sizes.
pub(crate) const RUNS_A_TIER: usize = 8;

/// From which run on the newest runs want merging, if they do.
pub(crate) fn due<const N: usize>(runs: &[Run<N>]) -> Option<usize> {
    let sizes: Vec<usize> = runs.iter().map(Run::len).collect();
    due_of_sizes(&sizes)
}

fn due_of_sizes(sizes: &[usize]) -> Option<usize> {
    let newest = tier(*sizes.last()?);
    let first = sizes.iter().rposition(|size| tier(*size) > newest).map_or(0, |larger| larger + 1);
    (sizes.len() - first >= RUNS_A_TIER).then_some(first)
}

fn tier(records: usize) -> u32 {
    records.max(1).ilog(RUNS_A_TIER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_of_a_size_are_due() {
        assert_eq!(due_of_sizes(&[]), None);
        assert_eq!(due_of_sizes(&[10; 7]), None);
        assert_eq!(due_of_sizes(&[10; 8]), Some(0));
        assert_eq!(due_of_sizes(&[1000, 10, 10, 10, 10, 10, 10, 10]), None);
        assert_eq!(due_of_sizes(&[1000, 10, 10, 10, 10, 10, 10, 10, 10]), Some(1));
        assert_eq!(due_of_sizes(&[10, 10, 10, 10, 10, 10, 10, 1000]), Some(0));
    }

    /// Pieces of one record: few runs at any time, and few rewrites in all.
    #[test]
    fn growth_costs_a_rewrite_a_tier() {
        let (mut sizes, mut rewritten, mut runs_max) = (Vec::new(), 0, 0);
        for _ in 0..8_usize.pow(5) {
            sizes.push(1);
            while let Some(first) = due_of_sizes(&sizes) {
                let merged: usize = sizes.drain(first..).sum();
                rewritten += merged;
                sizes.push(merged);
            }
            runs_max = runs_max.max(sizes.len());
        }
        assert_eq!(rewritten, 5 * 8_usize.pow(5));
        assert!(runs_max <= 7 * 5, "{runs_max}");
    }
}
