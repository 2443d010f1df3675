//! Drives and what is done with the medium in one (`cli-tape.md` §§3, 5, 6).

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use super::values::{
    Bounded, ChangerPath, ChangerProperty, DrivePath, DriveProperty, SlotList, SlotParam,
};
use crate::{ByteSize, ChangerName, Digest, DriveName, LabelText, PoolName};

const DRIVES: Listing = Listing {
    columns: &[
        text("name"),
        text("path"),
        text("changer"),
        text("vendor"),
        text("model"),
        text("serial"),
    ],
    sort_by: &["name"],
};

const CONFIG: &[Column] = &[
    text("name"),
    text("path"),
    text("changer"),
    number("changer-drivenum"),
    text("max-size"),
    number("auto-clean"),
];

const STATUS: &[Column] = &[
    number("blocksize"),
    text("density"),
    number("compression"),
    number("buffer-mode"),
    number("write-protect"),
    text("alert-flags"),
    number("file-number"),
    number("block-number"),
    rendered("manufactured", Render::Epoch),
    rendered_right("bytes-written", Render::Bytes),
    rendered_right("bytes-read", Render::Bytes),
    number("medium-passes"),
    rendered_right("medium-wearout", Render::Percent),
    number("volume-mounts"),
];

const LABEL: &[Column] = &[
    text("label-text"),
    text("uuid"),
    rendered("ctime", Render::Epoch),
    text("pool"),
    text("media-set-uuid"),
    rendered("media-set-ctime", Render::Epoch),
    text("encryption-key-fingerprint"),
];

const INVENTORY: Listing =
    Listing { columns: &[text("label-text"), text("uuid")], sort_by: &["label-text"] };

const MEMORY: Listing =
    Listing { columns: &[number("id"), text("name"), text("value")], sort_by: &["id"] };

const STATISTICS: &[Column] = &[
    number("beginning-of-medium-passes"),
    number("last-load-read-compression-ratio"),
    number("last-load-write-compression-ratio"),
    number("last-mount-bytes-read"),
    number("last-mount-bytes-written"),
    number("last-mount-unrecovered-read-errors"),
    number("last-mount-unrecovered-write-errors"),
    number("lifetime-bytes-read"),
    number("lifetime-bytes-written"),
    number("medium-mount-time"),
    number("medium-ready-time"),
    number("middle-of-tape-passes"),
    text("serial"),
    number("total-native-capacity"),
    number("total-used-native-capacity"),
    number("volume-datasets-read"),
    number("volume-datasets-written"),
    number("volume-mounts"),
    number("volume-recovered-read-errors"),
    number("volume-recovered-write-data-errors"),
    number("volume-unrecovered-read-errors"),
    number("volume-unrecovered-write-data-errors"),
    number("volume-unrecovered-write-servo-errors"),
    number("volume-write-servo-errors"),
    number("worm"),
    number("write-protect"),
];

const SCAN: Listing = Listing {
    columns: &[text("path"), text("vendor"), text("model"), text("serial")],
    sort_by: &["path"],
};

const CHANGERS: Listing = Listing {
    columns: &[text("name"), text("path"), text("vendor"), text("model"), text("serial")],
    sort_by: &["name"],
};

const CHANGER_CONFIG: &[Column] =
    &[text("name"), text("path"), number("eject-before-unload"), text("export-slots")];

const CHANGER: Listing = Listing {
    columns: &[text("entry-kind"), number("entry-id"), text("label-text"), number("loaded-slot")],
    sort_by: &["entry-kind", "entry-id"],
};

