//! What reading from a media set would cost; asking moves no tape.

use std::fs::File;

use reel_store::{ChunkIndex, Index, Manifest};
use reel_tape::plan::{Planner, ReadPlan};
use reel_tape::set_contents::{SetContents, SetSnapshot};
use reel_tape::snapshot_files::{KeptSnapshot, SnapshotOnSet};
use reel_types::commands::MediaSetPlan;
use reel_types::{ArchiveKind, ArchiveName, MediaSetId, StoreName};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn media_set_plan(&self, command: &MediaSetPlan) -> Outcome<Done> {
        let wanted = &command.snapshots;
        let plan = self.plan_of(command.media_set, |found| {
            wanted.is_empty()
                || wanted.iter().any(|one| one.store == found.store && one.path == found.path)
        })?;
        Done::data(plan.entries())
    }

    /// What reading all content of the `wanted` snapshots would cost. It takes their indexes: while one was never read
    /// from tape this fails, for a plan without it would promise too little.
    pub(crate) fn plan_of(
        &self,
        set: MediaSetId,
        wanted: impl Fn(&SetSnapshot) -> bool,
    ) -> Outcome<ReadPlan> {
        let contents = self.set_contents(set)?;
        let mut planner = Planner::default();
        let mut unread = 0;
        for found in contents.snapshots().into_iter().filter(|found| wanted(found)) {
            let on_set =
                SnapshotOnSet { set, store: found.store.clone(), path: found.path.clone() };
            match self.tape.snapshots.get(&on_set) {
                Some(files) => self.plan_snapshot(&contents, &found.store, &files, &mut planner)?,
                None => unread += 1,
            }
        }
        if unread > 0 {
            let why = format!(
                "plan reading from media set {set}: the indexes of {unread} snapshots were never read"
            );
            return Err(Failure::new(nix::libc::ENODATA, why + "; 'fetch' reads them"));
        }
        Ok(planner.finish())
    }

    fn plan_snapshot(
        &self,
        contents: &SetContents,
        store: &StoreName,
        files: &KeptSnapshot,
        planner: &mut Planner,
    ) -> Outcome<()> {
        let name: ArchiveName = ArchiveName::MANIFEST.parse()?;
        let manifest = Manifest::from_raw(std::fs::read(files.path(&name))?.into())?;
        for file in manifest.files() {
            if file.name.kind() != ArchiveKind::Blob {
                let index = Index::open(file.name.kind(), files.open(&file.name)?)?;
                self.plan_index(contents, store, &index, planner)?;
            }
        }
        Ok(())
    }

    fn plan_index(
        &self,
        contents: &SetContents,
        store: &StoreName,
        index: &Index<File>,
        planner: &mut Planner,
    ) -> Outcome<()> {
        for entry in index.entries(0..index.chunk_count()) {
            let entry = entry?;
            let targets = contents.targets(&self.tape.places, store, &entry.digest)?;
            planner.add(targets.first(), entry.size(), self.is_staged(&entry.digest));
        }
        Ok(())
    }
}
