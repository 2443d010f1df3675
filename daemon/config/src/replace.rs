//! Replacing a file whole: at every instant the name leads to the old content or to the new one.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, fchown};

use crate::ConfigError;
use crate::error::io_error;

/// Who owns a file; the caller's own user and group where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: Option<Uid>,
    pub(crate) group: Option<Gid>,
}

impl Owner {
    pub(crate) fn give(self, file: &File) -> io::Result<()> {
        fchown(file, self.user, self.group).map_err(io::Error::from)
    }
}

/// Replaces `path` by what `write` writes: a temporary file `NAME.tmp_XXXXXX` beside it (`config.md`
/// §1), synced, renamed, and the folder synced. The temporary file goes if anything fails.
pub(crate) fn replace_file(
    path: &Path,
    mode: u32,
    owner: Owner,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), ConfigError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let prefix = path.with_extension("tmp_");
    let mut temporary = tempfile::Builder::new()
        .prefix(prefix.file_name().unwrap_or_default())
        .rand_bytes(6)
        .tempfile_in(folder)
        .map_err(io_error("create a temporary file in", folder))?;
    let file = temporary.as_file_mut();
    file.set_permissions(Permissions::from_mode(mode))
        .and_then(|()| owner.give(file))
        .and_then(|()| write(file))
        .and_then(|()| file.sync_all())
        .map_err(io_error("write a new", path))?;
    temporary.persist(path).map_err(|error| error.error).map_err(io_error("replace", path))?;
    sync_folder(folder)
}

/// Makes what was created, renamed or removed in a folder survive a crash.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), ConfigError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error("sync the folder", folder))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_content_has_the_mode_it_should_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cfg");
        fs::write(&path, "old").unwrap();
        replace_file(&path, 0o640, Owner::default(), |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(names(folder.path()), ["a.cfg"]);
    }

    #[test]
    fn the_temporary_file_is_named_after_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("media-pool.cfg");
        replace_file(&path, 0o600, Owner::default(), |_| {
            let names = names(folder.path());
            assert_eq!(names.len(), 1);
            let random = names[0].strip_prefix("media-pool.tmp_").unwrap();
            assert_eq!(random.len(), 6);
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_failing_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cfg");
        fs::write(&path, "old").unwrap();
        let error = replace_file(&path, 0o640, Owner::default(), |file| {
            file.write_all(b"half of the")?;
            Err(io::Error::from_raw_os_error(nix::libc::ENOSPC))
        })
        .unwrap_err();
        assert_eq!(error.errno(), nix::libc::ENOSPC);
        assert!(error.to_string().contains("a.cfg"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.cfg"]);
    }

    #[test]
    fn a_failing_rename_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cfg");
        fs::create_dir_all(path.join("full")).unwrap();
        replace_file(&path, 0o640, Owner::default(), |file| file.write_all(b"new")).unwrap_err();
        assert_eq!(names(folder.path()), ["a.cfg"]);
    }
}
