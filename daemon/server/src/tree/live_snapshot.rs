//! The folder of a snapshot on a remote: its names from the server's listing, its files brought when they are opened.
//!
//! A look-up brings nothing. So until a file was opened the size of a decoded blob is that of the stored one, that of a
//! stored index of a stream is 0, and an image has no holes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;

use reel_fs::{
    Attributes, Caching, Caller, Content, ContentHandle, Entry, FnDir, FnFact, FsError, KeyValues,
    Node, Preparation, StaticDir,
};
use reel_remote::{FileItem, SnapshotItem};
use reel_store::FIXED_CHUNK_SIZE;
use reel_types::commands::Place;
use reel_types::{ArchiveKind, ArchiveName, SnapshotPath, StoreName};

use super::Tree;
use super::content_file::{Faults, Handle, immutable, unfinished};
use super::facts::{fact, fs_error, key_values, no_such, system_time};
use super::listing::{ListedFile, name_files};
use super::snapshot::FIXED;
use crate::content::{FinishedSnapshot, OpenContent, RemoteSnapshot, open_file};
use crate::failure::Outcome;
use crate::live::{LiveRemote, LiveSnapshot};

/// Header and entry of a fixed index, bytes.
const FIXED_INDEX: (u64, u64) = (4096, 32);

/// A snapshot on a remote, as it was listed.
pub(super) struct LivePlace {
    pub(super) tree: Arc<Tree>,
    pub(super) remote: Arc<LiveRemote>,
    pub(super) store: StoreName,
    pub(super) path: SnapshotPath,
    pub(super) item: Arc<SnapshotItem>,
}

/// The folder of a snapshot, beside what `fixed` has.
pub(super) fn live_snapshot(place: Arc<LivePlace>, fixed: StaticDir) -> Node {
    let attributes = place.folder_attributes();
    let (protected, verified, told) =
        (place.item.protected, Arc::clone(&place.item), Arc::clone(&place));
    let raw = files_folder(&place, place.stored_files(), true, fixed.clone());
    let fixed = fixed
        .with("protected", fact(move || Ok(Some(protected.to_string()))))
        .with("notes", notes(&place))
        .with_all(key_values("verify-state", move || Ok(verify_state(&verified))))
        .with_all(key_values("status", move || Ok(told.status())))
        .with("raw", raw)
        .with_attributes(attributes);
    files_folder(&place, place.shown_files(), false, fixed)
}

fn files_folder(
    place: &Arc<LivePlace>,
    files: BTreeMap<String, ListedFile>,
    raw: bool,
    fixed: StaticDir,
) -> Node {
    let files = Arc::new(files);
    let (listed, place, attributes) =
        (Arc::clone(&files), Arc::clone(place), place.folder_attributes());
    let entries = move || Ok(listed.keys().map(Entry::file).collect());
    let lookup = move |name: &OsStr| {
        let file = name.to_str().and_then(|name| files.get(name)).ok_or_else(|| no_such(name))?;
        let (place, file) = (Arc::clone(&place), file.clone());
        Ok(Node::Content(Arc::new(LiveFile { place, file, raw })))
    };
    FnDir::new(entries, lookup).beside(fixed.with_attributes(attributes)).node()
}

/// The first line of notes comes with the listing; where there is one, all of them are in the manifest.
fn notes(place: &Arc<LivePlace>) -> Node {
    if place.item.comment.is_none() {
        return fact(|| Ok(None));
    }
    let (asking, told) = (Arc::clone(place), Arc::clone(place));
    let manifest = || ArchiveName::MANIFEST.parse::<ArchiveName>().ok();
    let prepare = move || asking.prepare(&manifest()?);
    let notes = move || {
        let snapshot = told.snapshot().map_err(fs_error)?;
        if let Some(name) = manifest() {
            snapshot.ensure(&name).map_err(fs_error)?;
        }
        let notes = snapshot.manifest().and_then(|manifest| manifest.notes()).unwrap_or_default();
        let end = if notes.is_empty() || notes.ends_with('\n') { "" } else { "\n" };
        Ok(format!("{notes}{end}"))
    };
    FnFact::new(notes).prepared_by(prepare).node()
}

fn verify_state(item: &SnapshotItem) -> KeyValues {
    let Some(verified) = &item.verification else { return KeyValues::new() };
    let value = |key: &str| verified.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    KeyValues::new().with("state", value("state")).with("upid", value("upid"))
}

impl LivePlace {
    fn folder_attributes(&self) -> Attributes {
        Attributes::DIRECTORY.modified_at(system_time(self.path.snapshot.time.epoch()))
    }

    fn snapshot(&self) -> Outcome<Arc<LiveSnapshot>> {
        self.remote.snapshot(&self.store, &self.path)
    }

    fn prepare(&self, name: &ArchiveName) -> Option<Preparation> {
        self.snapshot().ok()?.prepare(name)
    }

    /// Files by their stored names.
    fn stored_files(&self) -> BTreeMap<String, ListedFile> {
        let files = self.item.files.iter().filter_map(listed);
        files.map(|file| (file.name.to_string(), file)).collect()
    }

    /// The files to show: those of the manifest, itself, and the client's log; without a manifest, what there is.
    fn shown_files(&self) -> BTreeMap<String, ListedFile> {
        let has_manifest = self.item.size.is_some();
        let is_shown = |item: &&FileItem| {
            !has_manifest || item.size.is_some() || item.filename == ArchiveName::CLIENT_LOG
        };
        name_files(self.item.files.iter().filter(is_shown).filter_map(listed).collect(), &FIXED)
    }

