//! Chunks: that each goes over once and whole, or not at all.

use std::fs;
use std::sync::{Arc, Mutex};

use reel_remote::pull::PullError;
use reel_store::CryptConfig;
use reel_types::{Cancel, CommitPoints};

use crate::scene::*;

/// Notes which points were reached, and stops the task at one of them.
#[derive(Default)]
struct Points {
    reached: Mutex<Vec<&'static str>>,
    stop: Option<(&'static str, Cancel)>,
}

impl CommitPoints for Points {
    fn reached(&self, name: &'static str) {
        assert!(reel_remote::pull::COMMIT_POINTS.contains(&name), "{name}");
        self.reached.lock().unwrap().push(name);
        if let Some((_, cancel)) = self.stop.as_ref().filter(|(point, _)| *point == name) {
            cancel.cancel();
        }
    }
}

#[test]
fn groups_that_share_chunks_fetch_each_once() {
    let scene = Scene::new();
    for id in 101..=108 {
        let path = format!("vm/{id}/2024-06-05T08:00:00Z");
        scene.source.add(&path, &owner(), &[1, 2, 3, 4, 1, 2, 3, 4]);
    }
    let points = Arc::new(Points::default());
    let pulled = scene.pull(|job| job.commit_points = points.clone());
    assert_eq!(pulled.clean().chunks, 4);
    let reached = points.reached.lock().unwrap();
    let stored = reached.iter().filter(|name| **name == "pull: chunk stored").count();
    assert_eq!(stored, 4);
    assert_eq!(scene.target.chunks(), scene.source.chunks());
}

#[test]
fn encrypted_snapshots_go_over_without_their_key() {
    let scene = Scene::new();
    let key = CryptConfig::new([3; 32]).unwrap();
    scene.source.add_with_key(&vm100(1), &owner(), &[1, 2], Some(&key));
    scene.pull(|_| {}).clean();
    assert_eq!(scene.target.files(), scene.source.files());
    let (digest, _) = chunk(1, Some(&key));
    let chunks = scene.target.store.chunks();
    assert_eq!(chunks.read_verified(&digest, Some(&key)).unwrap().1.unwrap(), [1; CHUNK][..]);
}

#[test]
fn a_damaged_or_missing_chunk_ends_its_group_and_leaves_nothing() {
    for damage in ["content", "cut", "encrypted", "missing"] {
        let scene = Scene::new();
        scene.source.add(&vm100(1), &owner(), &[1]);
        scene.source.add(&vm100(2), &owner(), &[1, 2, 3]);
        scene.source.add("ct/200/2024-06-05T08:00:00Z", &owner(), &[4]);
        let (digest, blob) = chunk(2, None);
        let path = scene.source.store.chunks().path(&digest);
        match damage {
            "content" => fs::write(&path, chunk(9, None).1.raw()).unwrap(),
            "cut" => fs::write(&path, &blob.raw()[..blob.raw().len() - 1]).unwrap(),
            "encrypted" => {
                let key = CryptConfig::new([3; 32]).unwrap();
                fs::write(&path, chunk(2, Some(&key)).1.raw()).unwrap();
            }
            _ => fs::remove_file(&path).unwrap(),
        }
        let pulled = scene.pull(|_| {});
        assert!(pulled.error().contains(&digest.to_string()), "{damage}: {}", pulled.error());
        let here = scene.target.snapshots("");
        assert_eq!(here, ["ct/200/2024-06-05T08:00:00Z", &vm100(1)], "{damage}");
        assert!(!scene.target.base.join(vm100(2)).exists(), "{damage}");
        assert!(!scene.target.store.chunks().path(&digest).exists(), "{damage}");

        fs::write(&path, blob.raw()).unwrap();
        let pulled = scene.pull(|_| {});
        pulled.clean();
        assert_eq!(scene.target.files(), scene.source.files(), "{damage}");
    }
}

#[test]
fn a_stop_leaves_what_the_next_pull_goes_on_from() {
    for point in [
        "pull: snapshot made",
        "pull: manifest received",
        "pull: chunk stored",
        "pull: file stored",
    ] {
        let scene = Scene::new();
        scene.source.add(&vm100(1), &owner(), &[1, 2, 3, 4, 5, 6]);
        scene.source.chunks().iter().for_each(|digest| scene.target.make_room(digest));
        let task = Listening::default();
        let mut job = scene.job();
        let stop = Some((point, task.cancel.clone()));
        job.commit_points = Arc::new(Points { stop, ..Points::default() });
        let result = reel_remote::pull::pull(&job, &task);
        assert!(matches!(result, Err(PullError::Stopped(_))), "{point}: {result:?}");
        assert_eq!(scene.target.snapshots(""), [""; 0], "{point}");
        let before = scene.target.chunks().len() as u64;
        let pulled = scene.pull(|_| {});
        assert_eq!(pulled.clean().chunks, 6 - before, "{point}: none is fetched twice");
        assert_eq!(scene.target.files(), scene.source.files(), "{point}");
    }
}

#[test]
fn a_manifest_that_names_a_file_elsewhere_is_passed_over() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[]);
    let path = scene.source.base.join(vm100(1)).join("index.json.blob");
    let raw = fs::read(&path).unwrap();
    let manifest = reel_store::DataBlob::from_raw(raw.into()).unwrap();
    let text = String::from_utf8(manifest.decode(None, 1 << 20).unwrap().to_vec()).unwrap();
    let evil = text.replace("qemu-server.conf.blob", "../../owner.blob");
    let evil = reel_store::DataBlob::encode(evil.as_bytes(), None, true).unwrap();
    fs::write(&path, evil.raw()).unwrap();
    let pulled = scene.pull(|_| {});
    assert!(scene.target.snapshots("").is_empty());
    assert!(!scene.target.base.join(vm100(1)).exists());
    assert!(pulled.log.iter().any(|line| line.contains("..")), "{:?}", pulled.log);
}
