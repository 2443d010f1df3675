//! A server that gives what a datastore's folder holds, as a PBS gives it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use reel_store::Manifest;
use reel_types::{BackupTime, Namespace};
use serde_json::{Value, json};

use crate::server::{Answer, Asked, Server, ok, refusal};

/// The name of the datastore.
pub const STORE: &str = "store1";
const API: &str = "/api2/json/";

/// What a test does to an answer: another one, or none for the honest one.
pub type Twist = dyn Fn(&Asked) -> Option<Answer> + Send + Sync;

/// A server of the datastore in a folder.
pub struct Pbs {
    folder: PathBuf,
    twist: Arc<Twist>,
    /// Connections over which an index was downloaded.
    opened: Mutex<HashSet<usize>>,
}

impl Pbs {
    /// Starts to serve the datastore in `folder`.
    pub async fn serve(
        folder: &Path,
        twist: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) -> Server {
        let pbs = Self { folder: folder.into(), twist: Arc::new(twist), opened: Mutex::default() };
        let rest = Arc::new(pbs);
        let reader = Arc::clone(&rest);
        let honest = move |asked: &Asked| {
            (rest.twist)(asked).unwrap_or_else(|| rest.rest(asked).unwrap_or_else(missing))
        };
        let read = move |asked: &Asked| {
            (reader.twist)(asked).unwrap_or_else(|| reader.read(asked).unwrap_or_else(missing))
        };
        Server::start(honest, read).await
    }

    fn rest(&self, asked: &Asked) -> Option<Answer> {
        let (path, query) = split(&asked.target);
        let data = match path.strip_prefix(API)? {
            "version" => json!({ "version": "3.2", "release": "4", "repoid": "0123" }),
            "admin/datastore" => json!([{ "store": STORE, "comment": null }]),
            "admin/datastore/store1/namespace" => self.namespaces(),
            "admin/datastore/store1/groups" => self.groups(&query)?,
            "admin/datastore/store1/snapshots" => self.snapshots(&query)?,
            "reader" => {
                let there = self.snapshot_folder(&query)?.is_dir();
                return there.then(|| Answer::Says(101, Vec::new()));
            }
            _ => return None,
        };
        Some(ok(json!({ "data": data }).to_string()))
    }

    fn namespaces(&self) -> Value {
        let mut found = vec![Namespace::root()];
        let mut next = 0;
        while let Some(parent) = found.get(next).cloned() {
            next += 1;
            for name in names(&self.folder.join(parent.path()).join("ns")) {
                found.push(parent.child(&name).unwrap());
            }
        }
        found.iter().map(|ns| json!({ "ns": ns.to_string() })).collect()
    }

    fn namespace_folder(&self, query: &[(String, String)]) -> Option<PathBuf> {
        let ns: Namespace = get(query, "ns").unwrap_or_default().parse().ok()?;
        Some(self.folder.join(ns.path()))
    }

    fn groups(&self, query: &[(String, String)]) -> Option<Value> {
        let folder = self.namespace_folder(query)?;
        let mut groups = Vec::new();
        for kind in ["vm", "ct", "host"] {
            for id in names(&folder.join(kind)) {
                let group = folder.join(kind).join(&id);
                let owner = fs::read_to_string(group.join("owner")).unwrap_or_default();
                let times = times(&group);
                groups.push(json!({
                    "backup-type": kind, "backup-id": id, "owner": owner.trim(),
                    "backup-count": times.len(), "last-backup": times.last()?.epoch(),
                }));
            }
        }
        Some(Value::Array(groups))
    }

    fn snapshots(&self, query: &[(String, String)]) -> Option<Value> {
        let (kind, id) = (get(query, "backup-type")?, get(query, "backup-id")?);
        let group = self.namespace_folder(query)?.join(&kind).join(&id);
        let owner = fs::read_to_string(group.join("owner")).unwrap_or_default();
        let item = |time: &BackupTime| {
            let folder = group.join(time.to_string());
            let mut item = json!({
                "backup-type": kind, "backup-id": id, "backup-time": time.epoch(),
                "owner": owner.trim(), "protected": folder.join(".protected").exists(),
            });
            describe(&folder, &mut item);
            item
        };
        // A PBS lists in any order.
        Some(times(&group).iter().rev().map(item).collect())
    }

    fn snapshot_folder(&self, query: &[(String, String)]) -> Option<PathBuf> {
        let (kind, id) = (get(query, "backup-type")?, get(query, "backup-id")?);
        let time = BackupTime::from_epoch(get(query, "backup-time")?.parse().ok()?).ok()?;
        Some(self.namespace_folder(query)?.join(kind).join(id).join(time.to_string()))
    }

    fn read(&self, asked: &Asked) -> Option<Answer> {
        let (_, over) = split(&asked.over);
        let folder = self.snapshot_folder(&over)?;
        let (path, query) = split(&asked.target);
        let mut opened = self.opened.lock().unwrap();
        match path {
            "/download" => {
                let name = get(&query, "file-name")?;
                if name.ends_with("idx") {
                    opened.insert(asked.session);
                }
                Some(ok(fs::read(folder.join(name)).ok()?))
            }
            "/chunk" if opened.contains(&asked.session) => {
                let digest = get(&query, "digest")?;
                let chunk = self.folder.join(".chunks").join(&digest[..4]).join(digest);
                Some(ok(fs::read(chunk).ok()?))
            }
            _ => Some(refusal(401, "download chunk: not registered")),
        }
    }
}

fn missing() -> Answer {
    refusal(400, "no such thing")
}

/// Adds what the manifest tells.
fn describe(folder: &Path, item: &mut Value) {
    let raw = fs::read(folder.join("index.json.blob"));
    let Some(manifest) = raw.ok().and_then(|raw| {
        let bytes = raw.len() as u64;
        Some((Manifest::from_raw(raw.into()).ok()?, bytes))
    }) else {
        let plain = names(folder).into_iter().filter(|name| !name.starts_with('.'));
        item["files"] = plain.map(|name| json!({ "filename": name })).collect();
        return;
    };
    let (manifest, bytes) = manifest;
    let file = |file: &reel_store::ManifestFile| {
        json!({
            "filename": file.name.to_string(), "size": file.size,
            "crypt-mode": file.crypt_mode.as_str(),
        })
    };
    let mut files: Vec<Value> = manifest.files().iter().map(file).collect();
    files.push(json!({ "filename": "index.json.blob", "size": bytes, "crypt-mode": "none" }));
    if folder.join("client.log.blob").exists() {
        files.push(json!({ "filename": "client.log.blob" }));
    }
    item["size"] = json!(manifest.files().iter().map(|file| file.size).sum::<u64>() + bytes);
    item["files"] = Value::Array(files);
    if let Some(line) = manifest.notes().and_then(|notes| notes.lines().next()) {
        item["comment"] = json!(line);
    }
    if let Ok(Some(key)) = manifest.key_fingerprint() {
        item["fingerprint"] = json!(key.to_string());
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn times(group: &Path) -> Vec<BackupTime> {
    names(group).iter().filter_map(|name| name.parse().ok()).collect()
}

fn split(target: &str) -> (&str, Vec<(String, String)>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let decoded =
        pairs.map(|(key, value)| (key.to_owned(), value.replace("%2F", "/").replace("%3A", ":")));
    (path, decoded.collect())
}

fn get(query: &[(String, String)], key: &str) -> Option<String> {
    query.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
}
