//! Pulls from a server that misbehaves on purpose: what goes wrong is told, nothing half-written shows, nothing else is
//! disturbed, and a later pull completes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reel_remote::ClientOptions;
use reel_remote::pull::{PullJob, Source};
use reel_store::{CryptConfig, DataBlob};
use reel_types::{BackupTime, NamespaceDepth};

use crate::scene::*;
use crate::server::{Answer, Asked, Server, ok, refusal};

/// What a server does instead of what it should.
type Manner = Arc<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

/// A server of a scene's source, and the runtime that it needs.
struct Remote {
    server: Server,
    manner: Arc<Mutex<Manner>>,
    /// It must not end before the server.
    _runtime: tokio::runtime::Runtime,
}

impl Remote {
    fn of(scene: &Scene) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let manner: Arc<Mutex<Manner>> = Arc::new(Mutex::new(Arc::new(|_: &Asked| None)));
        let rest = Backed { base: scene.source.base.clone(), manner: Arc::clone(&manner) };
        let reader = rest.clone();
        let server = runtime.block_on(Server::start(
            move |asked| rest.misbehave(asked).unwrap_or_else(|| rest.rest(asked)),
            move |asked| reader.misbehave(asked).unwrap_or_else(|| reader.read(asked)),
        ));
        Self { server, manner, _runtime: runtime }
    }

    /// From now on it answers so, where there is an answer.
    fn misbehaves(&self, manner: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) {
        *self.manner.lock().unwrap() = Arc::new(manner);
    }

    fn behaves(&self) {
        self.misbehaves(|_| None);
    }

    fn as_source(&self) -> impl FnOnce(&mut PullJob) + use<> {
        let options =
            ClientOptions { patience: Duration::from_millis(800), ..ClientOptions::default() };
        let client = self.server.client_with(self.server.endpoint(), "u@pbs!tok", options);
        let (client, store) = (Arc::new(client), "source".parse().unwrap());
        move |job| job.source = Source::Remote { client, store }
    }

    /// How often something was asked.
    fn count(&self, part: &str) -> usize {
        self.server.asked().iter().filter(|asked| asked.target.contains(part)).count()
    }
}

/// Answers from a datastore's folder, as a server would.
#[derive(Clone)]
struct Backed {
    base: PathBuf,
    manner: Arc<Mutex<Manner>>,
}

fn query(target: &str) -> HashMap<String, String> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

impl Backed {
    fn misbehave(&self, asked: &Asked) -> Option<Answer> {
        let manner = Arc::clone(&self.manner.lock().unwrap());
        manner(asked)
    }

    fn rest(&self, asked: &Asked) -> Answer {
        let path = asked.target.split('?').next().unwrap();
        let data = match path.rsplit('/').next().unwrap() {
            "reader" => return Answer::Says(101, Vec::new()),
            "namespace" => serde_json::json!([{ "ns": "" }]),
            "groups" => self.groups(),
            "snapshots" => self.snapshots(&query(&asked.target)),
            _ => return refusal(404, "Path not found."),
        };
        ok(serde_json::json!({ "data": data }).to_string())
    }

    fn groups(&self) -> serde_json::Value {
        let mut groups = Vec::new();
        for kind in ["ct", "vm"] {
            let Ok(entries) = std::fs::read_dir(self.base.join(kind)) else { continue };
            for entry in entries {
                let id = entry.unwrap().file_name().into_string().unwrap();
                groups.push(serde_json::json!({
                    "backup-type": kind, "backup-id": id, "last-backup": 1, "backup-count": 1, "files": [],
                }));
            }
        }
        groups.into()
    }

    fn snapshots(&self, query: &HashMap<String, String>) -> serde_json::Value {
        let (kind, id) = (&query["backup-type"], &query["backup-id"]);
        let mut snapshots = Vec::new();
        for entry in std::fs::read_dir(self.base.join(kind).join(id)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Ok(time) = name.parse::<BackupTime>() else { continue };
            snapshots.push(serde_json::json!({
                "backup-type": kind, "backup-id": id, "backup-time": time.epoch(), "files": [], "size": 1,
            }));
        }
        snapshots.into()
    }

    fn read(&self, asked: &Asked) -> Answer {
        let (opened, asked) = (query(&asked.over), query(&asked.target));
        let time = BackupTime::from_epoch(opened["backup-time"].parse().unwrap()).unwrap();
        let path = match (asked.get("file-name"), asked.get("digest")) {
            (Some(name), _) => self
                .base
                .join(&opened["backup-type"])
                .join(&opened["backup-id"])
                .join(time.to_string())
                .join(name),
            (_, Some(digest)) => self.base.join(".chunks").join(&digest[..4]).join(digest),
            _ => return refusal(404, "Path not found."),
        };
        match std::fs::read(path) {
            Ok(content) => ok(content),
            Err(error) if asked.contains_key("digest") => refusal(400, &error.to_string()),
            Err(error) => refusal(404, &error.to_string()),
        }
    }
}

