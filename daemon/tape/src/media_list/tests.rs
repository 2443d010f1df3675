//! Listings against PBS's own, taken from the same inventory and catalogs.

use reel_config::{ConfigDir, Pools};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::inventory::InventoryFile;
use crate::label::{MediaLabel, MediaLabels};
use crate::media_catalog::{CatalogExpectation, snapshots_on_medium};
use crate::state_dir::StateDir;
use crate::testing;

/// 2026-11-23T14:33:02Z, when PBS's listings were recorded.
const RECORDED_AT: i64 = 1_795_444_382;

struct Archive {
    _folder: tempfile::TempDir,
    state: StateDir,
    pools: Vec<PoolRules>,
    outputs: std::path::PathBuf,
}

impl Archive {
    fn unpack() -> Option<Self> {
        let fixtures = testing::fixtures()?;
        let folder = tempfile::tempdir().unwrap();
        let archive = fixtures.join("pbs-tape-public.tar.zst");
        let config = folder.path().join("etc-proxmox-backup");
        let members = ["var-lib-proxmox-backup/tape", "etc-proxmox-backup/media-pool.cfg"];
        testing::unpack(&archive, folder.path(), &members);
        let (pools, _) = Pools::new(&ConfigDir::new(config)).list().unwrap();
        let pools = pools.iter().map(PoolRules::from).collect();
        let state = StateDir::new(folder.path().join("var-lib-proxmox-backup/tape"));
        let outputs = fixtures.join("outputs/of-the-archive");
        Some(Self { _folder: folder, state, pools, outputs })
    }

    /// PBS's rows, which stand in the second line of a recording.
    fn recorded(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.outputs.join(name)).unwrap();
        serde_json::from_str(text.lines().nth(1).unwrap()).unwrap()
    }
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(Value::to_string);
    rows
}

fn as_json(rows: &[impl Serialize]) -> Vec<Value> {
    sorted(rows.iter().map(|row| serde_json::to_value(row).unwrap()).collect())
}

#[test]
fn lists_media_as_pbs_does() {
    let Some(archive) = Archive::unpack() else { return };
    let inventory = InventoryFile::new(archive.state.clone()).load().unwrap();
    let catalogs = archive.state.media_with_catalog().unwrap().into_iter().collect();
    let zone = TimeZone::UTC;
    let listing = MediaListing { inventory: &inventory, pools: &archive.pools, zone: &zone };
    let rows = as_json(&listing.list(None, &catalogs, RECORDED_AT));
    for name in [
        "proxmox-tape_media_list.json.txt",
        "proxmox-tape_media_list_--update-status_false.json.txt",
    ] {
        assert_eq!(rows, sorted(archive.recorded(name)), "{name}");
    }
    let pool_c = listing.list(Some(&"poolC".parse().unwrap()), &catalogs, RECORDED_AT);
    assert_eq!(pool_c.len(), 2);
    assert!(listing.list(Some(&"nosuchpool".parse().unwrap()), &catalogs, 0).is_empty());
}

