//! Which chunk is in which file of a medium, out of PBS's catalog, for look-ups.
//!
//! A catalog is a log that is read from its beginning to its end, and that of a full medium has millions of
//! chunks. Here it is streamed once into sorted runs ([`reel_index`]) in the cache folder; when the log has
//! grown only what is new is read, when it was replaced all of it. Nothing is kept here that isn't in the
//! log: the folder of a medium may be removed at any time.
//!
//! A catalog lists the chunks of an archive in the order in which they lie there, so their number in it is
//! kept too: it tells a plan how far into the archive a reader must go whose place isn't known
//! ([`crate::places`]). Chunks count with the end record of their archive, as everywhere.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use reel_index::{Key, RunFolder, RunWriter};
use reel_types::{Digest, MediaId, MediaSetId, SnapshotPath, StoreName};
use serde::{Deserialize, Serialize};

use crate::FileNumber;
use crate::label::MediaSetLabel;
use crate::media_catalog::{CatalogExpectation, CatalogReader, CatalogRecord, CatalogSnapshot};
use crate::state_dir::{LOCK_WAIT, StateDir, lock_file};
use crate::{Error, Result};

/// Bytes of a place: datastore (2), file (4), number in the archive (4).
const VALUE_BYTES: usize = 10;
/// Magic and the two labels, with which every catalog of a medium in a set begins.
const LABELS_BYTES: u64 = 8 + 2 * 33;
/// So many bytes before the indexed end are remembered: a whole end record, whose UUID is random.
const TAIL_BYTES: u64 = 25;
const KNOWN_FILE: &str = "known.json";

/// The indexes of all catalogs.
pub struct CatalogIndexes {
    folder: PathBuf,
    open: Mutex<HashMap<MediaId, CatalogIndex>>,
}

/// The index of one medium's catalog; cheap to clone.
#[derive(Clone)]
pub struct CatalogIndex(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    catalog: PathBuf,
    medium: MediaId,
    set: MediaSetId,
    expected: CatalogExpectation,
    contents: RwLock<Contents>,
}

struct Contents {
    runs: RunFolder<VALUE_BYTES>,
    known: Known,
}

/// What was read of the catalog so far.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    inode: u64,
    indexed_bytes: u64,
    set: Option<MediaSetId>,
    /// The last bytes that were indexed: a replaced catalog has others, whatever its inode.
    tail: Vec<u8>,
    stores: Vec<StoreName>,
    snapshots: Vec<KnownSnapshot>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownSnapshot {
    store: StoreName,
    path: SnapshotPath,
    file: u64,
}

/// Where a catalog says that a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CatalogPlace {
    /// The chunk archive.
    pub file: FileNumber,
    /// How many chunks stand before it there.
    pub number: u32,
}

impl CatalogIndexes {
    /// Keeps indexes under `folder`.
    pub fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)
            .map_err(Error::io(format!("create the folder '{}'", folder.display())))?;
        Ok(Self { folder, open: Mutex::default() })
    }

    /// The index of the catalog of `medium`, which carries `set_label`, brought up to date.
    pub fn of_medium(
        &self,
        state: &StateDir,
        medium: MediaId,
        set_label: &MediaSetLabel,
    ) -> Result<CatalogIndex> {
        let index = self.opened(state, medium, set_label)?;
        index.refresh()?;
        Ok(index)
    }

    fn opened(
        &self,
        state: &StateDir,
        medium: MediaId,
        set_label: &MediaSetLabel,
    ) -> Result<CatalogIndex> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = open.get(&medium).filter(|index| index.0.set == set_label.uuid) {
            return Ok(index.clone());
        }
        let folder = self.folder.join(medium.to_string());
        let contents = RwLock::new(Contents::open(&folder)?);
        let index = CatalogIndex(Arc::new(Shared {
            folder,
            catalog: state.catalog(medium),
            medium,
            set: set_label.uuid,
            expected: CatalogExpectation::of(medium, Some(set_label)),
            contents,
        }));
        open.insert(medium, index.clone());
        Ok(index)
    }
}

impl CatalogIndex {
    /// The medium.
    pub fn medium(&self) -> MediaId {
        self.0.medium
    }

