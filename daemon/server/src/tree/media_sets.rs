//! `media-sets/`: what each set of tapes holds. Only reading content in here moves a tape.
//!
//! A catalog names snapshots, not their files. Where a snapshot's archive has been seen, its files show; where not,
//! the folder holds `status`, which says where the archive is, and `ctl`; any other name is ENODATA.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use nix::libc;
use reel_config::{Entry as _, PoolConfig};
use reel_fs::{ControlLog, Entry, FnDir, FsError, KeyValues, Node, StaticDir, symlink};
use reel_store::{CryptConfig, CryptMode};
use reel_tape::snapshot_files::SnapshotOnSet;
use reel_tape::{InventoryEntry, MediaSetLabel};
use reel_types::commands::results::{MediaSetListEntry, PlanEntry};
use reel_types::commands::{Command, MediaSetPlan, Place, TapeGroup};
use reel_types::{
    ArchiveKind, ArchiveName, BackupGroup, BackupTime, Fingerprint, GroupPath, MediaSetId,
    Namespace, SnapshotPath, StoreName,
};
use serde::Serialize;

use super::Tree;
use super::catalogue::{Catalogue, SnapshotName, namespace_folder};
use super::facts::{as_text, fact, fs_error, key_values, no_such, parsed, plain, rows, utc};
use super::set_listing::StoreListing;
use super::snapshot::{SnapshotPlace, attributes, content_status, snapshot_folder};
use super::tape_places::{self, TapePlaces};
use crate::commands::Done;
use crate::content::{FinishedSnapshot, SetSnapshot};
use crate::failure::{Failure, Outcome};
use crate::memo::Stamp;
use crate::reeld::Reeld;

/// Digits of the uuid behind a name that several sets have.
const UUID_DIGITS: usize = 8;
/// Media sets by their names in `by-name`.
pub(super) type SetNames = BTreeMap<String, MediaSetId>;
/// What a file's name may come to, less `~` and those digits.
const NAME_BYTES_MAX: usize = 255 - 1 - UUID_DIGITS;

const REFUSAL: &str =
    "what is on tape stays there; 'format LABEL' in the ctl of a medium erases that medium";

