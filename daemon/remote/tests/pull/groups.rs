//! Filters, owners and locks of groups.

use std::fs;

use reel_store::locks::{FolderLock, LockMode};
use reel_types::{GroupFilter, Privilege};

use crate::scene::*;

fn machines(scene: &Scene, ids: impl IntoIterator<Item = u32>) {
    for id in ids {
        scene.source.add(&format!("vm/{id}/2024-06-05T08:00:00Z"), &owner(), &[]);
    }
}

fn ids(store: &Store) -> Vec<u32> {
    let id = |text: String| text.split('/').nth(1).unwrap().parse().unwrap();
    store.snapshots("").into_iter().map(id).collect()
}

/// `sync.md` §14, test vector 1.
#[test]
fn the_table_of_filters() {
    let rows: [(&[&str], &[u32]); 6] = [
        (&[], &[101, 102, 103, 104, 105, 106, 107, 108, 109]),
        (&["regex:.*10[2-8]"], &[102, 103, 104, 105, 106, 107, 108]),
        (&["exclude:regex:.*10[1-3]", "exclude:regex:.*10[5-7]"], &[104, 108, 109]),
        (&["exclude:regex:.*10[1-3]", "regex:.*10[2-8]", "exclude:regex:.*10[5-7]"], &[104, 108]),
        (&["type:ct"], &[]),
        (&["group:vm/100"], &[]),
    ];
    let scene = Scene::new();
    machines(&scene, 101..=109);
    for (filters, expected) in rows {
        let filters: Vec<GroupFilter> = filters.iter().map(|text| text.parse().unwrap()).collect();
        let fresh = Scene::new();
        let pulled = fresh.pull(|job| {
            job.source = scene.job().source;
            job.filters = filters.clone();
        });
        pulled.clean();
        assert_eq!(ids(&fresh.target), expected, "{filters:?}");
        let found = format!("found {} groups to sync (out of 9 total)", expected.len());
        assert!(pulled.has_said(&found), "{:?}", pulled.log);
    }
}

#[test]
fn a_group_of_somebody_else_fails_and_the_others_go_over() {
    let scene = Scene::new();
    machines(&scene, [101, 102, 103]);
    let theirs = "sync@pbs!token".parse().unwrap();
    scene.target.add("vm/102/2024-06-04T08:00:00Z", &theirs, &[]);
    let pulled = scene.pull(|_| {});
    assert!(pulled.error().contains("group 'vm/102'"), "{}", pulled.error());
    assert!(pulled.error().contains("belongs to 'sync@pbs!token'"), "{}", pulled.error());
    assert_eq!(ids(&scene.target), [101, 102, 103]);
    assert_eq!(scene.target.store.owner(&"vm/102".parse().unwrap()).unwrap(), theirs);
    assert_eq!(scene.target.store.owner(&"vm/101".parse().unwrap()).unwrap(), owner());
}

#[test]
fn a_locked_group_fails_and_the_others_go_over() {
    let scene = Scene::new();
    machines(&scene, [101, 102]);
    fs::create_dir_all(scene.target.base.join("vm/101")).unwrap();
    fs::write(scene.target.base.join("vm/101/owner"), "sync@pbs\n").unwrap();
    let held = FolderLock::take(&scene.target.base.join("vm/101"), LockMode::Exclusive, "it");
    let pulled = scene.pull(|_| {});
    assert!(pulled.error().contains("vm/101"), "{}", pulled.error());
    assert_eq!(ids(&scene.target), [102]);
    drop(held);
    scene.pull(|_| {}).clean();
    assert_eq!(ids(&scene.target), [101, 102]);
}

#[test]
fn an_owner_who_may_only_back_up_there_gets_its_own_groups() {
    let scene = Scene::new();
    machines(&scene, [101]);
    let other = "other@pbs".parse().unwrap();
    scene.source.add("vm/102/2024-06-05T08:00:00Z", &other, &[]);
    let may_not_read = AllBut(vec![("/datastore/source", Privilege::DatastoreRead)]);
    scene.pull(|job| job.rights = std::sync::Arc::new(may_not_read)).clean();
    assert_eq!(ids(&scene.target), [101]);
}
