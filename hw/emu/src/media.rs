//! Which media a drive takes, and what the time model knows of them.

use reel_hw::scsi::density::Density;

use crate::model::{DriveModel, Generation};
use crate::time::{Column, Figures};

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

/// Number of the generation of a density; `None` where none is known.
fn generation_number(density: Density) -> Option<u8> {
    Some(match density {
        Density::Unknown => return None,
        Density::Lto1 => 1,
        Density::Lto2 => 2,
        Density::Lto3 => 3,
        Density::Lto4 => 4,
        Density::Lto5 => 5,
        Density::Lto6 => 6,
        Density::Lto7 | Density::Lto7M8 => 7,
        Density::Lto8 => 8,
        Density::Lto9 => 9,
    })
}

/// The density that has a code; unknown where none has.
pub(crate) fn density(code: u8) -> Density {
    Density::from_code(code).unwrap_or(Density::Unknown)
}

/// What a drive of a generation can do with a medium of a density.
pub(crate) fn usable(drive: Generation, density: Density) -> Use {
    let (own, Some(medium)) = (drive.number(), generation_number(density)) else {
        return Use::None;
    };
    let back = if own < 8 { 2 } else { 1 };
    let is_foreign = density == Density::Lto7M8 && drive != Generation::Lto8;
    match own.checked_sub(medium) {
        _ if is_foreign => Use::None,
        Some(0 | 1) => Use::Full,
        Some(age) if age <= back => Use::ReadOnly,
        _ => Use::None,
    }
}

/// The densities that a drive reads, oldest first.
pub(crate) fn readable(drive: Generation) -> impl Iterator<Item = Density> {
    Density::ALL.into_iter().filter(move |density| usable(drive, *density) != Use::None)
}

/// Generation of a density, and the room that its media have nominally, MB.
pub(crate) fn nominal(density: Density) -> (u8, u32) {
    let capacity_mb = match density {
        Density::Lto3 => 400_000,
        Density::Lto4 => 800_000,
        newer => column(newer, true).figures().capacity_bytes / 1_000_000,
    };
    (generation_number(density).unwrap_or(0), u32::try_from(capacity_mb).unwrap_or(u32::MAX))
}

/// The figures of a medium in a drive, with its room in bytes (spec timing.md §1). What the table does not have counts
/// as the next that it has.
pub(crate) fn figures(drive: &DriveModel, density: Density, capacity: u64) -> Figures {
    let medium = column(density, drive.full_height).figures();
    let own = column(drive.generation.recording(), drive.full_height).figures();
    let mut figures = medium.in_drive(own).with_capacity(capacity);
    if let Some(top_mb_s) = half_height_top_mb_s(drive) {
        figures.top_mb_s = figures.top_mb_s.min(top_mb_s);
    }
    figures
}

fn column(density: Density, full_height: bool) -> Column {
    match density {
        Density::Lto6 => Column::Lto6,
        Density::Lto7 => Column::Lto7,
        Density::Lto7M8 => Column::M8,
        Density::Lto8 => Column::Lto8,
        Density::Lto9 if full_height => Column::Lto9Full,
        Density::Lto9 => Column::Lto9Half,
        _ => Column::Lto5,
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
        let densities = |drive| readable(drive).map(Density::code).collect::<Vec<_>>();
        assert_eq!(densities(Lto5), [0x44, 0x46, 0x58]);
        assert_eq!(densities(Lto7), [0x58, 0x5A, 0x5C]);
        assert_eq!(densities(Lto8), [0x5C, 0x5D, 0x5E]);
        assert_eq!(densities(Lto9), [0x5E, 0x60]);
        assert_eq!(usable(Lto7, Density::Lto5), Use::ReadOnly);
        assert_eq!(usable(Lto7, Density::Lto6), Use::Full);
        assert_eq!(usable(Lto9, Density::Lto7), Use::None);
        assert_eq!(usable(Lto8, Density::Lto9), Use::None);
        assert_eq!(usable(Lto8, density(0x33)), Use::None);
        assert_eq!(nominal(Density::Lto9), (9, 18_000_000));
    }

    #[test]
    fn figures_are_those_of_the_pair() {
        let mut drive = DriveModel {
            maker: crate::Maker::Ibm,
            generation: Generation::Lto8,
            full_height: true,
            serial: String::new(),
        };
        let figures = figures(&drive, Density::Lto7, 1 << 30);
        assert_eq!((figures.wraps, figures.unload_s, figures.objects()), (112, 24.0, 4096));
        drive.full_height = false;
        assert_eq!(super::figures(&drive, Density::Lto8, 1).top_mb_s, 306.4);
    }
}
