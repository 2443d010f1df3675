//! Attributes of the medium's own memory (MAM): READ ATTRIBUTE and WRITE ATTRIBUTE data (spec scsi.md §8, SPC-5 §6.18).

mod table;

pub use table::{ATTRIBUTES, AttributeInfo, Rendering};

use super::cursor::{Decoded, Reader, Writer, flags};
use crate::drive::{HostAttribute, TapeAlerts};

/// What these structures are called in messages.
const WHAT: &str = "medium attributes";

/// Bytes in the unit of the counters of bytes in a medium's life.
const MEBIBYTE: u64 = 1 << 20;

/// How a value is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeFormat {
    /// Bytes, or a number.
    Binary,
    /// ASCII, filled up with blanks or NULs.
    Ascii,
    /// Text in the character set of attribute 0805h.
    Text,
    /// Reserved.
    Reserved,
}

impl AttributeFormat {
    fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Binary,
            1 => Self::Ascii,
            2 => Self::Text,
            _ => Self::Reserved,
        }
    }

    fn to_bits(self) -> u8 {
        match self {
            Self::Binary => 0,
            Self::Ascii => 1,
            Self::Text => 2,
            Self::Reserved => 3,
        }
    }
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its identifier.
    pub id: u16,
    /// A host cannot change it.
    pub read_only: bool,
    /// How its value is to be taken.
    pub format: AttributeFormat,
    /// Its value, at most 65535 bytes. In WRITE ATTRIBUTE data an empty one deletes the attribute.
    pub value: Vec<u8>,
}

impl Attribute {
    /// An attribute as a host writes it: cut between characters or filled up with NULs to the field's length.
    /// `None` deletes it.
    pub fn of_host(attribute: HostAttribute, value: Option<&str>) -> Self {
        let id = attribute as u16;
        let info = AttributeInfo::find(id);
        let format = info.map_or(AttributeFormat::Text, AttributeInfo::format);
        let value = value.map_or_else(Vec::new, |text| {
            let length = info.map_or(text.len(), |info| info.length);
            Writer::new().text(&characters(text, format), length, 0).finish()
        });
        Self { id, read_only: false, format, value }
    }

    /// What is known of it; `None` also where its value has another length than it must have.
    pub fn info(&self) -> Option<&'static AttributeInfo> {
        let fits = |info: &&AttributeInfo| info.length == 0 || info.length == self.value.len();
        AttributeInfo::find(self.id).filter(fits)
    }

    /// Its value as PBS prints it; `None` where nothing is known of it.
    pub fn render(&self) -> Option<String> {
        let info = self.info()?;
        Some(match info.rendering {
            Rendering::Decimal => self.number()?.to_string(),
            Rendering::Binary => self.value.iter().map(|byte| format!("{byte:02x}")).collect(),
            Rendering::Ascii | Rendering::Text => String::from_utf8_lossy(&self.value).into_owned(),
            Rendering::Alerts => TapeAlerts(self.number()?).to_string(),
        })
    }

    /// Its value as a number; `None` for more than eight bytes.
    pub fn number(&self) -> Option<u64> {
        Reader::new(WHAT, &self.value).uint(self.value.len()).ok()
    }

    /// Its value as a text, without what fills the field up.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.value);
        text.trim_end_matches(['\0', ' ']).to_owned()
    }

    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let (id, bits) = (fields.u16()?, fields.u8()?);
        let length = usize::from(fields.u16()?);
        Ok(Self {
            id,
            read_only: bits & 0x80 != 0,
            format: AttributeFormat::from_bits(bits),
            value: fields.bytes(length)?.to_vec(),
        })
    }

    fn encode(&self, writer: Writer) -> Writer {
        writer
            .u16(self.id)
            .u8(flags(&[(self.read_only, 0x80)]) | self.format.to_bits())
            .u16(self.value.len() as u16)
            .bytes(&self.value)
    }
}

/// What of a text may stand in a field: in an ASCII one, `?` for all else.
fn characters(text: &str, format: AttributeFormat) -> String {
    let ascii = |character: char| if character.is_ascii() { character } else { '?' };
    match format {
        AttributeFormat::Ascii => text.chars().map(ascii).collect(),
        _ => text.to_owned(),
    }
}

/// The values that READ ATTRIBUTE brings or WRITE ATTRIBUTE sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeList {
    /// By ascending identifier.
    pub attributes: Vec<Attribute>,
}

