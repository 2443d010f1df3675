//! Entry points for fuzzers: each takes any bytes, must never panic, and asserts what must hold for all input.

use std::fmt::Debug;

use crate::drive::TapeDrive;
use crate::memory::{MediumLimits, MemoryLibrary};
use crate::number::VolumeTag;
use crate::scsi::access_order::{AccessOrderLimits, AccessOrderList, AccessOrderRequest, WrapEnds};
use crate::scsi::attribute::{Attribute, AttributeIds, AttributeList};
use crate::scsi::block_limits::BlockLimits;
use crate::scsi::density::DensitySupport;
use crate::scsi::element::{DeviceIdentifier, ElementStatus};
use crate::scsi::encryption::{self, EncryptionCapabilities, EncryptionStatus, SetDataEncryption};
use crate::scsi::inquiry::{Inquiry, VpdData};
use crate::scsi::log::{
    self, DeviceStatus, ErrorCounters, LogPage, SequentialAccess, TapeCapacity,
    VolumeStatisticsPage,
};
use crate::scsi::mode::ModeData;
use crate::scsi::position::{LongPosition, ShortPosition};
use crate::scsi::sense::SenseFormat;
use crate::scsi::{Cdb, CdbForm, Command, Decoded, DeviceType, Sense, protection};
use crate::stream::{
    BlockHeader, BlockReader, CONTENT_HEADER_SIZE, ContentHeader, OpenedFile,
    TAPE_BLOCK_HEADER_SIZE, TAPE_BLOCK_MAGIC, TAPE_BLOCK_SIZE,
};

/// Bytes of input that make one object of the medium: what it is, and the header of the block.
const STEP: usize = 1 + TAPE_BLOCK_HEADER_SIZE;

/// Objects at most, so that one input costs milliseconds and not gigabytes.
const STEPS_MAX: usize = 16;

/// Records a medium as the input says (whole blocks with arbitrary headers, blocks of other lengths,
/// filemarks) and reads all of its files, once for their content and once skipping.
pub fn fuzz_block_stream(data: &[u8]) {
    for skip in [false, true] {
        let Some(mut drive) = recorded(data) else {
            return;
        };
        while read_file(&mut drive, skip) {}
    }
}

/// Decodes block and content headers; what is accepted must encode to the same bytes.
pub fn fuzz_content_header(data: &[u8]) {
    if let Some(bytes) = data.first_chunk::<CONTENT_HEADER_SIZE>()
        && let Ok(header) = ContentHeader::from_bytes(bytes)
    {
        assert_eq!(header.to_bytes()[..44], bytes[..44]);
    }
    if let Some(bytes) = data.first_chunk::<TAPE_BLOCK_HEADER_SIZE>()
        && let Ok(header) = BlockHeader::from_bytes(bytes)
    {
        assert_eq!(header.to_bytes(), *bytes);
        assert!(header.payload().end <= TAPE_BLOCK_SIZE);
    }
}

/// Decodes parameter data, sense or a CDB: the first byte says which. What is accepted must come back the same from
/// its own encoding.
pub fn fuzz_scsi(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    match choice >> 5 {
        0 => fuzz_device(choice & 0x1F, bytes),
        1 => fuzz_mode(choice & 0x1F, bytes),
        2 => fuzz_log(choice & 0x1F, bytes),
        3 => fuzz_encryption(choice & 0x1F, bytes),
        4 => fuzz_access_order(choice & 0x1F, bytes),
        5 => fuzz_medium(choice & 0x1F, bytes),
        6 => fuzz_elements(bytes),
        _ => fuzz_command(choice & 0x1F, bytes),
    }
}

