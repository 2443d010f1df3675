//! The folder of a snapshot, in a datastore or in a media set.

use std::path::PathBuf;
use std::sync::Arc;

use reel_fs::{Attributes, ControlLog, Entry, FnDir, KeyValues, Node, StaticDir};
use reel_store::{CryptConfig, Manifest, VerifyOutcome};
use reel_types::{ArchiveName, BackupTime, Fingerprint};

use super::Tree;
use super::content_file::{DecodedFile, StoredFile};
use super::facts::{fs_error, key_values, no_such, parsed, plain, system_time};
use super::listing::SnapshotListing;
use crate::content::FinishedSnapshot;
use crate::failure::Outcome;

/// Names in a snapshot's folder that are no files of the snapshot.
pub(super) const FIXED: [&str; 12] = [
    "ctl",
    "last-error",
    "last-task",
    "notes",
    "plan",
    "plan.json",
    "protected",
    "raw",
    "status",
    "status.json",
    "verify-state",
    "verify-state.json",
];

/// Where a snapshot lies.
pub(super) trait SnapshotPlace: Send + Sync + 'static {
    /// When it was made.
    fn time(&self) -> BackupTime;

    /// The folder with its stored files; ENODATA where they haven't been read from tape.
    fn folder(&self) -> Outcome<PathBuf>;

    /// Opens it for reading and holds it.
    fn open(&self) -> Outcome<Arc<dyn FinishedSnapshot>>;

    /// A client key, if it was given.
    fn key(&self, fingerprint: &Fingerprint) -> Option<Arc<CryptConfig>>;

    /// Where faults are noted.
    fn log(&self) -> Arc<ControlLog>;

    /// Names of the extended attributes of a decoded file.
    fn xattr_names(&self, _name: &ArchiveName) -> &'static [&'static str] {
        &[]
    }

    /// One of these.
    fn xattr(&self, _name: &ArchiveName, _attribute: &str) -> Outcome<Option<String>> {
        Ok(None)
    }
}

/// The files of a snapshot, beside what `fixed` has, whose names are among [`FIXED`].
pub(super) fn snapshot_folder(
    tree: &Arc<Tree>,
    place: &Arc<dyn SnapshotPlace>,
    fixed: StaticDir,
) -> Node {
    let (all, all_place) = (Arc::clone(tree), Arc::clone(place));
    let entries = move || {
        let listing = all.listing(&*all_place).map_err(fs_error)?;
        Ok(listing.files.keys().map(Entry::file).collect())
    };
    let (one, one_place) = (Arc::clone(tree), Arc::clone(place));
    let lookup = move |name: &std::ffi::OsStr| {
        let listing = one.listing(&*one_place).map_err(fs_error)?;
        let file = name.to_str().and_then(|name| listing.files.get(name)).cloned();
        let file = file.ok_or_else(|| no_such(name))?;
        let (tree, place) = (Arc::clone(&one), Arc::clone(&one_place));
        Ok(Node::Content(Arc::new(DecodedFile { tree, place, listing, file })))
    };
    let fixed = fixed
        .with("raw", raw(tree, place))
        .with("notes", notes(tree, place))
        .with_all(key_values("verify-state", with_manifest(tree, place, verify_state)))
        .with_attributes(attributes(&**place));
    FnDir::new(entries, lookup).beside(fixed).node()
}

/// A snapshot's folder is as old as the snapshot.
pub(super) fn attributes(place: &dyn SnapshotPlace) -> Attributes {
    Attributes::DIRECTORY.modified_at(system_time(place.time().epoch()))
}

impl Tree {
    /// What a snapshot's folder holds.
    pub(super) fn listing(&self, place: &dyn SnapshotPlace) -> Outcome<Arc<SnapshotListing>> {
        self.listings.of(&place.folder()?, &FIXED)
    }
}

