//! Verifying media, which PBS does not have.

use super::define::*;
use super::output::{Answer, Listing, Render, number, rendered, text};
use super::values::Bounded;
use crate::{DriveName, LabelText, MediaId, MediaSetId, PoolName, UserId};

const VERIFIED: Listing = Listing {
    columns: &[
        text("label-text"),
        text("pool"),
        text("media-set-name"),
        number("seq-nr"),
        text("verify-state"),
        rendered("verified", Render::Epoch),
        number("chunks"),
        number("lost-chunks"),
        number("lost-snapshots"),
        number("damaged-places"),
    ],
    sort_by: &["pool", "media-set-name", "seq-nr", "label-text"],
};

commands! {
    /// Read media to their ends and compare all that is on them with what it should be.
    MediaVerify ["media" "verify"] => Answer::Task;
    {
        /// Labels of media.
        arg labels: Vec<LabelText>,
        /// Uuids of media, where labels don't tell them apart.
        opt uuid: Vec<MediaId>,
        /// All media of this set.
        opt media_set: Option<MediaSetId>,
        /// All media of this pool that hold something.
        opt pool: Option<PoolName>,
        /// Only those that were not verified for so many days.
        opt outdated_after: Option<Bounded<0, 36500>>,
        /// No more than so many, those first that were not verified for longest.
        opt limit: Option<Bounded<1, 65535>>,
        /// Pass over media that are not in the library, instead of asking for them.
        opt skip_missing: bool = false,
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Who is asked for media.
        opt notify_user: Option<UserId>,
    }

    /// List what verifications of media found.
    MediaVerified ["media" "verified"] => Answer::List(&VERIFIED);
    {
        /// Only media of this pool.
        opt pool: Option<PoolName>,
    }
}