    fn status(&self) -> KeyValues {
        let item = &self.item;
        let modes = ["encrypt", "sign-only", "none"];
        let has =
            |mode: &str| item.files.iter().any(|file| file.crypt_mode.as_deref() == Some(mode));
        let mode = modes.into_iter().find(|mode| has(mode));
        let files = item
            .files
            .iter()
            .filter(|file| file.size.is_some() && file.filename != ArchiveName::MANIFEST);
        KeyValues::new()
            .with("backup-time", self.path.snapshot.time.to_string())
            .with("owner", item.owner.as_ref().map(ToString::to_string))
            .with("protected", item.protected)
            .with("finished", item.size.is_some())
            .with("size", item.size.map(|size| size.to_string()))
            .with("files", files.count() as u64)
            .with("crypt-mode", mode.map(str::to_owned))
            .with("key-fingerprint", item.fingerprint.clone())
    }
}

fn listed(item: &FileItem) -> Option<ListedFile> {
    let name = item.filename.parse().ok()?;
    Some(ListedFile { name, listed: None, stored_bytes: item.size })
}

/// A file of a snapshot on a remote, decoded or as it is stored.
struct LiveFile {
    place: Arc<LivePlace>,
    file: ListedFile,
    raw: bool,
}

impl LiveFile {
    fn brought(&self) -> Option<Arc<LiveSnapshot>> {
        self.place.remote.known_snapshot(&self.place.store, &self.place.path)
    }

    fn raw_size(&self) -> u64 {
        let brought = self.brought().and_then(|snapshot| snapshot.stored_bytes(&self.file.name));
        brought.unwrap_or_else(|| match (self.file.name.kind(), self.file.stored_bytes) {
            (ArchiveKind::Blob, Some(bytes)) => bytes,
            (ArchiveKind::Fixed, Some(size)) => {
                let (header, entry) = FIXED_INDEX;
                header.saturating_add(size.div_ceil(FIXED_CHUNK_SIZE).saturating_mul(entry))
            }
            _ => 0,
        })
    }

    fn measured(&self, found: Option<u64>) -> Option<u64> {
        let LivePlace { remote, store, path, .. } = &*self.place;
        remote.measured((store, path), &self.file.name, self.file.stored_bytes, found)
    }

    /// Measures what was opened, whose index is the one of the manifest.
    fn measure(&self, snapshot: &LiveSnapshot, content: &OpenContent) -> Option<u64> {
        let (tree, name) = (&self.place.tree, &self.file.name);
        let key = || {
            let fingerprint = snapshot.manifest()?.key_fingerprint().ok()??;
            tree.reeld.client_key_of_any(&fingerprint).ok()?
        };
        match name.kind() {
            ArchiveKind::Blob => Some(content.size()),
            ArchiveKind::Fixed => {
                let listed = snapshot.manifest()?.file(name.as_str()).ok()?;
                tree.sizes.allocated(&snapshot.folder().join(name.as_str()), listed, key)
            }
            ArchiveKind::Dynamic => None,
        }
    }

    fn open_content(&self) -> Outcome<OpenContent> {
        let LivePlace { tree, store, path, .. } = &*self.place;
        let (snapshot, name) = (self.place.snapshot()?, &self.file.name);
        snapshot.ensure(name)?;
        if self.raw {
            let stored = snapshot.folder().join(name.as_str());
            return OpenContent::stored(stored, Arc::clone(&tree.reeld.views.blocking));
        }
        let open = || -> Outcome<Arc<dyn FinishedSnapshot>> {
            Ok(Arc::new(RemoteSnapshot::open(&tree.reeld, &snapshot, path, store)?))
        };
        let held = tree.held_snapshot(snapshot.folder().into(), open)?;
        let content = open_file(&held, name, &tree.reeld.views)?;
        self.measured(self.measure(&snapshot, &content));
        Ok(content)
    }
}

impl Content for LiveFile {
    fn size(&self) -> Result<u64, FsError> {
        let stored = self.file.stored_bytes.unwrap_or(0);
        Ok(match self.file.name.kind() {
            _ if self.raw => self.raw_size(),
            ArchiveKind::Blob => self.measured(None).unwrap_or(stored),
            ArchiveKind::Fixed | ArchiveKind::Dynamic => stored,
        })
    }

    fn allocated(&self) -> Result<u64, FsError> {
        let is_image = !self.raw && self.file.name.kind() == ArchiveKind::Fixed;
        let measured = if is_image { self.measured(None) } else { None };
        measured.map_or_else(|| self.size(), Ok)
    }

    fn attributes(&self) -> Attributes {
        Attributes::FILE.modified_at(system_time(self.place.path.snapshot.time.epoch()))
    }

    /// Only what the manifest lists can't change, and that is known once the manifest was brought.
    fn caching(&self) -> Caching {
        let snapshot = self.brought().filter(|_| !self.raw);
        let manifest = snapshot.as_ref().and_then(|snapshot| snapshot.manifest());
        match manifest.and_then(|manifest| manifest.file(self.file.name.as_str()).ok()) {
            Some(listed) => immutable(listed),
            None => Caching::Never,
        }
    }

    fn prepare(&self) -> Option<Preparation> {
        self.place.prepare(&self.file.name)
    }

    fn open(&self, caller: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        let remote = self.place.remote.config().name.clone();
        let log = self.place.tree.log_of(&Place::Remote(remote));
        let faults = Faults::new(log, *caller, &self.file.name);
        let opened = self.open_content().map_err(unfinished);
        let content = opened.map_err(|failure| faults.noted(failure))?;
        Ok(Arc::new(Handle::new(content, faults)))
    }
}
