//! Restores of some snapshots and namespaces.

use std::fs;

use super::super::*;
use super::rig::{Rig, assert_same_snapshot};
use super::{NESTED, VM, VM_LATER, path, three_snapshots};

fn choose(rig: &Rig, snapshots: &[&str], namespaces: &[&str]) -> RestoreJob {
    RestoreJob {
        snapshots: snapshots.iter().map(|text| text.parse().unwrap()).collect(),
        namespaces: namespaces.iter().map(|text| text.parse().unwrap()).collect(),
        ..rig.job()
    }
}

#[test]
fn one_snapshot_brings_its_own_chunks_only() {
    let rig = three_snapshots();
    let job = choose(&rig, &[&format!("store1:{VM_LATER}")], &[]);
    let summary = rig.restore(&job).unwrap();
    assert_eq!((summary.restored, summary.chunks), (1, 3));
    assert_eq!(rig.target_chunks().len(), 3);
    assert_eq!(rig.finished_in_target(), [path(VM_LATER)]);
    rig.assert_same([VM_LATER]);
    assert!(rig.task.lines().iter().all(|line| !line.contains("read from its beginning")));

    let again = rig.restore(&job).unwrap();
    assert_eq!((again.restored, again.skipped), (0, vec![format!("store1:{VM_LATER}")]));
    assert!(rig.task.lines().iter().any(|line| line.starts_with("nothing to restore")));

    let more = rig.restore(&choose(&rig, &[&format!("store1:{VM}")], &[])).unwrap();
    assert_eq!((more.restored, more.chunks), (1, 1));
    rig.assert_same([VM, VM_LATER]);
}

#[test]
fn without_places_or_kept_files_archives_are_read_from_their_beginning() {
    let rig = three_snapshots();
    rig.members().for_each(|member| rig.env.places.forget(member.uuid).unwrap());
    rig.env.snapshots.forget(rig.set()).unwrap();
    let job = choose(&rig, &[&format!("store1:{VM_LATER}")], &[]);
    let summary = rig.restore(&job).unwrap();
    assert_eq!((summary.restored, summary.chunks), (1, 3));
    rig.assert_same([VM_LATER]);
    assert_eq!(rig.target_chunks().len(), 3);
}

#[test]
fn places_that_lie_are_not_believed() {
    let rig = three_snapshots();
    let set = rig.set();
    for member in rig.members() {
        rig.env.places.forget(member.uuid).unwrap();
        let mut learner = rig.env.places.learn(member.uuid, set).unwrap();
        let mut file = None;
        for record in rig.catalog_records(&member) {
            match record {
                crate::media_catalog::CatalogRecord::ChunkArchiveStart { number, .. } => {
                    learner.begin_archive(number, reel_hw::number::BlockNumber(number.0));
                    file = Some(number);
                }
                crate::media_catalog::CatalogRecord::Chunk(digest) => learner.chunk(&digest, 77),
                crate::media_catalog::CatalogRecord::ChunkArchiveEnd { .. } => {
                    learner.end_archive().unwrap();
                }
                _ => {}
            }
        }
        assert!(file.is_some());
        rig.env.places.store(&mut learner).unwrap();
    }
    rig.restore(&choose(&rig, &[&format!("store1:{VM}")], &[])).unwrap();
    rig.assert_same([VM]);
}

#[test]
fn namespaces_go_where_they_are_mapped() {
    let rig = three_snapshots();
    let maps = ["store=store1,source=a,target=x", "store=store1,source=a/b,target=y"];
    let summary = rig.restore(&choose(&rig, &[], &maps)).unwrap();
    assert_eq!(summary.restored, 2);
    let (x, y) = ("ns/x/ns/b/host/x/2024-06-05T08:00:00Z", "ns/y/host/x/2024-06-05T08:00:00Z");
    for place in [x, y] {
        assert_same_snapshot(&rig.source, &path(NESTED), &rig.target, &path(place));
    }
    assert_eq!(rig.finished_in_target().len(), 2);
}

#[test]
fn what_cannot_be_is_skipped_with_a_warning() {
    let rig = three_snapshots();
    let unknown = "store1:host/nosuch/2024-01-01T00:00:00Z";
    let vm = format!("store1:{VM}");
    let group = path(VM).group_path();
    drop(rig.target.create_group(&group, &"other@pbs".parse().unwrap()).unwrap());
    let nested = format!("store1:{NESTED}");
    let summary = rig.restore(&choose(&rig, &[unknown, &vm, &nested], &[])).unwrap();
    assert_eq!((summary.restored, summary.skipped), (1, vec![unknown.into(), vm]));
    assert!(rig.task.has_warning("did not find snapshot"), "{:?}", rig.task.lines());
    assert!(rig.task.has_warning("other@pbs"), "{:?}", rig.task.lines());
    rig.assert_same([NESTED]);
}

#[test]
fn a_chunk_that_is_gone_costs_the_snapshots_that_need_it() {
    let rig = three_snapshots();
    let job = choose(&rig, &[&format!("store1:{VM}"), &format!("store1:{NESTED}")], &[]);
    for member in rig.members() {
        for file in 2..40 {
            let path = rig.tape_file(&member.label, file);
            let Ok(mut bytes) = fs::read(&path) else { continue };
            let content = super::rig::content(1);
            let needle = &content[2000..2100];
            if let Some(at) = bytes.windows(100).position(|part| part == needle) {
                bytes[at] ^= 1;
                fs::write(&path, bytes).unwrap();
            }
        }
    }
    let error = rig.restore(&job).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Unfinished(_)), "{text}");
    assert!(text.contains(VM) && !text.contains(NESTED), "{text}");
    rig.assert_same([NESTED]);
    assert_eq!(rig.finished_in_target(), [path(NESTED)]);
}

#[test]
fn a_missing_catalog_is_an_error() {
    let rig = three_snapshots();
    let member = rig.members().next().unwrap();
    crate::media_catalog::destroy(&rig.env.state, member.uuid).unwrap();
    let error = rig.restore(&choose(&rig, &[&format!("store1:{VM}")], &[])).unwrap_err();
    assert!(matches!(error, Error::Catalog { .. }), "{error}");
}