impl AttributeList {
    /// Decodes either.
    ///
    /// # Errors
    /// Fewer bytes than announced, an attribute that is cut. More bytes than announced are cut off.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = announced(bytes)?;
        let mut attributes = Vec::new();
        while fields.remaining() > 0 {
            attributes.push(Attribute::decode(&mut fields)?);
        }
        Ok(Self { attributes })
    }

    /// Encodes either.
    pub fn encode(&self) -> Vec<u8> {
        let one = |writer: Writer, attribute: &Attribute| attribute.encode(writer);
        announce(&self.attributes.iter().fold(Writer::new(), one).finish())
    }

    /// The attribute with that identifier.
    pub fn get(&self, id: u16) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.id == id)
    }

    /// The usage of the medium; `None` where one part of it is missing.
    pub fn usage(&self) -> Option<MediumUsage> {
        let bytes = |id| self.get(id)?.info().and(self.get(id)?.number()?.checked_mul(MEBIBYTE));
        Some(MediumUsage {
            manufactured: unix_seconds(&self.get(0x0406)?.text())?,
            bytes_written: bytes(0x0220)?,
            bytes_read: bytes(0x0221)?,
        })
    }
}

/// The identifiers that READ ATTRIBUTE brings where it is asked for a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeIds {
    /// Ascending.
    pub ids: Vec<u16>,
}

impl AttributeIds {
    /// Decodes them.
    ///
    /// # Errors
    /// Fewer bytes than announced, half an identifier.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = announced(bytes)?;
        let mut ids = Vec::new();
        while fields.remaining() > 0 {
            ids.push(fields.u16()?);
        }
        Ok(Self { ids })
    }

    /// Encodes them.
    pub fn encode(&self) -> Vec<u8> {
        announce(&self.ids.iter().fold(Writer::new(), |writer, id| writer.u16(*id)).finish())
    }
}

fn announced(bytes: &[u8]) -> Decoded<Reader<'_>> {
    let mut fields = Reader::new(WHAT, bytes);
    let length = fields.u32()?;
    fields.part(length as usize)
}

fn announce(content: &[u8]) -> Vec<u8> {
    Writer::new().u32(content.len() as u32).bytes(content).finish()
}

/// How much a medium was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediumUsage {
    /// When it was made: midnight UTC, in seconds since 1970.
    pub manufactured: i64,
    /// Bytes written in its life.
    pub bytes_written: u64,
    /// Bytes read in its life.
    pub bytes_read: u64,
}

/// Midnight of a date `YYYYMMDD` in seconds since 1970.
fn unix_seconds(date: &str) -> Option<i64> {
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = date.parse().ok()?;
    let (year, month, day) = (number / 10000, number / 100 % 100, number % 100);
    let exists = (1..=12).contains(&month) && (1..=31).contains(&day);
    exists.then(|| days_since_1970(year, month, day) * 86400)
}

