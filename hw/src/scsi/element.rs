//! READ ELEMENT STATUS data: what lies where in a library (spec scsi.md §12, SMC-3 §6.11).

mod descriptor;
#[cfg(test)]
mod tests;

pub use descriptor::{DeviceIdentifier, DriveIdentity, Element, TagField};

use super::cursor::{DecodeError, Decoded, Reader, Writer, flags};
use super::mode::ElementAddresses;

/// What these structures are called in messages.
pub(super) const WHAT: &str = "element status";

/// The kinds of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ElementType {
    /// A robot.
    Transport = 1,
    /// A slot inside.
    Storage = 2,
    /// A slot that an operator reaches.
    ImportExport = 3,
    /// A drive.
    Drive = 4,
}

impl ElementType {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Transport, Self::Storage, Self::ImportExport, Self::Drive];

    /// The type with that number.
    ///
    /// # Errors
    /// A number outside 1 to 4.
    pub fn from_number(number: u8) -> Decoded<Self> {
        let found = Self::ALL.into_iter().find(|kind| *kind as u8 == number);
        found.ok_or_else(|| {
            DecodeError::field(WHAT, format!("unknown element type code {number:#04x}"))
        })
    }

    /// What messages call them.
    fn plural(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Storage => "storage",
            Self::ImportExport => "import/export",
            Self::Drive => "drive",
        }
    }
}

/// Elements of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPage {
    /// Their type.
    pub kind: ElementType,
    /// Whether they tell bar codes (PVolTag).
    pub primary_tags: bool,
    /// Whether they tell those of the other side (AVolTag).
    pub alternate_tags: bool,
    /// Bytes of each descriptor, at least as many as its fields have.
    pub descriptor_bytes: u16,
    /// The elements.
    pub elements: Vec<Element>,
}

impl StatusPage {
    /// A page that tells bar codes, or identifiers, or both, with descriptors as long as that needs.
    pub fn new(kind: ElementType, tags: bool, elements: Vec<Element>) -> Self {
        let mut page =
            Self { kind, primary_tags: tags, alternate_tags: false, descriptor_bytes: 0, elements };
        let lengths = page.elements.iter().map(|element| element.encode(&page).len());
        page.descriptor_bytes = lengths.max().unwrap_or(0) as u16;
        page
    }

    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let kind = ElementType::from_number(fields.u8()?)?;
        let bits = fields.u8()?;
        let descriptor_bytes = fields.u16()?;
        fields.skip(1)?;
        let length = fields.u24()? as usize;
        let mut descriptors = fields.part_at_most(length);
        let mut page = Self {
            kind,
            primary_tags: bits & 0x80 != 0,
            alternate_tags: bits & 0x40 != 0,
            descriptor_bytes,
            elements: Vec::new(),
        };
        if descriptor_bytes == 0 && descriptors.remaining() > 0 {
            return Err(DecodeError::field(WHAT, "descriptors without length"));
        }
        while descriptors.remaining() > 0 && descriptors.remaining() >= descriptor_bytes.into() {
            let descriptor = descriptors.part(descriptor_bytes.into())?;
            page.elements.push(Element::decode(&page, descriptor)?);
        }
        Ok(page)
    }

    fn encode(&self, writer: Writer) -> Writer {
        let length = usize::from(self.descriptor_bytes);
        let header = writer
            .u8(self.kind as u8)
            .u8(flags(&[(self.primary_tags, 0x80), (self.alternate_tags, 0x40)]))
            .u16(self.descriptor_bytes)
            .u8(0)
            .u24((length * self.elements.len()) as u32);
        self.elements.iter().fold(header, |writer, element| {
            let mut descriptor = element.encode(self);
            descriptor.resize(length, 0);
            writer.bytes(&descriptor)
        })
    }
}

/// All that one READ ELEMENT STATUS brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElementStatus {
    /// One page or more for each type; none is empty.
    pub pages: Vec<StatusPage>,
}

