//! Where the bytes of a tape are kept: in a folder, in memory, or nowhere.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::objects::{Block, Object, Objects};
use crate::folder::{FolderError, io_error};

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

    /// Has everything outlive a power cut, where that can be.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
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

/// Of a cartridge that lies in a slot: nothing can be told of its tape, nor done with it.
#[derive(Debug, Default)]
pub(super) struct ClosedStore {
    objects: Objects,
}

impl ClosedStore {
    fn closed() -> io::Error {
        io::Error::other("the tape is not in a drive")
    }
}

impl TapeStore for ClosedStore {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn push_block(&mut self, _block: Block, _stored: &[u8]) -> io::Result<()> {
        Err(Self::closed())
    }

    fn push_filemark(&mut self) -> io::Result<()> {
        Err(Self::closed())
    }

    fn read(&self, _offset: u64, _stored: &mut [u8]) -> io::Result<()> {
        Err(Self::closed())
    }

    fn cut(&mut self, _number: u64) -> io::Result<()> {
        Err(Self::closed())
    }
}

/// In two files: `data` has the stored bytes of all blocks, `index` a record for each object. A record is written
/// behind its bytes, so whatever was recorded when the program dies is whole; after a power cut all is that was
/// there at the last [`TapeStore::sync`], but for what was overwritten since.
#[derive(Debug)]
pub struct FolderStore {
    objects: Objects,
    data: File,
    index: File,
    /// Behind the objects lies what a program that died has left. It goes with the first change: who only reads
    /// destroys nothing.
    has_tail: bool,
}

const DATA: &str = "data";
const INDEX: &str = "index";

impl FolderStore {
    /// Makes the files of a blank tape, where they are not there.
    pub(crate) fn create(folder: &Path) -> Result<(), FolderError> {
        for path in [folder.join(DATA), folder.join(INDEX)] {
            let made = File::options().write(true).create(true).truncate(false).open(&path);
            made.map_err(io_error("create", &path))?;
        }
        Ok(())
    }

    /// Whether a folder holds nothing that was recorded.
    pub(crate) fn is_blank(folder: &Path) -> bool {
        let is_empty = |name| match fs::metadata(folder.join(name)) {
            Ok(metadata) => metadata.len() == 0,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        is_empty(DATA) && is_empty(INDEX)
    }

    /// Opens the files of a tape.
    ///
    /// # Errors
    /// One of them is not there or cannot be read; the index is damaged.
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let open = |path: &Path| {
            let file = File::options().read(true).write(true).open(path);
            file.map_err(io_error("open", path))
        };
        let (data_path, index_path) = (folder.join(DATA), folder.join(INDEX));
        let (data, index) = (open(&data_path)?, open(&index_path)?);
        let data_bytes = data.metadata().map_err(io_error("look at", &data_path))?.len();
        let records = read_whole(&index).map_err(io_error("read", &index_path))?;
        let objects = objects(&records, data_bytes)
            .map_err(|reason| FolderError::Damaged { path: index_path, reason })?;
        let whole = (index_bytes(&objects), objects.bytes_before(objects.count()));
        let has_tail = whole != (records.len() as u64, data_bytes);
        Ok(Self { objects, data, index, has_tail })
    }

    /// Cuts off what a program that died has left.
    fn cut_tail(&mut self) -> io::Result<()> {
        if self.has_tail {
            self.cut(self.objects.count())?;
        }
        Ok(())
    }

    fn push(&mut self, object: Object) -> io::Result<()> {
        self.index.write_all_at(&record(object), index_bytes(&self.objects))?;
        self.objects.push(object);
        Ok(())
    }
}

impl TapeStore for FolderStore {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn push_block(&mut self, block: Block, stored: &[u8]) -> io::Result<()> {
        self.cut_tail()?;
        let offset = self.objects.bytes_before(self.objects.count());
        self.data.write_all_at(stored, offset)?;
        self.push(Object::Block(block))
    }

    fn push_filemark(&mut self) -> io::Result<()> {
        self.cut_tail()?;
        self.push(Object::Filemark)
    }

    fn read(&self, offset: u64, stored: &mut [u8]) -> io::Result<()> {
        self.data.read_exact_at(stored, offset)
    }

    /// The index first, and for good: no record that outlives a power cut may stand for bytes that come later. What
    /// fails behind that leaves a tail.
    fn cut(&mut self, number: u64) -> io::Result<()> {
        self.index.set_len(number * RECORD_BYTES as u64)?;
        self.objects.cut(number);
        self.has_tail = true;
        self.index.sync_data()?;
        self.data.set_len(self.objects.bytes_before(number))?;
        self.has_tail = false;
        Ok(())
    }

    /// The data first: a record that outlives a power cut has its bytes.
    fn sync(&mut self) -> io::Result<()> {
        self.data.sync_data()?;
        self.index.sync_data()
    }
}

