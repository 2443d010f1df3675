//! Where the bytes of a tape are kept: in a folder, in memory, or nowhere.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::objects::{Block, Object, Objects};

/// Bytes of an object in the index file.
const RECORD_BYTES: usize = 8;

/// Keeps blocks and filemarks.
pub trait TapeStore: Send {
    /// Everything that is kept.
    fn objects(&self) -> &Objects;

    /// Appends a block, whose stored bytes these are.
    fn push_block(&mut self, block: Block, stored: &[u8]) -> io::Result<()>;

    /// Appends a filemark.
    fn push_filemark(&mut self) -> io::Result<()>;

    /// Fills `stored` with bytes from `offset` on.
    fn read(&self, offset: u64, stored: &mut [u8]) -> io::Result<()>;

    /// Forgets an object and all behind it.
    fn cut(&mut self, number: u64) -> io::Result<()>;
}

/// In memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Objects,
    bytes: Vec<u8>,
}

impl TapeStore for MemoryStore {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn push_block(&mut self, block: Block, stored: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(stored);
        self.objects.push(Object::Block(block));
        Ok(())
    }

    fn push_filemark(&mut self) -> io::Result<()> {
        self.objects.push(Object::Filemark);
        Ok(())
    }

    fn read(&self, offset: u64, stored: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = self.bytes.get(start..).and_then(|rest| rest.get(..stored.len()));
        stored.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn cut(&mut self, number: u64) -> io::Result<()> {
        self.bytes.truncate(self.objects.bytes_before(number) as usize);
        self.objects.cut(number);
        Ok(())
    }
}

/// Nowhere: blocks read as zeros. For measuring what everything else costs.
#[derive(Debug, Default)]
pub struct NullStore {
    objects: Objects,
}

impl TapeStore for NullStore {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn push_block(&mut self, block: Block, _stored: &[u8]) -> io::Result<()> {
        self.objects.push(Object::Block(block));
        Ok(())
    }

    fn push_filemark(&mut self) -> io::Result<()> {
        self.objects.push(Object::Filemark);
        Ok(())
    }

    fn read(&self, _offset: u64, stored: &mut [u8]) -> io::Result<()> {
        stored.fill(0);
        Ok(())
    }

    fn cut(&mut self, number: u64) -> io::Result<()> {
        self.objects.cut(number);
        Ok(())
    }
}

/// In two files: `data` has the stored bytes of all blocks, `index` a record for each object. A record is written
/// behind its bytes, so whatever was recorded when the program dies is whole.
#[derive(Debug)]
pub struct FolderStore {
    objects: Objects,
    data: File,
    index: File,
}

impl FolderStore {
    /// Opens, or makes, the files of a tape.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let open = |name: &str| {
            let path = folder.join(name);
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
        };
        let (data, index) = (open("data")?, open("index")?);
        let objects = read_index(&index, data.metadata()?.len())?;
        let mut store = Self { objects, data, index };
        let count = store.objects.count();
        store.cut(count)?;
        Ok(store)
    }

    fn push(&mut self, object: Object) -> io::Result<()> {
        self.index.write_all_at(&record(object), self.objects.count() * RECORD_BYTES as u64)?;
        self.objects.push(object);
        Ok(())
    }
}

impl TapeStore for FolderStore {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn push_block(&mut self, block: Block, stored: &[u8]) -> io::Result<()> {
        let offset = self.objects.bytes_before(self.objects.count());
        self.data.write_all_at(stored, offset)?;
        self.push(Object::Block(block))
    }

    fn push_filemark(&mut self) -> io::Result<()> {
        self.push(Object::Filemark)
    }

    fn read(&self, offset: u64, stored: &mut [u8]) -> io::Result<()> {
        self.data.read_exact_at(stored, offset)
    }

    fn cut(&mut self, number: u64) -> io::Result<()> {
        self.index.set_len(number * RECORD_BYTES as u64)?;
        self.data.set_len(self.objects.bytes_before(number))?;
        self.objects.cut(number);
        Ok(())
    }
}

/// `kind, flags, 2 bytes reserved, length u32`, big-endian.
fn record(object: Object) -> [u8; RECORD_BYTES] {
    match object {
        Object::Filemark => [b'F', 0, 0, 0, 0, 0, 0, 0],
        Object::Block(Block { length, encrypted }) => {
            let [a, b, c, d] = length.to_be_bytes();
            [b'B', u8::from(encrypted), 0, 0, a, b, c, d]
        }
    }
}

/// Reads records up to the first that is none or whose bytes are not all there.
fn read_index(index: &File, data_bytes: u64) -> io::Result<Objects> {
    let mut bytes = vec![0; index.metadata()?.len() as usize];
    index.read_exact_at(&mut bytes, 0)?;
    let mut objects = Objects::default();
    for record in bytes.as_chunks::<RECORD_BYTES>().0 {
        let Some(object) = object(record) else { break };
        let before = objects.count();
        objects.push(object);
        if objects.bytes_before(objects.count()) > data_bytes {
            objects.cut(before);
            break;
        }
    }
    Ok(objects)
}

fn object(record: &[u8; RECORD_BYTES]) -> Option<Object> {
    let [kind, flags, _, _, length @ ..] = record;
    match kind {
        b'F' => Some(Object::Filemark),
        b'B' => {
            let length = u32::from_be_bytes(*length);
            Some(Object::Block(Block { length, encrypted: flags & 1 != 0 }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(length: u32) -> Block {
        Block { length, encrypted: false }
    }

    #[test]
    fn a_folder_gives_back_what_was_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = FolderStore::open(folder.path()).unwrap();
        store.push_block(block(3), b"abc").unwrap();
        store.push_filemark().unwrap();
        store.push_block(block(2), b"de").unwrap();
        let objects = store.objects().clone();
        drop(store);
        let mut store = FolderStore::open(folder.path()).unwrap();
        assert_eq!(*store.objects(), objects);
        let mut bytes = [0; 2];
        store.read(3, &mut bytes).unwrap();
        assert_eq!(&bytes, b"de");
        store.cut(1).unwrap();
        store.push_block(block(1), b"f").unwrap();
        let store = FolderStore::open(folder.path()).unwrap();
        assert_eq!(store.objects().count(), 2);
        let mut bytes = [0; 4];
        store.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"abcf");
    }

    #[test]
    fn a_record_without_its_bytes_and_half_a_record_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = FolderStore::open(folder.path()).unwrap();
        store.push_block(block(3), b"abc").unwrap();
        store.push_block(block(4), b"defg").unwrap();
        store.data.set_len(5).unwrap();
        assert_eq!(FolderStore::open(folder.path()).unwrap().objects().count(), 1);
        let store = FolderStore::open(folder.path()).unwrap();
        store.index.write_all_at(b"B\0\0", RECORD_BYTES as u64).unwrap();
        assert_eq!(FolderStore::open(folder.path()).unwrap().objects().count(), 1);
    }
}