/// Days from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that a leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    fn attribute(id: u16, value: &[u8]) -> Attribute {
        let format = AttributeInfo::find(id).unwrap().format();
        Attribute { id, read_only: true, format, value: value.to_vec() }
    }

    #[test]
    fn table_is_in_order() {
        assert!(ATTRIBUTES.is_sorted_by(|before, after| before.id < after.id));
        assert_eq!(ATTRIBUTES.len(), 45);
    }

    /// Recorded: PBS writes and deletes attributes while it labels and formats.
    #[test]
    fn attributes_that_pbs_writes() {
        use HostAttribute::*;
        let encoded = |which, value| {
            AttributeList { attributes: vec![Attribute::of_host(which, value)] }.encode()
        };
        let vendor = "0000000d 08000100 0850726f 786d6f78 00";
        assert_eq!(encoded(ApplicationVendor, Some("Proxmox")), hex(vendor));
        let version = "0000000d 08020100 08332e32 2e340000 00";
        assert_eq!(encoded(ApplicationVersion, Some("3.2.4")), hex(version));
        let name = "00000025 08010100 2050726f 786d6f78 20426163 6b757020 53657276 65720000
            00000000 00000000 00";
        assert_eq!(encoded(ApplicationName, Some("Proxmox Backup Server")), hex(name));
        assert_eq!(encoded(ApplicationVendor, None), hex("00000005 08000100 00"));
        assert_eq!(encoded(MediaPool, None), hex("00000005 08080200 00"));
        let pool = [hex("000000a5 08080200 a0"), b"poolL".to_vec(), vec![0; 155]].concat();
        assert_eq!(encoded(MediaPool, Some("poolL")), pool);
    }

    /// Spec scsi.md §16.
    #[test]
    fn label_of_the_spec() {
        let label = Attribute::of_host(HostAttribute::UserMediumTextLabel, Some("vtape1"));
        let bytes = AttributeList { attributes: vec![label] }.encode();
        assert_eq!(bytes.len(), 0xA9);
        assert_eq!(bytes[..15], hex("000000A5 0803 02 00A0 767461706531"));
        assert!(bytes[15..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let value = |which, text: &str| Attribute::of_host(which, Some(text)).value;
        let pool = value(HostAttribute::MediaPool, &"ä".repeat(100));
        assert_eq!((pool.len(), std::str::from_utf8(&pool).unwrap()), (160, &*"ä".repeat(80)));
        let odd = value(HostAttribute::MediaPool, &format!("x{}", "ä".repeat(100)));
        assert_eq!((odd.len(), odd[159]), (160, 0));
        let ascii = value(HostAttribute::ApplicationVersion, "1.0-ä");
        assert_eq!(ascii, b"1.0-?\0\0\0");
    }

    /// Attributes of a recorded answer, and what PBS printed for them.
    #[test]
    fn values_that_pbs_read() {
        let bytes = hex("00000057 0000800008 0000000000000180 0003800008 000000000000000d
            0005810008 4c544f2d43564520 0006800001 5e 0007800002 0001 0009800004 0000003b
            0408800001 00 0409800002 0000 0800010008 50726f786d6f7800");
        let list = AttributeList::decode(&bytes).unwrap();
        let rendered: Vec<_> = list.attributes.iter().filter_map(Attribute::render).collect();
        let wanted = ["384", "13", "LTO-CVE ", "5e", "1", "0000003b", "00", "0000", "Proxmox\0"];
        assert_eq!(rendered, wanted);
        assert_eq!(list.encode(), bytes);
        assert_eq!(list.get(0x0800).unwrap().text(), "Proxmox");
    }

    #[test]
    fn alerts_are_not_turned_around() {
        assert_eq!(attribute(0x0002, &[0, 0, 0, 0, 0, 0, 0, 1]).render().unwrap(), "READ_WARNING");
        assert_eq!(attribute(0x0002, &[0; 8]).render().unwrap(), "(empty)");
    }

    #[test]
    fn what_is_unknown_or_has_a_wrong_length_is_not_shown() {
        assert_eq!(attribute(0x0402, &[0, 0, 3, 0xC0]).render().unwrap(), "960");
        assert_eq!(attribute(0x0402, &[0, 0, 3]).render(), None);
        let unknown = Attribute { id: 0x0A00, ..attribute(0x0402, &[0; 4]) };
        assert_eq!(unknown.render(), None);
        assert_eq!(attribute(0x080C, &[0xAB; 3]).render().unwrap(), "ababab");
    }

    #[test]
    fn announced_length_decides() {
        let mut bytes = hex("00000006 0006800001 5e");
        assert!(AttributeList::decode(&bytes[..9]).is_err());
        bytes.extend([0; 20]);
        assert_eq!(AttributeList::decode(&bytes).unwrap().attributes.len(), 1);
        bytes[3] = 7;
        assert!(AttributeList::decode(&bytes).is_err());
    }

    #[test]
    fn usage_of_a_medium() {
        let list = AttributeList {
            attributes: vec![
                attribute(0x0220, &[0, 0, 0, 0, 0, 0, 0, 32]),
                attribute(0x0221, &[0, 0, 0, 0, 0, 0, 0, 3]),
                attribute(0x0406, b"20210315"),
            ],
        };
        let usage = list.usage().unwrap();
        assert_eq!(usage.manufactured, 1_615_766_400);
        assert_eq!((usage.bytes_written, usage.bytes_read), (33_554_432, 3_145_728));
        for missing in 0..3 {
            let mut list = list.clone();
            list.attributes.remove(missing);
            assert_eq!(list.usage(), None);
        }
    }

    #[test]
    fn dates() {
        assert_eq!(unix_seconds("19700101"), Some(0));
        assert_eq!(unix_seconds("20000229"), Some(951_782_400));
        assert_eq!(unix_seconds("20000301"), Some(951_868_800));
        assert_eq!(unix_seconds("19691231"), Some(-86400));
        for wrong in ["", "2000", "20001301", "20000100", "2000010a", "+2000101"] {
            assert_eq!(unix_seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn identifiers() {
        let ids = AttributeIds { ids: vec![0x0000, 0x0803] };
        assert_eq!(ids.encode(), hex("00000004 0000 0803"));
        assert_eq!(AttributeIds::decode(&ids.encode()).unwrap(), ids);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content in proptest::collection::vec(any::<u8>(), 0..64), id in 0usize..45) {
            let id = ATTRIBUTES[id].id.to_be_bytes();
            let first = [&id[..], &[0x80, 0, 0], &content].concat();
            for bytes in [&content, &announce(&content), &announce(&first)] {
                assert_round_trip(bytes, AttributeIds::decode, AttributeIds::encode);
                assert_round_trip(bytes, AttributeList::decode, AttributeList::encode);
                if let Ok(list) = AttributeList::decode(bytes) {
                    let _ = list.usage();
                    let _: Vec<_> = list.attributes.iter().map(Attribute::render).collect();
                }
            }
        }

        #[test]
        fn host_attributes_have_their_length(text in ".{0,200}") {
            for which in [HostAttribute::ApplicationName, HostAttribute::MediaPool] {
                let attribute = Attribute::of_host(which, Some(&text));
                prop_assert!(attribute.info().is_some());
                prop_assert!(std::str::from_utf8(&attribute.value).is_ok());
            }
        }
    }
}
