//! What reading from a media set would cost; asking moves no tape.

use std::fs::File;

use reel_store::{ChunkIndex, CryptConfig, CryptMode, Index, IndexEntry, Manifest};
use reel_tape::plan::{Planner, ReadPlan};
use reel_tape::set_contents::{SetContents, SetMedium, SetSnapshot, Target};
use reel_tape::snapshot_files::{KeptSnapshot, SnapshotOnSet};
use reel_types::commands::{Fetch, MediaSetPlan, TapeGroup, TapeSnapshot};
use reel_types::{ArchiveKind, ArchiveName, MediaSetId, StoreName};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// Some snapshots of a media set; all where none is named.
pub(super) struct Choice {
    snapshots: Vec<TapeSnapshot>,
    groups: Vec<TapeGroup>,
}

impl From<&MediaSetPlan> for Choice {
    fn from(command: &MediaSetPlan) -> Self {
        Self { snapshots: command.snapshots.clone(), groups: command.groups.clone() }
    }
}

impl From<&Fetch> for Choice {
    fn from(command: &Fetch) -> Self {
        Self { snapshots: command.snapshots.clone(), groups: command.groups.clone() }
    }
}

impl Choice {
    /// Whether a snapshot is one of them.
    pub(super) fn contains(&self, found: &SetSnapshot) -> bool {
        let is_all = self.snapshots.is_empty() && self.groups.is_empty();
        let of_group =
            |one: &TapeGroup| one.store == found.store && one.path == found.path.group_path();
        is_all
            || self.snapshots.iter().any(|one| one.store == found.store && one.path == found.path)
            || self.groups.iter().any(of_group)
    }
}

impl Reeld {
    pub(super) fn media_set_plan(&self, command: &MediaSetPlan) -> Outcome<Done> {
        let wanted = Choice::from(command);
        let mut plan = self.plan_of(command.media_set, |found| wanted.contains(found))?;
        plan.reckon(|medium| self.libraries.reckoning(medium), |medium| self.is_in_drive(medium));
        Done::data(plan.entries())
    }

    fn is_in_drive(&self, medium: &SetMedium) -> bool {
        let drive = self.libraries.drive_for(medium);
        drive.is_some_and(|desk| desk.loaded().as_ref() == Some(&medium.label_text))
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
        let fingerprint = manifest.key_fingerprint()?;
        let key =
            fingerprint.map(|fingerprint| self.client_key_of_any(&fingerprint)).transpose()?;
        let key = key.flatten();
        for file in manifest.files() {
            if file.name.kind() == ArchiveKind::Blob {
                continue;
            }
            let index = Index::open(file.name.kind(), files.open(&file.name)?)?;
            let crypt = key.as_deref().filter(|_| file.crypt_mode == CryptMode::Encrypt);
            self.visit_read(contents, store, &index, crypt, |entry, target, staged| {
                planner.add(target, entry.size(), staged);
            })?;
        }
        Ok(())
    }

    /// Hands out the chunks of an index that its reader reads, each with the place where that is and whether it is in
    /// the cache: the holes of an image aren't read. Those of an encrypted one are known with its key `crypt` alone.
    pub(crate) fn visit_read(
        &self,
        contents: &SetContents,
        store: &StoreName,
        index: &Index<File>,
        crypt: Option<&CryptConfig>,
        mut visit: impl FnMut(&IndexEntry, Option<&Target>, bool),
    ) -> Outcome<()> {
        let is_image = matches!(index, Index::Fixed(_));
        for entry in index.entries(0..index.chunk_count()) {
            let entry = entry?;
            if is_image && self.holes.contain(&entry, crypt) {
                continue;
            }
            let targets = contents.targets(&self.tape.places, store, &entry.digest)?;
            visit(&entry, targets.first(), self.is_staged(&entry.digest));
        }
        Ok(())
    }
}
