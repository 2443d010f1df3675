//! Facts: small text made once when it is opened and kept for that handle, so that a reader by
//! pieces sees one moment.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::attributes::Attributes;
use crate::error::FsError;
use crate::guard::locked;
use crate::spawn::Preparation;

/// A file whose text is computed.
pub trait Fact: Send + Sync + 'static {
    /// The text, as of now. It may read files, but must not wait for people or devices, unless it is
    /// [`slow`](Self::slow).
    fn render(&self) -> Result<Vec<u8>, FsError>;

    /// What is awaited before it is rendered at open; nothing where all is at hand.
    fn prepare(&self) -> Option<Preparation> {
        None
    }

    /// Owner, permissions and when the fact last changed.
    fn attributes(&self) -> Attributes {
        Attributes::FILE
    }

    /// Whether rendering costs so little that every `stat` may do it to tell the true size.
    /// Else the size is shown as 0, as `/proc` does.
    fn cheap(&self) -> bool {
        false
    }

    /// Whether rendering may wait for a device: then it is done off the thread that opens.
    fn slow(&self) -> bool {
        false
    }

    /// Whether a read at offset 0 renders anew (`progress`).
    fn live(&self) -> bool {
        false
    }
}

/// An open fact: one moment of it, or for a live fact the moment of its last read at offset 0.
pub(crate) struct FactHandle {
    fact: Arc<dyn Fact>,
    text: Mutex<Bytes>,
}

impl FactHandle {
    pub(crate) fn open(fact: Arc<dyn Fact>) -> Result<Self, FsError> {
        let text = Mutex::new(Bytes::from(fact.render()?));
        Ok(Self { fact, text })
    }

    pub(crate) fn read(&self, offset: u64, size: u32) -> Result<Bytes, FsError> {
        if offset == 0 && self.fact.live() {
            let fresh = Bytes::from(self.fact.render()?);
            *locked(&self.text) = fresh;
        }
        Ok(slice(&locked(&self.text), offset, size))
    }

    pub(crate) fn size(&self) -> u64 {
        locked(&self.text).len() as u64
    }
}

/// The part of `text` that a read asks for, empty at and behind its end. Copies nothing.
pub(crate) fn slice(text: &Bytes, offset: u64, size: u32) -> Bytes {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    let end = start.saturating_add(size as usize).min(text.len());
    text.slice(start..end)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Counter {
        rendered: AtomicU32,
        live: bool,
    }

    impl Fact for Counter {
        fn render(&self) -> Result<Vec<u8>, FsError> {
            let count = self.rendered.fetch_add(1, Ordering::SeqCst);
            Ok(format!("{count}\n").into_bytes())
        }

        fn live(&self) -> bool {
            self.live
        }
    }

    fn open_counter(live: bool) -> FactHandle {
        let counter = Counter { rendered: AtomicU32::new(0), live };
        FactHandle::open(Arc::new(counter)).unwrap()
    }

    #[test]
    fn a_fact_is_made_once_for_a_handle() {
        let handle = open_counter(false);
        assert_eq!(handle.read(0, 100).unwrap(), "0\n");
        assert_eq!(handle.read(0, 100).unwrap(), "0\n");
        assert_eq!(handle.read(1, 100).unwrap(), "\n");
        assert_eq!(handle.read(2, 100).unwrap(), "");
    }

    #[test]
    fn a_live_fact_is_made_anew_at_offset_0() {
        let handle = open_counter(true);
        assert_eq!(handle.read(0, 100).unwrap(), "1\n");
        assert_eq!(handle.read(1, 100).unwrap(), "\n");
        assert_eq!(handle.read(0, 100).unwrap(), "2\n");
    }

    #[test]
    fn slices_never_leave_the_text() {
        let text = Bytes::from_static(b"abcdef");
        assert_eq!(slice(&text, 2, 3), "cde");
        assert_eq!(slice(&text, 4, 100), "ef");
        assert_eq!(slice(&text, 6, 1), "");
        assert_eq!(slice(&text, u64::MAX, u32::MAX), "");
    }
}
