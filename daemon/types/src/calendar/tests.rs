//! The vectors of `config.md` §11.5 and §12, and a comparison with `systemd-analyze`.

use std::process::Command;

use proptest::prelude::*;

use super::*;

/// Wednesday, 2024-06-05 14:24:36 UTC.
const BASE: i64 = 1_717_597_476;

fn event(text: &str) -> CalendarEvent {
    text.parse().unwrap()
}

fn next(text: &str, last: i64) -> Option<i64> {
    event(text).next_after(last, &TimeZone::UTC)
}

/// Rows whose meaning systemd shares.
const SHARED: &[(&str, Option<i64>)] = &[
    ("minutely", Some(1_717_597_500)),
    ("*:*", Some(1_717_597_500)),
    ("hourly", Some(1_717_599_600)),
    ("daily", Some(1_717_632_000)),
    ("mon..fri", Some(1_717_632_000)),
    ("weekly", Some(1_717_977_600)),
    ("monthly", Some(1_719_792_000)),
    ("quarterly", Some(1_719_792_000)),
    ("semiannually", Some(1_719_792_000)),
    ("yearly", Some(1_735_689_600)),
    ("Wed 02:30", Some(1_718_159_400)),
    ("sat,sun", Some(1_717_804_800)),
    ("12:05", Some(1_717_675_500)),
    ("*:00/5", Some(1_717_597_500)),
    ("0/1:0/5", Some(1_717_597_500)),
    ("mon..wed *:30/10", Some(1_717_597_800)),
    ("mon..fri 8..17,22:0/15", Some(1_717_597_800)),
    ("fri 12..13:5/20", Some(1_717_761_900)),
    ("12/2:5", Some(1_717_603_500)),
    ("*-05", Some(1_720_137_600)),
    ("Sat *-1..7 15:00", Some(1_720_278_000)),
    ("2015-10-21", None),
    ("02-30", None),
    ("2025-02-29", None),
    ("2020-7..9-2/2", None),
    ("2024-12-24", Some(1_734_998_400)),
    ("02-29", Some(1_835_395_200)),
    ("*-*-31", Some(1_722_384_000)),
    ("*:*:*", Some(1_717_597_477)),
    ("14:24:37", Some(1_717_597_477)),
    ("14:24:36", Some(1_717_683_876)),
    ("*:3:5", Some(1_717_599_785)),
    ("4..10/2:0", Some(1_717_646_400)),
    ("5,10:4,8", Some(1_717_650_240)),
    ("10,5:8,4", Some(1_717_650_240)),
    ("mon,wed..thursday 1:00", Some(1_717_635_600)),
    ("*-02/3-15 06:00", Some(1_723_701_600)),
    ("*-*-1..7/2 0:0", Some(1_717_718_400)),
];

/// Rows that systemd reads otherwise or not at all.
const OURS: &[(&str, Option<i64>)] = &[
    ("fri..mon", Some(1_717_718_400)),
    ("0", Some(1_717_599_600)),
    ("30", Some(1_717_597_800)),
    ("*", Some(1_717_597_500)),
    ("*/2:00", Some(1_717_603_200)),
    ("annually", Some(1_735_689_600)),
    ("semi-annually", Some(1_719_792_000)),
    ("25:00", Some(1_717_597_500)),
    ("dailyUTC", Some(1_717_632_000)),
    ("mon12:00", Some(1_717_977_600 + 12 * 3600)),
    ("*-06-05/0 23:00", Some(1_717_628_400)),
    ("0-01-01", None),
];

#[test]
fn vectors_of_the_specification() {
    for (text, expected) in SHARED.iter().chain(OURS) {
        assert_eq!(next(text, BASE), *expected, "{text}");
    }
}

#[test]
fn vectors_from_other_starts() {
    let rows = [
        ("0", 0, 3600),
        ("*:3:5", 0, 185),
        ("mon 2:50", 0, 355_800),
        ("thu", 0, 604_800),
        ("4..10/2:0", 0, 14_400),
        ("4..10/2:0", 39_600, 100_800),
        ("monthly", 0, 2_678_400),
        ("yearly", 0, 31_536_000),
        ("02-29", 0, 68_169_600),
        ("1965/5-01-01", -1, 0),
        ("sat", 1_596_153_600, 1_596_240_000),
        ("2020-7..9-2/2", 1_596_153_600, 1_596_326_400),
        ("2020,2021-12-31", 1_596_153_600, 1_609_372_800),
    ];
    for (text, last, expected) in rows {
        assert_eq!(next(text, last), Some(expected), "{text} after {last}");
    }
}

