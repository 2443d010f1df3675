//! The types that parameters have, beyond the names and ids of the crate's root.
//!
//! Each is checked when the command is made, before anything is done (`cli-manager.md` §1.2).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;

use super::info::{Kind, PathForm};
use super::params::ParamValue;
use crate::names::check_safe_id;
use crate::text::serde_as_text;
use crate::words::check_single_line;
use crate::{
    AllocationPolicy, ArchiveName, AuthId, BackupGroup, BackupId, BackupTime, BackupType, ByteSize,
    ChangerName, Comment, Digest, DriveName, Fingerprint, GroupFilter, LabelText, MediaId,
    MediaSetId, Namespace, NamespaceDepth, ParseError, PoolName, RetentionPolicy, Snapshot,
    SnapshotPath, StoreName, TapeTemplate, Upid,
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
    ChangerName => Kind::Text("<string>"),
    Digest => Kind::Text("<string>"),
    DriveName => Kind::Text("<string>"),
    Fingerprint => Kind::Text("<string>"),
    LabelText => Kind::Text("<string>"),
    MediaId => Kind::Text("<string>"),
    MediaSetId => Kind::Text("<string>"),
    Namespace => Kind::Text("<string>"),
    PoolName => Kind::Text("<string>"),
    Snapshot => Kind::Text("<string>"),
    StoreName => Kind::Text("<string>"),
    AllocationPolicy => Kind::Text("<string>"),
    RetentionPolicy => Kind::Text("<string>"),
    GroupFilter => Kind::Text("<string>"),
    Upid => Kind::Text("<string>"),
    ByteSize => Kind::Text("<string>"),
    Comment => Kind::Text("<string>"),
    Notes => Kind::Text("<string>"),
    TapeTemplate => Kind::Text("<string>"),
    FileName => Kind::Text("<string>"),
    LocalPath => Kind::Path(PathForm::Whole),
    StorePath => Kind::Text("<string>"),
    NamedFile => Kind::Path(PathForm::Named),
    DrivePath => Kind::Path(PathForm::Virtual),
    StoreMap => Kind::Assignment("<string>"),
    NamespaceMap => Kind::Assignment("<string>"),
    TapeSnapshot => Kind::Text("<string>"),
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

/// Types for absolute paths of 1 to 4096 characters (`config.md` §4.3).
macro_rules! path_type {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(PathBuf);

        impl $name {
            /// The path.
            pub fn as_path(&self) -> &Path {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                check_single_line("path", text, 1..=4096)?;
                if !text.starts_with('/') {
                    return Err(ParseError::new("path", text, "must be absolute"));
                }
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.display().fmt(f)
            }
        }
    };
}

path_type!(
    /// A file or folder of the caller's; the command line completes a relative one.
    LocalPath
);
path_type!(
    /// The folder of a datastore, which is given in full (`cli-manager.md` §3.4).
    StorePath
);

/// `NAME=PATH`: a local file and the name that it gets in a snapshot, such as `disk.img` or
/// `vm.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// How the file is called and stored: `.img` becomes `.img.fidx`, anything else a `.blob`.
    pub archive: ArchiveName,
    /// Where it is.
    pub path: LocalPath,
}

impl FromStr for NamedFile {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason| ParseError::new("named file", text, reason);
        let (name, path) =
            text.split_once('=').ok_or_else(|| refuse("must be 'NAME=PATH'".to_owned()))?;
        let extension = if name.ends_with(".img") { "fidx" } else { "blob" };
        let archive = format!("{name}.{extension}").parse::<ArchiveName>();
        let archive = archive.map_err(|error| refuse(format!("name: {}", error.reason())))?;
        let path: LocalPath = path
            .parse()
            .map_err(|error: ParseError| refuse(format!("path: {}", error.reason())))?;
        Ok(Self { archive, path })
    }
}

impl fmt::Display for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.archive.plain(), self.path)
    }
}

/// What a drive is made of: `virtual:FOLDER`, a folder that holds tapes as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrivePath(LocalPath);

impl DrivePath {
    const SCHEME: &'static str = "virtual:";

    /// The folder with the tapes.
    pub fn folder(&self) -> &Path {
        self.0.as_path()
    }
}

impl FromStr for DrivePath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || {
            let reason = "must be 'virtual:FOLDER' with an absolute folder";
            ParseError::new("drive path", text, reason)
        };
        let folder = text.strip_prefix(Self::SCHEME).ok_or_else(refuse)?;
        folder.parse().map(Self).map_err(|_| refuse())
    }
}

impl fmt::Display for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::SCHEME, self.0)
    }
}

