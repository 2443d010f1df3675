//! Which archives of which media have the chunks that the targets lack.
//!
//! A set may have many millions of chunks, so the plan is a file: the catalogs are read once, in the order of the
//! media, and each wanted chunk is written down where it is met first. That order is already the order of reading.

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

    fn contains(&self, store: &StoreName, digest: &Digest) -> bool {
        self.0.get(store).is_some_and(|set| set.contains(digest.as_bytes()))
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

/// Finds the wanted chunks in the catalogs. What is in none is left out.
pub(super) fn plan<'a>(run: &Run<'a>, wanted: &WantedChunks) -> Result<Vec<MediumPlan<'a>>> {
    let mut planned = WantedChunks::default();
    let mut plans = Vec::new();
    for member in run.members.iter() {
        let plan = plan_medium(run, member, wanted, &mut planned)?;
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
    planned: &mut WantedChunks,
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
            CatalogRecord::Chunk(digest) => {
                let is_new = current.as_ref().is_some_and(|(_, store)| {
                    wanted.contains(store, &digest) && !planned.contains(store, &digest)
                });
                if is_new {
                    chunks.push(*digest.as_bytes());
                }
            }
            // Chunks count with the end of their archive.
            CatalogRecord::ChunkArchiveEnd { .. } if !chunks.is_empty() => {
                chunks.sort_unstable();
                chunks.dedup();
                if let Some((file, store)) = current.take() {
                    planned.add(run, &store, &chunks)?;
                    digests.write_all(chunks.as_flattened()).map_err(tried())?;
                    archives.push(PlannedArchive { file, store, chunks: chunks.len() });
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
