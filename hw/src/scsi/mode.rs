//! Mode parameters: header, block descriptor and pages of MODE SENSE and MODE SELECT (spec scsi.md §6, SPC-5 §7.5).
//!
//! MODE SENSE data announce their length and mark pages that can be saved (PS); MODE SELECT data do neither, so each
//! has its own encoder and decoder.

mod page;

pub use page::{
    Compression, ControlDataProtection, DeviceConfiguration, DeviceConfigurationExtension,
    ElementAddresses, ElementRange, MediumConfiguration, ModePage, PageContent,
};

use super::command::{CdbForm, DeviceType};
use super::cursor::{DecodeError, Decoded, Reader, Writer, flags};

/// Bytes of a block descriptor.
const DESCRIPTOR_BYTES: usize = 8;

/// What these structures are called in messages.
const WHAT: &str = "mode parameters";

/// The device-specific byte of the header, as tape drives use it (SSC-5 §8.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceSpecific {
    /// The medium is write protected (WP).
    pub write_protected: bool,
    /// Buffered mode, 3 bits: 0 answers when data are on the medium, 1 when they are in the buffer.
    pub buffered_mode: u8,
    /// Speed, 4 bits; 0 is the default.
    pub speed: u8,
}

impl DeviceSpecific {
    /// From the byte.
    pub fn from_byte(byte: u8) -> Self {
        Self { write_protected: byte & 0x80 != 0, buffered_mode: byte >> 4 & 7, speed: byte & 0xF }
    }

    /// The byte.
    pub fn to_byte(self) -> u8 {
        flags(&[(self.write_protected, 0x80)]) | (self.buffered_mode & 7) << 4 | self.speed & 0xF
    }
}

/// A block descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockDescriptor {
    /// Density code.
    pub density: u8,
    /// Blocks that it is about, 24 bits; 0 for all.
    pub blocks: u32,
    /// Block length in bytes, 24 bits; 0 in variable-block mode.
    pub block_length: u32,
}

impl BlockDescriptor {
    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let (density, blocks) = (fields.u8()?, fields.u24()?);
        fields.skip(1)?;
        Ok(Self { density, blocks, block_length: fields.u24()? })
    }

    fn encode(&self, writer: Writer) -> Writer {
        writer.u8(self.density).u24(self.blocks).u8(0).u24(self.block_length)
    }
}

/// All that one MODE SENSE or MODE SELECT carries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModeData {
    /// Medium type.
    pub medium_type: u8,
    /// The device-specific byte.
    pub device: DeviceSpecific,
    /// The block descriptor, where there is one.
    pub descriptor: Option<BlockDescriptor>,
    /// The pages.
    pub pages: Vec<ModePage>,
}

impl ModeData {
    /// Decodes MODE SENSE data.
    ///
    /// # Errors
    /// Fewer bytes than announced; a descriptor length other than 0 and 8; `wrong page length`. Bytes behind the
    /// announced ones are cut off.
    pub fn decode(form: CdbForm, device: DeviceType, bytes: &[u8]) -> Decoded<Self> {
        let mut length = Reader::new(WHAT, bytes);
        let announced = match form {
            CdbForm::Six => usize::from(length.u8()?),
            CdbForm::Ten => usize::from(length.u16()?),
        };
        Self::decode_rest(form, device, length.part(announced)?)
    }

    /// Decodes MODE SELECT data, whose length field means nothing.
    ///
    /// # Errors
    /// A descriptor length other than 0 and 8; `wrong page length`; a page that is cut.
    pub fn decode_select(form: CdbForm, device: DeviceType, bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new(WHAT, bytes);
        fields.skip(length_bytes(form))?;
        Self::decode_rest(form, device, fields)
    }

