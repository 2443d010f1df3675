//! The grammar of section files (`config.md` §2), pure: text in, text out.
//!
//! ```text
//! TYPE: ID
//! <TAB>key value
//! <TAB>key value
//!
//! TYPE: ID
//! ```
//!
//! A [`Schema`] says which types and keys there are and what their values look like. What it doesn't
//! know is an error or, where the schema says so, kept: an unknown key with its value, a section of an
//! unknown type with its very lines. The same schema is applied when a document is written, so that no
//! file is ever replaced by one that couldn't be read again.

mod parse;
mod schema;
mod write;

pub use parse::SyntaxError;
pub use schema::{Key, Need, Schema, SectionType, Unknown, ValueKind};

/// One section: what it is called and its properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    kind: String,
    id: String,
    /// In the order of the file; a repeated key is an array.
    properties: Vec<(String, String)>,
    /// The lines as they stood, for a section of a type that the schema doesn't know.
    verbatim: Option<String>,
}

impl Section {
    /// A section without properties.
    pub fn new(kind: &str, id: &str) -> Self {
        Self { kind: kind.into(), id: id.into(), properties: Vec::new(), verbatim: None }
    }

    /// The type in the header.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id in the header.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the schema doesn't know the type, so that the section is kept as it stands.
    pub fn is_foreign(&self) -> bool {
        self.verbatim.is_some()
    }

    /// The (first) value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()
    }

    /// All values of `key` in their order.
    pub fn get_all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.properties.iter().filter(move |(known, _)| known == key).map(|(_, value)| &**value)
    }

    /// All properties in their order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Replaces all values of `key` by these.
    pub fn set(&mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) {
        self.unset(key);
        self.properties.extend(values.into_iter().map(|value| (key.into(), value.into())));
    }

    /// Removes all values of `key`.
    pub fn unset(&mut self, key: &str) {
        self.properties.retain(|(known, _)| known != key);
    }
}

/// The sections of a file in their order; ids are unique over all types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    sections: Vec<Section>,
}

impl Document {
    /// All sections in the order of the file.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section with this id, whatever its type.
    pub fn get(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }

    /// The section with this id, to be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Section> {
        self.sections.iter_mut().find(|section| section.id == id)
    }

    /// Puts a section in the place of the one with its id, or at the end.
    pub fn insert(&mut self, section: Section) {
        match self.get_mut(&section.id) {
            Some(old) => *old = section,
            None => self.sections.push(section),
        }
    }

    /// Takes a section out.
    pub fn remove(&mut self, id: &str) -> Option<Section> {
        let index = self.sections.iter().position(|section| section.id == id)?;
        Some(self.sections.remove(index))
    }
}

#[cfg(test)]
mod tests;
