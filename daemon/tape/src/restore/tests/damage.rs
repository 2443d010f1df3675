//! Damaged tapes: what is damaged is named and left out, the rest comes back.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use reel_store::plain_digest;
use reel_types::{Cancel, Digest};

use super::super::*;
use super::rig::{Rig, content};
use super::{NESTED, VM, VM_LATER, path};
use crate::archive::chunk::ChunkEntry;
use crate::catalog_restore::{CatalogOptions, restore_catalog};
use crate::medium::load_by_label;

/// Three snapshots, each with a chunk of its own, on tape.
pub(crate) fn three_alone() -> Rig {
    let rig = Rig::new();
    rig.snapshot(VM, &[1]);
    rig.snapshot(VM_LATER, &[2]);
    rig.snapshot(NESTED, &[3]);
    rig.back_up();
    rig
}

/// A byte on a virtual tape.
pub(crate) struct Spot {
    file: PathBuf,
    offset: usize,
}

impl Spot {
    /// Makes it wrong, or right again.
    pub(crate) fn flip(&self) {
        let mut bytes = fs::read(&self.file).unwrap();
        bytes[self.offset] ^= 1;
        fs::write(&self.file, bytes).unwrap();
    }
}

/// Changes the tape file that holds `needle`, at that place and `behind` bytes further on.
pub(crate) fn damage(rig: &Rig, needle: &[u8], behind: usize) -> Spot {
    for entry in fs::read_dir(rig.folder.path().join("vtape")).unwrap() {
        let file = entry.unwrap().path();
        let bytes = fs::read(&file).unwrap();
        let at = bytes.windows(needle.len()).position(|part| part == needle);
        if let Some(at) = at {
            let spot = Spot { file, offset: at + behind };
            spot.flip();
            return spot;
        }
    }
    panic!("no tape file holds the bytes");
}

fn assert_only_the_later_is_lost(rig: &Rig) {
    let error = rig.restore(&rig.job()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Unfinished(_)), "{text}");
    assert!(text.contains(VM_LATER) && !text.contains(NESTED) && !text.contains(VM), "{text}");
    rig.assert_same([VM, NESTED]);
    assert!(!rig.target.base().join(path(VM_LATER).path()).exists());
}

#[test]
fn a_chunk_with_wrong_crc_costs_its_snapshot_alone() {
    let rig = three_alone();
    damage(&rig, &content(2)[1000..1100], 7);
    assert_only_the_later_is_lost(&rig);
    let digest = plain_digest(&content(2)).to_string();
    assert!(rig.task.has_warning(&digest), "{:?}", rig.task.lines());
}

#[test]
fn a_chunk_that_is_not_what_its_digest_says_is_never_stored() {
    let rig = three_alone();
    let mut wrong = plain_digest(&content(2));
    let header = ChunkEntry::header(&wrong, 0);
    damage(&rig, &header[..40], 39);
    wrong.0[31] ^= 1;
    assert_only_the_later_is_lost(&rig);
    assert!(rig.task.has_warning(&wrong.to_string()), "{:?}", rig.task.lines());
    assert!(!rig.target_chunks().contains(&wrong.to_string()));
}

#[test]
fn a_block_that_cannot_be_read_costs_its_archive_alone() {
    let rig = three_alone();
    // The first block after the one that holds the beginning: its magic is no longer that of a block.
    let digest = plain_digest(&content(2));
    damage_block_behind(&rig, &digest);
    assert_only_the_later_is_lost(&rig);
}

#[test]
fn a_catalog_keeps_what_a_restore_could_not_read() {
    let rig = three_alone();
    let catalogs = || rig.members().map(|member| rig.catalog_records(&member)).collect::<Vec<_>>();
    let before = catalogs();
    damage_block_behind(&rig, &plain_digest(&content(2)));
    rig.restore(&rig.job()).unwrap_err();
    assert_eq!(catalogs(), before);
    assert!(rig.task.lines().iter().any(|line| line.contains("keep the catalog")));
}

pub(crate) fn damage_block_behind(rig: &Rig, digest: &Digest) {
    let block = reel_hw::stream::TAPE_BLOCK_SIZE;
    for entry in fs::read_dir(rig.folder.path().join("vtape")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let Some(at) = bytes.windows(32).position(|part| part == digest.as_bytes()) else {
            continue;
        };
        if bytes.len() < 4 * block {
            continue;
        }
        bytes[(at / block + 1) * block] ^= 1;
        fs::write(&path, bytes).unwrap();
        return;
    }
    panic!("no tape file holds the chunk");
}

