//! Answers as no device should give them.

use reel_hw::transport::{Data, Reply, Status};

use crate::time::seed::Generator;

/// What becomes of the answer to a command that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    /// Only so many bytes of it arrive.
    Cut(usize),
    /// Junk follows it, up to the end of the host's buffer.
    Longer,
    /// More bytes are said to have come than the host has room for.
    TooMany,
    /// Every byte is another, by a seed.
    Scrambled(u64),
    /// Every byte is this one.
    Filled(u8),
    /// A check condition, with so many bytes of junk as sense, by a seed.
    JunkSense(usize, u64),
    /// A check condition without sense.
    NoSense,
    /// Another status.
    Status(u8),
}

impl Garbage {
    /// Spoils an answer.
    pub(crate) fn spoil(self, reply: &mut Reply, data: &mut Data<'_>) {
        let room = data.length();
        let mut none = [];
        let buffer: &mut [u8] = if let Data::In(buffer) = data { buffer } else { &mut none };
        let moved = reply.transferred.min(buffer.len());
        match self {
            Self::Cut(bytes) => {
                reply.transferred = reply.transferred.min(bytes);
                buffer.iter_mut().skip(bytes).for_each(|byte| *byte = 0);
            }
            Self::Longer => {
                junk(&mut buffer[moved..], room as u64);
                reply.transferred = reply.transferred.max(buffer.len());
            }
            Self::TooMany => reply.transferred = room + 1,
            Self::Scrambled(seed) => junk(&mut buffer[..moved], seed),
            Self::Filled(byte) => buffer[..moved].fill(byte),
            Self::JunkSense(bytes, seed) => {
                reply.status = Status::CheckCondition;
                reply.sense = vec![0; bytes];
                junk(&mut reply.sense, seed);
                // With another response code nobody would look any further.
                if let Some(code) = reply.sense.first_mut() {
                    *code = 0x70 | *code & 0x03;
                }
            }
            Self::NoSense => {
                reply.status = Status::CheckCondition;
                reply.sense.clear();
            }
            Self::Status(byte) => reply.status = Status::from_byte(byte),
        }
    }
}

fn junk(bytes: &mut [u8], seed: u64) {
    let mut draws = Generator::new(seed);
    bytes.iter_mut().for_each(|byte| *byte = draws.draw() as u8);
}
