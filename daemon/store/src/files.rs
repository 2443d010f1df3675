//! Making and replacing files the way PBS does: whole, with its modes, for its user.
//!
//! PBS's services run as user `backup` and must be able to change what we write beside them, so
//! whatever a root process makes here is handed to that user.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid};
use tempfile::NamedTempFile;

use crate::failure::{IoContext, StoreError, StoreErrorKind};

/// Mode of files that PBS replaces whole.
pub(crate) const FILE_MODE: u32 = 0o644;

/// Who owns what is written: PBS's service user where the process may give files away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceUser(Option<(Uid, Gid)>);

impl ServiceUser {
    /// User `backup` and its group when this process is root and that user exists; else whoever runs.
    pub fn detect() -> Self {
        if !geteuid().is_root() {
            return Self::current();
        }
        Self(User::from_name("backup").ok().flatten().map(|user| (user.uid, user.gid)))
    }

    /// Files stay with the user who runs the process.
    pub fn current() -> Self {
        Self(None)
    }

    /// Hands an open file over.
    pub(crate) fn own(self, file: &File) -> io::Result<()> {
        match self.0 {
            Some((uid, gid)) => Ok(nix::unistd::fchown(file, Some(uid), Some(gid))?),
            None => Ok(()),
        }
    }

    /// Hands a file or folder over, never what a link points to.
    pub(crate) fn own_path(self, path: &Path) -> io::Result<()> {
        match self.0 {
            Some((uid, gid)) => {
                std::os::unix::fs::lchown(path, Some(uid.as_raw()), Some(gid.as_raw()))
            }
            None => Ok(()),
        }
    }

    /// Hands the entry `name` of an open folder over.
    pub(crate) fn own_at(self, folder: &File, name: &str) -> io::Result<()> {
        let Some((uid, gid)) = self.0 else { return Ok(()) };
        let flags = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
        Ok(nix::unistd::fchownat(folder, name, Some(uid), Some(gid), flags)?)
    }

    /// Makes one folder (`mode` less the umask) and hands it over.
    pub(crate) fn make_dir(self, path: &Path, mode: u32) -> io::Result<()> {
        DirBuilder::new().mode(mode).create(path)?;
        self.own_path(path)
    }

    /// Makes a folder with all its missing parents, each handed over; what exists stays as it is.
    pub(crate) fn make_dirs(self, path: &Path, mode: u32) -> io::Result<()> {
        match self.make_dir(path, mode) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().ok_or(error)?;
                self.make_dirs(parent, mode)?;
                self.make_dirs(path, mode)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    /// Makes a temporary file `<prefix>XXXXXX` in `dir`, mode and owner as they will stay.
    pub(crate) fn temporary(
        self,
        dir: &Path,
        prefix: &str,
        mode: u32,
    ) -> io::Result<NamedTempFile> {
        let file = tempfile::Builder::new().prefix(prefix).rand_bytes(6).tempfile_in(dir)?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        self.own(file.as_file())?;
        Ok(file)
    }

    /// Replaces `dir/name` whole by `content`, without syncing it (`datastore.md` §2.7).
    pub(crate) fn replace(
        self,
        dir: &Path,
        name: &str,
        content: &[u8],
        mode: u32,
    ) -> io::Result<()> {
        let mut file = self.temporary(dir, &temporary_prefix(name), mode)?;
        file.write_all(content)?;
        file.persist(dir.join(name))?;
        Ok(())
    }

    /// Makes the empty file `path` unless it is there; other processes see it with its owner and
    /// mode, and all agree on one inode.
    pub(crate) fn make_agreed(self, path: &Path, mode: u32) -> io::Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("lock");
        let dir = path.parent().unwrap_or(Path::new("/"));
        let file = self.temporary(dir, &format!("{name}.tmp_"), mode)?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    }
}

/// `index.json.blob` is written as `index.json.tmp_XXXXXX` (`datastore.md` §6, step 7).
fn temporary_prefix(name: &str) -> String {
    let stem =
        name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem });
    format!("{stem}.tmp_")
}

/// Opens a file for reading and makes sure that it is a regular one, so that no pipe or device put
/// there can block or feed the reader without end.
pub(crate) fn open_regular(path: &Path, what: &str) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .tried(|| format!("open {what} at {path:?}"))?;
    let metadata = file.metadata().tried(|| format!("stat {what} at {path:?}"))?;
    if metadata.is_file() {
        return Ok(file);
    }
    let reason = "something else than a regular file stands there";
    Err(StoreError::new(StoreErrorKind::Corrupt, format!("open {what} at {path:?}"), reason))
}

/// Reads a whole regular file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64, what: &str) -> Result<Vec<u8>, StoreError> {
    let file = open_regular(path, what)?;
    let tried = || format!("read {what} at {path:?}");
    let expected = file.metadata().tried(tried)?.len().min(limit);
    let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1);
    file.take(limit + 1).read_to_end(&mut content).tried(tried)?;
    if content.len() as u64 > limit {
        let reason = format!("the file is larger than the {limit} bytes that it may have");
        return Err(StoreError::new(StoreErrorKind::Corrupt, tried(), reason));
    }
    Ok(content)
}

/// Whether something stands at `path`; errors other than "not there" are errors.
pub(crate) fn exists(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file; one that isn't there is fine.
pub(crate) fn remove_file_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Flushes a folder's entries to the disk.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_one_file_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let user = ServiceUser::current();
        user.replace(dir.path(), "notes", b"one", FILE_MODE).unwrap();
        user.replace(dir.path(), "notes", b"two", FILE_MODE).unwrap();
        assert_eq!(fs::read(dir.path().join("notes")).unwrap(), b"two");
        let mode = fs::metadata(dir.path().join("notes")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, FILE_MODE);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn temporary_names() {
        assert_eq!(temporary_prefix("index.json.blob"), "index.json.tmp_");
        assert_eq!(temporary_prefix("owner"), "owner.tmp_");
        assert_eq!(temporary_prefix(".lock"), ".lock.tmp_");
    }

    #[test]
    fn a_pipe_or_a_long_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(open_regular(&pipe, "it").unwrap_err().kind(), StoreErrorKind::Corrupt);
        let long = dir.path().join("long");
        fs::write(&long, [0; 11]).unwrap();
        assert_eq!(read_bounded(&long, 10, "it").unwrap_err().kind(), StoreErrorKind::Corrupt);
        assert_eq!(read_bounded(&long, 11, "it").unwrap().len(), 11);
    }
}
