//! The figures of each drive with the medium of its generation (spec timing.md §1).

/// Bytes of a block, the room that every object takes on the tape.
pub const BLOCK_BYTES: u64 = 262_144;

/// The same in MB.
pub const BLOCK_MB: f64 = 0.262_144;

const TB: u64 = 1_000_000_000_000;

/// Bytes of a MiB, in MB.
const MIB_MB: f64 = 1.048_576;

/// A column of the table: a drive and the medium that is native to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// LTO-5.
    Lto5,
    /// LTO-6.
    Lto6,
    /// LTO-7.
    Lto7,
    /// An LTO-7 medium formatted as Type M in an LTO-8 drive.
    M8,
    /// LTO-8.
    Lto8,
    /// LTO-9, drive of full height.
    Lto9Full,
    /// LTO-9, drive of half height.
    Lto9Half,
}

/// What the model knows of a medium in a drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Room of the medium, bytes.
    pub capacity_bytes: u64,
    /// The rate that the vendor names, MB/s; the model sustains about this over a whole tape.
    pub native_mb_s: f64,
    /// Top tape speed `vtop`, MB/s.
    pub top_mb_s: f64,
    /// Slowest tape speed `vmin` at which the drive can stream, MB/s.
    pub floor_mb_s: f64,
    /// Wraps `W` of the medium.
    pub wraps: u16,
    /// Wraps of each of the four bands, `q`.
    pub wraps_per_band: u16,
    /// Longitudinal position where even wraps begin.
    pub lpos_min: f64,
    /// Longitudinal position where even wraps end.
    pub lpos_max: f64,
    /// Time `k` to pass one longitudinal position, s.
    pub lpos_s: f64,
    /// Scale `S` of the locate formula.
    pub locate_scale: f64,
    /// Rewind from the middle of the tape, `V`, s.
    pub mean_rewind_s: f64,
    /// From the end of the robot's move to ready, s.
    pub load_s: f64,
    /// Unload without rewind and without re-tension, s.
    pub unload_s: f64,
    /// The drive's buffer `H`, MB.
    pub buffer_mb: f64,
    /// A stop and start again, `tb`, s.
    pub backhitch_s: f64,
    /// Turn at the end of a wrap, `tt`, s.
    pub turn_s: f64,
    /// Whether this is an LTO-9 medium: measured for long at its first load, re-tensioned at unload (§5).
    pub is_thin: bool,
}

const LTO_5: Figures = Figures {
    capacity_bytes: 3 * TB / 2,
    native_mb_s: 140.0,
    top_mb_s: 142.8,
    floor_mb_s: 47.0,
    wraps: 80,
    wraps_per_band: 20,
    lpos_min: 2000.0,
    lpos_max: 112_500.0,
    lpos_s: 0.000_825_6,
    locate_scale: 1.03,
    mean_rewind_s: 58.0,
    load_s: 12.0,
    unload_s: 17.0,
    buffer_mb: 256.0 * MIB_MB,
    backhitch_s: 4.0,
    turn_s: 3.0,
    is_thin: false,
};

const LTO_6: Figures = Figures {
    capacity_bytes: 5 * TB / 2,
    native_mb_s: 160.0,
    top_mb_s: 163.2,
    floor_mb_s: 54.0,
    wraps: 136,
    wraps_per_band: 34,
    locate_scale: 1.06,
    buffer_mb: 512.0 * MIB_MB,
    ..LTO_5
};

const LTO_7: Figures = Figures {
    capacity_bytes: 6 * TB,
    native_mb_s: 300.0,
    top_mb_s: 306.0,
    floor_mb_s: 101.46,
    wraps: 112,
    wraps_per_band: 28,
    lpos_min: 2696.0,
    lpos_max: 171_097.0,
    lpos_s: 0.000_619_2,
    locate_scale: 0.86,
    mean_rewind_s: 60.0,
    load_s: 15.0,
    unload_s: 20.0,
    buffer_mb: 1024.0 * MIB_MB,
    ..LTO_5
};

