//! The files of a snapshot that came from tape, checked against its manifest.
//!
//! They may have lain in the cache for long, so nothing is taken from them that was not compared with the
//! manifest: an index must have its size and csum, a blob its sum.

use std::fs::File;
use std::io;

use reel_store::{CHUNK_ENCODED_MAX, ChunkIndex, Index, Manifest};
use reel_types::{ArchiveKind, ArchiveName};

use crate::snapshot_files::KeptSnapshot;
use crate::{Error, Result};

/// Digests that are handed out at once: 2 MiB.
const WINDOW: usize = 65_536;

/// A snapshot whose files agree with its manifest.
pub(crate) struct SnapshotContent {
    files: KeptSnapshot,
    manifest: Manifest,
    indexes: Vec<Index<File>>,
}

impl SnapshotContent {
    /// Opens the files and compares them with the manifest.
    pub(crate) fn open(files: &KeptSnapshot) -> Result<Self> {
        let manifest = Manifest::from_raw(read_blob(files, &name(ArchiveName::MANIFEST)?)?.into())?;
        let mut indexes = Vec::new();
        for file in manifest.files() {
            if file.name.kind() == ArchiveKind::Blob {
                file.verify_blob(&read_blob(files, &file.name)?)?;
                continue;
            }
            let index = Index::open(file.name.kind(), files.open(&file.name)?)?;
            index.verify(file.size, &file.csum)?;
            indexes.push(index);
        }
        Ok(Self { files: files.clone(), manifest, indexes })
    }

    /// Hands out the digests of all its chunks, many at a time; some may come twice.
    pub(crate) fn visit_digests(
        &self,
        mut visit: impl FnMut(&mut Vec<[u8; 32]>) -> Result<()>,
    ) -> Result<()> {
        let mut digests = Vec::new();
        for index in &self.indexes {
            for entry in index.entries(0..index.chunk_count()) {
                digests.push(*entry?.digest.as_bytes());
                if digests.len() == WINDOW {
                    visit(&mut digests)?;
                    digests.clear();
                }
            }
        }
        visit(&mut digests)
    }

    /// The manifest as it goes to a datastore: nobody verified the snapshot there.
    pub(crate) fn manifest(&self) -> Manifest {
        self.manifest.without_verify_state()
    }

    /// All files but the manifest, open.
    pub(crate) fn files(&self) -> impl Iterator<Item = Result<(ArchiveName, File)>> + '_ {
        let listed = self.manifest.files().iter().map(|file| file.name.clone());
        let listed = listed.map(|name| Ok((name.clone(), self.files.open(&name)?)));
        listed.chain(self.client_log().transpose())
    }

    /// The client's log, which no manifest lists.
    fn client_log(&self) -> Result<Option<(ArchiveName, File)>> {
        let name = name(ArchiveName::CLIENT_LOG)?;
        let path = self.files.path(&name);
        match File::open(&path) {
            Ok(file) => Ok(Some((name, file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format!("open '{}'", path.display()))(error)),
        }
    }
}

fn name(text: &str) -> Result<ArchiveName> {
    Ok(text.parse()?)
}

fn read_blob(files: &KeptSnapshot, name: &ArchiveName) -> Result<Vec<u8>> {
    use io::Read;
    let mut blob = Vec::new();
    let tried = || format!("read '{}'", files.path(name).display());
    let mut file = files.open(name)?.take(CHUNK_ENCODED_MAX as u64 + 1);
    file.read_to_end(&mut blob).map_err(Error::io(tried()))?;
    Ok(blob)
}