fn fuzz_device(choice: u8, bytes: &[u8]) {
    match choice {
        0 => assert_round_trip(bytes, Inquiry::decode, Inquiry::encode),
        1 => assert_round_trip(bytes, VpdData::decode, VpdData::encode),
        2 => assert_round_trip(bytes, BlockLimits::decode, BlockLimits::encode),
        3 => assert_round_trip(bytes, DensitySupport::decode, DensitySupport::encode),
        4 => assert_round_trip(bytes, LongPosition::decode, LongPosition::encode),
        _ => assert_round_trip(bytes, ShortPosition::decode, ShortPosition::encode),
    }
}

fn fuzz_mode(choice: u8, bytes: &[u8]) {
    let form = if choice & 1 == 0 { CdbForm::Six } else { CdbForm::Ten };
    let device = if choice & 2 == 0 { DeviceType::Tape } else { DeviceType::Changer };
    let sense = |bytes: &[u8]| ModeData::decode(form, device, bytes);
    assert_round_trip(bytes, sense, |data| data.encode(form));
    let select = |bytes: &[u8]| ModeData::decode_select(form, device, bytes);
    if let Ok(data) = select(bytes) {
        let again = select(&data.encode_select(form));
        assert_eq!(again.map(|again| again.encode_select(form)), Ok(data.encode_select(form)));
    }
}

fn fuzz_log(choice: u8, bytes: &[u8]) {
    let errors = |bytes: &[u8]| ErrorCounters::decode(bytes, log::page::READ_ERRORS);
    match choice {
        0 => assert_round_trip(bytes, LogPage::decode, LogPage::encode),
        1 => {
            assert_round_trip(bytes, log::SupportedPages::decode, log::SupportedPages::encode);
        }
        2 => assert_round_trip(bytes, DeviceStatus::decode, DeviceStatus::encode),
        3 => assert_round_trip(bytes, log::decode_alert_response, log::encode_alert_response),
        4 => assert_round_trip(bytes, log::decode_alerts, log::encode_alerts),
        5 => assert_round_trip(bytes, VolumeStatisticsPage::decode, VolumeStatisticsPage::encode),
        6 => assert_round_trip(bytes, errors, |page| page.encode(log::page::READ_ERRORS)),
        7 => assert_round_trip(bytes, SequentialAccess::decode, SequentialAccess::encode),
        _ => assert_round_trip(bytes, TapeCapacity::decode, TapeCapacity::encode),
    }
}

fn fuzz_encryption(choice: u8, bytes: &[u8]) {
    const PAGE: u16 = encryption::page::SUPPORTED_IN;
    let pages = |bytes: &[u8]| encryption::SupportedPages::decode(bytes, PAGE);
    match choice {
        0 => {
            assert_round_trip(bytes, EncryptionCapabilities::decode, EncryptionCapabilities::encode)
        }
        1 => assert_round_trip(bytes, SetDataEncryption::decode, |page| page.encode().to_vec()),
        2 => assert_round_trip(bytes, EncryptionStatus::decode, EncryptionStatus::encode),
        _ => assert_round_trip(bytes, pages, |pages| pages.encode(PAGE)),
    }
}

fn fuzz_access_order(choice: u8, bytes: &[u8]) {
    match choice {
        0 => assert_round_trip(bytes, AccessOrderLimits::decode, AccessOrderLimits::encode),
        1 => assert_round_trip(bytes, AccessOrderRequest::decode, AccessOrderRequest::encode),
        2 => assert_round_trip(bytes, AccessOrderList::decode, AccessOrderList::encode),
        3 => assert_round_trip(bytes, WrapEnds::decode, WrapEnds::encode),
        _ => assert_round_trip(bytes, WrapEnds::decode_single, |end| WrapEnds::encode_single(*end)),
    }
}

fn fuzz_medium(choice: u8, bytes: &[u8]) {
    match choice {
        0 => assert_round_trip(bytes, AttributeIds::decode, AttributeIds::encode),
        1 => {
            let mut block = bytes.to_vec();
            protection::append_crc(&mut block);
            assert_eq!(protection::check(&block).is_ok(), !bytes.is_empty());
            let _ = protection::check(bytes);
        }
        _ => {
            assert_round_trip(bytes, AttributeList::decode, AttributeList::encode);
            if let Ok(list) = AttributeList::decode(bytes) {
                let _ =
                    (list.usage(), list.attributes.iter().filter_map(Attribute::render).count());
            }
        }
    }
}