    /// Reads what the catalog has got since.
    pub fn refresh(&self) -> Result<()> {
        let refuse =
            |source| Error::Catalog { path: self.0.catalog.clone(), source: Box::new(source) };
        let found = fs::metadata(&self.0.catalog).map_err(Error::io("read it")).map_err(refuse)?;
        if self.contents().known.is_all_of(&found, self.0.set) {
            return Ok(());
        }
        let mut contents = self.0.contents.write().unwrap_or_else(PoisonError::into_inner);
        self.read_on(&mut contents).map_err(refuse)
    }

    /// Where the chunk is on this medium; the latest file first. Any datastore's where none is named.
    pub fn find(&self, store: Option<&StoreName>, digest: &Digest) -> Vec<CatalogPlace> {
        let contents = self.contents();
        let stores = &contents.known.stores;
        let mut places: Vec<CatalogPlace> = contents
            .runs
            .get(Key::of(digest.as_bytes()))
            .filter(|value| store.is_none() || stores.get(store_of(value)) == store)
            .map(|value| place_of(&value))
            .collect();
        places.sort_by(|a, b| b.cmp(a));
        places.dedup();
        places
    }

    /// The snapshots on this medium, in the catalog's order.
    pub fn snapshots(&self) -> Vec<CatalogSnapshot> {
        let of_known = |known: &KnownSnapshot| CatalogSnapshot {
            store: known.store.clone(),
            path: known.path.clone(),
            number: FileNumber(known.file),
        };
        self.contents().known.snapshots.iter().map(of_known).collect()
    }

    fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.0.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_on(&self, contents: &mut Contents) -> Result<()> {
        let tried = || Error::io("read it");
        let mut catalog = File::open(&self.0.catalog).map_err(tried())?;
        lock_file(&catalog, &self.0.catalog, LOCK_WAIT)?;
        let found = catalog.metadata().map_err(tried())?;
        let grown = contents.known.is_part_of(&mut catalog, &found, self.0.set).map_err(tried())?;
        if !grown {
            contents.clear(&self.0.folder)?;
        }
        contents.known.inode = found.ino();
        contents.known.set = Some(self.0.set);
        contents.take(&mut catalog, self.0.expected)?;
        contents.known.tail = tail(&mut catalog, contents.known.indexed_bytes).map_err(tried())?;
        contents.known.store(&self.0.folder)
    }
}

impl Contents {
    /// Opens what is there; anything broken is removed, to be made anew.
    fn open(folder: &Path) -> Result<Self> {
        let known = Known::load(folder);
        let (runs, broken) = RunFolder::open(folder)?;
        let mut contents = Self { runs, known: known.unwrap_or_default() };
        if !broken.is_empty() || contents.known.indexed_bytes == 0 {
            contents.clear(folder)?;
        }
        Ok(contents)
    }

    fn clear(&mut self, folder: &Path) -> Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(format!("remove '{}'", folder.display()))(error));
            }
            _ => {}
        }
        self.runs = RunFolder::open(folder)?.0;
        self.known = Known::default();
        Ok(())
    }

    /// Takes the records behind what is known. The labels go in front, as the reader expects.
    fn take(&mut self, catalog: &mut File, expected: CatalogExpectation) -> Result<()> {
        let start = Some(self.known.indexed_bytes).filter(|bytes| *bytes >= LABELS_BYTES);
        let mut labels = Vec::new();
        let mut begin = || {
            catalog.seek(SeekFrom::Start(0))?;
            Read::take(&mut *catalog, start.map_or(0, |_| LABELS_BYTES))
                .read_to_end(&mut labels)?;
            catalog.seek(SeekFrom::Start(start.unwrap_or(0)))
        };
        begin().map_err(Error::io("read it"))?;
        let records = labels.as_slice().chain(BufReader::new(catalog));
        let mut reader = CatalogReader::new(records, expected)?;
        let mut writer = self.runs.writer();
        let mut archive = None;
        while let Some(record) = reader.next_record()? {
            self.known.take(record, &mut archive, &mut writer)?;
        }
        let complete = reader.complete_bytes();
        self.runs.add(writer)?;
        self.known.indexed_bytes =
            start.map_or(complete, |start| start + complete.saturating_sub(LABELS_BYTES));
        Ok(())
    }
}

/// An archive whose end was not seen yet.
struct OpenArchive {
    store: u16,
    file: u32,
    digests: Vec<Digest>,
}

