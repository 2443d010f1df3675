//! The verbs of `mt`: one drive and the medium in it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::plain_drive::PlainDrive;
use super::{ToolError, ToolResult, read_verb, wrapped};
use crate::cancel::Cancel;
use crate::drive::{DriveFacts, SpaceOutcome, TapeDrive};
use crate::error::{Error, Result};
use crate::lto::{LtoDrive, LtoOptions};
use crate::number::FileNumber;
use crate::scsi::attribute::AttributeList;
use crate::scsi::{Sense, SenseKey};
use crate::transport::{DriverOption, OptionChange, Transport};

/// What `mt` is told to do. Names and fields are those of the command line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[allow(missing_docs, reason = "the command line's help tells what each does")]
pub enum MtVerb {
    Asf {
        count: u64,
    },
    Bsf {
        count: i32,
    },
    Bsfm {
        count: i32,
    },
    Bsr {
        count: i32,
    },
    CartridgeMemory,
    Eject,
    Eod,
    Erase {
        fast: bool,
    },
    Format {
        fast: bool,
    },
    Fsf {
        count: i32,
    },
    Fsfm {
        count: i32,
    },
    Fsr {
        count: i32,
    },
    Load,
    Lock,
    Options {
        #[serde(flatten)]
        modes: DriveModes,
        defaults: bool,
    },
    Rewind,
    Scan,
    Setblk {
        size: u32,
    },
    Status,
    Stclearoptions {
        options: Vec<DriverOption>,
    },
    Stoptions {
        #[serde(default)]
        options: Vec<DriverOption>,
    },
    Stsetoptions {
        options: Vec<DriverOption>,
    },
    TapeAlertFlags,
    Unlock,
    VolumeStatistics,
    Weof {
        count: u32,
    },
}

/// Modes of a drive that are to be changed; what is absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveModes {
    /// Whether the drive compresses.
    pub compression: Option<bool>,
    /// Bytes of a block of fixed length; 0 for blocks of any length.
    pub blocksize: Option<u32>,
    /// Whether a write is done when the drive has the data.
    pub buffer_mode: Option<bool>,
}

impl DriveModes {
    /// As PBS wants every drive.
    pub const DEFAULTS: Self =
        Self { compression: Some(true), blocksize: Some(0), buffer_mode: Some(true) };
}

/// A drive, as far as `mt` has it do something.
pub(super) trait MtDrive {
    /// Goes to the beginning of the medium.
    fn rewind(&mut self) -> Result<()>;
    /// Makes the medium in the drive ready.
    fn load(&mut self) -> Result<()>;
    /// Ejects the medium.
    fn eject(&mut self) -> Result<()>;
    /// Goes over filemarks, backward if negative.
    fn space_filemarks(&mut self, count: i32) -> ToolResult<()>;
    /// Goes over blocks, backward if negative.
    fn space_blocks(&mut self, count: i32) -> ToolResult<()>;
    /// Goes behind what is recorded last.
    fn space_to_end_of_data(&mut self) -> ToolResult<()>;
    /// Goes right behind a filemark, counted from 1; 0 is the beginning.
    fn locate_file(&mut self, file: FileNumber) -> ToolResult<()>;
    /// Writes filemarks, durably.
    fn write_filemarks(&mut self, count: u32) -> Result<()>;
    /// Makes the position the end of data; what follows is overwritten unless `fast`.
    fn erase(&mut self, fast: bool) -> Result<()>;
    /// Locks the medium in, or not.
    fn prevent_removal(&mut self, prevent: bool) -> Result<()>;
    /// Changes modes.
    fn change_modes(&mut self, modes: DriveModes) -> Result<()>;
}

impl MtVerb {
    /// The verb `word` with its parameters.
    ///
    /// # Errors
    /// There is no such verb, or it has other parameters.
    pub fn new(word: &str, parameters: &Map<String, Value>) -> ToolResult<Self> {
        read_verb(word, parameters)
    }

