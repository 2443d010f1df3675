//! Reading and writing.

use reel_hw::EncryptionKey;
use reel_hw::scsi::block_limits::BlockLimits;
use reel_hw::scsi::encryption::EncryptionMode;
use reel_hw::scsi::log::DeviceActivity;
use reel_hw::scsi::protection::{self, CRC_BYTES};
use reel_hw::scsi::{Sense, SenseKey};
use reel_hw::transport::Data;

use super::mounted::Legible;
use super::{Context, Drive, Mounted};
use crate::answer::{Answer, Outcome, Refusal, check, invalid_field};
use crate::cartridge::Cartridge;
use crate::cartridge::objects::{Block, Object};
use crate::cipher;
use crate::time::figures::BLOCK_BYTES;

const READ: u8 = 0x08;

/// How a write left the medium.
enum Room {
    Enough,
    /// Behind the early warning that a host has set in front of the medium's own.
    HostWarning,
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
        let total = u64::from(block_length) * u64::from(length);
        let buffer = buffer.get_mut(..total as usize).ok_or_else(invalid_field)?;
        self.read_blocks(buffer, block_length as usize)
    }

    /// Reads blocks of a fixed length. One that cannot be read takes nothing from those in front of it: the host has
    /// them, and is told how many are left.
    fn read_blocks(&mut self, buffer: &mut [u8], block_length: usize) -> Outcome {
        let total = buffer.len();
        let mut filled = 0;
        for part in buffer.chunks_mut(block_length) {
            let left = Some(((total - filled) / block_length) as i64);
            match self.read_block(part, false) {
                Ok(Answer::Told(sense, _)) => {
                    return Ok(Answer::Told(Sense { information: left, ..sense }, filled));
                }
                Err(Refusal::Check(sense)) => {
                    let sense = Sense { information: left, ..sense };
                    self.complain(&sense, READ);
                    return Ok(Answer::Told(sense, filled));
                }
                Err(other) => return Err(other),
                Ok(_) => filled += block_length,
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
    pub(super) fn read_block(&mut self, buffer: &mut [u8], suppress_length: bool) -> Outcome {
        if buffer.is_empty() {
            return Ok(Answer::Filled(0));
        }
        let protect = self.modes.protect_reads;
        let requested = buffer.len() as i64;
        let (mounted, clockwork) = self.at_work()?;
        let Some((object, offset)) = mounted.cartridge.objects().get(mounted.position) else {
            let mut sense = Sense::new(SenseKey::BlankCheck, 0x00, 0x05);
            sense.information = Some(requested);
            return Err(sense.into());
        };
        let Object::Block(block) = object else {
            mounted.stream_read(clockwork, DeviceActivity::Reading, BLOCK_BYTES)?;
            mounted.position += 1;
            return Ok(Answer::Told(filemark(requested), 0));
        };
        self.pass_to_read(block)?;
        let Some(mounted) = &mut self.mounted else { return Err(invalid_field()) };
        let content = match block.encrypted {
            false if self.encryption.mode() == EncryptionMode::On => {
                return Err(check(SenseKey::DataProtect, 0x74, 0x02));
            }
            false => fetch(&mounted.cartridge, block, offset, buffer, protect)?,
            true => {
                let content = decrypt(&mounted.cartridge, block, offset, self.encryption.key())?;
                fill(buffer, &content, protect)
            }
        };
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

    /// The block at the position passes the head.
    fn pass_to_read(&mut self, block: Block) -> Result<(), Refusal> {
        let activity = match block.encrypted {
            true => DeviceActivity::ReadingEncrypted,
            false => DeviceActivity::Reading,
        };
        let bytes = u64::from(block.length);
        let (mounted, clockwork) = self.at_work()?;
        let legible = mounted.try_to_read();
        if legible == Legible::No {
            let backhitch_s = mounted.mechanism.figures().backhitch_s;
            clockwork.spend(activity, backhitch_s);
            return Err(check(SenseKey::MediumError, 0x11, 0x00));
        }
        mounted.stream_read(clockwork, activity, block.stored_length())?;
        mounted.read += bytes;
        mounted.cartridge.facts.bytes_read += bytes;
        let corrected = u64::from(legible == Legible::WithTrouble);
        mounted.cartridge.facts.life.recovered_read_errors += corrected;
        self.counters.read.corrected += corrected;
        self.counters.read.bytes += bytes;
        self.soil(bytes);
        Ok(())
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
        if block_length > BlockLimits::LTO.length_max {
            return Err(invalid_field());
        }
        let total =
            if fixed { u64::from(block_length) * u64::from(length) } else { u64::from(length) };
        let bytes = bytes.get(..total as usize).ok_or_else(invalid_field)?;
        if block_length == 0 || bytes.is_empty() {
            return Ok(Answer::Done);
        }
        let mut room = Room::Enough;
        for (written, block) in bytes.chunks(block_length as usize).enumerate() {
            // Blocks that are left, or bytes of the only one.
            let left = i64::from(length) - written as i64;
            room = self.write_block(block).map_err(|refusal| with_rest(refusal, left))?;
        }
        if !self.modes.buffered {
            let (mounted, clockwork) = self.at_work()?;
            mounted.drain(clockwork)?;
        }
        Ok(told(room))
    }

    /// Writes one block as the host sent it, with its CRC where there is one.
    fn write_block(&mut self, bytes: &[u8]) -> Result<Room, Refusal> {
        let bytes = match self.modes.protect_writes {
            true => {
                protection::check(bytes).map_err(|_| check(SenseKey::HardwareError, 0x10, 0x01))?
            }
            false => bytes,
        };
        let sealed = self.encryption.key().map(|key| cipher::seal(key, bytes)).transpose();
        let sealed = sealed.map_err(|_| check(SenseKey::HardwareError, 0x44, 0x00))?;
        let block = Block { length: bytes.len() as u32, encrypted: sealed.is_some() };
        let activity = match block.encrypted {
            true => DeviceActivity::WritingEncrypted,
            false => DeviceActivity::Writing,
        };
        let zone = self.modes.early_warning_bytes();
        let (mounted, clockwork) = self.at_work()?;
        let room = make_room(mounted, block.stored_length(), zone)?;
        mounted.stream_write(clockwork, activity, block.stored_length())?;
        mounted.cartridge.push_block(block, sealed.as_deref().unwrap_or(bytes))?;
        mounted.position += 1;
        mounted.written += u64::from(block.length);
        self.allowance = Default::default();
        self.counters.write.bytes += u64::from(block.length);
        self.soil(u64::from(block.length));
        Ok(room)
    }

    pub(super) fn write_filemarks(&mut self, immediate: bool, count: u32) -> Outcome {
        if count > 0 {
            self.writable()?;
        }
        let zone = self.modes.early_warning_bytes();
        let (mounted, clockwork) = self.at_work()?;
        let mut room = Room::Enough;
        for _ in 0..count {
            room = make_room(mounted, 0, zone)?;
            mounted.stream_write(clockwork, DeviceActivity::Writing, BLOCK_BYTES)?;
            mounted.cartridge.push_filemark()?;
            mounted.position += 1;
        }
        if !immediate {
            mounted.drain(clockwork)?;
        }
        Ok(told(room))
    }
}

/// Puts as much of a block, and of its CRC if there is one, into `buffer` as fits. Returns how much.
fn fetch(
    cartridge: &Cartridge,
    block: Block,
    offset: u64,
    buffer: &mut [u8],
    protect: bool,
) -> Result<usize, Refusal> {
    let length = block.length as usize;
    let Some((content, rest)) = buffer.split_at_mut_checked(length) else {
        cartridge.read(offset, buffer)?;
        return Ok(buffer.len());
    };
    cartridge.read(offset, content)?;
    if !protect {
        return Ok(length);
    }
    let crc = protection::crc32c(content).to_le_bytes();
    Ok(length + copy(&crc, rest))
}

/// The content of an encrypted block.
fn decrypt(
    cartridge: &Cartridge,
    block: Block,
    offset: u64,
    key: Option<&EncryptionKey>,
) -> Result<Vec<u8>, Refusal> {
    let mut stored = vec![0; block.stored_length() as usize];
    cartridge.read(offset, &mut stored)?;
    let key = key.ok_or_else(|| check(SenseKey::DataProtect, 0x74, 0x01))?;
    let opened = cipher::open(key, &stored);
    opened.ok_or_else(|| check(SenseKey::DataProtect, 0x74, 0x03))
}

/// Puts as much of a content, and of its CRC if there is one, into `buffer` as fits. Returns how much.
fn fill(buffer: &mut [u8], content: &[u8], protect: bool) -> usize {
    let filled = copy(content, buffer);
    if !protect {
        return filled;
    }
    let crc = protection::crc32c(content).to_le_bytes();
    filled + copy(&crc, &mut buffer[filled..])
}

/// Copies as much as fits. Returns how much.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    count
}

/// Cuts off what lies at and behind the position, and says how much room there is for `length` bytes more. A host may
/// want to be warned `zone` bytes before the early warning.
fn make_room(mounted: &mut Mounted, length: u64, zone: u64) -> Result<Room, Refusal> {
    let end = mounted.used_before(mounted.position) + length;
    if end > mounted.room() {
        return Err(overflow());
    }
    mounted.cartridge.cut(mounted.position)?;
    let early_warning = mounted.early_warning();
    Ok(match end {
        _ if end > early_warning => Room::EarlyWarning,
        _ if zone > 0 && end > early_warning.saturating_sub(zone) => Room::HostWarning,
        _ => Room::Enough,
    })
}

fn told(room: Room) -> Answer {
    let ascq = match room {
        Room::Enough => return Answer::Done,
        Room::HostWarning => 0x07,
        Room::EarlyWarning => 0x02,
    };
    let mut sense = Sense::new(SenseKey::NoSense, 0x00, ascq);
    sense.end_of_medium = true;
    Answer::Told(sense, 0)
}

/// A write that ended early says how much it did not write.
fn with_rest(refusal: Refusal, left: i64) -> Refusal {
    match refusal {
        Refusal::Check(sense) => Sense { information: Some(left), ..sense }.into(),
        other => other,
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
