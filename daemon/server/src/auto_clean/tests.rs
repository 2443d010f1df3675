//! A daemon on an emulated library that is told to make trouble.

use reel_emu::{CleaningWish, EmulatedLibrary, Fault, Moment};
use reel_hw::VolumeTag;
use reel_hw::scsi::{Sense, SenseKey};
use reel_types::NoCommitPoints;
use reel_types::commands::Command;
use reel_types::{ManualClock, TimeZone, Upid};
use serde_json::{Value, json};

use super::*;
use crate::commands::Done;
use crate::folders::Folders;
use crate::reeld::Surroundings;
use crate::runtime::Runtime;

struct Rig {
    reeld: Arc<Reeld>,
    library: EmulatedLibrary,
    clock: Arc<ManualClock>,
    _runtime: tokio::runtime::Runtime,
    _base: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let folders = Folders::below(base.path());
        folders.create().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = Arc::new(ManualClock::at(1_795_444_382));
        let surroundings = Surroundings {
            clock: Arc::clone(&clock) as Arc<dyn reel_types::Clock>,
            zone: TimeZone::UTC,
            runtime: Runtime::new(runtime.handle().clone()),
            key_credential: None,
            export_state: None,
            commit_points: Arc::new(NoCommitPoints),
            chunk_cache_bytes: 1 << 20,
            chunk_memory_bytes: 1 << 20,
            ask_again: std::time::Duration::from_secs(5),
        };
        let reeld = Reeld::new(folders, surroundings).unwrap();
        let path = format!("emulated:{}", base.path().join("library").display());
        data(&reeld, "changer create", json!({"name": "sl3", "path": path}));
        for number in 0..2 {
            let drive = json!({
                "name": format!("drive{number}"), "path": path, "changer": "sl3",
                "changer-drivenum": number,
            });
            data(&reeld, "drive create", drive);
        }
        let library = reeld.drives.devices.emulated(&path.parse().unwrap()).unwrap();
        Self { reeld, library, clock, _runtime: runtime, _base: base }
    }

    /// Has a command done, and waits for its task; the log.
    fn log_of(&self, command: &str, params: Value) -> String {
        let Done::Task(upid) = run(&self.reeld, command, params).unwrap() else {
            panic!("{command} is no task");
        };
        self.log(&upid)
    }

    fn log(&self, upid: &Upid) -> String {
        while self.reeld.tasks.running(upid).is_some() {
            std::thread::yield_now();
        }
        self.reeld.tasks.log_lines(upid, 0, 1000).unwrap().0.join("\n")
    }

    fn data(&self, command: &str, params: Value) -> Value {
        data(&self.reeld, command, params)
    }

    /// Loads a medium of the library, labelled by us, into drive0.
    fn label(&self) {
        self.log_of("load-media", json!({"label-text": "REEL01L8", "drive": "drive0"}));
        self.log_of("label", json!({"label-text": "REEL01L8", "drive": "drive0"}));
    }

    /// Uses drive0 for a moment.
    fn use_drive(&self) -> String {
        self.log_of("rewind", json!({"drive": "drive0"}))
    }

    /// The logs of the cleanings that were begun, newest first.
    fn cleanings(&self) -> Vec<String> {
        let tasks = self.reeld.tasks.list().unwrap().into_iter();
        let cleanings = tasks.filter(|task| task.upid.parts().worker_type == "clean-drive");
        cleanings.map(|task| self.log(&task.upid)).collect()
    }
}

fn run(reeld: &Arc<Reeld>, command: &str, params: Value) -> Outcome<Done> {
    let Value::Object(params) = params else { panic!("parameters are an object") };
    let command = Command::from_params(command, &params).unwrap();
    reeld.run(&command, &AuthId::root(), None)
}

fn data(reeld: &Arc<Reeld>, command: &str, params: Value) -> Value {
    match run(reeld, command, params).unwrap() {
        Done::Data(data) => data,
        Done::Task(upid) => panic!("{command} is task {upid}"),
    }
}

#[test]
fn a_drive_that_asks_for_it_is_cleaned_where_the_configuration_says_so() {
    let rig = Rig::new();
    rig.label();
    rig.library.want_cleaning(0, CleaningWish::Now);
    let log = rig.use_drive();
    assert!(log.contains("WARN: drive 'drive0': it asks to be cleaned now"), "{log}");
    assert!(!rig.use_drive().contains("WARN"), "it is told once");
    let drive = rig.data("drive health", json!({"name": "drive0"}));
    assert_eq!((&drive["verdict"], &drive["cleaning"]), (&json!("clean"), &json!("now")));
    assert_eq!(drive["auto-clean"], false);
    assert_eq!(rig.cleanings(), [""; 0], "nobody said so");

    rig.data("drive update", json!({"name": "drive0", "auto-clean": true}));
    assert_eq!(rig.data("drive config", json!({"name": "drive0"}))["auto-clean"], true);
    rig.use_drive();
    let cleanings = rig.cleanings();
    assert_eq!(cleanings.len(), 1);
    assert!(cleanings[0].contains("Drive cleaned successfully"), "{cleanings:?}");
    assert!(cleanings[0].contains("Cleaning tape wearout: 2%"), "{cleanings:?}");
    let drive = rig.data("drive health", json!({"name": "drive0"}));
    assert_eq!((&drive["verdict"], drive.get("cleaning")), (&json!("good"), None));
    assert_eq!(drive["drive-cleanings"], 1);
    let cartridge = rig.data("media health", json!({"label-text": "CLN001CU"}));
    assert_eq!((&cartridge["uses"], &cartridge["uses-left"]), (&json!(1), &json!(49)));
    rig.log_of("load-media", json!({"label-text": "REEL01L8", "drive": "drive0"}));
    assert_eq!(rig.cleanings().len(), 1, "it asks no more");
}

