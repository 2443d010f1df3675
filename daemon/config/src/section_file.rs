//! A section file in the configuration's folder: which lock guards it, which schema it follows.

use crate::section::{Document, Schema, SyntaxError};
use crate::{ConfigDigest, ConfigDir, ConfigError, FileClass};

/// One kind of section file.
#[derive(Debug, Clone, Copy)]
pub struct SectionFile {
    /// Its name, such as `datastore.cfg`.
    pub name: &'static str,
    /// Its lock, such as `.datastore.lck`.
    pub lock: &'static str,
    /// What may stand in it.
    pub schema: Schema,
}

impl SectionFile {
    /// Reads the file; a missing one is empty.
    pub fn load(&self, dir: &ConfigDir) -> Result<(Document, ConfigDigest), ConfigError> {
        let content = dir.read(self.name)?;
        let digest = ConfigDigest::of(&content);
        let refuse = |source| ConfigError::Syntax { path: dir.file(self.name), source };
        let text = std::str::from_utf8(&content).map_err(|error| {
            let before = &content[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            refuse(SyntaxError { line, reason: "is not UTF-8 text".into() })
        })?;
        Ok((Document::parse(text, &self.schema).map_err(refuse)?, digest))
    }

    /// Changes the file under its lock. Nothing is written if the file isn't the one the caller saw
    /// (`expected`), if `change` fails, or if the result could not be read again.
    pub fn update<T>(
        &self,
        dir: &ConfigDir,
        expected: Option<&ConfigDigest>,
        change: impl FnOnce(&mut Document) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let _lock = dir.lock(self.lock)?;
        let (mut document, digest) = self.load(dir)?;
        if expected.is_some_and(|expected| *expected != digest) {
            return Err(ConfigError::Stale { path: dir.file(self.name) });
        }
        let result = change(&mut document)?;
        let text = document
            .to_text(&self.schema)
            .map_err(|reason| ConfigError::Unwritable { path: dir.file(self.name), reason })?;
        dir.replace(self.name, text.as_bytes(), FileClass::Normal)?;
        Ok(result)
    }
}