/// The stored bytes of all files.
fn raw(tree: &Arc<Tree>, place: &Arc<dyn SnapshotPlace>) -> Node {
    let (all, all_place) = (Arc::clone(tree), Arc::clone(place));
    let entries = move || {
        let listing = all.listing(&*all_place).map_err(fs_error)?;
        Ok(listing.stored.keys().map(|name| Entry::file(name.as_str())).collect())
    };
    let (one, one_place) = (Arc::clone(tree), Arc::clone(place));
    let lookup = move |name: &std::ffi::OsStr| {
        let name: ArchiveName = parsed(name)?;
        let listing = one.listing(&*one_place).map_err(fs_error)?;
        let stored_bytes = listing.stored.get(&name).copied();
        let stored_bytes = stored_bytes.ok_or_else(|| no_such(name.as_str().as_ref()))?;
        let (tree, place) = (Arc::clone(&one), Arc::clone(&one_place));
        Ok(Node::Content(Arc::new(StoredFile { tree, place, name, stored_bytes })))
    };
    let fixed = plain("'forget' in the snapshot's ctl removes all of it")
        .with_attributes(attributes(&**place));
    FnDir::new(entries, lookup).beside(fixed).node()
}

fn notes(tree: &Arc<Tree>, place: &Arc<dyn SnapshotPlace>) -> Node {
    let (tree, place) = (Arc::clone(tree), Arc::clone(place));
    reel_fs::fact(move || {
        let listing = tree.listing(&*place).map_err(fs_error)?;
        let read = listing.manifest.as_ref().map_err(|failure| fs_error(failure.clone()))?;
        let notes = read.manifest.notes().unwrap_or_default();
        let end = if notes.is_empty() || notes.ends_with('\n') { "" } else { "\n" };
        Ok(format!("{notes}{end}"))
    })
}

/// A fact about a snapshot's manifest.
fn with_manifest(
    tree: &Arc<Tree>,
    place: &Arc<dyn SnapshotPlace>,
    values: fn(&Manifest) -> Outcome<KeyValues>,
) -> impl Fn() -> Outcome<KeyValues> + Send + Sync + 'static {
    let (tree, place) = (Arc::clone(tree), Arc::clone(place));
    move || {
        let listing = tree.listing(&*place)?;
        values(&listing.manifest.as_ref().map_err(Clone::clone)?.manifest)
    }
}

fn verify_state(manifest: &Manifest) -> Outcome<KeyValues> {
    Ok(manifest.verify_state()?.map_or_else(KeyValues::new, |verified| {
        let state = match verified.state {
            VerifyOutcome::Ok => "ok",
            VerifyOutcome::Failed => "failed",
        };
        KeyValues::new().with("state", state).with("upid", verified.upid)
    }))
}

/// The lines of a `status` that come from a snapshot's files, and why it can't be read where it can't.
pub(super) fn content_status(listing: &SnapshotListing, values: KeyValues) -> KeyValues {
    let read = match &listing.manifest {
        Ok(read) => read,
        Err(failure) => {
            return values.with("finished", false).with("error", failure.message.as_str());
        }
    };
    let manifest = &read.manifest;
    let files = manifest.files();
    let size = files.iter().fold(read.stored_bytes, |size, file| size.saturating_add(file.size));
    let missing = listing.files.values().filter(|file| file.stored_bytes.is_none());
    let missing: Vec<String> = missing.map(|file| file.name.to_string()).collect();
    let modes = ["encrypt", "sign-only", "none"];
    let mode =
        modes.into_iter().find(|mode| files.iter().any(|file| file.crypt_mode.as_str() == *mode));
    let fingerprint = manifest.key_fingerprint().ok().flatten();
    values
        .with("finished", true)
        .with("size", size)
        .with("files", files.len() as u64)
        .with("missing-files", missing)
        .with("crypt-mode", mode.unwrap_or("none"))
        .with("key-fingerprint", fingerprint.map(|key| key.to_string()))
        .with("signed", manifest.is_signed())
}
