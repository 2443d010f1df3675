//! Recommended access order (spec scsi.md §19): by what locates really cost this drive on this medium.

use reel_hw::BlockNumber;
use reel_hw::scsi::SenseKey;
use reel_hw::scsi::access_order::{
    AccessOrderLimits, AccessOrderList, AccessOrderRequest, AccessSegment,
};

use super::{Context, Drive, Mounted, parameters};
use crate::answer::{
    Answer, Outcome, Refusal, check, invalid_field, invalid_parameter, parameter_length,
    unknown_command,
};
use crate::time::Segment;

const LIMITS: AccessOrderLimits =
    AccessOrderLimits { segments_max: 2700, descriptor_bytes_max: 32 };

/// Only estimates, which descriptors without geometry have no field for.
const KEEP: u8 = 1;
/// A new order.
const REORDER: u8 = 2;

/// Bytes in front of the descriptors.
const HEADER_BYTES: usize = 8;

impl Drive {
    pub(super) fn generate_order(
        &mut self,
        context: &Context<'_, '_>,
        process: u8,
        kind: u8,
        length: u32,
    ) -> Outcome {
        self.can_order()?;
        if kind != 0 || ![KEEP, REORDER].contains(&process) {
            return Err(invalid_field());
        }
        self.ready()?;
        self.order = None;
        if length == 0 {
            return Ok(Answer::Done);
        }
        let bytes = parameters(context, length)?;
        if bytes.len() < HEADER_BYTES {
            return Err(parameter_length());
        }
        let sent = AccessOrderRequest::decode(bytes).map_err(|_| invalid_parameter())?.segments;
        let mounted = self.ready()?;
        check_segments(mounted, &sent)?;
        let segments = match process {
            REORDER => ordered(mounted, &sent),
            _ => sent,
        };
        self.order = Some(AccessOrderList { process, status: 0, segments });
        Ok(Answer::Done)
    }

    pub(super) fn receive_order(&mut self, limits: bool, offset: u32, kind: u8) -> Outcome {
        self.can_order()?;
        if kind != 0 || !offset.is_multiple_of(4) {
            return Err(invalid_field());
        }
        if limits {
            return Ok(Answer::Data(LIMITS.encode()));
        }
        self.ready()?;
        let out_of_sequence = || check(SenseKey::IllegalRequest, 0x2C, 0x00);
        let list = self.order.as_ref().ok_or_else(out_of_sequence)?.encode();
        let rest = list.get(offset as usize..).ok_or_else(invalid_field)?;
        Ok(Answer::Data(rest.to_vec()))
    }

    fn can_order(&self) -> Result<(), Refusal> {
        if self.model.orders_access() { Ok(()) } else { Err(unknown_command()) }
    }
}

/// That a list is not too long and speaks of what is recorded.
fn check_segments(mounted: &Mounted, segments: &[AccessSegment]) -> Result<(), Refusal> {
    let end = mounted.cartridge.objects().count();
    let is_there = |segment: &AccessSegment| segment.partition == 0 && segment.last < end;
    if segments.len() > usize::from(LIMITS.segments_max) || !segments.iter().all(is_there) {
        return Err(invalid_parameter());
    }
    Ok(())
}

fn ordered(mounted: &Mounted, sent: &[AccessSegment]) -> Vec<AccessSegment> {
    let place = |object| mounted.place(object);
    let on_tape = |segment: &AccessSegment| {
        let (first, last) = (place(segment.first), place(segment.last));
        Segment::between(first, last).unwrap_or(Segment { first, objects: 1 })
    };
    let segments: Vec<_> = sent.iter().map(on_tape).collect();
    let head: BlockNumber = place(mounted.position);
    let order = mounted.mechanism.shortest_first(head, &segments);
    order.into_iter().filter_map(|index| sent.get(index).copied()).collect()
}
