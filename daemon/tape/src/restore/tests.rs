//! Restores of what our own backup wrote to a library of small virtual tapes, and of what PBS wrote.

mod choice;
pub(crate) mod damage;
mod lost_media;
mod pbs;
pub(crate) mod rig;

use std::fs;

use reel_store::{VerifyOutcome, VerifyState};
use reel_types::TaskStopped;

use super::*;
use crate::state_dir::LOCK_WAIT;
use rig::{Rig, is_stop};

pub(crate) const VM: &str = "vm/100/2024-06-05T08:00:00Z";
pub(crate) const VM_LATER: &str = "vm/100/2024-06-06T08:00:00Z";
pub(crate) const NESTED: &str = "ns/a/ns/b/host/x/2024-06-05T08:00:00Z";

/// Three snapshots on two media.
pub(crate) fn three_snapshots() -> Rig {
    let rig = Rig::new();
    rig.snapshot(VM, &[1, 2, 3]);
    rig.snapshot(VM_LATER, &[1, 4, 3]);
    rig.snapshot(NESTED, &[5]);
    rig.back_up();
    assert!(rig.members().len() > 1, "the set should need several media");
    rig
}

#[test]
fn all_of_a_set_comes_back_byte_for_byte_and_unverified() {
    let rig = three_snapshots();
    let restored = rig.restore(&rig.job()).unwrap();
    assert_eq!((restored.restored, restored.skipped.len()), (3, 0));
    rig.assert_same([VM, VM_LATER, NESTED]);
    assert_eq!(rig.target.owner(&path(NESTED).group_path()).unwrap(), rig::owner());
    rig.oracle();
}

#[test]
fn a_verification_there_says_nothing_here() {
    let rig = Rig::new();
    rig.snapshot(VM, &[1]);
    let state = VerifyState { upid: "UPID:x".into(), state: VerifyOutcome::Ok };
    rig.source.update_manifest(&path(VM), |manifest| manifest.set_verify_state(&state)).unwrap();
    rig.back_up();
    rig.restore(&rig.job()).unwrap();
    let manifest = |store: &Datastore| store.manifest(&path(VM)).unwrap();
    assert!(manifest(&rig.source).verify_state().unwrap().is_some());
    assert!(manifest(&rig.target).verify_state().unwrap().is_none());
    rig.assert_same([VM]);
}

#[test]
fn what_is_there_is_skipped_and_the_rest_restored() {
    let rig = three_snapshots();
    rig.restore(&rig.job()).unwrap();
    fs::remove_dir_all(rig.target.base().join(path(VM_LATER).path())).unwrap();
    let lost = rig.chunk_path(&rig.target, 4);
    fs::remove_file(&lost).unwrap();
    let again = rig.restore(&rig.job()).unwrap();
    assert_eq!(again.restored, 1);
    let (vm, nested) = (format!("store1:{VM}"), format!("store1:{NESTED}"));
    assert_eq!(BTreeSet::from_iter(again.skipped), BTreeSet::from([vm, nested]));
    rig.assert_same([VM, VM_LATER, NESTED]);
}

#[test]
fn an_unfinished_snapshot_and_an_empty_chunk_file_are_replaced() {
    let rig = three_snapshots();
    let folder = rig.target.base().join(path(VM).path());
    fs::create_dir_all(&folder).unwrap();
    fs::write(rig.target.base().join("vm/100/owner"), format!("{}\n", rig::owner())).unwrap();
    fs::write(folder.join("disk.img.fidx"), b"half").unwrap();
    fs::write(rig.chunk_path(&rig.target, 1), b"").unwrap();
    rig.restore(&rig.job()).unwrap();
    rig.assert_same([VM, VM_LATER, NESTED]);
}

#[test]
fn a_foreign_group_is_left_out_and_the_rest_is_restored() {
    let rig = three_snapshots();
    let group = path(VM).group_path();
    drop(rig.target.create_group(&group, &"other@pbs".parse().unwrap()).unwrap());
    let error = rig.restore(&rig.job()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Unfinished(_)), "{text}");
    assert!(text.contains(VM) && text.contains(VM_LATER) && !text.contains(NESTED), "{text}");
    assert!(rig.task.has_warning("other@pbs"), "{:?}", rig.task.lines());
    rig.assert_same([NESTED]);
    assert!(rig.target.snapshots(&group).unwrap().items.is_empty());
}

