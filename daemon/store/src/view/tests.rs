use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use proptest::prelude::*;
use reel_types::Digest;

use super::*;
use crate::blob::DataBlob;
use crate::crypto::plain_digest;
use crate::index::{DynamicIndex, DynamicIndexWriter, FixedIndex, FixedIndexWriter};
use crate::source::{Chunk, ChunkError};
use crate::test_pool::{Threads, block_on};

const CHUNK: usize = 64 << 10;

/// Chunks in memory, with a log of what was asked.
#[derive(Default)]
struct Chunks {
    chunks: HashMap<Digest, DataBlob>,
    read: Mutex<Vec<Digest>>,
    ahead: Mutex<Vec<Vec<Digest>>>,
}

impl ChunkReader for Chunks {
    fn ahead(&self, digests: &[Digest]) {
        self.ahead.lock().unwrap().push(digests.to_vec());
    }

    fn chunk(&self, digest: Digest) -> BoxFuture<'static, Result<Chunk, ChunkError>> {
        self.read.lock().unwrap().push(digest);
        let missing = || ChunkError::new(libc::EIO, format!("chunk {digest} is missing"));
        let chunk = self.chunks.get(&digest).ok_or_else(missing).map(|blob| {
            let plain = (!blob.is_encrypted()).then(|| blob.decode(None, CHUNK * 2).unwrap());
            Chunk { blob: blob.clone(), plain }
        });
        ready(chunk).boxed()
    }
}

/// An image or stream in chunks, its index and the key, if any.
struct Content {
    chunks: Chunks,
    index: SharedIndex,
    crypt: Option<Arc<CryptConfig>>,
}

impl Content {
    fn image(data: &[u8], crypt: Option<Arc<CryptConfig>>) -> Self {
        let mut chunks = Chunks::default();
        let file = std::io::Cursor::new(Vec::new());
        let size = data.len() as u64;
        let mut index = FixedIndexWriter::create(file, size, CHUNK as u64, [0; 16], 1).unwrap();
        let mut end = 0;
        for piece in data.chunks(CHUNK) {
            end += piece.len() as u64;
            let digest = chunks.add(piece, crypt.as_deref());
            index.add(end, piece.len() as u64, &digest).unwrap();
        }
        let raw = index.finish(None).unwrap().1.into_inner();
        Self { chunks, index: Arc::new(FixedIndex::open(Bytes::from(raw)).unwrap()), crypt }
    }

    fn stream(pieces: &[&[u8]]) -> Self {
        let mut chunks = Chunks::default();
        let file = std::io::Cursor::new(Vec::new());
        let mut index = DynamicIndexWriter::create(file, [0; 16], 1).unwrap();
        for piece in pieces {
            let digest = chunks.add(piece, None);
            index.add(index.size(), piece.len() as u64, &digest).unwrap();
        }
        let raw = index.finish(None).unwrap().1.into_inner();
        let index = Arc::new(DynamicIndex::open(Bytes::from(raw)).unwrap());
        Self { chunks, index, crypt: None }
    }

    fn digest(&self, position: u64) -> Digest {
        self.index.entry(position).unwrap().digest
    }

    fn parts(self) -> (ViewParts, Arc<Chunks>) {
        let crypt_mode = if self.crypt.is_some() { CryptMode::Encrypt } else { CryptMode::None };
        let reader = Arc::new(self.chunks);
        let what = "file 'a.img.fidx' of snapshot 'vm/1/…'".to_owned();
        let (index, crypt) = (self.index, self.crypt);
        (ViewParts { what, index, crypt_mode, crypt, reader: reader.clone() }, reader)
    }

    fn view(self) -> (ImageView, Arc<Chunks>) {
        let (parts, chunks) = self.parts();
        (ImageView::open(parts, &context()).unwrap(), chunks)
    }
}

impl Chunks {
    fn add(&mut self, data: &[u8], crypt: Option<&CryptConfig>) -> Digest {
        let digest = crypt.map_or_else(|| plain_digest(data), |key| key.chunk_digest(data));
        self.chunks.insert(digest, DataBlob::encode(data, crypt, true).unwrap());
        digest
    }
}

