use std::path::Path;
use std::sync::Mutex;

use reel_hw::memory::{FailurePattern, MediumLimits, MemoryLibraryShape, Operation};
use reel_hw::{Changer, DriveNumber, MemoryLibrary, SlotNumber, TapeDrive, VolumeTag};
use reel_types::{Cancel, MediaId, TaskStopped};
use uuid::Uuid;

use super::*;
use crate::drive_desk::{DriveDesk, DriveOpener, Opening};
use crate::label::MediaLabel;
use crate::medium::{load_medium, write_label};

const MEDIUM: MediaId = MediaId(Uuid::from_u128(1));

struct Opener(MemoryLibrary);

impl DriveOpener for Opener {
    fn open(&self, _opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        Ok(Box::new(self.0.drive(DriveNumber(0))?))
    }

    fn lock_path(&self) -> &Path {
        Path::new("/dev/x")
    }
}

/// Keeps what was told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl MediaRequests for Told {
    fn wanted(&self, request: &MediaRequest<'_>) {
        let text = format!("{} in {}: {}", request.label_text, request.device, request.reason);
        self.0.lock().unwrap().push(text);
    }

    fn settled(&self, label_text: &LabelText, _device: &RequestDevice) {
        self.0.lock().unwrap().push(format!("{label_text} settled"));
    }
}

/// A task in which something happens at each wait.
struct Script<'s> {
    library: &'s MemoryLibrary,
    desk: Arc<DriveDesk>,
    steps: Mutex<Vec<Step>>,
    log: Mutex<Vec<String>>,
    waits_for: Mutex<Vec<Option<String>>>,
    cancel: Cancel,
}

type Step = Box<dyn FnOnce(&MemoryLibrary, &Cancel) + Send>;

impl TaskContext for Script<'_> {
    fn log(&self, line: &str) {
        self.log.lock().unwrap().push(line.into());
    }

    fn warn(&self, line: &str) {
        self.log(line);
    }

    fn progress(&self, _done: u64, _total: u64, _what: &str) {}

    fn waits_for(&self, what: Option<&str>) {
        self.waits_for.lock().unwrap().push(what.map(Into::into));
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn wait(&self, duration: Duration) -> std::result::Result<(), TaskStopped> {
        assert_eq!(duration, Duration::from_secs(5));
        assert_eq!(self.desk.wanted(), Some(label()), "the drive says what it waits for");
        assert_eq!(self.desk.state(), DriveState::Held);
        let step = self.steps.lock().unwrap().remove(0);
        step(self.library, &self.cancel);
        self.check()
    }
}

fn label() -> LabelText {
    "A00001L8".parse().unwrap()
}

fn put_in(library: &MemoryLibrary, number: u32) {
    library.changer().load_slot(SlotNumber::new(number).unwrap(), DriveNumber(0)).unwrap();
}

fn take_out(library: &MemoryLibrary, number: u32) {
    library.changer().unload(DriveNumber(0), SlotNumber::new(number)).unwrap();
}

struct Rig {
    library: MemoryLibrary,
    desk: Arc<DriveDesk>,
    told: Arc<Told>,
    _run: tempfile::TempDir,
}

impl Rig {
    /// A drive on its own, and two media that a hand puts into it: the one that is wanted, and a blank one.
    fn new() -> Self {
        let shape = MemoryLibraryShape { drives: 1, storage_slots: 2, import_export_slots: 0 };
        let library = MemoryLibrary::new(shape);
        for tag in ["A00001L8", "B00002L8"] {
            library.add_medium(&VolumeTag::new(tag).unwrap(), MediumLimits::NONE).unwrap();
        }
        let run = tempfile::tempdir().unwrap();
        for name in ["drive-lock", "drive-state"] {
            std::fs::create_dir(run.path().join(name)).unwrap();
        }
        let opener = Arc::new(Opener(library.clone()));
        let desk = DriveDesk::new("drive0".parse().unwrap(), opener, run.path());
        let rig = Self { library, desk, told: Arc::default(), _run: run };
        let mut hold = rig.hold();
        put_in(&rig.library, 1);
        let written = MediaLabel { ctime: 1, label_text: label(), pool: None, uuid: MEDIUM };
        write_label(&mut hold, &written).unwrap();
        take_out(&rig.library, 1);
        rig
    }

