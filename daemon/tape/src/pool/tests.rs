//! The pool vectors of `tape-state.md` §17, and what they leave open.

mod plans;
mod tables;

use std::cell::RefCell;
use std::collections::BTreeMap;

use reel_types::{AllocationPolicy, MediaLocation, RetentionPolicy};
use uuid::Uuid;

use super::*;
use crate::label::MediaLabel;
use crate::usability::SetUnusable;

const POOL: &str = "p1";

fn medium(number: u128) -> MediaId {
    MediaId(Uuid::from_u128(number))
}

fn set(number: u128) -> MediaSetId {
    MediaSetId(Uuid::from_u128(number << 64))
}

fn rules(allocation: &str, retention: &str) -> PoolRules {
    PoolRules {
        allocation: allocation.parse().unwrap(),
        retention: retention.parse().unwrap(),
        ..PoolRules::new(POOL.parse().unwrap())
    }
}

fn label(number: u128, ctime: i64, pool: Option<&str>) -> MediaLabel {
    MediaLabel {
        ctime,
        label_text: format!("tape{number}").parse().unwrap(),
        pool: pool.map(|pool| pool.parse().unwrap()),
        uuid: medium(number),
    }
}

fn set_label(set: MediaSetId, seq_nr: u64, ctime: i64) -> MediaSetLabel {
    MediaSetLabel {
        ctime,
        encryption_key_fingerprint: None,
        key_config: None,
        pool: POOL.parse().unwrap(),
        seq_nr,
        uuid: set,
    }
}

/// An inventory in the making; media get numbers from 1 on.
#[derive(Default)]
struct Media {
    inventory: Inventory,
    count: u128,
}

impl Media {
    fn add(mut self, ctime: i64, pool: Option<&str>, set_label: Option<MediaSetLabel>) -> Self {
        self.count += 1;
        let label = label(self.count, ctime, pool);
        self.inventory.store(MediaLabels { label, media_set_label: set_label }, false);
        self
    }

    fn assigned(self, ctime: i64) -> Self {
        self.add(ctime, Some(POOL), None)
    }

    fn used(self, set_number: u128, seq_nr: u64, ctime: i64) -> Self {
        self.add(0, Some(POOL), Some(set_label(set(set_number), seq_nr, ctime)))
    }

    /// Of the medium that was added last.
    fn with_status(mut self, status: MediaStatus) -> Self {
        self.inventory.set_status(medium(self.count), Some(status)).unwrap();
        self
    }

    /// Of the medium that was added last.
    fn at(mut self, location: &str) -> Self {
        self.inventory.set_location(medium(self.count), location.parse().unwrap()).unwrap();
        self
    }

    fn latest_view<T>(&self, rules: &PoolRules, site: &Site, see: impl Fn(&PoolView) -> T) -> T {
        let latest = self.inventory.latest_set(&rules.name);
        see(&PoolView::new(rules, &self.inventory, latest, site, &TimeZone::UTC).unwrap())
    }

    fn usability(&self, site: &Site) -> Result<Usability, SetUnusable> {
        self.latest_view(&rules("continue", "keep"), site, |view| view.usability())
    }

    /// Whether each medium is expired at `now`, in the order they were added.
    fn expired(&self, rules: &PoolRules, now: i64) -> Vec<bool> {
        self.latest_view(rules, &Site::Standalone, |view| {
            self.inventory.iter().map(|entry| view.is_expired(entry, now)).collect()
        })
    }
}

fn library() -> Site {
    Site::Changer("sl3".parse().unwrap())
}

/// A state folder with these media, and a pool on it whose new sets count from 100.
struct Bench {
    _folder: tempfile::TempDir,
    state: StateDir,
}

impl Bench {
    fn new(media: Media) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        let file = InventoryFile::new(state.clone());
        file.update(Duration::ZERO, |inventory| {
            *inventory = media.inventory;
            Ok(())
        })
        .unwrap();
        Self { _folder: folder, state }
    }

    fn open(&self, rules: PoolRules) -> Result<MediaPool> {
        let mut next = 100;
        let new_set_id = move || {
            next += 1;
            set(next)
        };
        let (site, zone) = (Site::Standalone, TimeZone::UTC);
        let patience = Duration::ZERO.into();
        MediaPool::open(self.state.clone(), rules, site, zone, Box::new(new_set_id), patience)
    }

    fn pool(&self, allocation: &str, retention: &str) -> MediaPool {
        self.open(rules(allocation, retention)).unwrap()
    }
}