/// A group that goes over whatever happens to the other, and one with two chunks.
fn two_groups() -> Scene {
    let scene = Scene::new();
    scene.source.add("ct/200/2024-06-05T08:00:00Z", &owner(), &[7]);
    scene.source.add(&vm100(1), &owner(), &[1, 2]);
    scene
}

const GOOD: &str = "ct/200/2024-06-05T08:00:00Z";

/// A pull while the server misbehaves in what it says of `vm/100`, and one after that.
fn fails_and_completes(
    manner: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    parts: &[&str],
) {
    let scene = two_groups();
    let remote = Remote::of(&scene);
    remote.misbehaves(manner);
    let pulled = scene.pull(remote.as_source());
    for part in parts {
        assert!(pulled.error().contains(part), "'{part}' is not in: {}", pulled.error());
    }
    assert_eq!(scene.target.snapshots(""), [GOOD], "{:#?}", pulled.log);
    assert!(!scene.target.base.join(vm100(1)).exists(), "{:#?}", pulled.log);
    remote.behaves();
    scene.pull(remote.as_source()).clean();
    assert_eq!(scene.target.files(), scene.source.files());
    assert_eq!(scene.target.chunks(), scene.source.chunks());
}

fn is_chunk(asked: &Asked, fill: u8) -> bool {
    asked.target.contains(&chunk(fill, None).0.to_string())
}

fn is_file(asked: &Asked, name: &str) -> bool {
    asked.over.contains("backup-id=100") && asked.target.ends_with(name)
}

#[test]
fn everything_goes_over_once_over_one_connection_a_snapshot() {
    let scene = two_groups();
    scene.source.add(&vm100(2), &owner(), &[2, 3, 3]);
    std::fs::write(scene.source.base.join(vm100(2)).join("client.log.blob"), b"log").unwrap();
    let remote = Remote::of(&scene);
    let pulled = scene.pull(remote.as_source());
    assert_eq!((pulled.clean().snapshots, pulled.clean().chunks), (3, 4));
    assert_eq!(scene.target.files(), scene.source.files());
    assert_eq!((remote.count("/chunk?"), remote.count("/reader?")), (4, 3));
    assert!(pulled.has_said("got backup log file"));
}

#[test]
fn a_server_without_namespaces_gives_its_root_and_the_run_counts_as_failed() {
    let scene = two_groups();
    let remote = Remote::of(&scene);
    let old = |asked: &Asked| {
        asked.target.contains("/namespace").then(|| refusal(404, "Path '/api2' not found."))
    };
    remote.misbehaves(old);
    let pulled = scene.pull(remote.as_source());
    assert!(pulled.error().contains("can't list namespaces"), "{}", pulled.error());
    assert_eq!(scene.target.files(), scene.source.files());
    let clean = scene.pull(|job| {
        remote.as_source()(job);
        job.max_depth = Some(NamespaceDepth::ITSELF);
    });
    clean.clean();
    let refused = scene.pull(|job| {
        remote.as_source()(job);
        job.max_depth = NamespaceDepth::try_from(1).ok();
    });
    let text = refused.result.unwrap_err().to_string();
    assert!(text.contains("knows no namespaces"), "{text}");
}

#[test]
fn a_chunk_that_is_another() {
    let other = chunk(9, None).1.raw().to_vec();
    let manner = move |asked: &Asked| is_chunk(asked, 2).then(|| ok(other.clone()));
    fails_and_completes(manner, &["group 'vm/100'", "holds data of digest"]);
}

#[test]
fn a_chunk_that_is_damaged_or_no_blob() {
    for content in [chunk(2, None).1.raw()[..100].to_vec(), b"not found".to_vec(), Vec::new()] {
        let manner = move |asked: &Asked| is_chunk(asked, 2).then(|| ok(content.clone()));
        fails_and_completes(manner, &["group 'vm/100'", &chunk(2, None).0.to_string()]);
    }
}

#[test]
fn a_chunk_that_is_encrypted_against_the_manifest() {
    let key = CryptConfig::new([5; 32]).unwrap();
    let sealed = chunk(2, Some(&key)).1.raw().to_vec();
    let manner = move |asked: &Asked| is_chunk(asked, 2).then(|| ok(sealed.clone()));
    fails_and_completes(manner, &["encrypted, against the manifest"]);
}

#[test]
fn a_chunk_that_would_unpack_to_far_more_than_it_may() {
    let bomb = DataBlob::encode(&vec![0; 120 << 20], None, true).unwrap().raw().to_vec();
    let manner = move |asked: &Asked| is_chunk(asked, 2).then(|| ok(bomb.clone()));
    fails_and_completes(manner, &["longer than the 4194304 bytes expected"]);
}

