//! Descriptors of single elements.

use super::{StatusPage, WHAT};
use crate::changer::ElementContent;
use crate::number::VolumeTag;
use crate::scsi::cursor::{Decoded, Reader, Writer, flags};

/// Characters of a bar code.
const TAG_CHARACTERS: usize = 32;

/// Bytes of an identifier that tells vendor, product and serial number.
const IDENTITY_BYTES: usize = 34;

/// A bar code as a changer tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagField {
    /// The bar code, at most 32 characters.
    pub text: String,
    /// Volume sequence number.
    pub sequence: u16,
}

impl TagField {
    /// Decodes 36 bytes; `None` where they are blank.
    fn decode(fields: &mut Reader<'_>) -> Decoded<Option<Self>> {
        let text = fields.ascii(TAG_CHARACTERS)?;
        fields.skip(2)?;
        let tag = Self { text, sequence: fields.u16()? };
        Ok((tag != Self::default()).then_some(tag))
    }

    fn encode(tag: Option<&Self>, writer: Writer) -> Writer {
        match tag {
            None => writer.zeros(TAG_CHARACTERS + 4),
            Some(tag) => writer.text(&tag.text, TAG_CHARACTERS, b' ').zeros(2).u16(tag.sequence),
        }
    }
}

/// What a changer knows of a drive (DVCID).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIdentifier {
    /// Code set, 4 bits: 2 for ASCII.
    pub code_set: u8,
    /// Its kind, 4 bits: 0 a serial number, 1 vendor, product and serial number.
    pub kind: u8,
    /// The identifier, 1 to 255 bytes.
    pub data: Vec<u8>,
}

/// A drive's name, taken from its identifier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriveIdentity {
    /// Serial number.
    pub serial: Option<String>,
    /// Vendor.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
}

impl DeviceIdentifier {
    /// The identifier that tells vendor, model and serial number; each is cut to its field of 8, 16 and 10 characters.
    pub fn of_drive(vendor: &str, model: &str, serial: &str) -> Self {
        let data = Writer::new().text(vendor, 8, b' ').text(model, 16, b' ').text(serial, 10, b' ');
        Self { code_set: 2, kind: 1, data: data.finish() }
    }

    /// What it says of a drive; nothing where it is of another kind or length.
    pub fn identity(&self) -> DriveIdentity {
        let mut fields = Reader::new(WHAT, &self.data);
        match (self.code_set, self.kind, self.data.len()) {
            (2, 0, length) => {
                DriveIdentity { serial: fields.ascii(length).ok(), ..Default::default() }
            }
            (2, 1, IDENTITY_BYTES) => DriveIdentity {
                vendor: fields.ascii(8).ok(),
                model: fields.ascii(16).ok(),
                serial: fields.ascii(10).ok(),
            },
            _ => DriveIdentity::default(),
        }
    }

    /// Decodes what is behind the tags; what makes no sense counts as nothing.
    fn decode(mut fields: Reader<'_>) -> Option<Self> {
        let (code_set, kind) = (fields.u8().ok()? & 0xF, fields.u8().ok()? & 0xF);
        fields.skip(1).ok()?;
        let length = usize::from(fields.u8().ok()?);
        let data = fields.bytes(length).ok()?.to_vec();
        (!data.is_empty()).then_some(Self { code_set, kind, data })
    }

    fn encode(&self, writer: Writer) -> Writer {
        let header = writer.u8(self.code_set & 0xF).u8(self.kind & 0xF).u8(0);
        header.u8(self.data.len() as u8).bytes(&self.data)
    }
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its address.
    pub address: u16,
    /// A medium lies there (FULL).
    pub full: bool,
    /// An operator put the medium there (IMPEXP).
    pub by_operator: bool,
    /// Its state is not normal (EXCEPT); the additional sense code tells why.
    pub exception: bool,
    /// The robot reaches it (ACCESS); at a drive, the medium is ejected.
    pub accessible: bool,
    /// Media can be exported there (EXENAB).
    pub export_enabled: bool,
    /// Media can be imported there (INENAB).
    pub import_enabled: bool,
    /// Additional sense code and qualifier.
    pub sense_code: (u8, u8),
    /// Bytes 6 and 7 of a drive: which parts are valid, and its old bus address.
    pub bus: u16,
    /// Where its medium came from (SVALID).
    pub source: Option<u16>,
    /// The medium was turned over (INVERT).
    pub inverted: bool,
    /// It is switched off (ED).
    pub disabled: bool,
    /// Medium type, 3 bits: 1 data, 2 cleaning, 0 not told.
    pub medium_type: u8,
    /// Its medium's bar code.
    pub tag: Option<TagField>,
    /// The bar code of the other side.
    pub alternate_tag: Option<TagField>,
    /// Identifier of a drive.
    pub identifier: Option<DeviceIdentifier>,
}

