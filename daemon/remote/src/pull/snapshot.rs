//! One snapshot: its chunks, its files, the manifest last (`sync.md` §7).

use std::fs::File;
use std::time::Instant;

use bytes::Bytes;
use reel_store::datastore::{CopiedFile, SnapshotCopy};
use reel_store::{CHUNK_ENCODED_MAX, Manifest, ManifestFile, StoreErrorKind};
use reel_types::{ArchiveKind, ArchiveName, Snapshot, human_bytes_binary};

use super::PullError;
use super::archive::{Archive, Walk};
use super::group::PulledGroup;
use super::report::rate;
use super::source::{Source, SourceFiles};

/// Longest blob, in bytes.
const BLOB_MAX: u64 = CHUNK_ENCODED_MAX as u64;
/// Bytes of an index for each piece of the image or stream, and of its header: no client makes chunks that are so small
/// on the average.
const INDEX_PIECE: u64 = 64 << 10;
const INDEX_ENTRY: u64 = 40;
const INDEX_HEADER: u64 = 4096;
/// The longest index that is taken whatever the manifest tells: of an image of 400 TB.
const INDEX_MAX: u64 = 4 << 30;

/// What came of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is here as it is there.
    Pulled,
    /// It was removed there meanwhile, or has no manifest that can be read.
    Vanished,
}

/// A snapshot that is pulled.
pub(super) struct PulledSnapshot<'s> {
    pub(super) group: &'s PulledGroup<'s>,
    pub(super) snapshot: &'s Snapshot,
    /// Whether its verification here failed: then nothing of it that is here is believed.
    pub(super) is_damaged: bool,
    /// Is told which share of it is done.
    pub(super) tell: &'s dyn Fn(f64),
}