#[test]
fn a_server_that_closes_in_mid_chunk() {
    let half = chunk(2, None).1.raw()[..50].to_vec();
    let manner = move |asked: &Asked| is_chunk(asked, 2).then(|| Answer::Breaks(half.clone()));
    fails_and_completes(manner, &["read chunk", "broke"]);
}

#[test]
fn a_server_that_hangs() {
    fails_and_completes(
        |asked| is_chunk(asked, 2).then_some(Answer::Nothing),
        &["does not answer"],
    );
    let manner = |asked: &Asked| is_file(asked, "index.json.blob").then_some(Answer::Nothing);
    fails_and_completes(manner, &["does not answer"]);
}

#[test]
fn a_server_that_lacks_a_chunk() {
    let manner = |asked: &Asked| is_chunk(asked, 1).then(|| refusal(400, "reading file failed"));
    fails_and_completes(manner, &["answers 400: reading file failed"]);
}

#[test]
fn an_index_of_absurd_length() {
    let manner =
        |asked: &Asked| is_file(asked, ".fidx").then(|| ok(vec![0; 4096 + 40 * 1200 + 40 * 1024]));
    fails_and_completes(manner, &["more for 'drive-scsi0.img.fidx' than"]);
}

#[test]
fn an_index_that_is_another() {
    let scene = two_groups();
    let path = scene.source.base.join(vm100(1)).join("drive-scsi0.img.fidx");
    let mut index = std::fs::read(path).unwrap();
    *index.last_mut().unwrap() ^= 1;
    let manner = move |asked: &Asked| is_file(asked, ".fidx").then(|| ok(index.clone()));
    fails_and_completes(manner, &["not the one that the manifest tells"]);
}

#[test]
fn a_snapshot_that_can_no_longer_be_opened() {
    let manner = |asked: &Asked| {
        let opens = asked.target.contains("/reader?") && asked.target.contains("backup-id=100");
        opens.then(|| refusal(400, "no such snapshot"))
    };
    fails_and_completes(manner, &["open snapshot 'vm/100/", "no such snapshot"]);
}

#[test]
fn a_snapshot_that_vanishes_behind_its_opening_is_no_error() {
    let scene = two_groups();
    let remote = Remote::of(&scene);
    remote.misbehaves(|asked| is_file(asked, "index.json.blob").then(|| refusal(404, "gone")));
    let pulled = scene.pull(remote.as_source());
    pulled.clean();
    assert!(pulled.has_said("vanished since the sync began"));
    assert_eq!(scene.target.snapshots(""), [GOOD]);
    assert!(!scene.target.base.join(vm100(1)).exists());
}

#[test]
fn no_chunk_is_fetched_twice_however_often_the_line_breaks() {
    let scene = Scene::new();
    scene.source.add(&vm100(1), &owner(), &[1, 2, 3, 4, 5, 6, 7, 8]);
    let remote = Remote::of(&scene);
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    // Every third chunk breaks the connection.
    remote.misbehaves(move |asked| {
        let is_chunk = asked.target.starts_with("/chunk?");
        (is_chunk && counted.fetch_add(1, Ordering::SeqCst) % 3 == 2)
            .then(|| Answer::Breaks(Vec::new()))
    });
    let mut fetched = 0;
    let mut runs = 0;
    while scene.target.snapshots("").is_empty() {
        runs += 1;
        assert!(runs < 20);
        let before = scene.target.chunks().len();
        let pulled = scene.pull(remote.as_source());
        fetched += scene.target.chunks().len() - before;
        drop(pulled);
    }
    assert_eq!(fetched, 8);
    assert_eq!(scene.target.files(), scene.source.files());
    let stored: Vec<_> =
        (1..=8).map(|fill| remote.count(&chunk(fill, None).0.to_string())).collect();
    assert!(stored.iter().all(|count| *count >= 1), "{stored:?}");
}

#[test]
fn a_login_that_is_refused_ends_the_pull_before_anything_is_done() {
    let scene = two_groups();
    let remote = Remote::of(&scene);
    remote.misbehaves(|_| Some(refusal(401, "authentication failed - no such user")));
    let pulled = scene.pull(remote.as_source());
    let text = pulled.result.unwrap_err().to_string();
    assert!(text.contains("answers 401"), "{text}");
    assert_eq!(scene.target.store.groups(&Default::default()).unwrap().items, []);
}

#[test]
fn the_group_of_a_snapshot_that_fails_keeps_its_earlier_ones() {
    let scene = two_groups();
    scene.source.add(&vm100(2), &owner(), &[3]);
    scene.source.add(&vm100(3), &owner(), &[4]);
    let remote = Remote::of(&scene);
    remote.misbehaves(|asked| is_chunk(asked, 3).then(|| refusal(400, "no")));
    let pulled = scene.pull(|job| {
        remote.as_source()(job);
        job.remove_vanished = true;
    });
    assert!(pulled.error().contains("vm/100"), "{}", pulled.error());
    assert_eq!(scene.target.snapshots(""), [GOOD, &vm100(1)]);
}
