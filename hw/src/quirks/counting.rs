//! Counts the objects that go by, for a drive that does not tell where it is.
//!
//! READ POSITION is answered from the count. LOCATE and SPACE are done object by object, because that is the only way
//! to count filemarks: forward by reads of one byte, which fail in a way that tells what was there; backward by SPACE
//! over one block, which on such a drive goes over a filemark too. Where the count is not certain, after an error or
//! with another medium, the next READ POSITION begins with a rewind.
//!
//! Such a drive takes no settings either. It has those that matter, variable blocks and a buffer, and what else is set
//! is answered as done.

use std::time::Duration;

use crate::scsi::position::{LONG_POSITION_BYTES, LongPosition};
use crate::scsi::sense::SenseFormat;
use crate::scsi::{Cdb, Command, Condition, DeviceType, LocateTarget, Sense, SenseKey, SpaceCode};
use crate::transport::{Data, Reply, Status, Transport, TransportError};

/// READ POSITION in its long form.
const LONG_FORM: u8 = 6;

/// Where the tape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    /// Blocks and filemarks in front.
    object: u64,
    /// Filemarks in front.
    file: u64,
}

/// An object that was gone over, or why there was none.
enum Met {
    Block,
    Filemark,
    Beginning,
    End,
    /// The drive objects: its own words.
    Trouble(Reply),
}

/// What ends a motion early: an answer to the command, or a command that did not come through.
enum Stop {
    Answer(Reply),
    Transport(TransportError),
}

impl From<TransportError> for Stop {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

type Motion = Result<(), Stop>;

/// The way to a drive that does not tell where it is.
pub(super) struct CountingTransport {
    way: Box<dyn Transport>,
    /// Where the tape is, as far as that is certain.
    place: Option<Place>,
}

impl CountingTransport {
    pub(super) fn new(way: Box<dyn Transport>) -> Self {
        Self { way, place: None }
    }

    /// Sends a command as it is and counts what it moved.
    fn pass(
        &mut self,
        cdb: &Cdb,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        let command = Command::from_cdb(DeviceType::Tape, cdb);
        let outcome = self.way.execute(cdb, data, timeout);
        let place = self.place.take();
        let reply = outcome?;
        self.place = match (command, place) {
            (Some(Command::Rewind { .. }), _) if reply.status == Status::Good => {
                Some(Place::default())
            }
            (Some(command), Some(place)) => place_after(command, &reply, place),
            _ => None,
        };
        Ok(reply)
    }

    fn send(
        &mut self,
        command: Command,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        self.pass(&command.to_cdb(), data, timeout)
    }

    fn rewind(&mut self, timeout: Duration) -> Motion {
        let reply = self.send(Command::Rewind { immediate: false }, Data::None, timeout)?;
        if reply.status == Status::Good { Ok(()) } else { Err(Stop::Answer(reply)) }
    }

    /// The place; an unknown one becomes the beginning of the tape.
    fn place_or_rewind(&mut self, timeout: Duration) -> Result<Place, Stop> {
        if self.place.is_none() {
            self.rewind(timeout)?;
        }
        Ok(self.place.unwrap_or_default())
    }

    fn tell_position(&mut self, data: Data<'_>, timeout: Duration) -> Result<Reply, Stop> {
        let Place { object, file } = self.place_or_rewind(timeout)?;
        let position = LongPosition { beginning: object == 0, object, file, ..Default::default() };
        let Data::In(buffer) = data else { return Ok(good(0)) };
        let answer = position.encode();
        buffer.iter_mut().zip(&answer).for_each(|(to, from)| *to = *from);
        Ok(good(buffer.len().min(LONG_POSITION_BYTES)))
    }

    /// Goes over the next object.
    fn forward(&mut self, timeout: Duration) -> Result<Met, TransportError> {
        let before = self.place;
        let read = Command::Read { fixed: false, suppress_length: false, length: 1 };
        let reply = self.send(read, Data::In(&mut [0]), timeout)?;
        Ok(match (before, self.place) {
            (Some(before), Some(now)) if now.file > before.file => Met::Filemark,
            (Some(before), Some(now)) if now.object > before.object => Met::Block,
            (Some(_), Some(_)) if condition(&reply) == Condition::EndOfData => Met::End,
            _ => Met::Trouble(reply),
        })
    }

