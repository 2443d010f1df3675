//! READ END OF WRAP POSITION (spec scsi.md §19).

use reel_hw::scsi::access_order::{WrapEnd, WrapEnds};

use super::{Drive, Mounted};
use crate::answer::{Answer, Outcome, invalid_field, unknown_command};

impl Drive {
    pub(super) fn wrap_ends(&mut self, wrap: Option<u8>, all: bool) -> Outcome {
        if !self.model.tells_wraps() {
            return Err(unknown_command());
        }
        let mounted = self.ready()?;
        let ends = ends_with_data(mounted);
        if all {
            if wrap.is_some() {
                return Err(invalid_field());
            }
            return Ok(Answer::Data(WrapEnds { wraps: ends }.encode()));
        }
        let here = mounted.mechanism.wraps().wrap_of(mounted.place(mounted.position));
        let wanted = wrap.map_or(here, usize::from);
        let end = ends.get(wanted).ok_or_else(invalid_field)?;
        Ok(Answer::Data(WrapEnds::encode_single(end.object)))
    }
}

/// The wraps that hold data. The last one is partial: it ends where the data do.
fn ends_with_data(mounted: &Mounted) -> Vec<WrapEnd> {
    let end_of_data = mounted.cartridge.objects().count();
    let wraps = mounted.mechanism.wraps();
    let last = wraps.wrap_of(mounted.place(end_of_data));
    let object = |wrap: usize| match wraps.ends().get(wrap) {
        Some(end) if wrap < last => last_object_at(mounted, *end),
        _ => end_of_data,
    };
    (0..=last)
        .map(|wrap| WrapEnd { wrap: wrap as u16, partition: 0, object: object(wrap) })
        .collect()
}

/// The last object that begins no further than a place of the tape.
fn last_object_at(mounted: &Mounted, place: u64) -> u64 {
    let (mut least, mut most) = (0, mounted.cartridge.objects().count());
    while least < most {
        let middle = most - (most - least) / 2;
        if mounted.place(middle).0 <= place {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    least
}