commands! {
    /// List the drives.
    DriveList ["drive" "list"] => Answer::List(&DRIVES);
    {}

    /// Show how a drive is configured.
    DriveConfig ["drive" "config"] => Answer::Object(CONFIG);
    {
        /// Drive name.
        arg name: DriveName,
    }

    /// Show the state of a drive and of the medium in it.
    DriveStatus ["drive" "status"] also ["status"] => Answer::Object(STATUS);
    {
        /// Drive name.
        arg drive: Option<DriveName>,
    }

    /// List the tape drives that the system knows.
    DriveScan ["drive" "scan"] => Answer::List(&SCAN);
    {}

    /// Create a drive.
    DriveCreate ["drive" "create"] => Answer::Nothing;
    {
        /// Drive name.
        arg name: DriveName,
        /// What it is: a device, virtual:FOLDER or emulated:FOLDER.
        opt path: DrivePath,
        /// The changer that it is in.
        opt changer: Option<ChangerName>,
        /// Its number in the changer.
        opt changer_drivenum: Option<Bounded<0, 255>>,
        /// How much fits on each new tape of a virtual drive.
        opt max_size: Option<ByteSize>,
    }

    /// Change how a drive is configured.
    DriveUpdate ["drive" "update"] => Answer::Nothing;
    {
        /// Drive name.
        arg name: DriveName,
        /// The device, or emulated:FOLDER.
        opt path: Option<DrivePath>,
        /// The changer that it is in.
        opt changer: Option<ChangerName>,
        /// Its number in the changer.
        opt changer_drivenum: Option<Bounded<0, 255>>,
        /// Clean it without a command when it asks for it and nobody uses it.
        opt auto_clean: Option<bool>,
        /// Properties to delete, before new values are set.
        opt delete: Vec<DriveProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }

    /// Forget a drive's configuration; its tapes stay on disk.
    DriveRemove ["drive" "remove"] => Answer::Nothing;
    {
        /// Drive name.
        arg name: DriveName,
    }

    /// Format the medium in a drive: everything on it is lost.
    Format ["format"] also ["erase"] => Answer::Task;
    {
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Erase only the beginning.
        opt fast: bool = true,
        /// Load this medium first, and format no other.
        opt label_text: Option<LabelText>,
    }

    /// Rewind the medium in a drive.
    Rewind ["rewind"] => Answer::Task;
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Eject the medium from a drive, into a free slot where there is a changer.
    Eject ["eject"] => Answer::Task;
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Label the empty medium in a drive.
    Label ["label"] => Answer::Task;
    {
        /// The label, as on the medium's bar code.
        opt label_text also "changer-id": LabelText,
        /// Give it to this pool.
        opt pool: Option<PoolName>,
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Read the label of the medium in a drive.
    ReadLabel ["read-label"] => Answer::Object(LABEL);
    {
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Add the medium to the inventory.
        opt inventorize: bool = false,
    }

    /// List the media in the library, after reading their labels if asked to.
    Inventory ["inventory"] => Answer::List(&INVENTORY);
    {
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Load media that are not known and read their labels.
        opt read_labels: bool = false,
        /// Load all media and read their labels.
        opt read_all_labels: bool = false,
        /// Restore the catalogs from the media too.
        opt catalog: bool = false,
    }

    /// Load a medium by its label.
    LoadMedia ["load-media"] => Answer::Task;
    {
        /// The medium's label.
        arg label_text: LabelText,
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Load the medium in a slot.
    LoadMediaFromSlot ["load-media-from-slot"] => Answer::Nothing;
    {
        /// The slot's number.
        arg source_slot: SlotParam,
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Unload the medium from a drive into a slot.
    Unload ["unload"] => Answer::Task;
    {
        /// The slot's number; where it came from or any free one, if absent.
        opt target_slot: Option<SlotParam>,
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Show the memory chip of the medium in a drive.
    CartridgeMemory ["cartridge-memory"] => Answer::List(&MEMORY);
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Show what was counted in the life of the medium in a drive.
    VolumeStatistics ["volume-statistics"] => Answer::Object(STATISTICS);
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Show the alerts that a drive has set.
    TapeAlertFlags ["tape-alert-flags"] => Answer::Text("tape-alert-flags");
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Wind the medium in a drive to the end of what is recorded.
    EndOfData ["eod"] => Answer::Nothing;
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Clean a drive with a cleaning cartridge of its library.
    Clean ["clean"] => Answer::Task;
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// List the files on the medium in a drive, as they are found from its beginning on.
    Scan ["scan"] => Answer::Report;
    {
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// List the changers that the system knows.
    ChangerScan ["changer" "scan"] => Answer::List(&SCAN);
    {}

    /// List the changers.
    ChangerList ["changer" "list"] => Answer::List(&CHANGERS);
    {}

    /// Show how a changer is configured.
    ChangerConfig ["changer" "config"] => Answer::Object(CHANGER_CONFIG);
    {
        /// Changer name.
        arg name: ChangerName,
    }
}

settings! {
    /// Create a changer.
    ChangerCreate ["changer" "create"] => Answer::Nothing;
    /// Change how a changer is configured.
    ChangerUpdate ["changer" "update"];
    {
        /// Changer name.
        arg name: ChangerName,
        /// What it is: a device or emulated:FOLDER, where a library is made if there is none.
        must path: ChangerPath,
        /// Slots that count as import/export slots; an empty list removes them.
        may export_slots: SlotList,
        /// A drive ejects its medium before the changer takes it.
        may eject_before_unload: bool,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<ChangerProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}

commands! {
    /// Forget a changer's configuration; no drive may be in it.
    ChangerRemove ["changer" "remove"] => Answer::Nothing;
    {
        /// Changer name.
        arg name: ChangerName,
    }

    /// Move a medium from a slot to another.
    ChangerTransfer ["changer" "transfer"] => Answer::Nothing;
    {
        /// Changer name; that of the drive, if absent.
        arg name: Option<ChangerName>,
        /// Drive name, for the changer that it is in.
        opt drive: Option<DriveName>,
        /// From this slot.
        opt from: SlotParam,
        /// To this slot.
        opt to: SlotParam,
    }

    /// List the drives and slots of a changer and what is in them.
    ChangerStatus ["changer" "status"] => Answer::List(&CHANGER);
    {
        /// Changer name; that of the drive, if absent.
        arg name: Option<ChangerName>,
        /// Drive name, for the changer that it is in.
        opt drive: Option<DriveName>,
        /// Use what was seen last instead of asking the changer.
        opt cache: bool = true,
    }
}
