//! Facts of several lines: `key: value`, and their twin in JSON.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::builders::FnFact;
use crate::error::FsError;
use crate::node::Node;

/// A value of a [`KeyValues`] line.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Known to be absent: nothing behind the colon, `null` in JSON.
    Absent,
    /// `true` or `false`.
    Flag(bool),
    /// A count, a size in bytes.
    Number(u64),
    /// Text; line breaks show as `\n`.
    Text(String),
    /// Several values: separated by commas, an array in JSON.
    List(Vec<String>),
}

impl Value {
    fn line(&self) -> String {
        match self {
            Value::Absent => String::new(),
            Value::Flag(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => one_line(text),
            Value::List(list) => {
                list.iter().map(|text| one_line(text)).collect::<Vec<_>>().join(",")
            }
        }
    }
}

/// A value never makes a second line, which would read as another key.
fn one_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_string())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Value::List(list)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Absent, Into::into)
    }
}

/// Lines of `key: value`, in the order they were added.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyValues {
    lines: Vec<(String, Value)>,
}

impl KeyValues {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// One line more.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.push(key, value);
        self
    }

    /// Adds a line.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.lines.push((key.into(), value.into()));
    }

    /// The fact's text. An absent value leaves nothing behind the colon.
    pub fn to_text(&self) -> String {
        self.lines.iter().fold(String::new(), |mut text, (key, value)| {
            text += format!("{key}: {}", value.line()).trim_end();
            text.push('\n');
            text
        })
    }

    /// The twin's text: one object with a newline at its end.
    pub fn to_json(&self) -> Result<String, FsError> {
        serde_json::to_string_pretty(self)
            .map(|json| json + "\n")
            .map_err(|error| FsError::io(format!("write JSON: {error}")))
    }
}

impl Serialize for KeyValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.lines.iter().map(|(key, value)| (key, value)))
    }
}

/// The two files `NAME` and `NAME.json` of facts that `values` tells.
pub fn key_values(
    name: &str,
    values: impl Fn() -> Result<KeyValues, FsError> + Send + Sync + 'static,
) -> [(String, Node); 2] {
    let values = Arc::new(values);
    let json_values = Arc::clone(&values);
    [
        (name.to_string(), FnFact::new(move || Ok(values()?.to_text())).node()),
        (format!("{name}.json"), FnFact::new(move || json_values()?.to_json()).node()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> KeyValues {
        KeyValues::new()
            .with("state", "ready")
            .with("bytes", 12u64)
            .with("protected", true)
            .with("location", None::<String>)
            .with("comment", "two\nlines: of text")
            .with("media", vec!["A".to_string(), "B".to_string()])
    }

    #[test]
    fn text_has_a_line_for_each_key() {
        assert_eq!(
            example().to_text(),
            "state: ready\nbytes: 12\nprotected: true\nlocation:\n\
             comment: two\\nlines: of text\nmedia: A,B\n"
        );
        assert_eq!(KeyValues::new().to_text(), "");
    }

    #[test]
    fn json_keeps_order_and_types() {
        let json = example().to_json().unwrap();
        assert_eq!(
            json.split_whitespace().collect::<Vec<_>>().join(" "),
            "{ \"state\": \"ready\", \"bytes\": 12, \"protected\": true, \"location\": null, \
             \"comment\": \"two\\nlines: of text\", \"media\": [ \"A\", \"B\" ] }"
        );
    }
}
