//! Commands to CDBs.

use super::{CdbForm, Command, ElementFilter, LocateTarget};
use crate::scsi::cdb::Cdb;
use crate::scsi::cursor::Writer;

impl Command {
    /// The CDB of the command.
    pub fn to_cdb(&self) -> Cdb {
        let fields = self
            .common()
            .or_else(|| self.settings())
            .or_else(|| self.reservation())
            .or_else(|| self.data())
            .or_else(|| self.motion())
            .or_else(|| self.medium())
            .or_else(|| self.changer());
        // A command that none of these knows would be asked nothing and move nothing.
        Cdb::padded(&fields.unwrap_or_else(test_unit_ready).finish())
    }

    fn common(&self) -> Option<Writer> {
        let cdb = Writer::new();
        Some(match *self {
            Self::TestUnitReady => test_unit_ready(),
            Self::RequestSense { descriptor, allocation } => {
                cdb.u8(0x03).u8(u8::from(descriptor)).zeros(2).u8(allocation)
            }
            Self::Inquiry { page, allocation } => {
                cdb.u8(0x12).u8(u8::from(page.is_some())).u8(page.unwrap_or(0)).u16(allocation)
            }
            Self::ReportLuns { select, allocation } => {
                cdb.u8(0xA0).u8(0).u8(select).zeros(3).u32(allocation)
            }
            Self::ReportSupportedOpcodes {
                timeouts,
                options,
                opcode,
                service_action,
                allocation,
            } => cdb
                .u8(0xA3)
                .u8(0x0C)
                .u8(u8::from(timeouts) << 7 | options & 7)
                .u8(opcode)
                .u16(service_action)
                .u32(allocation),
            Self::SendDiagnostic { self_test, length } => {
                cdb.u8(0x1D).u8(u8::from(self_test) << 2).u8(0).u16(length)
            }
            Self::ReceiveDiagnostic { page, allocation } => {
                cdb.u8(0x1C).u8(1).u8(page).u16(allocation)
            }
            Self::PreventRemoval { prevent } => cdb.u8(0x1E).zeros(3).u8(u8::from(prevent)),
            _ => return None,
        })
    }

    fn settings(&self) -> Option<Writer> {
        let cdb = Writer::new();
        Some(match *self {
            Self::ModeSense { form, no_descriptor, control, page, subpage, allocation } => {
                let head = |opcode| {
                    cdb.u8(opcode)
                        .u8(u8::from(no_descriptor) << 3)
                        .u8((control as u8) << 6 | page & 0x3F)
                        .u8(subpage)
                };
                match form {
                    CdbForm::Six => head(0x1A).u8(allocation as u8),
                    CdbForm::Ten => head(0x5A).zeros(3).u16(allocation),
                }
            }
            Self::ModeSelect { form, page_format, save, length } => {
                let flags = u8::from(page_format) << 4 | u8::from(save);
                match form {
                    CdbForm::Six => cdb.u8(0x15).u8(flags).zeros(2).u8(length as u8),
                    CdbForm::Ten => cdb.u8(0x55).u8(flags).zeros(5).u16(length),
                }
            }
            Self::LogSense { control, page, subpage, pointer, allocation } => cdb
                .u8(0x4D)
                .u8(0)
                .u8(control << 6 | page & 0x3F)
                .u8(subpage)
                .u8(0)
                .u16(pointer)
                .u16(allocation),
            Self::LogSelect { reset, control, page, subpage, length } => cdb
                .u8(0x4C)
                .u8(u8::from(reset) << 1)
                .u8(control << 6 | page & 0x3F)
                .u8(subpage)
                .zeros(3)
                .u16(length),
            _ => return None,
        })
    }

    fn reservation(&self) -> Option<Writer> {
        let cdb = Writer::new();
        Some(match *self {
            Self::Reserve(CdbForm::Six) => cdb.u8(0x16),
            Self::Reserve(CdbForm::Ten) => cdb.u8(0x56),
            Self::Release(CdbForm::Six) => cdb.u8(0x17),
            Self::Release(CdbForm::Ten) => cdb.u8(0x57),
            Self::PersistentReserveIn { service_action, allocation } => {
                cdb.u8(0x5E).u8(service_action & 0x1F).zeros(5).u16(allocation)
            }
            Self::PersistentReserveOut { service_action, scope_type, length } => {
                cdb.u8(0x5F).u8(service_action & 0x1F).u8(scope_type).zeros(2).u32(length)
            }
            _ => return None,
        })
    }

    fn data(&self) -> Option<Writer> {
        let cdb = Writer::new();
        Some(match *self {
            Self::Read { fixed, suppress_length, length } => {
                cdb.u8(0x08).u8(u8::from(suppress_length) << 1 | u8::from(fixed)).u24(length)
            }
            Self::Write { fixed, length } => cdb.u8(0x0A).u8(u8::from(fixed)).u24(length),
            Self::Verify { flags, length } => cdb.u8(0x13).u8(flags).u24(length),
            Self::WriteFilemarks { immediate, count } => {
                cdb.u8(0x10).u8(u8::from(immediate)).u24(count)
            }
            Self::FormatMedium { immediate, verify, format, length } => cdb
                .u8(0x04)
                .u8(u8::from(verify) << 1 | u8::from(immediate))
                .u8(format & 0xF)
                .u16(length),
            Self::Erase { immediate, long } => {
                cdb.u8(0x19).u8(u8::from(immediate) << 1 | u8::from(long))
            }
            Self::AllowOverwrite { allow, partition, object } => {
                cdb.u8(0x82).u8(0).u8(allow & 0xF).u8(partition).u64(object)
            }
            _ => return None,
        })
    }

