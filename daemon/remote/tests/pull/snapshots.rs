//! Which snapshots go over, and what an earlier pull left.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use reel_store::{VerifyOutcome, VerifyState};

use crate::scene::*;

/// `sync.md` §14, test vector 4, on disk.
#[test]
fn the_table_of_what_is_taken() {
    /// The newest here, the source's, how many of them are wanted, which are here then.
    type Row = (Option<i64>, &'static [i64], Option<u64>, &'static [i64]);
    let rows: [Row; 10] = [
        (None, &[1, 2, 3], None, &[1, 2, 3]),
        (Some(2), &[1, 2, 3], None, &[2, 3]),
        (Some(3), &[1, 2, 3], None, &[3]),
        (Some(4), &[1, 2, 3], None, &[4]),
        (Some(2), &[1, 3, 4, 5], None, &[2, 3, 4, 5]),
        (None, &[1, 2, 3, 4], Some(2), &[3, 4]),
        (Some(1), &[1, 2, 3, 4], Some(2), &[1, 3, 4]),
        (Some(2), &[1, 2, 3, 4], Some(1), &[2, 4]),
        (Some(2), &[1, 3, 4, 5], Some(1), &[2, 3, 5]),
        (None, &[1, 2], Some(5), &[1, 2]),
    ];
    for (newest, there, transfer_last, expected) in rows {
        let scene = Scene::new();
        there.iter().for_each(|second| scene.source.add(&vm100(*second), &owner(), &[]));
        newest.iter().for_each(|second| scene.target.add(&vm100(*second), &owner(), &[]));
        scene.pull(|job| job.transfer_last = transfer_last).clean();
        let expected: Vec<_> = expected.iter().map(|second| vm100(*second)).collect();
        assert_eq!(scene.target.snapshots(""), expected, "{newest:?} {there:?} {transfer_last:?}");
    }
}

#[test]
fn a_copy_is_the_same_to_the_byte_and_a_second_pull_changes_nothing() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[1, 2, 1]);
    scene.source.add(&vm100(2), &owner(), &[2, 3]);
    scene.source.add("ct/200/2024-06-05T08:00:00Z", &owner(), &[1]);
    let pulled = scene.pull(|_| {});
    let summary = pulled.clean();
    assert_eq!((summary.groups, summary.snapshots, summary.chunks), (2, 3, 3));
    assert_eq!(scene.target.files(), scene.source.files());
    assert_eq!(scene.target.chunks(), scene.source.chunks());

    let inodes = |path: &str| fs::metadata(scene.target.base.join(path)).unwrap().ino();
    let manifest = format!("{}/index.json.blob", vm100(2));
    let before = inodes(&manifest);
    let again = scene.pull(|_| {});
    assert_eq!((again.clean().chunks, again.clean().bytes), (0, 0));
    assert!(again.has_said("no data changes"));
    assert_eq!(inodes(&manifest), before);
    assert_eq!(scene.target.files(), scene.source.files());
}

#[test]
fn the_newest_is_taken_again_and_the_sources_manifest_wins() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[1]);
    scene.pull(|_| {}).clean();
    scene.target.store.set_notes(&snapshot(&vm100(1)), "ours").unwrap();
    let stranger = scene.target.base.join(vm100(1)).join("old.img.fidx");
    fs::write(&stranger, b"of an earlier content").unwrap();
    scene.target.store.set_protected(&snapshot(&vm100(1)), true).unwrap();
    let pulled = scene.pull(|_| {});
    assert_eq!(pulled.clean().chunks, 0);
    assert_eq!(scene.target.store.notes(&snapshot(&vm100(1))).unwrap(), "");
    assert!(!stranger.exists());
    let is_protected = scene.target.store.is_protected(&snapshot(&vm100(1))).unwrap();
    assert!(is_protected, "the mark of protection is not the source's to take");
}

#[test]
fn the_mark_of_protection_does_not_go_over() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[]);
    scene.source.store.set_protected(&snapshot(&vm100(1)), true).unwrap();
    scene.pull(|_| {}).clean();
    assert!(!scene.target.store.is_protected(&snapshot(&vm100(1))).unwrap());
}

#[test]
fn what_an_interrupted_pull_left_is_used_and_completed() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[1, 2]);
    scene.pull(|_| {}).clean();
    let folder = scene.target.base.join(vm100(1));
    let remove = |name: &str| fs::remove_file(folder.join(name)).unwrap();
    remove("index.json.blob");
    remove("qemu-server.conf.blob");
    fs::write(folder.join("drive-scsi0.img.tmp"), b"half an index").unwrap();
    let index = inode(&folder.join("drive-scsi0.img.fidx"));
    let pulled = scene.pull(|_| {});
    assert_eq!((pulled.clean().chunks, pulled.clean().snapshots), (0, 1));
    assert!(pulled.has_said("re-sync"));
    assert_eq!(inode(&folder.join("drive-scsi0.img.fidx")), index, "it was whole");
    assert_eq!(scene.target.files(), scene.source.files());
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn an_unfinished_snapshot_of_the_source_is_passed_over() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[]);
    fs::create_dir(scene.source.base.join(vm100(2))).unwrap();
    let pulled = scene.pull(|_| {});
    assert_eq!(pulled.clean().skipped, 1);
    assert!(pulled.has_said("in progress"));
    assert_eq!(scene.target.snapshots(""), [vm100(1)]);
    assert!(!scene.target.base.join(vm100(2)).exists());
}

#[test]
fn what_a_verification_found_damaged_is_fetched_anew() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[1]);
    scene.source.add(&vm100(2), &owner(), &[2]);
    scene.pull(|_| {}).clean();
    let (digest, _) = chunk(1, None);
    let path = scene.target.store.chunks().path(&digest);
    let mut damaged = fs::read(&path).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&path, &damaged).unwrap();
    let state = VerifyState { upid: "UPID".into(), state: VerifyOutcome::Failed };
    let found = |manifest: &mut reel_store::Manifest| manifest.set_verify_state(&state);
    scene.target.store.update_manifest(&snapshot(&vm100(1)), found).unwrap();

    assert_eq!(scene.pull(|_| {}).clean().chunks, 0, "it is older than the newest here");
    let pulled = scene.pull(|job| job.resync_corrupt = true);
    assert_eq!(pulled.clean().chunks, 1);
    assert!(pulled.has_said("is damaged here"));
    assert_eq!(fs::read(&path).unwrap(), chunk(1, None).1.raw()[..]);
    assert_eq!(scene.target.files(), scene.source.files());
}