    /// Goes back over the object in front.
    fn backward(&mut self, timeout: Duration) -> Result<Met, TransportError> {
        let Some(place) = self.place else { return Ok(Met::Trouble(lost())) };
        if place.object == 0 {
            return Ok(Met::Beginning);
        }
        if let Some(trouble) = self.step_back(place, timeout)? {
            return Ok(Met::Trouble(trouble));
        }
        // Which it was is only told on the way forward; the number of filemarks in front is right only then.
        let met = self.forward(timeout)?;
        if matches!(met, Met::Trouble(_)) {
            return Ok(met);
        }
        let is_filemark = matches!(met, Met::Filemark);
        let file = place.file - u64::from(is_filemark);
        Ok(match self.step_back(Place { object: place.object, file }, timeout)? {
            Some(trouble) => Met::Trouble(trouble),
            None => met,
        })
    }

    /// Goes back by one from `place`; what the drive says where it does not.
    fn step_back(
        &mut self,
        place: Place,
        timeout: Duration,
    ) -> Result<Option<Reply>, TransportError> {
        let back = Command::Space6 { code: SpaceCode::Blocks, count: -1 };
        let reply = self.send(back, Data::None, timeout)?;
        if reply.status != Status::Good {
            return Ok(Some(reply));
        }
        self.place = Some(Place { object: place.object - 1, ..place });
        Ok(None)
    }

    /// One object forward that must be there.
    fn advance(&mut self, timeout: Duration) -> Motion {
        match self.forward(timeout)? {
            Met::Block | Met::Filemark => Ok(()),
            Met::Beginning | Met::End => Err(Stop::Answer(end_of_data(None))),
            Met::Trouble(reply) => Err(Stop::Answer(reply)),
        }
    }

    fn locate(&mut self, target: LocateTarget, timeout: Duration) -> Motion {
        let place = self.place_or_rewind(timeout)?;
        match target {
            LocateTarget::EndOfData => return self.space_to_the_end(timeout),
            LocateTarget::Object(object) if object >= place.object => {}
            _ => self.rewind(timeout)?,
        }
        loop {
            let place = self.place.unwrap_or_default();
            let arrived = match target {
                LocateTarget::File(file) => place.file >= file,
                LocateTarget::Object(object) => place.object >= object,
                _ => return Err(Stop::Answer(refused())),
            };
            if arrived {
                return Ok(());
            }
            self.advance(timeout)?;
        }
    }

    fn space_to_the_end(&mut self, timeout: Duration) -> Motion {
        loop {
            match self.forward(timeout)? {
                Met::Block | Met::Filemark => {}
                Met::Beginning | Met::End => return Ok(()),
                Met::Trouble(reply) => return Err(Stop::Answer(reply)),
            }
        }
    }

    fn space(&mut self, code: SpaceCode, count: i64, timeout: Duration) -> Motion {
        if self.place.is_none() {
            return Err(Stop::Answer(lost()));
        }
        let over_filemarks = match code {
            SpaceCode::Blocks => false,
            SpaceCode::Filemarks => true,
            SpaceCode::EndOfData => return self.space_to_the_end(timeout),
            _ => return Err(Stop::Answer(refused())),
        };
        let mut left = count.unsigned_abs();
        while left > 0 {
            let met = if count < 0 { self.backward(timeout)? } else { self.forward(timeout)? };
            match met {
                Met::Block if over_filemarks => {}
                Met::Block => left -= 1,
                Met::Filemark if over_filemarks => left -= 1,
                Met::Filemark => return Err(Stop::Answer(filemark(left))),
                Met::End => return Err(Stop::Answer(end_of_data(Some(left)))),
                Met::Beginning => return Err(Stop::Answer(beginning(left))),
                Met::Trouble(reply) => return Err(Stop::Answer(reply)),
            }
        }
        Ok(())
    }
}

impl Transport for CountingTransport {
    fn execute(
        &mut self,
        cdb: &Cdb,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        let done = match Command::from_cdb(DeviceType::Tape, cdb) {
            Some(Command::ReadPosition { service_action: LONG_FORM, .. }) => {
                self.tell_position(data, timeout)
            }
            Some(Command::Locate16 { target, .. }) => {
                self.locate(target, timeout).map(|()| good(0))
            }
            Some(Command::Space6 { code, count }) => {
                self.space(code, i64::from(count), timeout).map(|()| good(0))
            }
            Some(Command::Space16 { code, count }) => {
                self.space(code, count, timeout).map(|()| good(0))
            }
            Some(Command::ModeSelect { .. }) => Ok(good(data.length())),
            _ => return self.pass(cdb, data, timeout),
        };
        match done {
            Ok(reply) | Err(Stop::Answer(reply)) => Ok(reply),
            Err(Stop::Transport(error)) => Err(error),
        }
    }

