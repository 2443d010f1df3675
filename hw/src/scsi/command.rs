//! Every command of spec scsi.md as a type, to the CDB and back.
//!
//! Lengths stand in the commands as they do in the CDB: an allocation length says how much the initiator takes, a
//! parameter length how much it sends. [`Command::to_cdb`] writes what the standards say, with reserved bits 0;
//! [`Command::from_cdb`] reads any CDB that a device of that type may get.

mod decode;
mod encode;

#[cfg(test)]
mod tests;

use serde::Serialize;

/// What a device is (peripheral device type), which decides what some opcodes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceType {
    /// Type 1, a sequential-access device.
    Tape,
    /// Type 8, a media changer.
    Changer,
}

impl DeviceType {
    /// The type's number in INQUIRY data.
    pub fn number(self) -> u8 {
        match self {
            Self::Tape => 1,
            Self::Changer => 8,
        }
    }
}

/// The two forms of MODE SENSE, MODE SELECT, RESERVE and RELEASE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CdbForm {
    /// Six bytes.
    Six,
    /// Ten bytes.
    Ten,
}

/// Which values of a mode page are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PageControl {
    /// Those in force.
    Current = 0,
    /// A mask of those that can be changed.
    Changeable = 1,
    /// Those after power on.
    Default = 2,
    /// Those that were saved.
    Saved = 3,
}

impl PageControl {
    fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Current,
            1 => Self::Changeable,
            2 => Self::Default,
            _ => Self::Saved,
        }
    }
}

/// What SPACE counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpaceCode {
    /// Blocks.
    Blocks,
    /// Filemarks.
    Filemarks,
    /// To the end of data, whatever the count.
    EndOfData,
    /// Something that LTO drives do not have.
    Other(u8),
}

impl SpaceCode {
    fn from_bits(bits: u8) -> Self {
        match bits & 0xF {
            0 => Self::Blocks,
            1 => Self::Filemarks,
            3 => Self::EndOfData,
            other => Self::Other(other),
        }
    }

    fn to_bits(self) -> u8 {
        match self {
            Self::Blocks => 0,
            Self::Filemarks => 1,
            Self::EndOfData => 3,
            Self::Other(bits) => bits & 0xF,
        }
    }
}

/// What LOCATE goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LocateTarget {
    /// A logical object: blocks and filemarks counted together.
    Object(u64),
    /// A logical file: the number of filemarks in front.
    File(u64),
    /// The end of data.
    EndOfData,
    /// A destination that LTO drives do not have, and its number.
    Other(u8, u64),
}

/// Which elements READ ELEMENT STATUS tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementFilter {
    /// All.
    All,
    /// Those of one type, by its number.
    Type(u8),
}

