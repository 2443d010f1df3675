//! Hidden deviations from every figure, the same for the same seed (spec timing.md §8).
//!
//! Each medium, drive and changer draws from a generator of its own, made from the seed and its name. What one of
//! them does, and in which order threads get there, changes nothing for the others.

use reel_hw::BlockNumber;

use super::figures::{BLOCK_MB, Figures};
use super::locate::Mechanism;
use super::spots::{BadSpot, BadSpots, SpotReading};
use super::wraps::WrapTable;

/// The mean of a medium's wraps lies within this of nominal.
const MEDIUM_DEVIATION: f64 = 0.01;
/// Each of its wraps lies within this of nominal.
const WRAP_DEVIATION: f64 = 0.02;
/// Locate, rewind, load, unload and turn times of a drive lie within this of nominal.
const MOTION_DEVIATION: f64 = 0.10;
/// The top speed of a drive lies within this of nominal.
const SPEED_DEVIATION: f64 = 0.05;
/// Each operation of a drive lies within this of the drive's own time.
const OPERATION_JITTER: f64 = 0.03;
/// Each move of a robot lies within this of nominal.
const ROBOT_JITTER: f64 = 0.30;
/// Bad spots in each TB: 0 to 3.
const SPOTS_PER_TB: u64 = 4;
/// Of so many bad spots, one is unreadable: one on every ninth LTO-9 medium or so.
const ONE_UNREADABLE_OF: u64 = 250;
/// Of so many bad spots, four are readable at the third try only, for each that is not at all.
const THIRD_TRY_PER_UNREADABLE: u64 = 4;
/// The first load of an LTO-9 medium as planners guess it, s.
const FIRST_LOAD_S: f64 = 3600.0;
/// The first load of an LTO-9 medium as it really is, at least and at most, s.
const FIRST_LOAD_RANGE_S: (f64, f64) = (2400.0, 7200.0);

/// What everything random in an emulated library comes from. Reports show it for replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of a part of the library.
    pub fn of(self, kind: &str, name: &str) -> Self {
        let bytes = kind.bytes().chain([0]).chain(name.bytes());
        let mixed =
            bytes.fold(self.0, |state, byte| Generator::new(state ^ u64::from(byte)).draw());
        Self(mixed)
    }
}

/// A small generator of evenly distributed numbers (splitmix64): any state is good, none is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generator(u64);

impl Generator {
    /// A generator that begins at a state.
    pub fn new(state: u64) -> Self {
        Self(state)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but not including `count`; 0 if that is 0.
    pub fn below(&mut self, count: u64) -> u64 {
        let scaled = u128::from(self.draw()) * u128::from(count);
        (scaled >> 64) as u64
    }

    /// From `least` to `most`.
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        let share = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        least + share * (most - least)
    }

    /// Within `deviation` of 0.
    fn around(&mut self, deviation: f64) -> f64 {
        self.between(-deviation, deviation)
    }
}

/// How a drive deviates from its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriveFactors {
    /// On locate, rewind, load, unload and turn times, 0.90 to 1.10.
    pub motion: f64,
    /// On the top speed, 0.95 to 1.05.
    pub top_speed: f64,
}

impl Default for DriveFactors {
    /// No deviation.
    fn default() -> Self {
        Self { motion: 1.0, top_speed: 1.0 }
    }
}

/// How operations deviate, one by one.
#[derive(Debug, Clone)]
pub struct Jitter(Option<Generator>);

impl Jitter {
    /// An operation of a drive that would take `nominal_s`, s: within ±3 %.
    pub fn operation(&mut self, nominal_s: f64) -> f64 {
        self.within(nominal_s, OPERATION_JITTER)
    }

    /// A move of a robot that would take `nominal_s`, s: within ±30 %.
    pub fn robot(&mut self, nominal_s: f64) -> f64 {
        self.within(nominal_s, ROBOT_JITTER)
    }

    fn within(&mut self, nominal: f64, deviation: f64) -> f64 {
        let factor = self.0.as_mut().map_or(1.0, |draws| 1.0 + draws.around(deviation));
        nominal * factor
    }
}

/// The source of all deviations of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Perturbation(Option<Seed>);

impl Perturbation {
    /// Everything is exactly nominal.
    pub fn none() -> Self {
        Self(None)
    }

    /// Everything deviates, by this seed.
    pub fn seeded(seed: Seed) -> Self {
        Self(Some(seed))
    }

    /// A medium in a drive, each known by its name. `figures` are those of the pair
    /// ([`Figures::in_drive`]).
    pub fn mechanism(&self, figures: &Figures, medium: &str, drive: &str) -> Mechanism {
        let spots = self.bad_spots(figures, medium);
        Mechanism::new(figures, self.wraps(figures, medium), spots, self.drive(drive))
    }

