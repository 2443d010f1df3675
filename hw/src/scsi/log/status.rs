//! How a drive is: DT device status and TapeAlert.

use std::fmt;

use super::{BINARY_LIST, LogPage, LogParameter, WHAT, page};
use crate::drive::TapeAlerts;
use crate::scsi::cursor::{DecodeError, Decoded, Reader, Writer};

/// What a drive is doing (ADC-3 §6.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeviceActivity {
    /// Nothing.
    NoActivity = 0x0,
    /// Being cleaned.
    Cleaning = 0x1,
    /// Loading a medium.
    Loading = 0x2,
    /// Unloading a medium.
    Unloading = 0x3,
    /// Something else with a medium.
    Other = 0x4,
    /// Reading.
    Reading = 0x5,
    /// Writing.
    Writing = 0x6,
    /// Locating.
    Locating = 0x7,
    /// Rewinding.
    Rewinding = 0x8,
    /// Erasing.
    Erasing = 0x9,
    /// Formatting.
    Formatting = 0xA,
    /// Calibrating: the first load of an LTO-9 medium takes up to two hours.
    Calibrating = 0xB,
    /// Something else without a medium.
    OtherDt = 0xC,
    /// Updating its firmware.
    MicrocodeUpdate = 0xD,
    /// Reading with encryption.
    ReadingEncrypted = 0xE,
    /// Writing with encryption.
    WritingEncrypted = 0xF,
}

impl DeviceActivity {
    /// All of them, by number.
    pub const ALL: [Self; 16] = [
        Self::NoActivity,
        Self::Cleaning,
        Self::Loading,
        Self::Unloading,
        Self::Other,
        Self::Reading,
        Self::Writing,
        Self::Locating,
        Self::Rewinding,
        Self::Erasing,
        Self::Formatting,
        Self::Calibrating,
        Self::OtherDt,
        Self::MicrocodeUpdate,
        Self::ReadingEncrypted,
        Self::WritingEncrypted,
    ];

    /// The activity with that number; there are none above 0Fh.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name that PBS prints, with its spelling of [`DeviceActivity::OtherDt`].
    pub fn name(self) -> &'static str {
        match self {
            Self::NoActivity => "no-activity",
            Self::Cleaning => "cleaning",
            Self::Loading => "loading",
            Self::Unloading => "unloading",
            Self::Other => "other",
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::Locating => "locating",
            Self::Rewinding => "rewinding",
            Self::Erasing => "erasing",
            Self::Formatting => "formatting",
            Self::Calibrating => "calibrating",
            Self::OtherDt => "other-d-t",
            Self::MicrocodeUpdate => "microcode-update",
            Self::ReadingEncrypted => "reading-encrypted",
            Self::WritingEncrypted => "writing-encrypted",
        }
    }
}

impl fmt::Display for DeviceActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// DT device status, page 11h: the very high frequency data, four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceStatus {
    /// Byte 0, whose lowest bit says that the data are valid: PAMR, HUI, MACC, CMPR, WRTP, CRQST, CRQRD, DINIT.
    pub flags: u8,
    /// Byte 1, about the medium: INXTN, RAA, MPRSNT, MSTD, MTHRD, MOUNTED.
    pub medium_flags: u8,
    /// What the drive is doing.
    pub activity: DeviceActivity,
    /// Byte 3, about the drive: what has changed since it was asked.
    pub device_flags: u8,
}

impl DeviceStatus {
    /// Bit of `flags`: the data are valid.
    pub const VALID: u8 = 0x01;
    /// Bit of `flags`: the drive must be cleaned before it goes on.
    pub const CLEANING_REQUIRED: u8 = 0x02;
    /// Bit of `flags`: the drive asks to be cleaned.
    pub const CLEANING_REQUESTED: u8 = 0x04;
    /// Bit of `flags`: the medium is write protected.
    pub const WRITE_PROTECTED: u8 = 0x08;