#[test]
fn what_is_damaged_may_come_from_elsewhere_later() {
    let rig = three_alone();
    damage(&rig, &content(2)[1000..1100], 7);
    rig.restore(&rig.job()).unwrap_err();
    fs::copy(rig.chunk_path(&rig.source, 2), rig.chunk_path(&rig.target, 2)).unwrap();
    // The damage is still on the tape and still told, but no snapshot lacks anything any more.
    let error = rig.restore(&rig.job()).unwrap_err().to_string();
    assert!(!error.contains("not restored"), "{error}");
    rig.assert_same([VM, VM_LATER, NESTED]);
}

#[test]
fn a_chunk_that_was_written_again_completes_its_snapshot() {
    let rig = three_alone();
    damage(&rig, &content(2)[1000..1100], 7);
    // The pass leaves the damaged chunk out of the catalog, so the next backup writes it again.
    rig.restore(&rig.job()).unwrap_err();
    let newest = "vm/101/2024-06-07T08:00:00Z";
    rig.snapshot(newest, &[2]);
    rig.back_up();
    let error = rig.restore(&rig.job()).unwrap_err().to_string();
    assert!(!error.contains("not restored"), "{error}");
    rig.assert_same([VM, VM_LATER, NESTED, newest]);
}

fn scan_all_tapes(rig: &Rig) {
    let options = CatalogOptions { force: true, scan: true, verbose: false };
    for member in rig.members() {
        let mut hold = rig.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
        load_by_label(&mut hold, &member.label).unwrap();
        restore_catalog(&rig.env, &mut hold, options, &rig.task).unwrap();
    }
}

fn job_for(rig: &Rig, snapshot: &str) -> RestoreJob {
    RestoreJob { snapshots: vec![wanted(snapshot)], ..rig.job() }
}

#[test]
fn a_restore_of_a_snapshot_takes_the_other_copy_of_a_damaged_chunk() {
    let rig = three_alone();
    let spot = damage(&rig, &content(2)[1000..1100], 7);
    // The pass leaves the chunk out of the catalog, so it is written again; then the catalogs name both.
    rig.restore(&rig.job()).unwrap_err();
    rig.snapshot("vm/101/2024-06-07T08:00:00Z", &[2]);
    rig.back_up();
    spot.flip();
    scan_all_tapes(&rig);
    spot.flip();
    assert_eq!(rig.restore(&job_for(&rig, VM_LATER)).unwrap().restored, 1);
    rig.assert_same([VM_LATER]);
    let digest = plain_digest(&content(2)).to_string();
    let names_it = |line: &String| {
        let parts = ["WARN: ", &digest, "L8', file ", "CRC"];
        parts.iter().all(|part| line.contains(part))
    };
    assert!(rig.task.lines().iter().any(names_it), "{:?}", rig.task.lines());
}

#[test]
fn what_lies_behind_a_bad_block_is_restored_whether_its_place_is_known_or_not() {
    for is_known in [true, false] {
        let rig = Rig::new();
        rig.snapshot(VM, &[1, 2, 3]);
        rig.snapshot(VM_LATER, &[1, 3]);
        rig.back_up();
        damage_block_behind(&rig, &plain_digest(&content(2)));
        let medium = rig.members().next().unwrap().uuid;
        if !is_known {
            rig.env.places.forget(medium).unwrap();
        }
        assert_eq!(rig.restore(&job_for(&rig, VM_LATER)).unwrap().restored, 1, "{is_known}");
        rig.assert_same([VM_LATER]);
        let error = rig.restore(&job_for(&rig, VM)).unwrap_err().to_string();
        assert!(error.contains(VM), "{error}");
        let digest = plain_digest(&content(2)).to_string();
        assert!(rig.task.has_warning(&digest), "{:?}", rig.task.lines());
        let last = rig.env.places.find(medium, rig.set(), &plain_digest(&content(3))).unwrap();
        assert!(!last.is_empty(), "it passed by, so its place is known now");
    }
}

#[test]
fn broken_kept_files_are_read_anew() {
    let rig = three_alone();
    rig.restore(&rig.job()).unwrap();
    let set = rig.set().to_string();
    let kept = rig.folder.path().join("cache/snapshots").join(set).join("store1");
    for restore in [rig.job(), RestoreJob { snapshots: vec![wanted(VM)], ..rig.job() }] {
        let folder = rig.target.base().join(path(VM).path());
        fs::remove_dir_all(&folder).unwrap();
        let index = kept.join(path(VM).path()).join("disk.img.fidx");
        let mut bytes = fs::read(&index).unwrap();
        bytes[4096] ^= 1;
        fs::write(&index, bytes).unwrap();
        assert_eq!(rig.restore(&restore).unwrap().restored, 1);
        rig.assert_same([VM, VM_LATER, NESTED]);
    }
}

fn wanted(text: &str) -> TapeSnapshot {
    format!("store1:{text}").parse().unwrap()
}
