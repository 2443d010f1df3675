//! Who answers the commands of a device.

use std::time::Duration;

use reel_emu::{Device, EmulatedLibrary, EmulatedTransport};
use reel_hw::scsi::{Cdb, DeviceType, Sense, SenseFormat, SenseKey};
use reel_hw::transport::{Data, Reply, Status, Transport};

/// The emulator takes what time it wants; the kernel has the limits.
const NO_LIMIT: Duration = Duration::MAX;

/// A logical unit.
pub(crate) trait Unit: Send {
    /// What it is.
    fn device_type(&self) -> DeviceType;

    /// Carries out a command.
    fn execute(&mut self, cdb: &Cdb, data: Data<'_>) -> Reply;

    /// Is reset by the initiator.
    fn reset(&mut self);
}

/// A device of an emulated library.
pub(crate) struct EmulatedUnit {
    library: EmulatedLibrary,
    device: Device,
    /// The kernel is one initiator, whoever uses its nodes.
    transport: EmulatedTransport,
}

impl EmulatedUnit {
    pub(crate) fn new(library: &EmulatedLibrary, device: Device) -> Self {
        Self { library: library.clone(), device, transport: library.transport(device) }
    }
}

impl Unit for EmulatedUnit {
    fn device_type(&self) -> DeviceType {
        match self.device {
            Device::Changer => DeviceType::Changer,
            Device::Drive(_) => DeviceType::Tape,
        }
    }

    fn execute(&mut self, cdb: &Cdb, data: Data<'_>) -> Reply {
        self.transport.execute(cdb, data, NO_LIMIT).unwrap_or_else(|error| {
            eprintln!("reel-vtl: {} did not carry out '{cdb}': {error}", self.device);
            objection(SenseKey::HardwareError, 0x44, 0x00)
        })
    }

    fn reset(&mut self) {
        self.library.reset(self.device);
    }
}

/// A device whose program died: whoever still waits for it is told of a power on, and sends nothing again.
pub(crate) struct LostUnit;

impl Unit for LostUnit {
    fn device_type(&self) -> DeviceType {
        DeviceType::Tape
    }

    fn execute(&mut self, _cdb: &Cdb, _data: Data<'_>) -> Reply {
        objection(SenseKey::UnitAttention, 0x29, 0x01)
    }

    fn reset(&mut self) {}
}

/// A check condition.
pub(crate) fn objection(key: SenseKey, asc: u8, ascq: u8) -> Reply {
    let sense = Sense::new(key, asc, ascq).encode(SenseFormat::Fixed);
    Reply { status: Status::CheckCondition, transferred: 0, sense }
}
