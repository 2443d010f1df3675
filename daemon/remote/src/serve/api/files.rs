//! Files of snapshots, as they are stored and as what they stand for (`remote-protocol.md` §5.7).

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use reel_store::datastore::{SnapshotIndex, SnapshotReader};
use reel_store::{BLOB_PLAIN_MAX, ChunkIndex, CryptMode, Index};
use reel_types::{ArchiveKind, ArchiveName, Privilege, SnapshotPath};

use super::SnapshotQuery;
use crate::serve::answer::Reply;
use crate::serve::asked::Asked;
use crate::serve::body::{FilePieces, Pieces};
use crate::serve::params::FileName;
use crate::serve::refusal::{Outcome, Refusal};
use crate::serve::surroundings::StoreInUse;

pub(in crate::serve) fn download(asked: Asked) -> Outcome<Reply> {
    let (opened, snapshot, name) = open(asked)?;
    let file = opened.store.open_stored(&snapshot, &name)?;
    let held: Arc<dyn Send + Sync> = Arc::new(opened);
    Ok(Reply::File(Box::new(FilePieces { file, left: None, _held: Some(held) }), None))
}

pub(in crate::serve) fn download_decoded(asked: Asked) -> Outcome<Reply> {
    let (opened, snapshot, name) = open(asked)?;
    let reader = opened.store.open_snapshot(&snapshot)?;
    let encrypted = || Refusal::bad(format!("decode {}: it is encrypted", reader.text(&name)));
    if name.kind() == ArchiveKind::Blob {
        let blob = reader.blob(&name)?.blob;
        if blob.is_encrypted() {
            return Err(encrypted());
        }
        let plain = blob.decode(None, BLOB_PLAIN_MAX);
        let unreadable = |error| Refusal::bad(format!("decode {}: {error}", reader.text(&name)));
        return plain.map(Reply::Bytes).map_err(unreadable);
    }
    let SnapshotIndex { index, crypt_mode } = reader.index(&name)?;
    if crypt_mode == CryptMode::Encrypt {
        return Err(encrypted());
    }
    let length = index.size();
    let pieces = Decoded { reader, index, at: 0, _opened: opened };
    Ok(Reply::File(Box::new(pieces), Some(length)))
}

fn open(mut asked: Asked) -> Outcome<(StoreInUse, SnapshotPath, ArchiveName)> {
    let mut params = asked.params();
    let query = SnapshotQuery::read(&mut params);
    let name: Option<FileName> = params.need("file-name");
    let (SnapshotQuery { store, snapshot }, name) = params.finish(|| Some((query?, name?)))?;
    let scope = asked.scope(&store, &snapshot.namespace, &[Privilege::DatastoreRead])?;
    let opened = asked.open(&store)?;
    asked.check_owner(scope, &opened.store, &snapshot.group_path())?;
    Ok((opened, snapshot, name.archive()?))
}

/// The chunks of an index, decoded and checked.
struct Decoded {
    reader: SnapshotReader,
    index: Arc<Index<File>>,
    /// The number of the next chunk.
    at: u64,
    _opened: StoreInUse,
}

impl Pieces for Decoded {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.at >= self.index.chunk_count() {
            return Ok(None);
        }
        let entry = self.index.entry(self.at).map_err(io::Error::other)?;
        self.at += 1;
        let blob = self.reader.store().chunks().read(&entry.digest).map_err(io::Error::other)?;
        blob.decode_chunk(None, &entry.digest, entry.size()).map(Some).map_err(io::Error::other)
    }
}