#[test]
fn lists_content_as_pbs_does() {
    let Some(archive) = Archive::unpack() else { return };
    let inventory = InventoryFile::new(archive.state.clone()).load().unwrap();
    let zone = TimeZone::UTC;
    let listing = MediaListing { inventory: &inventory, pools: &archive.pools, zone: &zone };
    let content = |filter: &ContentFilter| {
        let content = listing.content(filter, |entry| {
            let expected = CatalogExpectation::of(entry.uuid(), entry.assigned_set());
            snapshots_on_medium(&archive.state, entry.uuid(), expected)
        });
        assert!(content.unreadable.is_empty(), "{:?}", content.unreadable);
        as_json(&content.rows)
    };
    let all = archive.recorded("proxmox-tape_media_content.json.txt");
    assert_eq!(content(&ContentFilter::default()), sorted(all.clone()));

    let check = |filter: &ContentFilter, wanted: &dyn Fn(&Value) -> bool| {
        let expected: Vec<Value> = all.iter().filter(|row| wanted(row)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{filter:?}");
        assert_eq!(content(filter), sorted(expected), "{filter:?}");
    };
    let is = |key: &'static str, text: &'static str| move |row: &Value| row[key] == text;
    let none = ContentFilter::default;
    let pool = ContentFilter { pool: Some("poolB".parse().unwrap()), ..none() };
    check(&pool, &is("pool", "poolB"));
    let label = ContentFilter { label_text: Some("A00001L8".parse().unwrap()), ..none() };
    check(&label, &is("label-text", "A00001L8"));
    let uuid = "c2c235e8-5abc-454a-965c-7e43ead6cdcd";
    let medium = ContentFilter { medium: Some(uuid.parse().unwrap()), ..none() };
    check(&medium, &is("uuid", uuid));
    let uuid = "24a16224-e131-43fb-a4a5-06fdd4cd93bd";
    let media_set = ContentFilter { media_set: Some(uuid.parse().unwrap()), ..none() };
    check(&media_set, &is("media-set-uuid", uuid));
    let kind = ContentFilter { backup_type: Some(BackupType::Vm), ..none() };
    check(&kind, &|row| row["snapshot"].as_str().unwrap().contains("vm/"));
    let id = ContentFilter { backup_id: Some("beta".parse().unwrap()), ..none() };
    check(&id, &|row| row["snapshot"].as_str().unwrap().contains("/beta/"));
}

fn medium(number: u128, pool: Option<&str>, set_label: Option<MediaSetLabel>) -> MediaLabels {
    let label = MediaLabel {
        ctime: 5,
        label_text: format!("tape{number}").parse().unwrap(),
        pool: pool.map(|pool| pool.parse().unwrap()),
        uuid: MediaId(Uuid::from_u128(number)),
    };
    MediaLabels { label, media_set_label: set_label }
}

fn set_label(set: u128, seq_nr: u64) -> MediaSetLabel {
    MediaSetLabel {
        ctime: 10,
        encryption_key_fingerprint: None,
        key_config: None,
        pool: "daily".parse().unwrap(),
        seq_nr,
        uuid: MediaSetId(Uuid::from_u128(set)),
    }
}

fn inventory(media: Vec<MediaLabels>) -> Inventory {
    let mut inventory = Inventory::new();
    media.into_iter().for_each(|labels| inventory.store(labels, false));
    inventory
}

#[test]
fn media_of_lost_pools_are_unknown_and_show_under_their_pool_only() {
    let inventory = inventory(vec![
        medium(1, Some("daily"), Some(set_label(7, 0))),
        medium(2, Some("daily"), None),
        medium(3, None, None),
    ]);
    let zone = TimeZone::UTC;
    let listing = MediaListing { inventory: &inventory, pools: &[], zone: &zone };
    let status = |pool: Option<&str>| {
        let pool = pool.map(|pool| pool.parse().unwrap());
        let rows = listing.list(pool.as_ref(), &BTreeSet::new(), 100);
        rows.iter().map(|row| (row.label_text.to_string(), row.status)).collect::<Vec<_>>()
    };
    let lost = |label: &str| (label.to_owned(), MediaStatus::Unknown);
    let free = ("tape3".to_owned(), MediaStatus::Writable);
    assert_eq!(status(None), [lost("tape1"), lost("tape2"), free]);
    assert_eq!(status(Some("daily")), [lost("tape1"), lost("tape2")]);
    assert_eq!(status(Some("other")), []);
    let row = &listing.list(None, &BTreeSet::new(), 100)[0];
    assert_eq!(row.media_set_name.as_deref(), Some("Thu Jan  1 00:00:10 1970"));
    assert!(!row.catalog && !row.expired);
}

#[test]
fn a_contradictory_set_does_not_hide_the_media() {
    let inventory = inventory(vec![
        medium(1, None, Some(set_label(7, 0))),
        medium(2, None, Some(set_label(7, 0))),
    ]);
    let pools = [PoolRules::new("daily".parse().unwrap())];
    let zone = TimeZone::UTC;
    let listing = MediaListing { inventory: &inventory, pools: &pools, zone: &zone };
    let rows = listing.list(None, &BTreeSet::new(), 100);
    assert!(rows.iter().all(|row| row.status == MediaStatus::Unknown && !row.expired));
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_medium_without_catalog_does_not_hide_the_others() {
    let inventory = inventory(vec![
        medium(1, None, Some(set_label(7, 0))),
        medium(2, None, Some(set_label(7, 1))),
        medium(3, Some("daily"), None),
    ]);
    let zone = TimeZone::UTC;
    let listing = MediaListing { inventory: &inventory, pools: &[], zone: &zone };
    let snapshot = || ("store1".parse().unwrap(), "vm/1/2021-01-11T10:43:48Z".parse().unwrap());
    let content = listing.content(&ContentFilter::default(), |entry| {
        if entry.uuid() == MediaId(Uuid::from_u128(1)) {
            return Err(Error::NoSuchMedium { medium: "catalog".into() });
        }
        Ok(vec![snapshot()])
    });
    let unreadable: Vec<&str> =
        content.unreadable.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(unreadable, ["tape1"]);
    assert_eq!(content.rows.len(), 1);
    assert_eq!(content.rows[0].label_text.as_str(), "tape2");
}
