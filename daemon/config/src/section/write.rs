//! Writing section files.

use super::schema::{Schema, SectionType, Unknown};
use super::{Document, Section};

impl Document {
    /// The text of the file: sections in their order, one blank line between them, keys sorted.
    ///
    /// Fails where the schema would refuse to read it; the text then names section and reason.
    pub fn to_text(&self, schema: &Schema) -> Result<String, String> {
        let sections: Vec<String> = self
            .sections
            .iter()
            .map(|section| section_text(section, schema))
            .collect::<Result<_, _>>()?;
        Ok(sections.join("\n"))
    }
}

fn section_text(section: &Section, schema: &Schema) -> Result<String, String> {
    if let Some(verbatim) = &section.verbatim {
        return Ok(format!("{verbatim}\n"));
    }
    check(section, schema).map_err(|reason| format!("section '{}': {reason}", section.id))?;
    let mut properties: Vec<(&str, &str)> = section.properties().collect();
    properties.sort_by_key(|(key, _)| *key);
    let mut text = format!("{}: {}\n", section.kind, section.id);
    for (key, value) in properties {
        text.push_str(&format!("\t{key} {value}\n"));
    }
    Ok(text)
}

fn check(section: &Section, schema: &Schema) -> Result<(), String> {
    let Some(known) = schema.find(&section.kind) else {
        return Err(format!("unknown section type '{}'", section.kind));
    };
    (known.check_id)(&section.id).map_err(|error| error.to_string())?;
    for (index, (key, value)) in section.properties.iter().enumerate() {
        check_text(known, key, value, schema.unknown_keys)?;
        schema.check_property(known, &section.properties[..index], key, value)?;
    }
    known.check_whole(section)
}

/// Whether key and value survive being a line of text.
fn check_text(known: &SectionType, key: &str, value: &str, unknown: Unknown) -> Result<(), String> {
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(format!("{key:?} is no key"));
    }
    if value.trim() != value {
        return Err(format!("the value of '{key}' begins or ends with white space"));
    }
    // What an unknown key may hold is for the release to say that knows it.
    let ours = unknown == Unknown::Refuse || known.keys.iter().any(|rule| rule.name == key);
    if value.contains('\n') || (ours && value.contains(char::is_control)) {
        return Err(format!("the value of '{key}' holds control characters"));
    }
    Ok(())
}
