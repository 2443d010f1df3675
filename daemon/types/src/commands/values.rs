//! The types that parameters have, beyond the names and ids of the crate's root.
//!
//! Each is checked when the command is made, before anything is done (`cli-manager.md` §1.2).

mod barcodes;
mod mappings;
mod paths;
mod slots;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use zeroize::Zeroizing;

use super::info::{Kind, PathForm};
use super::params::ParamValue;
pub use barcodes::{BarcodePrefix, LtoBarcode};
pub use mappings::{NamespaceMap, SeveralSets, StoreMap, TapeGroup, TapeSnapshot};
pub use paths::{ChangerPath, DrivePath, LocalPath, NamedFile, StorePath};
pub use slots::SlotList;

use crate::names::check_safe_id;
use crate::{
    AclPath, AllocationPolicy, ArchiveName, AuthId, BackupGroup, BackupId, BackupTime, BackupType,
    ByteSize, CalendarEvent, CertificateFingerprint, ChangerName, Comment, Digest, DriveName,
    Fingerprint, GroupFilter, HostName, JobId, LabelText, MaintenanceMode, MaintenanceType,
    MediaId, MediaSetId, MediaStatus, Namespace, NamespaceDepth, Notify, ParseError, Passphrase,
    Password, PasswordHint, PersonalDetail, PoolName, RemoteName, RetentionPolicy, Role, Snapshot,
    StoreName, TapeTemplate, TokenName, Tuning, Upid, UserId, VaultName,
};

/// Gives types that are their text (`FromStr`, `Display`) the face of a parameter.
macro_rules! text_values {
    ($($type:ty => $kind:expr),+ $(,)?) => { $(
        impl ParamValue for $type {
            const KIND: Kind = $kind;

            fn from_json(value: &Value) -> Result<Self, String> {
                let text = value.as_str().ok_or("must be text")?;
                text.parse::<Self>().map_err(|error| error.reason().to_owned())
            }

            fn to_json(&self) -> Value {
                Value::String(self.to_string())
            }
        }
    )+ };
}

text_values! {
    AuthId => Kind::Text("<string>"),
    BackupGroup => Kind::Text("<string>"),
    BackupId => Kind::Text("<string>"),
    BackupTime => Kind::Text("<time>"),
    BackupType => Kind::Words(&["vm", "ct", "host"]),
    CalendarEvent => Kind::Text("<calendar-event>"),
    OperatorMaintenance => Kind::Text("<string>"),
    Notify => Kind::Text("<string>"),
    Tuning => Kind::Text("<string>"),
    CertificateFingerprint => Kind::Text("<string>"),
    ChangerName => Kind::Text("<string>"),
    Digest => Kind::Text("<string>"),
    DriveName => Kind::Text("<string>"),
    Fingerprint => Kind::Text("<string>"),
    HostName => Kind::Text("<string>"),
    JobId => Kind::Text("<string>"),
    LabelText => Kind::Text("<string>"),
    MediaId => Kind::Text("<string>"),
    MediaSetId => Kind::Text("<string>"),
    SeveralSets => Kind::Text("<string>"),
    MediaStatus => Kind::Words(&["writable", "full", "unknown", "damaged", "retired"]),
    VaultName => Kind::Text("<string>"),
    LtoBarcode => Kind::Text("<string>"),
    BarcodePrefix => Kind::Text("<string>"),
    Namespace => Kind::Text("<string>"),
    PoolName => Kind::Text("<string>"),
    RemoteName => Kind::Text("<string>"),
    Snapshot => Kind::Text("<string>"),
    StoreName => Kind::Text("<string>"),
    AllocationPolicy => Kind::Text("<string>"),
    RetentionPolicy => Kind::Text("<string>"),
    GroupFilter => Kind::Text("<string>"),
    Upid => Kind::Text("<string>"),
    ByteSize => Kind::Text("<string>"),
    Comment => Kind::Text("<string>"),
    AclPath => Kind::Text("<string>"),
    PasswordHint => Kind::Text("<string>"),
    PersonalDetail => Kind::Text("<string>"),
    Role => Kind::Words(Role::NAMES),
    TokenName => Kind::Text("<string>"),
    UserId => Kind::Text("<string>"),
    Notes => Kind::Text("<string>"),
    TapeTemplate => Kind::Text("<string>"),
    FileName => Kind::Text("<string>"),
    LocalPath => Kind::Path(PathForm::Whole),
    SlotList => Kind::Text("<string>"),
    StorePath => Kind::Text("<string>"),
    NamedFile => Kind::Path(PathForm::Named),
    DrivePath => Kind::Path(PathForm::Device),
    ChangerPath => Kind::Path(PathForm::Device),
    StoreMap => Kind::Assignment("<string>"),
    NamespaceMap => Kind::Assignment("<string>"),
    TapeSnapshot => Kind::Text("<string>"),
    TapeGroup => Kind::Text("<string>"),
}

