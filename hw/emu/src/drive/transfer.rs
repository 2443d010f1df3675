//! Reading and writing.

use reel_hw::scsi::{Sense, SenseKey};
use reel_hw::transport::Data;

use super::{Context, Drive, store_failed};
use crate::answer::{Answer, Outcome, Refusal, check, invalid_field};
use crate::cartridge::objects::{Block, Object};
use crate::cartridge::{Cartridge, CartridgeKind};
use crate::cipher;
use crate::protection::{self, CRC_BYTES};

/// The longest block of an LTO drive.
const BLOCK_BYTES_MAX: u32 = 0x80_0000;

/// How a write left the medium.
enum Room {
    Enough,
    EarlyWarning,
}

impl Drive {
    pub(super) fn read(
        &mut self,
        context: &mut Context<'_, '_>,
        fixed: bool,
        suppress_length: bool,
        length: u32,
    ) -> Outcome {
        self.ready()?;
        let Data::In(buffer) = &mut *context.data else { return Err(invalid_field()) };
        if !fixed {
            let buffer = buffer.get_mut(..length as usize).ok_or_else(invalid_field)?;
            return self.read_block(buffer, suppress_length);
        }
        let block_length = self.fixed_length(suppress_length)?;
        let mut filled = 0;
        for count in 0..length {
            let end = filled + block_length as usize;
            let part = buffer.get_mut(filled..end).ok_or_else(invalid_field)?;
            match self.read_block(part, false) {
                Ok(Answer::Filled(_)) => filled = end,
                Ok(Answer::Told(mut sense, _)) => {
                    sense.information = Some(i64::from(length - count));
                    return Ok(Answer::Told(sense, filled));
                }
                other => return other,
            }
        }
        Ok(Answer::Filled(filled))
    }

    /// SILI goes with variable blocks alone.
    fn fixed_length(&self, suppress_length: bool) -> Result<u32, Refusal> {
        match self.modes.block_length {
            0 => Err(invalid_field()),
            _ if suppress_length => Err(invalid_field()),
            length => Ok(length),
        }
    }

    /// Reads the object at the position.
    fn read_block(&mut self, buffer: &mut [u8], suppress_length: bool) -> Outcome {
        if buffer.is_empty() {
            return Ok(Answer::Filled(0));
        }
        let protect = self.modes.protect_reads;
        let key = self.key.clone();
        let mounted = self.ready()?;
        let object = mounted.cartridge.objects().get(mounted.position);
        let requested = buffer.len() as i64;
        let Some((object, offset)) = object else {
            let mut sense = Sense::new(SenseKey::BlankCheck, 0x00, 0x05);
            sense.information = Some(requested);
            return Err(sense.into());
        };
        let Object::Block(block) = object else {
            mounted.position += 1;
            return Ok(Answer::Told(filemark(requested), 0));
        };
        let content = fetch(&mut mounted.cartridge, block, offset, key.as_ref(), buffer, protect)?;
        mounted.position += 1;
        let whole = block.length as usize + if protect { CRC_BYTES } else { 0 };
        if whole == buffer.len() || suppress_length {
            return Ok(Answer::Filled(content));
        }
        let mut sense = Sense::new(SenseKey::NoSense, 0x00, 0x00);
        sense.incorrect_length = true;
        sense.information = Some(requested - whole as i64);
        Ok(Answer::Told(sense, content))
    }

    pub(super) fn write(
        &mut self,
        context: &mut Context<'_, '_>,
        fixed: bool,
        length: u32,
    ) -> Outcome {
        self.writable()?;
        let Data::Out(bytes) = &*context.data else { return Err(invalid_field()) };
        let block_length = match (fixed, self.modes.block_length) {
            (true, 0) => return Err(invalid_field()),
            (true, block_length) => block_length,
            (false, _) => length,
        };
        if block_length > BLOCK_BYTES_MAX {
            return Err(invalid_field());
        }
        let total =
            if fixed { u64::from(block_length) * u64::from(length) } else { u64::from(length) };
        let bytes = bytes.get(..total as usize).ok_or_else(invalid_field)?;
        if block_length == 0 || bytes.is_empty() {
            return Ok(Answer::Done);
        }
        let mut room = Room::Enough;
        for block in bytes.chunks(block_length as usize) {
            room = self.write_block(block)?;
        }
        Ok(told(room))
    }