/// The folder of all media sets.
pub(super) fn media_sets(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let media = all.media_names().map_err(fs_error)?;
        let sets = media.inventory().sets();
        Ok(sets.into_iter().map(|set| Entry::directory(set.to_string())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let set: MediaSetId = parsed(name)?;
        let media = one.media_names().map_err(fs_error)?;
        if !media.inventory().sets().contains(&set) {
            return Err(no_such(name));
        }
        Ok(media_set(&one, set))
    };
    FnDir::new(entries, lookup).beside(plain(REFUSAL).with("by-name", by_name(tree))).node()
}

/// Links to the sets, named as their pools' templates say.
fn by_name(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let names = all.set_names().map_err(fs_error)?;
        Ok(names.keys().map(Entry::symlink).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let names = one.set_names().map_err(fs_error)?;
        let set = names.get(as_text(name)?).ok_or_else(|| no_such(name))?;
        Ok(symlink(format!("../{set}")))
    };
    FnDir::new(entries, lookup).beside(plain("a set is named by its pool's template")).node()
}

impl Tree {
    /// The names of all sets, made anew when the inventory or the configuration of pools has changed.
    fn set_names(&self) -> Outcome<Arc<SetNames>> {
        let pools = self.reeld.config.file(PoolConfig::FILE.name);
        let stamp = (Stamp::of(&self.reeld.tape.state.inventory())?, Stamp::of(&pools)?);
        let name = || Ok(Arc::new(set_names(&self.reeld.set_rows(None)?)));
        self.set_names.get_or((), stamp, name)
    }
}

/// The sets by names that a folder can have: several of one name get `~` and a piece of their uuid.
fn set_names(rows: &[MediaSetListEntry]) -> SetNames {
    let safe: Vec<String> = rows.iter().map(|row| file_name(&row.media_set_name)).collect();
    let mut bearers: HashMap<&String, usize> = HashMap::new();
    for name in &safe {
        *bearers.entry(name).or_default() += 1;
    }
    let name = |(row, name): (&MediaSetListEntry, &String)| {
        let set = row.media_set_uuid;
        let is_shared = bearers.get(name).is_some_and(|count| *count > 1);
        let digits: String = set.to_string().chars().take(UUID_DIGITS).collect();
        (if is_shared { format!("{name}~{digits}") } else { name.clone() }, set)
    };
    rows.iter().zip(&safe).map(name).collect()
}

/// A name without what a file's name can't have; one that is no name at all gets a `_`.
fn file_name(name: &str) -> String {
    let is_bad = |letter: char| letter == '/' || letter.is_control();
    let safe: String =
        name.chars().map(|letter| if is_bad(letter) { '_' } else { letter }).collect();
    let mut end = safe.len().min(NAME_BYTES_MAX);
    while !safe.is_char_boundary(end) {
        end -= 1;
    }
    match &safe[..end] {
        short @ ("" | "." | "..") => format!("_{short}"),
        name => name.into(),
    }
}

fn media_set(tree: &Arc<Tree>, set: MediaSetId) -> Node {
    let (status_of, tapes_of) = (Arc::clone(tree), Arc::clone(tree));
    let fixed = tree
        .controlled(Place::MediaSet(set), REFUSAL)
        .with_all(key_values("status", move || status(&status_of, set)))
        .with_all(rows("tapes", move || tapes(&tapes_of, set), Tape::line))
        .with_all(plan(&tree.reeld, plan_command(set)));
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let listing = all.set_listing(set).map_err(fs_error)?;
        Ok(listing.stores().map(|store| Entry::directory(store.as_str())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let store: StoreName = parsed(name)?;
        let listing = one.set_listing(set).map_err(fs_error)?;
        listing.store(&store).ok_or_else(|| no_such(name))?;
        let catalogue: Arc<dyn Catalogue> =
            Arc::new(SetCatalogue { tree: Arc::clone(&one), set, store });
        Ok(namespace_folder(&catalogue, &Namespace::root(), plain(REFUSAL)))
    };
    FnDir::new(entries, lookup).beside(fixed).node()
}

fn status(tree: &Tree, set: MediaSetId) -> Outcome<KeyValues> {
    let rows = tree.reeld.set_rows(None)?;
    let row = rows.iter().find(|row| row.media_set_uuid == set);
    let media = tree.media_names()?;
    let members = media.inventory().set_members(set)?;
    let first = members.iter().next().and_then(|(_, medium)| media.inventory().get(medium));
    let key = first.and_then(InventoryEntry::assigned_set).and_then(encryption_key);
    let listing = tree.set_listing(set)?;
    let unreadable = listing.unreadable.iter().map(|(label, reason)| format!("{label} ({reason})"));
    Ok(KeyValues::new()
        .with("name", row.map(|row| row.media_set_name.as_str()))
        .with("pool", row.map(|row| row.pool.as_str()))
        .with("ctime", media.inventory().set_start_time(set).map(utc))
        .with("tapes", members.places())
        .with("complete", members.first_missing().is_none())
        .with("missing-seq-nr", members.first_missing())
        .with("encryption-key-fingerprint", key)
        .with("stores", listing.stores().map(ToString::to_string).collect::<Vec<_>>())
        .with("snapshots", listing.snapshot_count())
        .with("without-catalog", unreadable.collect::<Vec<_>>()))
}

fn encryption_key(label: &MediaSetLabel) -> Option<String> {
    Some(label.encryption_key_fingerprint?.to_string())
}

/// A tape of a set.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Tape {
    seq_nr: u64,
    label_text: String,
    uuid: String,
    location: String,
}

impl Tape {
    fn line(&self) -> String {
        format!("{}: {} {} {}", self.seq_nr, self.label_text, self.location, self.uuid)
    }
}

fn tapes(tree: &Tree, set: MediaSetId) -> Outcome<Vec<Tape>> {
    let media = tree.media_names()?;
    let tape = |(seq_nr, medium)| {
        let entry = media.inventory().get(medium)?;
        Some(Tape {
            seq_nr,
            label_text: entry.labels.label.label_text.to_string(),
            uuid: medium.to_string(),
            location: entry.location().to_string(),
        })
    };
    Ok(media.inventory().set_members(set)?.iter().filter_map(tape).collect())
}

/// The plan of a whole set.
fn plan_command(media_set: MediaSetId) -> MediaSetPlan {
    MediaSetPlan { media_set, snapshots: Vec::new(), groups: Vec::new() }
}

/// `plan` and `plan.json`: which tapes reading would take. Moves nothing.
fn plan(reeld: &Arc<Reeld>, command: MediaSetPlan) -> [(String, Node); 2] {
    let reeld = Arc::clone(reeld);
    let command = Command::MediaSetPlan(command);
    let plan = move || {
        let actor = "root@pam".parse()?;
        let Done::Data(data) = reeld.run(&command, &actor, None)? else { return Ok(Vec::new()) };
        serde_json::from_value(data)
            .map_err(|error| Failure::new(libc::EIO, format!("read the plan: {error}")))
    };
    rows("plan", plan, plan_line)
}

fn plan_line(row: &PlanEntry) -> String {
    let tape = row.label_text.as_ref().map_or_else(
        || format!("(tape {} of the set, never seen)", row.seq_nr),
        ToString::to_string,
    );
    let location = row.location.as_ref().map(ToString::to_string).unwrap_or_default();
    let [seconds, total] = [row.seconds, row.total_seconds]
        .map(|seconds| seconds.map_or_else(|| "unknown".to_owned(), |known| known.to_string()));
    format!(
        "{tape}: bytes={} chunks={} archives={} staged={} seconds={seconds} total-seconds={total} \
         location={location}",
        row.bytes, row.chunks, row.archives, row.staged_bytes
    )
}

/// A fact of a datastore that no tape knows: the shape stays the same, so the file is there, and empty.
fn unknown() -> Node {
    fact(|| Ok(None))
}

/// What a set holds of one datastore.
struct SetCatalogue {
    tree: Arc<Tree>,
    set: MediaSetId,
    store: StoreName,
}

impl SetCatalogue {
    fn with<T>(&self, look: impl FnOnce(&StoreListing) -> T) -> Outcome<T> {
        let listing = self.tree.set_listing(self.set)?;
        let store = listing.store(&self.store).ok_or_else(|| {
            let text =
                format!("media set {} holds nothing of datastore '{}'", self.set, self.store);
            Failure::not_found(text)
        })?;
        Ok(look(store))
    }
}

impl Catalogue for SetCatalogue {
    fn namespaces(&self, parent: &Namespace) -> Outcome<Vec<Namespace>> {
        self.with(|listing| listing.namespaces(parent))
    }

    fn has_namespace(&self, namespace: &Namespace) -> Outcome<bool> {
        self.with(|listing| listing.has_namespace(namespace))
    }

    fn groups(&self, namespace: &Namespace) -> Outcome<Vec<BackupGroup>> {
        self.with(|listing| listing.groups(namespace))
    }

    fn has_group(&self, group: &GroupPath) -> Outcome<bool> {
        self.with(|listing| listing.snapshots(group).is_some())
    }

    fn snapshots(&self, group: &GroupPath) -> Outcome<Vec<SnapshotName>> {
        let name = |time: &BackupTime| SnapshotName { time: *time, finished: true };
        self.with(|listing| {
            listing
                .snapshots(group)
                .map(|found| found.keys().map(name).collect())
                .unwrap_or_default()
        })
    }

    fn has_snapshot(&self, snapshot: &SnapshotPath) -> Outcome<bool> {
        self.with(|listing| listing.medium_of(snapshot).is_some())
    }

    fn group_files(&self, group: &GroupPath) -> StaticDir {
        let (tree, set, store) = (Arc::clone(&self.tree), self.set, self.store.clone());
        let (path, group) = (group.clone(), group.clone());
        let status = move || {
            let listing = tree.set_listing(set)?;
            let found = listing.store(&store).and_then(|listing| listing.snapshots(&group));
            Ok(KeyValues::new()
                .with("backup-count", found.map_or(0, |snapshots| snapshots.len() as u64))
                .with(
                    "last-backup",
                    found.and_then(|all| Some(all.keys().next_back()?.to_string())),
                ))
        };
        let in_set = Place::SetGroup(self.set, self.store.clone(), path.clone());
        let groups = vec![TapeGroup { store: self.store.clone(), path }];
        let plan_of_group = MediaSetPlan { groups, ..plan_command(self.set) };
        self.tree
            .controlled(in_set, REFUSAL)
            .with("owner", unknown())
            .with("notes", unknown())
            .with_all(key_values("status", status))
            .with_all(plan(&self.tree.reeld, plan_of_group))
    }

    fn snapshot(&self, snapshot: &SnapshotPath) -> Node {
        let on_set =
            SnapshotOnSet { set: self.set, store: self.store.clone(), path: snapshot.clone() };
        let control = Place::SetSnapshot(self.set, self.store.clone(), snapshot.clone());
        let place = Arc::new(SnapshotInSet { tree: Arc::clone(&self.tree), on_set });
        let shown = Arc::clone(&place);
        let fixed = self
            .tree
            .controlled(control, REFUSAL)
            .with_all(key_values("status", move || shown.status()));
        if !place.is_kept() {
            return place.without_index(fixed.with_attributes(attributes(&*place)));
        }
        let snapshots = format!("{}:{snapshot}", self.store).parse().ok().into_iter().collect();
        let fixed = fixed
            .with("protected", unknown())
            .with_all(plan(&self.tree.reeld, MediaSetPlan { snapshots, ..plan_command(self.set) }));
        let place: Arc<dyn SnapshotPlace> = place;
        snapshot_folder(&self.tree, &place, fixed)
    }
}

/// A snapshot of a media set.
struct SnapshotInSet {
    tree: Arc<Tree>,
    on_set: SnapshotOnSet,
}

impl SnapshotInSet {
    fn is_kept(&self) -> bool {
        self.tree.reeld.tape.snapshots.get(&self.on_set).is_some()
    }

    fn status(&self) -> Outcome<KeyValues> {
        let SnapshotOnSet { set, store, path } = &self.on_set;
        let listing = self.tree.set_listing(*set)?;
        let medium = listing.store(store).and_then(|listing| listing.medium_of(path));
        let media = self.tree.media_names()?;
        let member = medium.and_then(|medium| media.inventory().get(medium));
        let archive = member.map(|member| self.tree.archive_of(member, store, path)).transpose()?;
        let label = member.map(|member| member.labels.label.label_text.to_string());
        let place = label
            .zip(archive.flatten())
            .map(|(label, file)| format!("on {label}, file {}", file.0));
        let values = KeyValues::new()
            .with("backup-time", path.snapshot.time.to_string())
            .with("index", place)
            .with("cached", self.is_kept());
        if !self.is_kept() {
            return Ok(values);
        }
        Ok(content_status(&*self.tree.listing(self)?, values))
    }

    /// The key of a file's chunks, if they are encrypted and it was given.
    fn crypt_of(&self, name: &ArchiveName) -> Outcome<Option<Arc<CryptConfig>>> {
        let listing = self.tree.listing(self)?;
        let manifest = &listing.manifest.as_ref().map_err(Clone::clone)?.manifest;
        let encrypted = manifest.file(name.as_str())?.crypt_mode == CryptMode::Encrypt;
        let fingerprint = manifest.key_fingerprint()?.filter(|_| encrypted);
        Ok(fingerprint.and_then(|fingerprint| self.key(&fingerprint)))
    }

    /// The folder while the snapshot's files are known to be on tape and have never been read.
    fn without_index(&self, fixed: StaticDir) -> Node {
        let SnapshotOnSet { set, path, .. } = self.on_set.clone();
        let lookup = move |name: &std::ffi::OsStr| {
            let name = as_text(name)?;
            // Programs look for these in every folder, and it is known that no snapshot has them.
            if name.starts_with('.') {
                return Err(no_such(name.as_ref()));
            }
            let text = format!(
                "look for '{name}' in snapshot '{path}' of media set {set}: its index has not been read from \
                 tape yet; write 'fetch' to its ctl, or to the set's for all"
            );
            Err(FsError::new(libc::ENODATA, text))
        };
        FnDir::new(|| Ok(Vec::new()), lookup).beside(fixed).node()
    }
}

impl SnapshotPlace for SnapshotInSet {
    fn time(&self) -> BackupTime {
        self.on_set.path.snapshot.time
    }

    fn folder(&self) -> Outcome<PathBuf> {
        let kept = self.tree.reeld.tape.snapshots.get(&self.on_set);
        kept.map(|kept| kept.folder().to_path_buf()).ok_or_else(|| {
            let text = format!(
                "open snapshot '{}': its index has not been read from tape yet; write 'fetch' to its ctl",
                self.on_set.path
            );
            Failure::new(libc::ENODATA, text)
        })
    }

    fn open(&self) -> Outcome<Arc<dyn FinishedSnapshot>> {
        Ok(Arc::new(SetSnapshot::open(&self.tree.reeld, &self.on_set)?))
    }

    fn key(&self, fingerprint: &Fingerprint) -> Option<Arc<CryptConfig>> {
        self.tree.reeld.client_key_of_any(fingerprint).ok().flatten()
    }

    fn log(&self) -> Arc<ControlLog> {
        let SnapshotOnSet { set, store, path } = &self.on_set;
        self.tree.log_of(&Place::SetSnapshot(*set, store.clone(), path.clone()))
    }

    /// What lies in chunks lies on tape; blobs are in the cache, whole.
    fn xattr_names(&self, name: &ArchiveName) -> &'static [&'static str] {
        match name.kind() {
            ArchiveKind::Fixed | ArchiveKind::Dynamic => &tape_places::ATTRIBUTES,
            ArchiveKind::Blob => &[],
        }
    }

    fn xattr(&self, name: &ArchiveName, attribute: &str) -> Outcome<Option<String>> {
        let index = self.folder()?.join(name.as_str());
        let crypt = self.crypt_of(name)?;
        let places =
            TapePlaces::of(&self.tree, &self.on_set, name.kind(), &index, crypt.as_deref())?;
        Ok(places.attribute(attribute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, number: u128) -> MediaSetListEntry {
        MediaSetListEntry {
            media_set_ctime: 0,
            media_set_name: name.into(),
            media_set_uuid: MediaSetId(uuid::Uuid::from_u128(number << 96)),
            pool: "daily".parse().unwrap(),
        }
    }

    #[test]
    fn sets_are_told_apart_whatever_they_are_called() {
        let rows = [
            row("Wed Jun  5 14:24:36 2024", 1),
            row("06/05/24", 2),
            row("week", 3),
            row("week", 4),
            row("..", 5),
        ];
        let names = set_names(&rows);
        let shown: Vec<&str> = names.keys().map(String::as_str).collect();
        let expected =
            ["06_05_24", "Wed Jun  5 14:24:36 2024", "_..", "week~00000003", "week~00000004"];
        assert_eq!(shown, expected);
        assert_eq!(names["06_05_24"], rows[1].media_set_uuid);
        assert_eq!(file_name(&"ä".repeat(300)).len(), NAME_BYTES_MAX);
    }
}
