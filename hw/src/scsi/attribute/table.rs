//! The attributes that have a meaning here (SPC-5 §7.4, and some of LTO vendors).

use crate::scsi::attribute::AttributeFormat;

/// How the value of an attribute is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// A number.
    Decimal,
    /// Hexadecimal digits.
    Binary,
    /// ASCII.
    Ascii,
    /// UTF-8.
    Text,
    /// TapeAlert flags, flag 1 the lowest bit.
    Alerts,
}

/// What is known of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeInfo {
    /// Its identifier.
    pub id: u16,
    /// Bytes of its value; 0 where it may have any.
    pub length: usize,
    /// How it is shown.
    pub rendering: Rendering,
    /// The name that PBS prints.
    pub name: &'static str,
}

impl AttributeInfo {
    const fn new(id: u16, length: usize, rendering: Rendering, name: &'static str) -> Self {
        Self { id, length, rendering, name }
    }

    /// The attribute with that identifier.
    pub fn find(id: u16) -> Option<&'static Self> {
        let found = ATTRIBUTES.binary_search_by_key(&id, |info| info.id).ok()?;
        ATTRIBUTES.get(found)
    }

    /// The format that its values have on the wire.
    pub fn format(&self) -> AttributeFormat {
        match self.rendering {
            Rendering::Decimal | Rendering::Binary | Rendering::Alerts => AttributeFormat::Binary,
            Rendering::Ascii => AttributeFormat::Ascii,
            Rendering::Text => AttributeFormat::Text,
        }
    }
}

/// Ascending by identifier (spec scsi.md §8).
pub const ATTRIBUTES: &[AttributeInfo] = &[
    AttributeInfo::new(0x0000, 8, Rendering::Decimal, "Remaining Capacity In Partition"),
    AttributeInfo::new(0x0001, 8, Rendering::Decimal, "Maximum Capacity In Partition"),
    AttributeInfo::new(0x0002, 8, Rendering::Alerts, "Tapealert Flags"),
    AttributeInfo::new(0x0003, 8, Rendering::Decimal, "Load Count"),
    AttributeInfo::new(0x0004, 8, Rendering::Decimal, "MAM Space Remaining"),
    AttributeInfo::new(0x0005, 8, Rendering::Ascii, "Assigning Organization"),
    AttributeInfo::new(0x0006, 1, Rendering::Binary, "Formatted Density Code"),
    AttributeInfo::new(0x0007, 2, Rendering::Decimal, "Initialization Count"),
    AttributeInfo::new(0x0009, 4, Rendering::Binary, "Volume Change Reference"),
    AttributeInfo::new(0x020A, 40, Rendering::Ascii, "Device Vendor/Serial Number at Last Load"),
    AttributeInfo::new(0x020B, 40, Rendering::Ascii, "Device Vendor/Serial Number at Load-1"),
    AttributeInfo::new(0x020C, 40, Rendering::Ascii, "Device Vendor/Serial Number at Load-2"),
    AttributeInfo::new(0x020D, 40, Rendering::Ascii, "Device Vendor/Serial Number at Load-3"),
    AttributeInfo::new(0x0220, 8, Rendering::Decimal, "Total MBytes Written in Medium Life"),
    AttributeInfo::new(0x0221, 8, Rendering::Decimal, "Total MBytes Read In Medium Life"),
    AttributeInfo::new(0x0222, 8, Rendering::Decimal, "Total MBytes Written in Current Load"),
    AttributeInfo::new(0x0223, 8, Rendering::Decimal, "Total MBytes Read in Current/Last Load"),
    AttributeInfo::new(0x0224, 8, Rendering::Binary, "Logical Position of First Encrypted Block"),
    AttributeInfo::new(
        0x0225,
        8,
        Rendering::Binary,
        "Logical Position of First Unencrypted Block After the First Encrypted Block",
    ),
    AttributeInfo::new(0x0400, 8, Rendering::Ascii, "Medium Manufacturer"),
    AttributeInfo::new(0x0401, 32, Rendering::Ascii, "Medium Serial Number"),
    AttributeInfo::new(0x0402, 4, Rendering::Decimal, "Medium Length"),
    AttributeInfo::new(0x0403, 4, Rendering::Decimal, "Medium Width"),
    AttributeInfo::new(0x0404, 8, Rendering::Ascii, "Assigning Organization"),
    AttributeInfo::new(0x0405, 1, Rendering::Binary, "Medium Density Code"),
    AttributeInfo::new(0x0406, 8, Rendering::Ascii, "Medium Manufacture Date"),
    AttributeInfo::new(0x0407, 8, Rendering::Decimal, "MAM Capacity"),
    AttributeInfo::new(0x0408, 1, Rendering::Binary, "Medium Type"),
    AttributeInfo::new(0x0409, 2, Rendering::Binary, "Medium Type Information"),
    AttributeInfo::new(0x040B, 10, Rendering::Binary, "Supported Density Codes"),
    AttributeInfo::new(0x0800, 8, Rendering::Ascii, "Application Vendor"),
    AttributeInfo::new(0x0801, 32, Rendering::Ascii, "Application Name"),
    AttributeInfo::new(0x0802, 8, Rendering::Ascii, "Application Version"),
    AttributeInfo::new(0x0803, 160, Rendering::Text, "User Medium Text Label"),
    AttributeInfo::new(0x0804, 12, Rendering::Ascii, "Date And Time Last Written"),
    AttributeInfo::new(0x0805, 1, Rendering::Binary, "Text Localization Identifier"),
    AttributeInfo::new(0x0806, 32, Rendering::Ascii, "Barcode"),
    AttributeInfo::new(0x0807, 80, Rendering::Ascii, "Owning Host Textual Name"),
    AttributeInfo::new(0x0808, 160, Rendering::Text, "Media Pool"),
    AttributeInfo::new(0x080B, 16, Rendering::Ascii, "Application Format Version"),
    AttributeInfo::new(0x080C, 0, Rendering::Binary, "Volume Coherency Information"),
    AttributeInfo::new(0x0820, 36, Rendering::Binary, "Medium Globally Unique Identifier"),
    AttributeInfo::new(0x0821, 36, Rendering::Binary, "Media Pool Globally Unique Identifier"),
    AttributeInfo::new(0x1000, 28, Rendering::Binary, "Unique Cartridge Identify (UCI)"),
    AttributeInfo::new(
        0x1001,
        24,
        Rendering::Binary,
        "Alternate Unique Cartridge Identify (Alt-UCI)",
    ),
];
