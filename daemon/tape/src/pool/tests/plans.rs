//! What a pool says that it will do, without doing it.

use super::*;

/// A plan as words: whether there is a new set and why, then the media in their order.
fn planned(media: &Media, rules: &PoolRules, site: &Site, now: i64) -> (bool, String, Vec<String>) {
    let zone = TimeZone::UTC;
    let plan = PoolPlan::of_job_at(rules, &media.inventory, site, &zone, now).unwrap();
    let name = |(choice, entry): &(Choice, &InventoryEntry)| {
        format!("{} {}", entry.labels.label.label_text, choice.as_str())
    };
    (plan.new_set, plan.reason, plan.media.iter().map(name).collect())
}

/// Media, allocation, retention, the drive's site and the time; then whether there is a new set, why, and the media.
type PlanRow<'a> = (Media, &'a str, &'a str, Site, i64, bool, &'a str, &'a [&'a str]);

#[test]
fn plans_by_policy_and_media() {
    let used = || Media::default().used(1, 0, 10).used(1, 1, 20);
    let with_spares = || used().add(5, None, None).assigned(7);
    let no_set = "the pool has no media set yet";
    let at_two = "policy '*:0/2' begins the next one at 1970-01-01T00:02:00+00:00";
    let offline = "policy is Continue; it goes on with another medium, for 'tape2' is offline";
    let table: [PlanRow<'_>; 9] = [
        (
            Media::default(),
            "always",
            "keep",
            Site::Standalone,
            0,
            true,
            "policy is AlwaysCreate",
            &[],
        ),
        (
            Media::default().assigned(0),
            "continue",
            "keep",
            Site::Standalone,
            0,
            true,
            no_set,
            &["tape1 empty"],
        ),
        (
            used(),
            "continue",
            "keep",
            Site::Standalone,
            30,
            false,
            "policy is Continue",
            &["tape2 current"],
        ),
        (
            with_spares(),
            "continue",
            "keep",
            Site::Standalone,
            30,
            false,
            "policy is Continue",
            &["tape2 current", "tape4 empty", "tape3 free"],
        ),
        (
            with_spares(),
            "always",
            "overwrite",
            Site::Standalone,
            30,
            true,
            "policy is AlwaysCreate",
            &["tape4 empty", "tape1 expired", "tape2 expired", "tape3 free"],
        ),
        (used(), "*:0/2", "keep", Site::Standalone, 119, false, at_two, &["tape2 current"]),
        (
            used(),
            "*:0/2",
            "keep",
            Site::Standalone,
            120,
            true,
            "policy CreateAt event triggered",
            &[],
        ),
        (used(), "continue", "keep", library(), 30, false, offline, &[]),
        (
            used().at("vault-office").assigned(1),
            "continue",
            "keep",
            Site::Standalone,
            30,
            true,
            "writable media offsite in vault 'office'",
            &["tape3 empty"],
        ),
    ];
    for (number, (media, allocation, retention, site, now, new_set, reason, expected)) in
        table.into_iter().enumerate()
    {
        let (is_new, why, chosen) = planned(&media, &rules(allocation, retention), &site, now);
        assert_eq!(
            (is_new, why.as_str(), chosen),
            (new_set, reason, expected.iter().map(|it| (*it).to_owned()).collect()),
            "row {number}"
        );
    }
}

#[test]
fn plans_tell_why_not_and_until_when() {
    let media = Media::default()
        .used(1, 0, 10)
        .used(2, 0, 20)
        .assigned(1)
        .with_status(MediaStatus::Damaged)
        .assigned(2)
        .with_status(MediaStatus::Retired)
        .assigned(3)
        .at("vault-office")
        .assigned(4)
        .at("online-sl4")
        .used(2, 1, 25);
    let (rules, zone) = (rules("continue", "60s"), TimeZone::UTC);
    let plan = PoolPlan::of_job_at(&rules, &media.inventory, &Site::Standalone, &zone, 30).unwrap();
    let why: Vec<String> = plan
        .out_of_use
        .iter()
        .map(|(entry, why)| format!("{}: {why}", entry.labels.label.label_text))
        .collect();
    assert_eq!(
        why,
        [
            "tape1: kept until 1970-01-01T00:01:20+00:00",
            "tape2: full, in the media set that is written",
            "tape3: damaged",
            "tape4: retired",
            "tape5: in vault 'office'",
            "tape6: in library 'sl4', where the drive is not",
        ]
    );
    let expiry: Vec<Option<i64>> = plan.expiry.iter().map(|(_, time)| *time).collect();
    assert_eq!(expiry, [Some(80), None]);
}