    /// Status of an activity and nothing else.
    pub fn of(activity: DeviceActivity) -> Self {
        Self { flags: Self::VALID, medium_flags: 0, activity, device_flags: 0 }
    }

    /// Whether the drive wants to be cleaned.
    pub fn wants_cleaning(&self) -> bool {
        self.flags & (Self::CLEANING_REQUIRED | Self::CLEANING_REQUESTED) != 0
    }

    /// Decodes page 11h.
    ///
    /// # Errors
    /// `missing page-valid parameter` without the parameter or its valid bit, `invalid page-valid parameter length`,
    /// an activity that does not exist, `wrong page code`.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let log = LogPage::decode_page(bytes, page::DEVICE_STATUS)?;
        let Some(parameter) = log.parameter(0x0000) else { return Err(missing()) };
        let Ok([flags, medium_flags, activity, device_flags]) =
            <[u8; 4]>::try_from(parameter.value.as_slice())
        else {
            return Err(DecodeError::field(WHAT, "invalid page-valid parameter length"));
        };
        if flags & Self::VALID == 0 {
            return Err(missing());
        }
        let activity = DeviceActivity::from_number(activity).ok_or_else(|| {
            DecodeError::field(WHAT, format!("unknown device activity {activity:#04x}"))
        })?;
        Ok(Self { flags, medium_flags, activity, device_flags })
    }

    /// Encodes page 11h, with that one parameter.
    pub fn encode(&self) -> Vec<u8> {
        let value = vec![self.flags, self.medium_flags, self.activity as u8, self.device_flags];
        let parameter = LogParameter { code: 0x0000, control: BINARY_LIST, value };
        LogPage::new(page::DEVICE_STATUS, vec![parameter]).encode()
    }
}

fn missing() -> DecodeError {
    DecodeError::field(WHAT, "missing page-valid parameter")
}

/// Decodes page 12h, TapeAlert response, whose reading clears nothing.
///
/// # Errors
/// `invalid page length` for another length than 12, `wrong page code`, another parameter than 0 of 8 bytes.
pub fn decode_alert_response(bytes: &[u8]) -> Decoded<TapeAlerts> {
    let (code, _, mut fields) = super::open(bytes)?;
    if code != page::ALERT_RESPONSE {
        return Err(super::wrong_page_code());
    }
    if fields.remaining() != 0x0C {
        return Err(DecodeError::field(WHAT, "invalid page length"));
    }
    let (parameter, _control, length) = (fields.u16()?, fields.u8()?, fields.u8()?);
    if (parameter, length) != (0x0000, 8) {
        return Err(DecodeError::field(WHAT, "invalid TapeAlert parameter"));
    }
    fields.u64().map(TapeAlerts::from_wire)
}

/// Encodes page 12h.
pub fn encode_alert_response(alerts: &TapeAlerts) -> Vec<u8> {
    let value = Writer::new().u64(alerts.to_wire()).finish();
    let parameter = LogParameter { code: 0x0000, control: BINARY_LIST, value };
    LogPage::new(page::ALERT_RESPONSE, vec![parameter]).encode()
}

/// Decodes page 2Eh, TapeAlert: one parameter for each flag. Its reading clears the flags.
///
/// # Errors
/// `wrong page code`, a flag without a byte.
pub fn decode_alerts(bytes: &[u8]) -> Decoded<TapeAlerts> {
    let log = LogPage::decode_page(bytes, page::ALERTS)?;
    let mut set = Vec::new();
    for parameter in &log.parameters {
        let value = Reader::new(WHAT, &parameter.value).u8()?;
        let flag = u8::try_from(parameter.code).ok().filter(|_| value & 1 != 0);
        set.extend(flag);
    }
    Ok(TapeAlerts::from_flags(&set))
}

