//! What a snapshot's folder on disk holds, and how its files are called in the tree.
//!
//! The manifest says what a snapshot consists of; what else lies in the folder shows in `raw/` alone. A snapshot
//! without a readable manifest still shows the files that are there, so that one sees what is lost: opening one of them
//! says why it can't be read.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use nix::libc;
use reel_store::{CHUNK_ENCODED_MAX, DataBlob, MANIFEST_JSON_MAX, Manifest, ManifestFile};
use reel_types::ArchiveName;

use crate::failure::{Failure, Outcome};
use crate::memo::{Memo, Stamp};

/// Listings in one generation: a few kilobytes each.
const LISTINGS_KEPT: usize = 1024;

/// A snapshot's folder, as it was read.
pub(super) struct SnapshotListing {
    /// The manifest, or why there is none.
    pub(super) manifest: Outcome<ReadManifest>,
    /// The files to show, by the name to show.
    pub(super) files: BTreeMap<String, ListedFile>,
    /// The files in the folder by their own names, with their sizes in bytes.
    pub(super) stored: BTreeMap<ArchiveName, u64>,
}

/// A manifest with its text.
pub(super) struct ReadManifest {
    pub(super) manifest: Manifest,
    /// The JSON as it was stored.
    pub(super) json: Bytes,
    /// Size of its file.
    pub(super) stored_bytes: u64,
}

/// A file of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct ListedFile {
    /// Its stored name.
    pub(super) name: ArchiveName,
    /// What the manifest tells of it; none for the manifest itself and the client's log.
    pub(super) listed: Option<ManifestFile>,
    /// Size of the file itself; none where it is missing.
    pub(super) stored_bytes: Option<u64>,
}

/// Remembered listings.
pub(super) struct Listings(Memo<PathBuf, [Option<Stamp>; 2], Arc<SnapshotListing>>);

impl Listings {
    /// Nothing is remembered yet.
    pub(super) fn new() -> Self {
        Self(Memo::new(LISTINGS_KEPT))
    }

    /// What `folder` holds now. Names that are in `fixed` already get a trailing `~`.
    pub(super) fn of(&self, folder: &Path, fixed: &[&str]) -> Outcome<Arc<SnapshotListing>> {
        let stamps = [Stamp::of(folder)?, Stamp::of(&folder.join(ArchiveName::MANIFEST))?];
        self.0.get_or(folder.into(), stamps, || SnapshotListing::read(folder, fixed).map(Arc::new))
    }
}

impl SnapshotListing {
    fn read(folder: &Path, fixed: &[&str]) -> Outcome<Self> {
        let stored = stored_files(folder)?;
        let manifest = read_manifest(folder);
        let listed = manifest.as_ref().map(|read| read.manifest.files()).ok();
        let files = name_files(shown_files(&stored, listed), fixed);
        Ok(Self { manifest, files, stored })
    }
}

fn stored_files(folder: &Path) -> Outcome<BTreeMap<ArchiveName, u64>> {
    let tried = |error: io::Error| {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        Failure::new(errno, format!("list '{}': {error}", folder.display()))
    };
    let mut stored = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(tried)? {
        let entry = entry.map_err(tried)?;
        let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(name) = name else { continue };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => drop(stored.insert(name, metadata.len())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(tried(error)),
        }
    }
    Ok(stored)
}

fn read_manifest(folder: &Path) -> Outcome<ReadManifest> {
    let path = folder.join(ArchiveName::MANIFEST);
    let failed = |errno: i32, error: &dyn std::fmt::Display| {
        Failure::new(errno, format!("read the manifest '{}': {error}", path.display()))
    };
    let length = fs::metadata(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            failed(libc::EIO, &"there is none, so the snapshot was never finished")
        }
        _ => failed(error.raw_os_error().unwrap_or(libc::EIO), &error),
    })?;
    if length.len() > CHUNK_ENCODED_MAX as u64 {
        return Err(failed(libc::EIO, &"it is too large"));
    }
    let raw = fs::read(&path).map_err(|error| failed(libc::EIO, &error))?;
    let raw = Bytes::from(raw);
    let read = || {
        let manifest = Manifest::from_raw(raw.clone())?;
        let json = DataBlob::from_raw(raw.clone())?.decode(None, MANIFEST_JSON_MAX)?;
        Ok(ReadManifest { manifest, json, stored_bytes: raw.len() as u64 })
    };
    read().map_err(|error: reel_store::FormatError| failed(error.errno(), &error))
}

/// The files to show: what the manifest lists, itself, and the client's log; without a manifest, what there is.
fn shown_files(
    stored: &BTreeMap<ArchiveName, u64>,
    listed: Option<&[ManifestFile]>,
) -> Vec<ListedFile> {
    let file = |name: &ArchiveName, listed: Option<&ManifestFile>| ListedFile {
        name: name.clone(),
        listed: listed.cloned(),
        stored_bytes: stored.get(name).copied(),
    };
    let Some(listed) = listed else {
        return stored.keys().map(|name| file(name, None)).collect();
    };
    let is_special = |name: &ArchiveName| {
        [ArchiveName::MANIFEST, ArchiveName::CLIENT_LOG].contains(&name.as_str())
    };
    let special = stored.keys().filter(|name| is_special(name)).map(|name| file(name, None));
    let ordinary = listed.iter().filter(|listed| !is_special(&listed.name));
    special.chain(ordinary.map(|listed| file(&listed.name, Some(listed)))).collect()
}

/// Gives each file its plain name, with as many `~` behind it as it takes to be no other's.
pub(super) fn name_files(files: Vec<ListedFile>, fixed: &[&str]) -> BTreeMap<String, ListedFile> {
    let mut taken: HashSet<String> = fixed.iter().map(ToString::to_string).collect();
    let named = files.into_iter().map(|file| {
        let mut name = file.name.plain().to_string();
        while !taken.insert(name.clone()) {
            name.push('~');
        }
        (name, file)
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(names: &[&str]) -> BTreeMap<ArchiveName, u64> {
        names.iter().map(|name| (name.parse().unwrap(), 7)).collect()
    }

    fn shown(names: &[&str], fixed: &[&str]) -> Vec<(String, String)> {
        let files = name_files(shown_files(&stored(names), None), fixed);
        files.into_iter().map(|(shown, file)| (shown, file.name.to_string())).collect()
    }

    #[test]
    fn names_that_meet_get_a_tilde() {
        let names = ["a.img.blob", "a.img.didx", "a.img.fidx", "raw.blob"];
        let shown = shown(&names, &["raw", "ctl"]);
        let pairs: Vec<(&str, &str)> =
            shown.iter().map(|(shown, name)| (shown.as_str(), name.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("a.img", "a.img.blob"),
                ("a.img~", "a.img.didx"),
                ("a.img~~", "a.img.fidx"),
                ("raw~", "raw.blob"),
            ]
        );
    }

    #[test]
    fn a_folder_without_manifest_still_lists() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.img.fidx"), "x").unwrap();
        fs::write(folder.path().join("a.tmp_fidx"), "x").unwrap();
        let listing = Listings::new().of(folder.path(), &[]).unwrap();
        assert!(listing.manifest.as_ref().is_err_and(|failure| failure.errno == libc::EIO));
        assert_eq!(listing.files.keys().collect::<Vec<_>>(), ["a.img"]);
        assert_eq!(listing.stored.len(), 1);
    }
}