impl Known {
    fn load(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(KNOWN_FILE)).ok()?).ok()
    }

    fn store(&self, folder: &Path) -> Result<()> {
        let json = crate::json::to_pretty(self, "index of a catalog")?;
        StateDir::new(folder).replace(&folder.join(KNOWN_FILE), &json)
    }

    fn is_all_of(&self, catalog: &Metadata, set: MediaSetId) -> bool {
        self.set == Some(set) && (self.inode, self.indexed_bytes) == (catalog.ino(), catalog.size())
    }

    /// Whether what is known is the beginning of this file.
    fn is_part_of(
        &self,
        catalog: &mut File,
        found: &Metadata,
        set: MediaSetId,
    ) -> io::Result<bool> {
        let same_file = self.inode == found.ino() && self.set == Some(set);
        if !same_file || self.indexed_bytes > found.size() {
            return Ok(false);
        }
        Ok(tail(catalog, self.indexed_bytes)? == self.tail)
    }

    fn take(
        &mut self,
        record: CatalogRecord,
        archive: &mut Option<OpenArchive>,
        writer: &mut RunWriter<VALUE_BYTES>,
    ) -> Result<()> {
        match record {
            CatalogRecord::Label { .. } => {}
            CatalogRecord::ChunkArchiveStart { number, store, .. } => {
                let (store, file) = (self.number_of(&store)?, file_number(number)?);
                *archive = Some(OpenArchive { store, file, digests: Vec::new() });
            }
            CatalogRecord::Chunk(digest) => {
                if let Some(archive) = archive {
                    archive.digests.push(digest);
                }
            }
            CatalogRecord::ChunkArchiveEnd { .. } => {
                if let Some(archive) = archive.take() {
                    archive.push_to(writer)?;
                }
            }
            CatalogRecord::Snapshot { number, store, path, .. } => {
                self.snapshots.push(KnownSnapshot { store, path, file: number.0 });
            }
        }
        Ok(())
    }

    fn number_of(&mut self, store: &StoreName) -> Result<u16> {
        let found = self.stores.iter().position(|known| known == store);
        let number = found.unwrap_or_else(|| {
            self.stores.push(store.clone());
            self.stores.len() - 1
        });
        u16::try_from(number)
            .map_err(|_| Error::format("media catalog", "it names more than 65536 datastores"))
    }
}

impl OpenArchive {
    fn push_to(self, writer: &mut RunWriter<VALUE_BYTES>) -> Result<()> {
        for (number, digest) in (0u32..).zip(&self.digests) {
            let mut value = [0; VALUE_BYTES];
            value[..2].copy_from_slice(&self.store.to_be_bytes());
            value[2..6].copy_from_slice(&self.file.to_be_bytes());
            value[6..].copy_from_slice(&number.to_be_bytes());
            writer.push(Key::of(digest.as_bytes()), value)?;
        }
        Ok(())
    }
}

fn file_number(number: FileNumber) -> Result<u32> {
    u32::try_from(number.0)
        .map_err(|_| Error::format("media catalog", format!("impossible file number {number}")))
}

fn store_of(value: &[u8; VALUE_BYTES]) -> usize {
    usize::from(u16::from_be_bytes([value[0], value[1]]))
}

fn place_of(value: &[u8; VALUE_BYTES]) -> CatalogPlace {
    let number =
        |at: usize| u32::from_be_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]]);
    CatalogPlace { file: FileNumber(u64::from(number(2))), number: number(6) }
}

