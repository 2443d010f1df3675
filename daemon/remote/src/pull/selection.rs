//! Which snapshots of a group are taken (`sync.md` §6).

use std::fmt;

use reel_types::BackupTime;

/// Why snapshots were passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// They are older than the newest that is here: gaps are not filled.
    Older,
    /// Only the newest are wanted.
    TransferLast,
}

/// Snapshots in a row that were passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Why.
    pub reason: SkipReason,
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: BackupTime,
    /// The last of them.
    pub last: BackupTime,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {} snapshot(s) ({}", self.count, self.first)?;
        if self.count > 1 {
            write!(f, " .. {}", self.last)?;
        }
        f.write_str(match self.reason {
            SkipReason::Older => ") older than the newest local snapshot",
            SkipReason::TransferLast => ") due to transfer-last",
        })
    }
}

/// A snapshot that is taken, behind those that were not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// What was passed over since the one before, if that is to be told.
    pub skipped: Option<Skipped>,
    /// The snapshot.
    pub time: BackupTime,
}

/// Chooses among the snapshots of a source, oldest first. `newest` is the newest finished one that is here: it is taken
/// again, which costs little where nothing changed. What follows right behind older ones is taken whatever
/// `transfer_last` says, and so are those of `damaged`.
pub fn select(
    source: &[BackupTime],
    newest: Option<BackupTime>,
    transfer_last: Option<u64>,
    damaged: &[BackupTime],
) -> Vec<Selection> {
    let wanted = transfer_last.and_then(|count| usize::try_from(count).ok());
    let cutoff = wanted.map_or(0, |wanted| source.len().saturating_sub(wanted));
    let mut pending: Option<Skipped> = None;
    let mut taken = Vec::new();
    for (position, &time) in source.iter().enumerate() {
        let is_older = newest.is_some_and(|newest| time < newest);
        let is_behind_older = pending.as_ref().is_some_and(|it| it.reason == SkipReason::Older);
        if damaged.contains(&time) {
            taken.push(Selection { skipped: None, time });
        } else if is_older {
            pass_over(&mut pending, SkipReason::Older, time);
        } else if !is_behind_older && position < cutoff && newest != Some(time) {
            pass_over(&mut pending, SkipReason::TransferLast, time);
        } else {
            taken.push(Selection { skipped: pending.take(), time });
        }
    }
    taken
}

fn pass_over(pending: &mut Option<Skipped>, reason: SkipReason, time: BackupTime) {
    match pending {
        Some(skipped) => {
            skipped.count += 1;
            skipped.last = time;
        }
        None => *pending = Some(Skipped { reason, count: 1, first: time, last: time }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seconds: &[i64]) -> Vec<BackupTime> {
        seconds.iter().map(|seconds| BackupTime::from_epoch(*seconds).unwrap()).collect()
    }

    #[test]
    fn the_table_of_the_specification() {
        /// The newest here, the source's, how many of them are wanted, which are taken.
        type Row = (Option<i64>, &'static [i64], Option<u64>, &'static [i64]);
        let rows: [Row; 10] = [
            (None, &[1, 2, 3], None, &[1, 2, 3]),
            (Some(2), &[1, 2, 3], None, &[2, 3]),
            (Some(3), &[1, 2, 3], None, &[3]),
            (Some(4), &[1, 2, 3], None, &[]),
            (Some(2), &[1, 3, 4, 5], None, &[3, 4, 5]),
            (None, &[1, 2, 3, 4], Some(2), &[3, 4]),
            (Some(1), &[1, 2, 3, 4], Some(2), &[1, 3, 4]),
            (Some(2), &[1, 2, 3, 4], Some(1), &[2, 4]),
            (Some(2), &[1, 3, 4, 5], Some(1), &[3, 5]),
            (None, &[1, 2], Some(5), &[1, 2]),
        ];
        for (newest, source, transfer_last, expected) in rows {
            let newest = newest.map(|newest| BackupTime::from_epoch(newest).unwrap());
            let taken = select(&times(source), newest, transfer_last, &[]);
            let taken: Vec<_> = taken.into_iter().map(|selection| selection.time).collect();
            assert_eq!(taken, times(expected), "{newest:?} {source:?} {transfer_last:?}");
        }
    }

    #[test]
    fn what_was_passed_over_is_told_with_the_next_that_is_taken() {
        let newest = BackupTime::from_epoch(3).ok();
        let taken = select(&times(&[1, 2, 3, 4, 5]), newest, Some(1), &[]);
        let told: Vec<_> =
            taken.iter().map(|one| one.skipped.as_ref().map(ToString::to_string)).collect();
        let older = "skipped: 2 snapshot(s) (1970-01-01T00:00:01Z .. 1970-01-01T00:00:02Z) older than the newest local snapshot";
        let last = "skipped: 1 snapshot(s) (1970-01-01T00:00:04Z) due to transfer-last";
        assert_eq!(told, [Some(older.into()), Some(last.into())]);
        assert!(
            select(&times(&[1, 2]), newest, None, &[]).is_empty(),
            "and not at all where none is"
        );
    }

    #[test]
    fn what_is_damaged_here_is_taken_however_old() {
        let newest = BackupTime::from_epoch(4).ok();
        let taken = select(&times(&[1, 2, 3, 4]), newest, Some(1), &times(&[2]));
        let taken: Vec<_> = taken.into_iter().map(|selection| selection.time).collect();
        assert_eq!(taken, times(&[2, 4]));
    }
}
