//! `reel-vtl create`: makes a library in a folder, with its media.

use std::hash::{BuildHasher, RandomState};

use reel_emu::{
    CartridgeFacts, CartridgeKind, DriveModel, EmulatedLibrary, Generation, LibraryShape,
};

use crate::args::Create;
use crate::error::{Error, Result};

/// Uses of a new cleaning cartridge.
const CLEANING_USES: u32 = 50;

/// Makes a library.
pub(crate) fn create(wanted: &Create) -> Result<()> {
    let (media, slots) = (wanted.media.len(), wanted.slots);
    if media > usize::from(slots) {
        return Err(Error::TooManyMedia { media, slots });
    }
    // No two libraries on one machine may have the same serial numbers.
    EmulatedLibrary::create(&wanted.folder, &shape(wanted, RandomState::new().hash_one(0)))?;
    let library = EmulatedLibrary::open(&wanted.folder)?;
    for (number, barcode) in wanted.media.iter().enumerate() {
        library.add_cartridge(facts(wanted, barcode, number as u64))?;
    }
    Ok(())
}

fn shape(wanted: &Create, random: u64) -> LibraryShape {
    let serial = format!("{:06X}", random & 0xFF_FFFF);
    let drive = |number| DriveModel {
        maker: wanted.maker.into(),
        generation: wanted.generation.0,
        full_height: true,
        serial: format!("{serial}D{number:02}"),
    };
    LibraryShape {
        drives: (0..wanted.drives).map(drive).collect(),
        storage_slots: wanted.slots.into(),
        import_export_slots: wanted.import_export.into(),
        ejects: true,
        serial: format!("{serial}LIB"),
    }
}

fn facts(wanted: &Create, barcode: &str, seed: u64) -> CartridgeFacts {
    let kind = match barcode {
        cleaning if cleaning.starts_with("CLN") => CartridgeKind::Cleaning { uses: CLEANING_USES },
        worm if worm_generation(worm).is_some() => CartridgeKind::Worm,
        _ => CartridgeKind::Data,
    };
    let density = generation(barcode).unwrap_or(wanted.generation.0).density();
    let blank = CartridgeFacts::blank(barcode, density, wanted.capacity.0);
    CartridgeFacts { kind, initialized: true, seed, ..blank }
}

/// The generation that a bar code ends with: `L8`, or `LY` for media that are written once.
fn generation(barcode: &str) -> Option<Generation> {
    let index = ["L5", "L6", "L7", "L8", "L9"].iter().position(|end| barcode.ends_with(end));
    Some(GENERATIONS[index.or_else(|| worm_generation(barcode))?])
}

const GENERATIONS: [Generation; 5] =
    [Generation::Lto5, Generation::Lto6, Generation::Lto7, Generation::Lto8, Generation::Lto9];

fn worm_generation(barcode: &str) -> Option<usize> {
    ["LV", "LW", "LX", "LY", "LZ"].iter().position(|end| barcode.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    use crate::args::{Args, Task};

    fn wanted(words: &str) -> Create {
        match Args::try_parse_from(words.split(' ')).unwrap().task {
            Task::Create(create) => create,
            Task::Serve(_) => panic!("{words}"),
        }
    }

    #[test]
    fn a_library_is_made_as_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let words = format!(
            "reel-vtl create {} --drives 2 --slots 4 --import-export 1 --media A00001L8,B00001LY,CLN001CU --capacity 64M",
            folder.path().display()
        );
        let wanted = wanted(&words);
        create(&wanted).unwrap();
        let devices =
            crate::inventory::devices(&EmulatedLibrary::open(folder.path()).unwrap()).unwrap();
        let ends: Vec<_> = devices.iter().map(|named| named.serial[6..].to_owned()).collect();
        assert_eq!(ends, ["LIB", "D00", "D01"]);
        assert!(create(&wanted).is_err(), "there is one already");
        let worm = facts(&wanted, "B00001LY", 0);
        assert_eq!((worm.kind, worm.density, worm.capacity), (CartridgeKind::Worm, 0x5E, 64 << 20));
        let cleaning = facts(&wanted, "CLN001CU", 0);
        assert!(matches!(cleaning.kind, CartridgeKind::Cleaning { .. }));
    }

    #[test]
    fn media_need_slots() {
        let words = "reel-vtl create /nowhere --drives 1 --slots 1 --media A1,A2";
        let text = create(&wanted(words)).unwrap_err().to_string();
        assert!(text.contains("2 media do not fit into 1 storage slots"), "{text}");
    }
}
