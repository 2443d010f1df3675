//! Property strings: several values in one, `type=offline,message="disk swap, rack 3"` (`config.md` §3).

use crate::ParseError;

const KIND: &str = "property string";

/// The pairs of a property string in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PropertyString(Vec<(String, String)>);

impl PropertyString {
    /// Reads `key=value` pairs separated by commas; `default_key` names the value that may stand
    /// without a key. No key may come twice.
    pub fn parse(text: &str, default_key: Option<&str>) -> Result<Self, ParseError> {
        let refuse = |reason: String| ParseError::new(KIND, text, reason);
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (key, after) = split_key(rest);
            let key = match (key, default_key) {
                (Some(""), _) => return Err(refuse("has a value with an empty key".into())),
                (Some(key), _) => key,
                (None, Some(key)) => key,
                (None, None) => return Err(refuse("every value needs a key".into())),
            };
            if pairs.iter().any(|(known, _)| known == key) {
                return Err(refuse(format!("has '{key}' twice")));
            }
            let (value, after) = split_value(after).map_err(|reason| refuse(reason.into()))?;
            pairs.push((key.into(), value));
            rest = after;
        }
        Ok(Self(pairs))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Sets the value of `key`, in its old place or at the end.
    pub fn set(&mut self, key: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((key.into(), value.into())),
        }
    }

    /// All pairs in their order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The text; the value of `default_key` stands without its key.
    pub fn to_text(&self, default_key: Option<&str>) -> String {
        let parts = self.pairs().map(|(key, value)| {
            let bare = default_key == Some(key);
            match (bare, quoted(value, bare)) {
                (true, value) => value,
                (false, value) => format!("{key}={value}"),
            }
        });
        parts.collect::<Vec<_>>().join(",")
    }
}

/// Splits `key=` off, if the text begins with a key.
fn split_key(text: &str) -> (Option<&str>, &str) {
    match text.find(['=', ',', '"']) {
        Some(at) if text[at..].starts_with('=') => (Some(&text[..at]), &text[at + 1..]),
        _ => (None, text),
    }
}

/// Splits off a value and the comma behind it, if any.
fn split_value(text: &str) -> Result<(String, &str), &'static str> {
    let Some(inner) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(',').unwrap_or((text, ""));
        return Ok((value.into(), rest));
    };
    let (value, rest) = unquote(inner)?;
    match rest.strip_prefix(',') {
        Some(rest) => Ok((value, rest)),
        None if rest.is_empty() => Ok((value, rest)),
        None => Err("has text behind a closing quote"),
    }
}

/// Reads up to the closing quote and returns what follows it.
fn unquote(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((value, chars.as_str())),
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some(escaped @ ('"' | '\\')) => escaped,
                _ => return Err("knows no escapes but \\\", \\\\ and \\n"),
            }),
            _ => value.push(c),
        }
    }
    Err("has a quote without its end")
}

/// The value as it can be read back: quoted where a comma, a quote, a line end (or, without a key, a
/// `=` or nothing) would be misread.
fn quoted(value: &str, bare: bool) -> String {
    let misread =
        value.contains([',', '\n', '"']) || (bare && (value.contains('=') || value.is_empty()));
    if !misread {
        return value.into();
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// The elements of a list in one value: separated by `,`, `;` or white space, empty ones dropped
/// (`config.md` §3).
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| matches!(c, ',' | ';') || c.is_ascii_whitespace())
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str, default_key: Option<&str>) -> Vec<(String, String)> {
        PropertyString::parse(text, default_key).unwrap().0
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn values_with_and_without_quotes() {
        let text = r#"offline,message="disk swap, \"rack\" 3\n",x=a=b,y="#;
        let expected = [
            pair("type", "offline"),
            pair("message", "disk swap, \"rack\" 3\n"),
            pair("x", "a=b"),
            pair("y", ""),
        ];
        assert_eq!(pairs(text, Some("type")), expected);
        assert_eq!(PropertyString::parse(text, Some("type")).unwrap().to_text(Some("type")), text);
        assert_eq!(pairs("", None), []);
        assert_eq!(pairs("a=1,", None), [pair("a", "1")]);
    }

    #[test]
    fn what_is_no_property_string() {
        for bad in [
            "a",
            "a=1,b",
            "a=1,a=2",
            "=1",
            "a=\"x",
            "a=\"x\"y",
            r#"a="\t""#,
            ",",
            "a=1,,b=2",
            r#"a="\"#,
        ] {
            assert!(PropertyString::parse(bad, None).is_err(), "{bad}");
        }
        assert!(PropertyString::parse("a,b", Some("type")).is_err());
        assert!(PropertyString::parse("type=a,b", Some("type")).is_err());
    }

    #[test]
    fn lists_drop_empty_elements() {
        let slots: Vec<&str> = split_list("14, 15;;16\t17 ").collect();
        assert_eq!(slots, ["14", "15", "16", "17"]);
    }

    proptest! {
        #[test]
        fn written_and_read_again(
            values in prop::collection::btree_map("[a-z][a-z-]{0,6}", "[ -~\nä]{0,12}", 0..5),
        ) {
            let mut string = PropertyString::default();
            for (key, value) in &values {
                string.set(key, value);
            }
            for default_key in [None, values.keys().next().map(String::as_str)] {
                let text = string.to_text(default_key);
                prop_assert_eq!(PropertyString::parse(&text, default_key).unwrap(), string.clone());
            }
        }
    }
}
