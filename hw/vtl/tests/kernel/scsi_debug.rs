//! The tape drive of the kernel's own emulation, command by command: it keeps no data, knows no long position and
//! no LOCATE(16), but it has filemarks, spacing and an end, none of which we wrote.

use std::time::Duration;

use reel_hw::Cancel;
use reel_hw::device::{DeviceError, Done, ScsiDevice};
use reel_hw::scsi::position::ShortPosition;
use reel_hw::scsi::{Command, Condition, Sense, SpaceCode};
use reel_hw::transport::Data;

use super::support::device;

const LIMIT: Duration = Duration::from_secs(30);
const BLOCK_BYTES: usize = 4096;
/// Bytes of a block that this drive keeps.
const KEPT_BYTES: usize = 4;
/// More blocks than its tape has room for.
const BLOCKS_MAX: u64 = 100_000;

struct Tape(ScsiDevice);

impl Tape {
    /// The drive, rewound, in variable mode.
    fn rewound() -> Self {
        let mut device = ScsiDevice::new(device("REELFS_KERNEL_DRIVE"), Cancel::new());
        device.ask(Command::TestUnitReady, Data::None, LIMIT).unwrap();
        device.ask(Command::Rewind { immediate: false }, Data::None, LIMIT).unwrap();
        Self(device)
    }

    fn send(&mut self, command: Command) -> Result<Done, DeviceError> {
        self.0.send(command, Data::None, LIMIT)
    }

    fn write(&mut self, mark: u8) -> Result<Done, DeviceError> {
        let command = Command::Write { fixed: false, length: BLOCK_BYTES as u32 };
        self.0.send(command, Data::Out(&[mark; BLOCK_BYTES]), LIMIT)
    }

    /// Reads with a buffer of that many bytes; the first byte is what tells blocks apart.
    fn read(&mut self, length: usize) -> (Result<Done, DeviceError>, u8) {
        let mut buffer = vec![0; length];
        let command = Command::Read { fixed: false, suppress_length: false, length: length as u32 };
        let done = self.0.send(command, Data::In(&mut buffer), LIMIT);
        (done, buffer[KEPT_BYTES - 1])
    }

    fn write_filemark(&mut self) {
        self.send(Command::WriteFilemarks { immediate: false, count: 1 }).unwrap();
    }

    fn space(&mut self, code: SpaceCode, count: i32) -> Sense {
        match self.send(Command::Space6 { code, count }) {
            Ok(Done { sense: Some(sense), .. }) | Err(DeviceError::Sense(sense)) => sense,
            Ok(_) => Sense::new(reel_hw::scsi::SenseKey::NoSense, 0, 0),
            Err(error) => panic!("{error}"),
        }
    }

    fn object(&mut self) -> u32 {
        let command = Command::ReadPosition { service_action: 0, allocation: 0 };
        let bytes = self.0.ask_data(command, 20, LIMIT).unwrap();
        ShortPosition::decode(&bytes).unwrap().first
    }

    fn locate(&mut self, object: u32) {
        self.send(Command::Locate10 { immediate: false, object }).unwrap();
        assert_eq!(self.object(), object);
    }

    /// `abc|d|`, as objects 0 to 5.
    fn recorded() -> Self {
        let mut tape = Self::rewound();
        for marks in [b"abc".as_slice(), b"d"] {
            for mark in marks {
                assert_eq!(tape.write(*mark).unwrap().condition(), Condition::Fine);
            }
            tape.write_filemark();
        }
        tape
    }
}

fn condition(result: Result<Done, DeviceError>) -> Condition {
    match result {
        Ok(done) => done.condition(),
        Err(DeviceError::Sense(sense)) => sense.condition(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
#[ignore = "needs scsi_debug"]
fn scsi_debug_counts_blocks_and_filemarks() {
    let mut tape = Tape::recorded();
    assert_eq!(tape.object(), 6);
    for object in [0, 5, 3, 6, 1] {
        tape.locate(object);
    }
    tape.send(Command::Rewind { immediate: false }).unwrap();
    assert_eq!(tape.object(), 0);
}

#[test]
#[ignore = "needs scsi_debug"]
fn scsi_debug_reads_blocks_filemarks_and_the_end() {
    let mut tape = Tape::recorded();
    tape.locate(0);
    for mark in b"abc" {
        let (done, found) = tape.read(BLOCK_BYTES);
        assert_eq!((done.unwrap().transferred, found), (BLOCK_BYTES, *mark));
    }
    assert_eq!(condition(tape.read(BLOCK_BYTES).0), Condition::Filemark);
    assert_eq!(tape.read(BLOCK_BYTES).1, b'd');
    assert_eq!(condition(tape.read(BLOCK_BYTES).0), Condition::Filemark);
    assert_eq!(condition(tape.read(BLOCK_BYTES).0), Condition::EndOfData);
    assert_eq!(tape.object(), 6);
}

#[test]
#[ignore = "needs scsi_debug"]
fn scsi_debug_tells_the_length_of_other_blocks() {
    let mut tape = Tape::recorded();
    tape.locate(0);
    let sense = tape.read(2 * BLOCK_BYTES).0.unwrap().sense.unwrap();
    assert!(sense.incorrect_length);
    assert_eq!(sense.information, Some(BLOCK_BYTES as i64));
    assert_eq!(tape.object(), 1);
}

#[test]
#[ignore = "needs scsi_debug"]
fn scsi_debug_spaces_over_blocks_and_filemarks() {
    let mut tape = Tape::recorded();
    // From an object, over what, how often; what it meets, what is left of the count, and where that is.
    let moves = [
        (0, SpaceCode::Blocks, 2, Condition::Fine, None, 2),
        (1, SpaceCode::Blocks, 5, Condition::Filemark, Some(3), 4),
        (4, SpaceCode::Blocks, -2, Condition::Filemark, Some(2), 3),
        (0, SpaceCode::Filemarks, 1, Condition::Fine, None, 4),
        (6, SpaceCode::Filemarks, -1, Condition::Fine, None, 5),
        (0, SpaceCode::Filemarks, 3, Condition::EndOfData, Some(1), 6),
        (0, SpaceCode::EndOfData, 0, Condition::Fine, None, 6),
        // SSC has the blocks that are left here, of which there are three.
        (2, SpaceCode::Blocks, -5, Condition::BeginningOfMedium, Some(2), 0),
    ];
    for (from, code, count, met, left, object) in moves {
        tape.locate(from);
        let sense = tape.space(code, count);
        let found = (sense.condition(), sense.information, tape.object());
        assert_eq!(found, (met, left, object), "from {from} over {count} of {code:?}");
    }
}

#[test]
#[ignore = "needs scsi_debug"]
fn scsi_debug_warns_before_it_ends() {
    let mut tape = Tape::rewound();
    let mut conditions = Vec::new();
    while (conditions.len() as u64) < BLOCKS_MAX {
        conditions.push(condition(tape.write(b'x')));
        if conditions.ends_with(&[Condition::EndOfMedium]) {
            break;
        }
    }
    let warned = conditions.iter().position(|found| *found == Condition::EarlyWarning).unwrap();
    assert!(conditions[..warned].iter().all(|found| *found == Condition::Fine));
    let (end, between) = conditions[warned + 1..].split_last().unwrap();
    assert_eq!(*end, Condition::EndOfMedium);
    // This drive warns once; others do with each block from there on.
    assert!(between.iter().all(|found| *found == Condition::Fine));
    assert!(!between.is_empty(), "room behind the warning");
    // It counts the refused block too, which a drive should not.
    assert_eq!(tape.object() as usize, conditions.len());
}