/// A command with its fields. Names are those of SPC-5, SSC-5 and SMC-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// TEST UNIT READY.
    TestUnitReady,
    /// REQUEST SENSE.
    RequestSense {
        /// Descriptor format instead of fixed.
        descriptor: bool,
        /// Allocation length.
        allocation: u8,
    },
    /// INQUIRY, of standard data or of a vital product data page.
    Inquiry {
        /// The VPD page.
        page: Option<u8>,
        /// Allocation length.
        allocation: u16,
    },
    /// REPORT LUNS.
    ReportLuns {
        /// Which.
        select: u8,
        /// Allocation length.
        allocation: u32,
    },
    /// REPORT SUPPORTED OPERATION CODES.
    ReportSupportedOpcodes {
        /// With timeouts.
        timeouts: bool,
        /// Reporting options: 0 all, 1 to 3 one command.
        options: u8,
        /// The command asked for.
        opcode: u8,
        /// Its service action.
        service_action: u16,
        /// Allocation length.
        allocation: u32,
    },
    /// MODE SENSE.
    ModeSense {
        /// Which form.
        form: CdbForm,
        /// Without block descriptor.
        no_descriptor: bool,
        /// Which values.
        control: PageControl,
        /// The page.
        page: u8,
        /// Its subpage.
        subpage: u8,
        /// Allocation length; only a byte of it in the short form.
        allocation: u16,
    },
    /// MODE SELECT.
    ModeSelect {
        /// Which form.
        form: CdbForm,
        /// Pages as the standard has them (PF).
        page_format: bool,
        /// To be kept over power off (SP).
        save: bool,
        /// Parameter length; only a byte of it in the short form.
        length: u16,
    },
    /// LOG SENSE.
    LogSense {
        /// Which values: 1 for cumulative ones.
        control: u8,
        /// The page.
        page: u8,
        /// Its subpage.
        subpage: u8,
        /// First parameter.
        pointer: u16,
        /// Allocation length.
        allocation: u16,
    },
    /// LOG SELECT.
    LogSelect {
        /// Sets all parameters to their defaults (PCR).
        reset: bool,
        /// Which values.
        control: u8,
        /// The page.
        page: u8,
        /// Its subpage.
        subpage: u8,
        /// Parameter length.
        length: u16,
    },
    /// RESERVE.
    Reserve(CdbForm),
    /// RELEASE.
    Release(CdbForm),
    /// PERSISTENT RESERVE IN.
    PersistentReserveIn {
        /// What to tell.
        service_action: u8,
        /// Allocation length.
        allocation: u16,
    },
    /// PERSISTENT RESERVE OUT.
    PersistentReserveOut {
        /// What to do.
        service_action: u8,
        /// Scope and type.
        scope_type: u8,
        /// Parameter length.
        length: u32,
    },
    /// SEND DIAGNOSTIC.
    SendDiagnostic {
        /// The default self-test.
        self_test: bool,
        /// Parameter length.
        length: u16,
    },
    /// RECEIVE DIAGNOSTIC RESULTS.
    ReceiveDiagnostic {
        /// The page.
        page: u8,
        /// Allocation length.
        allocation: u16,
    },
    /// PREVENT ALLOW MEDIUM REMOVAL.
    PreventRemoval {
        /// Whether removal is prevented.
        prevent: bool,
    },

    /// READ BLOCK LIMITS.
    ReadBlockLimits,
    /// REWIND.
    Rewind {
        /// Answers before it is done.
        immediate: bool,
    },
    /// FORMAT MEDIUM.
    FormatMedium {
        /// Answers before it is done.
        immediate: bool,
        /// Checks what it wrote.
        verify: bool,
        /// Which partitions: 0 for a single one.
        format: u8,
        /// Parameter length.
        length: u16,
    },
    /// READ(6).
    Read {
        /// Blocks of a fixed length; else one block.
        fixed: bool,
        /// A block of another length is no error (SILI).
        suppress_length: bool,
        /// Blocks, or bytes.
        length: u32,
    },
    /// WRITE(6).
    Write {
        /// Blocks of a fixed length; else one block.
        fixed: bool,
        /// Blocks, or bytes.
        length: u32,
    },
    /// VERIFY(6).
    Verify {
        /// The flags of byte 1.
        flags: u8,
        /// Blocks, filemarks or bytes.
        length: u32,
    },
    /// WRITE FILEMARKS(6).
    WriteFilemarks {
        /// Answers before they are on the medium.
        immediate: bool,
        /// How many; 0 is a flush.
        count: u32,
    },
    /// SPACE(6).
    Space6 {
        /// What is counted.
        code: SpaceCode,
        /// How many: 24 bits, backward if negative.
        count: i32,
    },
    /// SPACE(16).
    Space16 {
        /// What is counted.
        code: SpaceCode,
        /// How many, backward if negative.
        count: i64,
    },
    /// LOCATE(10).
    Locate10 {
        /// Answers before it is done.
        immediate: bool,
        /// Logical object.
        object: u32,
    },
    /// LOCATE(16).
    Locate16 {
        /// Answers before it is done.
        immediate: bool,
        /// Whether to change the partition, and to which.
        partition: Option<u8>,
        /// Where to.
        target: LocateTarget,
    },
    /// READ POSITION.
    ReadPosition {
        /// Which form: 0 short, 6 long, 8 extended.
        service_action: u8,
        /// Allocation length, of the extended form alone.
        allocation: u16,
    },
    /// ERASE(6).
    Erase {
        /// Answers before it is done.
        immediate: bool,
        /// Overwrites everything.
        long: bool,
    },
    /// LOAD UNLOAD.
    LoadUnload {
        /// Answers before it is done.
        immediate: bool,
        /// Holds the cartridge in the drive (HOLD).
        hold: bool,
        /// Goes to the end of the tape first (EOT).
        end_of_tape: bool,
        /// Winds the whole tape once (RETEN).
        retension: bool,
        /// Loads; else unloads.
        load: bool,
    },
    /// ALLOW OVERWRITE.
    AllowOverwrite {
        /// 0 nothing, 1 at this position, 2 a format.
        allow: u8,
        /// Partition.
        partition: u8,
        /// Logical object.
        object: u64,
    },
    /// REPORT DENSITY SUPPORT.
    ReportDensitySupport {
        /// Of the medium that is loaded.
        medium: bool,
        /// Allocation length.
        allocation: u16,
    },
    /// READ ATTRIBUTE.
    ReadAttribute {
        /// What to tell: 0 values, 1 a list of what is there, 4 supported ones.
        service_action: u8,
        /// Partition.
        partition: u8,
        /// The first attribute.
        first: u16,
        /// Allocation length.
        allocation: u32,
    },
    /// WRITE ATTRIBUTE.
    WriteAttribute {
        /// Onto the chip, not into a cache of the drive (WTC).
        write_through: bool,
        /// Partition.
        partition: u8,
        /// Parameter length.
        length: u32,
    },
    /// SECURITY PROTOCOL IN.
    SecurityProtocolIn {
        /// Which protocol: 20h is tape encryption.
        protocol: u8,
        /// The page.
        page: u16,
        /// Allocation length.
        allocation: u32,
    },
    /// SECURITY PROTOCOL OUT.
    SecurityProtocolOut {
        /// Which protocol: 20h is tape encryption.
        protocol: u8,
        /// The page.
        page: u16,
        /// Parameter length.
        length: u32,
    },
    /// READ END OF WRAP POSITION.
    ReadEndOfWrapPosition {
        /// One wrap; else the one of the position, or all.
        wrap: Option<u8>,
        /// All wraps.
        all: bool,
        /// Allocation length.
        allocation: u32,
    },
    /// RECEIVE RECOMMENDED ACCESS ORDER.
    ReceiveAccessOrder {
        /// The limits; else the list.
        limits: bool,
        /// Where in the list to begin.
        offset: u32,
        /// Type of descriptors: 0 without geometry.
        kind: u8,
        /// Allocation length.
        allocation: u32,
    },
    /// GENERATE RECOMMENDED ACCESS ORDER.
    GenerateAccessOrder {
        /// 1 estimates only, 2 reorders.
        process: u8,
        /// Type of descriptors: 0 without geometry.
        kind: u8,
        /// Parameter length.
        length: u32,
    },

    /// INITIALIZE ELEMENT STATUS.
    InitializeElementStatus,
    /// INITIALIZE ELEMENT STATUS WITH RANGE.
    InitializeElementStatusWithRange {
        /// Only the range; else all.
        range: bool,
        /// Without reading bar codes.
        fast: bool,
        /// First element.
        first: u16,
        /// How many.
        count: u16,
    },
    /// READ ELEMENT STATUS.
    ReadElementStatus {
        /// With bar codes.
        volume_tags: bool,
        /// Which elements.
        filter: ElementFilter,
        /// First element.
        first: u16,
        /// How many at most.
        count: u16,
        /// Without moving the robot.
        current_data: bool,
        /// With identifiers of the drives.
        device_ids: bool,
        /// Allocation length.
        allocation: u32,
    },
    /// MOVE MEDIUM.
    MoveMedium {
        /// The robot; 0 is the default one.
        transport: u16,
        /// From where.
        source: u16,
        /// To where.
        destination: u16,
        /// Turned over.
        invert: bool,
    },
    /// EXCHANGE MEDIUM.
    ExchangeMedium {
        /// The robot; 0 is the default one.
        transport: u16,
        /// From where.
        source: u16,
        /// To where.
        destination: u16,
        /// Where goes what was there.
        second_destination: u16,
    },
    /// POSITION TO ELEMENT.
    PositionToElement {
        /// The robot; 0 is the default one.
        transport: u16,
        /// Where to.
        destination: u16,
    },
    /// OPEN/CLOSE IMPORT/EXPORT ELEMENT.
    OpenCloseImportExport {
        /// The element.
        element: u16,
        /// 0 open, 1 close.
        action: u8,
    },
    /// REQUEST VOLUME ELEMENT ADDRESS.
    RequestVolumeElementAddress {
        /// Element type, 0 for all.
        element_type: u8,
        /// First element.
        first: u16,
        /// How many at most.
        count: u16,
        /// Allocation length.
        allocation: u32,
    },
}

