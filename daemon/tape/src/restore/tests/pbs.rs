//! Restores of the tapes that PBS wrote, compared with its datastore and with the logs of its own restores.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reel_hw::number::Capacity;
use reel_store::datastore::Datastore;
use reel_types::{Cancel, Digest, ManualClock};

use super::super::*;
use super::rig::{TestTask, chunk_names, desk, make_store, owner, tape_env, temporary_folder};
use crate::drive_desk::DriveDesk;
use crate::testing::{fixtures, unpack};
use reel_types::NoCommitPoints;

const POOL_A: &str = "abcbc951-68b8-4596-9658-00823cb5cc8a";

/// The unpacked tapes with their state, and an empty datastore.
struct PbsTapes {
    folder: tempfile::TempDir,
    fixtures: PathBuf,
    env: TapeEnv,
    desk: Arc<DriveDesk>,
    target: Arc<Datastore>,
    task: TestTask,
}

impl PbsTapes {
    fn unpack(target: &str) -> Option<Self> {
        let fixtures = fixtures()?;
        let folder = temporary_folder();
        let members = ["vtape", "var-lib-proxmox-backup/tape"];
        unpack(&fixtures.join("pbs-tape-public.tar.zst"), folder.path(), &members);
        let digests: Vec<Digest> = chunks_of_store(&fixtures).into_keys().collect();
        let base = folder.path();
        Some(Self {
            env: tape_env(
                &base.join("var-lib-proxmox-backup/tape"),
                &base.join("cache"),
                Arc::new(ManualClock::at(1_720_000_000)),
                Arc::new(NoCommitPoints),
            ),
            desk: desk(&base.join("vtape"), Capacity(8 << 20), base),
            target: make_store(base, target, &digests),
            task: TestTask::default(),
            fixtures,
            folder,
        })
    }

    fn job(&self, set: &str, map: &str) -> RestoreJob {
        RestoreJob {
            sets: vec![MediaSetId(set.parse().unwrap())],
            map: map.parse().unwrap(),
            stores: [(self.target.name().clone(), self.target.clone())].into(),
            snapshots: Vec::new(),
            namespaces: Vec::new(),
            owner: owner(),
        }
    }

    fn restore(&self, job: &RestoreJob) -> RestoreSummary {
        let mut hold = self.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
        restore(&self.env, &mut hold, job, &self.task)
            .unwrap_or_else(|error| panic!("{error}: {:#?}", self.task.lines()))
    }

    /// Every chunk in the target is that of PBS's datastore.
    fn assert_chunks(&self) -> usize {
        let known = chunks_of_store(&self.fixtures);
        let names = chunk_names(self.target.base());
        for name in &names {
            let digest: Digest = name.parse().unwrap();
            let length = fs::metadata(self.target.chunks().path(&digest)).unwrap().len();
            assert_eq!(known.get(&digest), Some(&length), "{digest}");
            self.target.chunks().read_verified(&digest, None).unwrap();
        }
        names.len()
    }

    /// Every file of a restored snapshot is that of PBS's datastore; how many there are. Manifests differ by
    /// their verify state.
    fn assert_files(&self, is_expected: impl Fn(&str) -> bool) -> usize {
        let list =
            fs::read_to_string(self.fixtures.join("pbs-datastore-store1.lists/store-files.txt"));
        let list = list.unwrap();
        let mut count = 0;
        for line in list.lines() {
            let mut parts = line.splitn(3, ' ');
            let (sum, _, path) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
            let in_snapshot = [".fidx", ".didx", ".blob"].iter().any(|end| path.ends_with(end));
            if !in_snapshot || !is_expected(path) {
                continue;
            }
            let bytes = fs::read(self.target.base().join(path))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            count += 1;
            if path.ends_with("index.json.blob") {
                let manifest = reel_store::Manifest::from_raw(bytes.into()).unwrap();
                assert!(manifest.verify_state().unwrap().is_none());
            } else {
                assert_eq!(reel_store::plain_digest(&bytes).to_string(), sum, "{path}");
            }
        }
        count
    }
}

fn chunks_of_store(fixtures: &Path) -> BTreeMap<Digest, u64> {
    let list = fs::read_to_string(fixtures.join("pbs-datastore-store1.lists/store-chunks.txt"));
    let list = list.unwrap();
    let chunk = |line: &str| {
        let (digest, length) = line.split_once(' ').unwrap();
        (digest.parse().unwrap(), length.parse().unwrap())
    };
    list.lines().map(chunk).collect()
}

/// Lines of a log of PBS without command, verdict and speeds.
fn lines_of_pbs(fixtures: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(fixtures.join("outputs").join(name)).unwrap();
    let is_ours =
        |line: &&str| !["$ ", "TASK ", "--- "].iter().any(|begin| line.starts_with(begin));
    text.lines().filter(is_ours).map(without_speed).collect()
}

fn without_speed(line: &str) -> String {
    match line.split_once(" (") {
        Some((head, _)) if line.starts_with("restored ") => head.into(),
        _ => line.into(),
    }
}

