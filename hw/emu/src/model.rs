//! Which drive is imitated.

use reel_hw::scsi::density::Density;
use serde::{Deserialize, Serialize};

/// Whose ways a drive has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maker {
    /// IBM: LOCATE to file k ends in front of filemark k + 1; end-of-wrap positions and block protection.
    Ibm,
    /// HP: LOCATE to file k ends in front of filemark k.
    Hp,
}

/// Generation of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generation {
    /// LTO-5.
    Lto5,
    /// LTO-6.
    Lto6,
    /// LTO-7.
    Lto7,
    /// LTO-8.
    Lto8,
    /// LTO-9.
    Lto9,
}

impl Generation {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Self::Lto5 => 5,
            Self::Lto6 => 6,
            Self::Lto7 => 7,
            Self::Lto8 => 8,
            Self::Lto9 => 9,
        }
    }

    /// Density code of its own media (spec scsi.md §4).
    pub fn density(self) -> u8 {
        self.recording().code()
    }

    /// Density of its own media.
    pub(crate) fn recording(self) -> Density {
        match self {
            Self::Lto5 => Density::Lto5,
            Self::Lto6 => Density::Lto6,
            Self::Lto7 => Density::Lto7,
            Self::Lto8 => Density::Lto8,
            Self::Lto9 => Density::Lto9,
        }
    }
}

/// A drive as it leaves the factory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveModel {
    /// Whose ways it has.
    pub maker: Maker,
    /// Its generation.
    pub generation: Generation,
    /// Full height: as fast as its generation gets, and with access order from LTO-9 on.
    pub full_height: bool,
    /// Serial number.
    pub serial: String,
}

impl DriveModel {
    /// Vendor, as INQUIRY tells it.
    pub fn vendor(&self) -> &'static str {
        match self.maker {
            Maker::Ibm => "IBM",
            Maker::Hp => "HP",
        }
    }

    /// Product, as INQUIRY tells it.
    pub fn product(&self) -> String {
        let number = self.generation.number();
        match (self.maker, self.full_height) {
            (Maker::Ibm, true) => format!("ULTRIUM-TD{number}"),
            (Maker::Ibm, false) => format!("ULTRIUM-HH{number}"),
            (Maker::Hp, _) => format!("Ultrium {number}-SCSI"),
        }
    }

    /// Whether it checks a CRC of each block (CRC-32C from LTO-7 on).
    pub fn protects_blocks(&self) -> bool {
        self.maker == Maker::Ibm && self.generation >= Generation::Lto7
    }

    /// Whether it computes an order of access.
    pub fn orders_access(&self) -> bool {
        self.generation >= Generation::Lto9 && self.full_height
    }

    /// Whether it tells where wraps end.
    pub fn tells_wraps(&self) -> bool {
        self.maker == Maker::Ibm && self.generation >= Generation::Lto7
    }
}