impl Command {
    /// Bytes that the initiator takes of the answer, in the commands that say so; of the others, all.
    pub fn allocation(&self) -> usize {
        let bytes = match *self {
            Self::RequestSense { allocation, .. } => u32::from(allocation),
            Self::Inquiry { allocation, .. }
            | Self::ModeSense { allocation, .. }
            | Self::LogSense { allocation, .. }
            | Self::PersistentReserveIn { allocation, .. }
            | Self::ReceiveDiagnostic { allocation, .. }
            | Self::ReportDensitySupport { allocation, .. } => u32::from(allocation),
            Self::ReportLuns { allocation, .. }
            | Self::ReportSupportedOpcodes { allocation, .. }
            | Self::ReadAttribute { allocation, .. }
            | Self::SecurityProtocolIn { allocation, .. }
            | Self::ReadEndOfWrapPosition { allocation, .. }
            | Self::ReceiveAccessOrder { allocation, .. }
            | Self::ReadElementStatus { allocation, .. }
            | Self::RequestVolumeElementAddress { allocation, .. } => allocation,
            _ => return usize::MAX,
        };
        bytes as usize
    }

    /// Whether its data, if there are any, go to the device.
    pub fn sends_data(&self) -> bool {
        matches!(
            self,
            Self::Write { .. }
                | Self::Verify { .. }
                | Self::FormatMedium { .. }
                | Self::ModeSelect { .. }
                | Self::LogSelect { .. }
                | Self::SendDiagnostic { .. }
                | Self::WriteAttribute { .. }
                | Self::SecurityProtocolOut { .. }
                | Self::PersistentReserveOut { .. }
                | Self::GenerateAccessOrder { .. }
        )
    }
}
