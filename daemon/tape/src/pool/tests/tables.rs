//! The tables of `tape-state.md` §§5 to 7, a row each.

use super::*;

const KEEP: &str = "keep";
const UNASSIGNED: MediaSetId = MediaSetId(Uuid::nil());

fn of_pool(pool: &str, label: MediaSetLabel) -> MediaSetLabel {
    MediaSetLabel { pool: pool.parse().unwrap(), ..label }
}

fn encrypted(byte: &str, label: MediaSetLabel) -> MediaSetLabel {
    let key = vec![byte; 32].join(":").parse().unwrap();
    MediaSetLabel { encryption_key_fingerprint: Some(key), ..label }
}

/// §5: the media, and the status that the last of them has.
#[test]
fn the_status_of_a_medium() {
    use MediaStatus::{Damaged, Full, Retired, Unknown, Writable};
    let empty = || Media::default().assigned(0);
    let used = || Media::default().used(1, 0, 10);
    let foreign = of_pool("p2", set_label(set(7), 0, 99));
    let unassigned = set_label(UNASSIGNED, 0, 5);
    let table: [(&str, Media, MediaStatus); 15] = [
        ("1: stored full, and empty", empty().with_status(Full), Full),
        ("1: stored damaged", empty().with_status(Damaged), Damaged),
        ("1: stored retired", empty().with_status(Retired), Retired),
        ("1: stored full, the last one", used().with_status(Full), Full),
        ("1: stored damaged, the last one", used().with_status(Damaged), Damaged),
        (
            "1: stored retired, of a former set",
            Media::default().used(2, 0, 20).used(1, 0, 10).with_status(Retired),
            Retired,
        ),
        ("2: no set label", used().assigned(0), Writable),
        ("2: no set label and no pool", used().add(0, None, None), Writable),
        ("3: of another pool", used().add(0, Some(POOL), Some(foreign)), Unknown),
        ("4: reserved for no set", used().add(0, Some(POOL), Some(unassigned)), Writable),
        ("5: of a former set", Media::default().used(2, 0, 20).used(1, 0, 10), Full),
        ("5: of a set before one that is as old", used().used(2, 0, 10), Full),
        ("6: the last one", used(), Writable),
        ("6: the last one of several", used().used(1, 1, 11), Writable),
        ("6: not the last one", Media::default().used(1, 1, 11).used(1, 0, 10), Full),
    ];
    for (row, media, status) in table {
        let last = media.inventory.require(medium(media.count)).unwrap();
        let found = media
            .latest_view(&rules("continue", KEEP), &Site::Standalone, |view| view.status(last));
        assert_eq!(found, status, "{row}");
    }
}

