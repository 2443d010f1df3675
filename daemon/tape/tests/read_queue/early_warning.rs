//! A backup that died behind the early warning, on a drive whose count of what is on a medium does not tell that it
//! warned: an LTO drive warns long before its medium has all it takes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reel_hw::MemoryLibrary;
use reel_hw::memory::MediumLimits;
use reel_hw::number::{Capacity, VolumeTag};
use reel_store::plain_digest;
use reel_tape::backup::{BackupSummary, backup};
use reel_tape::medium::load_by_label;
use reel_tape::ops::label_medium;
use reel_tape::set_contents::SetContents;
use reel_types::CommitPoints;
use reel_types::{Cancel, LabelText, MediaStatus, NoTask};

use crate::support::{
    BLOCK, CHUNK, CountingOpener, datastore_with, desk, incompressible, job, tape_env_with,
};

/// Where the first medium warns: in its third chunk.
const WARNING: Capacity = Capacity(40 * BLOCK);
const END: Capacity = Capacity(72 * BLOCK);
const LABELS: [&str; 2] = ["A00001L8", "A00002L8"];

/// Dies at the first chunk archive.
#[derive(Default)]
struct DieOnce(AtomicBool);

impl CommitPoints for DieOnce {
    fn reached(&self, name: &'static str) {
        let died = name == "backup: chunk archive written" && !self.0.swap(true, Ordering::Relaxed);
        assert!(!died, "killed");
    }
}

#[test]
fn a_medium_that_warned_before_a_crash_is_full_after_the_next_block() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let tags = LABELS.map(|label| VolumeTag::new(label).unwrap());
    let limits = MediumLimits { early_warning: WARNING, end: END };
    let (library, drive) = MemoryLibrary::with_loaded_drive(&tags[0], limits).unwrap();
    drop(drive);
    library.add_medium(&tags[1], MediumLimits::NONE).unwrap();
    let desk = desk(CountingOpener::memory(library.clone()), &base.join("run"));
    let (state, cache) = (base.join("state"), base.join("cache"));
    let env = tape_env_with(&state, &cache, Arc::new(DieOnce::default()));
    let image = incompressible(5 * CHUNK);
    let store = datastore_with(base, "store1", &image);

    let hold = || desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
    let task = NoTask::default();
    for label in LABELS {
        let (label, pool): (LabelText, _) = (label.parse().unwrap(), "daily".parse().unwrap());
        load_by_label(&mut hold(), &label).unwrap();
        label_medium(&env, &mut hold(), &label, Some(&pool), &task).unwrap();
    }
    let run = || {
        let mut done = BackupSummary::default();
        backup(&env, &mut hold(), &job(&store), &mut done, &task).map(|()| done)
    };
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    let bytes = || library.medium(&tags[0], |medium| medium.bytes()).unwrap().bytes();
    let at_crash = bytes();
    assert!(at_crash > WARNING.bytes() && at_crash < END.bytes());

    let set = run().unwrap().set.unwrap();
    assert!(bytes() <= at_crash + 2 * BLOCK, "{} blocks", (bytes() - at_crash) / BLOCK);
    let inventory = env.inventory.load().unwrap();
    let first = inventory.find_by_label_text(&LABELS[0].parse().unwrap()).unwrap().unwrap();
    assert_eq!(first.status, Some(MediaStatus::Full));
    let contents = SetContents::open(&env, &inventory, set).unwrap();
    assert_eq!(contents.members().len(), 2);
    for chunk in image.chunks(CHUNK) {
        let targets = contents.targets(&env.places, store.name(), &plain_digest(chunk)).unwrap();
        assert!(!targets.is_empty());
    }
}
