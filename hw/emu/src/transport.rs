//! The way to a device of an emulated library.

use std::time::Duration;

use reel_hw::scsi::Cdb;
use reel_hw::transport::{Data, Reply, Transport, TransportError};

use crate::initiator::Initiator;
use crate::library::{Device, EmulatedLibrary};

/// A host's way to one device.
pub struct EmulatedTransport {
    library: EmulatedLibrary,
    device: Device,
    initiator: Initiator,
    /// Whether the host goes with this way.
    is_only_way: bool,
    name: String,
}

impl EmulatedTransport {
    pub(crate) fn new(
        library: EmulatedLibrary,
        device: Device,
        initiator: Initiator,
        is_only_way: bool,
    ) -> Self {
        Self { library, device, initiator, is_only_way, name: format!("emulated {device}") }
    }
}

impl Transport for EmulatedTransport {
    fn execute(
        &mut self,
        cdb: &Cdb,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        self.library.execute(self.device, self.initiator, cdb, data, timeout)
    }

    fn device(&self) -> &str {
        &self.name
    }
}

impl Drop for EmulatedTransport {
    fn drop(&mut self) {
        if self.is_only_way {
            self.library.forget(self.device, self.initiator);
        }
    }
}