    fn motion(&self) -> Option<Writer> {
        let cdb = Writer::new();
        Some(match *self {
            Self::Rewind { immediate } => cdb.u8(0x01).u8(u8::from(immediate)),
            Self::Space6 { code, count } => cdb.u8(0x11).u8(code.to_bits()).u24(count as u32),
            Self::Space16 { code, count } => {
                cdb.u8(0x91).u8(code.to_bits()).zeros(2).u64(count as u64)
            }
            Self::Locate10 { immediate, object } => {
                cdb.u8(0x2B).u8(u8::from(immediate)).u8(0).u32(object)
            }
            Self::Locate16 { immediate, partition, target } => {
                let (destination, number) = match target {
                    LocateTarget::Object(number) => (0, number),
                    LocateTarget::File(number) => (1, number),
                    LocateTarget::EndOfData => (3, 0),
                    LocateTarget::Other(kind, number) => (kind & 7, number),
                };
                let change = u8::from(partition.is_some()) << 1;
                cdb.u8(0x92)
                    .u8(destination << 3 | change | u8::from(immediate))
                    .u8(0)
                    .u8(partition.unwrap_or(0))
                    .u64(number)
            }
            Self::ReadPosition { service_action, allocation } => {
                cdb.u8(0x34).u8(service_action & 0x1F).zeros(5).u16(allocation)
            }
            Self::LoadUnload { immediate, hold, end_of_tape, retension, load } => {
                let flags = u8::from(hold) << 3
                    | u8::from(end_of_tape) << 2
                    | u8::from(retension) << 1
                    | u8::from(load);
                cdb.u8(0x1B).u8(u8::from(immediate)).zeros(2).u8(flags)
            }
            _ => return None,
        })
    }

    /// What tells of drive and medium, and sets how the medium is used.
    fn medium(&self) -> Option<Writer> {
        let cdb = Writer::new();
        Some(match *self {
            Self::ReadBlockLimits => cdb.u8(0x05),
            Self::ReportDensitySupport { medium, allocation } => {
                cdb.u8(0x44).u8(u8::from(medium)).zeros(5).u16(allocation)
            }
            Self::ReadAttribute { service_action, partition, first, allocation } => cdb
                .u8(0x8C)
                .u8(service_action & 0x1F)
                .zeros(5)
                .u8(partition)
                .u16(first)
                .u32(allocation),
            Self::WriteAttribute { write_through, partition, length } => {
                cdb.u8(0x8D).u8(u8::from(write_through)).zeros(5).u8(partition).zeros(2).u32(length)
            }
            Self::SecurityProtocolIn { protocol, page, allocation } => {
                cdb.u8(0xA2).u8(protocol).u16(page).zeros(2).u32(allocation)
            }
            Self::SecurityProtocolOut { protocol, page, length } => {
                cdb.u8(0xB5).u8(protocol).u16(page).zeros(2).u32(length)
            }
            Self::ReadEndOfWrapPosition { wrap, all, allocation } => cdb
                .u8(0xA3)
                .u8(0x1F)
                .u8(0x45)
                .u8(u8::from(all) << 1 | u8::from(wrap.is_some()))
                .u8(0)
                .u8(wrap.unwrap_or(0))
                .u32(allocation),
            Self::ReceiveAccessOrder { limits, offset, kind, allocation } => cdb
                .u8(0xA3)
                .u8(u8::from(limits) << 7 | 0x1D)
                .u32(offset)
                .u32(allocation)
                .u8(kind & 7),
            Self::GenerateAccessOrder { process, kind, length } => {
                cdb.u8(0xA4).u8(0x1D).u8(process & 7).u8(kind & 7).zeros(2).u32(length)
            }
            _ => return None,
        })
    }

    fn changer(&self) -> Option<Writer> {
        let cdb = Writer::new();
        Some(match *self {
            Self::InitializeElementStatusWithRange { range, fast, first, count } => cdb
                .u8(0x37)
                .u8(u8::from(fast) << 1 | u8::from(range))
                .u16(first)
                .zeros(2)
                .u16(count),
            Self::ReadElementStatus {
                volume_tags,
                filter,
                first,
                count,
                current_data,
                device_ids,
                allocation,
            } => {
                let kind = match filter {
                    ElementFilter::All => 0,
                    ElementFilter::Type(kind) => kind & 0xF,
                };
                cdb.u8(0xB8)
                    .u8(u8::from(volume_tags) << 4 | kind)
                    .u16(first)
                    .u16(count)
                    .u8(u8::from(current_data) << 1 | u8::from(device_ids))
                    .u24(allocation)
            }
            Self::MoveMedium { transport, source, destination, invert } => cdb
                .u8(0xA5)
                .u8(0)
                .u16(transport)
                .u16(source)
                .u16(destination)
                .zeros(2)
                .u8(u8::from(invert)),
            Self::ExchangeMedium { transport, source, destination, second_destination } => cdb
                .u8(0xA6)
                .u8(0)
                .u16(transport)
                .u16(source)
                .u16(destination)
                .u16(second_destination),
            Self::PositionToElement { transport, destination } => {
                cdb.u8(0x2B).u8(0).u16(transport).u16(destination)
            }
            Self::OpenCloseImportExport { element, action } => {
                cdb.u8(0x1B).u8(0).u16(element).u8(action & 0x1F)
            }
            Self::RequestVolumeElementAddress { element_type, first, count, allocation } => {
                cdb.u8(0xB5).u8(element_type & 0xF).u16(first).u16(count).u8(0).u24(allocation)
            }
            Self::InitializeElementStatus => cdb.u8(0x07),
            _ => return None,
        })
    }
}

fn test_unit_ready() -> Writer {
    Writer::new().u8(0x00)
}