    /// Writes one block as the host sent it, with its CRC where there is one.
    fn write_block(&mut self, bytes: &[u8]) -> Result<Room, Refusal> {
        let bytes = match self.modes.protect_writes {
            true => protection::checked(bytes)
                .ok_or_else(|| check(SenseKey::HardwareError, 0x10, 0x01))?,
            false => bytes,
        };
        let key = self.key.clone();
        let mounted = self.ready()?;
        let cartridge = &mut mounted.cartridge;
        let block = Block { length: bytes.len() as u32, encrypted: key.is_some() };
        let room = make_room(cartridge, mounted.position, block.stored_length())?;
        match key {
            None => cartridge.push_block(block, bytes),
            Some(key) => {
                let sealed = cipher::seal(&key, bytes).map_err(store_failed)?;
                cartridge.push_block(block, &sealed)
            }
        }
        .map_err(store_failed)?;
        mounted.position += 1;
        Ok(room)
    }

    pub(super) fn write_filemarks(&mut self, immediate: bool, count: u32) -> Outcome {
        if count > 0 {
            self.writable()?;
        }
        let mounted = self.ready()?;
        let mut room = Room::Enough;
        for _ in 0..count {
            room = make_room(&mut mounted.cartridge, mounted.position, 0)?;
            mounted.cartridge.push_filemark().map_err(store_failed)?;
            mounted.position += 1;
        }
        if !immediate {
            mounted.cartridge.flush();
        }
        Ok(told(room))
    }

    /// Whether the medium may be written at the position.
    pub(super) fn writable(&mut self) -> Result<(), Refusal> {
        let mounted = self.ready()?;
        let facts = &mounted.cartridge.facts;
        if facts.write_protected {
            return Err(check(SenseKey::DataProtect, 0x27, 0x00));
        }
        let overwrites = mounted.position < mounted.cartridge.objects().count();
        if facts.kind == CartridgeKind::Worm && overwrites {
            return Err(check(SenseKey::DataProtect, 0x30, 0x0C));
        }
        Ok(())
    }
}

/// Puts as much of a block (and of its CRC) into `buffer` as fits. Returns how much.
fn fetch(
    cartridge: &mut Cartridge,
    block: Block,
    offset: u64,
    key: Option<&reel_hw::EncryptionKey>,
    buffer: &mut [u8],
    protect: bool,
) -> Result<usize, Refusal> {
    let length = block.length as usize;
    if !block.encrypted && !protect {
        let count = length.min(buffer.len());
        cartridge.read(offset, &mut buffer[..count]).map_err(store_failed)?;
        return Ok(count);
    }
    let mut stored = vec![0; block.stored_length() as usize];
    cartridge.read(offset, &mut stored).map_err(store_failed)?;
    let mut content = if block.encrypted {
        let key = key.ok_or_else(|| check(SenseKey::DataProtect, 0x74, 0x01))?;
        let opened = cipher::open(key, &stored);
        opened.ok_or_else(|| check(SenseKey::DataProtect, 0x74, 0x03))?
    } else {
        stored
    };
    if protect {
        protection::append(&mut content);
    }
    let count = content.len().min(buffer.len());
    buffer[..count].copy_from_slice(&content[..count]);
    Ok(count)
}

/// Cuts off what lies at and behind the position, and says how much room there is for `length` bytes more.
fn make_room(cartridge: &mut Cartridge, position: u64, length: u64) -> Result<Room, Refusal> {
    let end = cartridge.room_before(position) + length;
    if end > cartridge.facts.capacity {
        return Err(overflow());
    }
    cartridge.cut(position).map_err(store_failed)?;
    if end > cartridge.early_warning() {
        return Ok(Room::EarlyWarning);
    }
    Ok(Room::Enough)
}

fn told(room: Room) -> Answer {
    match room {
        Room::Enough => Answer::Done,
        Room::EarlyWarning => {
            let mut sense = Sense::new(SenseKey::NoSense, 0x00, 0x02);
            sense.end_of_medium = true;
            Answer::Told(sense, 0)
        }
    }
}

fn overflow() -> Refusal {
    let mut sense = Sense::new(SenseKey::VolumeOverflow, 0x00, 0x02);
    sense.end_of_medium = true;
    sense.into()
}

fn filemark(requested: i64) -> Sense {
    let mut sense = Sense::new(SenseKey::NoSense, 0x00, 0x01);
    sense.filemark = true;
    sense.information = Some(requested);
    sense
}