impl ElementStatus {
    /// Decodes the answer to a request for the elements from `first` on.
    ///
    /// # Errors
    /// Elements below `first`, `wrong amount of data` where there are fewer bytes than announced, an unknown type,
    /// descriptors that are too short for their fields. More bytes than announced and a last descriptor that is cut
    /// are ignored.
    pub fn decode(bytes: &[u8], first: u16) -> Decoded<Self> {
        let mut fields = Reader::new(WHAT, bytes);
        let (lowest, count) = (fields.u16()?, fields.u16()?);
        fields.skip(1)?;
        let length = fields.u24()? as usize;
        if count == 0 {
            return Ok(Self::default());
        }
        if lowest < first {
            let reason = format!("got wrong first element address ({lowest} < {first})");
            return Err(DecodeError::field(WHAT, reason));
        }
        if length > fields.remaining() {
            let reason = format!("wrong amount of data ({} of {length} bytes)", fields.remaining());
            return Err(DecodeError::field(WHAT, reason));
        }
        Self::decode_pages(fields.part(length)?)
    }

    fn decode_pages(mut fields: Reader<'_>) -> Decoded<Self> {
        let mut pages = Vec::new();
        while fields.remaining() > 0 {
            let page = StatusPage::decode(&mut fields)?;
            if !page.elements.is_empty() {
                pages.push(page);
            }
        }
        Ok(Self { pages })
    }

    /// Encodes the answer.
    pub fn encode(&self) -> Vec<u8> {
        let one = |writer: Writer, page: &StatusPage| page.encode(writer);
        let pages = self.pages.iter().fold(Writer::new(), one).finish();
        let lowest = self.elements().map(|(_, element)| element.address).min().unwrap_or(0);
        Writer::new()
            .u16(lowest)
            .u16(self.elements().count() as u16)
            .u8(0)
            .u24(pages.len() as u32)
            .bytes(&pages)
            .finish()
    }

    /// All elements with their types.
    pub fn elements(&self) -> impl Iterator<Item = (ElementType, &Element)> {
        self.pages.iter().flat_map(|page| page.elements.iter().map(|element| (page.kind, element)))
    }

    /// Where to ask on: behind the last element, if a request from `start` on brought as many as it allowed.
    ///
    /// # Errors
    /// `got strange element address` where the last element lies in front of `start`.
    pub fn continue_at(&self, start: u16, count_max: u16) -> Decoded<Option<u16>> {
        let Some((_, last)) = self.elements().last() else { return Ok(None) };
        if last.address < start {
            return Err(DecodeError::field(WHAT, "got strange element address"));
        }
        let full = self.elements().count() >= usize::from(count_max);
        Ok(if full { last.address.checked_add(1) } else { None })
    }

    /// That there are as many elements of each type as the changer has assigned addresses to, and that a library
    /// without slots or drives is none.
    ///
    /// # Errors
    /// `got wrong number of … elements`, no slot, no drive.
    pub fn check_counts(&self, addresses: &ElementAddresses) -> Decoded<()> {
        for (kind, assigned) in [
            (ElementType::Transport, addresses.transport.count),
            (ElementType::Storage, addresses.storage.count),
            (ElementType::ImportExport, addresses.import_export.count),
            (ElementType::Drive, addresses.drives.count),
        ] {
            let count = self.elements().filter(|(found, _)| *found == kind).count();
            if count != usize::from(assigned) {
                let name = kind.plural();
                let reason = format!("got wrong number of {name} elements ({count} of {assigned})");
                return Err(DecodeError::field(WHAT, reason));
            }
        }
        match (addresses.drives.count, addresses.storage.count) {
            (0, _) => Err(DecodeError::field(WHAT, "no data transfer elements reported")),
            (_, 0) => Err(DecodeError::field(WHAT, "no storage elements reported")),
            _ => Ok(()),
        }
    }
}
