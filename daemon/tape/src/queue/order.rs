//! In which order the archives of a medium are read: the drive's own, where it makes one (RAO, spec scsi.md §19); else
//! the cheapest that is found by where its wraps end, where it tells that; else by their numbers.
//!
//! Nothing depends on an order but time. An answer that makes no sense is told once to the log, and archives come by
//! their numbers then.

use std::collections::BTreeSet;

use reel_hw::{BlockNumber, ObjectRange, TapeDrive};

use super::wishes::WantedArchive;
use crate::FileNumber;
use crate::drive_times::Layout;
use crate::places::start_between;
use crate::timing::{Costs, Ratios};

/// Archives no further apart are read one behind the other. That far may the last chunk of an archive reach behind its
/// first block, with the filemark and the archive of a small snapshot: nothing is gained by going elsewhere in between.
const NEIGHBOURS_OBJECTS_MAX: u64 = 17 + super::NEAR_OBJECTS_MAX;

/// By what the archives of a medium in a drive are ordered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum OrderBy {
    /// By their numbers.
    Number,
    /// As the drive recommends.
    Drive,
    /// By what it costs.
    Costs(Box<Costs>),
}

impl OrderBy {
    /// The best that the drive and the medium in it allow.
    pub(super) fn of(layout: &Layout) -> Self {
        match layout.costs(Ratios::default()) {
            _ if layout.makes_orders() => Self::Drive,
            Some(costs) if layout.has_wrap_ends() => Self::Costs(Box::new(costs)),
            _ => Self::Number,
        }
    }

    /// The archives in the order in which they are best read from where the head is, or as many of them as the drive
    /// orders at a time; none where nothing speaks against their numbers.
    ///
    /// # Errors
    /// Those of the drive, and an answer of it that is no order.
    pub(super) fn order(
        &self,
        drive: &mut dyn TapeDrive,
        archives: &[WantedArchive],
    ) -> reel_hw::Result<Option<Vec<FileNumber>>> {
        let Some(legs) = legs(archives) else { return Ok(None) };
        let ranges: Vec<_> = legs.iter().map(|leg| leg.range).collect();
        let order = match self {
            Self::Number => None,
            _ if legs.len() == 1 => Some(vec![0]),
            Self::Drive => drive.access_order(&ranges)?,
            Self::Costs(costs) => Some(costs.order(drive.position()?.object, &ranges)),
        };
        order.map(|order| files_of(&legs, &order)).transpose()
    }
}

/// Archives that are read one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leg {
    range: ObjectRange,
    files: Vec<FileNumber>,
}

/// The archives in the order of the medium, neighbours joined; none where it is not known where any of them lies.
fn legs(archives: &[WantedArchive]) -> Option<Vec<Leg>> {
    let ranges = ranges(archives)?;
    let mut legs: Vec<Leg> = Vec::new();
    for (range, archive) in ranges.into_iter().zip(archives) {
        match legs.last_mut() {
            Some(leg) if are_neighbours(leg.range, range) => {
                leg.range.last = leg.range.last.max(range.last);
                leg.files.push(archive.file);
            }
            _ => legs.push(Leg { range, files: vec![archive.file] }),
        }
    }
    Some(legs)
}

fn are_neighbours(one: ObjectRange, next: ObjectRange) -> bool {
    next.first.0.saturating_sub(one.last.0) <= NEIGHBOURS_OBJECTS_MAX
}

/// Where each archive is read. One of which nothing is known is taken to lie, by its number, between those around it
/// of which something is; behind the last of them, right there.
fn ranges(archives: &[WantedArchive]) -> Option<Vec<ObjectRange>> {
    let known: Vec<(FileNumber, BlockNumber)> =
        archives.iter().filter_map(|archive| Some((archive.file, archive.reach?.start))).collect();
    if known.is_empty() {
        return None;
    }
    let range = |archive: &WantedArchive| match archive.reach {
        Some(reach) => reach.wanted,
        None => {
            let first = start_between(&known, archive.file);
            ObjectRange { first, last: first }
        }
    };
    Some(archives.iter().map(range).collect())
}

