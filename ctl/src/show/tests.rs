use std::path::PathBuf;

use reel_types::TimeZone;
use reel_types::commands::{Answer, COMMANDS, OutputFormat};
use serde_json::{Value, json};

use super::*;

const STYLE: Style = Style { utf8: true, no_border: false, no_header: false, columns: None };

fn answer_of(command: &str) -> Answer {
    COMMANDS.iter().find(|info| info.is_called(command)).unwrap().answer
}

fn shown(command: &str, data: Value) -> String {
    answer(answer_of(command), data, OutputFormat::Text, STYLE, &TimeZone::UTC)
}

/// The folder with outputs of the real tools; none where there are no fixtures.
fn outputs() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let fixtures = std::env::var_os("REELFS_FIXTURES").map_or(default.into(), PathBuf::from);
    let outputs = fixtures.join("outputs");
    if !outputs.is_dir() {
        eprintln!("skipped: no fixtures at {}", fixtures.display());
        return None;
    }
    Some(outputs)
}

/// What a recorded command wrote to standard output.
fn recorded(file: PathBuf) -> String {
    let text = std::fs::read_to_string(&file).unwrap();
    let (_, output) = text.split_once('\n').unwrap();
    let end = output.find("--- ").unwrap_or(output.len());
    output[..end].to_owned()
}

#[test]
fn listings_look_as_the_real_tools_print_them() {
    let Some(outputs) = outputs() else { return };
    let cases = [
        ("media list", "of-the-archive/proxmox-tape_media_list"),
        ("media list", "of-the-archive/proxmox-tape_media_list_--update-status_false"),
        ("media list", "proxmox-tape_media_list"),
        ("media list", "proxmox-tape_media_list_--pool_poolA"),
        ("media list", "proxmox-tape_media_list_--pool_nosuchpool"),
        ("media content", "of-the-archive/proxmox-tape_media_content"),
        ("backup-job list", "of-the-archive/proxmox-tape_backup-job_list"),
        ("backup-job list", "proxmox-tape_backup-job_list"),
        ("backup-job show", "proxmox-tape_backup-job_show_manual-1"),
        ("backup-job show", "proxmox-tape_backup-job_show_nightly-1"),
        ("media content", "proxmox-tape_media_content"),
        ("media content", "proxmox-tape_media_content_--backup-type_vm"),
        ("media content", "proxmox-tape_media_content_--label-text_A00001L8"),
        ("media content", "proxmox-tape_media_content_--pool_poolB"),
        ("pool list", "of-the-archive/proxmox-tape_pool_list"),
        ("pool config", "proxmox-tape_pool_config_poolA"),
        ("inventory", "of-the-archive/proxmox-tape_inventory"),
        ("inventory", "proxmox-tape_inventory"),
        ("read-label", "proxmox-tape_read-label"),
        ("read-label", "proxmox-tape_read-label_encrypted"),
        ("read-label", "proxmox-tape_read-label_no-pool"),
        ("drive list", "proxmox-tape_drive_list"),
        ("datastore list", "of-the-archive/proxmox-backup-manager_datastore_list"),
        ("datastore list", "proxmox-backup-manager_datastore_list"),
        ("datastore show", "proxmox-backup-manager_datastore_show_store1"),
        ("task list", "proxmox-backup-manager_task_list"),
        ("user list", "proxmox-backup-manager_user_list"),
        ("user list", "of-the-archive/proxmox-backup-manager_user_list"),
        ("user list-tokens", "proxmox-backup-manager_user_list-tokens_alice_pbs"),
        ("user permissions", "proxmox-backup-manager_user_permissions_alice_pbs"),
        ("user permissions", "proxmox-backup-manager_user_permissions_alice_pbs_tok1"),
        ("acl list", "proxmox-backup-manager_acl_list"),
        ("acl list", "of-the-archive/proxmox-backup-manager_acl_list"),
        ("task list", "proxmox-backup-manager_task_list_--all_true"),
        ("snapshot list", "proxmox-backup-client_snapshot_list"),
        ("snapshot list", "proxmox-backup-client_snapshot_list_host_alpha"),
        ("snapshot files", "proxmox-backup-client_snapshot_files_host_alpha_2024-06-05T10_00_14Z"),
        (
            "snapshot notes show",
            "proxmox-backup-client_snapshot_notes_show_host_alpha_2024-06-05T09_00_07Z",
        ),
        (
            "snapshot protected show",
            "proxmox-backup-client_snapshot_protected_show_host_alpha_2024-06-05T10_00_14Z",
        ),
        ("group list", "proxmox-backup-client_list"),
        ("group list", "proxmox-backup-client_list_--ns_a"),
    ];
    for (command, stem) in cases {
        let file = |format: &str| recorded(outputs.join(format!("{stem}.{format}.txt")));
        let data: Value = serde_json::from_str(&file("json")).unwrap();
        assert_eq!(shown(command, data.clone()), file("text"), "{stem}");

        let kind = answer_of(command);
        let printed = |data, format| answer(kind, data, format, STYLE, &TimeZone::UTC);
        assert_eq!(printed(data, OutputFormat::Json), file("json"), "{stem}");
        let pretty = file("json-pretty");
        let data = serde_json::from_str(&pretty).unwrap();
        assert_eq!(printed(data, OutputFormat::JsonPretty), pretty, "{stem}");
    }
}

