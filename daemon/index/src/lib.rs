//! Sorted, mmapped runs from chunk digest to place.
//!
//! reelfs keeps, beside PBS's catalogs, a record of where on a medium each chunk starts, so that a
//! reader goes to the chunk and not to the head of a 4 GiB archive. A media set holds up to some
//! 100 million chunks, which is far more than fits in memory, and a look-up must cost a page or two.
//!
//! So records live in *runs*: files that are written once, sorted by key, and then only read. A
//! [`Run`] maps its file; [`Run::get`] goes through a small fanout table to a guess that is a few
//! records off, so that a look-up touches one or two pages whatever the size. [`RunWriter`] takes
//! records in any order within bounded memory; [`merge`] makes one run of many. [`RunFolder`] is an
//! index that grows by runs; [`DigestSet`] is a set of whole digests on the same runs, for "is this chunk
//! on the media set already".
//!
//! **Keys** are the first 16 bytes of a digest. Among 10⁸ SHA-256 digests two share those with a
//! probability of about 10⁻²³, and [`Run::get`] returns the values of all records with that key, so
//! callers compare the whole digest with the one in the chunk's header on the medium. A
//! [`DigestSet`] never has that doubt: it keeps all 32 bytes, because a wrong "already there" would
//! leave a chunk out of a backup.
//!
//! **Values** are `N` bytes; what they mean is the caller's matter.
//!
//! A run is local and can be made anew, so its file is simply refused when it is torn or foreign
//! ([`Error::Format`]). The file appears whole or not at all (temporary file, fsync, rename).

mod digest_set;
mod error;
mod folder;
mod format;
#[doc(hidden)]
pub mod fuzz;
mod mapping;
mod merge;
mod record;
mod run;
#[cfg(test)]
mod tests;
mod tiers;
mod writer;

pub use digest_set::DigestSet;
pub use error::{Error, FormatError};
pub use folder::RunFolder;
pub use record::{DigestBytes, Key, Record};
pub use run::{Run, merge};
pub use writer::{RunWriter, remove_leftovers};
