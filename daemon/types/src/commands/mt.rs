//! `mt` and `mtx`: what is done with one drive or changer as it is (`cli-tape.md` §§11, 12).
//!
//! On a drive or changer that is configured the daemon does it, under the lock of the drive; on a device that is named
//! by its path `reelctl` does it itself. What each verb does is told once, by the crate of the devices, from the verb's
//! word and its parameters.

use super::define::*;
use super::output::{Answer, DeviceAnswer, DeviceText};
use super::params::OneOrMore;
use super::values::{Bounded, DriverOption, LocalPath, SlotParam};
use crate::{ChangerName, DriveName};

/// How far at once: SPACE counts with 32 bits.
type Count = Bounded<1, 2_147_483_647>;
/// Number of a file.
type FileCount = Bounded<0, 2_147_483_647>;
/// Bytes of a block.
type BlockSize = Bounded<0, 8_388_608>;
/// Number of a drive in its changer.
type DriveIndex = Bounded<0, 255>;

const STATUS: DeviceAnswer = DeviceAnswer {
    text: DeviceText::Json,
    keys: &[
        "vendor",
        "product",
        "revision",
        "blocksize",
        "compression",
        "buffer-mode",
        "density",
        "write-protect",
        "alert-flags",
        "file-number",
        "block-number",
        "manufactured",
        "bytes-read",
        "bytes-written",
        "volume-mounts",
        "medium-passes",
        "medium-wearout",
        "drive-activity",
    ],
};

const STATISTICS: DeviceAnswer = DeviceAnswer {
    text: DeviceText::Json,
    keys: &[
        "volume-mounts",
        "volume-datasets-written",
        "volume-recovered-write-data-errors",
        "volume-unrecovered-write-data-errors",
        "volume-write-servo-errors",
        "volume-unrecovered-write-servo-errors",
        "volume-datasets-read",
        "volume-recovered-read-errors",
        "volume-unrecovered-read-errors",
        "last-mount-unrecovered-write-errors",
        "last-mount-unrecovered-read-errors",
        "last-mount-bytes-written",
        "last-mount-bytes-read",
        "lifetime-bytes-written",
        "lifetime-bytes-read",
        "last-load-write-compression-ratio",
        "last-load-read-compression-ratio",
        "medium-mount-time",
        "medium-ready-time",
        "total-native-capacity",
        "total-used-native-capacity",
        "write-protect",
        "worm",
        "beginning-of-medium-passes",
        "middle-of-tape-passes",
        "serial",
    ],
};

const ALERTS: DeviceAnswer = DeviceAnswer { text: DeviceText::Alerts, keys: &[] };

const MEMORY: DeviceAnswer =
    DeviceAnswer { text: DeviceText::Memory, keys: &["id", "name", "value"] };

const DEVICES: DeviceAnswer = DeviceAnswer {
    text: DeviceText::Devices,
    keys: &["kind", "path", "serial", "vendor", "model", "major", "minor"],
};

const INQUIRY: DeviceAnswer = DeviceAnswer {
    text: DeviceText::Inquiry,
    keys: &["peripheral_type", "peripheral_type_text", "vendor", "product", "revision"],
};

const ELEMENTS: DeviceAnswer = DeviceAnswer {
    text: DeviceText::Elements,
    keys: &[
        "drives",
        "slots",
        "transports",
        "loaded_slot",
        "import_export",
        "status",
        "drive_serial_number",
        "vendor",
        "model",
        "element_address",
    ],
};