/// Encodes page 2Eh: 64 parameters.
pub fn encode_alerts(alerts: &TapeAlerts) -> Vec<u8> {
    let parameter = |flag: u8| {
        let set = alerts.0 >> (flag - 1) & 1;
        LogParameter::number(u16::from(flag), set, 1)
    };
    LogPage::new(page::ALERTS, (1..=64).map(parameter).collect()).encode()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    /// Recorded: `proxmox-tape status`, with a medium in an emulated drive and without.
    const WITH_MEDIUM: &str = "11000008 00000304 01810000";
    const WITHOUT_MEDIUM: &str = "11000008 00000304 01000000";
    const NO_ALERTS: &str = "1200000c 00000308 00000000 00000000";

    #[test]
    fn status_of_an_idle_drive() {
        for text in [WITH_MEDIUM, WITHOUT_MEDIUM] {
            let status = DeviceStatus::decode(&hex(text)).unwrap();
            assert_eq!(status.activity, DeviceActivity::NoActivity);
            assert!(!status.wants_cleaning());
            assert_eq!(status.encode(), hex(text));
        }
    }

    #[test]
    fn status_that_is_not_valid() {
        let refused = |text| DeviceStatus::decode(&hex(text)).unwrap_err().to_string();
        let missing = "missing page-valid parameter";
        assert!(refused("11000008 00000304 00810000").contains(missing));
        assert!(refused("11000000").contains(missing));
        assert!(refused("11000007 00000303 018100").contains("parameter length"));
        assert!(refused("11000008 00000304 01811000").contains("unknown device activity"));
        assert!(refused("12000000").contains("wrong page code"));
    }

    #[test]
    fn activities_keep_number_and_name() {
        for (number, activity) in (0..).zip(DeviceActivity::ALL) {
            assert_eq!(activity as u8, number);
            assert_eq!(DeviceActivity::from_number(number), Some(activity));
        }
        assert_eq!(DeviceActivity::from_number(16), None);
    }

    /// Spec scsi.md §16.
    #[test]
    fn alerts_of_page_12() {
        assert_eq!(encode_alert_response(&TapeAlerts::default()), hex(NO_ALERTS));
        let alerts = |text| decode_alert_response(&hex(text)).unwrap().to_string();
        assert_eq!(alerts(NO_ALERTS), "(empty)");
        assert_eq!(alerts("12 00 000C 0000 03 08 8000000000000000"), "READ_WARNING");
        let cleaning = alerts("12 00 000C 0000 03 08 0000180000000000");
        assert_eq!(cleaning, "CLEAN_NOW | CLEAN_PERIODIC");
    }

    #[test]
    fn page_12_of_another_length_is_refused() {
        let refused = |text| decode_alert_response(&hex(text)).unwrap_err().to_string();
        assert!(refused("12 00 000B 0000 03 07 80000000000000").contains("invalid page length"));
        assert!(refused("12 00 000C 0001 03 08 0000000000000000").contains("parameter"));
    }

    #[test]
    fn alerts_of_page_2e() {
        let bytes = encode_alerts(&TapeAlerts::from_flags(&[2, 64]));
        assert_eq!(bytes.len(), 4 + 64 * 5);
        assert_eq!(bytes[..14], hex("2E 00 0140 0001 03 01 00 0002 03 01 01"));
        let alerts = decode_alerts(&bytes).unwrap();
        assert_eq!(alerts.flags().collect::<Vec<_>>(), [2, 64]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..32), value: [u8; 8]) {
            assert_round_trip(&bytes, DeviceStatus::decode, DeviceStatus::encode);
            assert_round_trip(&bytes, decode_alerts, encode_alerts);
            let response = [hex("12 00 000C 0000 03 08"), value.to_vec()].concat();
            assert_round_trip(&response, decode_alert_response, encode_alert_response);
            let status = [hex("11 00 0008 0000 03 04"), value[..4].to_vec()].concat();
            assert_round_trip(&status, DeviceStatus::decode, DeviceStatus::encode);
            let alerts = [hex("2E 00 000D"), bytes].concat();
            assert_round_trip(&alerts, decode_alerts, encode_alerts);
        }
    }
}
