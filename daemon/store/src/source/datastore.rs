//! Chunks out of a datastore.

use std::sync::Arc;

use super::shared::{Landing, Origin, SharedSource};
use super::{Blocking, Chunk, ChunkReader, ChunkSource};
use crate::chunk_store::ChunkStore;

/// A [`ChunkSource`] on a chunk store.
pub struct DatastoreSource(SharedSource<Chunks>);

struct Chunks {
    chunks: Arc<ChunkStore>,
    blocking: Arc<dyn Blocking>,
}

impl DatastoreSource {
    /// A source that keeps at most `memory_bytes` of chunks.
    pub fn new(chunks: Arc<ChunkStore>, blocking: Arc<dyn Blocking>, memory_bytes: usize) -> Self {
        Self(SharedSource::new(Arc::new(Chunks { chunks, blocking }), memory_bytes))
    }
}

impl ChunkSource for DatastoreSource {
    fn reader(&self) -> Arc<dyn ChunkReader> {
        self.0.reader()
    }
}

impl Origin for Chunks {
    fn begin(self: Arc<Self>, landing: Landing) {
        let blocking = Arc::clone(&self.blocking);
        blocking.run(Box::new(move || {
            let Some(landing) = landing.if_wanted() else { return };
            let read = self.chunks.read_verified(landing.digest(), None);
            landing.land(read.map(|(blob, plain)| Chunk { blob, plain }).map_err(Into::into));
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use reel_types::Digest;

    use super::*;
    use crate::crypto::plain_digest;
    use crate::test_pool::block_on;

    type Work = Box<dyn FnOnce() + Send>;

    /// Keeps work until the test runs it.
    struct Held(Sender<Work>);

    impl Blocking for Held {
        fn run(&self, work: Work) {
            self.0.send(work).unwrap();
        }
    }

    struct Setup {
        _dir: tempfile::TempDir,
        digest: Digest,
        work: Receiver<Work>,
        source: DatastoreSource,
    }

    fn setup(memory_bytes: usize) -> Setup {
        let (dir, chunks) = crate::chunk_store::testing_store();
        let digest = plain_digest(b"x");
        let blob = crate::blob::DataBlob::encode(b"x", None, false).unwrap();
        chunks.insert(&blob, &digest).unwrap();
        let (sender, work) = channel();
        let source = DatastoreSource::new(Arc::new(chunks), Arc::new(Held(sender)), memory_bytes);
        Setup { _dir: dir, digest, work, source }
    }

    #[test]
    fn two_readers_share_one_read() {
        let Setup { digest, work, source, .. } = &setup(0);
        let (first, second) = (source.reader().chunk(*digest), source.reader().chunk(*digest));
        work.recv().unwrap()();
        assert!(work.try_recv().is_err());
        for wanted in [first, second] {
            assert_eq!(&block_on(wanted).unwrap().plain.unwrap()[..], b"x");
        }
    }

    #[test]
    fn what_nobody_wants_any_more_is_not_read() {
        let Setup { digest, work, source, .. } = &setup(64 << 20);
        drop(source.reader().chunk(*digest));
        work.recv().unwrap()();
        let reader = source.reader();
        let wanted = reader.chunk(*digest);
        work.try_recv().expect("the first read must have been given up")();
        assert!(block_on(wanted).is_ok());
    }

    #[test]
    fn reading_ahead_lands_in_the_memory() {
        let Setup { digest, work, source, .. } = &setup(64 << 20);
        let reader = source.reader();
        reader.ahead(&[*digest]);
        work.recv().unwrap()();
        assert!(block_on(reader.chunk(*digest)).is_ok());
        assert!(work.try_recv().is_err());
    }

    #[test]
    fn a_dropped_reader_wants_nothing_ahead() {
        let Setup { digest, work, source, .. } = &setup(64 << 20);
        source.reader().ahead(&[*digest]);
        work.recv().unwrap()();
        assert!(!source.0.remembers(digest));
    }

    #[test]
    fn work_that_never_runs_is_an_error_for_the_waiters() {
        let Setup { digest, work, source, .. } = &setup(0);
        let wanted = source.reader().chunk(*digest);
        drop(work.recv().unwrap());
        assert_eq!(block_on(wanted).unwrap_err().errno(), libc::EINTR);
    }

    #[test]
    fn a_missing_chunk_is_an_input_output_error() {
        let Setup { work, source, .. } = &setup(0);
        let missing = plain_digest(b"missing");
        let wanted = source.reader().chunk(missing);
        work.recv().unwrap()();
        let error = block_on(wanted).unwrap_err();
        assert_eq!(error.errno(), libc::EIO);
        assert!(error.to_string().contains(&missing.to_string()), "{error}");
    }
}
