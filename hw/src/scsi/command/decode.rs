//! CDBs to commands.

use super::{CdbForm, Command, DeviceType, ElementFilter, LocateTarget, PageControl, SpaceCode};
use crate::scsi::cdb::{Cdb, cdb_length};

impl Command {
    /// The command that a CDB is to a device of that type; `None` for one that such a device does not know or
    /// that is too short. Reserved bits are not looked at.
    pub fn from_cdb(device: DeviceType, cdb: &Cdb) -> Option<Self> {
        if cdb.as_bytes().len() < cdb_length(cdb.opcode()) {
            return None;
        }
        let own = match device {
            DeviceType::Tape => Self::of_tape(cdb),
            DeviceType::Changer => Self::of_changer(cdb),
        };
        own.or_else(|| Self::of_any(cdb))
    }

    fn of_any(cdb: &Cdb) -> Option<Self> {
        Some(match cdb.opcode() {
            0x00 => Self::TestUnitReady,
            0x03 => Self::RequestSense { descriptor: cdb.bit(1, 0x01), allocation: cdb.byte(4) },
            0x12 => Self::Inquiry {
                page: cdb.bit(1, 0x01).then(|| cdb.byte(2)),
                allocation: cdb.u16(3),
            },
            0x15 | 0x55 => Self::mode_select(cdb),
            0x16 => Self::Reserve(CdbForm::Six),
            0x56 => Self::Reserve(CdbForm::Ten),
            0x17 => Self::Release(CdbForm::Six),
            0x57 => Self::Release(CdbForm::Ten),
            0x1A | 0x5A => Self::mode_sense(cdb),
            0x1C => Self::ReceiveDiagnostic { page: cdb.byte(2), allocation: cdb.u16(3) },
            0x1D => Self::SendDiagnostic { self_test: cdb.bit(1, 0x04), length: cdb.u16(3) },
            0x1E => Self::PreventRemoval { prevent: cdb.bit(4, 0x01) },
            0x4C => Self::LogSelect {
                reset: cdb.bit(1, 0x02),
                control: cdb.byte(2) >> 6,
                page: cdb.byte(2) & 0x3F,
                subpage: cdb.byte(3),
                length: cdb.u16(7),
            },
            0x4D => Self::LogSense {
                control: cdb.byte(2) >> 6,
                page: cdb.byte(2) & 0x3F,
                subpage: cdb.byte(3),
                pointer: cdb.u16(5),
                allocation: cdb.u16(7),
            },
            0x5E => Self::PersistentReserveIn {
                service_action: cdb.byte(1) & 0x1F,
                allocation: cdb.u16(7),
            },
            0x5F => Self::PersistentReserveOut {
                service_action: cdb.byte(1) & 0x1F,
                scope_type: cdb.byte(2),
                length: cdb.u32(5),
            },
            0xA0 => Self::ReportLuns { select: cdb.byte(2), allocation: cdb.u32(6) },
            0xA3 if cdb.byte(1) & 0x1F == 0x0C => Self::ReportSupportedOpcodes {
                timeouts: cdb.bit(2, 0x80),
                options: cdb.byte(2) & 7,
                opcode: cdb.byte(3),
                service_action: cdb.u16(4),
                allocation: cdb.u32(6),
            },
            _ => return None,
        })
    }

    fn mode_sense(cdb: &Cdb) -> Self {
        let (form, allocation) = match cdb.opcode() {
            0x1A => (CdbForm::Six, u16::from(cdb.byte(4))),
            _ => (CdbForm::Ten, cdb.u16(7)),
        };
        Self::ModeSense {
            form,
            no_descriptor: cdb.bit(1, 0x08),
            control: PageControl::from_bits(cdb.byte(2) >> 6),
            page: cdb.byte(2) & 0x3F,
            subpage: cdb.byte(3),
            allocation,
        }
    }

    fn mode_select(cdb: &Cdb) -> Self {
        let (form, length) = match cdb.opcode() {
            0x15 => (CdbForm::Six, u16::from(cdb.byte(4))),
            _ => (CdbForm::Ten, cdb.u16(7)),
        };
        let (page_format, save) = (cdb.bit(1, 0x10), cdb.bit(1, 0x01));
        Self::ModeSelect { form, page_format, save, length }
    }

