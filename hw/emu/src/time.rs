//! How long a drive and a robot take, as arithmetic (spec timing.md).
//!
//! Nothing here touches a device, a file or a thread; only [`clock`] knows what time it is. The nominal figures
//! are those of the spec, and [`Perturbation`] bends each of them by a hidden seed, so that whoever plans with the
//! nominal ones meets the differences that real drives show.
//!
//! | module | is |
//! | --- | --- |
//! | [`figures`] | the figures of each drive and medium |
//! | [`wraps`] | where on the tape an object lies |
//! | [`spots`] | bad places of a medium |
//! | [`locate`] | [`Mechanism`]: a medium in a drive; locate, rewind, load, unload |
//! | [`stream`] | reading and writing by formulas |
//! | [`buffer`] | [`StreamBuffer`]: the drive's buffer between a host and a tape that must not stop |
//! | [`order`] | in which order a drive would visit places |
//! | [`robot`] | moves of media |
//! | [`seed`] | deterministic deviations from all of that |
//! | [`clock`] | real or simulated time |
//!
//! Units are in the names: `_s` seconds, `_mb` 10⁶ bytes, `_mb_s` MB per second. Objects are logical objects, blocks
//! and filemarks alike, each taking [`BLOCK_MB`](figures::BLOCK_MB) of tape. Whatever object number or rate comes
//! in, no time is negative or NaN; a host that never comes takes an infinite one.

pub mod buffer;
pub mod clock;
pub mod figures;
pub mod locate;
pub mod order;
pub mod robot;
pub mod seed;
pub mod spots;
pub mod stream;
pub mod wraps;

pub use buffer::{Halt, StreamBuffer, StreamCounts};
pub use clock::EmuClock;
pub use figures::{Column, Figures};
pub use locate::{Mechanism, MountUse, Retension};
pub use order::Segment;
pub use robot::{Place, Robot, RobotFigures};
pub use seed::{DriveFactors, Jitter, Perturbation, Seed};
pub use spots::{BadSpot, BadSpots, SpotReading};
pub use wraps::{Direction, TapePosition, WrapTable};
