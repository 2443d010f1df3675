//! Our own index: where on a medium each chunk starts.
//!
//! PBS's catalog tells only the archive, and an archive has up to 4 GiB. Beside it reelfs keeps, as local
//! state that is never written to tape, the block and byte of each chunk's entry and the archive's first
//! logical object number, so that a reader goes straight there. It is learned while archives are written and
//! while archives of other tapes pass by; where it is missing the catalog serves, and no tape is read just
//! for it. It is a hint and never the truth: whoever uses it checks the whole digest in the chunk's header.
//!
//! Each medium has a folder of sorted runs ([`reel_index`]), bound to the media set that the medium was in:
//! when it joins another set its runs are dropped.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reel_hw::number::BlockNumber;
use reel_hw::stream::TAPE_BLOCK_PAYLOAD_SIZE;
use reel_index::{Key, Run, RunWriter};
use reel_types::{Digest, MediaId, MediaSetId};

use crate::FileNumber;
use crate::{Error, Result};

/// Bytes of a place in a run.
const VALUE_BYTES: usize = 20;
/// More runs than this of one medium are merged into one.
const RUNS_MAX: usize = 8;

/// Where a chunk's entry starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The chunk archive.
    pub file: FileNumber,
    /// The block in it, which is also the block's sequence number.
    pub block: u32,
    /// The byte in the block's payload.
    pub byte: u32,
    /// Logical object number of the archive's first block.
    pub archive_start: BlockNumber,
}

impl Place {
    /// The place of byte `offset` of the content of an archive.
    pub fn at(file: FileNumber, archive_start: BlockNumber, offset: u64) -> Option<Self> {
        let payload = TAPE_BLOCK_PAYLOAD_SIZE as u64;
        Some(Self {
            file,
            block: u32::try_from(offset / payload).ok()?,
            byte: u32::try_from(offset % payload).ok()?,
            archive_start,
        })
    }

    /// The object number of the block.
    pub fn object(&self) -> BlockNumber {
        BlockNumber(self.archive_start.0 + u64::from(self.block))
    }

    fn to_bytes(self) -> Option<[u8; VALUE_BYTES]> {
        let mut bytes = [0; VALUE_BYTES];
        bytes[..4].copy_from_slice(&u32::try_from(self.file.0).ok()?.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.block.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.byte.to_be_bytes());
        bytes[12..].copy_from_slice(&self.archive_start.0.to_be_bytes());
        Some(bytes)
    }

    fn from_bytes(bytes: [u8; VALUE_BYTES]) -> Self {
        let number = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Self {
            file: FileNumber(u64::from(number(0))),
            block: number(4),
            byte: number(8),
            archive_start: BlockNumber(u64::from(number(12)) << 32 | u64::from(number(16))),
        }
    }
}

/// About where an archive begins of which nothing is known: between the archives around it of which something is, by
/// its number; behind the last of these, right there. `known` ascends.
pub(crate) fn start_between(known: &[(FileNumber, BlockNumber)], file: FileNumber) -> BlockNumber {
    let next = known.partition_point(|(other, _)| *other < file);
    let below = next.checked_sub(1).and_then(|below| known.get(below)).copied();
    let (file_below, object_below) = below.unwrap_or_default();
    let Some((file_above, object_above)) = known.get(next).copied() else { return object_below };
    let objects = u128::from(object_above.0.saturating_sub(object_below.0));
    let part = u128::from(file.0.saturating_sub(file_below.0));
    let whole = u128::from(file_above.0.saturating_sub(file_below.0)).max(1);
    let way = u64::try_from(objects * part / whole).unwrap_or(u64::MAX);
    BlockNumber(object_below.0.saturating_add(way))
}

type PlaceRun = Arc<Run<VALUE_BYTES>>;
type RunsOfMedium = HashMap<(MediaId, MediaSetId), Vec<PlaceRun>>;

/// The places on all media.
#[derive(Debug)]
pub struct Places {
    folder: PathBuf,
    open: Mutex<RunsOfMedium>,
}

impl Places {
    /// Keeps places under `folder`.
    pub fn open(folder: PathBuf) -> Result<Self> {
        create(&folder)?;
        Ok(Self { folder, open: Mutex::default() })
    }

    /// Where the chunk `digest` may lie on `medium`, as far as is known, best guess first.
    pub fn find(&self, medium: MediaId, set: MediaSetId, digest: &Digest) -> Result<Vec<Place>> {
        let key = Key::of(digest.as_bytes());
        let runs = self.runs(medium, set)?;
        let mut places: Vec<Place> =
            runs.iter().flat_map(|run| run.get(key).map(Place::from_bytes)).collect();
        places.sort();
        places.dedup();
        Ok(places)
    }