/// §6.1: the media, where the drive is, and what may be done with the set.
#[test]
fn the_use_of_the_current_set() {
    use MediaStatus::{Damaged, Full, Retired};
    use Usability::{WantsMedium, Writable};
    let used = || Media::default().used(1, 0, 10);
    let two = || used().used(1, 1, 11);
    let plain = set_label(set(1), 0, 10);
    let secret = encrypted("6e", set_label(set(1), 1, 11));
    let mixed =
        || Media::default().add(0, None, Some(plain.clone())).add(0, None, Some(secret.clone()));
    let incomplete = "media set is incomplete (missing media information)";
    let damaged = "unable to use media set - wrong media status Damaged";
    let retired = "unable to use media set - wrong media status Retired";
    let offsite = "writable media offsite in vault 'office'";
    let alone = || Site::Standalone;
    type Row<'r> = (&'r str, Media, Site, Result<Usability, &'r str>);
    let table: [Row<'_>; 19] = [
        ("no set", Media::default().assigned(0), alone(), Ok(WantsMedium)),
        ("a gap in front", Media::default().used(1, 1, 10), alone(), Err(incomplete)),
        ("a gap in the middle", used().used(1, 2, 12), alone(), Err(incomplete)),
        (
            "another pool",
            {
                let foreign = of_pool("p2", plain.clone());
                Media::default().add(0, None, Some(foreign)).used(1, 1, 11)
            },
            alone(),
            Err("media does not belong to pool (p2 != p1)"),
        ),
        ("a key, the pool has none", mixed(), alone(), Err("pool encryption key changed")),
        ("the last one", two(), alone(), Ok(Writable(medium(2)))),
        ("the last one in the library", two().at("online-sl3"), library(), Ok(Writable(medium(2)))),
        ("the last one on the shelf", two(), library(), Ok(WantsMedium)),
        ("the last one in another library", two().at("online-sl4"), library(), Ok(WantsMedium)),
        ("the last one in a library", two().at("online-sl3"), alone(), Ok(WantsMedium)),
        ("the last one in a vault", two().at("vault-office"), alone(), Err(offsite)),
        ("the same, for a library", two().at("vault-office"), library(), Err(offsite)),
        (
            "the last one in a vault, full",
            two().with_status(Full).at("vault-office"),
            alone(),
            Ok(WantsMedium),
        ),
        (
            "a former one in a vault",
            used().at("vault-office").used(1, 1, 11),
            alone(),
            Ok(Writable(medium(2))),
        ),
        ("the last one full", two().with_status(Full), alone(), Ok(WantsMedium)),
        ("the last one damaged", two().with_status(Damaged), alone(), Err(damaged)),
        ("a former one damaged", used().with_status(Damaged).used(1, 1, 11), alone(), Err(damaged)),
        ("the last one retired", two().with_status(Retired), alone(), Err(retired)),
        ("a former one retired", used().with_status(Retired).used(1, 1, 11), alone(), Err(retired)),
    ];
    for (row, media, site, expected) in table {
        let found = media.usability(&site).map_err(|reason| reason.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{row}");
    }
}

/// §6.2: the media, the policy, the time, whether a new set is forced, and why there is one.
#[test]
fn the_reasons_for_a_new_set() {
    let used = || Media::default().used(1, 0, 60);
    let broken = || Media::default().used(1, 1, 60);
    let incomplete = "media set is incomplete (missing media information)";
    let event = "policy CreateAt event triggered";
    type Row<'r> = (&'r str, Media, &'r str, i64, bool, Option<&'r str>);
    let table: [Row<'_>; 14] = [
        ("1 before 2", broken(), "always", 61, true, Some("forced")),
        ("1 before 5", used(), "continue", 61, true, Some("forced")),
        ("2 before 3", broken(), "always", 61, false, Some(incomplete)),
        ("2 before 4", broken(), "*:0/2", 500, false, Some(incomplete)),
        ("2 before 5", broken(), "continue", 61, false, Some(incomplete)),
        ("3", used(), "always", 61, false, Some("policy is AlwaysCreate")),
        ("3 without a set", Media::default(), "always", 61, false, Some("policy is AlwaysCreate")),
        ("4 a second before", used(), "*:0/2", 119, false, None),
        ("4 on time", used(), "*:0/2", 120, false, Some(event)),
        ("4 begun at an event", Media::default().used(1, 0, 120), "*:0/2", 239, false, None),
        ("4 the next one", Media::default().used(1, 0, 120), "*:0/2", 240, false, Some(event)),
        ("4 without a set", Media::default(), "*:0/2", 500, false, None),
        ("4 never", used(), "*-2-30 12:00", i64::MAX, false, None),
        ("5", used(), "continue", i64::MAX, false, None),
    ];
    for (row, media, allocation, now, force, expected) in table {
        let found = media.latest_view(&rules(allocation, KEEP), &Site::Standalone, |view| {
            view.reason_for_new_set(now, force).map(|reason| reason.to_string())
        });
        assert_eq!(found.as_deref(), expected, "{row}");
    }
}

