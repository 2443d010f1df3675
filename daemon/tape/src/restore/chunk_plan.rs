//! Which archives of which media have the chunks that the targets lack.
//!
//! A set may have many millions of chunks, so the plan is a file: the catalogs are read once, in the order of the
//! media, and each wanted chunk is written down where it is met first. That order is already the order of reading.
//! For chunks that could not be read there the next plan takes the second place that is met, and so on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};

use reel_hw::number::FileNumber;
use reel_index::DigestSet;
use reel_types::{Digest, StoreName};

use super::Run;
use super::members::Member;
use crate::media_catalog::CatalogRecord;
use crate::{Error, Result};

/// Digests by the datastore that they were backed up from.
#[derive(Default)]
pub(super) struct WantedChunks(BTreeMap<StoreName, DigestSet>);

impl WantedChunks {
    /// Adds digests of a datastore.
    pub(super) fn add(
        &mut self,
        run: &Run<'_>,
        store: &StoreName,
        digests: &[[u8; 32]],
    ) -> Result<()> {
        if digests.is_empty() {
            return Ok(());
        }
        let new = || DigestSet::new(&run.env.scratch);
        let set = self.0.entry(store.clone()).or_insert_with(new);
        digests.iter().try_for_each(|digest| set.insert(*digest))?;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, store: &StoreName, digest: &[u8; 32]) -> bool {
        self.0.get(store).is_some_and(|set| set.contains(digest))
    }

    /// The datastores that want a chunk of an archive of `store`.
    fn wanting<'w>(
        &'w self,
        matching: Matching,
        store: &StoreName,
        digest: &'w [u8; 32],
    ) -> impl Iterator<Item = &'w StoreName> {
        let of_store = |(name, set): &(&StoreName, &DigestSet)| {
            (matching == Matching::AnyStore || *name == store) && set.contains(digest)
        };
        self.0.iter().filter(of_store).map(|(name, _)| name).collect::<Vec<_>>().into_iter()
    }
}

/// Whose archives may give a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    /// Only those of the datastore that it is wanted for, as it should be on one set.
    SameStore,
    /// Those of any: a digest says what a chunk holds, wherever it comes from.
    AnyStore,
}

/// Tells the copies of each chunk apart, in the order in which the catalogs name them.
struct Copies {
    /// Chunks whose first copy was met, those whose second was, and so on.
    earlier: Vec<WantedChunks>,
    /// Chunks whose copy was met that is looked for.
    planned: WantedChunks,
}

impl Copies {
    /// Looks for the copy before which there are `earlier` others.
    fn behind(earlier: usize) -> Self {
        let earlier = (0..earlier).map(|_| WantedChunks::default()).collect();
        Self { earlier, planned: WantedChunks::default() }
    }

    /// Of the chunks in the next archive, each once, those whose copy there is the one that is looked for.
    fn choose(
        &mut self,
        run: &Run<'_>,
        store: &StoreName,
        chunks: Vec<[u8; 32]>,
    ) -> Result<Vec<[u8; 32]>> {
        let mut left = chunks;
        for earlier in &mut self.earlier {
            let (met, new): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|digest| earlier.contains(store, digest));
            earlier.add(run, store, &new)?;
            left = met;
        }
        left.retain(|digest| !self.planned.contains(store, digest));
        self.planned.add(run, store, &left)?;
        Ok(left)
    }
}

/// The archives of one medium that are needed.
pub(super) struct MediumPlan<'a> {
    pub(super) member: &'a Member,
    pub(super) archives: Vec<PlannedArchive>,
    /// The digests of all archives, one behind the other.
    digests: File,
}

/// An archive that is needed.
#[derive(Debug, Clone)]
pub(super) struct PlannedArchive {
    pub(super) file: FileNumber,
    /// The datastore that its chunks are wanted for.
    pub(super) store: StoreName,
    /// How many of its chunks.
    pub(super) chunks: usize,
}

/// Finds the wanted chunks in the catalogs of the set: of each the copy before which there are `earlier` others. What
/// is not there is left out.
pub(super) fn plan<'a>(
    run: &Run<'a>,
    wanted: &WantedChunks,
    earlier: usize,
) -> Result<Vec<MediumPlan<'a>>> {
    let mut planning = Planning::new(wanted, earlier, Matching::SameStore);
    let mut plans = Vec::new();
    for member in run.members.iter() {
        plans.extend(planning.medium(run, member)?);
    }
    Ok(plans)
}

/// Looks for wanted chunks in one catalog after the other.
pub(super) struct Planning<'w> {
    wanted: &'w WantedChunks,
    copies: Copies,
    matching: Matching,
}

impl<'w> Planning<'w> {
    /// Of each chunk the copy is looked for before which there are `earlier` others.
    pub(super) fn new(wanted: &'w WantedChunks, earlier: usize, matching: Matching) -> Self {
        Self { wanted, copies: Copies::behind(earlier), matching }
    }

    /// What the next medium gives; none where that is nothing.
    pub(super) fn medium<'a>(
        &mut self,
        run: &Run<'_>,
        member: &'a Member,
    ) -> Result<Option<MediumPlan<'a>>> {
        let file = tempfile::tempfile_in(&run.env.scratch).map_err(tried())?;
        let mut digests = BufWriter::new(file);
        let mut archives = Vec::new();
        let mut current: Option<(FileNumber, StoreName)> = None;
        let mut chunks: BTreeMap<StoreName, Vec<[u8; 32]>> = BTreeMap::new();
        member.visit_catalog(run.env, |record| {
            match record {
                CatalogRecord::ChunkArchiveStart { number, store, .. } => {
                    run.task.check()?;
                    current = Some((number, store));
                    chunks.clear();
                }
                CatalogRecord::Chunk(Digest(digest)) => {
                    let Some((_, store)) = &current else { return Ok(()) };
                    for wanting in self.wanted.wanting(self.matching, store, &digest) {
                        chunks.entry(wanting.clone()).or_default().push(digest);
                    }
                }
                // Chunks count with the end of their archive.
                CatalogRecord::ChunkArchiveEnd { .. } => {
                    let Some((file, _)) = current.take() else { return Ok(()) };
                    for (store, mut chunks) in std::mem::take(&mut chunks) {
                        chunks.sort_unstable();
                        chunks.dedup();
                        let chosen = self.copies.choose(run, &store, chunks)?;
                        if !chosen.is_empty() {
                            digests.write_all(chosen.as_flattened()).map_err(tried())?;
                            archives.push(PlannedArchive { file, store, chunks: chosen.len() });
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        let digests = digests.into_inner().map_err(|error| tried()(error.into_error()))?;
        Ok((!archives.is_empty()).then_some(MediumPlan { member, archives, digests }))
    }
}

impl MediumPlan<'_> {
    /// How many chunks it has.
    pub(super) fn chunks(&self) -> usize {
        self.archives.iter().map(|archive| archive.chunks).sum()
    }

    /// Hands out each archive with its digests.
    pub(super) fn visit(
        &self,
        mut visit: impl FnMut(&PlannedArchive, Vec<Digest>) -> Result<()>,
    ) -> Result<()> {
        (&self.digests).rewind().map_err(tried())?;
        let mut digests = BufReader::new(&self.digests);
        for archive in &self.archives {
            let mut of_archive = vec![[0; 32]; archive.chunks];
            digests.read_exact(of_archive.as_flattened_mut()).map_err(tried())?;
            visit(archive, of_archive.into_iter().map(Digest).collect())?;
        }
        Ok(())
    }
}

fn tried() -> impl FnOnce(std::io::Error) -> Error {
    Error::io("keep the list of chunks to restore in the scratch folder")
}
