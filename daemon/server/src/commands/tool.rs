//! `mt` and `mtx` on what is configured, under the lock of the drive (`cli-tape.md` §§11, 12); and `scan`, the listing of
//! a medium.
//!
//! What a verb does is [`reel_hw::tool`]'s; here the drive or changer is found, locked and opened.

use std::str::FromStr;
use std::sync::Arc;

use reel_config::{ChangerConfig, LtoDriveConfig};
use reel_hw::scsi::DeviceType;
use reel_hw::tool::{self, MtVerb, MtxVerb};
use reel_hw::{Cancel as DeviceCancel, Changer, DriveNumber};
use reel_tape::ops::scan_medium;
use reel_tape::{DriveDesk, DriveLock, Loaded};
use reel_types::commands::{Command, Scan};
use reel_types::{AuthId, Cancel, ChangerName, DriveName, ParseError, TaskContext, TimeZone};
use serde_json::{Map, Value};

use super::Done;
use super::drive::DRIVE_WAIT;
use crate::drives::{ConfiguredDrive, loaded};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// A command's last word and its parameters, of which a verb is made.
struct Words {
    /// `mt fsf`.
    name: String,
    word: &'static str,
    params: Map<String, Value>,
}

impl Words {
    fn of(command: &Command) -> Outcome<Self> {
        let info = command.info();
        let word = info.path.last().copied().unwrap_or_default();
        let words = Self { name: info.name(), word, params: command.params() };
        if words.params.contains_key("device") {
            let text = "the daemon uses what is configured; reelctl uses a device by its path, without the daemon";
            return Err(Failure::invalid(text));
        }
        Ok(words)
    }

    /// The kind of task that it is, where it is one: `mt-erase`.
    fn task(&self) -> String {
        self.name.replace(' ', "-")
    }

    /// A parameter that is a name.
    fn name<T: FromStr<Err = ParseError>>(&self, param: &str) -> Outcome<Option<T>> {
        let text = self.params.get(param).and_then(Value::as_str);
        Ok(text.map(str::parse).transpose()?)
    }
}

impl Reeld {
    pub(super) fn mt(&self, command: &Command, who: &AuthId) -> Outcome<Done> {
        let words = Words::of(command)?;
        let verb = MtVerb::new(words.word, &words.params)?;
        if verb == MtVerb::Scan {
            return Ok(Done::Data(tool::scan(DeviceType::Tape)?));
        }
        if verb.driver_change().is_some() {
            let text = "these are options of the kernel's tape driver, not of a drive; name a node of it, such as '--device /dev/nst0'";
            return Err(Failure::invalid(text));
        }
        let desk = self.drive_of(&words)?;
        match self.drives.config(desk.name())? {
            ConfiguredDrive::Lto(config, _) => self.mt_on_lto(&words, verb, &desk, config, who),
            ConfiguredDrive::Virtual(_) => self.mt_on_virtual(&words, verb, &desk, who),
        }
    }

    /// The drive as it is: neither waited for nor set.
    fn mt_on_lto(
        &self,
        words: &Words,
        verb: MtVerb,
        desk: &Arc<DriveDesk>,
        config: LtoDriveConfig,
        who: &AuthId,
    ) -> Outcome<Done> {
        let lock = desk.lock(&words.name, DRIVE_WAIT, &Cancel::new())?;
        if !takes_long(&verb) {
            let way = self.drives.devices.drive_for_use(&config)?;
            let value = verb.on_device(way, &DeviceCancel::new())?;
            if verb == MtVerb::Eject {
                lock.set_loaded(Loaded::Nothing);
            }
            return Ok(Done::Data(value));
        }
        let devices = Arc::clone(&self.drives.devices);
        let started = self.tasks.start(&words.task(), desk.name().as_str(), who, move |task| {
            lock.note_holder(task.upid().as_str());
            lock.set_loaded(Loaded::Unknown);
            let cancel = DeviceCancel::from(Arc::clone(task.cancel().flag()));
            verb.on_device(devices.drive_for_use(&config)?, &cancel)?;
            Ok(())
        });
        Ok(Done::Task(started?))
    }

