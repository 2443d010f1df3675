//! The figures of each generation of LTO (spec timing.md §1).

use reel_hw::scsi::density::Density;

/// A medium in a drive of its own generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediumKind {
    /// LTO-5.
    Lto5,
    /// LTO-6.
    Lto6,
    /// LTO-7.
    Lto7,
    /// An LTO-7 medium formatted by an LTO-8 drive.
    Lto7M8,
    /// LTO-8.
    Lto8,
    /// LTO-9, in a drive of full height or of half.
    Lto9 {
        /// Of full height: it reads faster and makes access orders.
        full_height: bool,
    },
}

/// What the formulas need of a medium in its drive. Units are in the names: `_s` seconds, `_mb_s` 10⁶ bytes a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Room, bytes.
    pub capacity: u64,
    /// Top speed of the tape.
    pub top_mb_s: f64,
    /// Wraps, in four bands.
    pub wraps: u16,
    /// Longitudinal positions where even wraps begin and end.
    pub lpos: (f64, f64),
    /// Time to pass one longitudinal position.
    pub lpos_s: f64,
    /// Scale of the locate formula.
    pub locate_scale: f64,
    /// Rewind from the middle.
    pub mean_rewind_s: f64,
    /// From the end of the robot's move to ready.
    pub load_s: f64,
    /// Unload, without rewind.
    pub unload_s: f64,
    /// Whether the drive tensions the tape anew before it unloads one that was used much.
    pub retensions: bool,
}

/// Turn at the end of a wrap.
pub(super) const TURN_S: f64 = 3.0;

const TB: u64 = 1_000_000_000_000;

const LTO5: Figures = Figures {
    capacity: 3 * TB / 2,
    top_mb_s: 142.8,
    wraps: 80,
    lpos: (2000.0, 112_500.0),
    lpos_s: 0.000_825_6,
    locate_scale: 1.03,
    mean_rewind_s: 58.0,
    load_s: 12.0,
    unload_s: 17.0,
    retensions: false,
};
const LTO6: Figures =
    Figures { capacity: 5 * TB / 2, top_mb_s: 163.2, wraps: 136, locate_scale: 1.06, ..LTO5 };
const LTO7: Figures = Figures {
    capacity: 6 * TB,
    top_mb_s: 306.0,
    wraps: 112,
    lpos: (2696.0, 171_097.0),
    lpos_s: 0.000_619_2,
    locate_scale: 0.86,
    mean_rewind_s: 60.0,
    load_s: 15.0,
    unload_s: 20.0,
    retensions: false,
};
const LTO7_M8: Figures = Figures {
    capacity: 9 * TB,
    wraps: 168,
    locate_scale: 1.0,
    mean_rewind_s: 59.0,
    unload_s: 24.0,
    ..LTO7
};
const LTO8: Figures = Figures { capacity: 12 * TB, top_mb_s: 365.0, wraps: 208, ..LTO7_M8 };
const LTO9_FULL: Figures = Figures {
    capacity: 18 * TB,
    top_mb_s: 408.0,
    wraps: 280,
    lpos: (2696.0, 184_900.0),
    lpos_s: 0.000_619_2,
    locate_scale: 0.65,
    mean_rewind_s: 55.0,
    load_s: 17.0,
    unload_s: 30.0,
    retensions: true,
};
const LTO9_HALF: Figures = Figures {
    top_mb_s: 306.0,
    locate_scale: 0.94,
    mean_rewind_s: 62.0,
    load_s: 16.0,
    unload_s: 56.0,
    ..LTO9_FULL
};

impl MediumKind {
    /// Of a medium of that density; none of one that there are no figures of.
    pub fn of(density: Density, full_height: bool) -> Option<Self> {
        match density {
            Density::Lto5 => Some(Self::Lto5),
            Density::Lto6 => Some(Self::Lto6),
            Density::Lto7 => Some(Self::Lto7),
            Density::Lto7M8 => Some(Self::Lto7M8),
            Density::Lto8 => Some(Self::Lto8),
            Density::Lto9 => Some(Self::Lto9 { full_height }),
            _ => None,
        }
    }

    /// Of a medium that was never loaded, by the last two characters of its bar code.
    pub fn of_bar_code(code: &str, full_height: bool) -> Option<Self> {
        match code.get(code.len().checked_sub(2)?..)? {
            "L5" | "LV" => Some(Self::Lto5),
            "L6" | "LW" => Some(Self::Lto6),
            "L7" | "LX" => Some(Self::Lto7),
            "M8" => Some(Self::Lto7M8),
            "L8" | "LY" => Some(Self::Lto8),
            "L9" | "LZ" => Some(Self::Lto9 { full_height }),
            _ => None,
        }
    }

    /// Its figures.
    pub fn figures(self) -> &'static Figures {
        match self {
            Self::Lto5 => &LTO5,
            Self::Lto6 => &LTO6,
            Self::Lto7 => &LTO7,
            Self::Lto7M8 => &LTO7_M8,
            Self::Lto8 => &LTO8,
            Self::Lto9 { full_height: true } => &LTO9_FULL,
            Self::Lto9 { full_height: false } => &LTO9_HALF,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_codes_tell_the_generation() {
        assert_eq!(MediumKind::of_bar_code("A00001L8", true), Some(MediumKind::Lto8));
        assert_eq!(MediumKind::of_bar_code("A00001M8", true), Some(MediumKind::Lto7M8));
        for none in ["", "8", "tape", "A00001L4", "Ä8"] {
            assert_eq!(MediumKind::of_bar_code(none, true), None, "{none}");
        }
    }
}
