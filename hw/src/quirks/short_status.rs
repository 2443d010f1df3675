//! A changer whose element status ends eight bytes early: it leaves its header out of the count of what it sends.
//!
//! What is cut off is the end of the last descriptor. With bar codes that is padding behind the code, so zeros stand in
//! for it. With the drives' identities it is a serial number, of which a part would be worse than none: then only the
//! header is made to fit, and the cut descriptor goes unread.

use std::time::Duration;

use crate::scsi::{Cdb, Command, DeviceType};
use crate::transport::{Data, Reply, Status, Transport, TransportError};

/// Bytes of the header, and of what is cut off.
const HEADER_BYTES: usize = 8;

/// The way to such a changer.
pub(super) struct ShortStatusTransport(pub(super) Box<dyn Transport>);

impl Transport for ShortStatusTransport {
    fn execute(
        &mut self,
        cdb: &Cdb,
        mut data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        let command = Command::from_cdb(DeviceType::Changer, cdb);
        let reply = self.0.execute(cdb, data.reborrow(), timeout)?;
        let Some(Command::ReadElementStatus { device_ids, .. }) = command else { return Ok(reply) };
        let (Data::In(buffer), Status::Good) = (data, reply.status) else { return Ok(reply) };
        let transferred = made_whole(buffer, reply.transferred, device_ids);
        Ok(Reply { transferred, ..reply })
    }

    fn device(&self) -> &str {
        self.0.device()
    }
}

/// Makes an answer fit its header, where it is just as long as the header counts without itself; its new length.
fn made_whole(buffer: &mut [u8], length: usize, device_ids: bool) -> usize {
    let Some([_, _, _, _, _, count @ ..]) = buffer.first_chunk_mut::<HEADER_BYTES>() else {
        return length;
    };
    let told = count.iter().fold(0, |told, byte| told << 8 | usize::from(*byte));
    if told != length || length < HEADER_BYTES {
        return length;
    }
    if device_ids {
        let [_, high, middle, low] = ((length - HEADER_BYTES) as u32).to_be_bytes();
        *count = [high, middle, low];
        return length;
    }
    match buffer.get_mut(length..length + HEADER_BYTES) {
        Some(rest) => rest.fill(0),
        None => return length,
    }
    length + HEADER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::element::{Element, ElementStatus, ElementType, StatusPage};
    use crate::scsi::test_bytes::hex;

    /// What tgt answers of two drives with their identities, of which the last is cut.
    const IDENTITIES: &str = "01000002 0000006c 04000032 00000064 0100 00 00 00000000 00000000 02010022 \
        49455420 20202020 56495254 55414c2d 54415045 20202020 44524956 45303031 0000 \
        0101 00 00 00000000 00000000 02010022 49455420 20202020 56495254 55414c2d 54415045 20202020 4452";

    fn whole(bytes: &[u8], device_ids: bool) -> Vec<u8> {
        let mut buffer = bytes.to_vec();
        buffer.resize(bytes.len() + 100, 0xEE);
        let length = made_whole(&mut buffer, bytes.len(), device_ids);
        buffer.truncate(length);
        buffer
    }

    #[test]
    fn of_a_cut_identity_nothing_is_taken() {
        let cut = hex(IDENTITIES);
        assert!(ElementStatus::decode(&cut, 0).is_err());
        let status = ElementStatus::decode(&whole(&cut, true), 0).unwrap();
        let serials: Vec<_> = status
            .elements()
            .map(|(_, drive)| drive.identifier.as_ref().unwrap().identity().serial)
            .collect();
        assert_eq!(serials, [Some("DRIVE001".to_owned())]);
    }

    #[test]
    fn bar_codes_are_all_there() {
        let elements = [1, 2].map(|address| Element { address, full: true, ..Element::default() });
        let mut page = StatusPage::new(ElementType::Storage, true, elements.to_vec());
        page.descriptor_bytes = 52;
        let bytes = ElementStatus { pages: vec![page] }.encode();
        let mut cut = bytes.clone();
        cut.truncate(bytes.len() - HEADER_BYTES);
        assert_eq!(whole(&cut, false), bytes);
        assert_eq!(whole(&bytes, false), bytes, "nothing is missing here");
        assert_eq!(whole(&[0; 7], false), [0; 7]);
    }
}