    fn hold(&self) -> DriveHold {
        self.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap()
    }

    fn asking(&self) -> Asking {
        Asking {
            device: RequestDevice::Drive("drive0".parse().unwrap()),
            requests: Arc::clone(&self.told) as Arc<dyn MediaRequests>,
            again_after: Duration::from_secs(5),
        }
    }

    fn script(&self, steps: Vec<Step>) -> Script<'_> {
        Script {
            library: &self.library,
            desk: Arc::clone(&self.desk),
            steps: Mutex::new(steps),
            log: Mutex::default(),
            waits_for: Mutex::default(),
            cancel: Cancel::new(),
        }
    }
}

fn nothing() -> Step {
    Box::new(|_, _| {})
}

#[test]
fn whoever_does_not_ask_gets_an_error_at_once() {
    let rig = Rig::new();
    let task = rig.script(Vec::new());
    let error = load_medium(&mut rig.hold(), &label(), MEDIUM, &task).unwrap_err();
    assert_eq!(error.errno(), nix::errno::Errno::ENOMEDIUM as i32, "{error}");
    assert_eq!(rig.told.lines(), [""; 0]);
}

#[test]
fn a_medium_is_waited_for_until_it_comes_and_asked_for_once_for_each_reason() {
    let rig = Rig::new();
    let task = rig.script(vec![
        nothing(),
        Box::new(|library, _| put_in(library, 2)),
        nothing(),
        Box::new(|library, _| take_out(library, 2)),
        nothing(),
        Box::new(|library, _| put_in(library, 1)),
    ]);
    let mut hold = rig.hold();
    hold.ask_for_media(rig.asking());
    let labels = load_medium(&mut hold, &label(), MEDIUM, &task).unwrap();
    assert_eq!(labels.label.uuid, MEDIUM);
    let told = rig.told.lines();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("A00001L8 in drive 'drive0': "), "{told:?}");
    assert!(told[1].contains("without label") && told[2] == "A00001L8 settled", "{told:?}");
    let log = task.log.lock().unwrap().clone();
    assert_eq!(log[0], "Checking for media 'A00001L8' in drive 'drive0'");
    let asked = log.iter().filter(|l| *l == "Please insert media 'A00001L8' into drive 'drive0'");
    assert_eq!(asked.count(), 3, "each change is in the log: {log:?}");
    assert!(log.last().unwrap().starts_with("found media label A00001L8"), "{log:?}");
    assert_eq!(task.waits_for.lock().unwrap().last(), Some(&None));
    assert_eq!(rig.desk.wanted(), None);
}

#[test]
fn a_wait_can_be_stopped() {
    let rig = Rig::new();
    let task = rig.script(vec![nothing(), Box::new(|_, cancel| cancel.cancel())]);
    let mut hold = rig.hold();
    hold.ask_for_media(rig.asking());
    let error = load_medium(&mut hold, &label(), MEDIUM, &task).unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    assert_eq!((rig.told.lines().len(), rig.desk.wanted()), (2, None));
}

#[test]
fn what_nobody_can_help_is_an_error_at_once() {
    let rig = Rig::new();
    let task = rig.script(Vec::new());
    let mut hold = rig.hold();
    hold.ask_for_media(rig.asking());
    put_in(&rig.library, 1);
    rig.library.fail_at(Operation::Rewind, FailurePattern::From(1), || reel_hw::Error::Cancelled);
    let error = load_medium(&mut hold, &label(), MEDIUM, &task).unwrap_err();
    assert!(error.to_string().contains("cancelled"), "{error}");
    assert_eq!(rig.told.lines(), [""; 0]);
}

#[test]
fn places_in_the_line_are_served_in_their_order() {
    let rig = Rig::new();
    let first = rig.desk.line_up();
    let second = rig.desk.line_up();
    let refused = rig.desk.hold_in_turn(second, "second", Duration::ZERO, &Cancel::new());
    assert!(matches!(refused, Err(Error::DriveBusy { .. })));
    let hold = rig.desk.hold_in_turn(first, "first", Duration::ZERO, &Cancel::new()).unwrap();
    assert_eq!(rig.desk.held_for().as_deref(), Some("first"));
    drop(hold);
    drop(rig.desk.line_up());
    assert!(!rig.desk.is_wanted(), "a place that is given up is nobody's");
    drop(rig.hold());
}
