//! What `pool plan` says of media, a line each.

use reel_types::{TimeZone, human_bytes_binary, local_time_c};
use serde_json::Value;

use super::plain;

fn each(value: &Value, line: impl Fn(&Value) -> String) -> String {
    let lines: Vec<String> = value.as_array().into_iter().flatten().map(line).collect();
    lines.join("\n")
}

/// `A00001L8 (empty, online-sl3, 1 TiB free)`
pub(super) fn planned_media(value: &Value) -> String {
    each(value, |medium| {
        let [label, kind, location] = ["label-text", "kind", "location"].map(|k| plain(&medium[k]));
        let free = medium["bytes-free"].as_u64();
        let free = free.map_or_else(|| "unknown".into(), human_bytes_binary);
        format!("{label} ({kind}, {location}, {free} free)")
    })
}

/// `A00001L8 (vault-office): kept`
pub(super) fn unused_media(value: &Value) -> String {
    each(value, |medium| {
        let [label, location, reason] =
            ["label-text", "location", "reason"].map(|key| plain(&medium[key]));
        format!("{label} ({location}): {reason}")
    })
}

/// `A00001L8 Sat Jan 10 08:00:00 2026`
pub(super) fn expiry(value: &Value, zone: &TimeZone) -> String {
    each(value, |medium| {
        let expires = medium["expires"].as_i64();
        let expires = expires.map_or_else(|| "never".into(), |time| local_time_c(time, zone));
        format!("{} {expires}", plain(&medium["label-text"]))
    })
}