/// Where the record behind all objects begins.
fn index_bytes(objects: &Objects) -> u64 {
    objects.count() * RECORD_BYTES as u64
}

fn read_whole(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
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

/// The objects of all records up to the first whose bytes are not there, or that is not there itself: after a power
/// cut a file may be as long as it was to be and end in zeros.
///
/// # Errors
/// What is wrong with a record that no program that died leaves so.
fn objects(records: &[u8], data_bytes: u64) -> Result<Objects, String> {
    let mut objects = Objects::default();
    let (whole, rest) = records.as_chunks::<RECORD_BYTES>();
    for (number, record) in whole.iter().enumerate() {
        let Some(object) = object(record) else {
            let behind = whole[number..].as_flattened().iter().chain(rest);
            if behind.copied().all(|byte| byte == 0) {
                break;
            }
            return Err(format!("record {number} is of unknown kind {:#04x}", record[0]));
        };
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

    fn blank() -> (tempfile::TempDir, FolderStore) {
        let folder = tempfile::tempdir().unwrap();
        FolderStore::create(folder.path()).unwrap();
        let store = FolderStore::open(folder.path()).unwrap();
        (folder, store)
    }

    fn count(folder: &Path) -> u64 {
        FolderStore::open(folder).unwrap().objects().count()
    }

    #[test]
    fn a_folder_gives_back_what_was_recorded() {
        let (folder, mut store) = blank();
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
    fn what_a_program_that_died_has_left_does_not_count_and_goes_with_the_first_change() {
        let tails: [(u64, &[u8]); 4] =
            [(5, b""), (3, b"B\0\0"), (7, &[0; 11]), (3, &[b'B', 0, 0, 0, 0, 0, 0, 9])];
        for (data_bytes, tail) in tails {
            let (folder, mut store) = blank();
            store.push_block(block(3), b"abc").unwrap();
            if data_bytes == 5 {
                store.push_block(block(4), b"defg").unwrap();
            }
            store.data.set_len(data_bytes).unwrap();
            let end = store.index.metadata().unwrap().len();
            store.index.write_all_at(tail, end).unwrap();
            let index = fs::read(folder.path().join(INDEX)).unwrap();
            let mut store = FolderStore::open(folder.path()).unwrap();
            assert_eq!(store.objects().count(), 1, "{tail:?}");
            assert_eq!(fs::read(folder.path().join(INDEX)).unwrap(), index, "opening cuts nothing");
            store.push_filemark().unwrap();
            assert_eq!(count(folder.path()), 2, "{tail:?}");
            let bytes =
                [DATA, INDEX].map(|name| fs::metadata(folder.path().join(name)).unwrap().len());
            assert_eq!(bytes, [3, 16], "{tail:?}");
        }
    }

    #[test]
    fn what_could_not_be_cut_off_goes_with_the_next_change() {
        let (folder, mut store) = blank();
        for content in [b"abc", b"def", b"ghi"] {
            store.push_block(block(3), content).unwrap();
        }
        // Its length can't be changed.
        let read_only = File::open(folder.path().join(DATA)).unwrap();
        let data = std::mem::replace(&mut store.data, read_only);
        store.cut(1).unwrap_err();
        assert_eq!(store.objects().count(), 1, "as the index has it");
        assert_eq!(count(folder.path()), 1);
        store.push_block(block(2), b"xy").unwrap_err();
        store.data = data;
        store.push_block(block(2), b"xy").unwrap();
        assert_eq!(fs::read(folder.path().join(DATA)).unwrap(), b"abcxy");
        assert_eq!(count(folder.path()), 2);
    }

    #[test]
    fn opening_neither_makes_nor_cuts_what_should_be_there() {
        let (folder, mut store) = blank();
        for content in [b"abc", b"def", b"ghi"] {
            store.push_block(block(3), content).unwrap();
        }
        store.index.write_all_at(b"X", RECORD_BYTES as u64).unwrap();
        let text = FolderStore::open(folder.path()).unwrap_err().to_string();
        assert!(text.contains("index is damaged: record 1 is of unknown kind 0x58"), "{text}");
        store.index.write_all_at(b"B", RECORD_BYTES as u64).unwrap();
        assert_eq!(count(folder.path()), 3);
        fs::remove_file(folder.path().join(INDEX)).unwrap();
        assert!(FolderStore::open(folder.path()).is_err());
        assert_eq!(fs::read(folder.path().join(DATA)).unwrap(), b"abcdefghi");
    }

    #[test]
    fn only_a_folder_without_records_is_blank() {
        let (folder, mut store) = blank();
        assert!(FolderStore::is_blank(folder.path()));
        assert!(FolderStore::is_blank(&folder.path().join("none")));
        store.push_filemark().unwrap();
        assert!(!FolderStore::is_blank(folder.path()));
    }
}