impl PulledSnapshot<'_> {
    pub(super) fn pull(&self) -> Result<Outcome, PullError> {
        let run = self.group.run;
        let (ns, connections) = (&self.group.pair.source, self.group.connections);
        let files = run.job.source.open(&run.network, ns, self.snapshot, connections)?;
        let copy = run.job.target.copy_snapshot(&self.group.path().at(self.snapshot.time))?;
        run.job.commit_points.reached("pull: snapshot made");
        let verb = if copy.is_new() { "sync" } else { "re-sync" };
        self.log(&format!("{verb} snapshot"));
        let pulled = self.pull_files(&copy, &files);
        match &pulled {
            Ok(Outcome::Pulled) if copy.is_new() => self.log("done"),
            Ok(Outcome::Pulled) => {}
            // What a stop leaves is taken up by the next pull.
            Err(error) if error.is_stop() => {}
            Ok(Outcome::Vanished) | Err(_) if copy.is_new() => self.undo(copy),
            _ => {}
        }
        pulled
    }

    fn undo(&self, copy: SnapshotCopy) {
        if let Err(error) = copy.undo() {
            self.group.run.task.warn(&error.to_string());
        }
    }

    fn pull_files(&self, copy: &SnapshotCopy, files: &SourceFiles) -> Result<Outcome, PullError> {
        let run = self.group.run;
        let manifest_name = ArchiveName::MANIFEST.parse()?;
        let file = copy.begin(&manifest_name)?;
        match files.copy(&run.network, &manifest_name, &file, BLOB_MAX) {
            Err(error) if error.is_missing() => {
                self.log("vanished since the sync began");
                return Ok(Outcome::Vanished);
            }
            copied => run.budget.saw_round_trip(copied?),
        }
        run.job.commit_points.reached("pull: manifest received");
        let raw = read_all(&file)?;
        if !self.is_damaged && copy.manifest_raw()?.as_ref() == Some(&raw) {
            self.pull_client_log(copy, files);
            self.log("no data changes");
            file.discard()?;
            return Ok(Outcome::Pulled);
        }
        let manifest = match Manifest::from_raw(raw) {
            Ok(manifest) => manifest,
            Err(error) => return self.pass_over(&error.to_string()),
        };
        let count = manifest.files().len().max(1) as f64;
        for (listed, done) in manifest.files().iter().zip(0..) {
            let tell = |share: f64| (self.tell)((f64::from(done) + share) / count);
            self.pull_file(copy, files, listed, &tell)?;
        }
        copy.finish(&manifest, file)?;
        run.job.commit_points.reached("pull: manifest stored");
        self.pull_client_log(copy, files);
        copy.remove_strangers(&manifest)?;
        Ok(Outcome::Pulled)
    }

    /// A manifest that can't be read at the source stops nothing but its own snapshot.
    fn pass_over(&self, reason: &str) -> Result<Outcome, PullError> {
        let text = self.snapshot.to_string();
        let task = self.group.run.task;
        task.warn(&format!(
            "{text}: its manifest at the source can't be read: {reason}; passed over"
        ));
        Ok(Outcome::Vanished)
    }

    fn pull_file(
        &self,
        copy: &SnapshotCopy,
        files: &SourceFiles,
        listed: &ManifestFile,
        tell: &dyn Fn(f64),
    ) -> Result<(), PullError> {
        let run = self.group.run;
        if !self.is_damaged {
            match copy.is_same(listed) {
                Ok(true) => return Ok(()),
                Ok(false) => self.log(&format!("detected changed file '{}'", listed.name)),
                Err(error) if error.kind() == StoreErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.log(&format!("sync archive {}", listed.name));
        let file = copy.begin(&listed.name)?;
        let began = Instant::now();
        files.copy(&run.network, &listed.name, &file, longest(listed))?;
        file.verify(listed)?;
        if listed.name.kind() != ArchiveKind::Blob {
            run.job.commit_points.reached("pull: index received");
            self.pull_chunks(files, listed, &file, began, tell)?;
            run.job.commit_points.reached("pull: chunks stored");
        }
        file.place()?;
        run.job.commit_points.reached("pull: file stored");
        Ok(())
    }

    fn pull_chunks(
        &self,
        files: &SourceFiles,
        listed: &ManifestFile,
        file: &CopiedFile,
        began: Instant,
        tell: &dyn Fn(f64),
    ) -> Result<(), PullError> {
        let run = self.group.run;
        let index = file.index(listed.name.kind())?;
        let what = format!("'{}' of snapshot '{}'", listed.name, self.snapshot);
        let walk = Walk {
            run,
            files,
            archive: Archive::new(what, listed.crypt_mode),
            name: listed.name.as_str(),
            distrusts: self.is_damaged,
            tell,
        };
        let fetched = walk.fetch_missing(&index)?;
        run.report.count(|summary| {
            summary.chunks += fetched.chunks;
            summary.bytes += fetched.bytes;
        });
        let (size, rate) =
            (human_bytes_binary(fetched.bytes), rate(fetched.bytes, began.elapsed()));
        self.log(&format!("{}: downloaded {size} ({rate})", listed.name));
        Ok(())
    }

    /// The client's log comes when the backup is over, if at all, and is no part of it: nothing depends on it.
    fn pull_client_log(&self, copy: &SnapshotCopy, files: &SourceFiles) {
        let run = self.group.run;
        let pulled = || -> Result<bool, PullError> {
            let name = ArchiveName::CLIENT_LOG.parse()?;
            if matches!(run.job.source, Source::Local(_)) || copy.is_there(&name)? {
                return Ok(false);
            }
            let file = copy.begin(&name)?;
            if let Err(error) = files.copy(&run.network, &name, &file, BLOB_MAX) {
                file.discard()?;
                return Err(error);
            }
            file.place()?;
            Ok(true)
        };
        if pulled().is_ok_and(|is_new| is_new) {
            self.log("got backup log file");
        }
    }

    fn log(&self, line: &str) {
        self.group.run.task.log(&format!("{}: {line}", self.snapshot));
    }
}

/// How long the file of a name may be, by what the manifest tells.
fn longest(listed: &ManifestFile) -> u64 {
    if listed.name.kind() == ArchiveKind::Blob {
        return listed.size.min(BLOB_MAX);
    }
    let pieces = listed.size / INDEX_PIECE + 1024;
    INDEX_MAX.min(INDEX_HEADER + pieces.saturating_mul(INDEX_ENTRY))
}

/// What was written to the file, at most a blob.
fn read_all(file: &CopiedFile) -> Result<Bytes, PullError> {
    use std::os::unix::fs::FileExt;
    let file: &File = file.file();
    let length = file.metadata()?.len().min(BLOB_MAX);
    let mut raw = vec![0; length as usize];
    file.read_exact_at(&mut raw, 0)?;
    Ok(raw.into())
}