    fn decode_rest(form: CdbForm, device: DeviceType, mut fields: Reader<'_>) -> Decoded<Self> {
        let medium_type = fields.u8()?;
        let specific = DeviceSpecific::from_byte(fields.u8()?);
        let descriptor_length = match form {
            CdbForm::Six => u16::from(fields.u8()?),
            CdbForm::Ten => {
                fields.skip(2)?;
                fields.u16()?
            }
        };
        let descriptor = match descriptor_length {
            0 => None,
            8 => Some(BlockDescriptor::decode(&mut fields)?),
            other => {
                return Err(DecodeError::field(WHAT, format!("wrong descriptor length ({other})")));
            }
        };
        let mut pages = Vec::new();
        while fields.remaining() > 0 {
            pages.push(ModePage::decode(device, &mut fields)?);
        }
        Ok(Self { medium_type, device: specific, descriptor, pages })
    }

    /// Encodes it as MODE SENSE data, before they are cut to the allocation length. In the 6-byte form no more than
    /// 256 bytes can be announced.
    pub fn encode(&self, form: CdbForm) -> Vec<u8> {
        let rest = self.encode_rest(form, ModePage::encode);
        let length = match form {
            CdbForm::Six => Writer::new().u8(rest.len().min(0xFF) as u8),
            CdbForm::Ten => Writer::new().u16(rest.len().min(0xFFFF) as u16),
        };
        length.bytes(&rest).finish()
    }

    /// Encodes it as MODE SELECT data: the length is 0, and no page is marked as one that can be saved.
    pub fn encode_select(&self, form: CdbForm) -> Vec<u8> {
        let rest = self.encode_rest(form, ModePage::encode_select);
        Writer::new().zeros(length_bytes(form)).bytes(&rest).finish()
    }

    fn encode_rest(&self, form: CdbForm, page: fn(&ModePage, Writer) -> Writer) -> Vec<u8> {
        let descriptor_bytes = if self.descriptor.is_some() { DESCRIPTOR_BYTES } else { 0 };
        let mut writer = Writer::new().u8(self.medium_type).u8(self.device.to_byte());
        writer = match form {
            CdbForm::Six => writer.u8(descriptor_bytes as u8),
            CdbForm::Ten => writer.zeros(2).u16(descriptor_bytes as u16),
        };
        if let Some(descriptor) = &self.descriptor {
            writer = descriptor.encode(writer);
        }
        self.pages.iter().fold(writer, |writer, one| page(one, writer)).finish()
    }

    /// The content of the first page, which is the one that was asked for.
    fn first(&self) -> Option<&PageContent> {
        self.pages.first().map(|page| &page.content)
    }

    /// Page 0Fh.
    ///
    /// # Errors
    /// `wrong page code` where another page came first.
    pub fn compression(&self) -> Decoded<Compression> {
        match self.first() {
            Some(PageContent::Compression(page)) => Ok(*page),
            _ => Err(wrong_page_code()),
        }
    }

    /// Page 1Dh of a tape drive.
    ///
    /// # Errors
    /// `wrong page code` where another page came first.
    pub fn medium_configuration(&self) -> Decoded<MediumConfiguration> {
        match self.first() {
            Some(PageContent::MediumConfiguration(page)) => Ok(*page),
            _ => Err(wrong_page_code()),
        }
    }

    /// Page 0Ah, subpage F0h.
    ///
    /// # Errors
    /// `wrong page code` where another page came first.
    pub fn data_protection(&self) -> Decoded<ControlDataProtection> {
        match self.first() {
            Some(PageContent::ControlDataProtection(page)) => Ok(*page),
            _ => Err(wrong_page_code()),
        }
    }

    /// Page 1Dh of a changer.
    ///
    /// # Errors
    /// `wrong page code` where another page came first.
    pub fn element_addresses(&self) -> Decoded<ElementAddresses> {
        match self.first() {
            Some(PageContent::ElementAddresses(page)) => Ok(*page),
            _ => Err(wrong_page_code()),
        }
    }
}

fn length_bytes(form: CdbForm) -> usize {
    match form {
        CdbForm::Six => 1,
        CdbForm::Ten => 2,
    }
}

fn wrong_page_code() -> DecodeError {
    DecodeError::field(WHAT, "wrong page code")
}

#[cfg(test)]
mod tests;