const M8: Figures = Figures {
    capacity_bytes: 9 * TB,
    wraps: 168,
    wraps_per_band: 42,
    locate_scale: 1.00,
    mean_rewind_s: 59.0,
    unload_s: 24.0,
    ..LTO_7
};

const LTO_8: Figures = Figures {
    capacity_bytes: 12 * TB,
    native_mb_s: 360.0,
    top_mb_s: 365.0,
    floor_mb_s: 112.0,
    wraps: 208,
    wraps_per_band: 52,
    ..M8
};

const LTO_9_FULL: Figures = Figures {
    capacity_bytes: 18 * TB,
    native_mb_s: 400.0,
    top_mb_s: 408.0,
    floor_mb_s: 177.0,
    wraps: 280,
    wraps_per_band: 70,
    lpos_max: 184_900.0,
    locate_scale: 0.65,
    mean_rewind_s: 55.0,
    load_s: 17.0,
    unload_s: 30.0,
    is_thin: true,
    ..LTO_8
};

const LTO_9_HALF: Figures = Figures {
    native_mb_s: 300.0,
    top_mb_s: 306.0,
    locate_scale: 0.94,
    mean_rewind_s: 62.0,
    load_s: 16.0,
    unload_s: 56.0,
    ..LTO_9_FULL
};

impl Column {
    /// Every column, oldest first.
    pub const ALL: [Self; 7] =
        [Self::Lto5, Self::Lto6, Self::Lto7, Self::M8, Self::Lto8, Self::Lto9Full, Self::Lto9Half];

    /// The column of this drive and medium.
    pub const fn figures(self) -> &'static Figures {
        match self {
            Self::Lto5 => &LTO_5,
            Self::Lto6 => &LTO_6,
            Self::Lto7 => &LTO_7,
            Self::M8 => &M8,
            Self::Lto8 => &LTO_8,
            Self::Lto9Full => &LTO_9_FULL,
            Self::Lto9Half => &LTO_9_HALF,
        }
    }

    /// The name, as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lto5 => "LTO-5",
            Self::Lto6 => "LTO-6",
            Self::Lto7 => "LTO-7",
            Self::M8 => "LTO-7 Type M",
            Self::Lto8 => "LTO-8",
            Self::Lto9Full => "LTO-9",
            Self::Lto9Half => "LTO-9 half height",
        }
    }
}

impl Figures {
    /// This medium in a drive that may be newer: load, unload and buffer are the drive's (§1).
    pub fn in_drive(&self, drive: &Self) -> Self {
        Self { load_s: drive.load_s, unload_s: drive.unload_s, buffer_mb: drive.buffer_mb, ..*self }
    }

    /// A medium with other room on the same tape.
    pub fn with_capacity(&self, capacity_bytes: u64) -> Self {
        Self { capacity_bytes, ..*self }
    }

    /// Objects on a nominal medium, `N` of §2.
    pub fn objects(&self) -> u64 {
        self.capacity_bytes / BLOCK_BYTES
    }

    /// Level at which a stopped drive starts again, `Q` of §4, MB.
    pub fn restart_mb(&self) -> f64 {
        self.buffer_mb / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_quarters() {
        for generation in Column::ALL {
            let figures = generation.figures();
            assert_eq!(figures.wraps, 4 * figures.wraps_per_band, "{}", generation.name());
        }
    }

    #[test]
    fn a_whole_tape_runs_at_about_the_native_rate() {
        for generation in Column::ALL {
            let figures = generation.figures();
            let mb = figures.capacity_bytes as f64 / 1e6;
            let turns_s = f64::from(figures.wraps - 1) * figures.turn_s;
            let rate = mb / (mb / figures.top_mb_s + turns_s);
            let deviation = (rate / figures.native_mb_s - 1.0).abs();
            assert!(deviation < 0.01, "{}: {rate}", generation.name());
        }
    }

    #[test]
    fn an_older_medium_is_loaded_as_the_drive_loads() {
        let figures = LTO_7.in_drive(&LTO_8);
        assert_eq!(figures.unload_s, 24.0);
        assert_eq!(figures.wraps, 112);
    }
}
