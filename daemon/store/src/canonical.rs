//! Canonical JSON: the one byte string of a value that a signature is made over (`formats.md` §5.1).

use serde_json::{Map, Value};

use crate::error::{FormatError, FormatResult};

/// No white space, members sorted by the bytes of their names, no `null` anywhere.
pub fn canonical_object(object: &Map<String, Value>) -> FormatResult<Vec<u8>> {
    let mut out = Vec::new();
    write_object(object, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> FormatResult<()> {
    match value {
        Value::Null => Err(FormatError::corrupt("a signed object must not contain null")),
        Value::Object(object) => write_object(object, out),
        Value::Array(items) => write_list(items, out, b"[]", write_value),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => write_scalar(value, out),
    }
}

fn write_object(object: &Map<String, Value>, out: &mut Vec<u8>) -> FormatResult<()> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    write_list(members, out, b"{}", |(name, value), out| {
        write_scalar(name, out)?;
        out.push(b':');
        write_value(value, out)
    })
}

fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    brackets: &[u8; 2],
    mut write: impl FnMut(T, &mut Vec<u8>) -> FormatResult<()>,
) -> FormatResult<()> {
    out.push(brackets[0]);
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(item, out)?;
    }
    out.push(brackets[1]);
    Ok(())
}

/// Strings, numbers and booleans are canonical as serde_json prints them.
fn write_scalar(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) -> FormatResult<()> {
    serde_json::to_writer(out, value)
        .map_err(|error| FormatError::corrupt_by("cannot print a JSON value", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> FormatResult<String> {
        let object = serde_json::from_str(text).unwrap();
        canonical_object(&object).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn members_are_sorted_and_strings_escaped_no_more_than_needed() {
        let text = r#" { "b" : [ 1, -2, true, "x" ], "a" : { "é" : 18446744073709551615, "Z" : {} },
            "\u0041\n" : "\u0008\u000c\t\r\"\\\/\u001f\u007f\u00fc" , "[" : [] } "#;
        let want = "{\"A\\n\":\"\\b\\f\\t\\r\\\"\\\\/\\u001f\u{7f}ü\",\"[\":[],\
                    \"a\":{\"Z\":{},\"é\":18446744073709551615},\"b\":[1,-2,true,\"x\"]}";
        assert_eq!(canonical(text).unwrap(), want);
    }

    #[test]
    fn null_is_an_error_however_deep() {
        for text in [r#"{"a":null}"#, r#"{"a":[{"b":[null]}]}"#] {
            assert!(matches!(canonical(text), Err(FormatError::Corrupt { .. })), "{text}");
        }
    }
}
