//! Devices that lack what every other has, and what makes that good.
//!
//! A device is known by vendor and product of its INQUIRY data. What stands in for a lack is for these devices alone: any
//! other drive without positions does not stand where it should after its first locate or flush, which then fails.

mod counting;
mod short_status;

use std::time::Duration;

use crate::scsi::Command;
use crate::scsi::inquiry::Inquiry;
use crate::transport::{Data, Transport};

use counting::CountingTransport;
use short_status::ShortStatusTransport;

/// The way to a device, with what a known one lacks made good. It is asked by INQUIRY, which disturbs nobody.
pub fn made_good(mut way: Box<dyn Transport>) -> Box<dyn Transport> {
    let Some(inquiry) = inquire(&mut *way) else { return way };
    match (inquiry.vendor.as_str(), inquiry.product.as_str()) {
        // Debian's tgt, tapes of software: READ POSITION tells zeros, LOCATE is unknown (spec emulations.md).
        ("IET", "VIRTUAL-TAPE") => Box::new(CountingTransport::new(way)),
        ("IET", "VIRTUAL-CHANGER") => Box::new(ShortStatusTransport(way)),
        _ => way,
    }
}

/// What a device is; none where it does not tell, which its driver will find too.
fn inquire(way: &mut dyn Transport) -> Option<Inquiry> {
    const BYTES: u16 = 36;
    const LIMIT: Duration = Duration::from_secs(30);
    let mut answer = [0; BYTES as usize];
    let command = Command::Inquiry { page: None, allocation: BYTES };
    let reply = way.execute(&command.to_cdb(), Data::In(&mut answer), LIMIT).ok()?;
    Inquiry::decode(answer.get(..reply.transferred)?).ok()
}
