//! Libraries and cartridges to test with.

use std::collections::BTreeMap;

use reel_emu::cartridge::store::MemoryStore;
use reel_emu::{
    Cartridge, CartridgeFacts, CartridgeKind, Device, DriveModel, EmulatedLibrary, Generation,
    LibraryShape, Maker,
};
use reel_hw::Cancel;
use reel_hw::lto::{LtoDrive, LtoOptions};

/// A drive of a maker and a generation.
pub(crate) fn model(maker: Maker, generation: Generation) -> DriveModel {
    DriveModel { maker, generation, full_height: true, serial: "DRIVE0001".into() }
}

/// A library of one drive, four slots and one more to import and export.
pub(crate) fn library(model: DriveModel) -> EmulatedLibrary {
    EmulatedLibrary::new(&LibraryShape {
        serial: "ROBOT0001".into(),
        drives: vec![model],
        storage_slots: 4,
        import_export_slots: 1,
        ejects: true,
    })
}

/// A blank cartridge of a drive's own generation.
pub(crate) fn cartridge(barcode: &str, generation: Generation, capacity: u64) -> Cartridge {
    Cartridge::new(facts(barcode, generation, capacity), Box::new(MemoryStore::default()))
}

/// What a blank cartridge is.
pub(crate) fn facts(barcode: &str, generation: Generation, capacity: u64) -> CartridgeFacts {
    CartridgeFacts {
        barcode: Some(barcode.into()),
        kind: CartridgeKind::Data,
        density: generation.density(),
        capacity,
        write_protected: false,
        initialized: true,
        seed: 1,
        loads: 0,
        bytes_written: 0,
        bytes_read: 0,
        attributes: BTreeMap::new(),
    }
}

/// Opens drive 0.
pub(crate) fn open(library: &EmulatedLibrary) -> LtoDrive {
    let transport = Box::new(library.transport(Device::Drive(0)));
    LtoDrive::open(transport, LtoOptions::default(), &Cancel::new()).unwrap()
}
