//! How values become the text of fact files.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reel_fs::{FnFact, FsError, KeyValues, Node, Preparation, Value};
use reel_types::commands::Command;
use reel_types::{TimeZone, strftime};
use serde::Serialize;
use serde_json::Value as Json;

use super::Tree;
use super::control::refuse_with;
use crate::commands::Done;
use crate::failure::{Failure, Outcome};

/// A failure as the mount answers it.
pub(super) fn fs_error(failure: Failure) -> FsError {
    FsError::new(failure.errno, failure.message)
}

/// UNIX seconds as RFC 3339 in UTC.
pub(super) fn utc(epoch: i64) -> String {
    strftime("%Y-%m-%dT%H:%M:%SZ", epoch, &TimeZone::UTC).unwrap_or_else(|| epoch.to_string())
}

/// UNIX seconds as the time of a file.
pub(super) fn system_time(epoch: i64) -> SystemTime {
    let distance = Duration::from_secs(epoch.unsigned_abs());
    let time = match epoch {
        0.. => SystemTime::UNIX_EPOCH.checked_add(distance),
        _ => SystemTime::UNIX_EPOCH.checked_sub(distance),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A line, or an empty file where there is no value.
pub(super) fn line(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string() + "\n").unwrap_or_default()
}

/// A fact of one value.
pub(super) fn fact(value: impl Fn() -> Outcome<Option<String>> + Send + Sync + 'static) -> Node {
    reel_fs::fact(move || Ok(line(value().map_err(fs_error)?)))
}

/// The same, where finding the value may wait for a device.
pub(super) fn slow_fact(
    value: impl Fn() -> Outcome<Option<String>> + Send + Sync + 'static,
) -> Node {
    FnFact::new(move || Ok(line(value().map_err(fs_error)?))).slow().node()
}

/// The two files `NAME` and `NAME.json`.
pub(super) fn key_values(
    name: &str,
    values: impl Fn() -> Outcome<KeyValues> + Send + Sync + 'static,
) -> [(String, Node); 2] {
    reel_fs::key_values(name, move || values().map_err(fs_error))
}

/// The two files `NAME` and `NAME.json`, whose values are brought first.
pub(super) fn prepared_key_values(
    name: &str,
    prepare: impl Fn() -> Option<Preparation> + Clone + Send + Sync + 'static,
    values: impl Fn() -> Outcome<KeyValues> + Clone + Send + Sync + 'static,
) -> [(String, Node); 2] {
    let (as_text, as_json) = (values.clone(), values);
    let text = move || Ok(as_text().map_err(fs_error)?.to_text());
    let json = move || as_json().map_err(fs_error)?.to_json();
    [
        (name.into(), FnFact::new(text).prepared_by(prepare.clone()).node()),
        (format!("{name}.json"), FnFact::new(json).prepared_by(prepare).node()),
    ]
}

/// The two files of what a command answers with.
pub(super) fn answer(
    tree: &Arc<Tree>,
    name: &str,
    command: impl Into<Command>,
) -> [(String, Node); 2] {
    let (reeld, command) = (Arc::clone(&tree.reeld), command.into());
    key_values(name, move || {
        let actor = "root@pam".parse()?;
        match reeld.run(&command, &actor, None)? {
            Done::Data(Json::Object(object)) => Ok(values_of(object)),
            Done::Data(_) | Done::Task(_) => Ok(KeyValues::new()),
        }
    })
}

/// The lines of an object.
pub(super) fn values_of(object: serde_json::Map<String, Json>) -> KeyValues {
    object
        .into_iter()
        .fold(KeyValues::new(), |values, (key, value)| values.with(key, value_of(value)))
}

fn value_of(value: Json) -> Value {
    match value {
        Json::Null => Value::Absent,
        Json::Bool(flag) => flag.into(),
        Json::String(text) => text.into(),
        Json::Number(number) => {
            number.as_u64().map_or_else(|| number.to_string().into(), Value::Number)
        }
        Json::Array(items) => Value::List(items.into_iter().map(|item| text_of(&item)).collect()),
        Json::Object(_) => value.to_string().into(),
    }
}

fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

/// The two files of a list: a line that `show` makes of each row, and an array.
pub(super) fn rows<T: Serialize + 'static>(
    name: &str,
    rows: impl Fn() -> Outcome<Vec<T>> + Send + Sync + 'static,
    show: impl Fn(&T) -> String + Send + Sync + 'static,
) -> [(String, Node); 2] {
    let rows = Arc::new(rows);
    let json_rows = Arc::clone(&rows);
    let lines = move || {
        let rows = rows().map_err(fs_error)?;
        Ok(rows.iter().map(|row| show(row) + "\n").collect())
    };
    let json = move || {
        let rows = json_rows().map_err(fs_error)?;
        serde_json::to_string_pretty(&rows)
            .map(|text| text + "\n")
            .map_err(|error| FsError::io(format!("write JSON: {error}")))
    };
    [(name.into(), FnFact::new(lines).node()), (format!("{name}.json"), FnFact::new(json).node())]
}

/// A folder of computed names beside nothing, with `advice` for whoever tries a file verb.
pub(super) fn plain(advice: &str) -> reel_fs::StaticDir {
    reel_fs::StaticDir::new().with_refusal(refuse_with(advice.into()))
}

/// A name that was looked up, as text; names that aren't text are nowhere in the tree.
pub(super) fn as_text(name: &std::ffi::OsStr) -> Result<&str, FsError> {
    name.to_str().ok_or_else(|| no_such(name))
}

/// There is nothing of this name.
pub(super) fn no_such(name: &std::ffi::OsStr) -> FsError {
    FsError::not_found(format!("there is no '{}'", name.display()))
}

/// A name that was looked up, parsed; what doesn't parse isn't there.
pub(super) fn parsed<T: std::str::FromStr>(name: &std::ffi::OsStr) -> Result<T, FsError> {
    as_text(name)?.parse().map_err(|_| no_such(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_on_both_sides_of_1970() {
        assert_eq!(utc(1_717_574_400), "2024-06-05T08:00:00Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59Z");
        assert_eq!(
            system_time(-1)
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_err()
                .duration()
                .as_secs(),
            1
        );
    }

    #[test]
    fn json_becomes_key_value_lines() {
        let json = serde_json::json!({"a": 1, "b": null, "c": [1, "x"], "d": -2, "e": true});
        let Json::Object(object) = json else { panic!() };
        assert_eq!(values_of(object).to_text(), "a: 1\nb:\nc: 1,x\nd: -2\ne: true\n");
    }
}