#[test]
fn drive_status_and_changer_status_as_on_real_drives() {
    let Some(outputs) = outputs() else { return };
    let lto = outputs.join("../lto/outputs");
    let cases = [
        (
            "drive status",
            "063_proxmox-tape_status_--drive_ltoA",
            "064_proxmox-tape_status_--drive_ltoA",
        ),
        (
            "changer status",
            "010_proxmox-tape_changer_status_lib24",
            "011_proxmox-tape_changer_status_lib24",
        ),
        (
            "changer status",
            "059_proxmox-tape_changer_status_lib24",
            "060_proxmox-tape_changer_status_lib24",
        ),
    ];
    for (command, text, json) in cases {
        let data = recorded(lto.join(format!("{json}_--output-format_json.txt")));
        let expected = recorded(lto.join(format!("{text}_--output-format_text.txt")));
        assert_eq!(shown(command, serde_json::from_str(&data).unwrap()), expected, "{text}");
    }
}

#[test]
fn an_empty_list_is_nothing_in_text_and_brackets_in_json() {
    for info in COMMANDS.iter().filter(|info| matches!(info.answer, Answer::List(_))) {
        let show = |format| answer(info.answer, json!([]), format, STYLE, &TimeZone::UTC);
        assert_eq!(show(OutputFormat::Text), "", "{}", info.name());
        assert_eq!(show(OutputFormat::Json), "[]\n", "{}", info.name());
        assert_eq!(show(OutputFormat::JsonPretty), "[]\n", "{}", info.name());
    }
}

#[test]
fn a_new_token_is_shown_as_a_result_in_any_format() {
    let token = json!({"value": "5c6facb6-eed5-4383-b60a-0249b34877b9", "tokenid": "u@pbs!tok"});
    for format in [OutputFormat::Text, OutputFormat::Json, OutputFormat::JsonPretty] {
        let kind = answer_of("user generate-token");
        let expected = "Result: {\n  \"tokenid\": \"u@pbs!tok\",\n  \"value\": \"5c6facb6-eed5-4383-b60a-0249b34877b9\"\n}\n";
        assert_eq!(answer(kind, token.clone(), format, STYLE, &TimeZone::UTC), expected);
    }
}

#[test]
fn permissions_that_are_none_or_do_not_reach_down() {
    let data = json!({"/b": {"Tape.Read": false, "Sys.Audit": true}, "/a": {}});
    let expected = "Privileges with (*) have the propagate flag set\n\n\
                    Path: /a\n- NoAccess\nPath: /b\n- Sys.Audit (*)\n- Tape.Read\n";
    assert_eq!(shown("user permissions", data), expected);
}

