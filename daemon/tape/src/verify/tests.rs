//! Verifications of what our own backup wrote to small virtual tapes.

use std::fs;
use std::time::Duration;

use reel_store::{DataBlob, plain_digest};
use reel_types::Cancel;

use super::*;
use crate::archive::chunk::ChunkEntry;
use crate::restore::tests::damage::{damage, damage_block_behind, three_alone};
use crate::restore::tests::rig::{Rig, content};
use crate::restore::tests::{NESTED, VM, VM_LATER, three_snapshots};

fn verify_set(rig: &Rig) -> Result<VerifySummary> {
    let media = media_of_set(&rig.env.inventory.load().unwrap(), rig.set()).unwrap();
    let mut hold = rig.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
    let mut summary = VerifySummary::default();
    verify(&rig.env, &mut hold, &media, &mut summary, &rig.task).map(|()| summary)
}

fn status_of(rig: &Rig, medium: MediaId) -> Option<MediaStatus> {
    rig.env.inventory.load().unwrap().require(medium).unwrap().status
}

fn record_of(rig: &Rig, medium: MediaId) -> VerifyRecord {
    let inventory = rig.env.inventory.load().unwrap();
    records::of_medium(&rig.env, inventory.require(medium).unwrap()).unwrap().unwrap()
}

#[track_caller]
fn assert_told(rig: &Rig, parts: &[&str]) {
    let told = |line: &String| parts.iter().all(|part| line.contains(part));
    assert!(rig.task.lines().iter().any(told), "{parts:?} in {:#?}", rig.task.lines());
}

#[test]
fn a_good_set_is_told_and_noted_and_nothing_changes() {
    let rig = three_snapshots();
    let members: Vec<_> = rig.members().collect();
    let before: Vec<_> = members.iter().map(|member| rig.catalog_records(member)).collect();
    let statuses: Vec<_> = members.iter().map(|member| status_of(&rig, member.uuid)).collect();
    let summary = verify_set(&rig).unwrap();
    assert_eq!(summary.good.len(), members.len());
    assert!(members.iter().all(|member| record_of(&rig, member.uuid).is_good()));
    let snapshots: u64 = members.iter().map(|member| record_of(&rig, member.uuid).snapshots).sum();
    assert_eq!(snapshots, 3);
    assert_eq!(members.iter().map(|m| rig.catalog_records(m)).collect::<Vec<_>>(), before);
    assert_eq!(members.iter().map(|m| status_of(&rig, m.uuid)).collect::<Vec<_>>(), statuses);
    // What is kept beside goes when the cache goes, and is read again.
    rig.env.snapshots.forget(rig.set()).unwrap();
    verify_set(&rig).unwrap();
}

#[test]
fn a_damaged_chunk_is_named_with_its_snapshot_and_marks_its_medium() {
    let rig = three_alone();
    damage(&rig, &content(2)[1000..1100], 7);
    let error = verify_set(&rig).unwrap_err();
    assert!(matches!(error, Error::Unfinished(_)), "{error}");
    let digest = plain_digest(&content(2)).to_string();
    assert_told(&rig, &["WARN: chunk", &digest, "store1", "no other media has it"]);
    assert_told(&rig, &["WARN: snapshot", VM_LATER, "lacks 1 chunks", "no other media has it"]);
    assert!(!rig.task.has_warning(&format!("snapshot store1:{VM} lacks")));
    let damaged = rig.members().find(|m| status_of(&rig, m.uuid) == Some(MediaStatus::Damaged));
    let record = record_of(&rig, damaged.expect("one is marked").uuid);
    assert_eq!((record.is_good(), record.lost_chunks, record.lost_snapshots), (false, 1, 0));
}

#[test]
fn a_chunk_that_is_not_what_its_digest_says_is_lost() {
    let rig = three_alone();
    let digest = plain_digest(&content(2));
    damage(&rig, &ChunkEntry::header(&digest, 0)[..40], 39);
    verify_set(&rig).unwrap_err();
    assert_told(&rig, &["WARN: chunk", &digest.to_string(), "damaged or not there"]);
}

