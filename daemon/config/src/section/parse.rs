//! Reading section files.

use reel_types::ParseError;
use thiserror::Error;

use super::schema::{Schema, SectionType, Unknown};
use super::{Document, Section};

/// A file that breaks the grammar or its schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Document {
    /// Reads a whole file; the first error refuses all of it.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, SyntaxError> {
        let mut document = Self::default();
        let mut open: Option<OpenSection> = None;
        for (index, line) in text.lines().enumerate() {
            let at = |reason: String| SyntaxError { line: index + 1, reason };
            // `lines` leaves a carriage return where no newline follows.
            let line = line.trim_end_matches('\r');
            if line.trim().is_empty() {
                close(open.take(), &mut document)?;
            } else if let Some(section) = &mut open {
                section.property(line, schema).map_err(at)?;
            } else {
                open = Some(OpenSection::begin(line, index + 1, schema).map_err(at)?);
            }
        }
        close(open, &mut document)?;
        Ok(document)
    }
}

/// A section whose end hasn't been read yet.
struct OpenSection {
    section: Section,
    /// None for a type that is kept without being known.
    known: Option<&'static SectionType>,
    header_line: usize,
}

impl OpenSection {
    fn begin(line: &str, number: usize, schema: &Schema) -> Result<Self, String> {
        if !line.starts_with(char::is_alphabetic) {
            return Err("expected a section header 'TYPE: ID' (there are no comments)".into());
        }
        let (kind, id) = line.split_once(':').ok_or("expected a section header 'TYPE: ID'")?;
        let mut section = Section::new(schema.current(kind.trim()), id.trim());
        let known = schema.find(section.kind());
        match known {
            Some(known) => {
                (known.check_id)(section.id()).map_err(|error: ParseError| error.to_string())?;
            }
            None if schema.unknown_types == Unknown::Refuse => {
                return Err(format!("unknown section type '{}'", section.kind()));
            }
            None if section.id().is_empty() => return Err("the section has no id".into()),
            None => section.verbatim = Some(line.into()),
        }
        Ok(Self { section, known, header_line: number })
    }

    fn property(&mut self, line: &str, schema: &Schema) -> Result<(), String> {
        if !line.starts_with(char::is_whitespace) {
            return Err("expected section properties (a blank line ends a section)".into());
        }
        let (key, value) = line
            .trim_start()
            .split_once(char::is_whitespace)
            .ok_or("expected a key, white space and a value")?;
        let mut value = value.trim().to_owned();
        if let Some(known) = self.known {
            value = schema.check_property(known, &self.section.properties, key, &value)?;
        }
        if let Some(verbatim) = &mut self.section.verbatim {
            verbatim.push('\n');
            verbatim.push_str(line);
        }
        self.section.properties.push((key.into(), value));
        Ok(())
    }
}

/// Checks a section as a whole and adds it; a later one replaces an earlier one of the same id.
fn close(open: Option<OpenSection>, document: &mut Document) -> Result<(), SyntaxError> {
    let Some(OpenSection { section, known, header_line }) = open else { return Ok(()) };
    if let Some(known) = known {
        known.check_whole(&section).map_err(|reason| SyntaxError { line: header_line, reason })?;
    }
    document.insert(section);
    Ok(())
}