    /// A drive that is the same whoever opens it.
    fn mt_on_virtual(
        &self,
        words: &Words,
        verb: MtVerb,
        desk: &Arc<DriveDesk>,
        who: &AuthId,
    ) -> Outcome<Done> {
        if takes_long(&verb) {
            return self.drive_task(
                desk,
                &words.task(),
                desk.name().as_str(),
                who,
                move |hold, _| {
                    hold.set_loaded(Loaded::Unknown);
                    verb.on_drive(hold.drive())?;
                    Ok(())
                },
            );
        }
        let mut hold = desk.hold(&words.name, DRIVE_WAIT, &Cancel::new())?;
        let value = verb.on_drive(hold.drive())?;
        if verb == MtVerb::Eject {
            hold.set_loaded(Loaded::Nothing);
        }
        Ok(Done::Data(value))
    }

    /// The drive that a command names, or the only one there is.
    fn drive_of(&self, words: &Words) -> Outcome<Arc<DriveDesk>> {
        let name: Option<DriveName> = words.name("drive")?;
        if name.is_none() && self.drives.configs()?.len() != 1 {
            let text = "no drive/device specified; name one by '--drive' or '--device'";
            return Err(Failure::invalid(text));
        }
        self.drives.chosen(name.as_ref())
    }

    pub(super) fn mtx(&self, command: &Command) -> Outcome<Done> {
        let words = Words::of(command)?;
        let verb = MtxVerb::new(words.word, &words.params)?;
        if verb == MtxVerb::Scan {
            return Ok(Done::Data(tool::scan(DeviceType::Changer)?));
        }
        let outcome = self.mtx_on_changer(&words, verb);
        Ok(Done::Data(if verb.is_question() { tool::wrapped(outcome) } else { outcome? }))
    }

    fn mtx_on_changer(&self, words: &Words, verb: MtxVerb) -> Outcome<Value> {
        let name = self.changer_in(words)?;
        let drive = verb.drive().map(|number| self.drives.desk_at(&name, number)).transpose()?;
        let lock = drive
            .flatten()
            .map(|desk| desk.lock(&words.name, DRIVE_WAIT, &Cancel::new()))
            .transpose()?;
        if let Some(lock) = &lock {
            lock.set_loaded(Loaded::Unknown);
        }
        let outcome = verb.run(&mut *self.changer_as_it_is(&name)?);
        let is_inquiry = verb == MtxVerb::Inquiry;
        let noted = match is_inquiry {
            true => Ok(()),
            false => self.note_moved(&name, verb.drive().zip(lock.as_ref())),
        };
        // What the verb met says more than that the changer can't be asked afterwards.
        let value = outcome?;
        noted.map(|()| value)
    }

    /// Remembers what lies where, with the slots as they are configured.
    fn note_moved(
        &self,
        name: &ChangerName,
        drive: Option<(DriveNumber, &DriveLock)>,
    ) -> Outcome<()> {
        let status = self.drives.library(name)?.status()?;
        if let Some((number, lock)) = drive {
            lock.set_loaded(status.drive(number).map_or(Loaded::Unknown, |it| loaded(&it.content)));
        }
        self.note_seen(name, &status)
    }

    /// The changer that a command names, itself or by a drive.
    fn changer_in(&self, words: &Words) -> Outcome<ChangerName> {
        if let Some(name) = words.name("changer")? {
            return Ok(name);
        }
        match words.name::<DriveName>("drive")? {
            Some(drive) => self.changer_of_drive(&drive),
            // Two blanks, as PBS has them.
            None => Err(Failure::invalid("no  changer device specified")),
        }
    }

    /// A changer whose slots are what the changer says of them, whatever the configuration does.
    fn changer_as_it_is(&self, name: &ChangerName) -> Outcome<Box<dyn Changer>> {
        // A virtual drive is a library without a configuration of its own.
        let Ok(config) = self.drives.changer_config(name) else { return self.drives.library(name) };
        let config = ChangerConfig { export_slots: Default::default(), ..config };
        Ok(self.drives.devices.robot(&config, &DeviceCancel::new()))
    }

    pub(super) fn scan_files(&self, command: &Scan, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        self.drive_task(&desk, "scan-media", desk.name().as_str(), who, |hold, task| {
            Ok(scan_medium(hold, &TimeZone::system(), task)?)
        })
    }
}

/// Whether a verb goes over the whole medium, which takes hours.
fn takes_long(verb: &MtVerb) -> bool {
    matches!(verb, MtVerb::Erase { .. } | MtVerb::Format { .. })
}