fn fuzz_elements(bytes: &[u8]) {
    let decode = |bytes: &[u8]| ElementStatus::decode(bytes, 0);
    assert_round_trip(bytes, decode, ElementStatus::encode);
    if let Ok(status) = decode(bytes) {
        for (_, element) in status.elements() {
            let _ =
                (element.content(), element.identifier.as_ref().map(DeviceIdentifier::identity));
        }
    }
}

fn fuzz_command(choice: u8, bytes: &[u8]) {
    let encode = |sense: &Sense| sense.encode(SenseFormat::Descriptor);
    assert_round_trip(bytes, Sense::decode, encode);
    let device = if choice & 1 == 0 { DeviceType::Tape } else { DeviceType::Changer };
    if let Some(cdb) = Cdb::new(bytes)
        && let Some(command) = Command::from_cdb(device, &cdb)
    {
        assert_eq!(Command::from_cdb(device, &command.to_cdb()), Some(command));
    }
}

/// Asserts that what is decoded from `bytes`, if it is accepted, is also decoded from its own encoding.
pub(crate) fn assert_round_trip<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Decoded<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(value) = decode(bytes) {
        assert_eq!(decode(&encode(&value)), Ok(value));
    }
}

fn recorded(data: &[u8]) -> Option<impl TapeDrive> {
    let tag = VolumeTag::new("FUZZ")?;
    let (_, mut drive) = MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).ok()?;
    let mut block = vec![0; TAPE_BLOCK_SIZE];
    for step in data.chunks_exact(STEP).take(STEPS_MAX) {
        let (kind, header) = step.split_first()?;
        block[..TAPE_BLOCK_HEADER_SIZE].copy_from_slice(header);
        if kind & 1 != 0 {
            block[..TAPE_BLOCK_MAGIC.len()].copy_from_slice(&TAPE_BLOCK_MAGIC);
        }
        match kind >> 1 & 7 {
            0 => drive.write_filemarks(1, true).map(|_| ()).ok()?,
            1 => drive.write_block(header).map(|_| ()).ok()?,
            _ => drive.write_block(&block).map(|_| ()).ok()?,
        }
    }
    drive.rewind().ok()?;
    Some(drive)
}

/// Reads one file; `false` at the end of data or after an error.
fn read_file(drive: &mut impl TapeDrive, skip: bool) -> bool {
    let mut reader = match BlockReader::open(drive) {
        Ok(OpenedFile::Data(reader)) => reader,
        Ok(OpenedFile::EndOfFile) => return true,
        Ok(OpenedFile::EndOfStream) | Err(_) => return false,
    };
    if skip {
        return reader.skip_data().is_ok() && reader.has_end_marker().is_ok();
    }
    loop {
        match reader.fill().map(<[u8]>::len) {
            Ok(0) => return reader.has_end_marker().is_ok_and(|marked| marked),
            Ok(length) => reader.consume_bytes(length),
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_medium_panics_the_reader(
            steps in proptest::collection::vec((any::<u8>(), 0u8..4, 0u32..300_000, 0u32..3), 0..6),
        ) {
            let mut data = Vec::new();
            for (kind, flags, size, sequence) in steps {
                data.push(kind | 1);
                data.extend([0; 8]);
                data.push(flags);
                data.extend(&size.to_le_bytes()[..3]);
                data.extend(sequence.to_le_bytes());
            }
            fuzz_block_stream(&data);
        }

        #[test]
        fn no_bytes_panic_the_decoders(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            fuzz_content_header(&data);
            fuzz_scsi(&data);
            fuzz_block_stream(&data);
        }
    }
}
