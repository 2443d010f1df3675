use thiserror::Error;

/// A text that is not what it was taken for.
///
/// The message names the kind of thing, the offending text (shortened, control characters escaped)
/// and the rule it breaks, so that it can be shown to whoever typed it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{}' is not a valid {kind}: {reason}", shown(.input))]
pub struct ParseError {
    kind: &'static str,
    input: String,
    reason: String,
}

impl ParseError {
    /// An error for `input`, which should have been a `kind` but breaks the rule told by `reason`.
    pub fn new(kind: &'static str, input: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind, input: input.into(), reason: reason.into() }
    }

    /// What the text should have been, e.g. `datastore name`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The rule that the text breaks.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

const SHOWN_CHARS_MAX: usize = 80;

fn shown(input: &str) -> String {
    let mut text: String =
        input.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if input.chars().count() > SHOWN_CHARS_MAX {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_unprintable_input_is_tamed() {
        let error = ParseError::new("datastore name", "a\nb".repeat(50), "too long");
        let text = error.to_string();
        assert!(text.starts_with("'a\\nba\\nb"), "{text}");
        assert!(text.ends_with("…' is not a valid datastore name: too long"), "{text}");
    }
}
