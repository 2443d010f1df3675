//! Log pages: what devices counted and how they are (spec scsi.md §7, SPC-5 §7.3).
//!
//! A page is a list of parameters; [`LogPage`] is any of them, the other types are those whose parameters we use.

mod counters;
mod status;
mod volume;

pub use counters::{ErrorCounters, PerformanceData, SequentialAccess, TapeCapacity};
pub use status::{
    DeviceActivity, DeviceStatus, decode_alert_response, decode_alerts, encode_alert_response,
    encode_alerts,
};
pub use volume::VolumeStatisticsPage;

use super::cursor::{DecodeError, Decoded, Reader, Writer};

/// Codes of pages.
pub mod page {
    /// The pages that there are.
    pub const SUPPORTED: u8 = 0x00;
    /// Errors on writing.
    pub const WRITE_ERRORS: u8 = 0x02;
    /// Errors on reading.
    pub const READ_ERRORS: u8 = 0x03;
    /// Sequential-access device.
    pub const SEQUENTIAL_ACCESS: u8 = 0x0C;
    /// DT device status.
    pub const DEVICE_STATUS: u8 = 0x11;
    /// TapeAlert response, whose reading clears nothing.
    pub const ALERT_RESPONSE: u8 = 0x12;
    /// Device statistics.
    pub const DEVICE_STATISTICS: u8 = 0x14;
    /// Volume statistics.
    pub const VOLUME_STATISTICS: u8 = 0x17;
    /// TapeAlert, whose reading clears the flags.
    pub const ALERTS: u8 = 0x2E;
    /// Tape capacity.
    pub const TAPE_CAPACITY: u8 = 0x31;
    /// Performance data of HP drives.
    pub const PERFORMANCE_DATA: u8 = 0x34;
    /// Device status of HP drives.
    pub const VENDOR_DEVICE_STATUS: u8 = 0x3E;
}

/// What these structures are called in messages.
const WHAT: &str = "log page";

/// The control byte of a counter: binary, not to be saved, never reset by itself.
const BINARY_LIST: u8 = 0x03;

/// The control byte of a text.
const ASCII_LIST: u8 = 0x01;

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogParameter {
    /// Its code.
    pub code: u16,
    /// Its control byte: format in bits 1-0, DU, TSD, ETC, TMC.
    pub control: u8,
    /// Its value, at most 255 bytes.
    pub value: Vec<u8>,
}

impl LogParameter {
    /// A number of `width` bytes, or of as many as it needs.
    fn number(code: u16, value: u64, width: usize) -> Self {
        let bytes = value.to_be_bytes();
        let needed = 8 - value.leading_zeros() as usize / 8;
        let value = bytes[8 - width.clamp(needed.max(1), 8)..].to_vec();
        Self { code, control: BINARY_LIST, value }
    }

    /// A text of `width` characters, or of as many as it has.
    fn text(code: u16, text: &str, width: usize) -> Self {
        let value = Writer::new().text(text, width.max(text.len()), b' ').finish();
        Self { code, control: ASCII_LIST, value }
    }

    /// The value as a number.
    ///
    /// # Errors
    /// `invalid counter size` where it has no bytes or more than eight.
    pub fn counter(&self) -> Decoded<u64> {
        match self.value.len() {
            length @ 1..=8 => Reader::new(WHAT, &self.value).uint(length),
            length => Err(DecodeError::field(WHAT, format!("invalid counter size ({length})"))),
        }
    }

    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let (code, control) = (fields.u16()?, fields.u8()?);
        let length = usize::from(fields.u8()?);
        Ok(Self { code, control, value: fields.bytes(length)?.to_vec() })
    }

    fn encode(&self, writer: Writer) -> Writer {
        let header = writer.u16(self.code).u8(self.control).u8(self.value.len() as u8);
        header.bytes(&self.value)
    }
}

/// Any page that consists of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// Page code, 6 bits.
    pub page: u8,
    /// Subpage, for the form that has one.
    pub subpage: Option<u8>,
    /// The parameters, by ascending code.
    pub parameters: Vec<LogParameter>,
}

impl LogPage {
    /// A page without subpage.
    pub fn new(page: u8, parameters: Vec<LogParameter>) -> Self {
        Self { page, subpage: None, parameters }
    }

    /// Decodes a page.
    ///
    /// # Errors
    /// Fewer bytes than announced, a parameter that goes beyond the end. More bytes than announced are cut off.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let (page, subpage, mut fields) = open(bytes)?;
        let mut parameters = Vec::new();
        while fields.remaining() > 0 {
            parameters.push(LogParameter::decode(&mut fields)?);
        }
        Ok(Self { page, subpage, parameters })
    }

    /// Decodes the page that was asked for.
    ///
    /// # Errors
    /// `wrong page code`; what [`LogPage::decode`] refuses.
    pub fn decode_page(bytes: &[u8], page: u8) -> Decoded<Self> {
        match Self::decode(bytes)? {
            log if log.page == page => Ok(log),
            _ => Err(wrong_page_code()),
        }
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let parameters = self.parameters.iter();
        let content = parameters.fold(Writer::new(), |writer, one| one.encode(writer)).finish();
        close(self.page, self.subpage, &content)
    }

    /// The first parameter with that code.
    pub fn parameter(&self, code: u16) -> Option<&LogParameter> {
        self.parameters.iter().find(|parameter| parameter.code == code)
    }

    /// The value of a counter; `None` where the device does not have it.
    ///
    /// # Errors
    /// `invalid counter size`.
    pub fn counter(&self, code: u16) -> Decoded<Option<u64>> {
        self.parameter(code).map(LogParameter::counter).transpose()
    }
}

