//! In which order a drive wants to read, and where the wraps of its medium end (spec scsi.md §19).

use super::commands::COMPRESSION;
use super::{LtoDrive, timeouts};
use crate::device::DeviceError;
use crate::drive::ObjectRange;
use crate::number::BlockNumber;
use crate::scsi::access_order::{
    AccessOrderLimits, AccessOrderList, AccessOrderRequest, AccessSegment, WrapEnds,
};
use crate::scsi::density::Density;
use crate::scsi::{Command, DecodeError};
use crate::transport::Data;

/// A new order, not only estimates for the one that was sent.
const REORDER: u8 = 2;
/// Descriptors without geometry: the layout of others is not established.
const PLAIN: u8 = 0;

/// Bytes of the answer to the query for limits.
const LIMITS_BYTES: usize = 4;
/// Bytes in front of the descriptors.
const HEADER_BYTES: usize = 8;
/// Bytes of a descriptor without geometry.
const DESCRIPTOR_BYTES: usize = 32;
/// 280 wraps of LTO-9 need 3364 bytes.
const WRAPS_BYTES: usize = 8192;

type Attempt<T> = Result<T, DeviceError>;

impl LtoDrive {
    /// As many of the first ranges as the drive takes in a list, in its order.
    pub(super) fn ask_order(&mut self, ranges: &[ObjectRange]) -> Attempt<Option<Vec<usize>>> {
        let Some(limits) = self.order_limits()? else { return Ok(None) };
        let numbered = ranges.iter().take(usize::from(limits.segments_max)).enumerate();
        let segment = |(number, range): (usize, &ObjectRange)| {
            AccessSegment::numbered(number, range.first.0, range.last.0)
        };
        let sent: Vec<_> = numbered.map(segment).collect();
        // A list of one says nothing, and an empty one would only drop what the drive holds.
        if sent.len() < 2 {
            return Ok(Some((0..sent.len()).collect()));
        }
        self.generate_order(&sent)?;
        Ok(Some(self.receive_order(sent.len())?.order_of(&sent)?))
    }

    /// What the drive takes in a list; none where it makes no orders.
    fn order_limits(&mut self) -> Attempt<Option<AccessOrderLimits>> {
        let command = receive(true, LIMITS_BYTES);
        let limits = match self.device.ask_data(command, LIMITS_BYTES, timeouts::QUICK) {
            Ok(bytes) => AccessOrderLimits::decode(&bytes)?,
            Err(error) if error.is_unsupported() => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(limits).filter(|limits| limits.segments_max > 0))
    }

    fn generate_order(&mut self, segments: &[AccessSegment]) -> Attempt<()> {
        let list = AccessOrderRequest { segments: segments.to_vec() }.encode();
        let length = list.len() as u32;
        let command = Command::GenerateAccessOrder { process: REORDER, kind: PLAIN, length };
        self.device.ask(command, Data::Out(&list), timeouts::ACCESS_ORDER).map(drop)
    }

    /// The list that the drive has just made: the next one, an unload or a reset take it away.
    fn receive_order(&mut self, segments: usize) -> Attempt<AccessOrderList> {
        let allocation = HEADER_BYTES + DESCRIPTOR_BYTES * segments;
        let command = receive(false, allocation);
        let bytes = self.device.ask_data(command, allocation, timeouts::ACCESS_ORDER)?;
        Ok(AccessOrderList::decode(&bytes)?)
    }

    /// The last object of each wrap that holds data.
    pub(super) fn ask_wrap_ends(&mut self) -> Attempt<Option<Vec<BlockNumber>>> {
        let command = Command::ReadEndOfWrapPosition {
            wrap: None,
            all: true,
            allocation: WRAPS_BYTES as u32,
        };
        match self.device.ask_data(command, WRAPS_BYTES, timeouts::QUICK) {
            Ok(bytes) => ends_in_order(&WrapEnds::decode(&bytes)?),
            Err(error) if error.is_unsupported() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Of the medium, as the drive has loaded it.
    pub(super) fn ask_density(&mut self) -> Attempt<Option<Density>> {
        let (_, data) = self.device.mode_sense(COMPRESSION, 0)?;
        let density = data.descriptor.and_then(|block| Density::from_code(block.density).ok());
        Ok(density.filter(|density| *density != Density::Unknown))
    }
}

fn receive(limits: bool, allocation: usize) -> Command {
    Command::ReceiveAccessOrder { limits, offset: 0, kind: PLAIN, allocation: allocation as u32 }
}

/// The ends, which must be those of the wraps 0, 1, 2 …, each behind the one before. On a toy of a medium there are wraps
/// in which no object ends: they tell nothing.
fn ends_in_order(ends: &WrapEnds) -> Attempt<Option<Vec<BlockNumber>>> {
    let is_next = |(number, end): (usize, &crate::scsi::access_order::WrapEnd)| {
        usize::from(end.wrap) == number && end.partition == 0
    };
    let numbered = ends.wraps.iter().enumerate().all(is_next);
    if !numbered || !ends.wraps.is_sorted_by_key(|end| end.object) {
        return Err(DecodeError::field("ends of wraps", "they are not those of a tape").into());
    }
    let is_told = ends.wraps.is_sorted_by(|a, b| a.object < b.object);
    Ok(is_told.then(|| ends.wraps.iter().map(|end| BlockNumber(end.object)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::access_order::WrapEnd;

    fn ends(wraps: &[(u16, u16, u64)]) -> WrapEnds {
        let end = |(wrap, partition, object): &(u16, u16, u64)| WrapEnd {
            wrap: *wrap,
            partition: *partition,
            object: *object,
        };
        WrapEnds { wraps: wraps.iter().map(end).collect() }
    }

    #[test]
    fn ends_of_wraps_that_are_none_are_refused() {
        let good = ends_in_order(&ends(&[(0, 0, 208_310), (1, 0, 416_271)])).unwrap();
        assert_eq!(good.unwrap(), [BlockNumber(208_310), BlockNumber(416_271)]);
        assert!(ends_in_order(&ends(&[])).unwrap().unwrap().is_empty());
        assert_eq!(ends_in_order(&ends(&[(0, 0, 5), (1, 0, 5)])).unwrap(), None);
        for wrong in [
            [(0, 0, 5), (2, 0, 9)],
            [(1, 0, 5), (2, 0, 9)],
            [(0, 0, 9), (1, 0, 5)],
            [(0, 0, 5), (1, 1, 9)],
        ] {
            assert!(ends_in_order(&ends(&wrong)).is_err(), "{wrong:?}");
        }
    }
}
