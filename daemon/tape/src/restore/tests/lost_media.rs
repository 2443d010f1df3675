//! Media that are missing or can't be read cost what was on them alone, and not even that where another set has it.

use std::fs;

use super::super::*;
use super::rig::Rig;
use super::{NESTED, VM, VM_LATER, path, three_snapshots};
use crate::state_dir::LOCK_WAIT;

fn text_of(error: Error) -> String {
    assert!(matches!(error, Error::Unfinished(_)), "{error}");
    error.to_string()
}

fn wanted(snapshot: &str) -> Vec<TapeSnapshot> {
    vec![format!("store1:{snapshot}").parse().unwrap()]
}

const ON_BOTH: &str = "vm/200/2024-06-05T08:00:00Z";
const LAST: &str = "vm/300/2024-06-05T08:00:00Z";

/// Two snapshots on the first medium, one that begins there, one behind it.
fn four_snapshots() -> Rig {
    let rig = Rig::new();
    rig.snapshot(NESTED, &[5]);
    rig.snapshot(VM, &[1]);
    rig.snapshot(ON_BOTH, &[2, 3]);
    rig.snapshot(LAST, &[7]);
    rig.back_up();
    assert_eq!(rig.members().count(), 2);
    rig
}

#[test]
fn a_tape_that_is_not_there_costs_what_was_on_it_and_comes_later() {
    let rig = four_snapshots();
    let last = rig.members().last().unwrap();
    rig.hide_tape(&last.label);
    let text = text_of(rig.restore(&rig.job()).unwrap_err());
    assert!(text.contains(&format!("not restored: store1:{ON_BOTH}, store1:{LAST}; ")), "{text}");
    assert!(rig.task.has_warning(&format!("media '{}' can't be read", last.label)));
    assert!(rig.task.lines().contains(&format!("Not in the library: {}", last.label)));
    rig.assert_same([NESTED, VM]);
    rig.show_tape(&last.label);
    let rest = rig.restore(&rig.job()).unwrap();
    assert_eq!((rest.restored, rest.skipped.len()), (2, 2));
    rig.assert_same([NESTED, VM, ON_BOTH, LAST]);
}

#[test]
fn a_tape_that_nobody_knows_is_named_and_the_rest_comes() {
    let rig = four_snapshots();
    let first = rig.members().next().unwrap();
    rig.env.inventory.update(LOCK_WAIT, |inventory| Ok(inventory.remove(first.uuid))).unwrap();
    let text = text_of(rig.restore(&rig.job()).unwrap_err());
    let missing = format!("media set {} is incomplete (missing member 0)", rig.set());
    assert!(text.contains(&missing), "{text}");
    rig.assert_same([LAST]);
    let choice = RestoreJob { snapshots: wanted(LAST), ..rig.job() };
    fs::remove_dir_all(rig.target.base().join(path(LAST).path())).unwrap();
    assert_eq!(rig.restore(&choice).unwrap().restored, 1);
    assert!(rig.task.has_warning(&missing), "{:?}", rig.task.lines());
}

#[test]
fn a_label_that_cannot_be_read_costs_its_tape_alone() {
    let rig = four_snapshots();
    let first = rig.members().next().unwrap();
    let file = rig.tape_file(&first.label, 0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[..16].fill(0);
    fs::write(&file, bytes).unwrap();
    let text = text_of(rig.restore(&rig.job()).unwrap_err());
    assert!(text.contains(VM) && text.contains(ON_BOTH) && !text.contains(LAST), "{text}");
    rig.assert_same([LAST]);
}

#[test]
fn what_a_lost_tape_held_is_taken_from_another_set() {
    for snapshots in [Vec::new(), wanted(VM_LATER)] {
        let rig = three_snapshots();
        let set = rig.set();
        let members: Vec<_> = rig.members().collect();
        rig.back_up_anew();
        assert_ne!(rig.set(), set);
        members.iter().for_each(|member| rig.hide_tape(&member.label));
        let is_choice = !snapshots.is_empty();
        let job = RestoreJob { sets: vec![set], snapshots, ..rig.job() };
        let restored = rig.restore(&job).unwrap();
        assert_eq!(restored.restored, if is_choice { 1 } else { 3 });
        let from = format!("of media set {}", rig.set());
        let told = |line: &String| line.contains("missing chunks are on") && line.ends_with(&from);
        assert!(rig.task.lines().iter().any(told), "{:?}", rig.task.lines());
        rig.assert_same([VM_LATER]);
    }
}

#[test]
fn a_set_in_use_or_in_a_vault_gives_nothing_and_is_named() {
    let rig = three_snapshots();
    let set = rig.set();
    let members: Vec<_> = rig.members().collect();
    rig.back_up_anew();
    members.iter().for_each(|member| rig.hide_tape(&member.label));
    let job = RestoreJob { sets: vec![set], ..rig.job() };
    let in_use = rig.env.state.lock_media_set(rig.set(), LOCK_WAIT).unwrap();
    let text = text_of(rig.restore(&job).unwrap_err());
    assert!(text.contains(VM) && text.contains(VM_LATER) && text.contains(NESTED), "{text}");
    let busy = format!("media set {} is in use: not looking for chunks there", rig.set());
    assert!(rig.task.lines().contains(&busy));
    drop(in_use);
    let others: Vec<_> = rig.members().collect();
    others.iter().for_each(|member| rig.hide_tape(&member.label));
    text_of(rig.restore(&job).unwrap_err());
    let bring = format!("can be had if you bring media '{}'", others[0].label);
    assert!(rig.task.lines().iter().any(|line| line.contains(&bring)), "{:?}", rig.task.lines());
}

#[test]
fn several_sets_complete_each_other() {
    let rig = three_snapshots();
    let first = rig.set();
    let lost = rig.members().last().unwrap();
    let later = "vm/101/2024-06-07T08:00:00Z";
    rig.snapshot(later, &[6]);
    rig.back_up_anew();
    rig.hide_tape(&lost.label);
    let job = RestoreJob { sets: vec![first, rig.set()], ..rig.job() };
    assert_eq!(rig.restore(&job).unwrap().restored, 4);
    rig.assert_same([VM, VM_LATER, NESTED, later]);
}

#[test]
fn chosen_snapshots_are_looked_for_on_each_set_and_taken_once() {
    let rig = three_snapshots();
    let first = rig.set();
    let later = "vm/101/2024-06-07T08:00:00Z";
    rig.snapshot(later, &[6]);
    rig.back_up_anew();
    let snapshots = [VM, later, "vm/1/2024-06-07T08:00:00Z"].map(wanted).concat();
    let job = RestoreJob { sets: vec![first, rig.set()], snapshots, ..rig.job() };
    let restored = rig.restore(&job).unwrap();
    assert_eq!((restored.restored, restored.skipped.len()), (2, 1), "{:?}", rig.task.lines());
    let unknown = |line: &&String| line.contains("did not find snapshot");
    assert_eq!(rig.task.lines().iter().filter(unknown).count(), 1);
    rig.assert_same([VM, later]);
}