#[test]
fn daylight_saving() {
    let vienna = TimeZone::get("Europe/Vienna").unwrap();
    // 02:30 doesn't exist on 31 March 2024.
    assert_eq!(event("02:30").next_after(1_711_762_200, &vienna), Some(1_711_931_400));
    assert_eq!(event("02:30 UTC").next_after(1_711_762_200, &vienna), Some(1_711_765_800));
    // 27 October 2024 has 02:30 twice (00:30 and 01:30 UTC); the event happens once.
    let first = 1_729_989_000;
    assert_eq!(event("02:30").next_after(first - 7200, &vienna), Some(first));
    assert_eq!(event("02:30").next_after(first, &vienna), Some(first + 25 * 3600));
    // Asked inside the second pass, the answer is never in the past.
    let second_pass = first + 3600 + 60;
    assert_eq!(event("*:00/5").next_after(second_pass, &vienna), Some(second_pass + 240));
}

#[test]
fn what_is_no_event() {
    let rows = [
        "",
        "foo",
        "Daily",
        "weekly 02:00",
        "12:60",
        "*-13-01",
        "*-32",
        "8..5:00",
        "mon tue",
        "*/0:0",
        "mon,",
        "mo",
        "2200-01-01",
        "1,*:0",
        " 02:00",
        "02:00 ",
        "mon.. fri",
        "@123",
        "*-*~01",
        "1:2:3:4",
        "UTC",
        "0:0:60",
        "12:00utc",
        "mon  ",
        "1-2-3-4",
        "-",
        ":",
        "*-",
        "1.2:0",
        "1...2:0",
        "*/2/3:0",
        "1/2..3:0",
        "99999999999:0",
        "12:00:00.5",
        "12:00\n",
        " UTC",
    ];
    for text in rows {
        assert!(text.parse::<CalendarEvent>().is_err(), "{text:?}");
    }
}

#[test]
fn same_answers_as_systemd() {
    for (text, expected) in SHARED {
        let Some(answer) = systemd_next(text) else {
            eprintln!("skipped: no usable systemd-analyze on this computer");
            return;
        };
        assert_eq!(answer, *expected, "{text}");
    }
}

/// What `systemd-analyze calendar` gives as next time after [`BASE`]: `None` where the program is
/// missing or too old, `Some(None)` where the event never happens.
fn systemd_next(text: &str) -> Option<Option<i64>> {
    let output = Command::new("systemd-analyze")
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .args(["calendar", "--base-time", "2024-06-05 14:24:36 UTC", text])
        .output()
        .ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    let value = answer.lines().find_map(|line| line.trim().strip_prefix("Next elapse: "))?;
    if value == "never" {
        return Some(None);
    }
    let value = value.strip_suffix(" UTC")?;
    let time = DateTime::strptime("%a %Y-%m-%d %H:%M:%S", value).ok()?;
    Some(Some(TimeZone::UTC.to_timestamp(time).ok()?.as_second()))
}

/// Texts in the shape of events: most parse, some don't.
fn event_text() -> impl Strategy<Value = String> {
    let weekdays = prop::sample::select(vec!["", "mon ", "Tue..fri ", "sat..tue ", "wed,sun "]);
    let list = |max: u32| {
        prop_oneof![
            Just("*".to_owned()),
            (1..max).prop_map(|n| n.to_string()),
            (1..max, 1..max).prop_map(|(a, b)| format!("{}..{}", a.min(b), a.max(b))),
            (1..max, 0..max).prop_map(|(a, n)| format!("{a}/{n}")),
            (1..max, 1..max).prop_map(|(a, b)| format!("{a},{b}")),
        ]
    };
    let date = (list(13), list(32)).prop_map(|(month, day)| format!("*-{month}-{day} "));
    let date = prop_oneof![Just(String::new()), date];
    (weekdays, date, list(24), list(60), list(60))
        .prop_map(|(days, date, h, m, s)| format!("{days}{date}{h}:{m}:{s}"))
}

proptest! {
    #[test]
    fn the_next_event_is_the_first_later_match(text in event_text(), last in 0i64..4_000_000_000) {
        let event = event(&text);
        let Some(next) = event.next_after(last, &TimeZone::UTC) else { return Ok(()) };
        prop_assert!(next > last);
        let matches = |epoch: i64| {
            let time = wall_clock(epoch, &TimeZone::UTC).unwrap();
            matches!(event.fields.step(time), Some(Step::Matches))
        };
        prop_assert!(matches(next));
        for epoch in (last + 1..next).take(5000) {
            prop_assert!(!matches(epoch), "{} matches already", epoch);
        }
        prop_assert_eq!(event.next_after(next - 1, &TimeZone::UTC), Some(next));
    }

    #[test]
    fn time_never_runs_backwards(text in event_text(), last in 1_700_000_000i64..1_800_000_000) {
        let vienna = TimeZone::get("Europe/Vienna").unwrap();
        if let Some(next) = event(&text).next_after(last, &vienna) {
            prop_assert!(next > last);
        }
    }
}
