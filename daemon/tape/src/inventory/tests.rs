use std::time::Duration;

use reel_types::{MediaId, MediaSetId};
use uuid::Uuid;

use super::*;
use crate::label::{MediaLabel, MediaSetLabel};
use crate::state_dir::StateDir;

fn medium(number: u128) -> MediaId {
    MediaId(Uuid::from_u128(number))
}

fn set(number: u128) -> MediaSetId {
    MediaSetId(Uuid::from_u128(number))
}

fn pool(name: &str) -> PoolName {
    name.parse().unwrap()
}

fn unused(number: u128, pool: Option<&str>) -> MediaLabels {
    let label = MediaLabel {
        ctime: 1,
        label_text: format!("tape{number}").parse().unwrap(),
        pool: pool.map(|name| name.parse().unwrap()),
        uuid: medium(number),
    };
    MediaLabels { label, media_set_label: None }
}

fn used(number: u128, of: u128, seq_nr: u64, ctime: i64) -> MediaLabels {
    let set_label = MediaSetLabel {
        ctime,
        encryption_key_fingerprint: None,
        key_config: None,
        pool: pool("p1"),
        seq_nr,
        uuid: set(of),
    };
    MediaLabels { media_set_label: Some(set_label), ..unused(number, Some("p1")) }
}

fn inventory(media: impl IntoIterator<Item = MediaLabels>) -> Inventory {
    let mut inventory = Inventory::new();
    media.into_iter().for_each(|labels| inventory.store(labels, false));
    inventory
}

#[test]
fn unknown_members_survive_every_change() {
    let text = r#"[{"id":{"label":{"ctime":1,"changer_id":"tape1","uuid":
        "00000000-0000-0000-0000-000000000001","colour":"red"},"shelf":[7]},
        "later":{"x":null},"status":"full","location":"offline"}]"#;
    let mut inventory = Inventory::from_json(text.as_bytes()).unwrap();
    inventory.set_status(medium(1), None).unwrap();
    inventory.set_location(medium(1), "vault-office".parse().unwrap()).unwrap();
    let written = String::from_utf8(inventory.to_json().unwrap()).unwrap();
    let expected = r#"[
  {
    "id": {
      "label": {
        "colour": "red",
        "ctime": 1,
        "label_text": "tape1",
        "uuid": "00000000-0000-0000-0000-000000000001"
      },
      "shelf": [
        7
      ]
    },
    "later": {
      "x": null
    },
    "location": "vault-office"
  }
]"#;
    assert_eq!(written, expected);
}

#[test]
fn storing_keeps_what_the_labels_do_not_say() {
    let mut inventory = inventory([used(1, 9, 0, 5)]);
    inventory.set_status(medium(1), Some(MediaStatus::Full)).unwrap();
    inventory.set_bytes_used(medium(1), Some(77)).unwrap();
    inventory.set_location(medium(1), MediaLocation::Online("sl3".parse().unwrap())).unwrap();
    inventory.store(unused(1, Some("p1")), false);
    let entry = inventory.require(medium(1)).unwrap();
    assert_eq!(entry.labels.media_set_label, None);
    assert_eq!((entry.status, entry.bytes_used), (Some(MediaStatus::Full), Some(77)));
    assert_eq!(entry.location().to_string(), "online-sl3");
    inventory.store(unused(1, Some("p1")), true);
    assert_eq!(inventory.require(medium(1)).unwrap().status, None);
}

#[test]
fn a_reservation_survives_labels_without_a_set() {
    let mut inventory = inventory([used(1, 0, 0, 5)]);
    assert!(inventory.require(medium(1)).unwrap().is_assigned_empty());
    inventory.store(unused(1, None), false);
    let entry = inventory.require(medium(1)).unwrap();
    assert_eq!(entry.pool(), Some(&pool("p1")));
    assert_eq!(entry.assigned_set(), None);
    assert!(entry.labels.media_set_label.is_some());
}

#[test]
fn a_key_never_enters_the_inventory() {
    let mut labels = used(1, 9, 0, 5);
    let key = crate::label::KeyConfig::new(serde_json::json!({"data": "c2VjcmV0"})).unwrap();
    labels.media_set_label.as_mut().unwrap().key_config = Some(key);
    let mut inventory = inventory([labels.clone()]);
    inventory.store(labels, true);
    let written = String::from_utf8(inventory.to_json().unwrap()).unwrap();
    assert!(!written.contains("c2VjcmV0"), "{written}");
}

