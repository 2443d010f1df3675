//! A cartridge in a drive: where the tape stands, and what moving it takes.

use std::collections::BTreeMap;

use reel_hw::BlockNumber;
use reel_hw::scsi::log::DeviceActivity;

use super::clockwork::Clockwork;
use crate::cartridge::Cartridge;
use crate::folder::FolderError;
use crate::media::{self, Use};
use crate::model::DriveModel;
use crate::time::figures::BLOCK_BYTES;
use crate::time::{Mechanism, MountUse, Perturbation, SpotReading, StreamBuffer, StreamCounts};

/// Blocks that fit behind the early warning at least.
const WARNING_BLOCKS: u64 = 8;

/// A cartridge in a drive.
pub(crate) struct Mounted {
    pub(crate) cartridge: Cartridge,
    /// Whether it is threaded; else it was ejected and sits in the mouth of the drive.
    pub(crate) threaded: bool,
    /// The next object.
    pub(crate) position: u64,
    /// What the drive can do with it.
    pub(crate) usable: Use,
    /// When the robot has put it there, s on the clock.
    pub(crate) arrives_s: f64,
    /// Its first load, or a format, makes it ready for good once that is over.
    pub(crate) calibrating: bool,
    /// A cleaning that is not over, or has not begun to count.
    pub(crate) cleaning: bool,
    /// Tape and drive as they really are.
    pub(crate) mechanism: Mechanism,
    /// Bytes written and read since it was loaded.
    pub(crate) written: u64,
    pub(crate) read: u64,
    /// Errors since it was loaded that nothing could be done about.
    pub(crate) write_errors: u64,
    pub(crate) read_errors: u64,
    /// How often the tape stopped in a stream since it was loaded.
    pub(crate) stops: u64,
    stream: Option<Stream>,
    mount_use: MountUse,
    /// How often an object in a bad spot was tried to read.
    tries: BTreeMap<u64, u32>,
}

/// Objects that pass the head one behind the other.
struct Stream {
    buffer: StreamBuffer,
    is_writing: bool,
    /// The object that goes on with it.
    next: u64,
    /// What of its stops was counted already.
    counted: StreamCounts,
}

/// How a read of a bad place ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Legible {
    Yes,
    /// After errors that were corrected.
    WithTrouble,
    No,
}

impl Mounted {
    /// A cartridge that is not threaded.
    pub(crate) fn new(cartridge: Cartridge, model: &DriveModel, bent: &Perturbation) -> Self {
        let facts = &cartridge.facts;
        let usable = match cartridge.is_cleaner() {
            true => Use::None,
            false => media::usable(model.generation, media::density(facts.density)),
        };
        let mechanism = mechanism(&cartridge, model, bent);
        Self {
            cartridge,
            threaded: false,
            position: 0,
            usable,
            arrives_s: 0.0,
            calibrating: false,
            cleaning: false,
            mechanism,
            written: 0,
            read: 0,
            write_errors: 0,
            read_errors: 0,
            stops: 0,
            stream: None,
            mount_use: MountUse::default(),
            tries: BTreeMap::new(),
        }
    }

    /// Whether its tab or its generation keeps it from being written.
    pub(crate) fn is_protected(&self) -> bool {
        self.cartridge.facts.write_protected || self.usable == Use::ReadOnly
    }

    /// Where an object lies on the tape, in objects of the size that the time model counts in.
    pub(crate) fn place(&self, object: u64) -> BlockNumber {
        BlockNumber(self.cartridge.room_before(object) / BLOCK_BYTES)
    }

    /// Bytes that fit on this very medium: its wraps are a little longer or shorter than nominal.
    pub(crate) fn room(&self) -> u64 {
        let capacity = u128::from(self.cartridge.facts.capacity);
        let nominal = u128::from(self.mechanism.figures().objects()).max(1);
        let true_room = capacity * u128::from(self.mechanism.wraps().room()) / nominal;
        if nominal > 1 { true_room as u64 } else { capacity as u64 }
    }

    /// Bytes of the medium that are taken in front of an object: more where a bad spot was written over.
    pub(crate) fn used_before(&self, object: u64) -> u64 {
        let lost = self.mechanism.spots().lost_room(BlockNumber(0), self.place(object).0);
        self.cartridge.room_before(object) + (lost * BLOCK_BYTES as f64) as u64
    }

    /// Where the early warning begins, in bytes.
    pub(crate) fn early_warning(&self) -> u64 {
        let room = self.room();
        room.saturating_sub((WARNING_BLOCKS * BLOCK_BYTES).max(room / 64))
    }

    /// The tape moves to an object; what is in the buffer is written first.
    pub(crate) fn travel(&mut self, clockwork: &mut Clockwork, to: u64) -> Result<(), FolderError> {
        self.end_stream(clockwork)?;
        let (from, target) = (self.place(self.position), self.place(to));
        let wraps = self.mechanism.wraps();
        let crosses = wraps.position(from).zone != wraps.position(target).zone;
        self.cartridge.facts.life.middle_passes += u64::from(crosses);
        clockwork.spend(DeviceActivity::Locating, self.mechanism.locate_s(from, target));
        self.position = to;
        Ok(())
    }

    /// The tape moves to its beginning.
    pub(crate) fn rewind(&mut self, clockwork: &mut Clockwork) -> Result<(), FolderError> {
        self.end_stream(clockwork)?;
        let from = self.place(self.position);
        let crosses = self.mechanism.wraps().position(from).zone != 0;
        self.cartridge.facts.life.middle_passes += u64::from(crosses);
        self.cartridge.facts.life.beginning_passes += u64::from(from.0 > 0);
        clockwork.spend(DeviceActivity::Rewinding, self.mechanism.rewind_s(from));
        self.position = 0;
        Ok(())
    }