    /// The change of the kernel's driver that it is; none where it is for the drive.
    pub fn driver_change(&self) -> Option<(OptionChange, &[DriverOption])> {
        match self {
            Self::Stoptions { options } => Some((OptionChange::Exactly, options)),
            Self::Stsetoptions { options } => Some((OptionChange::Set, options)),
            Self::Stclearoptions { options } => Some((OptionChange::Clear, options)),
            _ => None,
        }
    }

    /// Does it with the drive behind a way, which nobody else may be using; what it answers, null for nothing. What it is
    /// asked is answered by the result that PBS prints.
    ///
    /// To be formatted, which takes long and destroys, the drive is reserved and set as for every use.
    ///
    /// # Errors
    /// The drive can't be opened, or did not do it. `scan` and the driver's options are not a drive's to do.
    pub fn on_device(&self, way: Box<dyn Transport>, cancel: &Cancel) -> ToolResult<Value> {
        if !self.is_question() && !matches!(self, Self::Format { .. }) {
            return self.act(&mut PlainDrive::open(way, cancel)?);
        }
        let options = LtoOptions { only_status: self.is_question(), ..LtoOptions::default() };
        self.on_drive(&mut LtoDrive::open(way, options, cancel)?)
    }

    /// The same with a drive that is open.
    ///
    /// # Errors
    /// As above.
    pub fn on_drive(&self, mut drive: &mut dyn TapeDrive) -> ToolResult<Value> {
        if let Self::Format { fast } = *self {
            drive.format_medium(fast)?;
            return Ok(Value::Null);
        }
        if self.is_question() {
            return Ok(wrapped(self.ask(drive)));
        }
        self.act(&mut drive)
    }

    fn is_question(&self) -> bool {
        matches!(
            self,
            Self::Status | Self::TapeAlertFlags | Self::VolumeStatistics | Self::CartridgeMemory
        )
    }

    fn ask(&self, drive: &mut dyn TapeDrive) -> ToolResult<Value> {
        match self {
            Self::Status => Ok(serde_json::to_value(Status::of(&drive.facts()?))?),
            Self::TapeAlertFlags => Ok(drive.tape_alerts()?.to_string().into()),
            Self::VolumeStatistics => Ok(serde_json::to_value(drive.volume_statistics()?)?),
            Self::CartridgeMemory => Ok(memory(&drive.cartridge_memory()?)),
            _ => Err(not_a_drives()),
        }
    }

    fn act(&self, drive: &mut dyn MtDrive) -> ToolResult<Value> {
        match *self {
            Self::Asf { count } => drive.locate_file(FileNumber(count))?,
            Self::Bsf { count } => drive.space_filemarks(-count)?,
            Self::Bsfm { count } => {
                drive.space_filemarks(-count)?;
                drive.space_filemarks(1)?;
            }
            Self::Bsr { count } => drive.space_blocks(-count)?,
            Self::Fsf { count } => drive.space_filemarks(count)?,
            Self::Fsfm { count } => {
                drive.space_filemarks(count)?;
                drive.space_filemarks(-1)?;
            }
            Self::Fsr { count } => drive.space_blocks(count)?,
            Self::Eod => drive.space_to_end_of_data()?,
            Self::Rewind => drive.rewind()?,
            Self::Load => drive.load()?,
            Self::Eject => drive.eject()?,
            Self::Erase { fast } => drive.erase(fast)?,
            Self::Weof { count } => drive.write_filemarks(count)?,
            Self::Lock => drive.prevent_removal(true)?,
            Self::Unlock => drive.prevent_removal(false)?,
            Self::Options { modes, defaults } => {
                if defaults {
                    drive.change_modes(DriveModes::DEFAULTS)?;
                }
                drive.change_modes(modes)?;
            }
            Self::Setblk { size } => {
                drive.change_modes(DriveModes { blocksize: Some(size), ..Default::default() })?;
            }
            _ => return Err(not_a_drives()),
        }
        Ok(Value::Null)
    }
}

fn not_a_drives() -> ToolError {
    Error::Unsupported { what: "this command", device: "a drive" }.into()
}