    /// Where the wraps of a medium end.
    pub fn wraps(&self, figures: &Figures, medium: &str) -> WrapTable {
        let Some(mut draws) = self.generator("wraps", medium) else {
            return WrapTable::nominal(figures);
        };
        let mean = draws.around(MEDIUM_DEVIATION);
        WrapTable::deviating(figures, || {
            let deviation = mean + draws.around(WRAP_DEVIATION);
            deviation.clamp(-WRAP_DEVIATION, WRAP_DEVIATION)
        })
    }

    /// The bad spots of a medium.
    pub fn bad_spots(&self, figures: &Figures, medium: &str) -> BadSpots {
        let Some(mut draws) = self.generator("spots", medium) else {
            return BadSpots::default();
        };
        let objects_per_tb = (1e6 / BLOCK_MB) as u64;
        let mut spots = Vec::new();
        let mut start = 0;
        while start < figures.objects() {
            let count = draws.below(SPOTS_PER_TB);
            spots.extend((0..count).map(|_| bad_spot(&mut draws, start, objects_per_tb)));
            start += objects_per_tb;
        }
        spots.retain(|spot| spot.end().0 <= figures.objects());
        BadSpots::new(spots)
    }

    /// How long the first load of an LTO-9 medium takes, s: 60 minutes nominal, really 40 to 120 (§5).
    pub fn first_load_s(&self, medium: &str) -> f64 {
        let (least_s, most_s) = FIRST_LOAD_RANGE_S;
        let draws = self.generator("first load", medium);
        draws.map_or(FIRST_LOAD_S, |mut draws| draws.between(least_s, most_s))
    }

    /// How a drive deviates.
    pub fn drive(&self, drive: &str) -> DriveFactors {
        self.generator("drive", drive).map_or_else(DriveFactors::default, |mut draws| {
            DriveFactors {
                motion: 1.0 + draws.around(MOTION_DEVIATION),
                top_speed: 1.0 + draws.around(SPEED_DEVIATION),
            }
        })
    }

    /// The deviations of a drive's or a changer's operations, one after the other.
    pub fn jitter(&self, device: &str) -> Jitter {
        Jitter(self.generator("jitter", device))
    }

    fn generator(&self, kind: &str, name: &str) -> Option<Generator> {
        self.0.map(|seed| Generator::new(seed.of(kind, name).0))
    }
}

fn bad_spot(draws: &mut Generator, start: u64, objects: u64) -> BadSpot {
    BadSpot {
        first: BlockNumber(start + draws.below(objects)),
        objects: (draws.between(1.0, 50.0) / BLOCK_MB) as u64,
        speed_share: draws.between(0.05, 0.5),
        room_per_object: draws.between(1.05, 1.5),
        reading: match draws.below(ONE_UNREADABLE_OF) {
            0 => SpotReading::Unreadable,
            1..=THIRD_TRY_PER_UNREADABLE => SpotReading::ThirdTry,
            _ => SpotReading::Slow,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Column;

    #[test]
    fn the_generator_is_splitmix64() {
        let mut draws = Generator::new(1_234_567);
        assert_eq!(
            [draws.draw(), draws.draw()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn parts_with_other_names_draw_other_numbers() {
        let seed = Seed(7);
        assert_eq!(seed.of("drive", "0"), seed.of("drive", "0"));
        assert_ne!(seed.of("drive", "0"), seed.of("drive", "1"));
        assert_ne!(seed.of("drive", "0"), seed.of("jitter", "0"));
        assert_ne!(seed.of("drive", "0"), Seed(8).of("drive", "0"));
        assert_ne!(seed.of("a", "b"), seed.of("ab", ""));
    }

    #[test]
    fn bad_spots_come_at_their_rate() {
        let figures = Column::Lto9Full.figures();
        let spots = |medium: u64| {
            let perturbation = Perturbation::seeded(Seed(medium));
            perturbation.bad_spots(figures, "A00001L9").as_slice().to_vec()
        };
        let all: Vec<_> = (0..400).flat_map(spots).collect();
        let per_tb = all.len() as f64 / (400.0 * 18.0);
        assert!((per_tb - 1.5).abs() < 0.1, "{per_tb}");
        let bad = all.iter().filter(|spot| spot.reading == SpotReading::Unreadable).count();
        assert!((10..100).contains(&bad), "{bad} unreadable of {}", all.len());
    }

    #[test]
    fn nothing_deviates_without_a_seed() {
        let none = Perturbation::none();
        let figures = Column::Lto9Half.figures();
        assert_eq!(none.mechanism(figures, "m", "d"), Mechanism::nominal(figures));
        assert_eq!(none.first_load_s("m"), 3600.0);
        assert_eq!(none.jitter("d").operation(7.0), 7.0);
    }
}
