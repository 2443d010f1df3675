//! Making a datastore's folders (`datastore.md` §1.1).

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::stat::{Mode, mkdirat};
use reel_types::StoreName;

use super::{ChunkStore, check_absolute};
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, ServiceUser, exists};

const BASE_MODE: u32 = 0o755;
const CHUNKS_MODE: u32 = 0o750;

impl ChunkStore {
    /// Makes the base folder (with missing parents), `.chunks` with its 65536 folders and `.lock`.
    ///
    /// A `.chunks` that exists is refused and left alone. What was made is removed again when a later
    /// step fails, so that a second try can succeed.
    pub fn create(name: &StoreName, base: &Path, user: ServiceUser) -> Result<(), StoreError> {
        check_absolute(name, base)?;
        let tried = || format!("create datastore '{name}' at {base:?}");
        make_base(base, user).tried(tried)?;
        let chunks = base.join(".chunks");
        if exists(&chunks).tried(tried)? {
            let reason = format!("{chunks:?} exists, so a datastore may be there already");
            return Err(StoreError::new(StoreErrorKind::Exists, tried(), reason)
                .advise("add the existing datastore, or choose another path"));
        }
        make_content(base, &chunks, user).inspect_err(|_| undo(&chunks)).tried(tried)
    }
}

fn make_base(base: &Path, user: ServiceUser) -> io::Result<()> {
    if !exists(base)? {
        if let Some(parent) = base.parent() {
            ServiceUser::current().make_dirs(parent, BASE_MODE)?;
        }
        fs::create_dir(base)?;
        fs::set_permissions(base, Permissions::from_mode(BASE_MODE))?;
    }
    user.own_path(base)
}

fn make_content(base: &Path, chunks: &Path, user: ServiceUser) -> io::Result<()> {
    user.make_dir(chunks, CHUNKS_MODE)?;
    user.replace(base, ".lock", b"", FILE_MODE)?;
    let folder = File::open(chunks)?;
    for prefix in 0..=u16::MAX {
        let prefix = format!("{prefix:04x}");
        mkdirat(&folder, prefix.as_str(), Mode::from_bits_truncate(CHUNKS_MODE))?;
        user.own_at(&folder, &prefix)?;
    }
    Ok(())
}

fn undo(chunks: &Path) {
    if let Err(error) = fs::remove_dir_all(chunks) {
        tracing::warn!("remove the unfinished chunk folder {chunks:?}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk_store::SyncLevel;
    use crate::locks::ProcessLocks;

    fn name() -> StoreName {
        "store1".parse().unwrap()
    }

    /// Making and removing 65536 folders takes minutes on a slow disk and a second in memory.
    fn tempdir() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
    }

    #[test]
    fn creation_makes_all_folders_once() {
        let dir = tempdir();
        let base = dir.path().join("deep/store1");
        ChunkStore::create(&name(), &base, ServiceUser::detect()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&base), 0o755);
        assert_eq!(mode(&base.join(".lock")), 0o644);
        assert_eq!(mode(&base.join(".chunks")), 0o750);
        assert_eq!(mode(&base.join(".chunks/ffff")), 0o750);
        let entries: Vec<_> = fs::read_dir(base.join(".chunks")).unwrap().collect();
        assert_eq!(entries.len(), 65536);
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name.len() == 4 && name.bytes().all(hex), "{name}");
        }
        let error = ChunkStore::create(&name(), &base, ServiceUser::detect()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Exists);
        let locks = ProcessLocks::new();
        let sync = SyncLevel::Filesystem;
        let store = ChunkStore::open(&name(), &base, sync, &locks, ServiceUser::current());
        assert!(store.unwrap().sync_at_finish().is_ok());
    }

    #[test]
    fn a_relative_path_makes_nothing() {
        let relative = Path::new("no-such-store");
        let error = ChunkStore::create(&name(), relative, ServiceUser::current()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::InvalidInput);
        assert!(!relative.exists());
    }

    #[test]
    fn a_folder_without_chunks_is_no_datastore() {
        let dir = tempfile::tempdir().unwrap();
        let (locks, user) = (ProcessLocks::new(), ServiceUser::current());
        let open = || ChunkStore::open(&name(), dir.path(), SyncLevel::None, &locks, user);
        let error = open().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains("'store1'") && text.contains(".chunks"), "{text}");
        fs::write(dir.path().join(".chunks"), b"").unwrap();
        assert_eq!(open().unwrap_err().kind(), StoreErrorKind::Corrupt);
    }
}
