//! The block stream: how bytes become a file on a medium, and come back (spec tape-format.md §§3, 4).
//!
//! A file is a run of 256 KiB blocks and one filemark. Each block carries a 16 byte header (magic, flags, used
//! size, sequence number) and up to 262128 bytes of payload; the last one says that it is the last, and whether
//! what was being written is complete. The payload begins with a content header that says what the file is.
//!
//! | part | is |
//! | --- | --- |
//! | [`block`] | one block header, to and from bytes |
//! | [`header`] | the content header, to and from bytes |
//! | [`writer`] | [`BlockWriter`]: bytes in, blocks out, early warning after every block |
//! | [`reader`] | [`BlockReader`]: blocks in, bytes out, strict, from the start of a file or from its middle |

pub mod block;
pub mod header;
pub mod reader;
pub mod writer;

pub use block::{
    BlockError, BlockHeader, TAPE_BLOCK_HEADER_SIZE, TAPE_BLOCK_MAGIC, TAPE_BLOCK_PAYLOAD_SIZE,
    TAPE_BLOCK_SIZE, content_offset,
};
pub use header::{CONTENT_HEADER_SIZE, ContentHeader, ContentHeaderError, ContentMagic};
pub use reader::{BlockReader, OpenedFile};
pub use writer::{BlockWriter, WrittenFile};

/// An all-zero block on the heap.
pub(crate) fn new_block() -> Box<[u8]> {
    vec![0; TAPE_BLOCK_SIZE].into_boxed_slice()
}
