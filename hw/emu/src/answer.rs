//! What a device answers.

use std::io;

use reel_hw::scsi::{Sense, SenseFormat, SenseKey};
use reel_hw::transport::{Data, Reply, Status, TransportError};

use crate::folder::FolderError;

/// A command that was carried out.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Done, without data.
    Done,
    /// Done, with these data; cut to what the initiator takes.
    Data(Vec<u8>),
    /// Done: that many bytes were put into the initiator's buffer.
    Filled(usize),
    /// Done, and something is to be said; that many bytes were put into the initiator's buffer.
    Told(Sense, usize),
}

/// A command that was not carried out.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A check condition.
    Check(Sense),
    /// Another initiator has reserved the device.
    ReservationConflict,
    /// The files behind the library failed. No device says so, but whoever runs the library has to know why.
    Folder(FolderError),
}

/// How a command ended.
pub(crate) type Outcome = Result<Answer, Refusal>;

impl From<Sense> for Refusal {
    fn from(sense: Sense) -> Self {
        Self::Check(sense)
    }
}

impl From<FolderError> for Refusal {
    fn from(error: FolderError) -> Self {
        Self::Folder(error)
    }
}

/// Sense of a triple, to be returned.
pub(crate) fn check(key: SenseKey, asc: u8, ascq: u8) -> Refusal {
    Refusal::Check(Sense::new(key, asc, ascq))
}

/// The device does not know the command.
pub(crate) fn unknown_command() -> Refusal {
    check(SenseKey::IllegalRequest, 0x20, 0x00)
}

/// A field of the CDB that the device does not take.
pub(crate) fn invalid_field() -> Refusal {
    check(SenseKey::IllegalRequest, 0x24, 0x00)
}

/// A field of the parameter data that the device does not take.
pub(crate) fn invalid_parameter() -> Refusal {
    check(SenseKey::IllegalRequest, 0x26, 0x00)
}

/// The parameter data are shorter than they say, or than the command says.
pub(crate) fn parameter_length() -> Refusal {
    check(SenseKey::IllegalRequest, 0x1A, 0x00)
}

impl Answer {
    /// Cuts data to the allocation length of their command.
    pub(crate) fn cut(self, allocation: usize) -> Self {
        match self {
            Self::Data(mut bytes) => {
                bytes.truncate(allocation);
                Self::Data(bytes)
            }
            other => other,
        }
    }
}

/// Puts an outcome onto the wire, with sense in a format.
pub(crate) fn reply(
    outcome: Outcome,
    format: SenseFormat,
    data: Data<'_>,
) -> Result<Reply, TransportError> {
    let sent = |data: &Data<'_>| if let Data::Out(bytes) = data { bytes.len() } else { 0 };
    Ok(match outcome {
        Ok(Answer::Done) => good(sent(&data)),
        Ok(Answer::Data(bytes)) => good(fill(data, &bytes)),
        Ok(Answer::Filled(length)) => good(length),
        Ok(Answer::Told(sense, length)) => told(sense, format, length.max(sent(&data))),
        Err(Refusal::Check(sense)) => told(sense, format, 0),
        Err(Refusal::ReservationConflict) => {
            Reply { status: Status::ReservationConflict, transferred: 0, sense: Vec::new() }
        }
        Err(Refusal::Folder(error)) => return Err(TransportError::System(io::Error::other(error))),
    })
}

fn told(sense: Sense, format: SenseFormat, transferred: usize) -> Reply {
    let sense = sense.encode(format);
    Reply { status: Status::CheckCondition, transferred, sense }
}

fn good(transferred: usize) -> Reply {
    Reply { status: Status::Good, transferred, sense: Vec::new() }
}

fn fill(data: Data<'_>, bytes: &[u8]) -> usize {
    let Data::In(buffer) = data else { return 0 };
    let length = bytes.len().min(buffer.len());
    buffer[..length].copy_from_slice(&bytes[..length]);
    length
}
