//! Which devices a library has, and what they call themselves.

use std::time::Duration;

use reel_emu::{Device, EmulatedLibrary};
use reel_hw::scsi::Command;
use reel_hw::scsi::inquiry::{VpdData, VpdPage};
use reel_hw::transport::{Data, Reply, Transport, TransportError};

use crate::error::{Error, Result};

/// A device of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) device: Device,
    pub(crate) serial: String,
}

/// The changer, then all drives.
pub(crate) fn devices(library: &EmulatedLibrary) -> Result<Vec<Named>> {
    let mut devices = Vec::new();
    let drives = (0..).map(Device::Drive);
    for device in std::iter::once(Device::Changer).chain(drives) {
        match ask(library, device) {
            Ok(reply) => devices.push(Named { device, serial: serial(device, &reply)? }),
            Err(TransportError::Gone) => break,
            Err(error) => return Err(no_serial(device, error.to_string())),
        }
    }
    Ok(devices)
}

const ALLOCATION: u16 = 255;
const UNIT_SERIAL_NUMBER: u8 = 0x80;

fn ask(library: &EmulatedLibrary, device: Device) -> Result<Vec<u8>, TransportError> {
    let command = Command::Inquiry { page: Some(UNIT_SERIAL_NUMBER), allocation: ALLOCATION };
    let mut bytes = vec![0; usize::from(ALLOCATION)];
    let mut transport = library.transport(device);
    let answer = transport.execute(&command.to_cdb(), Data::In(&mut bytes), Duration::MAX);
    let Reply { transferred, .. } = answer?;
    bytes.truncate(transferred);
    Ok(bytes)
}

fn serial(device: Device, bytes: &[u8]) -> Result<String> {
    match VpdData::decode_page(bytes, UNIT_SERIAL_NUMBER) {
        Ok(VpdPage::UnitSerialNumber(serial)) => Ok(serial.trim().to_owned()),
        Ok(_) => Err(no_serial(device, "it sends another page".to_owned())),
        Err(error) => Err(no_serial(device, error.to_string())),
    }
}

fn no_serial(device: Device, problem: String) -> Error {
    Error::NoSerial { device: device.to_string(), problem }
}