    /// Begins to learn where chunks lie on a medium of `set`.
    pub fn learn(&self, medium: MediaId, set: MediaSetId) -> Result<PlaceLearner> {
        let folder = self.folder_of(medium, set);
        create(&folder)?;
        Ok(PlaceLearner {
            writer: RunWriter::new(&folder),
            folder,
            medium,
            set,
            archive: None,
            pending: Vec::new(),
        })
    }

    /// Makes what was learned known, durably; only for what was flushed or read.
    pub fn store(&self, learned: &mut PlaceLearner) -> Result<()> {
        if learned.writer.is_empty() {
            return Ok(());
        }
        let writer = std::mem::replace(&mut learned.writer, RunWriter::new(&learned.folder));
        let mut runs = self.runs(learned.medium, learned.set)?;
        let path = free_name(&learned.folder)?;
        runs.push(Arc::new(writer.finish(&path)?));
        if runs.len() > RUNS_MAX {
            runs = vec![merge(&runs, &learned.folder)?];
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert((learned.medium, learned.set), runs);
        Ok(())
    }

    /// Learns from the archive in `file` as it passes by from its first block, object `start`, on. None where nothing
    /// can be learned: reading goes on all the same.
    pub(crate) fn learn_passing(
        &self,
        (medium, set): (MediaId, MediaSetId),
        (file, start): (FileNumber, BlockNumber),
    ) -> Option<PlaceLearner> {
        let mut learner = self
            .learn(medium, set)
            .inspect_err(|error| tracing::warn!(%error, "no places are learned"))
            .ok()?;
        learner.begin_archive(file, start);
        Some(learner)
    }

    /// Makes the places known that were learned of an archive, of as much of it as passed by.
    pub(crate) fn keep_passed(&self, mut learner: PlaceLearner) -> Result<()> {
        learner.end_archive()?;
        self.store(&mut learner)
    }

    /// Forgets all places on a medium, which is about to be written anew.
    pub fn forget(&self, medium: MediaId) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(other, _), _| *other != medium);
        let folder = self.folder.join(medium.to_string());
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("remove '{}'", folder.display()))(error))
            }
            _ => Ok(()),
        }
    }

    fn folder_of(&self, medium: MediaId, set: MediaSetId) -> PathBuf {
        self.folder.join(medium.to_string()).join(set.to_string())
    }

    fn runs(&self, medium: MediaId, set: MediaSetId) -> Result<Vec<PlaceRun>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runs) = open.get(&(medium, set)) {
            return Ok(runs.clone());
        }
        let runs = open_runs(&self.folder_of(medium, set))?;
        open.insert((medium, set), runs.clone());
        Ok(runs)
    }
}

/// Opens all runs in a folder, clearing up after a killed writer. A broken one is removed: it holds nothing that
/// isn't on the medium.
fn open_runs(folder: &Path) -> Result<Vec<PlaceRun>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    reel_index::remove_leftovers(folder)?;
    let mut runs = Vec::new();
    for path in run_files(folder)? {
        match Run::open(&path) {
            Ok(run) => runs.push(Arc::new(run)),
            Err(error) => {
                tracing::warn!(%error, "an index of places is broken and is given up");
                fs::remove_file(&path)
                    .map_err(Error::io(format!("remove '{}'", path.display())))?;
            }
        }
    }
    Ok(runs)
}

