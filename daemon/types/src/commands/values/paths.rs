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
    fn folders_of_virtual_drives() {
        let path: DrivePath = "virtual:/srv/tapes".parse().unwrap();
        assert_eq!(path.folder(), Path::new("/srv/tapes"));
        for bad in ["", "virtual:", "virtual:tapes", "/dev/sg1", "virtual:/a\nb"] {
            assert!(bad.parse::<DrivePath>().is_err(), "{bad:?}");
        }
    }
}
