//! Media pools, media and media sets (`cli-tape.md` §§7, 8).

use super::define::*;
use super::output::{Answer, Column, Listing, Render, number, rendered, rendered_right, text};
use super::values::{PoolProperty, TapeGroup, TapeSnapshot};
use crate::{
    AllocationPolicy, BackupId, BackupType, ChangerName, Comment, DriveName, Fingerprint,
    LabelText, MediaId, MediaSetId, PoolName, RetentionPolicy, TapeTemplate, UserId, VaultName,
};

const POOLS: Listing = Listing {
    columns: &[
        text("name"),
        text("allocation"),
        text("retention"),
        text("template"),
        rendered("encrypt", Render::YesNo),
    ],
    sort_by: &["name"],
};

const POOL: &[Column] = &[
    text("name"),
    text("allocation"),
    text("retention"),
    text("template"),
    text("encrypt"),
    text("vault"),
];

const MEDIA: Listing = Listing {
    columns: &[
        text("label-text"),
        text("pool"),
        text("media-set-name"),
        number("seq-nr"),
        rendered("status", Render::MediaStatus),
        text("location"),
        rendered_right("catalog", Render::CatalogState),
        text("uuid"),
        text("media-set-uuid"),
    ],
    sort_by: &["pool", "media-set-uuid", "seq-nr", "label-text"],
};

const CONTENT: Listing = Listing {
    columns: &[
        text("label-text"),
        text("pool"),
        text("media-set-name"),
        number("seq-nr"),
        text("store"),
        text("snapshot"),
        text("media-set-uuid"),
    ],
    sort_by: &["media-set-uuid", "seq-nr", "store", "snapshot", "backup-time"],
};

const SETS: Listing = Listing {
    columns: &[
        text("media-set-name"),
        text("pool"),
        text("media-set-uuid"),
        rendered("media-set-ctime", Render::Epoch),
    ],
    sort_by: &["pool", "media-set-ctime", "media-set-uuid"],
};

const PLAN: Listing = Listing {
    columns: &[
        text("label-text"),
        number("seq-nr"),
        text("location"),
        number("archives"),
        number("chunks"),
        rendered_right("bytes", Render::Bytes),
        rendered_right("staged-bytes", Render::Bytes),
        number("seconds"),
        number("total-seconds"),
    ],
    sort_by: &["seq-nr"],
};

commands! {
    /// List the media pools.
    PoolList ["pool" "list"] => Answer::List(&POOLS);
    {}

    /// Show how a media pool is configured.
    PoolConfig ["pool" "config"] => Answer::Object(POOL);
    {
        /// Media pool name.
        arg name: PoolName,
    }
}

settings! {
    /// Create a media pool.
    PoolCreate ["pool" "create"] => Answer::Nothing;
    /// Change how a media pool is configured.
    PoolUpdate ["pool" "update"];
    {
        /// Media pool name.
        arg name: PoolName,
        /// When a new media set begins: continue, always, or a calendar event.
        may allocation: AllocationPolicy,
        /// How long content is kept: overwrite, keep, or a time span.
        may retention: RetentionPolicy,
        /// How media sets are named, a strftime text.
        may template: TapeTemplate,
        /// Fingerprint of the key that content is encrypted with.
        may encrypt: Fingerprint,
        /// Comment; an empty one removes it.
        may comment: Comment,
        /// The vault that its full media sets are taken to.
        may vault also "vault-name": VaultName,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<PoolProperty>,
    }
}

commands! {
    /// Forget a media pool's configuration; its media stay as they are.
    PoolRemove ["pool" "remove"] => Answer::Nothing;
    {
        /// Media pool name.
        arg name: PoolName,
    }

    /// List the media that are known.
    MediaList ["media" "list"] => Answer::List(&MEDIA);
    {
        /// Only those of this pool.
        opt pool: Option<PoolName>,
        /// Look first which media are in the library.
        opt update_status: bool = true,
        /// Look in this changer only.
        opt update_status_changer: Option<ChangerName>,
    }

    /// List the snapshots on media.
    MediaContent ["media" "content"] => Answer::List(&CONTENT);
    {
        /// Only on media of this pool.
        opt pool: Option<PoolName>,
        /// Only on the medium of this label.
        opt label_text: Option<LabelText>,
        /// Only on the medium of this uuid.
        opt media: Option<MediaId>,
        /// Only in this media set.
        opt media_set: Option<MediaSetId>,
        /// Only of this type.
        opt backup_type: Option<BackupType>,
        /// Only of this id.
        opt backup_id: Option<BackupId>,
    }

    /// Forget a medium; what is on the tape stays there.
    MediaDestroy ["media" "destroy"] => Answer::Nothing;
    {
        /// The medium's label.
        arg label_text: Option<LabelText>,
        /// The medium's uuid.
        opt uuid: Option<MediaId>,
        /// Even if it holds data.
        opt force: bool = false,
    }

    /// List the media sets.
    MediaSetList ["media-set" "list"] => Answer::List(&SETS);
    {
        /// Only those of this pool.
        opt pool: Option<PoolName>,
    }

    /// Say which tapes reading the files would take and how much from each; moves none.
    MediaSetPlan ["media-set" "plan"] => Answer::List(&PLAN);
    {
        /// Media set uuid.
        arg media_set: MediaSetId,
        /// Only for these snapshots, STORE:[ns/NAME/...]TYPE/ID/TIME each.
        arg snapshots: Vec<TapeSnapshot>,
        /// Only for the snapshots of these groups, STORE:[ns/NAME/...]TYPE/ID each.
        opt groups: Vec<TapeGroup>,
    }

    /// Read the snapshot archives of a media set that were never seen, so that its files show.
    Fetch ["fetch"] => Answer::Task;
    {
        /// Media set uuid.
        arg media_set: MediaSetId,
        /// Only those of these snapshots, STORE:[ns/NAME/...]TYPE/ID/TIME each.
        arg snapshots: Vec<TapeSnapshot>,
        /// Only those of the snapshots of these groups, STORE:[ns/NAME/...]TYPE/ID each.
        opt groups: Vec<TapeGroup>,
        /// Drive name.
        opt drive: Option<DriveName>,
        /// Pass over media that are not in the library, instead of asking for them.
        opt skip_missing: bool = false,
        /// Who is asked for media.
        opt notify_user: Option<UserId>,
    }
}