/// It is sent as it is: the door of the API is where secrets come in.
impl ParamValue for Password {
    const KIND: Kind = Kind::Secret;

    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be text")?;
        text.parse::<Self>().map_err(|error| error.reason().to_owned())
    }

    fn to_json(&self) -> Value {
        Value::String(self.reveal().into())
    }
}

impl ParamValue for bool {
    const KIND: Kind = Kind::Boolean;

    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "must be true or false".into())
    }

    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }
}

/// A maintenance mode that an operator may choose; the others are set by those who delete or unmount a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorMaintenance(pub MaintenanceMode);

impl fmt::Display for OperatorMaintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OperatorMaintenance {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mode: MaintenanceMode = text.parse()?;
        match mode.mode {
            MaintenanceType::ReadOnly | MaintenanceType::Offline => Ok(Self(mode)),
            _ => Err(ParseError::new("maintenance mode", text, "must be 'read-only' or 'offline'")),
        }
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// The number, if it is within the bounds.
    pub fn new(number: u64) -> Option<Self> {
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> ParamValue for Bounded<MIN, MAX> {
    const KIND: Kind =
        Kind::Integer { min: MIN, max: if MAX == u64::MAX { None } else { Some(MAX) } };

    fn from_json(value: &Value) -> Result<Self, String> {
        if let Some(number) = value.as_u64().and_then(Self::new) {
            return Ok(number);
        }
        Err(match (value.is_number(), MAX) {
            (false, _) => "must be a whole number".into(),
            (true, u64::MAX) => format!("value must have a minimum value of {MIN}"),
            (true, _) => format!("value must be from {MIN} to {MAX}"),
        })
    }

    fn to_json(&self) -> Value {
        self.0.into()
    }
}

impl ParamValue for NamespaceDepth {
    const KIND: Kind = <Bounded<0, 7>>::KIND;

    fn from_json(value: &Value) -> Result<Self, String> {
        let levels = <Bounded<0, 7>>::from_json(value)?.get();
        u8::try_from(levels)
            .ok()
            .and_then(|levels| Self::try_from(levels).ok())
            .ok_or_else(|| "value must be from 0 to 7".into())
    }

    fn to_json(&self) -> Value {
        self.levels().into()
    }
}

/// Number of a storage or import-export slot, from 1.
pub type SlotParam = Bounded<1, { u64::MAX }>;
/// Seconds since 1970; 0 is never.
pub type Expiry = Bounded<0, { i64::MAX as u64 }>;
/// A TCP port.
pub type Port = Bounded<0, 65535>;
/// How many of something, at least one.
pub type Count = Bounded<1, { u64::MAX }>;
/// How many groups of a sync are pulled at once.
pub type WorkerThreads = Bounded<1, 32>;
/// How many tasks to list.
pub type TaskLimit = Bounded<1, 1000>;

/// Name of a file in a snapshot, with or without the server's extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(Box<str>);

impl FileName {
    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means the file that is stored as `archive`.
    pub fn means(&self, archive: &ArchiveName) -> bool {
        *self.0 == *archive.as_str() || *self.0 == *archive.plain()
    }
}

impl FromStr for FileName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        check_safe_id("file name", text, 1..=255)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Notes of a snapshot or group: any text, several lines if need be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes(Box<str>);

impl Notes {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Notes {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A protected key as text: JSON, or a paper key. It does not show in messages, and is overwritten when the value goes.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(hidden)")
    }
}

impl ParamValue for KeyText {
    const KIND: Kind = Kind::Secret;

    fn from_json(value: &Value) -> Result<Self, String> {
        const BYTES_MAX: usize = 64 << 10;
        let text = value.as_str().ok_or("must be text")?;
        match text.len() {
            0..=BYTES_MAX => Ok(Self(Zeroizing::new(text.to_owned()))),
            _ => Err("is too long for a key".into()),
        }
    }

    fn to_json(&self) -> Value {
        Value::String(self.as_str().to_owned())
    }
}

/// It comes in the body of a call.
impl ParamValue for Passphrase {
    const KIND: Kind = Kind::Secret;

    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be text")?;
        text.parse::<Self>().map_err(|error| error.reason().to_owned())
    }

    fn to_json(&self) -> Value {
        Value::String(self.reveal().to_owned())
    }
}

/// Words for an enumeration that is given as a parameter.
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $about:literal])+ $word:ident = $text:literal),+ $(,)? })+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[doc = $about])+ $word),+ }

        impl $name {
            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                match text {
                    $($text => Ok(Self::$word),)+
                    _ => {
                        let reason = concat!("must be one of", $(" '", $text, "'"),+);
                        Err(ParseError::new("word", text, reason))
                    }
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ParamValue for $name {
            const KIND: Kind = Kind::Words(&[$($text),+]);

            fn from_json(value: &Value) -> Result<Self, String> {
                let text = value.as_str().ok_or("must be text")?;
                text.parse::<Self>().map_err(|error| error.reason().to_owned())
            }

            fn to_json(&self) -> Value {
                Value::String(self.as_str().into())
            }
        }
    )+ };
}

