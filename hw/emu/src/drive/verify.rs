//! VERIFY(6): the drive reads for itself (spec scsi.md §11).

use reel_hw::scsi::{Sense, SenseKey};
use reel_hw::transport::Data;

use super::{Context, Drive};
use crate::answer::{Answer, Outcome, Refusal, check, invalid_field};
use crate::cartridge::objects::Object;

/// To the end of data.
const TO_END: u8 = 0x20;
/// The length counts filemarks.
const BY_FILEMARKS: u8 = 0x08;
/// Against bytes of the host.
const COMPARE: u8 = 0x02;
/// The length counts blocks of a fixed length.
const FIXED: u8 = 0x01;

/// What ended a run of objects.
enum Met {
    Block,
    Filemark,
    End,
}

impl Drive {
    pub(super) fn verify(&mut self, context: &Context<'_, '_>, flags: u8, length: u32) -> Outcome {
        self.ready()?;
        let has = |flag| flags & flag != 0;
        let kinds = [TO_END, BY_FILEMARKS, COMPARE].into_iter().filter(|flag| has(*flag)).count();
        if kinds > 1 || (has(FIXED) && self.modes.block_length == 0) {
            return Err(invalid_field());
        }
        match () {
            () if has(TO_END) => self.verify_to_end(),
            () if has(BY_FILEMARKS) => self.verify_filemarks(length),
            () if has(COMPARE) => self.compare(context, length),
            () => self.verify_blocks(if has(FIXED) { length } else { length.min(1) }),
        }
    }

    fn verify_to_end(&mut self) -> Outcome {
        while !matches!(self.verify_object()?, Met::End) {}
        Ok(Answer::Done)
    }

    fn verify_filemarks(&mut self, count: u32) -> Outcome {
        let mut left = count;
        while left > 0 {
            match self.verify_object()? {
                Met::Filemark => left -= 1,
                Met::Block => {}
                Met::End => return Err(ended(left)),
            }
        }
        Ok(Answer::Done)
    }

    fn verify_blocks(&mut self, count: u32) -> Outcome {
        for done in 0..count {
            match self.verify_object()? {
                Met::Block => {}
                Met::Filemark => {
                    let mut sense = Sense::new(SenseKey::NoSense, 0x00, 0x01);
                    sense.filemark = true;
                    sense.information = Some(i64::from(count - done));
                    return Ok(Answer::Told(sense, 0));
                }
                Met::End => return Err(ended(count - done)),
            }
        }
        Ok(Answer::Done)
    }

    /// One block against what the host sent.
    fn compare(&mut self, context: &Context<'_, '_>, length: u32) -> Outcome {
        let Data::Out(expected) = &*context.data else { return Err(invalid_field()) };
        let expected = expected.get(..length as usize).ok_or_else(invalid_field)?;
        let mut found = vec![0; expected.len()];
        match self.read_block(&mut found, false)? {
            Answer::Filled(count) if count == expected.len() && found == expected => {
                Ok(Answer::Done)
            }
            Answer::Told(sense, _) if sense.filemark => Ok(Answer::Told(sense, 0)),
            _ => Err(check(SenseKey::Miscompare, 0x1D, 0x00)),
        }
    }

    fn verify_object(&mut self) -> Result<Met, Refusal> {
        let mounted = self.ready()?;
        let length = match mounted.cartridge.objects().get(mounted.position) {
            None => return Ok(Met::End),
            Some((Object::Filemark, _)) => 0,
            Some((Object::Block(block), _)) => block.length as usize,
        };
        let mut buffer = vec![0; length.max(1)];
        match self.read_block(&mut buffer, true)? {
            Answer::Told(sense, _) if sense.filemark => Ok(Met::Filemark),
            _ => Ok(Met::Block),
        }
    }
}

fn ended(left: u32) -> Refusal {
    let mut sense = Sense::new(SenseKey::BlankCheck, 0x00, 0x05);
    sense.information = Some(i64::from(left));
    sense.into()
}
