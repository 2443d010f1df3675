//! `reel-vtl create`: makes a library in a folder, with its media.

use reel_emu::{CartridgeFacts, EmulatedLibrary, LibraryShape};

use crate::args::Create;
use crate::error::Result;

/// Makes a library. No other on the machine has its serial numbers.
pub(crate) fn create(wanted: &Create) -> Result<()> {
    let generation = wanted.generation.0;
    let shape = LibraryShape {
        storage_slots: wanted.slots.into(),
        import_export_slots: wanted.import_export.into(),
        quickened: wanted.quickened,
        ..LibraryShape::unique(wanted.drives, wanted.maker.into(), generation)
    };
    let facts = |barcode| CartridgeFacts::labelled(barcode, generation, wanted.capacity.0);
    let media: Vec<_> = wanted.media.iter().map(facts).collect();
    Ok(EmulatedLibrary::create_with_media(&wanted.folder, &shape, &media)?)
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
        let devices = EmulatedLibrary::open(folder.path()).unwrap().devices();
        let ends: Vec<_> = devices.iter().map(|(_, serial)| serial[6..].to_owned()).collect();
        assert_eq!(ends, ["LIB", "D00", "D01"]);
        assert!(create(&wanted).is_err(), "there is one already");
    }

    #[test]
    fn media_need_slots() {
        let words = "reel-vtl create /nowhere --drives 1 --slots 1 --media A1,A2";
        let text = create(&wanted(words)).unwrap_err().to_string();
        assert!(
            text.contains("2 media in storage slots do not fit into the library, which takes 1"),
            "{text}"
        );
    }
}
