//! Drives and what is done with the medium in one (`cli-tape.md` §§3, 5, 6).

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use super::values::{DrivePath, SlotParam};
use crate::{ByteSize, ChangerName, DriveName, LabelText, PoolName};

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

const CONFIG: &[Column] =
    &[text("name"), text("path"), text("changer"), number("changer-drivenum"), text("max-size")];

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

    /// Create a drive.
    DriveCreate ["drive" "create"] => Answer::Nothing;
    {
        /// Drive name.
        arg name: DriveName,
        /// What it is made of: virtual:FOLDER.
        opt path: DrivePath,
        /// How much fits on each new tape.
        opt max_size: Option<ByteSize>,
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

    /// List the drives and slots of a changer and what is in them.
    ChangerStatus ["changer" "status"] => Answer::List(&CHANGER);
    {
        /// Changer name; that of the drive, if absent.
        arg name: Option<ChangerName>,
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Use what was seen last instead of asking the changer.
        opt cache: bool = true,
    }
}