    fn of_tape(cdb: &Cdb) -> Option<Self> {
        let immediate = cdb.bit(1, 0x01);
        Some(match cdb.opcode() {
            0x01 => Self::Rewind { immediate },
            0x04 => Self::FormatMedium {
                immediate,
                verify: cdb.bit(1, 0x02),
                format: cdb.byte(2) & 0xF,
                length: cdb.u16(3),
            },
            0x05 => Self::ReadBlockLimits,
            0x08 => Self::Read {
                fixed: cdb.bit(1, 0x01),
                suppress_length: cdb.bit(1, 0x02),
                length: cdb.u24(2),
            },
            0x0A => Self::Write { fixed: cdb.bit(1, 0x01), length: cdb.u24(2) },
            0x10 => Self::WriteFilemarks { immediate, count: cdb.u24(2) },
            0x11 => Self::Space6 {
                code: SpaceCode::from_bits(cdb.byte(1)),
                count: ((cdb.u24(2) << 8) as i32) >> 8,
            },
            0x13 => Self::Verify { flags: cdb.byte(1), length: cdb.u24(2) },
            0x19 => Self::Erase { immediate: cdb.bit(1, 0x02), long: cdb.bit(1, 0x01) },
            0x1B => Self::LoadUnload {
                immediate,
                hold: cdb.bit(4, 0x08),
                end_of_tape: cdb.bit(4, 0x04),
                retension: cdb.bit(4, 0x02),
                load: cdb.bit(4, 0x01),
            },
            0x2B => Self::Locate10 { immediate, object: cdb.u32(3) },
            0x34 => {
                Self::ReadPosition { service_action: cdb.byte(1) & 0x1F, allocation: cdb.u16(7) }
            }
            0x44 => Self::ReportDensitySupport { medium: cdb.bit(1, 0x01), allocation: cdb.u16(7) },
            0x82 => Self::AllowOverwrite {
                allow: cdb.byte(2) & 0xF,
                partition: cdb.byte(3),
                object: cdb.uint(4, 8),
            },
            0x8C => Self::ReadAttribute {
                service_action: cdb.byte(1) & 0x1F,
                partition: cdb.byte(7),
                first: cdb.u16(8),
                allocation: cdb.u32(10),
            },
            0x8D => Self::WriteAttribute {
                write_through: cdb.bit(1, 0x01),
                partition: cdb.byte(7),
                length: cdb.u32(10),
            },
            0x91 => Self::Space16 {
                code: SpaceCode::from_bits(cdb.byte(1)),
                count: cdb.uint(4, 8) as i64,
            },
            0x92 => Self::locate_16(cdb),
            0xA2 => Self::SecurityProtocolIn {
                protocol: cdb.byte(1),
                page: cdb.u16(2),
                allocation: cdb.u32(6),
            },
            0xB5 => Self::SecurityProtocolOut {
                protocol: cdb.byte(1),
                page: cdb.u16(2),
                length: cdb.u32(6),
            },
            0xA3 | 0xA4 => return Self::maintenance(cdb),
            _ => return None,
        })
    }

    fn locate_16(cdb: &Cdb) -> Self {
        let number = cdb.uint(4, 8);
        Self::Locate16 {
            immediate: cdb.bit(1, 0x01),
            partition: cdb.bit(1, 0x02).then(|| cdb.byte(3)),
            target: match cdb.byte(1) >> 3 & 7 {
                0 => LocateTarget::Object(number),
                1 => LocateTarget::File(number),
                3 => LocateTarget::EndOfData,
                other => LocateTarget::Other(other, number),
            },
        }
    }

    fn maintenance(cdb: &Cdb) -> Option<Self> {
        Some(match (cdb.opcode(), cdb.byte(1) & 0x1F) {
            (0xA3, 0x1D) => Self::ReceiveAccessOrder {
                limits: cdb.bit(1, 0x80),
                offset: cdb.u32(2),
                kind: cdb.byte(10) & 7,
                allocation: cdb.u32(6),
            },
            (0xA3, 0x1F) if cdb.byte(2) == 0x45 => Self::ReadEndOfWrapPosition {
                wrap: cdb.bit(3, 0x01).then(|| cdb.byte(5)),
                all: cdb.bit(3, 0x02),
                allocation: cdb.u32(6),
            },
            (0xA4, 0x1D) => Self::GenerateAccessOrder {
                process: cdb.byte(2) & 7,
                kind: cdb.byte(3) & 7,
                length: cdb.u32(6),
            },
            _ => return None,
        })
    }

    fn of_changer(cdb: &Cdb) -> Option<Self> {
        Some(match cdb.opcode() {
            0x07 => Self::InitializeElementStatus,
            0x37 | 0xE7 => Self::InitializeElementStatusWithRange {
                range: cdb.bit(1, 0x01),
                fast: cdb.bit(1, 0x02),
                first: cdb.u16(2),
                count: cdb.u16(6),
            },
            0x1B => Self::OpenCloseImportExport { element: cdb.u16(2), action: cdb.byte(4) & 0x1F },
            0x2B => Self::PositionToElement { transport: cdb.u16(2), destination: cdb.u16(4) },
            0xA5 => Self::MoveMedium {
                transport: cdb.u16(2),
                source: cdb.u16(4),
                destination: cdb.u16(6),
                invert: cdb.bit(10, 0x01),
            },
            0xA6 => Self::ExchangeMedium {
                transport: cdb.u16(2),
                source: cdb.u16(4),
                destination: cdb.u16(6),
                second_destination: cdb.u16(8),
            },
            0xB5 => Self::RequestVolumeElementAddress {
                element_type: cdb.byte(1) & 0xF,
                first: cdb.u16(2),
                count: cdb.u16(4),
                allocation: cdb.u24(7),
            },
            0xB8 => Self::ReadElementStatus {
                volume_tags: cdb.bit(1, 0x10),
                filter: match cdb.byte(1) & 0xF {
                    0 => ElementFilter::All,
                    kind => ElementFilter::Type(kind),
                },
                first: cdb.u16(2),
                count: cdb.u16(4),
                current_data: cdb.bit(6, 0x02),
                device_ids: cdb.bit(6, 0x01),
                allocation: cdb.u24(7),
            },
            _ => return None,
        })
    }
}