/// §7: the media, allocation, retention, and when the first of them may be written over.
#[test]
fn the_end_of_retention() {
    let alone = || Media::default().used(1, 0, 10);
    let followed = || alone().used(2, 0, 25);
    let late = || Media::default().used(1, 1, 15).used(1, 0, 10);
    let reserved = || alone().add(0, Some(POOL), Some(set_label(UNASSIGNED, 0, 30)));
    let foreign = || alone().add(0, None, Some(of_pool("p2", set_label(set(9), 0, 12))));
    type Row<'r> = (&'r str, Media, &'r str, &'r str, Option<i64>);
    let table: [Row<'_>; 26] = [
        ("keep", followed(), "always", "keep", None),
        ("no set label", Media::default().assigned(0), "always", "overwrite", None),
        ("no set", reserved_only(), "always", "overwrite", None),
        ("always, followed", followed(), "always", "overwrite", Some(10)),
        ("always, not followed", alone(), "always", "overwrite", Some(10)),
        ("continue, followed", followed(), "continue", "overwrite", Some(25)),
        ("continue, not followed", alone(), "continue", "overwrite", None),
        ("event, followed", followed(), "*:0/2", "overwrite", Some(25)),
        ("event, not followed", alone(), "*:0/2", "overwrite", Some(120)),
        ("no event, not followed", alone(), "*-2-30 12:00", "overwrite", None),
        (
            "at an event, not followed",
            Media::default().used(1, 0, 120),
            "*:0/2",
            "overwrite",
            Some(240),
        ),
        ("span, always", followed(), "always", "1 minute", Some(70)),
        ("span, continue", followed(), "continue", "1 minute", Some(85)),
        ("span, continue, not followed", alone(), "continue", "1 minute", None),
        ("span, event, not followed", alone(), "*:0/2", "1 minute", Some(180)),
        ("fractions are cut", followed(), "always", "1999ms", Some(11)),
        ("less than a second", followed(), "always", "999999us", Some(10)),
        ("a week", followed(), "always", "1 week", Some(10 + 7 * 86_400)),
        ("a month", followed(), "always", "1 month", Some(10 + 2_630_016)),
        ("a year", followed(), "always", "1 year", Some(10 + 31_557_600)),
        ("of a further medium, by the set's start", late(), "always", "overwrite", Some(10)),
        (
            "start unknown, by its own label",
            Media::default().used(1, 1, 15),
            "always",
            "overwrite",
            Some(15),
        ),
        (
            "its own set's later media don't count",
            alone().used(1, 1, 20),
            "continue",
            "overwrite",
            None,
        ),
        ("what lies before doesn't count", alone().used(2, 0, 9), "continue", "overwrite", None),
        ("a reserved one counts", reserved(), "continue", "overwrite", Some(30)),
        ("another pool's doesn't count", foreign(), "continue", "overwrite", None),
    ];
    for (row, media, allocation, retention, expected) in table {
        let first = media.inventory.require(medium(1)).unwrap();
        let rules = rules(allocation, retention);
        let found = media.latest_view(&rules, &Site::Standalone, |view| view.expires_at(first));
        assert_eq!(found, expected, "{row}");
    }
}

fn reserved_only() -> Media {
    Media::default().add(0, Some(POOL), Some(set_label(UNASSIGNED, 0, 30)))
}

/// §7: only media that count as full expire, to the second, wherever they are.
#[test]
fn what_expires() {
    use MediaStatus::{Damaged, Full, Retired};
    let former = || Media::default().used(1, 0, 10);
    let at = |media: Media, now| media.used(2, 0, 30).expired(&rules("continue", "20 s"), now)[0];
    assert!(!at(former(), 49));
    assert!(at(former(), 50));
    assert!(at(former().with_status(Full).at("vault-office"), 50));
    assert!(!at(former().with_status(Damaged), 50));
    assert!(!at(former().with_status(Retired), 50));
    let current = Media::default().used(1, 0, 10).used(1, 1, 20);
    assert_eq!(current.expired(&rules("always", "overwrite"), 1000), [true, false]);
}
