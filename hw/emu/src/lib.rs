//! A whole LTO library that answers SCSI commands, in real or simulated time.
//!
//! An [`EmulatedLibrary`] holds drives, a changer, slots and cartridges. [`EmulatedLibrary::transport`] gives a
//! [`Transport`](reel_hw::transport::Transport) to one of its devices, which takes CDBs as a real one would: the
//! drivers of `reel-hw` don't know the difference, and programs behind the kernel don't either (`reel-vtl`).
//!
//! [`Timing`] says by which clock devices take their time, and which seed bends it; without a clock nothing takes any.
//! In simulated time a whole backup runs in moments, and [`EmulatedLibrary::drive_counts`] tells what it would have cost.
//!
//! What can go wrong is made to by a test: a command that fails ([`Fault`]), an answer that is spoiled ([`Garbage`]), a
//! bit that flips ([`Flip`]), a device that goes away ([`Vanish`]), dirt, doors, magazines and media that slip (the
//! methods of [`EmulatedLibrary`]).
//!
//! What makes plans better they learn from the answers alone: nothing here tells them where a wrap ends or which
//! seed was used.

mod answer;
mod attention;
pub mod cartridge;
mod cipher;
mod drive;
mod element_status;
mod elements;
mod fault;
mod folder;
mod hosts;
mod initiator;
pub mod library;
mod media;
pub mod model;
mod opcodes;
mod reservation;
mod robot;
pub mod time;
mod timing;
mod transport;

pub use cartridge::{Cartridge, CartridgeFacts, CartridgeKind, MediumLife};
pub use drive::CleaningWish;
pub use fault::{Fault, Flip, Garbage, Moment, Vanish};
pub use folder::FolderError;
pub use library::{Device, EmulatedLibrary, Host, LibraryShape};
pub use model::{DriveModel, Generation, Maker};
pub use timing::{DriveCounts, RobotCounts, Timing};
pub use transport::EmulatedTransport;
