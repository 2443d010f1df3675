//! Where the content of a file in a media set lies, as extended attributes. Asking moves no tape.

use std::fs::File;
use std::path::Path;

use reel_store::{CryptConfig, Index};
use reel_tape::plan::{Planner, ReadPlan};
use reel_tape::set_contents::Target;
use reel_tape::snapshot_files::SnapshotOnSet;
use reel_types::ArchiveKind;

use super::Tree;
use crate::failure::{Failure, Outcome};

const TAPES: &str = "user.reelfs.tapes";
const ORDER: &str = "user.reelfs.order";
const BYTES: &str = "user.reelfs.bytes";
const STAGED: &str = "user.reelfs.staged";

/// The names of the attributes.
pub(super) const ATTRIBUTES: [&str; 4] = [TAPES, ORDER, BYTES, STAGED];

/// Where a file's chunks lie.
pub(super) struct TapePlaces {
    plan: ReadPlan,
    /// The first place on tape that reading goes to; none where all is staged.
    first: Option<Position>,
}

/// Medium of the set, file and block on it: the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    seq_nr: u64,
    file: u64,
    block: u32,
}

impl Position {
    fn of(target: &Target) -> Self {
        let block = target.place.map_or(0, |place| place.block);
        Self { seq_nr: target.medium.seq_nr, file: target.file.0, block }
    }

    /// Text whose alphabetic order is that of reading.
    fn text(self) -> String {
        format!("{:04}:{:06}:{:06}", self.seq_nr, self.file, self.block)
    }
}

impl TapePlaces {
    /// Looks up all chunks of the index at `path`, less the holes of an image, which nobody reads: those of
    /// an encrypted one are known with its key alone.
    pub(super) fn of(
        tree: &Tree,
        on_set: &SnapshotOnSet,
        kind: ArchiveKind,
        path: &Path,
        crypt: Option<&CryptConfig>,
    ) -> Outcome<Self> {
        let reeld = &tree.reeld;
        let named = |error: std::io::Error| {
            let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
            Failure::new(errno, format!("open '{}': {error}", path.display()))
        };
        let index = Index::open(kind, File::open(path).map_err(named)?)?;
        let contents = reeld.set_contents(on_set.set)?;
        let mut planner = Planner::default();
        let mut first = None;
        reeld.visit_read(&contents, &on_set.store, &index, crypt, |entry, target, staged| {
            planner.add(target, entry.size(), staged);
            let place = target.filter(|_| !staged).map(Position::of);
            first = [first, place].into_iter().flatten().min();
        })?;
        Ok(Self { plan: planner.finish(), first })
    }

    /// The value of one of [`ATTRIBUTES`].
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let media = &self.plan.media;
        match name {
            TAPES => {
                let labels: Vec<&str> =
                    media.iter().map(|medium| medium.medium.label_text.as_str()).collect();
                Some(labels.join(","))
            }
            ORDER => Some(self.first.map(Position::text).unwrap_or_default()),
            BYTES => Some(media.iter().map(|medium| medium.bytes).sum::<u64>().to_string()),
            STAGED => Some(media.iter().map(|medium| medium.staged_bytes).sum::<u64>().to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_position_sorts_as_it_is_read() {
        let at = |seq_nr, file, block| Position { seq_nr, file, block };
        let mut texts =
            [at(1, 2, 0), at(0, 10, 5), at(0, 9, 100), at(0, 10, 40)].map(Position::text);
        texts.sort();
        assert_eq!(
            texts,
            [
                "0000:000009:000100",
                "0000:000010:000005",
                "0000:000010:000040",
                "0001:000002:000000",
            ]
        );
    }
}