#[test]
fn stores_without_target_stay_out_and_keep_their_catalog() {
    let rig = three_snapshots();
    let job = RestoreJob { map: "other=store2".parse().unwrap(), ..rig.job() };
    let catalogs = || rig.members().map(|member| rig.catalog_records(&member)).collect::<Vec<_>>();
    let before = catalogs();
    let summary = rig.restore(&job).unwrap();
    assert_eq!(summary, RestoreSummary::default());
    assert_eq!(catalogs(), before);
    assert!(rig.target.groups(&reel_types::Namespace::root()).unwrap().items.is_empty());
}

#[test]
fn sets_that_cannot_be_restored_are_refused_at_once() {
    let rig = three_snapshots();
    let unknown = RestoreJob { sets: vec![MediaSetId(uuid::Uuid::nil())], ..rig.job() };
    assert!(matches!(check(&rig.env, &unknown), Err(Error::SetUnknown { .. })));
    let nowhere = RestoreJob { stores: BTreeMap::new(), ..rig.job() };
    assert!(matches!(check(&rig.env, &nowhere), Err(Error::InvalidInput(_))));
    let twice = ["store=store1,target=a", "store=store1,target=b"];
    let twice = twice.iter().map(|map| map.parse().unwrap()).collect();
    let twice = RestoreJob { namespaces: twice, ..rig.job() };
    assert!(matches!(check(&rig.env, &twice), Err(Error::InvalidInput(_))));
}

#[test]
fn another_medium_of_that_label_is_refused() {
    let rig = three_snapshots();
    let member = rig.members().next().unwrap();
    rig.env
        .inventory
        .update(LOCK_WAIT, |inventory| {
            let mut labels = inventory.require(member.uuid)?.labels.clone();
            let set_label = labels.media_set_label.as_mut().unwrap();
            set_label.uuid = MediaSetId(uuid::Uuid::from_u128(99));
            set_label.seq_nr = 0;
            inventory.store(labels, false);
            Ok(())
        })
        .unwrap();
    let set = MediaSetId(uuid::Uuid::from_u128(99));
    let error = rig.restore(&RestoreJob { sets: vec![set], ..rig.job() }).unwrap_err();
    assert!(matches!(error, Error::Unfinished(_)), "{error}");
    let text = format!("media '{}' can't be read: expected media", member.label);
    assert!(rig.task.has_warning(&text), "{:?}", rig.task.lines());
    assert_eq!(rig.target_chunks().len(), 0);
}

#[test]
fn a_restore_that_was_stopped_leaves_whole_snapshots_only_and_goes_on_later() {
    for point in ["restore: chunks stored", "restore: snapshot stored"] {
        let rig = three_snapshots();
        rig.stop_at(point);
        let error = rig.restore(&rig.job()).unwrap_err();
        assert!(is_stop(&error), "{error}");
        let finished = rig.finished_in_target();
        assert_eq!(finished.len(), usize::from(point == "restore: snapshot stored"), "{point}");
        finished.iter().for_each(|path| rig.assert_same([path.to_string().as_str()]));
        rig.stop_nowhere();
        rig.restore(&rig.job()).unwrap();
        rig.assert_same([VM, VM_LATER, NESTED]);
    }
}

#[test]
fn a_stopped_task_does_nothing() {
    let rig = three_snapshots();
    rig.task.cancel.cancel();
    assert!(matches!(rig.restore(&rig.job()), Err(Error::Stopped(TaskStopped))));
    assert_eq!(rig.target_chunks().len(), 0);
}

#[test]
fn a_datastore_that_fails_ends_the_restore() {
    let rig = three_snapshots();
    let folder = rig.chunk_path(&rig.target, 2);
    fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    let error = rig.restore(&rig.job()).unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
}

fn path(text: &str) -> reel_types::SnapshotPath {
    text.parse().unwrap()
}
