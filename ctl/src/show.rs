//! Answers as text or JSON (`cli-manager.md` §2). Pure: what it says depends on its arguments alone.

pub mod device;
mod rotation;

use std::cmp::Ordering;

use reel_types::commands::{Answer, Column, Listing, OutputFormat, Render};
use reel_types::{TimeZone, human_bytes_binary, local_time_c};
use serde_json::Value;

use crate::table::{Head, Style, draw};

/// Prints `data`, what a command answered with.
pub fn answer(
    answer: Answer,
    mut data: Value,
    format: OutputFormat,
    style: Style,
    zone: &TimeZone,
) -> String {
    match format {
        _ if answer == Answer::Result => result(data),
        _ if let Answer::Quoted(key) = answer => format!("{}\n", data[key]),
        _ if let Answer::Document(key) = answer => data[key].as_str().unwrap_or_default().into(),
        OutputFormat::Text => text(answer, &data, style, zone),
        _ if answer == Answer::Nothing => String::new(),
        format => {
            data.sort_all_objects();
            json(&data, format)
        }
    }
}

/// One line of JSON, or several with an indentation of two blanks.
pub fn json(data: &Value, format: OutputFormat) -> String {
    match format {
        OutputFormat::JsonPretty => format!("{data:#}\n"),
        _ => format!("{data}\n"),
    }
}

fn text(answer: Answer, data: &Value, style: Style, zone: &TimeZone) -> String {
    match answer {
        Answer::List(listing) => list(listing, data, style, zone),
        Answer::Object(columns) => object(columns, data, style, zone),
        Answer::ListOrObject(listing, _) if data.is_array() => list(listing, data, style, zone),
        Answer::ListOrObject(_, columns) => object(columns, data, style, zone),
        Answer::Text(key) => bare(&data[key]),
        Answer::Permissions => permissions(data),
        _ => String::new(),
    }
}

/// What a plain call of PBS's API is shown as (`cli-manager.md` §1.3).
fn result(mut data: Value) -> String {
    data.sort_all_objects();
    format!("Result: {data:#}\n")
}

/// For each path what may be done with it, marked where that reaches down (`cli-manager.md` §3.5).
fn permissions(data: &Value) -> String {
    let mut paths: Vec<_> = data.as_object().into_iter().flatten().collect();
    paths.sort_by_key(|(path, _)| *path);
    let mut text = String::from("Privileges with (*) have the propagate flag set\n\n");
    for (path, privileges) in paths {
        text += &format!("Path: {path}\n");
        let mut lines: Vec<String> = privileges
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, reaches)| {
                format!("- {name}{}\n", if reaches == true { " (*)" } else { "" })
            })
            .collect();
        lines.sort_unstable();
        if lines.is_empty() {
            lines.push("- NoAccess\n".into());
        }
        text.extend(lines);
    }
    text
}

fn bare(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("{text}\n"),
        other => format!("{other}\n"),
    }
}

fn list(listing: &Listing, data: &Value, style: Style, zone: &TimeZone) -> String {
    let mut rows: Vec<&Value> = data.as_array().into_iter().flatten().collect();
    rows.sort_by(|a, b| order(listing.sort_by, a, b));
    let heads: Vec<_> = listing
        .columns
        .iter()
        .map(|column| Head { title: column.title.into(), right: column.right })
        .collect();
    let cells = |row: &Value| listing.columns.iter().map(|c| cell(c, row, zone)).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(cells).collect();
    draw(&heads, &rows, style)
}

/// By the first key that tells two rows apart. Where both lack a key, PBS asks no further and leaves
/// them in the daemon's order; so do we.
fn order(keys: &[&str], a: &Value, b: &Value) -> Ordering {
    for key in keys {
        let (a, b) = (&a[*key], &b[*key]);
        if a.is_null() && b.is_null() {
            return Ordering::Equal;
        }
        let order = compare(a, b);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Absent first, numbers by value, anything else by the bytes of its text.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal)
        }
        _ => (!a.is_null(), plain(a)).cmp(&(!b.is_null(), plain(b))),
    }
}

fn object(columns: &[Column], data: &Value, style: Style, zone: &TimeZone) -> String {
    let present = columns.iter().filter(|column| !data[column.key].is_null());
    let rows: Vec<_> =
        present.map(|column| vec![column.title.to_owned(), cell(column, data, zone)]).collect();
    let numeric = columns.iter().all(|column| column.right);
    let heads = [
        Head { title: "Name".into(), right: false },
        Head { title: "Value".into(), right: numeric },
    ];
    draw(&heads, &rows, style)
}

