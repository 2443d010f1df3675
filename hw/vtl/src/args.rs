//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use reel_emu::cartridge::CAPACITY_DEFAULT;
use reel_emu::{Generation, Maker};
use reel_hw::VolumeTag;

/// A target of `tcm_loop` has 32 ports, and the changer needs one.
const DRIVES_MAX: i64 = 31;

/// Puts an emulated tape library behind the kernel, as /dev/nst*, /dev/sg* and /dev/sch*.
#[derive(Debug, Parser)]
#[command(name = "reel-vtl", version)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Make a library in a folder.
    Create(Create),
    /// Serve a library until SIGTERM or SIGINT. Each device is a line on standard output: kind, serial number, nodes.
    Serve(Serve),
}

/// What `create` makes.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// The folder of the library.
    pub(crate) folder: PathBuf,
    /// Drives.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=DRIVES_MAX))]
    pub(crate) drives: u16,
    /// Storage slots.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) slots: u16,
    /// Import/export slots.
    #[arg(long, default_value_t = 0)]
    pub(crate) import_export: u16,
    /// Generation of the drives, 5 to 9.
    #[arg(long, default_value = "8", value_parser = parse_generation)]
    pub(crate) generation: DriveGeneration,
    /// Who makes the drives.
    #[arg(long, value_enum, default_value = "ibm")]
    pub(crate) maker: DriveMaker,
    /// Bar codes of the media: CLN… clean; L5 to L9 and, written once, LV to LZ at the end say the generation.
    #[arg(long, value_delimiter = ',', value_name = "BARCODE,…", value_parser = parse_barcode)]
    pub(crate) media: Vec<VolumeTag>,
    /// Drives and robot take the time that real ones take, divided by this; without it nothing takes time.
    #[arg(long, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) quickened: Option<u32>,
    /// Room on each medium, such as 512M or 20G.
    #[arg(long, value_parser = parse_size, default_value_t = Size(CAPACITY_DEFAULT))]
    pub(crate) capacity: Size,
}

/// What `serve` serves.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The folder of the library.
    pub(crate) folder: PathBuf,
    /// Write the same lines to this file, whole, when all devices are there.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// Generation of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DriveGeneration(pub(crate) Generation);

/// Who makes a drive.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DriveMaker {
    /// IBM.
    Ibm,
    /// HP.
    Hp,
}

impl From<DriveMaker> for Maker {
    fn from(maker: DriveMaker) -> Self {
        match maker {
            DriveMaker::Ibm => Self::Ibm,
            DriveMaker::Hp => Self::Hp,
        }
    }
}

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}M", self.0 >> 20)
    }
}

fn parse_generation(text: &str) -> Result<DriveGeneration, String> {
    let generation = match text {
        "5" => Generation::Lto5,
        "6" => Generation::Lto6,
        "7" => Generation::Lto7,
        "8" => Generation::Lto8,
        "9" => Generation::Lto9,
        _ => return Err("give a number from 5 to 9".to_owned()),
    };
    Ok(DriveGeneration(generation))
}

fn parse_barcode(text: &str) -> Result<VolumeTag, String> {
    let tag = VolumeTag::new(text);
    tag.ok_or_else(|| "give 1 to 32 printable ASCII characters without '/' and blanks".to_owned())
}

fn parse_size(text: &str) -> Result<Size, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase();
    let shift = match unit.trim_end_matches("IB") {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("units are K, M, G and T, of 1024".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "give a number, such as 512M".to_owned())?;
    number.checked_mul(1 << shift).map(Size).ok_or_else(|| "that is too much".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, size) in [("7", 7), ("2k", 2048), ("64M", 64 << 20), ("3GiB", 3 << 30)] {
            assert_eq!(parse_size(text), Ok(Size(size)), "{text}");
        }
        for bad in ["", "M", "1X", "-1", "1.5G", "99999999999T"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
