//! Persistent reservations (SPC-5 §6.16 and §6.17): who has a device for itself, by a key of eight bytes.

use super::cursor::{Decoded, Reader, Writer};

/// Type of reservation: only its holder may use the device.
pub const EXCLUSIVE_ACCESS: u8 = 3;

/// What PERSISTENT RESERVE OUT does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ServiceAction {
    /// Registers a key, changes it or takes it back, if the old one is right.
    Register = 0,
    /// Reserves the device.
    Reserve = 1,
    /// Releases it.
    Release = 2,
    /// Takes back all keys and the reservation.
    Clear = 3,
    /// Takes the reservation of another key.
    Preempt = 4,
    /// Registers a key, whatever was registered before.
    RegisterAndIgnore = 6,
}

impl ServiceAction {
    /// From its number.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Register,
            1 => Self::Reserve,
            2 => Self::Release,
            3 => Self::Clear,
            4 => Self::Preempt,
            6 => Self::RegisterAndIgnore,
            _ => return None,
        })
    }
}

/// Parameters of PERSISTENT RESERVE OUT: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutParameters {
    /// The key that is registered.
    pub key: u64,
    /// The key to register, or to preempt; 0 takes the registration back.
    pub new_key: u64,
}

impl OutParameters {
    /// Bytes of the parameter list.
    pub const BYTES: u32 = 24;

    /// Encodes them.
    pub fn encode(&self) -> Vec<u8> {
        Writer::new().u64(self.key).u64(self.new_key).zeros(8).finish()
    }

    /// Decodes them.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new("persistent reservation parameters", bytes);
        let (key, new_key) = (reader.u64()?, reader.u64()?);
        reader.skip(8)?;
        Ok(Self { key, new_key })
    }
}

/// Answer to READ KEYS: everybody who may use or reserve the device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeysReport {
    /// Counts changes.
    pub generation: u32,
    /// The keys.
    pub keys: Vec<u64>,
}

impl KeysReport {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let head = Writer::new().u32(self.generation).u32(self.keys.len() as u32 * 8);
        self.keys.iter().fold(head, |report, key| report.u64(*key)).finish()
    }

    /// Decodes it; keys that did not fit are left out.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new("registered keys", bytes);
        let (generation, length) = (reader.u32()?, reader.u32()?);
        let mut list = reader.part_at_most(length as usize);
        let mut keys = Vec::new();
        while list.remaining() >= 8 {
            keys.push(list.u64()?);
        }
        Ok(Self { generation, keys })
    }
}

/// Answer to READ RESERVATION: who has reserved the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReservationReport {
    /// Counts changes.
    pub generation: u32,
    /// Key of the holder, and the type.
    pub held: Option<(u64, u8)>,
}

impl ReservationReport {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let report = Writer::new().u32(self.generation);
        match self.held {
            None => report.u32(0).finish(),
            Some((key, kind)) => report.u32(16).u64(key).zeros(5).u8(kind & 0xF).zeros(2).finish(),
        }
    }

    /// Decodes it.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new("reservation", bytes);
        let (generation, length) = (reader.u32()?, reader.u32()?);
        if length == 0 {
            return Ok(Self { generation, held: None });
        }
        let key = reader.u64()?;
        reader.skip(5)?;
        Ok(Self { generation, held: Some((key, reader.u8()? & 0xF)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_as_they_were_written() {
        let keys = KeysReport { generation: 3, keys: vec![1, u64::MAX] };
        assert_eq!(KeysReport::decode(&keys.encode()).unwrap(), keys);
        assert_eq!(KeysReport::decode(&keys.encode()[..17]).unwrap().keys, [1]);
        for held in [None, Some((7, EXCLUSIVE_ACCESS))] {
            let report = ReservationReport { generation: 9, held };
            assert_eq!(ReservationReport::decode(&report.encode()).unwrap(), report);
        }
        let parameters = OutParameters { key: 5, new_key: 6 };
        assert_eq!(OutParameters::decode(&parameters.encode()).unwrap(), parameters);
        assert!(OutParameters::decode(&[0; 23]).is_err());
    }
}
