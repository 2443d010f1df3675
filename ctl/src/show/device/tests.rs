use std::path::PathBuf;

use reel_types::commands::{Answer, COMMANDS};
use serde_json::json;

use super::*;

fn form(command: &str) -> &'static DeviceAnswer {
    let info = COMMANDS.iter().find(|info| info.is_called(command)).unwrap();
    let Answer::Device(form) = info.answer else { panic!("{command}") };
    form
}

/// What PBS's tools wrote to standard output on LTO drives; none where there are no fixtures.
fn recorded(name: &str) -> Option<String> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let fixtures = std::env::var_os("REELFS_FIXTURES").map_or(default.into(), PathBuf::from);
    let file = fixtures.join(format!("lto/outputs/{name}.txt"));
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: no fixture {}", file.display());
        return None;
    };
    let (_, output) = text.split_once('\n').unwrap();
    let end = output.find("--- ").unwrap_or(output.len());
    Some(output[..end].to_owned())
}

#[test]
fn answers_look_as_the_real_tools_print_them() {
    // The command, and number and words of the recorded one.
    let cases = [
        ("mtx status", 22, "pmtx_status_--changer_lib24"),
        ("mtx status", 36, "pmtx_status_--changer_lib24"),
        ("mtx inquiry", 25, "pmtx_inquiry_--changer_lib24"),
        ("mtx scan", 31, "pmtx_scan"),
        ("mt status", 81, "pmt_status_--drive_ltoA"),
        ("mt cartridge-memory", 84, "pmt_cartridge-memory_--drive_ltoA"),
        ("mt volume-statistics", 87, "pmt_volume-statistics_--drive_ltoA"),
        ("mt tape-alert-flags", 90, "pmt_tape-alert-flags_--drive_ltoA"),
        ("mt scan", 93, "pmt_scan"),
    ];
    for (command, number, words) in cases {
        let name = |offset: u32, format: &str| {
            format!("{:03}_{words}_--output-format_{format}", number + offset)
        };
        let Some(compact) = recorded(&name(1, "json")) else { return };
        let data: Value = serde_json::from_str(&compact).unwrap();
        let shown = |format| answer(form(command), &data, format).unwrap();
        assert_eq!(shown(OutputFormat::Json), compact, "{command}");
        let pretty = recorded(&name(2, "json-pretty")).unwrap();
        assert_eq!(shown(OutputFormat::JsonPretty), pretty, "{command}");
        assert_eq!(shown(OutputFormat::Text), recorded(&name(0, "text")).unwrap(), "{command}");
    }
}

#[test]
fn devices_and_cartridges_without_bar_code() {
    let devices = json!([{
        "kind": "tape", "path": "/dev/tape/by-id/scsi-X-sg", "serial": "X", "vendor": "IBM", "model": "TD8",
        "major": 21, "minor": 1,
    }]);
    let shown = |format| answer(form("mt scan"), &devices, format).unwrap();
    assert_eq!(shown(OutputFormat::Text), "/dev/tape/by-id/scsi-X-sg (IBM/TD8/X)\n");
    assert!(shown(OutputFormat::Json).starts_with(r#"[{"kind":"tape","path":"#));
    let elements = json!({ "Ok": {
        "drives": [{ "loaded_slot": 2, "status": "Full", "drive_serial_number": null }],
        "slots": [{ "import_export": false, "status": "Full" }], "transports": [],
    }});
    assert_eq!(
        answer(form("mtx status"), &elements, OutputFormat::Text).unwrap(),
        "Data Transfer Element (Drive)   0: Full, Source: 2\n  Storage Element   1: Full\n"
    );
}

#[test]
fn no_answer_is_a_failure_as_text_and_a_result_in_json() {
    let data = json!({ "Err": "read tape alerts: no medium" });
    let form = form("mt tape-alert-flags");
    let failure = answer(form, &data, OutputFormat::Text).unwrap_err();
    assert_eq!(
        failure.report(&reel_types::commands::REELCTL),
        "Error: read tape alerts: no medium\n"
    );
    let json = answer(form, &data, OutputFormat::Json).unwrap();
    assert_eq!(json, "{\"Err\":\"read tape alerts: no medium\"}\n");
}
