//! `cli-manager.md` §§1 and 5, row by row.

use reel_types::TimeZone;
use reel_types::commands::REELCTL;

use super::*;
use crate::table::Style;

mod programs;

fn environment() -> Environment {
    Environment {
        program: &REELCTL,
        socket: "/nowhere".into(),
        folder: "/home/me".into(),
        output_format: None,
        drive: None,
        tape: None,
        changer: None,
        style: Style::default(),
        zone: TimeZone::UTC,
        progress: false,
    }
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(ToString::to_string).collect()
}

fn prepared(line: &str) -> Invocation {
    let line: Vec<&str> = line.split_whitespace().collect();
    prepare(&words(&line), &environment()).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn params(line: &str) -> Value {
    Value::Object(prepared(line).params)
}

fn refusal_of(line: &[&str]) -> String {
    prepare(&words(line), &environment()).unwrap_err().report(&REELCTL)
}

/// The first line of what goes to standard error.
fn error(line: &str) -> String {
    let line: Vec<&str> = line.split_whitespace().collect();
    refusal_of(&line).lines().next().unwrap().to_owned()
}

const SET: &str = "abcbc951-68b8-4596-9658-00823cb5cc8a";

#[test]
fn command_words_may_be_shortened_to_a_unique_prefix() {
    assert_eq!(prepared("po li").info.name(), "pool list");
    assert_eq!(prepared("dat s store1").info.name(), "datastore show");
    assert_eq!(
        prepared("sn pr u store1 vm/1/2024-06-05T08:00:00Z true").info.name(),
        "snapshot protected update"
    );
    assert_eq!(
        error("re"),
        "Error: command 're' is not unique: read-label, reload, remote, restore, rewind"
    );
    assert_eq!(error("snapshot f store1"), "Error: command 'f' is not unique: files, forget");
}

#[test]
fn an_exact_word_wins_over_longer_ones() {
    assert_eq!(prepared("media list").info.name(), "media list");
    assert_eq!(prepared("load-media A00001L8").info.name(), "load-media");
    assert_eq!(
        error("load"),
        "Error: command 'load' is not unique: load-media, load-media-from-slot"
    );
}

#[test]
fn other_spellings_of_commands_are_taken_in_full() {
    assert_eq!(prepared("erase").info.name(), "format");
    assert_eq!(prepared("status").info.name(), "drive status");
    assert_eq!(error("eras"), "Error: no such command 'eras'");
}

#[test]
fn no_command_and_unknown_commands_list_usage_lines() {
    let none = refusal_of(&[]);
    assert!(
        none.starts_with("Error: no command specified.\nUsage:\n\n reelctl acl list"),
        "{none}"
    );
    insta::assert_snapshot!(refusal_of(&["pool"]));
    insta::assert_snapshot!(refusal_of(&["pool", "frobnicate"]));
    assert!(refusal_of(&["nosuch"]).starts_with("Error: no such command 'nosuch'\nUsage:\n\n"));
    assert!(refusal_of(&[""]).starts_with("Error: no such command ''\n"));
}

#[test]
fn options_have_one_dash_or_two_and_a_blank_or_equals_sign() {
    for line in [
        "media list --pool poolA",
        "media list --pool=poolA",
        "media list -pool poolA",
        "media list -pool=poolA",
    ] {
        assert_eq!(params(line), json!({"pool": "poolA"}), "{line}");
    }
}

#[test]
fn option_names_must_be_exact() {
    assert_eq!(
        error("media list --poo poolA"),
        "Error: parameter verification failed - 'poo': schema does not allow additional properties."
    );
}

#[test]
fn a_single_dash_is_an_argument_and_a_double_dash_ends_options() {
    let line = ["snapshot", "notes", "update", "store1", "vm/1/2024-06-05T08:00:00Z", "-"];
    let made = prepare(&words(&line), &environment()).unwrap();
    assert_eq!(made.params["notes"], "-");
    let line = ["snapshot", "notes", "update", "store1", "vm/1/2024-06-05T08:00:00Z", "--", "--ns"];
    let made = prepare(&words(&line), &environment()).unwrap();
    assert_eq!(made.params["notes"], "--ns");
}

#[test]
fn a_value_that_looks_like_an_option_needs_the_equals_sign() {
    assert_eq!(
        error("pool create poolA --comment --template x"),
        "Error: parameter verification failed:"
    );
    assert_eq!(params("pool create poolA --comment=--x")["comment"], "--x");
    assert_eq!(
        error("pool create poolA --comment"),
        "Error: parameter verification failed - 'comment': missing parameter value."
    );
}

#[test]
fn arguments_are_filled_in_order_and_may_be_given_by_name() {
    let expected = json!({"media-set": SET, "store": "store1"});
    assert_eq!(params(&format!("restore {SET} store1")), expected);
    assert_eq!(params(&format!("restore --store store1 {SET}")), expected);
    assert_eq!(
        error("datastore show store1 --name store1"),
        "Error: parameter verification failed - 'name': duplicate parameter"
    );
    assert_eq!(error("pool list x y"), "Error: got additional arguments: x y");
}

#[test]
fn booleans_stand_alone_where_absent_means_false() {
    assert_eq!(params("catalog --scan"), json!({"scan": true}));
    assert_eq!(params("catalog --scan --force"), json!({"scan": true, "force": true}));
    assert_eq!(
        params("media destroy --force A00001L8"),
        json!({"force": true, "label-text": "A00001L8"})
    );
    assert_eq!(
        error("media list --update-status"),
        "Error: parameter verification failed - 'update-status': missing parameter value."
    );
    assert_eq!(
        error("format --fast"),
        "Error: parameter verification failed - 'fast': missing parameter value."
    );
}

#[test]
fn a_boolean_takes_the_next_word_only_if_that_is_one() {
    for (word, value) in [
        ("1", true),
        ("ON", true),
        ("yes", true),
        ("True", true),
        ("0", false),
        ("off", false),
        ("No", false),
        ("FALSE", false),
    ] {
        assert_eq!(params(&format!("catalog --scan {word}")), json!({"scan": value}), "{word}");
        assert_eq!(params(&format!("catalog --scan={word}")), json!({"scan": value}), "{word}");
    }
    assert_eq!(error("catalog --scan maybe"), "Error: got additional arguments: maybe");
    assert!(error("catalog --scan=maybe").contains("'scan': must be 1, on, yes, true"));
}

#[test]
fn lists_repeat_their_option_and_are_not_split() {
    assert_eq!(
        params("backup store1 poolA --groups type:vm --group-filter regex:a,b")["groups"],
        json!(["type:vm", "regex:a,b"])
    );
    assert_eq!(
        params("pool update poolA --delete comment --delete template")["delete"],
        json!(["comment", "template"])
    );
}

#[test]
fn a_single_option_given_twice_is_an_error() {
    assert_eq!(
        error("media list --pool poolA --pool poolB"),
        "Error: parameter verification failed - 'pool': duplicate parameter"
    );
    assert!(error("label --label-text A1 --changer-id A1").contains("'label-text': duplicate"));
    assert!(error("pool list --output-format json --output-format text").contains("duplicate"));
}

#[test]
fn parameter_errors_are_followed_by_the_usage() {
    insta::assert_snapshot!(refusal_of(&["format", "--fast", "true", "--bogus", "WRONG"]));
    insta::assert_snapshot!(refusal_of(&["datastore", "show", "ab"]));
    insta::assert_snapshot!(refusal_of(&["drive", "create", "vt", "--max-size", "5 XB"]));
}

#[test]
fn every_missing_parameter_is_named() {
    insta::assert_snapshot!(refusal_of(&["snapshot", "create"]));
}

#[test]
fn values_are_checked_before_anything_is_done() {
    for (line, part) in [
        ("datastore create st /srv/a", "'name': must be 3 to 32 characters long"),
        ("datastore create store1 relative", "'path': must be absolute"),
        ("label --label-text A", "'label-text': must be 2 to 32 characters long"),
        ("load-media-from-slot 0", "'source-slot': value must have a minimum value of 1"),
        ("load-media-from-slot x", "'source-slot': must be a whole number"),
        ("unload --target-slot 0", "'target-slot': value must have a minimum value of 1"),
        ("backup store1 poolA --max-depth 8", "'max-depth': value must be from 0 to 7"),
        ("backup store1 poolA --groups foo", "'groups': "),
        ("pool create poolA --allocation garbage", "'allocation': "),
        ("pool create poolA --encrypt 12:34", "'encrypt': must be 32 hexadecimal pairs"),
        ("pool update poolA --delete foo", "'delete': value 'foo' is not one of allocation, "),
        ("restore nouuid store1", "'media-set': must be a hyphenated lower-case UUID"),
        ("task log UPID:bad", "'upid': "),
        ("task list --limit 1001", "'limit': value must be from 1 to 1000"),
        ("pool list --output-format xml", "'output-format': value 'xml' is not one of text, "),
        ("datastore update store1 --digest ABC", "'digest': "),
        ("snapshot list store1 nosuch/x", "'group': "),
    ] {
        let error = error(line);
        assert!(error.starts_with("Error: parameter verification failed - "), "{line}: {error}");
        assert!(error.contains(part), "{line}: {error}");
    }
    let line = format!("restore {SET} store1 host/alpha/2024-06-05T08:00:00Z");
    assert!(error(&line).contains("'snapshots': "));
    assert!(
        refusal_of(&["label", "--label-text", "a b"]).contains("'label-text': may only contain")
    );
    assert!(
        refusal_of(&["pool", "create", "poolA", "--retention", "2 fortnights"])
            .contains("'retention': ")
    );
}

#[test]
fn only_commands_with_an_answer_have_an_output_format() {
    assert_eq!(prepared("pool list --output-format json").format, Some(OutputFormat::Json));
    assert_eq!(
        prepared("rewind --output-format json-pretty").format,
        Some(OutputFormat::JsonPretty)
    );
    assert!(error("pool remove poolA --output-format json").contains("'output-format': schema"));
}

#[test]
fn the_environment_chooses_drive_and_format() {
    let with_drive = Environment { drive: Some("vt0".into()), ..environment() };
    let drive =
        |line: &[&str]| prepare(&words(line), &with_drive).unwrap().params.get("drive").cloned();
    assert_eq!(drive(&["rewind"]), Some("vt0".into()));
    assert_eq!(drive(&["rewind", "--drive", "vt1"]), Some("vt1".into()));
    assert_eq!(drive(&["pool", "list"]), None);
    assert_eq!(drive(&["backup-job", "update", "job1", "--comment", "x"]), None);

    assert_eq!(output_format(None, None), Ok(OutputFormat::Text));
    assert_eq!(output_format(None, Some("json")), Ok(OutputFormat::Json));
    assert_eq!(output_format(Some(OutputFormat::Text), Some("json")), Ok(OutputFormat::Text));
    assert!(output_format(None, Some("xml")).unwrap_err().contains("'xml'"));
}

#[test]
fn relative_paths_begin_at_the_callers_folder() {
    let made = params("snapshot create store1 vm/1 disk.img=a/disk vm.conf=/etc/vm");
    assert_eq!(made["files"], json!(["disk.img=/home/me/a/disk", "vm.conf=/etc/vm"]));
    let made = params("drive create vt0 --path virtual:tapes --max-size 1GiB");
    assert_eq!(made, json!({"name": "vt0", "path": "virtual:/home/me/tapes", "max-size": "1GiB"}));
    assert_eq!(params("client-key add key.json"), json!({"key-file": "/home/me/key.json"}));
}

#[test]
fn the_socket_is_named_before_the_command() {
    for line in [&["--socket", "/a", "pool", "list"][..], &["--socket=/a", "pool", "list"]] {
        let mut environment = environment();
        assert_eq!(take_options(words(line), &mut environment).unwrap(), ["pool", "list"]);
        assert_eq!(environment.socket, Path::new("/a"));
    }
    assert!(take_options(words(&["--socket"]), &mut environment()).is_err());
    assert!(take_options(words(&["--socketx"]), &mut environment()).is_err());
}

/// The parameters of a line where the environment names a drive and devices.
fn params_in(drive: Option<&str>, device: Option<&str>, line: &str) -> Value {
    let text = |text: Option<&str>| text.map(String::from);
    let environment = Environment {
        drive: text(drive),
        tape: text(device),
        changer: text(device),
        ..environment()
    };
    let line: Vec<&str> = line.split_whitespace().collect();
    Value::Object(prepare(&words(&line), &environment).unwrap().params)
}

#[test]
fn which_drive_or_device_mt_and_mtx_use() {
    let both = |line: &str| params_in(Some("lto1"), Some("/dev/nst3"), line);
    let device = |line: &str| params_in(None, Some("nst3"), line);
    assert_eq!(both("mt rewind --drive lto0"), json!({"drive": "lto0"}));
    assert_eq!(both("mt rewind --device /dev/sg1"), json!({"device": "/dev/sg1"}));
    assert_eq!(both("mt rewind"), json!({"drive": "lto1"}));
    assert_eq!(device("mt rewind"), json!({"device": "/home/me/nst3"}));
    assert_eq!(both("mtx status --changer sl3"), json!({"changer": "sl3"}));
    assert_eq!(both("mtx status"), json!({"drive": "lto1"}));
    assert_eq!(device("mtx status"), json!({"device": "/home/me/nst3"}));
    assert_eq!(both("mt stoptions sili"), json!({"device": "/dev/nst3", "options": ["sili"]}));
    assert_eq!(both("mt scan"), json!({}));
    assert_eq!(both("rewind"), json!({"drive": "lto1"}));
    assert_eq!(device("rewind"), json!({}), "devices are for mt and mtx");
    assert_eq!(
        error("mt erase --drive lto0 --device /dev/nst0"),
        "Error: a device and a drive or changer are given; name one of them"
    );
}

#[test]
fn counts_have_bounds() {
    assert!(error("mt fsf 0").contains("'count'"));
    assert!(error("mt fsf 2147483648").contains("'count'"));
    assert_eq!(params("mt asf 0"), json!({"count": 0}));
    assert!(error("mt setblk 8388609").contains("'size'"));
    assert!(error("mt stsetoptions nosuch").contains("'options'"));
    assert!(error("mt stsetoptions").contains("'options'"));
    assert!(error("mtx load 0").contains("'slot'"));
}