    /// The tape is rewound, re-tensioned and unthreaded.
    pub(crate) fn unload(&mut self, clockwork: &mut Clockwork) -> Result<(), FolderError> {
        self.end_stream(clockwork)?;
        let from = self.place(self.position);
        let unload_s = self.mechanism.unload_s(from, self.mount_use.retension());
        clockwork.spend(DeviceActivity::Unloading, unload_s);
        self.mount_use = MountUse::default();
        self.position = 0;
        self.threaded = false;
        Ok(())
    }

    /// The object at the position, of that many bytes of tape, passes the head to be read.
    pub(crate) fn stream_read(
        &mut self,
        clockwork: &mut Clockwork,
        activity: DeviceActivity,
        bytes: u64,
    ) -> Result<(), FolderError> {
        self.pass(clockwork, activity, bytes, false)
    }

    /// The object at the position, of that many bytes of tape, is to go into the buffer to be written. This comes
    /// before it is recorded: what the buffer holds of another stream goes onto the tape first, and this does not.
    pub(crate) fn stream_write(
        &mut self,
        clockwork: &mut Clockwork,
        activity: DeviceActivity,
        bytes: u64,
    ) -> Result<(), FolderError> {
        self.pass(clockwork, activity, bytes, true)
    }

    fn pass(
        &mut self,
        clockwork: &mut Clockwork,
        activity: DeviceActivity,
        bytes: u64,
        is_writing: bool,
    ) -> Result<(), FolderError> {
        let (object, place) = (self.position, self.place(self.position));
        self.mount_use.transfer(place, 1, bytes);
        self.count_passes(place, bytes);
        if !clockwork.runs() {
            return Ok(());
        }
        let goes_on = |stream: &Stream| stream.is_writing == is_writing && stream.next == object;
        if !self.stream.as_ref().is_some_and(goes_on) {
            self.end_stream(clockwork)?;
            self.stream = Some(self.new_stream(clockwork.at_s(), is_writing));
        }
        if let Some(stream) = &mut self.stream {
            let wait_s =
                stream.buffer.transfer(clockwork.at_s(), u32::try_from(bytes).unwrap_or(u32::MAX));
            stream.next = object + 1;
            clockwork.pass(activity, wait_s);
        }
        self.count_stops(clockwork);
        Ok(())
    }

    fn new_stream(&self, now_s: f64, is_writing: bool) -> Stream {
        let place = self.place(self.position);
        let (figures, halts) = (self.mechanism.figures(), self.mechanism.halts_from(place));
        let end = self.cartridge.room_before(self.cartridge.objects().count());
        let available_mb =
            end.saturating_sub(self.cartridge.room_before(self.position)) as f64 / 1e6;
        let buffer = match is_writing {
            true => StreamBuffer::writing(figures, halts, now_s),
            false => StreamBuffer::reading(figures, halts, now_s, available_mb),
        };
        Stream { buffer, is_writing, next: self.position, counted: StreamCounts::default() }
    }

    fn count_passes(&mut self, place: BlockNumber, bytes: u64) {
        let behind = BlockNumber(place.0 + bytes.div_ceil(BLOCK_BYTES));
        let wraps = self.mechanism.wraps();
        let turns = (wraps.wrap_of(behind) - wraps.wrap_of(place)) as u64;
        self.cartridge.facts.life.middle_passes += turns;
        self.cartridge.facts.life.beginning_passes += turns / 2;
    }

    /// Everything that was written goes onto the tape.
    pub(crate) fn drain(&mut self, clockwork: &mut Clockwork) -> Result<(), FolderError> {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.is_writing) {
            let wait_s = stream.buffer.flush(clockwork.at_s());
            clockwork.pass(DeviceActivity::Writing, wait_s);
        }
        self.count_stops(clockwork);
        self.cartridge.flush()
    }

    /// The stream is over.
    pub(crate) fn end_stream(&mut self, clockwork: &mut Clockwork) -> Result<(), FolderError> {
        self.drain(clockwork)?;
        self.stream = None;
        Ok(())
    }

    /// The drive forgets what it was doing, without writing anything.
    pub(crate) fn drop_stream(&mut self) {
        self.stream = None;
    }

    fn count_stops(&mut self, clockwork: &mut Clockwork) {
        let Some(stream) = &mut self.stream else { return };
        let counts = stream.buffer.counts();
        self.stops += counts.stops - stream.counted.stops;
        clockwork.counts.stops += counts.stops - stream.counted.stops;
        clockwork.counts.underruns += counts.underruns - stream.counted.underruns;
        stream.counted = counts;
    }

    /// Whether the object at the position can be read now.
    pub(crate) fn try_to_read(&mut self) -> Legible {
        let place = self.place(self.position);
        let Some(spot) = self.mechanism.spots().at(place) else { return Legible::Yes };
        match spot.reading {
            SpotReading::Slow if spot.first == place => Legible::WithTrouble,
            SpotReading::Slow => Legible::Yes,
            SpotReading::Unreadable => Legible::No,
            SpotReading::ThirdTry => {
                let tries = self.tries.entry(self.position).or_insert(0);
                *tries += 1;
                if *tries < 3 { Legible::No } else { Legible::WithTrouble }
            }
        }
    }
}

fn mechanism(cartridge: &Cartridge, model: &DriveModel, bent: &Perturbation) -> Mechanism {
    let facts = &cartridge.facts;
    let figures = media::figures(model, media::density(facts.density), facts.capacity);
    let name = facts.individual();
    match &cartridge.spots {
        None => bent.mechanism(&figures, &name, &model.serial),
        Some(spots) => {
            let wraps = bent.wraps(&figures, &name);
            Mechanism::new(&figures, wraps, spots.clone(), bent.drive(&model.serial))
        }
    }
}
