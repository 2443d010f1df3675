//! A library whose medium costs nothing.

use reel_emu::cartridge::store::NullStore;
use reel_emu::{
    Cartridge, CartridgeFacts, EmulatedLibrary, Generation, LibraryShape, Maker, Timing,
};

/// Bytes of a block, as PBS writes them.
pub(crate) const BLOCK: usize = 256 << 10;

/// Room of an LTO-9 medium, bytes.
const CAPACITY: u64 = 18_000_000_000_000;

/// An LTO-9 drive with a blank medium that keeps nothing, in a library of so many slots.
pub(crate) fn library(slots: usize, timing: &Timing) -> EmulatedLibrary {
    let shape = LibraryShape {
        storage_slots: slots,
        ..LibraryShape::unique(1, Maker::Ibm, Generation::Lto9)
    };
    let library = EmulatedLibrary::with_timing(&shape, timing);
    library.insert(0, medium("BENCH1L9"));
    library.wait_until_idle(0);
    library
}

/// A blank medium that keeps nothing.
pub(crate) fn medium(barcode: &str) -> Cartridge {
    let facts = CartridgeFacts::blank(barcode, Generation::Lto9.density(), CAPACITY);
    Cartridge::new(facts, Box::new(NullStore::default()))
}
