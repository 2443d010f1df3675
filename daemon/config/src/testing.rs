//! A folder of configuration for tests of one file in it.

use std::fs;

use crate::{ConfigDir, SectionFile};

/// A folder that holds `file` with this content.
pub(crate) fn folder_with(file: &SectionFile, content: &str) -> (tempfile::TempDir, ConfigDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file.name), content).unwrap();
    let dir = ConfigDir::new(folder.path());
    (folder, dir)
}

/// What stands in `file` now.
pub(crate) fn content_of(file: &SectionFile, dir: &ConfigDir) -> String {
    fs::read_to_string(dir.file(file.name)).unwrap()
}