#[test]
fn a_cleaning_that_fails_is_not_tried_again_at_once() {
    let rig = Rig::new();
    let tag = VolumeTag::new("CLN001CU").unwrap();
    rig.reeld.tape.health.note_cleaning(&tag, &"drive1".parse().unwrap(), true).unwrap();
    rig.data("drive update", json!({"name": "drive0", "auto-clean": true}));
    rig.label();
    rig.library.want_cleaning(0, CleaningWish::Soon);
    rig.use_drive();
    rig.use_drive();
    let cleanings = rig.cleanings();
    assert_eq!(cleanings.len(), 1, "{cleanings:?}");
    assert!(cleanings[0].contains("used up (CLN001CU); put another one in"), "{cleanings:?}");
    let drive = rig.data("drive health", json!({"name": "drive0"}));
    assert_eq!(drive["cleaning"], "soon", "the wish is kept");
    rig.clock.advance(TRY_AGAIN_S);
    rig.use_drive();
    assert_eq!(rig.cleanings().len(), 2);
    let media = rig.data("media health", json!({}));
    let row = media.as_array().unwrap().iter().find(|row| row["kind"] == "cleaning").unwrap();
    assert_eq!((&row["verdict"], &row["uses-left"]), (&json!("replace"), &json!(0)));
}

#[test]
fn a_stopping_daemon_begins_no_cleaning() {
    let rig = Rig::new();
    rig.data("drive update", json!({"name": "drive0", "auto-clean": true}));
    rig.label();
    rig.library.want_cleaning(0, CleaningWish::Now);
    rig.reeld.tasks.cancel_all();
    rig.use_drive();
    assert_eq!(rig.cleanings(), [""; 0]);
}

#[test]
fn failures_are_told_of_the_medium_and_of_the_drive() {
    let rig = Rig::new();
    rig.label();
    let before = rig.data("media health", json!({"label-text": "REEL01L8"}));
    assert_eq!((&before["verdict"], &before["unrecovered-errors"]), (&json!("good"), &json!(0)));
    let sense = Sense::new(SenseKey::MediumError, 0x11, 0x00);
    let next = rig.library.commands() + 1;
    rig.library.plan_fault(Fault { moment: Moment::Once(next), sense });
    assert!(run(&rig.reeld, "rewind", json!({"drive": "drive0"})).is_err());
    let log = rig.use_drive();
    for words in [
        "WARN: media 'REEL01L8': errors in its life that nothing corrected: 0 on writing, 1 on reading",
        "WARN: media 'REEL01L8': tape alerts HARD_ERROR, READ_FAILURE, told by drive0",
        "WARN: drive 'drive0': tape alerts HARD_ERROR, READ_FAILURE with media REEL01L8",
        "TASK WARNINGS: 3",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let medium = rig.data("media health", json!({"label-text": "REEL01L8"}));
    assert_eq!((&medium["verdict"], &medium["unrecovered-errors"]), (&json!("warn"), &json!(1)));
    let last = medium["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["alerts"], json!(["HARD_ERROR", "READ_FAILURE"]));
    assert_eq!((&last["drive"], &last["read-uncorrected"]), (&json!("drive0"), &json!(1)));
    assert_eq!(rig.data("drive health", json!({"name": "drive1"}))["verdict"], "unknown");

    // The other drive takes it over, and has the same trouble: it is the medium.
    rig.log_of("unload", json!({"drive": "drive0"}));
    rig.log_of("load-media", json!({"label-text": "REEL01L8", "drive": "drive1"}));
    let next = rig.library.commands() + 1;
    rig.library.plan_fault(Fault { moment: Moment::Once(next), sense });
    assert!(run(&rig.reeld, "rewind", json!({"drive": "drive1"})).is_err());
    rig.log_of("rewind", json!({"drive": "drive1"}));
    let medium = rig.data("media health", json!({"label-text": "REEL01L8"}));
    assert_eq!(medium["verdict"], "replace");
    assert!(medium["advice"][0].as_str().unwrap().contains("drive0, drive1"), "{medium}");
}