#[test]
fn users_that_are_disabled_or_expire() {
    let row = json!([{"userid": "u@pbs", "enable": false, "expire": 1_717_597_476}]);
    let text = shown("user list", row);
    assert!(text.contains("│ u@pbs  │      0 │ Wed Jun  5 14:24:36 2024 │"), "{text}");
    let group = json!([{"ugid": "ops", "ugid_type": "group", "path": "/", "propagate": true, "roleid": "Audit"}]);
    assert!(shown("acl list", group).contains("│ @ops │"));
}

#[test]
fn worn_and_expired_media() {
    let row = |status: &str, expired| media_status(&json!(status), &json!({"expired": expired}));
    assert_eq!(row("full", true), "expired");
    assert_eq!(row("damaged", true), "damaged");
    assert_eq!(row("retired", true), "retired");
    assert_eq!(row("full", false), "full");
}

#[test]
fn status_of_tasks() {
    let row = |row: Value| task_status(&row["status"], &row);
    assert_eq!(row(json!({})), "running");
    assert_eq!(row(json!({"endtime": 1})), "unknown");
    assert_eq!(row(json!({"endtime": 1, "status": "OK"})), "OK");
}

#[test]
fn values_without_renderer() {
    assert_eq!(plain(&json!(null)), "");
    assert_eq!(plain(&json!(true)), "1");
    assert_eq!(plain(&json!(false)), "0");
    assert_eq!(plain(&json!({"b": [1, 2]})), r#"{"b":[1,2]}"#);
}

#[test]
fn rows_are_sorted_by_number_text_and_absence() {
    let mut values = [json!("b"), json!(null), json!("a")];
    values.sort_by(compare);
    assert_eq!(values, [json!(null), json!("a"), json!("b")]);
    let mut values = [json!(10), json!(null), json!(9)];
    values.sort_by(compare);
    assert_eq!(values, [json!(null), json!(9), json!(10)]);
}

#[test]
fn wearout_and_bytes() {
    let status = json!({"bytes-read": 90_000_000_000_u64, "medium-wearout": 0.00125});
    let text = shown("drive status", status);
    assert!(text.contains("83.819 GiB"), "{text}");
    assert!(text.contains("0.12%"), "{text}");
}

#[test]
fn health_is_a_list_or_one_object_with_its_history() {
    let row =
        json!({"name": "drive0", "verdict": "clean", "cleaning": "now", "advice": ["a", "b"]});
    let list = shown("drive health", json!([row]));
    assert!(list.contains("│ drive0 │ clean   │ now      │"), "{list}");
    assert!(list.lines().any(|line| line.ends_with("│ b      │")), "{list}");
    let looks: Vec<_> = (0..30)
        .map(|time| json!({"time": time, "drive": "drive0", "alerts": ["MEDIA", "CLEAN_NOW"], "label-text": "A1", "volume-mounts": 3}))
        .collect();
    let one = shown("drive health", json!({"name": "drive0", "history": looks, "advice": []}));
    let line = "Thu Jan  1 00:00:29 1970 drive0 A1: 3 mounts, MEDIA, CLEAN_NOW";
    assert!(one.contains(line), "{one}");
    assert_eq!(one.matches("CLEAN_NOW").count(), LOOKS_SHOWN, "the newest alone");
}

#[test]
fn json_keys_are_sorted() {
    let data: Value = serde_json::from_str(r#"[{"b":1,"a":{"d":null,"c":true}}]"#).unwrap();
    let printed = answer(answer_of("pool list"), data, OutputFormat::Json, STYLE, &TimeZone::UTC);
    assert_eq!(printed, "[{\"a\":{\"c\":true,\"d\":null},\"b\":1}]\n");
}