/// Commands for one drive, by its name or by its device.
macro_rules! drive_commands {
    ($(
        $(#[doc = $help:literal])+
        $command:ident [$($word:literal)+] => $answer:expr;
        { $($field:tt)* }
    )+) => {
        commands! { $(
            $(#[doc = $help])+
            $command [$($word)+] => $answer;
            {
                $($field)*
                /// Drive name.
                opt drive: Option<DriveName>,
                /// Device of a drive, instead of a name: reelctl uses it itself, without the daemon.
                opt device: Option<LocalPath>,
            }
        )+ }
    };
}

/// Commands for one changer, by its name, by a drive in it or by its device.
macro_rules! changer_commands {
    ($(
        $(#[doc = $help:literal])+
        $command:ident [$($word:literal)+] => $answer:expr;
        { $($field:tt)* }
    )+) => {
        commands! { $(
            $(#[doc = $help])+
            $command [$($word)+] => $answer;
            {
                $($field)*
                /// Changer name.
                opt changer: Option<ChangerName>,
                /// Device of a changer, instead of a name: reelctl uses it itself, without the daemon.
                opt device: Option<LocalPath>,
                /// Drive name, for the changer that it is in.
                opt drive: Option<DriveName>,
            }
        )+ }
    };
}

drive_commands! {
    /// Go to the beginning of a file, counted from 0.
    MtAsf ["mt" "asf"] => Answer::Nothing;
    {
        /// Number of the file.
        arg count: FileCount,
    }

    /// Go back over filemarks, to right before the last of them.
    MtBsf ["mt" "bsf"] => Answer::Nothing;
    {
        /// How many.
        arg count: Count,
    }

    /// Go back over filemarks, then forward over one: to the beginning of a file.
    MtBsfm ["mt" "bsfm"] => Answer::Nothing;
    {
        /// How many.
        arg count: Count,
    }

    /// Go back over blocks.
    MtBsr ["mt" "bsr"] => Answer::Nothing;
    {
        /// How many.
        arg count: Count,
    }

    /// Show the memory chip of the medium in a drive.
    MtCartridgeMemory ["mt" "cartridge-memory"] => Answer::Device(&MEMORY);
    {}

    /// Eject the medium.
    MtEject ["mt" "eject"] => Answer::Nothing;
    {}

    /// Go behind what is recorded last.
    MtEod ["mt" "eod"] => Answer::Nothing;
    {}

    /// Erase the medium from its position on: what follows is lost.
    MtErase ["mt" "erase"] => Answer::Report;
    {
        /// Only mark the end here; else all that follows is overwritten, which takes hours.
        opt fast: bool = true,
    }

    /// Format the medium: everything on it is lost.
    MtFormat ["mt" "format"] => Answer::Report;
    {
        /// Erase only the beginning.
        opt fast: bool = true,
    }

    /// Go forward over filemarks.
    MtFsf ["mt" "fsf"] => Answer::Nothing;
    {
        /// How many.
        arg count: Count,
    }

    /// Go forward over filemarks, then back over one: to the end of a file.
    MtFsfm ["mt" "fsfm"] => Answer::Nothing;
    {
        /// How many.
        arg count: Count,
    }

    /// Go forward over blocks.
    MtFsr ["mt" "fsr"] => Answer::Nothing;
    {
        /// How many.
        arg count: Count,
    }

    /// Load the medium that sits in a drive.
    MtLoad ["mt" "load"] => Answer::Nothing;
    {}

    /// Lock the medium in.
    MtLock ["mt" "lock"] => Answer::Nothing;
    {}

    /// Change modes of a drive.
    MtOptions ["mt" "options"] => Answer::Nothing;
    {
        /// Whether the drive compresses.
        opt compression: Option<bool>,
        /// Bytes of a block; 0 for blocks of any length.
        opt blocksize: Option<BlockSize>,
        /// Whether a write is done when the drive has the data.
        opt buffer_mode also "buffer_mode": Option<bool>,
        /// First set all modes as backups have them: compression, blocks of any length, buffering.
        opt defaults: bool = false,
    }

    /// Go to the beginning of the medium.
    MtRewind ["mt" "rewind"] => Answer::Nothing;
    {}

    /// Set the length of blocks.
    MtSetblk ["mt" "setblk"] => Answer::Nothing;
    {
        /// Bytes of a block; 0 for blocks of any length.
        arg size: BlockSize,
    }

    /// Show the state of a drive and of the medium in it.
    MtStatus ["mt" "status"] => Answer::Device(&STATUS);
    {}

    /// Show the alerts that a drive has set.
    MtTapeAlertFlags ["mt" "tape-alert-flags"] => Answer::Device(&ALERTS);
    {}

    /// Unlock the medium.
    MtUnlock ["mt" "unlock"] => Answer::Nothing;
    {}

    /// Show what was counted in the life of the medium in a drive.
    MtVolumeStatistics ["mt" "volume-statistics"] => Answer::Device(&STATISTICS);
    {}

    /// Write filemarks at the position: what follows is lost.
    MtWeof ["mt" "weof"] => Answer::Nothing;
    {
        /// How many.
        arg count: Count = 1,
    }
}

changer_commands! {
    /// Show what a changer says that it is.
    MtxInquiry ["mtx" "inquiry"] => Answer::Device(&INQUIRY);
    {}

    /// Have a changer look at all its slots and drives anew.
    MtxInventory ["mtx" "inventory"] => Answer::Nothing;
    {}

    /// Move the medium in a slot into a drive.
    MtxLoad ["mtx" "load"] => Answer::Nothing;
    {
        /// The slot's number.
        arg slot: SlotParam,
        /// The drive's number in the changer.
        opt drivenum: DriveIndex = 0,
    }

    /// Show the drives and slots of a changer and what is in them.
    MtxStatus ["mtx" "status"] => Answer::Device(&ELEMENTS);
    {}

    /// Move a medium from a slot to another.
    MtxTransfer ["mtx" "transfer"] => Answer::Nothing;
    {
        /// From this slot.
        arg from: SlotParam,
        /// To this slot.
        arg to: SlotParam,
    }

    /// Move the medium in a drive into a slot.
    MtxUnload ["mtx" "unload"] => Answer::Nothing;
    {
        /// The drive's number in the changer.
        opt drivenum: DriveIndex = 0,
        /// The slot's number; where it came from or any free one, if absent.
        opt slot: Option<SlotParam>,
    }
}

commands! {
    /// List the tape drives that the system knows.
    MtScan ["mt" "scan"] => Answer::Device(&DEVICES);
    {}

    /// Clear options of the kernel's tape driver.
    MtStclearoptions ["mt" "stclearoptions"] => Answer::Nothing;
    {
        /// Options to clear.
        arg options: OneOrMore<DriverOption>,
        /// Node of the kernel's tape driver, such as /dev/nst0.
        opt device: Option<LocalPath>,
        /// Drive name; the options are no drive's, and refused.
        opt drive: Option<DriveName>,
    }

    /// Set options of the kernel's tape driver, and clear all others.
    MtStoptions ["mt" "stoptions"] => Answer::Nothing;
    {
        /// Options to set.
        arg options: Vec<DriverOption>,
        /// Node of the kernel's tape driver, such as /dev/nst0.
        opt device: Option<LocalPath>,
        /// Drive name; the options are no drive's, and refused.
        opt drive: Option<DriveName>,
    }

    /// Set options of the kernel's tape driver.
    MtStsetoptions ["mt" "stsetoptions"] => Answer::Nothing;
    {
        /// Options to set.
        arg options: OneOrMore<DriverOption>,
        /// Node of the kernel's tape driver, such as /dev/nst0.
        opt device: Option<LocalPath>,
        /// Drive name; the options are no drive's, and refused.
        opt drive: Option<DriveName>,
    }

    /// List the changers that the system knows.
    MtxScan ["mtx" "scan"] => Answer::Device(&DEVICES);
    {}
}
