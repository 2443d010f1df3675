//! Which namespaces go where.

use std::sync::Arc;

use reel_remote::pull::{NamespaceMapping, PullError};
use reel_types::{Namespace, NamespaceDepth, Privilege};

use crate::scene::*;

fn ns(text: &str) -> Namespace {
    text.parse().unwrap()
}

fn anchors(source: &str, target: &str) -> NamespaceMapping {
    NamespaceMapping { source: ns(source), target: ns(target) }
}

fn with_namespaces(names: &[&str]) -> Scene {
    let scene = Scene::new();
    for name in names {
        if !name.is_empty() {
            scene.source.store.create_namespace(&ns(name)).unwrap();
        }
        let parts: Vec<_> = name.split('/').filter(|part| !part.is_empty()).collect();
        let path: String = parts.iter().map(|part| format!("ns/{part}/")).collect();
        scene.source.add(&format!("{path}vm/100/2024-06-05T08:00:00Z"), &owner(), &[]);
    }
    scene
}

fn namespaces(store: &Store) -> Vec<String> {
    let listed = store.store.namespaces(&Namespace::root(), None).unwrap().items;
    let with_groups = listed.iter().filter(|ns| !store.store.groups(ns).unwrap().items.is_empty());
    with_groups.map(ToString::to_string).collect()
}

/// `sync.md` §14, test vector 2, and depths.
#[test]
fn the_table_of_namespaces() {
    type Row = (&'static str, &'static str, Option<u8>, &'static [&'static str]);
    let rows: [Row; 6] = [
        ("", "", None, &["", "a", "a/b", "a/b/c", "d"]),
        ("", "", Some(0), &[""]),
        ("", "", Some(1), &["", "a", "d"]),
        ("a", "", None, &["", "b", "b/c"]),
        ("a/b", "x", None, &["x", "x/c"]),
        ("a", "a", Some(1), &["a", "a/b"]),
    ];
    for (source, target, depth, expected) in rows {
        let scene = with_namespaces(&["", "a", "a/b", "a/b/c", "d"]);
        scene
            .pull(|job| {
                job.anchors = anchors(source, target);
                job.max_depth = depth.map(|levels| NamespaceDepth::try_from(levels).unwrap());
            })
            .clean();
        assert_eq!(namespaces(&scene.target), expected, "{source} {target} {depth:?}");
    }
}

#[test]
fn too_deep_is_refused_before_anything_is_done() {
    let scene = with_namespaces(&["", "a", "a/b", "a/b/c"]);
    let refused = scene.pull(|job| job.anchors = anchors("", "1/2/3/4/5"));
    assert!(matches!(refused.result, Err(PullError::Value(_))));
    let refused = scene.pull(|job| {
        job.anchors = anchors("", "1/2/3/4/5");
        job.max_depth = NamespaceDepth::try_from(3).ok();
    });
    assert!(matches!(refused.result, Err(PullError::Refused(_))));
    assert_eq!(namespaces(&scene.target), [""; 0]);
}

#[test]
fn a_namespace_needs_its_parent_and_the_right_to_be_made() {
    let scene = with_namespaces(&["", "a"]);
    let pulled = scene.pull(|job| job.anchors = anchors("a", "x/y"));
    assert!(pulled.error().contains("parent namespace 'x' does not exist"), "{}", pulled.error());

    let forbidden = AllBut(vec![("/datastore/target", Privilege::DatastoreModify)]);
    let pulled = scene.pull(|job| job.rights = Arc::new(forbidden));
    assert!(pulled.error().contains("'sync@pbs' lacks the privilege"), "{}", pulled.error());
    assert_eq!(namespaces(&scene.target), [""], "the root is there");

    let forbidden = AllBut(vec![("/datastore/target/a", Privilege::DatastoreBackup)]);
    let pulled = scene.pull(|job| job.rights = Arc::new(forbidden));
    assert!(pulled.error().contains("'/datastore/target/a'"), "{}", pulled.error());
    assert_eq!(namespaces(&scene.target), [""]);
}

#[test]
fn a_datastore_is_not_pulled_into_itself() {
    let scene = Scene::new();
    let refused = scene.pull(|job| job.target = Arc::clone(&scene.source.store));
    let text = refused.result.unwrap_err().to_string();
    assert!(text.contains("can't sync a datastore to itself"), "{text}");
}