words! {
    /// How a result is printed (`cli-manager.md` §2.1).
    OutputFormat {
        /// For people.
        Text = "text",
        /// One line of JSON.
        Json = "json",
        /// JSON, indented.
        JsonPretty = "json-pretty",
    }

    /// How a passphrase becomes a key (`config.md` §4.9).
    KeyKdf {
        /// Slow in memory too.
        Scrypt = "scrypt",
        /// For where scrypt is unwanted.
        Pbkdf2 = "pbkdf2",
    }

    /// How a paper key is made (`cli-tape.md` §9).
    PaperFormat {
        /// A page for a browser.
        Html = "html",
        /// Lines of text.
        Text = "text",
    }

    /// An option of the kernel's tape driver (`cli-tape.md` §11).
    DriverOption {
        /// Blocks of a fixed length are collected before they are written.
        BufferWrites = "buffer-writes",
        /// A write returns before the drive has the data.
        AsyncWrites = "async-writes",
        /// Blocks of a fixed length are read ahead.
        ReadAhead = "read-ahead",
        /// The driver tells in the kernel's log what it does.
        Debugging = "debugging",
        /// Closing writes two filemarks.
        TwoFm = "two-fm",
        /// Going to the end of data does not count files.
        FastMteom = "fast-mteom",
        /// The medium is locked in while the node is open.
        AutoLock = "auto-lock",
        /// Default block length and density are for writing only.
        DefWrites = "def-writes",
        /// The drive can space backward over blocks.
        CanBsr = "can-bsr",
        /// The drive is not asked for its block limits.
        NoBlklims = "no-blklims",
        /// The drive can have several partitions.
        CanPartitions = "can-partitions",
        /// Positions are logical ones of SCSI-2. Spelled as PBS spells it.
        Scsi2Logical = "scsi2locical",
        /// The rules of System V for the end of files.
        Sysv = "sysv",
        /// Motions return before they are done.
        Nowait = "nowait",
        /// Blocks of another length than was asked for are no error.
        Sili = "sili",
    }

    /// Properties of a pool that an update may delete (`config.md` §4.7).
    PoolProperty {
        /// When a new media set begins.
        Allocation = "allocation",
        /// How long content is kept.
        Retention = "retention",
        /// How media sets are named.
        Template = "template",
        /// The key that content is encrypted with.
        Encrypt = "encrypt",
        /// The operator's words.
        Comment = "comment",
        /// The vault that its full media sets are taken to.
        Vault = "vault",
    }

    /// What stands at the end of the bar code of an LTO medium (`tape-state.md` §13).
    MediaIdentifier {
        /// LTO-1.
        L1 = "L1",
        /// LTO-2.
        L2 = "L2",
        /// LTO-3.
        L3 = "L3",
        /// LTO-4.
        L4 = "L4",
        /// LTO-5.
        L5 = "L5",
        /// LTO-6.
        L6 = "L6",
        /// LTO-7.
        L7 = "L7",
        /// LTO-8.
        L8 = "L8",
        /// LTO-9.
        L9 = "L9",
        /// LTO-7, formatted by an LTO-8 drive.
        M8 = "M8",
        /// WORM, LTO-3.
        Lt = "LT",
        /// WORM, LTO-4.
        Lu = "LU",
        /// WORM, LTO-5.
        Lv = "LV",
        /// WORM, LTO-6.
        Lw = "LW",
        /// WORM, LTO-7.
        Lx = "LX",
        /// WORM, LTO-8.
        Ly = "LY",
        /// WORM, LTO-9.
        Lz = "LZ",
        /// A cleaning cartridge.
        Cu = "CU",
    }

    /// A size of paper.
    PaperSize {
        /// 210 by 297 mm.
        A4 = "a4",
        /// 8.5 by 11 inches.
        Letter = "letter",
    }

    /// Properties of a drive that an update may delete (`config.md` §4.6).
    DriveProperty {
        /// The changer that it is in.
        Changer = "changer",
        /// Its number in there.
        ChangerDrivenum = "changer-drivenum",
    }

    /// Properties of a changer that an update may delete (`config.md` §4.6).
    ChangerProperty {
        /// Slots that count as import/export slots.
        ExportSlots = "export-slots",
        /// Whether drives eject before an unload.
        EjectBeforeUnload = "eject-before-unload",
    }

    /// Properties of a remote that an update may delete (`config.md` §4.1).
    RemoteProperty {
        /// The operator's words.
        Comment = "comment",
        /// The certificate that is expected.
        Fingerprint = "fingerprint",
        /// The port, where it isn't 8007.
        Port = "port",
    }

    /// Properties of a sync job that an update may delete (`config.md` §4.2).
    SyncJobProperty {
        /// The server to pull from.
        Remote = "remote",
        /// Whose new groups become.
        Owner = "owner",
        /// The operator's words.
        Comment = "comment",
        /// When it runs by itself.
        Schedule = "schedule",
        /// Whether what is gone at the source goes here.
        RemoveVanished = "remove-vanished",
        /// Which groups.
        GroupFilter = "group-filter",
        /// Bytes received a second.
        RateIn = "rate-in",
        /// Bytes received at once.
        BurstIn = "burst-in",
        /// Bytes sent a second.
        RateOut = "rate-out",
        /// Bytes sent at once.
        BurstOut = "burst-out",
        /// Below which namespace here.
        Ns = "ns",
        /// Below which namespace there.
        RemoteNs = "remote-ns",
        /// How many levels of namespaces.
        MaxDepth = "max-depth",
        /// How many of the newest snapshots.
        TransferLast = "transfer-last",
        /// Whether damaged snapshots are pulled anew.
        ResyncCorrupt = "resync-corrupt",
        /// How many groups at once.
        WorkerThreads = "worker-threads",
    }

    /// How news reach people (`tape-state.md` §15).
    NotificationMode {
        /// Mails to one user.
        LegacySendmail = "legacy-sendmail",
        /// Events, for programs.
        NotificationSystem = "notification-system",
    }

    /// Properties of a job that verifies media that an update may delete.
    MediaVerifyJobProperty {
        /// The operator's words.
        Comment = "comment",
        /// No more media than this in a run.
        Limit = "limit",
        /// How news reach people.
        NotificationMode = "notification-mode",
        /// Who gets mails.
        NotifyUser = "notify-user",
        /// Only media that were not verified for so many days.
        OutdatedAfter = "outdated-after",
        /// When it runs by itself.
        Schedule = "schedule",
    }

    /// Properties of a backup job that an update may delete (`config.md` §4.8).
    BackupJobProperty {
        /// The operator's words.
        Comment = "comment",
        /// When it runs by itself.
        Schedule = "schedule",
        /// Whether the last medium is put away at the end.
        EjectMedia = "eject-media",
        /// Whether the media set is exported at the end.
        ExportMediaSet = "export-media-set",
        /// Whether only the newest snapshots are written.
        LatestOnly = "latest-only",
        /// Who gets mails.
        NotifyUser = "notify-user",
        /// How news reach people.
        NotificationMode = "notification-mode",
        /// Which groups.
        GroupFilter = "group-filter",
        /// How many levels of namespaces.
        MaxDepth = "max-depth",
        /// Which namespace.
        Ns = "ns",
    }

    /// Properties of a user that an update may delete (`cli-manager.md` §3.5).
    UserProperty {
        /// The operator's words.
        Comment = "comment",
        /// First name.
        Firstname = "firstname",
        /// Last name.
        Lastname = "lastname",
        /// Email address.
        Email = "email",
    }

    /// Properties of a datastore that an update may delete (`config.md` §4.3).
    DatastoreProperty {
        /// The operator's words.
        Comment = "comment",
        /// When garbage is collected.
        GcSchedule = "gc-schedule",
        /// What is refused for now.
        MaintenanceMode = "maintenance-mode",
        /// How news reach people.
        NotificationMode = "notification-mode",
        /// For which work mails are sent.
        Notify = "notify",
        /// Who gets mails.
        NotifyUser = "notify-user",
        /// How it works inside.
        Tuning = "tuning",
        /// Whether new snapshots are verified at once.
        VerifyNew = "verify-new",
        /// Legacy: when snapshots are pruned.
        PruneSchedule = "prune-schedule",
        /// Legacy: how many of the newest snapshots pruning keeps.
        KeepLast = "keep-last",
        /// Legacy: for how many hours.
        KeepHourly = "keep-hourly",
        /// Legacy: for how many days.
        KeepDaily = "keep-daily",
        /// Legacy: for how many weeks.
        KeepWeekly = "keep-weekly",
        /// Legacy: for how many months.
        KeepMonthly = "keep-monthly",
        /// Legacy: for how many years.
        KeepYearly = "keep-yearly",
    }
}