/// What `status` answers.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Status<'f> {
    vendor: &'f str,
    product: &'f str,
    revision: &'f str,
    blocksize: u32,
    compression: bool,
    buffer_mode: u8,
    density: Option<&'f str>,
    write_protect: Option<bool>,
    alert_flags: Option<String>,
    file_number: Option<u64>,
    block_number: Option<u64>,
    manufactured: Option<i64>,
    bytes_read: Option<u64>,
    bytes_written: Option<u64>,
    volume_mounts: Option<u64>,
    medium_passes: Option<u64>,
    medium_wearout: Option<f64>,
    drive_activity: Option<&'f str>,
}

impl<'f> Status<'f> {
    fn of(facts: &'f DriveFacts) -> Self {
        Self {
            vendor: &facts.vendor,
            product: &facts.product,
            revision: &facts.revision,
            blocksize: facts.block_length,
            compression: facts.compression,
            buffer_mode: facts.buffer_mode,
            density: facts.density.as_deref(),
            write_protect: facts.write_protect,
            alert_flags: facts.alerts.map(|alerts| alerts.to_string()),
            file_number: facts.position.map(|position| position.file.0),
            block_number: facts.position.map(|position| position.object.0),
            manufactured: facts.manufactured,
            bytes_read: facts.bytes_read,
            bytes_written: facts.bytes_written,
            volume_mounts: facts.volume_mounts,
            medium_passes: facts.medium_passes,
            medium_wearout: facts.wearout(),
            drive_activity: facts.activity.as_deref(),
        }
    }
}

/// The attributes that PBS knows, as it prints them.
pub fn memory(list: &AttributeList) -> Value {
    let rows = list.attributes.iter().filter_map(|attribute| {
        let (info, value) = (attribute.info()?, attribute.render()?);
        Some(serde_json::json!({ "id": attribute.id, "name": info.name, "value": value }))
    });
    rows.collect()
}

/// A drive whose every use is arranged by its handle, such as a `virtual:` one.
impl MtDrive for &mut dyn TapeDrive {
    fn rewind(&mut self) -> Result<()> {
        TapeDrive::rewind(*self)
    }

    fn load(&mut self) -> Result<()> {
        TapeDrive::load(*self)
    }

    fn eject(&mut self) -> Result<()> {
        self.unload()
    }

    fn space_filemarks(&mut self, count: i32) -> ToolResult<()> {
        must_be_done("space filemarks", TapeDrive::space_filemarks(*self, count)?)
    }

    fn space_blocks(&mut self, count: i32) -> ToolResult<()> {
        must_be_done("space blocks", TapeDrive::space_blocks(*self, count)?)
    }

    fn space_to_end_of_data(&mut self) -> ToolResult<()> {
        Ok(TapeDrive::space_to_end_of_data(*self)?)
    }

    fn locate_file(&mut self, file: FileNumber) -> ToolResult<()> {
        Ok(TapeDrive::locate_file(*self, file)?)
    }

    fn write_filemarks(&mut self, count: u32) -> Result<()> {
        TapeDrive::write_filemarks(*self, count, false).map(drop)
    }

    fn erase(&mut self, _fast: bool) -> Result<()> {
        TapeDrive::erase(*self)
    }

    fn prevent_removal(&mut self, _prevent: bool) -> Result<()> {
        Err(Error::Unsupported { what: "locking the medium in", device: "this drive" })
    }

    fn change_modes(&mut self, _modes: DriveModes) -> Result<()> {
        Err(Error::Unsupported { what: "changing modes", device: "this drive" })
    }
}

/// What spacing met, as a SCSI drive says it.
fn must_be_done(what: &'static str, outcome: SpaceOutcome) -> ToolResult<()> {
    let met = match outcome {
        SpaceOutcome::Done => return Ok(()),
        SpaceOutcome::Filemark => Sense::new(SenseKey::NoSense, 0x00, 0x01),
        SpaceOutcome::BeginningOfMedium => Sense::new(SenseKey::NoSense, 0x00, 0x04),
        SpaceOutcome::EndOfData => Sense::new(SenseKey::BlankCheck, 0x00, 0x05),
    };
    Err(ToolError::Stopped { what, met })
}