/// The last bytes in front of `end`.
fn tail(catalog: &mut File, end: u64) -> io::Result<Vec<u8>> {
    let start = end.saturating_sub(TAIL_BYTES);
    let mut bytes = Vec::new();
    catalog.seek(SeekFrom::Start(start))?;
    Read::take(catalog, end - start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::{MediaLabel, MediaLabels};
    use crate::media_catalog::MediaCatalog;
    use uuid::Uuid;

    struct Setup {
        folder: tempfile::TempDir,
        state: StateDir,
        labels: MediaLabels,
    }

    impl Setup {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let state = StateDir::new(folder.path());
            let medium = MediaId(Uuid::from_u128(1));
            let label_text = "tape1".parse().unwrap();
            let pool: reel_types::PoolName = "daily".parse().unwrap();
            let label = MediaLabel { ctime: 0, label_text, pool: Some(pool.clone()), uuid: medium };
            let set_label = MediaSetLabel {
                ctime: 0,
                encryption_key_fingerprint: None,
                key_config: None,
                pool,
                seq_nr: 0,
                uuid: MediaSetId(Uuid::from_u128(2)),
            };
            let labels = MediaLabels { label, media_set_label: Some(set_label) };
            Self { folder, state, labels }
        }

        fn indexes(&self) -> CatalogIndexes {
            CatalogIndexes::open(self.folder.path().join("cache")).unwrap()
        }

        fn index(&self, indexes: &CatalogIndexes) -> CatalogIndex {
            let set_label = self.labels.media_set_label.as_ref().unwrap();
            indexes.of_medium(&self.state, self.labels.label.uuid, set_label).unwrap()
        }
    }

    fn archive(catalog: &mut MediaCatalog, file: u64, store: &str, chunks: &[u8]) {
        let uuid = Uuid::new_v4();
        catalog.start_chunk_archive(uuid, FileNumber(file), &store.parse().unwrap()).unwrap();
        for chunk in chunks {
            catalog.register_chunk(&Digest([*chunk; 32])).unwrap();
        }
        catalog.end_chunk_archive().unwrap();
    }

    fn find(index: &CatalogIndex, store: Option<&str>, chunk: u8) -> Vec<(u64, u32)> {
        let store = store.map(|store| store.parse().unwrap());
        let found = index.find(store.as_ref(), &Digest([chunk; 32]));
        found.iter().map(|place| (place.file.0, place.number)).collect()
    }

    #[test]
    fn a_growing_catalog_is_read_on_also_after_a_restart() {
        let setup = Setup::new();
        let mut catalog = MediaCatalog::overwrite(&setup.state, &setup.labels).unwrap();
        archive(&mut catalog, 2, "aaa", &[1, 2]);
        catalog.commit().unwrap();
        let indexes = setup.indexes();
        let index = setup.index(&indexes);
        assert_eq!(find(&index, Some("aaa"), 2), [(2, 1)]);
        archive(&mut catalog, 3, "bbb", &[2, 3]);
        let snapshot = "vm/1/2022-01-01T00:00:00Z".parse().unwrap();
        let store = "bbb".parse().unwrap();
        catalog.register_snapshot(Uuid::new_v4(), FileNumber(4), &store, &snapshot).unwrap();
        catalog.commit().unwrap();
        for indexes in [indexes, setup.indexes()] {
            let index = setup.index(&indexes);
            assert_eq!(find(&index, None, 2), [(3, 0), (2, 1)]);
            assert_eq!(find(&index, Some("bbb"), 2), [(3, 0)]);
            assert_eq!(find(&index, Some("bbb"), 1), []);
            assert_eq!(find(&index, Some("other"), 1), []);
            assert_eq!(index.snapshots()[0].path, snapshot);
            assert_eq!(index.snapshots().len(), 1);
        }
    }

    #[test]
    fn a_replaced_catalog_is_read_anew() {
        let setup = Setup::new();
        let mut catalog = MediaCatalog::overwrite(&setup.state, &setup.labels).unwrap();
        archive(&mut catalog, 2, "aaa", &[1]);
        catalog.commit().unwrap();
        let indexes = setup.indexes();
        assert_eq!(find(&setup.index(&indexes), None, 1), [(2, 0)]);
        let mut catalog = MediaCatalog::overwrite(&setup.state, &setup.labels).unwrap();
        archive(&mut catalog, 2, "aaa", &[7, 8]);
        catalog.commit().unwrap();
        let index = setup.index(&indexes);
        assert_eq!((find(&index, None, 1), find(&index, None, 8)), (vec![], vec![(2, 1)]));
    }

    #[test]
    fn broken_runs_are_made_anew() {
        let setup = Setup::new();
        let mut catalog = MediaCatalog::overwrite(&setup.state, &setup.labels).unwrap();
        archive(&mut catalog, 2, "aaa", &[1]);
        catalog.commit().unwrap();
        setup.index(&setup.indexes());
        let folder = setup.folder.path().join("cache").join(setup.labels.label.uuid.to_string());
        fs::write(folder.join("00000000.run"), b"garbage").unwrap();
        assert_eq!(find(&setup.index(&setup.indexes()), None, 1), [(2, 0)]);
    }

    #[test]
    fn a_missing_catalog_is_an_error_that_names_it() {
        let setup = Setup::new();
        let set_label = setup.labels.media_set_label.as_ref().unwrap();
        let medium = setup.labels.label.uuid;
        let error = setup.indexes().of_medium(&setup.state, medium, set_label).err().unwrap();
        assert!(error.to_string().contains(&medium.to_string()), "{error}");
    }
}
