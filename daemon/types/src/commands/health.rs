//! How drives and media do over time.

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use crate::{DriveName, LabelText, MediaId};

const MEDIA: Listing = Listing {
    columns: &[
        text("label-text"),
        text("kind"),
        text("verdict"),
        rendered_right("medium-wearout", Render::Percent),
        number("volume-mounts"),
        number("unrecovered-errors"),
        number("uses-left"),
        rendered("last-seen", Render::Epoch),
        text("last-drive"),
        rendered("advice", Render::Lines),
    ],
    sort_by: &["kind", "label-text"],
};

const MEDIUM: &[Column] = &[
    text("label-text"),
    text("kind"),
    text("uuid"),
    text("serial"),
    text("verdict"),
    rendered("advice", Render::Lines),
    rendered_right("medium-wearout", Render::Percent),
    number("medium-passes"),
    number("volume-mounts"),
    rendered_right("bytes-written", Render::Bytes),
    rendered_right("bytes-read", Render::Bytes),
    number("recovered-errors"),
    number("unrecovered-errors"),
    number("uses"),
    number("uses-left"),
    rendered("last-seen", Render::Epoch),
    text("last-drive"),
    rendered("history", Render::HealthHistory),
];

const DRIVES: Listing = Listing {
    columns: &[
        text("name"),
        text("verdict"),
        text("cleaning"),
        number("drive-loads"),
        number("drive-cleanings"),
        number("motion-hours"),
        rendered("last-seen", Render::Epoch),
        rendered("advice", Render::Lines),
    ],
    sort_by: &["name"],
};

const DRIVE: &[Column] = &[
    text("name"),
    text("serial"),
    text("verdict"),
    rendered("advice", Render::Lines),
    text("cleaning"),
    number("auto-clean"),
    number("drive-loads"),
    number("drive-cleanings"),
    number("power-on-hours"),
    number("motion-hours"),
    number("motion-hours-since-cleaning"),
    number("hard-write-errors"),
    number("hard-read-errors"),
    rendered("last-seen", Render::Epoch),
    rendered("history", Render::HealthHistory),
];

commands! {
    /// Show how media and cleaning cartridges do: one line each, or all that is known of one.
    MediaHealth ["media" "health"] => Answer::ListOrObject(&MEDIA, MEDIUM);
    {
        /// The label of the medium or cleaning cartridge.
        arg label_text: Option<LabelText>,
        /// The medium's uuid.
        opt uuid: Option<MediaId>,
    }

    /// Show how drives do and whether they ask to be cleaned: one line each, or all that is known of one.
    DriveHealth ["drive" "health"] => Answer::ListOrObject(&DRIVES, DRIVE);
    {
        /// Drive name.
        arg name: Option<DriveName>,
    }
}
