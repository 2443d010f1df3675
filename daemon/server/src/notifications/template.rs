//! Text with places for values.
//!
//! ```text
//! {{name}}              a value, of an object within another {{job.store}}
//! {{#name}}…{{/name}}   only where there is such a value, neither false nor empty; for each item of a list, which is {{.}}
//! {{^name}}…{{/name}}   only where there is not
//! ```

use serde_json::Value;

/// Why a text is no template, or doesn't fit the values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// A place that is begun and not ended.
    #[error("'{{{{' without '}}}}'")]
    Open,
    /// A part that is begun and not ended, or the other way round.
    #[error("'{{{{#{0}}}}}' or '{{{{^{0}}}}}' and '{{{{/{0}}}}}' don't belong together")]
    Part(String),
    /// A value that no event of the kind has.
    #[error("there is no value '{0}'")]
    Unknown(String),
}

/// Fills a template.
pub(super) fn fill(template: &str, values: &Value) -> Result<String, TemplateError> {
    let mut text = String::new();
    let rest = fill_part(template, None, values, None, &mut text, true)?;
    debug_assert!(rest.is_empty());
    Ok(text)
}

/// Fills up to the end of the part `within`; gives what comes behind it.
fn fill_part<'t>(
    mut template: &'t str,
    within: Option<&str>,
    values: &Value,
    item: Option<&Value>,
    text: &mut String,
    shown: bool,
) -> Result<&'t str, TemplateError> {
    let put = |text: &mut String, piece: &str| {
        if shown {
            text.push_str(piece);
        }
    };
    while let Some((before, after)) = template.split_once("{{") {
        put(text, before);
        let (tag, rest) = after.split_once("}}").ok_or(TemplateError::Open)?;
        template = rest;
        let Some(kind) = tag.chars().next().filter(|kind| "#^/".contains(*kind)) else {
            if shown {
                put(text, &plain(value(tag, values, item)?));
            }
            continue;
        };
        let name = &tag[1..];
        if kind == '/' {
            return match within == Some(name) {
                true => Ok(template),
                false => Err(TemplateError::Part(name.into())),
            };
        }
        let found = lookup(name, values).filter(|value| is_there(value));
        let rest = match (kind, found) {
            ('#', Some(Value::Array(items))) => {
                let mut rest = template;
                for item in items {
                    rest = fill_part(template, Some(name), values, Some(item), text, shown)?;
                }
                rest
            }
            _ => {
                let shown = shown && (kind == '#') == found.is_some();
                fill_part(template, Some(name), values, item, text, shown)?
            }
        };
        template = rest;
    }
    put(text, template);
    match within {
        None => Ok(""),
        Some(name) => Err(TemplateError::Part(name.into())),
    }
}

fn value<'v>(
    name: &str,
    values: &'v Value,
    item: Option<&'v Value>,
) -> Result<&'v Value, TemplateError> {
    let found = if name == "." { item } else { lookup(name, values) };
    found.ok_or_else(|| TemplateError::Unknown(name.into()))
}

fn lookup<'v>(name: &str, values: &'v Value) -> Option<&'v Value> {
    name.split('.').try_fold(values, |value, key| value.get(key))
}

fn is_there(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_parts_and_lists_are_filled() {
        let values =
            json!({"a": "x", "none": null, "o": {"b": 5}, "list": ["p", "q"], "empty": []});
        for (template, text) in [
            ("{{a}}-{{o.b}}", "x-5"),
            ("{{#a}}has {{a}}{{/a}}{{^a}}none{{/a}}", "has x"),
            ("{{#none}}{{none}}{{/none}}{{^none}}none{{/none}}", "none"),
            ("{{#list}}<{{.}}>{{/list}}", "<p><q>"),
            ("{{#empty}}<{{.}}>{{/empty}}{{^empty}}-{{/empty}}", "-"),
            ("{{#missing}}{{missing}}{{/missing}}!", "!"),
        ] {
            assert_eq!(fill(template, &values).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_told() {
        let values = json!({"a": "x"});
        for (template, error) in [
            ("{{a", TemplateError::Open),
            ("{{b}}", TemplateError::Unknown("b".into())),
            ("{{#a}}x", TemplateError::Part("a".into())),
            ("x{{/a}}", TemplateError::Part("a".into())),
            ("{{#a}}{{/b}}", TemplateError::Part("b".into())),
        ] {
            assert_eq!(fill(template, &values), Err(error), "{template}");
        }
    }
}
