//! The conformance suite on an LTO drive of the emulated library, of either maker and several generations.

use reel_emu::{EmulatedLibrary, Generation, Maker};
use reel_hw::conformance::{DriveBench, check_drive, record};
use reel_hw::stream::TAPE_BLOCK_SIZE;
use reel_hw::{Result, TapeDrive};

use crate::support::{cartridge, library, model, open};

const ROOMY: u64 = 1 << 30;

struct LtoBench {
    maker: Maker,
    generation: Generation,
    library: Option<EmulatedLibrary>,
}

impl LtoBench {
    fn loaded(&mut self, capacity: u64) -> Box<dyn TapeDrive> {
        let library = library(model(self.maker, self.generation));
        library.insert(0, cartridge("TEST01L8", self.generation, capacity));
        let drive = open(&library);
        self.library = Some(library);
        Box::new(drive)
    }

    fn library(&self) -> &EmulatedLibrary {
        self.library.as_ref().unwrap()
    }
}

impl DriveBench for LtoBench {
    fn blank(&mut self) -> Box<dyn TapeDrive> {
        self.loaded(ROOMY)
    }

    fn small(&mut self) -> Box<dyn TapeDrive> {
        self.loaded(20 * TAPE_BLOCK_SIZE as u64)
    }

    fn protected(&mut self) -> Box<dyn TapeDrive> {
        let mut drive = self.blank();
        record(&mut *drive, &[b"ab", b"c"]).unwrap();
        drive.sync().unwrap();
        self.library().cartridge(0, |cartridge| cartridge.facts.write_protected = true).unwrap();
        drive
    }

    fn empty(&mut self) -> Box<dyn TapeDrive> {
        Box::new(open(&library(model(self.maker, self.generation))))
    }

    fn reopen(&mut self, drive: Box<dyn TapeDrive>) -> Box<dyn TapeDrive> {
        drop(drive);
        Box::new(open(self.library()))
    }

    fn load_again(&mut self, drive: &mut Box<dyn TapeDrive>) -> Result<()> {
        drive.load()
    }
}

#[test]
fn lto_drives_conform() {
    for maker in [Maker::Ibm, Maker::Hp] {
        for generation in [Generation::Lto5, Generation::Lto7, Generation::Lto9] {
            check_drive(&mut LtoBench { maker, generation, library: None }).unwrap();
        }
    }
}