/// The pages that a device has (page 00h, or its subpage FFh, which tells subpages too).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SupportedPages {
    /// Whether subpages are told.
    pub with_subpages: bool,
    /// Page and subpage; subpages are 0 where they are not told.
    pub pages: Vec<(u8, u8)>,
}

impl SupportedPages {
    /// Decodes either form.
    ///
    /// # Errors
    /// `wrong page code`; fewer bytes than announced.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let (page, subpage, mut fields) = open(bytes)?;
        if page != page::SUPPORTED {
            return Err(wrong_page_code());
        }
        let with_subpages = subpage == Some(0xFF);
        let mut pages = Vec::new();
        while fields.remaining() > 0 {
            let page = fields.u8()? & 0x3F;
            pages.push((page, if with_subpages { fields.u8()? } else { 0 }));
        }
        Ok(Self { with_subpages, pages })
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let one = |writer: Writer, (page, subpage): &(u8, u8)| match self.with_subpages {
            true => writer.u8(page & 0x3F).u8(*subpage),
            false => writer.u8(page & 0x3F),
        };
        let content = self.pages.iter().fold(Writer::new(), one).finish();
        close(page::SUPPORTED, self.with_subpages.then_some(0xFF), &content)
    }

    /// Whether the device has a page.
    pub fn has(&self, page: u8) -> bool {
        self.pages.iter().any(|(known, _)| *known == page)
    }
}

/// Header and content of a page.
fn open(bytes: &[u8]) -> Decoded<(u8, Option<u8>, Reader<'_>)> {
    let mut fields = Reader::new(WHAT, bytes);
    let (first, second) = (fields.u8()?, fields.u8()?);
    let length = usize::from(fields.u16()?);
    let subpage = (first & 0x40 != 0).then_some(second);
    Ok((first & 0x3F, subpage, fields.part(length)?))
}

fn close(page: u8, subpage: Option<u8>, content: &[u8]) -> Vec<u8> {
    let form = if subpage.is_some() { 0x40 } else { 0 };
    let header = Writer::new().u8(form | page & 0x3F).u8(subpage.unwrap_or(0));
    header.u16(content.len() as u16).bytes(content).finish()
}

fn wrong_page_code() -> DecodeError {
    DecodeError::field(WHAT, "wrong page code")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    #[test]
    fn supported_pages_in_both_forms() {
        let plain = hex("00 00 0003 00 11 2E");
        let pages = SupportedPages::decode(&plain).unwrap();
        assert!(pages.has(0x11) && !pages.has(0x17));
        assert_eq!(pages.encode(), plain);
        let with_subpages = hex("40 FF 0004 00 FF 17 00");
        let pages = SupportedPages::decode(&with_subpages).unwrap();
        assert_eq!(pages.pages, [(0, 0xFF), (0x17, 0)]);
        assert_eq!(pages.encode(), with_subpages);
        assert!(SupportedPages::decode(&hex("11 00 0000")).is_err());
    }

    #[test]
    fn device_statistics_are_any_parameters() {
        let bytes = hex("14 00 0014 0000 03 08 000000000000000C 0001 03 04 00000007");
        let page = LogPage::decode_page(&bytes, page::DEVICE_STATISTICS).unwrap();
        assert_eq!(page.counter(0).unwrap(), Some(12));
        assert_eq!(page.counter(1).unwrap(), Some(7));
        assert_eq!(page.counter(2).unwrap(), None);
        assert_eq!(page.encode(), bytes);
        let refused = LogPage::decode_page(&bytes, 0x3E).unwrap_err();
        assert!(refused.to_string().contains("wrong page code"));
    }

    #[test]
    fn announced_length_decides() {
        let mut bytes = hex("02 00 0005 0000 03 01 07");
        assert!(LogPage::decode(&bytes[..8]).is_err());
        bytes.resize(512, 0);
        assert_eq!(LogPage::decode(&bytes).unwrap().parameters.len(), 1);
        bytes[3] = 6;
        assert!(LogPage::decode(&bytes).is_err(), "a parameter is cut");
    }

    #[test]
    fn counters_have_one_to_eight_bytes() {
        let counter = |value: Vec<u8>| LogParameter { code: 1, control: 3, value }.counter();
        assert_eq!(counter(vec![1, 0]).unwrap(), 256);
        for wrong in [0, 9] {
            let refused = counter(vec![0; wrong]).unwrap_err().to_string();
            assert!(refused.contains("invalid counter size"));
        }
        assert_eq!(LogParameter::number(1, 7, 4).value, [0, 0, 0, 7]);
        assert_eq!(LogParameter::number(1, 0x1_0000, 2).value, [1, 0, 0]);
        assert_eq!(LogParameter::number(1, u64::MAX, 0).value, [0xFF; 8]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(page in 0u8..64, content in proptest::collection::vec(any::<u8>(), 0..64)) {
            let bytes = close(page, None, &content);
            assert_round_trip(&bytes, LogPage::decode, LogPage::encode);
            assert_round_trip(&content, LogPage::decode, LogPage::encode);
            let supported = close(0, (page == 0).then_some(0xFF), &content);
            assert_round_trip(&supported, SupportedPages::decode, SupportedPages::encode);
        }

        #[test]
        fn numbers_come_back(value: u64, width in 0usize..10) {
            prop_assert_eq!(LogParameter::number(5, value, width).counter().unwrap(), value);
        }
    }
}
