//! Going somewhere else on the tape.

use reel_hw::scsi::position::{LongPosition, ShortPosition};
use reel_hw::scsi::{LocateTarget, Sense, SenseKey, SpaceCode};

use super::{Clockwork, Drive, Mounted};
use crate::answer::{Answer, Outcome, invalid_field};
use crate::cartridge::objects::Objects;
use crate::model::Maker;

impl Drive {
    pub(super) fn rewind(&mut self) -> Outcome {
        let (mounted, clockwork) = self.at_work()?;
        mounted.rewind(clockwork)?;
        Ok(Answer::Done)
    }

    pub(super) fn space(&mut self, code: SpaceCode, count: i64) -> Outcome {
        let (mounted, clockwork) = self.at_work()?;
        let objects = mounted.cartridge.objects();
        let (place, met) = match code {
            SpaceCode::EndOfData => (objects.count(), None),
            SpaceCode::Blocks => over_blocks(objects, mounted.position, count),
            SpaceCode::Filemarks => over_filemarks(objects, mounted.position, count),
            SpaceCode::Other(_) => return Err(invalid_field()),
        };
        mounted.travel(clockwork, place)?;
        match met {
            None => Ok(Answer::Done),
            Some(sense) => Err(sense.into()),
        }
    }

    pub(super) fn locate(&mut self, partition: Option<u8>, target: LocateTarget) -> Outcome {
        if partition.unwrap_or(0) != 0 {
            return Err(invalid_field());
        }
        match target {
            LocateTarget::Object(number) => self.locate_object(number),
            LocateTarget::File(number) => self.locate_file(number),
            LocateTarget::EndOfData => self.space(SpaceCode::EndOfData, 0),
            LocateTarget::Other(..) => Err(invalid_field()),
        }
    }

    pub(super) fn locate_object(&mut self, number: u64) -> Outcome {
        let (mounted, clockwork) = self.at_work()?;
        go_to(mounted, clockwork, Some(number))
    }

    pub(super) fn read_position(&mut self, service_action: u8) -> Outcome {
        let mounted = self.ready()?;
        let (object, objects) = (mounted.position, mounted.cartridge.objects());
        let file = objects.filemarks_before(object);
        let early_warning = mounted.used_before(object) > mounted.early_warning();
        match service_action {
            // Linux's `st` asks for the vendor's own short form, which LTO drives answer as the other.
            0 | 1 => {
                let number = u32::try_from(object).map_err(|_| invalid_field())?;
                let position = ShortPosition {
                    beginning: object == 0,
                    end: early_warning,
                    first: number,
                    last: number,
                    ..ShortPosition::default()
                };
                Ok(Answer::Data(position.encode()))
            }
            6 => {
                let position = LongPosition {
                    beginning: object == 0,
                    end: early_warning,
                    object,
                    file,
                    ..LongPosition::default()
                };
                Ok(Answer::Data(position.encode()))
            }
            _ => Err(invalid_field()),
        }
    }

    /// In front of the filemark that ends this file, or the file before, as the makers disagree.
    fn locate_file(&mut self, file: u64) -> Outcome {
        let maker = self.model.maker;
        let (mounted, clockwork) = self.at_work()?;
        let filemark = match maker {
            Maker::Ibm => file.saturating_add(1),
            Maker::Hp => file,
        };
        if filemark == 0 {
            return go_to(mounted, clockwork, Some(0));
        }
        let place = mounted.cartridge.objects().filemark_after(0, filemark);
        go_to(mounted, clockwork, place)
    }
}

/// Goes to an object; beyond the end of data it stays there.
fn go_to(mounted: &mut Mounted, clockwork: &mut Clockwork, place: Option<u64>) -> Outcome {
    let end = mounted.cartridge.objects().count();
    mounted.travel(clockwork, place.unwrap_or(u64::MAX).min(end))?;
    match place {
        Some(place) if place <= end => Ok(Answer::Done),
        _ => Err(Sense::new(SenseKey::BlankCheck, 0x00, 0x05).into()),
    }
}

/// Where spacing over blocks ends, and what it met. A filemark is passed, and counts.
fn over_blocks(objects: &Objects, from: u64, count: i64) -> (u64, Option<Sense>) {
    let distance = count.unsigned_abs();
    if count < 0 {
        let mark = objects.filemark_before(from, 1);
        return match mark {
            Some(mark) if from - mark <= distance => {
                (mark, Some(met_filemark(distance, from - mark - 1)))
            }
            _ if distance > from => (0, Some(met_beginning(distance - from))),
            _ => (from - distance, None),
        };
    }
    let (mark, end) = (objects.filemark_after(from, 1), objects.count());
    match mark {
        Some(mark) if mark - from < distance => {
            (mark + 1, Some(met_filemark(distance, mark - from)))
        }
        _ if distance > end - from => (end, Some(met_end(distance - (end - from)))),
        _ => (from + distance, None),
    }
}

/// Where spacing over filemarks ends, and what it met: forward behind the last one, backward in front of it.
fn over_filemarks(objects: &Objects, from: u64, count: i64) -> (u64, Option<Sense>) {
    let distance = count.unsigned_abs();
    if distance == 0 {
        return (from, None);
    }
    let before = objects.filemarks_before(from);
    if count < 0 {
        return match objects.filemark_before(from, distance) {
            Some(mark) => (mark, None),
            None => (0, Some(met_beginning(distance - before))),
        };
    }
    match objects.filemark_after(from, distance) {
        Some(mark) => (mark + 1, None),
        None => {
            let passed = objects.filemarks_before(objects.count()) - before;
            (objects.count(), Some(met_end(distance - passed)))
        }
    }
}

fn met_filemark(distance: u64, passed: u64) -> Sense {
    let mut sense = Sense::new(SenseKey::NoSense, 0x00, 0x01);
    sense.filemark = true;
    sense.information = i64::try_from(distance - passed).ok();
    sense
}

fn met_end(left: u64) -> Sense {
    let mut sense = Sense::new(SenseKey::BlankCheck, 0x00, 0x05);
    sense.information = i64::try_from(left).ok();
    sense
}

fn met_beginning(left: u64) -> Sense {
    let mut sense = Sense::new(SenseKey::NoSense, 0x00, 0x04);
    sense.end_of_medium = true;
    sense.information = i64::try_from(left).ok();
    sense
}
