//! A tape library in memory that can be told to fail, for tests of everything above.
//!
//! A [`MemoryLibrary`] holds slots, drives and media; media outlive drives and handles, as cartridges do. A test
//! keeps the library, gives handles ([`MemoryDrive`], [`MemoryChanger`]) to the code it tests, and from outside
//!
//! * lets the n-th call of an operation fail ([`MemoryLibrary::fail_at`]) and counts calls
//!   ([`MemoryLibrary::calls`]);
//! * sets where a medium's early warning and its physical end are ([`MediumLimits`]), or protects it;
//! * cuts the power ([`MemoryLibrary::cut_power`]): what was written since the last flush is gone, but for as
//!   many objects as the test lets the drive have finished;
//! * damages, inspects or counts what is recorded ([`MemoryLibrary::medium`]).
//!
//! Blocks may have any length. Encryption is imitated: a block remembers the key it was written with, and only
//! that key reads it back.

mod changer;
mod drive;
mod failure;
mod library;
mod medium;

pub use changer::MemoryChanger;
pub use drive::MemoryDrive;
pub use failure::{FailurePattern, Operation};
pub use library::{MemoryLibrary, MemoryLibraryShape};
pub use medium::{MediumLimits, MemoryMedium, RecordedObject};
