//! What is gone at the source, and goes here or stays.

use std::sync::Arc;

use reel_remote::pull::Removed;
use reel_types::{GroupFilter, Namespace, NamespaceDepth, Privilege};

use crate::scene::*;

fn ns(text: &str) -> Namespace {
    text.parse().unwrap()
}

fn removed(snapshots: usize, groups: usize, namespaces: usize) -> Option<Removed> {
    Some(Removed { snapshots, groups, namespaces })
}

/// `sync.md` §14, test vector 5.
#[test]
fn snapshots_but_protected_ones() {
    let scene = Scene::new();
    [1, 2, 3, 4].into_iter().for_each(|second| scene.target.add(&vm100(second), &owner(), &[]));
    scene.target.store.set_protected(&snapshot(&vm100(3)), true).unwrap();
    [2, 5].into_iter().for_each(|second| scene.source.add(&vm100(second), &owner(), &[]));
    let kept = scene.pull(|_| {});
    assert_eq!(kept.clean().removed, None);
    assert_eq!(scene.target.snapshots("").len(), 5);
    let pulled = scene.pull(|job| job.remove_vanished = true);
    assert_eq!(pulled.clean().removed, removed(2, 0, 0));
    assert_eq!(scene.target.snapshots(""), [vm100(2), vm100(3), vm100(5)]);
    assert!(pulled.has_said("protected"));
}

#[test]
fn groups_that_the_filters_speak_of_and_the_owner_owns() {
    let scene = Scene::new();
    scene.source.add("vm/100/2024-06-05T08:00:00Z", &owner(), &[]);
    let time = "2024-06-05T08:00:00Z";
    for (group, owner) in [
        ("vm/101", "sync@pbs"),
        ("vm/102", "other@pbs"),
        ("vm/103", "sync@pbs!token"),
        ("ct/104", "sync@pbs"),
        ("vm/105", "sync@pbs"),
    ] {
        scene.target.add(&format!("{group}/{time}"), &owner.parse().unwrap(), &[]);
    }
    scene.target.store.set_protected(&snapshot(&format!("vm/105/{time}")), true).unwrap();
    let only_vms: GroupFilter = "type:vm".parse().unwrap();
    let pulled = scene.pull(|job| {
        job.remove_vanished = true;
        job.filters = vec![only_vms];
    });
    assert_eq!(pulled.clean().removed, removed(2, 2, 0));
    let left: Vec<_> = ["vm/100", "ct/104", "vm/102", "vm/105"]
        .iter()
        .map(|group| format!("{group}/{time}"))
        .collect();
    let mut found = scene.target.snapshots("");
    found.sort();
    let mut left = left;
    left.sort();
    assert_eq!(found, left);
}

#[test]
fn namespaces_so_deep_as_was_pulled() {
    let scene = Scene::new();
    scene.source.store.create_namespace(&ns("kept")).unwrap();
    for name in ["kept", "gone", "gone/below", "guarded"] {
        scene.target.store.create_namespace(&ns(name)).unwrap();
        let folders = ns(name).path();
        let path = format!("{}/vm/100/2024-06-05T08:00:00Z", folders.display());
        scene.target.add(&path, &owner(), &[]);
    }
    let guarded = snapshot("ns/guarded/vm/100/2024-06-05T08:00:00Z");
    scene.target.store.set_protected(&guarded, true).unwrap();

    let shallow = NamespaceDepth::ITSELF;
    scene.pull(|job| (job.remove_vanished, job.max_depth) = (true, Some(shallow))).clean();
    assert!(scene.target.store.has_namespace(&ns("gone/below")).unwrap());

    let forbidden = AllBut(vec![("/datastore/target/gone", Privilege::DatastoreModify)]);
    let pulled = scene.pull(|job| {
        job.remove_vanished = true;
        job.rights = Arc::new(forbidden);
    });
    assert!(pulled.error().contains("gone/below"), "{}", pulled.error());

    let scene_again = scene.pull(|job| job.remove_vanished = true);
    assert!(!scene.target.store.has_namespace(&ns("gone")).unwrap());
    assert!(scene.target.store.has_namespace(&ns("guarded")).unwrap());
    assert!(scene_again.has_said("kept 1 protected snapshots of vanished namespace 'guarded'"));
    scene_again.clean();
}
