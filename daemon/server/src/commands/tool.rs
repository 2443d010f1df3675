//! `mt` and `mtx` on what is configured, under the lock of the drive (`cli-tape.md` §§11, 12); and `scan`, the listing of
//! a medium.
//!
//! What a verb does is [`reel_hw::tool`]'s; here the drive or changer is found, locked and opened.

use std::str::FromStr;
use std::sync::Arc;

use reel_config::ChangerConfig;
use reel_hw::scsi::DeviceType;
use reel_hw::tool::{self, MtVerb, MtxVerb};
use reel_hw::{Cancel as DeviceCancel, Changer, DriveNumber};
use reel_tape::DriveDesk;
use reel_tape::ops::scan_medium;
use reel_types::commands::{Command, Scan};
use reel_types::{AuthId, Cancel, ChangerName, DriveName, ParseError, TimeZone};
use serde_json::{Map, Value};

use super::Done;
use super::drive::DRIVE_WAIT;
use crate::drives::ConfiguredDrive;
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

    /// A parameter that is a name.
    fn name<T: FromStr<Err = ParseError>>(&self, param: &str) -> Outcome<Option<T>> {
        let text = self.params.get(param).and_then(Value::as_str);
        Ok(text.map(str::parse).transpose()?)
    }
}

impl Reeld {
    pub(super) fn mt(&self, command: &Command) -> Outcome<Done> {
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
        Ok(Done::Data(match self.drives.config(desk.name())? {
            ConfiguredDrive::Lto(config, _) => {
                let lock = desk.lock(&words.name, DRIVE_WAIT, &Cancel::new())?;
                let way = self.drives.devices.drive(&config)?;
                let value = verb.on_device(way, &DeviceCancel::new())?;
                if verb == MtVerb::Eject {
                    lock.forget_loaded();
                }
                value
            }
            // As it is, whoever opens it.
            ConfiguredDrive::Virtual(_) => {
                let mut hold = desk.hold(&words.name, DRIVE_WAIT, &Cancel::new())?;
                let value = verb.on_drive(hold.drive())?;
                if verb == MtVerb::Eject {
                    hold.set_loaded(None);
                }
                value
            }
        }))
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
        let desk = verb.drive().map(|number| self.desk_at(&name, number)).transpose()?.flatten();
        let lock =
            desk.map(|desk| desk.lock(&words.name, DRIVE_WAIT, &Cancel::new())).transpose()?;
        let value = verb.run(&mut *self.changer_as_it_is(&name)?)?;
        if let (MtxVerb::Unload { .. }, Some(lock)) = (verb, lock) {
            lock.forget_loaded();
        }
        // What lies where is remembered with the slots as they are configured.
        let status = self.drives.library(&name)?.status()?;
        self.note_seen(&name, &status)?;
        Ok(value)
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

    /// The desk of the drive with that number in a changer, if it is configured.
    fn desk_at(
        &self,
        changer: &ChangerName,
        number: DriveNumber,
    ) -> Outcome<Option<Arc<DriveDesk>>> {
        let drives = self.drives.drives_in(changer)?;
        let found = drives.iter().find(|drive| drive.number_in_changer() == number.0);
        Ok(found.map(|config| self.drives.desk_of(config)))
    }

    /// A changer whose slots are what the changer says of them, whatever the configuration does.
    fn changer_as_it_is(&self, name: &ChangerName) -> Outcome<Box<dyn Changer>> {
        let found = self.drives.changers()?.into_iter().find(|config| config.name == *name);
        let Some(config) = found else { return self.drives.library(name) };
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
