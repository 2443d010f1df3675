//! Drives that lack what every LTO drive has, and what makes that good.
//!
//! A drive is known by vendor and product of its INQUIRY data. What stands in for a lack is for these drives alone: any
//! other that lacks the same does not stand where it should after its first locate or flush, which then fails.

mod counting;

use std::time::Duration;

use crate::scsi::Command;
use crate::scsi::inquiry::Inquiry;
use crate::transport::{Data, Transport};

use counting::CountingTransport;

/// Vendor and product of drives that cannot tell where they are, nor go to a place by its number.
const WITHOUT_POSITION: [(&str, &str); 1] = [
    // Debian's tgt, a tape of software: READ POSITION tells zeros, LOCATE is unknown (spec emulations.md).
    ("IET", "VIRTUAL-TAPE"),
];

/// The way to a device, with what a known drive lacks made good. The device is asked by INQUIRY, which disturbs nobody.
pub fn made_good(mut way: Box<dyn Transport>) -> Box<dyn Transport> {
    let Some(inquiry) = inquire(&mut *way) else { return way };
    let known = (inquiry.vendor.as_str(), inquiry.product.as_str());
    if WITHOUT_POSITION.contains(&known) {
        return Box::new(CountingTransport::new(way));
    }
    way
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