impl Element {
    /// An accessible element with nothing in it.
    pub fn empty(address: u16) -> Self {
        Self { address, accessible: true, ..Default::default() }
    }

    /// An accessible element with a medium in it.
    pub fn with_medium(address: u16, tag: &str) -> Self {
        let tag = Some(TagField { text: tag.to_owned(), sequence: 0 });
        Self { full: true, tag, ..Self::empty(address) }
    }

    /// What lies there. A bar code that no medium of ours could have counts as one that could not be read.
    pub fn content(&self) -> ElementContent {
        if !self.full {
            return ElementContent::Empty;
        }
        let tag = self.tag.as_ref().and_then(|tag| VolumeTag::new(&tag.text));
        tag.map_or(ElementContent::Full, ElementContent::VolumeTag)
    }

    /// Decodes one descriptor of a page.
    pub(super) fn decode(page: &StatusPage, mut fields: Reader<'_>) -> Decoded<Self> {
        let (address, bits) = (fields.u16()?, fields.u8()?);
        fields.skip(1)?;
        let sense_code = (fields.u8()?, fields.u8()?);
        let bus = fields.u16()?;
        fields.skip(1)?;
        let (medium_bits, source) = (fields.u8()?, fields.u16()?);
        let mut element = Self {
            address,
            sense_code,
            bus,
            source: (medium_bits & 0x80 != 0).then_some(source),
            inverted: medium_bits & 0x40 != 0,
            disabled: medium_bits & 0x08 != 0,
            medium_type: medium_bits & 7,
            ..Self::of_flags(bits)
        };
        if page.primary_tags {
            element.tag = TagField::decode(&mut fields)?;
        }
        if page.alternate_tags {
            element.alternate_tag = TagField::decode(&mut fields)?;
        }
        element.identifier = DeviceIdentifier::decode(fields);
        Ok(element)
    }

    fn of_flags(bits: u8) -> Self {
        Self {
            full: bits & 0x01 != 0,
            by_operator: bits & 0x02 != 0,
            exception: bits & 0x04 != 0,
            accessible: bits & 0x08 != 0,
            export_enabled: bits & 0x10 != 0,
            import_enabled: bits & 0x20 != 0,
            ..Default::default()
        }
    }

    fn flags(&self) -> u8 {
        flags(&[
            (self.full, 0x01),
            (self.by_operator, 0x02),
            (self.exception, 0x04),
            (self.accessible, 0x08),
            (self.export_enabled, 0x10),
            (self.import_enabled, 0x20),
        ])
    }

    fn medium_bits(&self) -> u8 {
        let bits = [(self.source.is_some(), 0x80), (self.inverted, 0x40), (self.disabled, 0x08)];
        flags(&bits) | self.medium_type & 7
    }

    /// The fields of a descriptor on that page, without what fills it up.
    pub(super) fn encode(&self, page: &StatusPage) -> Vec<u8> {
        let mut writer = Writer::new()
            .u16(self.address)
            .u8(self.flags())
            .u8(0)
            .u8(self.sense_code.0)
            .u8(self.sense_code.1)
            .u16(self.bus)
            .u8(0)
            .u8(self.medium_bits())
            .u16(self.source.unwrap_or(0));
        if page.primary_tags {
            writer = TagField::encode(self.tag.as_ref(), writer);
        }
        if page.alternate_tags {
            writer = TagField::encode(self.alternate_tag.as_ref(), writer);
        }
        if let Some(identifier) = &self.identifier {
            writer = identifier.encode(writer);
        }
        writer.finish()
    }
}