fn run_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let tried = || format!("list '{}'", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(tried()))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(tried()))?.path();
        if path.extension().is_some_and(|extension| extension == "run") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn free_name(folder: &Path) -> Result<PathBuf> {
    let last = run_files(folder)?.last().and_then(|path| number_of(path)).unwrap_or(0);
    Ok(folder.join(format!("{:08}.run", last + 1)))
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn merge(runs: &[PlaceRun], folder: &Path) -> Result<PlaceRun> {
    let opened = runs.iter().map(|run| Run::open(run.path())).collect::<Result<Vec<_>, _>>()?;
    let merged = reel_index::merge(&opened, &free_name(folder)?)?;
    for run in runs {
        fs::remove_file(run.path())
            .map_err(Error::io(format!("remove '{}'", run.path().display())))?;
    }
    Ok(Arc::new(merged))
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(Error::io(format!("create the folder '{}'", folder.display())))
}

/// Gathers the places of chunks while archives of one medium are written or read.
///
/// Chunks of an archive count only once the archive is known to be whole
/// ([`PlaceLearner::end_archive`]), and are found only after [`Places::store`].
#[derive(Debug)]
pub struct PlaceLearner {
    medium: MediaId,
    set: MediaSetId,
    folder: PathBuf,
    writer: RunWriter<VALUE_BYTES>,
    archive: Option<(FileNumber, BlockNumber)>,
    pending: Vec<(Key, [u8; VALUE_BYTES])>,
}

impl PlaceLearner {
    /// An archive begins: it is `file` of the medium and its first block is object `start`.
    pub fn begin_archive(&mut self, file: FileNumber, start: BlockNumber) {
        self.archive = Some((file, start));
        self.pending.clear();
    }

    /// The entry of chunk `digest` starts at byte `offset` of the archive's content.
    pub fn chunk(&mut self, digest: &Digest, offset: u64) {
        let place = self.archive.and_then(|(file, start)| Place::at(file, start, offset));
        if let Some(value) = place.and_then(Place::to_bytes) {
            self.pending.push((Key::of(digest.as_bytes()), value));
        }
    }

    /// The archive that was begun is whole.
    pub fn end_archive(&mut self) -> Result<()> {
        self.archive = None;
        for (key, value) in self.pending.drain(..) {
            self.writer.push(key, value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn ids() -> (MediaId, MediaSetId) {
        (MediaId(Uuid::from_u128(1)), MediaSetId(Uuid::from_u128(2)))
    }

    #[test]
    fn places_survive_their_encoding() {
        let place = Place {
            file: FileNumber(7),
            block: 16_000,
            byte: 262_127,
            archive_start: BlockNumber(0x1_2345_6789),
        };
        assert_eq!(Place::from_bytes(place.to_bytes().unwrap()), place);
        let payload = TAPE_BLOCK_PAYLOAD_SIZE as u64;
        let at = Place::at(FileNumber(2), BlockNumber(10), 3 * payload + 5).unwrap();
        assert_eq!((at.block, at.byte, at.object()), (3, 5, BlockNumber(13)));
    }

    #[test]
    fn what_was_learned_is_found_also_after_a_restart_and_many_merges() {
        let folder = tempfile::tempdir().unwrap();
        let (medium, set) = ids();
        let places = Places::open(folder.path().into()).unwrap();
        let mut learner = places.learn(medium, set).unwrap();
        for file in 2..30u64 {
            learner.begin_archive(FileNumber(file), BlockNumber(file * 100));
            learner.chunk(&Digest([file as u8; 32]), 48);
            learner.end_archive().unwrap();
            places.store(&mut learner).unwrap();
        }
        for places in [places, Places::open(folder.path().into()).unwrap()] {
            let found = places.find(medium, set, &Digest([9; 32])).unwrap();
            assert_eq!(found, [Place::at(FileNumber(9), BlockNumber(900), 48).unwrap()]);
            assert_eq!(places.find(medium, set, &Digest([99; 32])).unwrap(), []);
            let other_set = MediaSetId(Uuid::from_u128(3));
            assert_eq!(places.find(medium, other_set, &Digest([9; 32])).unwrap(), []);
        }
        assert!(
            run_files(&folder.path().join(medium.to_string()).join(set.to_string())).unwrap().len()
                <= RUNS_MAX
        );
    }

    #[test]
    fn an_archive_that_was_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (medium, set) = ids();
        let places = Places::open(folder.path().into()).unwrap();
        let mut learner = places.learn(medium, set).unwrap();
        learner.begin_archive(FileNumber(2), BlockNumber(4));
        learner.chunk(&Digest([1; 32]), 48);
        learner.begin_archive(FileNumber(3), BlockNumber(8));
        learner.end_archive().unwrap();
        places.store(&mut learner).unwrap();
        assert_eq!(places.find(medium, set, &Digest([1; 32])).unwrap(), []);
    }

    #[test]
    fn a_broken_run_is_given_up_and_a_rewritten_medium_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (medium, set) = ids();
        let places = Places::open(folder.path().into()).unwrap();
        let mut learner = places.learn(medium, set).unwrap();
        learner.begin_archive(FileNumber(2), BlockNumber(4));
        learner.chunk(&Digest([1; 32]), 48);
        learner.end_archive().unwrap();
        places.store(&mut learner).unwrap();
        let runs = folder.path().join(medium.to_string()).join(set.to_string());
        fs::write(runs.join("99999999.run"), b"garbage").unwrap();
        let places = Places::open(folder.path().into()).unwrap();
        assert_eq!(places.find(medium, set, &Digest([1; 32])).unwrap().len(), 1);
        places.forget(medium).unwrap();
        assert_eq!(places.find(medium, set, &Digest([1; 32])).unwrap(), []);
    }
}