    fn device(&self) -> &str {
        self.way.device()
    }

    fn medium_may_be_another(&mut self) {
        self.place = None;
        self.way.medium_may_be_another();
    }
}

/// Where the tape is after a command, if that is certain.
fn place_after(command: Command, reply: &Reply, place: Place) -> Option<Place> {
    let (block, filemark) = (
        Place { object: place.object + 1, ..place },
        Place { object: place.object + 1, file: place.file + 1 },
    );
    if refuses(reply) {
        return Some(place);
    }
    match (command, condition(reply)) {
        (Command::Read { fixed: false, .. }, Condition::Filemark) => Some(filemark),
        (Command::Read { fixed: false, .. }, Condition::EndOfData) => Some(place),
        (Command::Read { fixed: false, .. }, Condition::Fine) => Some(block),
        (Command::Write { fixed: false, .. }, Condition::Fine | Condition::EarlyWarning) => {
            Some(block)
        }
        (Command::WriteFilemarks { count, .. }, Condition::Fine | Condition::EarlyWarning) => {
            let count = u64::from(count);
            Some(Place { object: place.object + count, file: place.file + count })
        }
        (command, Condition::Fine) if stays(command) => Some(place),
        _ => None,
    }
}

/// Whether the tape stays where it is.
fn stays(command: Command) -> bool {
    matches!(
        command,
        Command::TestUnitReady
            | Command::RequestSense { .. }
            | Command::Inquiry { .. }
            | Command::ModeSense { .. }
            | Command::LogSense { .. }
            | Command::ReadBlockLimits
            | Command::ReportDensitySupport { .. }
            | Command::ReadAttribute { .. }
            | Command::WriteAttribute { .. }
            | Command::SecurityProtocolIn { .. }
            | Command::PersistentReserveIn { .. }
            | Command::PersistentReserveOut { .. }
    )
}

/// What a reply says; unknown for one that is neither good nor explained.
fn condition(reply: &Reply) -> Condition {
    match (reply.status, Sense::decode(&reply.sense)) {
        (Status::Good, _) => Condition::Fine,
        (Status::CheckCondition, Ok(sense)) if !sense.deferred => sense.condition(),
        _ => Condition::Unknown,
    }
}

/// Whether the drive did not even begin.
fn refuses(reply: &Reply) -> bool {
    matches!(
        condition(reply),
        Condition::UnknownCommand | Condition::InvalidField | Condition::IllegalRequest
    )
}

fn good(transferred: usize) -> Reply {
    Reply { status: Status::Good, transferred, sense: Vec::new() }
}

fn check(sense: Sense) -> Reply {
    let sense = sense.encode(SenseFormat::Fixed);
    Reply { status: Status::CheckCondition, transferred: 0, sense }
}

fn filemark(left: u64) -> Reply {
    let sense = Sense::new(SenseKey::NoSense, 0x00, 0x01);
    check(Sense { filemark: true, information: Some(left as i64), ..sense })
}

fn end_of_data(left: Option<u64>) -> Reply {
    let sense = Sense::new(SenseKey::BlankCheck, 0x00, 0x05);
    check(Sense { information: left.map(|left| left as i64), ..sense })
}

fn beginning(left: u64) -> Reply {
    let sense = Sense::new(SenseKey::NoSense, 0x00, 0x04);
    check(Sense { end_of_medium: true, information: Some(left as i64), ..sense })
}

/// Sequential positioning error.
fn lost() -> Reply {
    check(Sense::new(SenseKey::MediumError, 0x3B, 0x00))
}

/// Invalid field in CDB.
fn refused() -> Reply {
    check(Sense::new(SenseKey::IllegalRequest, 0x24, 0x00))
}
