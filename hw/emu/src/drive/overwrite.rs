//! Where a medium may be written: its tab, its kind, and what a host allows in append-only mode.

use reel_hw::scsi::SenseKey;

use super::{Drive, Mounted};
use crate::answer::{Answer, Outcome, Refusal, check, invalid_field};
use crate::cartridge::CartridgeKind;
use crate::cartridge::objects::Object;
use crate::media::Use;

/// Filemarks at the end of data that may be overwritten on a WORM medium.
const WORM_FILEMARKS: u64 = 2;

/// What ALLOW OVERWRITE allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Allowance {
    /// Nothing.
    #[default]
    Nothing,
    /// To write at this object.
    At(u64),
    /// To format.
    Format,
    /// To write at the beginning, since it is being formatted.
    Formatting,
}

impl Allowance {
    /// A format that was allowed begins.
    pub(super) fn for_format(&mut self) {
        if *self == Self::Format {
            *self = Self::Formatting;
        }
    }

    fn covers(self, position: u64) -> bool {
        self == Self::At(position) || (self == Self::Formatting && position == 0)
    }
}

impl Drive {
    /// Whether the medium may be written at the position.
    pub(super) fn writable(&mut self) -> Result<(), Refusal> {
        let (modes, allowance) = (self.modes.clone(), self.allowance);
        let mounted = self.ready()?;
        if mounted.usable == Use::ReadOnly {
            return Err(check(SenseKey::MediumError, 0x30, 0x05));
        }
        if mounted.cartridge.facts.write_protected {
            return Err(check(SenseKey::DataProtect, 0x27, 0x00));
        }
        if modes.software_protect {
            return Err(check(SenseKey::DataProtect, 0x27, 0x02));
        }
        let overwrites = mounted.position < mounted.cartridge.objects().count();
        if mounted.cartridge.facts.kind == CartridgeKind::Worm
            && overwrites
            && !at_last_marks(mounted)
        {
            return Err(check(SenseKey::DataProtect, 0x30, 0x0C));
        }
        if modes.append_only && overwrites && !allowance.covers(mounted.position) {
            return Err(check(SenseKey::DataProtect, 0x27, 0x06));
        }
        Ok(())
    }

    /// ALLOW OVERWRITE (spec scsi.md §11).
    pub(super) fn allow_overwrite(&mut self, allow: u8, partition: u8, object: u64) -> Outcome {
        let mounted = self.ready()?;
        self.allowance = match allow {
            0 => Allowance::Nothing,
            1 if partition == 0 && object == mounted.position => Allowance::At(object),
            2 => Allowance::Format,
            _ => return Err(invalid_field()),
        };
        Ok(Answer::Done)
    }
}

/// Whether nothing but a filemark or two lies behind the position.
fn at_last_marks(mounted: &Mounted) -> bool {
    let objects = mounted.cartridge.objects();
    let mut rest = mounted.position..objects.count();
    mounted.position > 0
        && objects.count() - mounted.position <= WORM_FILEMARKS
        && rest.all(|number| matches!(objects.get(number), Some((Object::Filemark, _))))
}