crate::text::serde_as_text!(NotificationMode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_meant_by_either_name() {
        let archive: ArchiveName = "drive-scsi0.img.fidx".parse().unwrap();
        for (name, means) in
            [("drive-scsi0.img", true), ("drive-scsi0.img.fidx", true), ("drive-scsi0", false)]
        {
            assert_eq!(name.parse::<FileName>().unwrap().means(&archive), means, "{name}");
        }
    }

    #[test]
    fn a_key_is_overwritten_when_it_goes() {
        use std::os::unix::fs::FileExt as _;

        let marker = "key-text-of-this-test ";
        let key = KeyText::from_json(&Value::String(marker.repeat(100))).unwrap();
        let (at, length) = (key.as_str().as_ptr() as u64, key.as_str().len());
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        // Made beforehand: a later one could come to lie where the key was.
        let mut bytes = vec![0; length];
        let mut holds_marker = || {
            // What the allocator has given back can't be read.
            let is_there = memory.read_exact_at(&mut bytes, at).is_ok();
            is_there && bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
        };
        assert!(holds_marker());
        drop(key);
        assert!(!holds_marker());
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(TaskLimit::from_json(&1000.into()).map(Bounded::get), Ok(1000));
        for bad in [Value::from(0), 1001.into(), (-1).into(), "5".into(), 1.5.into()] {
            assert!(TaskLimit::from_json(&bad).is_err(), "{bad}");
        }
        assert!(NamespaceDepth::from_json(&8.into()).is_err());
    }
}