/// The text of one cell; renderers may look at other keys of the row.
fn cell(column: &Column, row: &Value, zone: &TimeZone) -> String {
    let value = &row[column.key];
    match column.render {
        Render::Plain => plain(value),
        Render::Epoch => {
            value.as_i64().map_or_else(|| plain(value), |epoch| local_time_c(epoch, zone))
        }
        Render::Bytes => value.as_u64().map_or_else(|| plain(value), human_bytes_binary),
        Render::Percent => {
            value.as_f64().map_or_else(|| plain(value), |part| format!("{:.2}%", part * 100.0))
        }
        Render::YesNo => if value.is_null() { "no" } else { "yes" }.into(),
        Render::CatalogState => if value == true { "ok" } else { "missing" }.into(),
        Render::MediaStatus => media_status(value, row),
        Render::TaskStatus => task_status(value, row),
        Render::GroupName => group_name(row),
        Render::SnapshotName | Render::LastSnapshot => {
            format!("{}/{}", group_name(row), utc_time(value))
        }
        Render::FileNames => file_names(value),
        Render::Lines => lines(value),
        Render::PlannedMedia => rotation::planned_media(value),
        Render::UnusedMedia => rotation::unused_media(value),
        Render::Expiry => rotation::expiry(value, zone),
        Render::DefaultTrue => if value == false { "0" } else { "1" }.into(),
        Render::Expire => match value.as_i64() {
            None | Some(0) => "never".into(),
            Some(epoch) => local_time_c(epoch, zone),
        },
        Render::Grantee if row["ugid_type"] == "group" => format!("@{}", plain(value)),
        Render::Grantee => plain(value),
        Render::GroupFilter => group_filter(value),
        Render::HealthHistory => health_history(value, zone),
    }
}

fn group_filter(value: &Value) -> String {
    let filters: Vec<String> = value.as_array().into_iter().flatten().map(plain).collect();
    if filters.is_empty() { "all".into() } else { filters.join(" OR ") }
}

fn lines(value: &Value) -> String {
    let lines: Vec<String> = value.as_array().into_iter().flatten().map(plain).collect();
    lines.join("\n")
}

/// Looks that are shown of a history; JSON has all.
const LOOKS_SHOWN: usize = 20;

fn health_history(value: &Value, zone: &TimeZone) -> String {
    let looks = value.as_array().into_iter().flatten();
    let looks: Vec<String> =
        looks.rev().take(LOOKS_SHOWN).map(|look| look_line(look, zone)).collect();
    looks.join("\n")
}

/// `Sat Jan 10 08:00:00 2026 drive0 A00001L8: 5 mounts, 1 unrecovered errors, READ_FAILURE`
fn look_line(look: &Value, zone: &TimeZone) -> String {
    let time = look["time"].as_i64().map(|time| local_time_c(time, zone)).unwrap_or_default();
    let label = look["label-text"].as_str().map(|label| format!(" {label}")).unwrap_or_default();
    let count = |key: &str, what: &str| {
        look[key].as_u64().filter(|count| *count > 0).map(|count| format!("{count} {what}"))
    };
    let counts = [
        count("volume-mounts", "mounts"),
        count("unrecovered-errors", "unrecovered errors"),
        look["cleaning"].as_str().map(|when| format!("clean {when}")),
    ];
    let alerts = look["alerts"].as_array().into_iter().flatten().map(plain);
    let told: Vec<String> = counts.into_iter().flatten().chain(alerts).collect();
    let told = if told.is_empty() { "-".to_owned() } else { told.join(", ") };
    format!("{time} {}{label}: {told}", plain(&look["drive"]))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => if *value { "1" } else { "0" }.into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn media_status(status: &Value, row: &Value) -> String {
    let lasting = status == "damaged" || status == "retired";
    if row["expired"] == true && !lasting { "expired".into() } else { plain(status) }
}

fn task_status(status: &Value, row: &Value) -> String {
    match (status.as_str(), row["endtime"].is_null()) {
        (Some(status), _) => status.into(),
        (None, true) => "running".into(),
        (None, false) => "unknown".into(),
    }
}

fn group_name(row: &Value) -> String {
    format!("{}/{}", plain(&row["backup-type"]), plain(&row["backup-id"]))
}

fn utc_time(value: &Value) -> String {
    let time = value.as_i64().and_then(|epoch| reel_types::BackupTime::from_epoch(epoch).ok());
    time.map_or_else(|| plain(value), |time| time.to_string())
}

fn file_names(files: &Value) -> String {
    let name = |file: &Value| match file {
        Value::Object(_) => plain(&file["filename"]),
        other => plain(other),
    };
    let mut names: Vec<String> =
        files.as_array().into_iter().flatten().map(|file| client_name(&name(file))).collect();
    names.sort_unstable();
    names.join(" ")
}

/// The name without the server's extension.
fn client_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, "fidx" | "didx" | "blob")) => stem.into(),
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests;
