//! Somebody between host and device who answers in its place, or does something before it gets a command.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reel_emu::EmulatedTransport;
use reel_hw::scsi::{Cdb, Sense, SenseFormat};
use reel_hw::transport::{Data, Reply, Status, Transport, TransportError};

/// Answers a command, or leaves that to the device.
type Meddler = Box<dyn FnMut(&Cdb, Data<'_>) -> Option<Reply> + Send>;

/// What is done on the way to a device; it can be changed while the device is used.
#[derive(Clone, Default)]
pub(crate) struct Meddling(Arc<Mutex<Option<Meddler>>>);

impl Meddling {
    /// A way on which it is done.
    pub(crate) fn on(&self, way: EmulatedTransport) -> Box<dyn Transport> {
        Box::new(Meddled { way, meddling: self.clone() })
    }

    pub(crate) fn set(
        &self,
        meddler: impl FnMut(&Cdb, Data<'_>) -> Option<Reply> + Send + 'static,
    ) {
        *self.0.lock().unwrap() = Some(Box::new(meddler));
    }
}

struct Meddled {
    way: EmulatedTransport,
    meddling: Meddling,
}

impl Transport for Meddled {
    fn execute(
        &mut self,
        cdb: &Cdb,
        mut data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        let mut meddler = self.meddling.0.lock().unwrap();
        let meddled = meddler.as_mut().and_then(|meddle| meddle(cdb, data.reborrow()));
        drop(meddler);
        meddled.map_or_else(|| self.way.execute(cdb, data, timeout), Ok)
    }

    fn device(&self) -> &str {
        self.way.device()
    }
}

/// A check condition.
pub(crate) fn check(sense: Sense) -> Reply {
    let sense = sense.encode(SenseFormat::Fixed);
    Reply { status: Status::CheckCondition, transferred: 0, sense }
}

/// An answer of a device that has done its work.
pub(crate) fn good(transferred: usize) -> Reply {
    Reply { status: Status::Good, transferred, sense: Vec::new() }
}

/// An answer with data, as much of it as there is room for; none where there is no room at all.
pub(crate) fn answer(data: Data<'_>, bytes: &[u8]) -> Option<Reply> {
    let Data::In(buffer) = data else { return None };
    let length = buffer.len().min(bytes.len());
    buffer[..length].copy_from_slice(&bytes[..length]);
    Some(good(length))
}
