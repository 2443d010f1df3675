//! Which media a drive takes, and what the time model knows of them.

use crate::model::{DriveModel, Generation};
use crate::time::{self, Figures};

/// Density code of an LTO-7 medium formatted as Type M.
const TYPE_M: u8 = 0x5D;

/// What a drive can do with a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Read and write it.
    Full,
    /// Only read it.
    ReadOnly,
    /// Nothing.
    None,
}

/// Number of the generation that has a density code; `None` for what is no LTO.
fn generation_number(density: u8) -> Option<u8> {
    Some(match density {
        0x40 => 1,
        0x42 => 2,
        0x44 => 3,
        0x46 => 4,
        0x58 => 5,
        0x5A => 6,
        0x5C | TYPE_M => 7,
        0x5E => 8,
        0x60 => 9,
        _ => return None,
    })
}

/// What a drive of a generation can do with a medium of a density.
pub(crate) fn usable(drive: Generation, density: u8) -> Use {
    let (own, Some(medium)) = (drive.number(), generation_number(density)) else {
        return Use::None;
    };
    let back = if own < 8 { 2 } else { 1 };
    let is_foreign = density == TYPE_M && drive != Generation::Lto8;
    match own.checked_sub(medium) {
        _ if is_foreign => Use::None,
        Some(0 | 1) => Use::Full,
        Some(age) if age <= back => Use::ReadOnly,
        _ => Use::None,
    }
}

/// The densities that a drive reads, oldest first.
pub(crate) fn readable(drive: Generation) -> impl Iterator<Item = u8> {
    const ALL: [u8; 8] = [0x44, 0x46, 0x58, 0x5A, 0x5C, TYPE_M, 0x5E, 0x60];
    ALL.into_iter().filter(move |density| usable(drive, *density) != Use::None)
}

/// The figures of a medium in a drive, with its room in bytes (spec timing.md §1). What the table does not have counts
/// as the next that it has.
pub(crate) fn figures(drive: &DriveModel, density: u8, capacity: u64) -> Figures {
    let medium = column(density, drive.full_height).figures();
    let own = column(drive.generation.density(), drive.full_height).figures();
    let mut figures = medium.in_drive(own).with_capacity(capacity);
    if let Some(top_mb_s) = half_height_top_mb_s(drive) {
        figures.top_mb_s = figures.top_mb_s.min(top_mb_s);
    }
    figures
}

fn column(density: u8, full_height: bool) -> time::Generation {
    match (generation_number(density), density) {
        (Some(0..=5), _) | (None, _) => time::Generation::Lto5,
        (Some(6), _) => time::Generation::Lto6,
        (Some(7), TYPE_M) => time::Generation::M8,
        (Some(7), _) => time::Generation::Lto7,
        (Some(8), _) => time::Generation::Lto8,
        _ if full_height => time::Generation::Lto9Full,
        _ => time::Generation::Lto9Half,
    }
}

/// Half-height drives of these generations have no column of their own, but a lower top speed.
fn half_height_top_mb_s(drive: &DriveModel) -> Option<f64> {
    match drive.generation {
        Generation::Lto8 if !drive.full_height => Some(306.4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_read_and_write_what_their_generation_does() {
        use Generation::*;
        let densities = |drive| readable(drive).collect::<Vec<_>>();
        assert_eq!(densities(Lto5), [0x44, 0x46, 0x58]);
        assert_eq!(densities(Lto7), [0x58, 0x5A, 0x5C]);
        assert_eq!(densities(Lto8), [0x5C, 0x5D, 0x5E]);
        assert_eq!(densities(Lto9), [0x5E, 0x60]);
        assert_eq!(usable(Lto7, 0x58), Use::ReadOnly);
        assert_eq!(usable(Lto7, 0x5A), Use::Full);
        assert_eq!(usable(Lto9, 0x5C), Use::None);
        assert_eq!(usable(Lto8, 0x60), Use::None);
        assert_eq!(usable(Lto8, 0x00), Use::None);
    }

    #[test]
    fn figures_are_those_of_the_pair() {
        let mut drive = DriveModel {
            maker: crate::Maker::Ibm,
            generation: Generation::Lto8,
            full_height: true,
            serial: String::new(),
        };
        let figures = figures(&drive, 0x5C, 1 << 30);
        assert_eq!((figures.wraps, figures.unload_s, figures.objects()), (112, 24.0, 4096));
        drive.full_height = false;
        assert_eq!(super::figures(&drive, 0x5E, 1).top_mb_s, 306.4);
    }
}
