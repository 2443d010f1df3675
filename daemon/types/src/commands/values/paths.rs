//! Files and folders of the machine that commands name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::words::check_single_line;
use crate::{ArchiveName, ParseError};

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

/// What a drive is: a folder of tapes (`virtual:FOLDER`), part of an emulated library (`emulated:FOLDER`), or a
/// device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrivePath {
    /// A folder that holds tapes as files.
    Virtual(LocalPath),
    /// The folder of an emulated library.
    Emulated(LocalPath),
    /// A device node or a link to one.
    Device(LocalPath),
}

/// What a changer is: that of an emulated library (`emulated:FOLDER`), or a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangerPath {
    /// The folder of an emulated library.
    Emulated(LocalPath),
    /// A device node or a link to one.
    Device(LocalPath),
}

const VIRTUAL: &str = "virtual:";
const EMULATED: &str = "emulated:";

impl FromStr for DrivePath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |_| {
            let reason =
                "must be 'virtual:FOLDER', 'emulated:FOLDER' or a device, with an absolute path";
            ParseError::new("drive path", text, reason)
        };
        match (text.strip_prefix(VIRTUAL), text.strip_prefix(EMULATED)) {
            (Some(folder), _) => folder.parse().map(Self::Virtual),
            (_, Some(folder)) => folder.parse().map(Self::Emulated),
            _ => text.parse().map(Self::Device),
        }
        .map_err(refuse)
    }
}

impl fmt::Display for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Virtual(folder) => write!(f, "{VIRTUAL}{folder}"),
            Self::Emulated(folder) => write!(f, "{EMULATED}{folder}"),
            Self::Device(path) => path.fmt(f),
        }
    }
}

impl FromStr for ChangerPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |_| {
            let reason = "must be 'emulated:FOLDER' or a device, with an absolute path";
            ParseError::new("changer path", text, reason)
        };
        match text.strip_prefix(EMULATED) {
            Some(folder) => folder.parse().map(Self::Emulated),
            None => text.parse().map(Self::Device),
        }
        .map_err(refuse)
    }
}

impl fmt::Display for ChangerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emulated(folder) => write!(f, "{EMULATED}{folder}"),
            Self::Device(path) => path.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_a_snapshot() {
        let file: NamedFile = "drive-scsi0.img=/dev/vg/a=b".parse().unwrap();
        assert_eq!(file.archive.as_str(), "drive-scsi0.img.fidx");
        assert_eq!(file.path.as_path(), Path::new("/dev/vg/a=b"));
        assert_eq!(file.to_string(), "drive-scsi0.img=/dev/vg/a=b");
        for bad in ["", "disk.img", "disk.img=", "disk.img=a", "=/a", "../x.img=/a", "a b=/a"] {
            assert!(bad.parse::<NamedFile>().is_err(), "{bad}");
        }
    }

    #[test]
    fn drives_and_changers_are_folders_or_devices() {
        for text in ["virtual:/srv/tapes", "emulated:/srv/library", "/dev/tape/by-id/scsi-X-sg"] {
            assert_eq!(text.parse::<DrivePath>().unwrap().to_string(), text);
        }
        for text in ["emulated:/srv/library", "/dev/sg4"] {
            assert_eq!(text.parse::<ChangerPath>().unwrap().to_string(), text);
        }
        for bad in ["", "virtual:", "virtual:tapes", "emulated:x", "sg1", "virtual:/a\nb"] {
            assert!(bad.parse::<DrivePath>().is_err(), "{bad:?}");
        }
        assert!("virtual:/srv/tapes".parse::<ChangerPath>().is_err());
    }
}