#[test]
fn the_set_over_four_tapes_gives_the_datastore_back_and_logs_as_pbs_does() {
    let Some(tapes) = PbsTapes::unpack("restored1") else { return };
    let summary = tapes.restore(&tapes.job(POOL_A, "restored1"));
    assert_eq!(tapes.assert_chunks(), chunks_of_store(&tapes.fixtures).len());
    assert_eq!(tapes.assert_files(|_| true), 89);
    assert!(summary.restored > 20 && summary.skipped.is_empty(), "{summary:?}");
    let ours: Vec<String> = tapes.task.lines().iter().map(|line| without_speed(line)).collect();
    assert_eq!(ours, lines_of_pbs(&tapes.fixtures, "proxmox-tape_restore_full.txt"));
}

#[test]
fn two_snapshots_come_back_into_a_namespace_as_pbs_does_it() {
    let Some(tapes) = PbsTapes::unpack("partial1") else { return };
    let snapshots =
        ["store1:host/alpha/2024-06-05T09:00:07Z", "store1:vm/100/2024-06-07T08:05:36Z"];
    let job = RestoreJob {
        snapshots: snapshots.iter().map(|text| text.parse().unwrap()).collect(),
        namespaces: vec!["store=store1,target=target".parse().unwrap()],
        ..tapes.job(POOL_A, "store1=partial1")
    };
    assert_eq!(tapes.restore(&job).restored, 2);
    tapes.assert_chunks();
    for path in ["host/alpha/2024-06-05T09:00:07Z", "vm/100/2024-06-07T08:05:36Z"] {
        let path = format!("ns/target/{path}").parse().unwrap();
        let snapshot = tapes.target.open_snapshot(&path).unwrap();
        for name in snapshot.stored_files().unwrap() {
            match name.kind() {
                reel_types::ArchiveKind::Blob => drop(snapshot.blob(&name).unwrap()),
                _ => drop(snapshot.index(&name).unwrap()),
            }
        }
    }
    // PBS takes media by UUID, we in their order, and we stop reading an archive where its last chunk was found.
    let comparable = |lines: Vec<String>| {
        let mut lines = lines;
        lines.retain(|line| !line.starts_with("was at ") && !line.starts_with("now at "));
        lines.sort();
        lines
    };
    let ours = tapes.task.lines().iter().map(|line| without_speed(line)).collect();
    let theirs = lines_of_pbs(&tapes.fixtures, "proxmox-tape_restore_snapshots.txt");
    assert_eq!(comparable(ours), comparable(theirs));
}

#[test]
fn an_unknown_snapshot_is_skipped_as_pbs_does_it() {
    let Some(tapes) = PbsTapes::unpack("restored1") else { return };
    let job = RestoreJob {
        snapshots: vec!["store1:host/nosuch/2024-01-01T00:00:00Z".parse().unwrap()],
        ..tapes.job(POOL_A, "restored1")
    };
    assert_eq!(tapes.restore(&job).restored, 0);
    let theirs = lines_of_pbs(&tapes.fixtures, "proxmox-tape_restore_unknown-snapshot.txt");
    assert_eq!(tapes.task.lines(), theirs);
    let unknown = tapes.job("11111111-2222-3333-4444-555555555555", "restored1");
    let error = format!("Error: {}", check(&tapes.env, &unknown).unwrap_err());
    let theirs = lines_of_pbs(&tapes.fixtures, "proxmox-tape_restore_unknown-set.txt");
    assert_eq!(vec![error], theirs);
}

#[test]
fn the_other_sets_come_back_too_one_of_them_with_a_key() {
    let Some(tapes) = PbsTapes::unpack("other1") else { return };
    bring_vault_back(tapes.folder.path());
    let inventory = tapes.env.inventory.load().unwrap();
    let mut sets = BTreeMap::new();
    for set in inventory.sets().into_iter().filter(|set| set.to_string() != POOL_A) {
        let pool = inventory.pool_of_set(set).unwrap().to_string();
        let summary = tapes.restore(&tapes.job(&set.to_string(), "store1=other1"));
        *sets.entry(pool).or_insert(0) += summary.restored + summary.skipped.len();
    }
    assert_eq!(sets.keys().collect::<Vec<_>>(), ["poolB", "poolC", "poolE"]);
    assert!(sets.values().all(|snapshots| *snapshots > 0), "{sets:?}");
    assert!(tapes.task.has_warning("is encrypted with key"));
    assert!(tapes.assert_chunks() > 50);
    let there = |path: &str| tapes.target.base().join(path).exists();
    assert!(tapes.assert_files(there) > 40);
}

/// The tapes that lie in the vault, back in the library.
fn bring_vault_back(folder: &Path) {
    for entry in fs::read_dir(folder.join("vtape/vault")).unwrap() {
        let path = entry.unwrap().path();
        fs::rename(&path, folder.join("vtape").join(path.file_name().unwrap())).unwrap();
    }
}