#[test]
fn only_three_statuses_can_be_set() {
    let mut inventory = inventory([unused(1, None)]);
    for refused in [MediaStatus::Writable, MediaStatus::Unknown] {
        let error = inventory.set_status(medium(1), Some(refused)).unwrap_err().to_string();
        let expected = format!("setting media status '{refused}' is not allowed");
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = inventory.set_status(medium(2), Some(MediaStatus::Full)).unwrap_err();
    assert!(matches!(error, Error::NoSuchMedium { .. }));
}

#[test]
fn pools_and_the_media_of_none() {
    let inventory = inventory([unused(1, None), unused(2, Some("p1")), used(3, 9, 0, 1)]);
    let numbers = |found: Vec<&InventoryEntry>| -> Vec<u128> {
        found.iter().map(|entry| entry.uuid().0.as_u128()).collect()
    };
    assert_eq!(numbers(inventory.media_in_pool(&pool("p1")).collect()), [2, 3]);
    assert_eq!(numbers(inventory.unassigned_media().collect()), [1]);
}

#[test]
fn a_label_text_names_one_medium() {
    let mut twin = unused(2, None);
    twin.label.label_text = "tape1".parse().unwrap();
    let inventory = inventory([unused(1, None), twin, unused(3, None)]);
    let find = |text: &str| inventory.find_by_label_text(&text.parse().unwrap());
    assert_eq!(find("tape3").unwrap().unwrap().uuid(), medium(3));
    assert_eq!(find("tape9").unwrap(), None);
    let error = find("tape1").unwrap_err().to_string();
    assert!(error.starts_with("There are '2' tapes with the label 'tape1'"), "{error}");
}

#[test]
fn members_gaps_and_duplicates() {
    let mut inventory = inventory([used(1, 9, 0, 10), used(3, 9, 2, 12)]);
    let members = inventory.set_members(set(9)).unwrap();
    assert_eq!((members.places(), members.first_missing()), (3, Some(1)));
    assert_eq!(members.last(), Some((2, medium(3))));
    let error = members.complete().unwrap_err().to_string();
    assert_eq!(error, format!("media set {} is incomplete (missing member 1).", set(9)));
    inventory.store(used(2, 9, 1, 11), false);
    let complete = inventory.set_members(set(9)).unwrap().complete().unwrap();
    assert_eq!(complete, [medium(1), medium(2), medium(3)]);
    inventory.store(used(4, 9, 1, 11), false);
    let error = inventory.set_members(set(9)).unwrap_err().to_string();
    assert!(error.contains("duplicate sequence number"), "{error}");
    inventory.store(used(4, 9, u64::MAX, 11), false);
    assert_eq!(inventory.set_members(set(9)).unwrap().first_missing(), Some(3));
}

#[test]
fn a_set_without_its_first_medium_has_no_start() {
    let inventory = inventory([used(2, 9, 1, 11)]);
    assert_eq!(inventory.set_start_time(set(9)), None);
}

#[test]
fn the_pool_of_a_set_is_agreed() {
    let mut inventory = inventory([used(1, 9, 0, 10)]);
    assert_eq!(inventory.pool_of_set(set(9)).unwrap(), pool("p1"));
    let error = inventory.pool_of_set(set(8)).unwrap_err().to_string();
    assert_eq!(error, format!("media set {} is incomplete - unable to lookup pool", set(8)));
    let mut stray = used(2, 9, 1, 10);
    stray.media_set_label.as_mut().unwrap().pool = pool("p2");
    inventory.store(stray, false);
    assert!(matches!(inventory.pool_of_set(set(9)), Err(Error::SetPools { .. })));
}

#[test]
fn the_latest_set_is_the_one_with_the_newest_label() {
    let latest = |media: Vec<MediaLabels>| inventory(media).latest_set(&pool("p1"));
    assert_eq!(latest(vec![unused(1, Some("p1"))]), None);
    assert_eq!(latest(vec![used(1, 7, 0, 10), used(2, 8, 0, 20), used(3, 9, 0, 30)]), Some(set(9)));
    assert_eq!(latest(vec![used(1, 7, 0, 10), used(2, 8, 0, 10)]), None);
    assert_eq!(latest(vec![used(1, 7, 5, 50), used(2, 8, 1, 10), used(3, 9, 0, 20)]), Some(set(7)));
    assert_eq!(latest(vec![used(1, 7, 0, 50), used(2, 7, 1, 50), used(3, 9, 0, 20)]), Some(set(7)));
}

#[test]
fn malformed_files_are_errors_and_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path());
    let file = InventoryFile::new(state.clone());
    for bad in ["{", "{}", "[{}]", r#"[{"id":{"label":{}}}]"#] {
        std::fs::write(state.inventory(), bad).unwrap();
        assert!(file.load().is_err(), "{bad}");
        let changed = file.update(Duration::ZERO, |inventory| {
            inventory.store(unused(1, None), false);
            Ok(())
        });
        assert!(changed.is_err(), "{bad}");
        assert_eq!(std::fs::read_to_string(state.inventory()).unwrap(), bad);
    }
    let element = inventory([unused(1, None)]).to_json().unwrap();
    let element = std::str::from_utf8(&element).unwrap().trim_matches(['[', ']', '\n']).to_owned();
    let twice = format!("[{element},{element}]");
    let error = Inventory::from_json(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("is there twice"), "{error}");
}

#[test]
fn an_update_is_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path());
    let file = InventoryFile::new(state.clone());
    assert!(file.load().unwrap().is_empty());
    file.update(Duration::ZERO, |inventory| {
        inventory.store(unused(1, None), false);
        Ok(())
    })
    .unwrap();
    let refused: Result<()> = file.update(Duration::ZERO, |inventory| {
        inventory.remove(medium(1));
        Err(Error::InvalidInput("no".into()))
    });
    assert!(refused.is_err());
    assert_eq!(file.load().unwrap().len(), 1);
    let _lock = state.lock_inventory(Duration::ZERO).unwrap();
    let busy = file.update(Duration::ZERO, |_| Ok(()));
    assert!(matches!(busy, Err(Error::Locked { .. })));
}

#[test]
fn nothing_is_an_empty_inventory() {
    for nothing in ["", "\n", "[]"] {
        assert!(Inventory::from_json(nothing.as_bytes()).unwrap().is_empty());
    }
    assert_eq!(Inventory::new().to_json().unwrap(), b"[]");
}