/// Which datastore the content of each datastore on tape goes to: `[SOURCE=]TARGET,…`
/// (`tape-state.md` §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreMap {
    default: Option<StoreName>,
    pairs: Vec<(StoreName, StoreName)>,
}

impl StoreMap {
    /// Where the content of `source` goes; none if it is left out.
    pub fn target(&self, source: &StoreName) -> Option<&StoreName> {
        let pair = self.pairs.iter().find(|(from, _)| from == source);
        pair.map(|(_, to)| to).or(self.default.as_ref())
    }

    /// All datastores that something may go to, each once.
    pub fn targets(&self) -> Vec<&StoreName> {
        let mut targets: Vec<_> =
            self.pairs.iter().map(|(_, to)| to).chain(self.default.as_ref()).collect();
        targets.sort();
        targets.dedup();
        targets
    }
}

impl FromStr for StoreMap {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new("datastore mapping", text, reason);
        let store = |name: &str| {
            name.parse::<StoreName>()
                .map_err(|error| refuse(&format!("'{name}' {}", error.reason())))
        };
        let mut map = Self { default: None, pairs: Vec::new() };
        for element in text.split(',').map(str::trim).filter(|element| !element.is_empty()) {
            match element.split_once('=') {
                Some((source, target)) => map.add_pair(store(source)?, store(target)?),
                None => map.default.replace(store(element)?).is_none(),
            }
            .then_some(())
            .ok_or_else(|| refuse("names a source or the default twice"))?;
        }
        if map.targets().is_empty() {
            return Err(refuse("must be '[SOURCE=]TARGET', several joined by ','"));
        }
        Ok(map)
    }
}

impl StoreMap {
    fn add_pair(&mut self, source: StoreName, target: StoreName) -> bool {
        let new = self.pairs.iter().all(|(from, _)| *from != source);
        self.pairs.push((source, target));
        new
    }
}

impl fmt::Display for StoreMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.pairs.iter().map(|(source, target)| format!("{source}={target}"));
        let all: Vec<_> = pairs.chain(self.default.iter().map(ToString::to_string)).collect();
        f.write_str(&all.join(","))
    }
}

/// Which namespace of a datastore on tape goes where:
/// `store=NAME[,source=NS][,target=NS][,max-depth=N]` (`cli-tape.md` §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceMap {
    /// The datastore on tape.
    pub store: StoreName,
    /// What is taken from it.
    pub source: Namespace,
    /// Where it goes.
    pub target: Namespace,
    /// How many levels below the source are taken; none is all.
    pub depth: Option<NamespaceDepth>,
}

impl FromStr for NamespaceMap {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new("namespace mapping", text, reason);
        let named = |key: &str, error: ParseError| refuse(&format!("{key}: {}", error.reason()));
        let (mut store, mut source, mut target, mut depth) = (None, None, None, None);
        for element in text.split(',') {
            let (key, value) = element.split_once('=').unwrap_or(("store", element));
            let again = match key {
                "store" => store.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                "source" => source.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                "target" => target.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                "max-depth" => depth.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                _ => return Err(refuse("takes only store, source, target and max-depth")),
            };
            if again {
                return Err(refuse("names a key twice"));
            }
        }
        Ok(Self {
            store: store.ok_or_else(|| refuse("must name its store"))?,
            source: source.unwrap_or_default(),
            target: target.unwrap_or_default(),
            depth,
        })
    }
}

impl fmt::Display for NamespaceMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store={}", self.store)?;
        if !self.source.is_root() {
            write!(f, ",source={}", self.source)?;
        }
        if !self.target.is_root() {
            write!(f, ",target={}", self.target)?;
        }
        self.depth.map_or(Ok(()), |depth| write!(f, ",max-depth={depth}"))
    }
}

/// A snapshot in a media set: `STORE:[ns/A/…]TYPE/ID/TIME` (`tape-format.md` §6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TapeSnapshot {
    /// The datastore that it was backed up from.
    pub store: StoreName,
    /// Where it was in there.
    pub path: SnapshotPath,
}

impl FromStr for TapeSnapshot {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new("snapshot on tape", text, reason);
        let (store, path) = text
            .split_once(':')
            .ok_or_else(|| refuse("must be 'STORE:[ns/NAME/…]TYPE/ID/TIME'"))?;
        let store = store.parse().map_err(|error: ParseError| refuse(error.reason()))?;
        let path = path.parse().map_err(|error: ParseError| refuse(error.reason()))?;
        Ok(Self { store, path })
    }
}

impl fmt::Display for TapeSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.path)
    }
}

serde_as_text!(TapeSnapshot);

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
    }

    /// Properties of a datastore that an update may delete (`config.md` §4.3).
    DatastoreProperty {
        /// The operator's words.
        Comment = "comment",
    }
}