#[test]
fn a_block_that_cannot_be_read_costs_what_is_behind_it_in_its_archive() {
    let rig = three_alone();
    damage_block_behind(&rig, &plain_digest(&content(2)));
    verify_set(&rig).unwrap_err();
    assert_told(&rig, &["WARN: snapshot", VM_LATER, "lacks 1 chunks"]);
    assert!(!rig.task.has_warning(&format!("snapshot store1:{NESTED} lacks")));
}

#[test]
fn a_damaged_snapshot_archive_is_lost_though_its_files_are_kept() {
    let rig = three_alone();
    let blob = DataBlob::encode(VM_LATER.as_bytes(), None, true).unwrap();
    damage(&rig, blob.raw(), blob.raw().len() - 1);
    verify_set(&rig).unwrap_err();
    assert_told(&rig, &["the archive of snapshot store1:", VM_LATER, "no other media has it"]);
}

#[test]
fn other_sets_that_have_it_are_named() {
    let rig = three_alone();
    let first = rig.set();
    let digest = plain_digest(&content(2));
    let spot = damage(&rig, &content(2)[1000..1100], 7);
    spot.flip();
    rig.back_up_anew();
    spot.flip();
    let other = rig.set().to_string();
    let media = media_of_set(&rig.env.inventory.load().unwrap(), first).unwrap();
    let mut hold = rig.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
    let mut summary = VerifySummary::default();
    verify(&rig.env, &mut hold, &media, &mut summary, &rig.task).unwrap_err();
    assert_eq!(summary.damaged.len(), 1);
    assert_told(&rig, &["WARN: chunk", &digest.to_string(), "also on", &other]);
    assert_told(&rig, &["WARN: snapshot", VM_LATER, "lacks 1 chunks", "also on", &other]);
}

#[test]
fn a_tape_that_is_not_there_is_not_marked_and_the_others_are_verified() {
    let rig = three_snapshots();
    let first = rig.members().next().unwrap();
    let before = status_of(&rig, first.uuid);
    rig.hide_tape(&first.label);
    let error = verify_set(&rig).unwrap_err().to_string();
    assert!(error.contains(&format!("not verified: {}", first.label)), "{error}");
    assert_eq!(status_of(&rig, first.uuid), before);
    let last = rig.members().last().unwrap();
    assert!(record_of(&rig, last.uuid).is_good());
}

#[test]
fn a_record_counts_for_what_it_was_made_of() {
    let rig = three_snapshots();
    let first = rig.members().next().unwrap();
    verify_set(&rig).unwrap();
    let mut entry = rig.env.inventory.load().unwrap().require(first.uuid).unwrap().clone();
    entry.labels.media_set_label.as_mut().unwrap().uuid = MediaSetId(uuid::Uuid::from_u128(9));
    assert_eq!(records::of_medium(&rig.env, &entry).unwrap(), None);
    let file = rig.env.state.path().join("verified").join(format!("{}.json", first.uuid));
    fs::write(&file, b"{").unwrap();
    let entry = rig.env.inventory.load().unwrap().require(first.uuid).unwrap().clone();
    let error = records::of_medium(&rig.env, &entry).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn media_that_hold_nothing_or_are_unknown_are_refused_at_once() {
    let rig = three_alone();
    let inventory = rig.env.inventory.load().unwrap();
    let empty = inventory.iter().find(|entry| entry.assigned_set().is_none()).unwrap().uuid();
    let check = |medium| check(&rig.env, &[medium]);
    assert!(check(empty).unwrap_err().to_string().contains("in no media set"));
    let unknown = MediaId(uuid::Uuid::from_u128(77));
    assert!(matches!(check(unknown), Err(Error::NoSuchMedium { .. })));
    assert!(media_of_set(&inventory, MediaSetId(uuid::Uuid::from_u128(8))).is_err());
}
