//! Emulated libraries that a daemon uses: small, kept in the folder `library` of its home.

use reel_emu::{CartridgeFacts, DriveModel, EmulatedLibrary, Generation, LibraryShape, Maker};

use crate::{Daemon, Home};

/// Room on a [`medium`], bytes.
pub const MEDIUM_BYTES: u64 = 16 << 20;

/// Full-height LTO-8 drives of these makers, called `DRIVE0000` and so on, four slots and one more to import and export.
pub fn shape(makers: &[Maker]) -> LibraryShape {
    let drive = |(number, maker): (usize, &Maker)| DriveModel {
        maker: *maker,
        generation: Generation::Lto8,
        full_height: true,
        serial: format!("DRIVE{number:04}"),
    };
    LibraryShape {
        serial: "ROBOT0001".into(),
        drives: makers.iter().enumerate().map(drive).collect(),
        storage_slots: 4,
        import_export_slots: 1,
        ejects: true,
        quickened: None,
    }
}

/// A blank LTO-8 medium of [`MEDIUM_BYTES`].
pub fn medium(barcode: &str) -> CartridgeFacts {
    CartridgeFacts::blank(barcode, Generation::Lto8.density(), MEDIUM_BYTES)
}

/// Makes the library of a home, with these media in its first slots.
pub fn make(home: &Home, shape: &LibraryShape, media: &[CartridgeFacts]) {
    let made = EmulatedLibrary::create_with_media(&home.join("library"), shape, media);
    made.unwrap_or_else(|error| panic!("make a library: {error}"));
}

/// Tells a daemon of the library of its home, which is made where there is none: the changer `sl3` with its first
/// drives, `drive0` and so on.
pub fn configure(home: &Home, daemon: &Daemon<'_>, drives: usize) {
    let path = path(home);
    daemon.ctl(&format!("changer create sl3 --path {path}"));
    for number in 0..drives {
        let place = format!("--changer sl3 --changer-drivenum {number}");
        daemon.ctl(&format!("drive create drive{number} --path {path} {place}"));
    }
}

/// Lets the next medium slip out of the robot's hand in the library of a home, which no daemon has open.
pub fn drop_next(home: &Home) {
    let library = EmulatedLibrary::open(&home.join("library"));
    library.unwrap_or_else(|error| panic!("open the library: {error}")).plan_drop();
}

/// How the configuration names the devices of the library of a home.
pub fn path(home: &Home) -> String {
    format!("emulated:{}", home.join("library").display())
}
