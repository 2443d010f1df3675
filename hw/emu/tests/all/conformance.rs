//! The conformance suite on an LTO drive of the emulated library, of either maker and several generations.

use reel_emu::time::Seed;
use reel_emu::{EmulatedLibrary, Generation, Maker, Timing};
use reel_hw::conformance::{DriveBench, check_drive, record};
use reel_hw::stream::TAPE_BLOCK_SIZE;
use reel_hw::{Result, TapeDrive};

use crate::support::{cartridge, model, open, timed_library};

const ROOMY: u64 = 1 << 30;

struct LtoBench {
    maker: Maker,
    generation: Generation,
    timing: Timing,
    library: Option<EmulatedLibrary>,
}

impl LtoBench {
    fn loaded(&mut self, capacity: u64) -> Box<dyn TapeDrive> {
        let library = timed_library(model(self.maker, self.generation), &self.timing);
        library.insert(0, cartridge("TEST01L8", self.generation, capacity));
        library.wait_until_idle(0);
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
        self.reopen(drive)
    }

    fn empty(&mut self) -> Box<dyn TapeDrive> {
        Box::new(open(&timed_library(model(self.maker, self.generation), &self.timing)))
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
            let timing = Timing::none();
            check_drive(&mut LtoBench { maker, generation, timing, library: None }).unwrap();
        }
    }
}

#[test]
fn lto_drives_that_take_their_time_conform_too() {
    // Of few wraps: the turns of 20 blocks on the 280 wraps of LTO-9 take longer than a rewind may.
    let generation = Generation::Lto5;
    for (seed, maker) in [(1, Maker::Ibm), (2, Maker::Hp)] {
        let timing = Timing::simulated().seeded(Seed(seed));
        check_drive(&mut LtoBench { maker, generation, timing, library: None }).unwrap();
    }
}
