//! Putting a snapshot into its datastore, once all its chunks are there.

use std::sync::Arc;

use reel_store::datastore::Datastore;
use reel_store::{StoreError, StoreErrorKind};
use reel_types::{AuthId, Namespace, SnapshotPath};

use super::content::SnapshotContent;
use super::targets::Target;
use crate::env::TapeEnv;
use crate::{Error, Result};

/// Whether a snapshot can be put at its place.
pub(super) enum Standing {
    /// Nothing is in the way.
    Free,
    /// A finished one is there.
    There,
    /// Its group is not the owner's, or can't be looked at.
    Refused(StoreError),
}

/// Looks at the place of a snapshot.
pub(super) fn standing(store: &Datastore, path: &SnapshotPath, owner: &AuthId) -> Standing {
    match store.check_owner(&path.group_path(), owner) {
        Err(error) if error.kind() == StoreErrorKind::NotFound && !has_group(store, path) => {
            return Standing::Free;
        }
        Err(error) => return Standing::Refused(error),
        Ok(()) => {}
    }
    match store.snapshot_entry(path) {
        Ok(entry) if entry.finished => Standing::There,
        Ok(_) => Standing::Free,
        Err(error) if error.kind() == StoreErrorKind::NotFound => Standing::Free,
        Err(error) => Standing::Refused(error),
    }
}

/// A group without an owner file is not the same as no group.
fn has_group(store: &Datastore, path: &SnapshotPath) -> bool {
    store.base().join(path.group_path().path()).exists()
}

/// How many chunks of the snapshot its datastore lacks.
pub(super) fn count_missing(target: &Target, content: &SnapshotContent) -> Result<usize> {
    let mut missing = 0;
    content.visit_digests(|digests| {
        target.retain_missing(digests)?;
        missing += digests.len();
        Ok(())
    })?;
    Ok(missing)
}

/// Imports a snapshot whose chunks are all there; they are on the disk before its manifest is.
pub(super) fn import(
    env: &TapeEnv,
    target: &Target,
    content: &SnapshotContent,
    path: &SnapshotPath,
    owner: &AuthId,
) -> Result<()> {
    target.sync_chunks()?;
    let store = target.store();
    make_namespaces(store, &path.namespace)?;
    let import = store.import_snapshot(path, owner)?;
    for file in content.files() {
        let (name, mut file) = file?;
        import.add_file(&name, &mut file)?;
    }
    import.finish(&content.manifest())?;
    target.note_snapshot();
    env.reached("restore: snapshot stored");
    Ok(())
}

fn make_namespaces(store: &Arc<Datastore>, namespace: &Namespace) -> Result<()> {
    let mut made = Namespace::root();
    for component in namespace.components() {
        made = made.child(component)?;
        match store.create_namespace(&made) {
            Err(error) if error.kind() != StoreErrorKind::Exists => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Whether an error of an import is about that snapshot alone, so that the next one may fare better.
pub(super) fn is_about_snapshot(error: &Error) -> bool {
    match error {
        Error::Store(error) => {
            !matches!(error.kind(), StoreErrorKind::NoSpace | StoreErrorKind::Io)
        }
        Error::Data(_) | Error::Parse(_) => true,
        _ => false,
    }
}