fn alloc(pool: &mut MediaPool, now: i64) -> Option<u128> {
    match pool.alloc_writable_media(now, |_| Ok(())) {
        Ok(chosen) => Some(chosen.labels.label.uuid.0.as_u128()),
        Err(Error::NoUsableMedia { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_pool_without_media_has_none_to_give() {
    let bench = Bench::new(Media::default());
    let mut pool = bench.pool("continue", "keep");
    let error = pool.alloc_writable_media(0, |_| Ok(())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "alloc writable media in pool 'p1' failed: no usable media found"
    );
}

#[test]
fn one_tape_is_used_until_it_is_full() {
    let bench = Bench::new(Media::default().assigned(0));
    let mut pool = bench.pool("continue", "keep");
    assert_eq!(pool.start_write_session(10, false).unwrap(), None);
    assert_eq!(alloc(&mut pool, 10), Some(1));
    assert_eq!(alloc(&mut pool, 11), Some(1));
    pool.set_full(medium(1)).unwrap();
    assert_eq!(alloc(&mut pool, 12), None);
}

#[test]
fn the_tape_that_was_labelled_first_is_first() {
    let bench = Bench::new(Media::default().assigned(1).assigned(0));
    let mut pool = bench.pool("continue", "keep");
    assert_eq!(alloc(&mut pool, 10), Some(2));
    pool.set_full(medium(2)).unwrap();
    assert_eq!(alloc(&mut pool, 11), Some(1));
    pool.set_full(medium(1)).unwrap();
    assert_eq!(alloc(&mut pool, 12), None);
    assert_eq!(pool.members().unwrap(), [medium(2), medium(1)]);
}

#[test]
fn an_expired_tape_is_written_over() {
    let bench = Bench::new(Media::default().assigned(0));
    let mut pool = bench.pool("always", "12s");
    let first = pool.start_write_session(10, false).unwrap();
    assert_eq!(first.unwrap().to_string(), "policy is AlwaysCreate");
    assert_eq!(alloc(&mut pool, 10), Some(1));
    assert_eq!(alloc(&mut pool, 13), Some(1));
    pool.set_full(medium(1)).unwrap();
    assert_eq!(alloc(&mut pool, 15), None);
    let old_set = pool.current_set();
    pool.start_write_session(20, false).unwrap().unwrap();
    assert_ne!(pool.current_set(), old_set);
    assert_eq!(alloc(&mut pool, 20), None);
    assert_eq!(alloc(&mut pool, 21), None);
    assert_eq!(alloc(&mut pool, 22), Some(1));
    let entry = pool.inventory().require(medium(1)).unwrap();
    assert_eq!(entry.status, None);
    assert_eq!(entry.assigned_set(), Some(&set_label(pool.current_set(), 0, 22)));
}

#[test]
fn sets_made_by_the_calendar_expire_after_the_next() {
    let media = Media::default().used(1, 0, 0).used(2, 0, 60).used(3, 0, 120);
    let rules = rules("*:0/2", "120s");
    for now in [0, 60, 120] {
        assert!(!media.expired(&rules, now)[0], "{now}");
    }
    assert_eq!(media.expired(&rules, 180), [true, false, false]);
    assert_eq!(media.expired(&rules, 190), [true, false, false]);
    assert_eq!(media.expired(&rules, 240), [true, true, false]);
    media.latest_view(&rules, &Site::Standalone, |view| {
        let last = media.inventory.require(medium(3)).unwrap();
        assert_eq!(view.status(last), MediaStatus::Writable);
    });
}

#[test]
fn only_the_last_of_the_newest_set_is_writable() {
    let media =
        Media::default().assigned(0).used(1, 0, 10).used(2, 0, 20).used(3, 0, 30).used(3, 1, 35);
    let status: Vec<MediaStatus> =
        media.latest_view(&rules("continue", "keep"), &Site::Standalone, |view| {
            media.inventory.iter().map(|entry| view.status(entry)).collect()
        });
    use MediaStatus::{Full, Writable};
    assert_eq!(status, [Writable, Full, Full, Full, Writable]);
}

#[test]
fn a_last_tape_out_of_reach_makes_way_for_another() {
    let media = Media::default().used(1, 0, 10).at("offline");
    assert_eq!(media.usability(&library()), Ok(Usability::WantsMedium));
    assert_eq!(media.usability(&Site::Standalone), Ok(Usability::Writable(medium(1))));
    let media = Media::default().used(1, 0, 10).at("online-sl3");
    assert_eq!(media.usability(&library()), Ok(Usability::Writable(medium(1))));
    assert_eq!(media.usability(&Site::Standalone), Ok(Usability::WantsMedium));
    let media = Media::default().used(1, 0, 10).at("online-sl4");
    assert_eq!(media.usability(&library()), Ok(Usability::WantsMedium));
    assert_eq!(media.usability(&Site::Anywhere), Ok(Usability::Writable(medium(1))));
}

#[test]
fn what_makes_a_set_unusable() {
    let reason = |media: Media| media.usability(&Site::Standalone).unwrap_err().to_string();
    let incomplete = "media set is incomplete (missing media information)";
    assert_eq!(reason(Media::default().used(1, 1, 10)), incomplete);
    assert_eq!(reason(Media::default().used(1, 0, 10).used(1, 2, 10)), incomplete);
    assert_eq!(reason(Media::default().used(1, u64::MAX, 10)), incomplete);

    let damaged = Media::default().used(1, 0, 10).with_status(MediaStatus::Damaged);
    let text = "unable to use media set - wrong media status Damaged";
    assert_eq!(reason(damaged.used(1, 1, 11)), text);
    let retired = Media::default().used(1, 0, 10).used(1, 1, 11).with_status(MediaStatus::Retired);
    assert_eq!(reason(retired), "unable to use media set - wrong media status Retired");

    let vault = Media::default().used(1, 0, 10).used(1, 1, 11).at("vault-office");
    assert_eq!(reason(vault), "writable media offsite in vault 'office'");
    let mut full = Media::default().used(1, 0, 10).at("vault-office").used(1, 1, 11);
    assert_eq!(full.usability(&Site::Standalone), Ok(Usability::Writable(medium(2))));
    full = full.with_status(MediaStatus::Full).at("vault-office");
    assert_eq!(full.usability(&Site::Standalone), Ok(Usability::WantsMedium));

    let foreign = MediaSetLabel { pool: "p2".parse().unwrap(), ..set_label(set(1), 0, 10) };
    let mixed = Media::default().add(0, None, Some(foreign)).used(1, 1, 11);
    assert_eq!(reason(mixed), "media does not belong to pool (p2 != p1)");

    let key = Some(vec!["6e"; 32].join(":").parse().unwrap());
    let encrypted = MediaSetLabel { encryption_key_fingerprint: key, ..set_label(set(1), 0, 10) };
    let media = Media::default().add(0, None, Some(encrypted));
    assert_eq!(media.usability(&library()), Err(SetUnusable::KeyChanged));
    let with_key = PoolRules { encrypt: key, ..rules("continue", "keep") };
    let usability = media.latest_view(&with_key, &Site::Standalone, |view| view.usability());
    assert_eq!(usability, Ok(Usability::Writable(medium(1))));
    let plain = Media::default().used(1, 0, 10);
    let usability = plain.latest_view(&with_key, &Site::Standalone, |view| view.usability());
    assert_eq!(usability.unwrap_err().to_string(), "pool encryption key changed");
}

#[test]
fn reasons_for_a_new_set_in_their_order() {
    let broken = Media::default().used(1, 1, 10);
    let good = Media::default().used(1, 0, 60);
    let reason = |media: &Media, allocation: &str, now: i64, force: bool| {
        media.latest_view(&rules(allocation, "keep"), &Site::Standalone, |view| {
            view.reason_for_new_set(now, force).map(|reason| reason.to_string())
        })
    };
    assert_eq!(reason(&broken, "always", 0, true).unwrap(), "forced");
    let incomplete = "media set is incomplete (missing media information)";
    assert_eq!(reason(&broken, "always", 0, false).unwrap(), incomplete);
    assert_eq!(reason(&good, "always", 0, false).unwrap(), "policy is AlwaysCreate");
    assert_eq!(reason(&good, "continue", i64::MAX, false), None);
    assert_eq!(reason(&good, "*:0/2", 119, false), None);
    let event = "policy CreateAt event triggered";
    assert_eq!(reason(&good, "*:0/2", 120, false).unwrap(), event);
    assert_eq!(reason(&Media::default(), "*:0/2", 120, false), None);
    assert_eq!(reason(&Media::default(), "always", 0, false).unwrap(), "policy is AlwaysCreate");
}

#[test]
fn which_set_is_the_latest() {
    let latest = |media: &Media| media.inventory.latest_set(&POOL.parse().unwrap());
    let media = Media::default().used(1, 0, 10).used(2, 0, 20).used(3, 0, 30);
    assert_eq!(latest(&media), Some(set(3)));
    assert_eq!(latest(&Media::default().used(1, 0, 10).used(2, 0, 10)), None);
    let media = Media::default().used(1, 5, 50).used(2, 1, 10).used(3, 0, 20);
    assert_eq!(latest(&media), Some(set(1)));
    assert_eq!(media.inventory.set_start_time(set(1)), None);
}

#[test]
fn retention_of_each_policy() {
    let media = Media::default().used(1, 0, 10).used(1, 1, 15).used(2, 0, 20);
    let first = |allocation: &str, retention: &str| {
        media.latest_view(&rules(allocation, retention), &Site::Standalone, |view| {
            view.expires_at(media.inventory.require(medium(2)).unwrap())
        })
    };
    assert_eq!(first("continue", "keep"), None);
    assert_eq!(first("continue", "overwrite"), Some(20));
    assert_eq!(first("continue", "1500ms"), Some(21));
    assert_eq!(first("always", "overwrite"), Some(10));
    assert_eq!(first("always", "1 day"), Some(86_410));
    assert_eq!(first("*:0/2", "overwrite"), Some(20));
    let last = |allocation: &str| {
        media.latest_view(&rules(allocation, "overwrite"), &Site::Standalone, |view| {
            view.expires_at(media.inventory.require(medium(3)).unwrap())
        })
    };
    assert_eq!(last("continue"), None);
    assert_eq!(last("always"), Some(20));
    assert_eq!(last("*:0/2"), Some(120));
    assert_eq!(last("*-2-30 12:00"), None);
}

#[test]
fn a_set_without_its_start_counts_from_each_tape() {
    let media = Media::default().used(1, 1, 10).used(1, 2, 15);
    let rules = rules("always", "overwrite");
    media.latest_view(&rules, &Site::Standalone, |view| {
        let expires = |n| view.expires_at(media.inventory.require(medium(n)).unwrap());
        assert_eq!((expires(1), expires(2)), (Some(10), Some(15)));
    });
}

#[test]
fn empty_then_expired_then_free() {
    let media = Media::default()
        .add(0, None, None)
        .used(1, 0, 10)
        .with_status(MediaStatus::Full)
        .used(2, 0, 5)
        .assigned(99)
        .assigned(1)
        .at("vault-office")
        .assigned(2)
        .with_status(MediaStatus::Damaged)
        .add(3, Some(POOL), Some(set_label(MediaSetId(Uuid::nil()), 0, 3)))
        .add(0, None, None);
    let bench = Bench::new(media);
    let mut pool = bench.pool("always", "overwrite");
    pool.start_write_session(1000, false).unwrap().unwrap();
    let taken: Vec<u128> = (0..6)
        .map(|n| {
            let number = alloc(&mut pool, 1000 + n).unwrap();
            pool.set_full(medium(number)).unwrap();
            number
        })
        .collect();
    assert_eq!(taken, [7, 4, 3, 2, 1, 8]);
    assert_eq!(alloc(&mut pool, 2000), None);
    assert_eq!(pool.members().unwrap().len(), 6);
    let free = pool.inventory().require(medium(8)).unwrap();
    assert_eq!((free.labels.label.pool.as_ref(), free.pool()), (None, Some(&pool.rules().name)));
}

#[test]
fn equally_old_tapes_go_by_their_labels() {
    let media = Media::default().assigned(5).assigned(5).assigned(5);
    let bench = Bench::new(media);
    let mut pool = bench.pool("continue", "keep");
    assert_eq!(alloc(&mut pool, 10), Some(1));
}

#[test]
fn an_expired_tape_of_a_busy_set_is_left_alone() {
    let bench = Bench::new(Media::default().used(1, 0, 10).used(2, 0, 20));
    let mut pool = bench.pool("always", "overwrite");
    pool.start_write_session(100, false).unwrap().unwrap();
    let reading = bench.state.lock_media_set(set(1), Duration::ZERO).unwrap();
    let passed_over = |pool: &MediaPool| -> Vec<MediaSetId> {
        pool.passed_over().iter().map(|busy| busy.media_set).collect()
    };
    assert_eq!(alloc(&mut pool, 100), Some(2));
    assert_eq!(passed_over(&pool), [set(1)]);
    assert_eq!(alloc(&mut pool, 100), Some(2));
    assert_eq!(passed_over(&pool), [], "a member was asked for, nothing was chosen");
    pool.set_full(medium(2)).unwrap();
    assert_eq!(alloc(&mut pool, 101), None);
    assert_eq!(passed_over(&pool), [set(1)]);
    drop(reading);
    assert_eq!(alloc(&mut pool, 102), Some(1));
    assert_eq!(passed_over(&pool), []);
}

#[test]
fn two_jobs_cannot_have_one_set() {
    let bench = Bench::new(Media::default().used(1, 0, 10));
    let mut pool = bench.pool("continue", "keep");
    assert!(matches!(bench.open(rules("continue", "keep")), Err(Error::Locked { .. })));
    pool.start_write_session(100, true).unwrap().unwrap();
    bench.open(rules("continue", "keep")).unwrap();
}

#[test]
fn the_catalog_is_replaced_before_the_inventory_knows() {
    let bench = Bench::new(Media::default().assigned(0));
    let mut pool = bench.pool("continue", "keep");
    let file = InventoryFile::new(bench.state.clone());
    let refused = pool.alloc_writable_media(10, |_| Err(Error::InvalidInput("disk full".into())));
    assert!(refused.is_err());
    assert_eq!(file.load().unwrap().require(medium(1)).unwrap().assigned_set(), None);

    let seen = RefCell::new(None);
    let chosen = pool
        .alloc_writable_media(11, |labels| {
            let stored = file.load()?.require(medium(1))?.assigned_set().cloned();
            *seen.borrow_mut() = Some((labels.clone(), stored));
            Ok(())
        })
        .unwrap();
    assert_eq!(chosen.choice, Choice::Empty);
    assert_eq!(seen.into_inner(), Some((chosen.labels.clone(), None)));
    let stored = file.load().unwrap();
    assert_eq!(stored.require(medium(1)).unwrap().assigned_set(), Some(&chosen.set_label));
    let again = pool.alloc_writable_media(12, |_| panic!("not for a member")).unwrap();
    assert_eq!(again, WritableMedium { choice: Choice::Current, ..chosen });
}

#[test]
fn a_tape_that_was_relabelled_meanwhile_does_not_join() {
    let bench = Bench::new(Media::default().assigned(0));
    let mut pool = bench.pool("continue", "keep");
    let file = InventoryFile::new(bench.state.clone());
    let error = pool
        .alloc_writable_media(10, |_| {
            file.update(Duration::ZERO, |inventory| {
                let labels = MediaLabels { label: label(1, 7, None), media_set_label: None };
                inventory.store(labels, false);
                Ok(())
            })
        })
        .unwrap_err();
    assert!(error.to_string().contains("changed by somebody else"), "{error}");
    assert_eq!(file.load().unwrap().require(medium(1)).unwrap().pool(), None);
}

#[test]
fn a_set_that_breaks_while_it_is_written_ends_the_job() {
    let bench = Bench::new(Media::default().used(1, 0, 10).with_status(MediaStatus::Damaged));
    let mut pool = bench.pool("continue", "keep");
    let error = pool.alloc_writable_media(20, |_| Ok(())).unwrap_err().to_string();
    assert!(error.ends_with("wrong media status Damaged"), "{error}");
}

#[test]
fn two_media_in_one_place_are_an_error() {
    let bench = Bench::new(Media::default().used(1, 0, 10).used(1, 0, 11));
    let mut pool = bench.pool("continue", "keep");
    let error = pool.start_write_session(20, false).unwrap_err();
    assert!(matches!(error, Error::DuplicateSequenceNumber { .. }), "{error}");
}

#[test]
fn the_next_tape_can_be_guessed() {
    let guess = |media: &Media, rules: &PoolRules| {
        let (site, zone) = (Site::Standalone, TimeZone::UTC);
        let view = PoolView::of_job_at(rules, &media.inventory, &site, &zone, 1000).unwrap();
        view.guess_next_medium(1000).map(|label| label.to_string())
    };
    let media = Media::default().used(1, 0, 10).add(0, None, None);
    assert_eq!(guess(&media, &rules("continue", "keep")).unwrap(), "tape1");
    assert_eq!(guess(&media, &rules("always", "keep")).unwrap(), "tape2");
    assert_eq!(guess(&media, &rules("always", "overwrite")).unwrap(), "tape1");
    assert_eq!(guess(&Media::default(), &rules("continue", "keep")), None);
}

#[test]
fn reach() {
    let site = library();
    let reaches = |site: &Site, at: &str| site.reaches(&at.parse::<MediaLocation>().unwrap());
    let expected = BTreeMap::from([
        ("offline", [false, true, true]),
        ("online-sl3", [true, false, true]),
        ("online-sl4", [false, false, true]),
        ("vault-office", [false, false, false]),
    ]);
    for (at, expected) in expected {
        let found =
            [reaches(&site, at), reaches(&Site::Standalone, at), reaches(&Site::Anywhere, at)];
        assert_eq!(found, expected, "{at}");
    }
}

#[test]
fn policies_without_configuration() {
    let rules = PoolRules::new(POOL.parse().unwrap());
    assert_eq!(rules.allocation, AllocationPolicy::Continue);
    assert_eq!(rules.retention, RetentionPolicy::Keep);
}