/// The archives in an order of their legs, or of the first of these.
fn files_of(legs: &[Leg], order: &[usize]) -> reel_hw::Result<Vec<FileNumber>> {
    let named: BTreeSet<&usize> = order.iter().collect();
    let ordered: Option<Vec<&Leg>> = order.iter().map(|index| legs.get(*index)).collect();
    match ordered {
        Some(ordered) if named.len() == order.len() && !order.is_empty() => {
            Ok(ordered.iter().flat_map(|leg| leg.files.iter().copied()).collect())
        }
        _ => Err(reel_hw::Error::Corrupt {
            what: "the order of access that the drive recommends".into(),
            reason: format!("it names {order:?} of {} places", legs.len()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::wishes::Reach;
    use reel_hw::MemoryLibrary;
    use reel_hw::memory::MediumLimits;
    use reel_hw::number::VolumeTag;

    fn archive(file: u64, reach: Option<(u64, u64, u64)>) -> WantedArchive {
        let reach = reach.map(|(start, first, last)| Reach {
            start: BlockNumber(start),
            wanted: ObjectRange { first: BlockNumber(first), last: BlockNumber(last) },
        });
        WantedArchive { file: FileNumber(file), reach }
    }

    fn objects(range: &ObjectRange) -> (u64, u64) {
        (range.first.0, range.last.0)
    }

    fn numbers(files: &[FileNumber]) -> Vec<u64> {
        files.iter().map(|file| file.0).collect()
    }

    #[test]
    fn neighbours_are_read_one_behind_the_other() {
        let archives = [
            archive(2, Some((10, 15, 40))),
            archive(4, Some((60, 61, 70))),
            archive(6, Some((80, 95, 96))),
            archive(9, Some((5000, 5000, 5000))),
        ];
        let legs = legs(&archives).unwrap();
        let shown: Vec<_> =
            legs.iter().map(|leg| (objects(&leg.range), numbers(&leg.files))).collect();
        assert_eq!(shown, [((15, 70), vec![2, 4]), ((95, 96), vec![6]), ((5000, 5000), vec![9])]);
        assert_eq!(numbers(&files_of(&legs, &[2, 0, 1]).unwrap()), [9, 2, 4, 6]);
        assert_eq!(numbers(&files_of(&legs, &[2]).unwrap()), [9], "the rest is asked for later");
    }

    #[test]
    fn what_is_not_known_lies_between_its_neighbours() {
        let archives = [
            archive(2, None),
            archive(4, Some((1000, 1000, 1010))),
            archive(5, None),
            archive(8, Some((5000, 5010, 5010))),
            archive(9, None),
        ];
        let ranges = ranges(&archives).unwrap();
        let firsts: Vec<_> = ranges.iter().map(|range| range.first.0).collect();
        assert_eq!(firsts, [500, 1000, 2000, 5010, 5000]);
        assert_eq!(legs(&[archive(2, None), archive(7, None)]), None);
        assert_eq!(legs(&[]), None);
    }

    #[test]
    fn an_order_that_is_none_is_an_error() {
        let archives = [archive(2, Some((0, 0, 0))), archive(4, Some((500, 500, 500)))];
        let legs = legs(&archives).unwrap();
        for wrong in [&[][..], &[0, 0], &[0, 2], &[0, 1, 1]] {
            assert!(files_of(&legs, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_drive_without_orders_has_archives_read_by_their_numbers() {
        let tag = VolumeTag::new("A00001L8").unwrap();
        let (_library, mut drive) =
            MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).unwrap();
        let archives = [archive(2, Some((0, 0, 0))), archive(4, Some((500, 500, 500)))];
        for by in [OrderBy::Number, OrderBy::Drive] {
            assert_eq!(by.order(&mut drive, &archives).unwrap(), None, "{by:?}");
        }
    }
}
