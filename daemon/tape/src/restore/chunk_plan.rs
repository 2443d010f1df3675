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
    pub(super) store: StoreName,
    /// How many of its chunks.
    pub(super) chunks: usize,
}

/// Finds the wanted chunks in the catalogs: of each the copy before which there are `earlier` others. What is not
/// there is left out.
pub(super) fn plan<'a>(
    run: &Run<'a>,
    wanted: &WantedChunks,
    earlier: usize,
) -> Result<Vec<MediumPlan<'a>>> {
    let mut copies = Copies::behind(earlier);
    let mut plans = Vec::new();
    for member in run.members.iter() {
        let plan = plan_medium(run, member, wanted, &mut copies)?;
        if !plan.archives.is_empty() {
            plans.push(plan);
        }
    }
    Ok(plans)
}

fn plan_medium<'a>(
    run: &Run<'a>,
    member: &'a Member,
    wanted: &WantedChunks,
    copies: &mut Copies,
) -> Result<MediumPlan<'a>> {
    let file = tempfile::tempfile_in(&run.env.scratch).map_err(tried())?;
    let mut digests = BufWriter::new(file);
    let mut archives = Vec::new();
    let mut current: Option<(FileNumber, StoreName)> = None;
    let mut chunks = Vec::new();
    member.visit_catalog(run.env, |record| {
        match record {
            CatalogRecord::ChunkArchiveStart { number, store, .. } => {
                run.task.check()?;
                current = Some((number, store));
                chunks.clear();
            }
            CatalogRecord::Chunk(Digest(digest))
                if current.as_ref().is_some_and(|(_, store)| wanted.contains(store, &digest)) =>
            {
                chunks.push(digest);
            }
            // Chunks count with the end of their archive.
            CatalogRecord::ChunkArchiveEnd { .. } if !chunks.is_empty() => {
                chunks.sort_unstable();
                chunks.dedup();
                let Some((file, store)) = current.take() else { return Ok(()) };
                let chosen = copies.choose(run, &store, std::mem::take(&mut chunks))?;
                if !chosen.is_empty() {
                    digests.write_all(chosen.as_flattened()).map_err(tried())?;
                    archives.push(PlannedArchive { file, store, chunks: chosen.len() });
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let mut digests = digests.into_inner().map_err(|error| tried()(error.into_error()))?;
    digests.rewind().map_err(tried())?;
    Ok(MediumPlan { member, archives, digests })
}

impl MediumPlan<'_> {
    /// Hands out each archive with its digests.
    pub(super) fn visit(
        self,
        mut visit: impl FnMut(&PlannedArchive, Vec<Digest>) -> Result<()>,
    ) -> Result<()> {
        let mut digests = BufReader::new(self.digests);
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
