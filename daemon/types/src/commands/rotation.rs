//! Media that come and go: bar codes and labels, import/export slots, vaults, and what a pool will write next
//! (`cli-tape.md` §§3, 8; `tape-state.md` §§5, 6, 12, 13).

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use super::values::{BarcodePrefix, Bounded, Count, LtoBarcode, MediaIdentifier, PaperSize};
use crate::{
    DriveName, LabelText, MediaId, MediaSetId, MediaStatus, PoolName, StoreName, VaultName,
};

const IN_VAULTS: Listing = Listing {
    columns: &[
        text("vault"),
        text("label-text"),
        text("pool"),
        text("media-set-name"),
        number("seq-nr"),
        rendered("status", Render::MediaStatus),
        rendered("expires", Render::Epoch),
        text("uuid"),
    ],
    sort_by: &["vault", "pool", "media-set-uuid", "seq-nr", "label-text"],
};

const DUE: Listing = Listing {
    columns: &[
        text("action"),
        text("vault"),
        text("label-text"),
        text("pool"),
        text("media-set-name"),
        number("seq-nr"),
        text("location"),
        text("slot"),
    ],
    sort_by: &["action", "vault", "pool", "media-set-uuid", "seq-nr", "label-text"],
};

const POOL_PLAN: &[Column] = &[
    text("pool"),
    text("media-set-uuid"),
    text("media-set-name"),
    number("new-media-set"),
    text("reason"),
    text("next-media"),
    rendered("media", Render::PlannedMedia),
    rendered("out-of-use", Render::UnusedMedia),
    rendered("expiry", Render::Expiry),
    rendered_right("bytes-free", Render::Bytes),
    rendered_right("bytes-wanted", Render::Bytes),
    text("estimated-by"),
    number("fits"),
];

commands! {
    /// Label all blank media of the library, each as its bar code says.
    BarcodeLabel ["barcode-label"] => Answer::Task;
    {
        /// Give them to this pool.
        opt pool: Option<PoolName>,
        /// Drive name.
        opt drive: Option<DriveName>,
    }

    /// Move a medium to a free import/export slot.
    ExportMedia ["export-media"] => Answer::Nothing;
    {
        /// The medium's label.
        arg label_text: LabelText,
        /// Drive in the library that has it; found by the medium, if absent.
        opt drive: Option<DriveName>,
    }

    /// Move all media of a set to free import/export slots.
    MediaSetExport ["media-set" "export"] => Answer::Task;
    {
        /// Media set uuid.
        arg media_set: MediaSetId,
    }

    /// Note where a medium was taken that is in no library: to a vault, or back to the shelf.
    MediaMove ["media" "move"] => Answer::Nothing;
    {
        /// The medium's label.
        arg label_text: Option<LabelText>,
        /// The medium's uuid.
        opt uuid: Option<MediaId>,
        /// The vault that it is in; the shelf (offline), if absent.
        opt vault_name also "vault": Option<VaultName>,
    }

    /// Mark a medium as full, damaged or retired, or take the mark back.
    MediaMark ["media" "mark"] => Answer::Nothing;
    {
        /// The medium's label.
        arg label_text: Option<LabelText>,
        /// The medium's uuid.
        opt uuid: Option<MediaId>,
        /// The mark.
        opt status: Option<MediaStatus>,
        /// Take the mark back that it has.
        opt clear: bool = false,
    }

    /// Say what the next backup to a pool would write to and whether it will fit; does nothing.
    PoolPlan ["pool" "plan"] => Answer::Object(POOL_PLAN);
    {
        /// Media pool name.
        arg name: PoolName,
        /// Estimate by what of this datastore is not on the media set yet.
        opt store: Option<StoreName>,
        /// Drive of the backup.
        opt drive: Option<DriveName>,
    }

    /// List the media that are in vaults.
    VaultList ["vault" "list"] => Answer::List(&IN_VAULTS);
    {
        /// Only those in this vault.
        arg vault_name also "vault": Option<VaultName>,
    }

    /// List the media to take to vaults today, and the expired ones to bring back.
    VaultDue ["vault" "due"] => Answer::List(&DUE);
    {
        /// Only those of this pool.
        opt pool: Option<PoolName>,
    }

    /// Move media to import/export slots, to be taken to a vault, and note that they are there.
    VaultMove ["vault" "move"] also ["media" "vault"] => Answer::Task;
    {
        /// The vault.
        arg vault_name also "vault": VaultName,
        /// The media's labels.
        arg media: Vec<LabelText>,
        /// All that are due for the vault.
        opt due: bool = false,
    }

    /// Print a sheet of bar code labels (SVG, Code 39) for LTO media.
    BarcodeSheet ["barcode-sheet"] => Answer::Text("sheet");
    {
        /// The labels to print, such as A00001L8; or give prefix and media id.
        arg labels: Vec<LtoBarcode>,
        /// What numbered labels begin with.
        opt prefix: Option<BarcodePrefix>,
        /// The first number.
        opt first: Option<Bounded<0, 999_999>>,
        /// How many labels; as many as a page takes, if absent.
        opt count: Option<Bounded<1, 1000>>,
        /// The two characters at the end of numbered labels, such as L8.
        opt media_id: Option<MediaIdentifier>,
        /// The paper; a4, if absent.
        opt paper: Option<PaperSize>,
        /// Which page to print, where the labels take several.
        opt page: Option<Count>,
    }
}