fn context() -> ViewContext {
    ViewContext {
        memory: ChunkMemory::new(8 * CHUNK),
        blocking: Arc::new(Threads),
        ahead_chunks: 2,
    }
}

/// Data of `length` bytes without any chunk of zeros.
fn data(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 7 + i / CHUNK + 1) as u8).collect()
}

fn key() -> Option<Arc<CryptConfig>> {
    Some(Arc::new(CryptConfig::new([3; 32]).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_range_reads_like_the_data(
        offset in 0..4 * CHUNK as u64,
        length in 0..3 * CHUNK,
        encrypted: bool,
    ) {
        let data = data(3 * CHUNK + 100);
        let crypt = if encrypted { key() } else { None };
        let (view, _) = Content::image(&data, crypt).view();
        let start = (offset as usize).min(data.len());
        let end = (start + length).min(data.len());
        prop_assert_eq!(&block_on(view.read(offset, length)).unwrap()[..], &data[start..end]);
    }
}

#[test]
fn within_one_chunk_nothing_is_copied() {
    let (view, _) = Content::image(&data(2 * CHUNK), None).view();
    let (a, b) = (block_on(view.read(10, 20)).unwrap(), block_on(view.read(10, 20)).unwrap());
    assert_eq!(a.as_ptr(), b.as_ptr());
}

#[test]
fn going_forward_asks_ahead_and_jumping_takes_it_back() {
    let content = Content::image(&data(6 * CHUNK), None);
    let digests: Vec<_> = (0..6).map(|position| content.digest(position)).collect();
    let (view, chunks) = content.view();
    let mut expected: Vec<Vec<Digest>> = Vec::new();
    let mut read = |offset: usize, ahead: Option<&[Digest]>| {
        block_on(view.read(offset as u64, 10)).unwrap();
        expected.extend(ahead.map(<[_]>::to_vec));
        assert_eq!(*chunks.ahead.lock().unwrap(), expected, "after reading at {offset}");
    };
    read(0, Some(&digests[1..3]));
    read(10, None);
    read(CHUNK, Some(&digests[2..4]));
    read(10, None);
    read(5 * CHUNK, Some(&[]));
}

#[test]
fn holes_are_zeros_that_nobody_reads() {
    for crypt in [None, key()] {
        let mut content = data(CHUNK);
        content.resize(3 * CHUNK, 0);
        content.extend(data(CHUNK));
        content.resize(4 * CHUNK + 500, 0);
        let (view, chunks) = Content::image(&content, crypt).view();
        assert_eq!(&block_on(view.read(0, content.len())).unwrap()[..], content);
        assert_eq!(chunks.read.lock().unwrap().len(), 2);
        let seek = |offset: usize, whence| {
            view.seek_hole_data(offset as u64, whence).map(|found| found as usize)
        };
        assert_eq!(seek(5, Seek::Data).unwrap(), 5);
        assert_eq!(seek(5, Seek::Hole).unwrap(), CHUNK);
        assert_eq!(seek(CHUNK + 1, Seek::Hole).unwrap(), CHUNK + 1);
        assert_eq!(seek(CHUNK + 1, Seek::Data).unwrap(), 3 * CHUNK);
        assert_eq!(seek(3 * CHUNK, Seek::Hole).unwrap(), 4 * CHUNK);
        assert_eq!(seek(4 * CHUNK, Seek::Data).unwrap_err().errno(), libc::ENXIO);
        assert_eq!(seek(content.len(), Seek::Hole).unwrap_err().errno(), libc::ENXIO);
    }
}

#[test]
fn the_end_of_an_image_without_holes_is_one() {
    let (view, _) = Content::image(&data(CHUNK + 1), None).view();
    assert_eq!(view.seek_hole_data(0, Seek::Hole).unwrap(), view.size());
}

#[test]
fn a_damaged_chunk_fails_its_own_range_only() {
    let mut content = Content::image(&data(3 * CHUNK), None);
    let bad = content.digest(1);
    content.chunks.chunks.remove(&bad);
    let (view, _) = content.view();
    assert!(block_on(view.read(0, CHUNK)).is_ok());
    assert!(block_on(view.read(2 * CHUNK as u64, CHUNK)).is_ok());
    let error = block_on(view.read(CHUNK as u64 - 1, 2)).unwrap_err();
    assert_eq!(error.errno(), libc::EIO);
    let text = error.to_string();
    assert!(text.contains("a.img.fidx") && text.contains(&bad.to_string()), "{text}");
}

#[test]
fn a_chunk_of_another_length_is_corrupt() {
    let mut content = Content::image(&data(2 * CHUNK), None);
    let bad = content.digest(0);
    content.chunks.chunks.insert(bad, DataBlob::encode(b"short", None, false).unwrap());
    let (view, _) = content.view();
    let error = block_on(view.read(0, 1)).unwrap_err();
    assert!(matches!(error, ViewError::Content { .. }), "{error}");
    assert_eq!(error.errno(), libc::EIO);
}

#[test]
fn encryption_must_be_what_the_manifest_says() {
    let plain = data(CHUNK);
    let (mut parts, _) = Content::image(&plain, None).parts();
    (parts.crypt_mode, parts.crypt) = (CryptMode::Encrypt, key());
    let view = ImageView::open(parts, &context()).unwrap();
    assert!(matches!(block_on(view.read(0, 1)), Err(ViewError::Encryption { .. })));

    let (mut parts, _) = Content::image(&plain, key()).parts();
    parts.crypt_mode = CryptMode::None;
    let view = ImageView::open(parts, &context()).unwrap();
    assert!(matches!(block_on(view.read(0, 1)), Err(ViewError::Encryption { .. })));

    let (mut parts, _) = Content::image(&plain, key()).parts();
    parts.crypt = None;
    let error = ImageView::open(parts, &context()).err().unwrap();
    assert_eq!(error.errno(), libc::ENOKEY);
}

#[test]
fn a_foreign_key_gives_no_data() {
    let (mut parts, _) = Content::image(&data(CHUNK), key()).parts();
    parts.crypt = Some(Arc::new(CryptConfig::new([4; 32]).unwrap()));
    let view = ImageView::open(parts, &context()).unwrap();
    assert_eq!(block_on(view.read(0, 1)).unwrap_err().errno(), libc::EIO);
}

#[test]
fn decryption_that_never_runs_ends_the_read() {
    struct Dropped;
    impl Blocking for Dropped {
        fn run(&self, work: Box<dyn FnOnce() + Send>) {
            drop(work);
        }
    }
    let (parts, _) = Content::image(&data(CHUNK), key()).parts();
    let context = ViewContext { blocking: Arc::new(Dropped), ..context() };
    let view = ImageView::open(parts, &context).unwrap();
    assert_eq!(block_on(view.read(0, 1)).unwrap_err().errno(), libc::EINTR);
}

#[test]
fn streams_read_over_chunks_of_any_length() {
    let (parts, _) = Content::stream(&[b"a", b"bcd"]).parts();
    let view = StreamView::open(parts, &context()).unwrap();
    assert_eq!(view.size(), 4);
    assert_eq!(&block_on(view.read(0, 100)).unwrap()[..], b"abcd");
    assert_eq!(&block_on(view.read(2, 1)).unwrap()[..], b"c");
    assert!(block_on(view.read(4, 1)).unwrap().is_empty());
    assert_eq!(view.seek_hole_data(1, Seek::Data).unwrap(), 1);
    assert_eq!(view.seek_hole_data(1, Seek::Hole).unwrap(), 4);
    assert!(view.seek_hole_data(4, Seek::Data).is_err());
}

#[test]
fn blobs_read_by_range() {
    let blob = DataBlob::encode(b"hello", None, false).unwrap();
    let view = BlobView::open(&blob, None).unwrap();
    assert_eq!(view.size(), 5);
    assert_eq!(&view.read(1, 3)[..], b"ell");
    assert_eq!(&view.read(4, 9)[..], b"o");
    assert!(view.read(u64::MAX, 1).is_empty());
    let sealed = DataBlob::encode(b"hello", key().as_deref(), false).unwrap();
    assert_eq!(BlobView::open(&sealed, None).unwrap_err().errno(), libc::ENOKEY);
}
