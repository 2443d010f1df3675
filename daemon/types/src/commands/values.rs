//! The types that parameters have, beyond the names and ids of the crate's root.
//!
//! Each is checked when the command is made, before anything is done (`cli-manager.md` §1.2).

mod barcodes;
mod mappings;
mod numbers;
mod paths;
mod properties;
mod secrets;
mod slots;
mod words;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::info::{Kind, PathForm};
use super::params::ParamValue;
pub use barcodes::{BarcodePrefix, LtoBarcode};
pub use mappings::{NamespaceMap, SeveralSets, StoreMap, TapeGroup, TapeSnapshot};
pub use numbers::*;
pub use paths::{ChangerPath, DrivePath, LocalPath, NamedFile, StorePath};
pub use properties::*;
pub use secrets::KeyText;
pub use slots::SlotList;
pub use words::*;

use crate::names::check_safe_id;
use crate::{
    AclPath, AllocationPolicy, ArchiveName, AuthId, BackupGroup, BackupId, BackupTime, BackupType,
    ByteSize, CalendarEvent, CertificateFingerprint, ChangerName, Comment, Digest, DriveName,
    Fingerprint, GroupFilter, HostName, JobId, LabelText, MaintenanceMode, MaintenanceType,
    MediaId, MediaSetId, MediaStatus, Namespace, Notify, ParseError, PasswordHint, PersonalDetail,
    PoolName, RemoteName, RetentionPolicy, Role, Snapshot, StoreName, TapeTemplate, TokenName,
    Tuning, Upid, UserId, VaultName,
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
}
