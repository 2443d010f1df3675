//! What `mt` and `mtx` send to drive and changer, command by command: as PBS's `pmt` and `pmtx` did where they were
//! recorded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reel_emu::{Device, EmulatedLibrary, EmulatedTransport, Generation, Maker};
use reel_hw::conformance::block;
use reel_hw::scsi::Cdb;
use reel_hw::tool::{MtVerb, MtxVerb, ToolResult};
use reel_hw::transport::{Data, Reply, Transport, TransportError};
use reel_hw::{Cancel, ChangerOptions, ScsiChanger};
use serde_json::{Value, json};

use crate::support::{Host, cartridge, library, model};

const INQUIRY: &str = "12 00 00 00 24 00";

/// A way that writes down what goes over it.
struct Recorder {
    way: EmulatedTransport,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Transport for Recorder {
    fn execute(
        &mut self,
        cdb: &Cdb,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        let mut line = hex(cdb.as_bytes());
        if let Data::Out(bytes) = &data {
            line += &format!(" | {}", hex(bytes));
        }
        self.sent.lock().unwrap().push(line);
        self.way.execute(cdb, data, timeout)
    }

    fn device(&self) -> &str {
        self.way.device()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn recorder(library: &EmulatedLibrary, device: Device) -> (Box<Recorder>, Arc<Mutex<Vec<String>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let way = library.transport(device);
    // What there is to tell a new host was told to the one before, as on a host that has one way.
    let mut host = Host(way);
    host.hear();
    (Box::new(Recorder { way: host.0, sent: Arc::clone(&sent) }), sent)
}

/// Six files of one block, the tape at its beginning.
fn recorded() -> (EmulatedLibrary, Host) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let mut host = Host::new(&library, Device::Drive(0));
    for _ in 0..6 {
        host.write(&block(b'a'));
        host.send(&[0x10, 0, 0, 0, 1, 0]);
    }
    host.send(&[0x01, 0, 0, 0, 0, 0]);
    (library, host)
}

fn parameters(parameters: Value) -> serde_json::Map<String, Value> {
    parameters.as_object().unwrap().clone()
}

/// Does a verb of `mt`; its answer, and what was sent for it.
fn mt(library: &EmulatedLibrary, word: &str, given: Value) -> (ToolResult<Value>, Vec<String>) {
    let (way, sent) = recorder(library, Device::Drive(0));
    let answer = MtVerb::new(word, &parameters(given)).unwrap().on_device(way, &Cancel::new());
    let sent = sent.lock().unwrap().clone();
    (answer, sent)
}

#[test]
fn mt_sends_what_pmt_sends() {
    let (library, mut host) = recorded();
    let count = |count: u32| json!({ "count": count });
    let none = json!({});
    // Word, parameters, what is sent, the object that the drive stands at then.
    let cases: [(&str, Value, &[&str], u64); 21] = [
        ("fsf", count(2), &["11 01 00 00 02 00"], 4),
        ("bsf", count(1), &["11 01 ff ff ff 00"], 3),
        ("fsfm", count(1), &["11 01 00 00 01 00", "11 01 ff ff ff 00"], 3),
        ("bsfm", count(1), &["11 01 ff ff ff 00", "11 01 00 00 01 00"], 2),
        ("fsr", count(1), &["11 00 00 00 01 00"], 3),
        ("bsr", count(1), &["11 00 ff ff ff 00"], 2),
        ("rewind", none.clone(), &["01 00 00 00 00 00"], 0),
        (
            "asf",
            count(3),
            &[
                "92 08 00 00 00 00 00 00 00 00 00 02 00 00 00 00",
                "11 01 00 00 01 00",
                "34 06 00 00 00 00 00 00 00 00",
            ],
            6,
        ),
        ("asf", count(1), &["01 00 00 00 00 00", "11 01 00 00 01 00"], 2),
        ("asf", count(0), &["01 00 00 00 00 00"], 0),
        ("eod", none.clone(), &["11 03 00 00 00 00"], 12),
        ("weof", count(2), &["10 00 00 00 02 00"], 14),
        ("asf", count(0), &["01 00 00 00 00 00"], 0),
        ("lock", none.clone(), &["1e 00 00 00 01 00"], 0),
        ("unlock", none.clone(), &["1e 00 00 00 00 00"], 0),
        ("fsf", count(5), &["11 01 00 00 05 00"], 10),
        ("erase", json!({ "fast": true }), &["19 00 00 00 00 00"], 10),
        ("eod", none.clone(), &["11 03 00 00 00 00"], 10),
        ("erase", json!({ "fast": false }), &["19 01 00 00 00 00"], 0),
        ("eject", none.clone(), &["1b 00 00 00 00 00"], 0),
        ("load", none, &["1b 00 00 00 01 00"], 0),
    ];
    for (word, given, expected, object) in cases {
        let (answer, sent) = mt(&library, word, given.clone());
        assert_eq!(answer.unwrap(), Value::Null, "{word} {given}");
        assert_eq!(sent, [&[INQUIRY], expected].concat(), "{word} {given}");
        if !["erase", "eject"].contains(&word) {
            host.hear();
            assert_eq!(host.position(), object, "{word} {given}");
        }
    }
}

#[test]
fn spacing_that_meets_something_fails_in_the_words_of_pbs() {
    let (library, _) = recorded();
    let said = |word: &str, count: u32| {
        mt(&library, word, json!({ "count": count })).0.unwrap_err().to_string()
    };
    mt(&library, "fsf", json!({ "count": 1 })).0.unwrap();
    assert_eq!(
        said("fsr", 2),
        "space blocks failed - No Sense, Additional sense: Filemark detected"
    );
    assert_eq!(
        said("fsf", 9),
        "space filemarks failed - Blank Check, Additional sense: End-of-data detected"
    );
    assert_eq!(
        said("bsf", 99),
        "space filemarks failed - No Sense, Additional sense: Beginning-of-partition/medium detected"
    );
    assert!(said("weof", 256).contains("more than 255 filemarks"));
    mt(&library, "eject", json!({})).0.unwrap();
    assert!(said("fsf", 1).contains("no medium"));
}

#[test]
fn modes_are_read_changed_and_written_back() {
    let (library, mut host) = recorded();
    let sense = "5a 00 0f 00 00 00 00 10 00 00";
    let (answer, sent) =
        mt(&library, "options", json!({ "compression": false, "defaults": false }));
    answer.unwrap();
    assert_eq!(sent[..2], [INQUIRY, sense]);
    let [_, _, select] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(select.starts_with("55 10 00 00 00 00 00 00 20 00 | 00 00 00 10 "), "{select}");
    let page = |host: &mut Host| host.ask(&[0x5A, 0, 0x0F, 0, 0, 0, 0, 0x10, 0, 0]).unwrap();
    host.hear();
    assert_eq!(page(&mut host)[18] & 0x80, 0, "no compression");

    mt(&library, "setblk", json!({ "size": 1024 })).0.unwrap();
    host.hear();
    let bytes = page(&mut host);
    assert_eq!(
        (&bytes[13..16], bytes[18] & 0x80),
        (&[0, 4, 0][..], 0),
        "and compression is as it was"
    );

    let (answer, sent) = mt(&library, "options", json!({ "buffer-mode": false, "defaults": true }));
    answer.unwrap();
    assert_eq!(sent.iter().filter(|line| *line == sense).count(), 2, "defaults, then the rest");
    host.hear();
    let bytes = page(&mut host);
    assert_eq!((&bytes[13..16], bytes[18] & 0x80, bytes[3] & 0x70), (&[0, 0, 0][..], 0x80, 0));
}

#[test]
fn status_asks_and_leaves_the_drive_as_it_is() {
    let (library, mut host) = recorded();
    host.send(&[0x11, 1, 0, 0, 2, 0]);
    let (answer, sent) = mt(&library, "status", json!({}));
    let status = answer.unwrap()["Ok"].clone();
    assert_eq!(
        sent,
        [
            INQUIRY,
            INQUIRY,
            "5a 00 0f 00 00 00 00 10 00 00",
            "4d 00 51 00 00 00 00 20 00 00",
            "4d 00 52 00 00 00 00 02 00 00",
            "00 00 00 00 00 00",
            "34 06 00 00 00 00 00 00 00 00",
            "8c 00 00 00 00 00 00 00 00 00 00 00 80 00 00 00",
            "4d 00 57 00 00 00 00 20 00 00",
        ]
    );
    assert_eq!((&status["file-number"], &status["block-number"]), (&json!(2), &json!(4)));
    assert_eq!((&status["density"], &status["alert-flags"]), (&json!("LTO8"), &json!("(empty)")));
    mt(&library, "eject", json!({})).0.unwrap();
    let status = mt(&library, "status", json!({})).0.unwrap()["Ok"].clone();
    assert_eq!((&status["product"], &status["file-number"]), (&json!("ULTRIUM-TD8"), &Value::Null));
}

#[test]
fn what_changes_the_tape_is_not_repeated_after_a_reset() {
    let (library, mut host) = recorded();
    host.send(&[0x11, 1, 0, 0, 2, 0]);
    let (way, sent) = recorder(&library, Device::Drive(0));
    library.reset(Device::Drive(0));
    let verb = MtVerb::new("erase", &parameters(json!({ "fast": true }))).unwrap();
    let error = verb.on_device(way, &Cancel::new()).unwrap_err().to_string();
    assert!(error.contains("Unit Attention"), "{error}");
    assert_eq!(*sent.lock().unwrap(), [INQUIRY, "19 00 00 00 00 00"]);
    host.hear();
    host.send(&[0x11, 3, 0, 0, 0, 0]);
    assert_eq!(host.position(), 12, "nothing is gone");
}

fn mtx(library: &EmulatedLibrary, word: &str, given: Value) -> (ToolResult<Value>, Vec<String>) {
    let (way, sent) = recorder(library, Device::Changer);
    let mut changer = ScsiChanger::open(way, ChangerOptions::default(), &Cancel::new()).unwrap();
    let answer = MtxVerb::new(word, &parameters(given)).unwrap().run(&mut changer);
    let sent = sent.lock().unwrap().clone();
    (answer, sent)
}

const ELEMENTS: [&str; 6] = [
    "1a 08 1d 00 ff 00",
    "b8 12 00 00 03 e8 00 00 ff ff 00 00",
    "b8 13 00 00 03 e8 00 00 ff ff 00 00",
    "b8 14 00 00 03 e8 00 00 ff ff 00 00",
    "b8 04 00 00 03 e8 01 00 ff ff 00 00",
    "b8 11 00 00 03 e8 00 00 ff ff 00 00",
];

#[test]
fn mtx_sends_what_pmtx_sends() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.put(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let look: Vec<&str> = [INQUIRY].into_iter().chain(ELEMENTS).collect();
    let (status, sent) = mtx(&library, "status", json!({}));
    assert_eq!(sent, look);
    let status = status.unwrap();
    assert_eq!(status["slots"][0]["status"], json!({ "VolumeTag": "TEST01L8" }));
    assert_eq!(
        (&status["slots"][4]["import_export"], &status["slots"][1]["status"]),
        (&json!(true), &json!("Empty"))
    );
    assert_eq!(status["transports"].as_array().unwrap().len(), 1);

    let moves = |word: &str, given: Value| {
        let (answer, sent) = mtx(&library, word, given);
        answer.unwrap();
        let (last, before) = sent.split_last().unwrap();
        assert!(before.ends_with(&ELEMENTS.map(str::to_owned)), "{word}: looks before it moves");
        assert!(last.starts_with("a5 00 "), "{last}");
    };
    let drive = |library: &EmulatedLibrary| {
        mtx(library, "status", json!({})).0.unwrap()["drives"][0].clone()
    };
    moves("transfer", json!({ "from": 1, "to": 3 }));
    moves("load", json!({ "slot": 3, "drivenum": 0 }));
    assert_eq!(drive(&library)["status"], json!({ "VolumeTag": "TEST01L8" }));
    assert_eq!(drive(&library)["loaded_slot"], 3);
    moves("unload", json!({ "drivenum": 0 }));
    assert_eq!(drive(&library)["status"], "Empty");
    moves("load", json!({ "slot": 3, "drivenum": 0 }));
    moves("unload", json!({ "drivenum": 0, "slot": 5 }));

    let (answer, sent) = mtx(&library, "inventory", json!({}));
    assert_eq!(
        (answer.unwrap(), sent),
        (Value::Null, vec![INQUIRY.into(), "07 00 00 00 00 00".into()])
    );
    let (answer, _) = mtx(&library, "inquiry", json!({}));
    assert_eq!(
        answer.unwrap(),
        json!({
            "peripheral_type": 8, "peripheral_type_text": "Medium Changer", "vendor": "REELFS",
            "product": "EMULATED LIBRARY", "revision": "0100",
        })
    );
}

#[test]
fn mtx_refuses_in_the_words_of_pbs() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    let said = |word: &str, given: Value| mtx(&library, word, given).0.unwrap_err().to_string();
    assert_eq!(said("unload", json!({ "drivenum": 0 })), "Drive 0 is empty.");
    assert_eq!(said("unload", json!({ "drivenum": 7 })), "Drive 7 does not exist.");
    library.put(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    mtx(&library, "load", json!({ "slot": 1, "drivenum": 0 })).0.unwrap();
    for slot in 0..4 {
        library.put(slot, cartridge(&format!("FULL0{slot}L8"), Generation::Lto8, 1 << 30));
    }
    assert_eq!(said("unload", json!({ "drivenum": 0 })), "Drive '0' unload failure - no free slot");
    assert!(
        said("load", json!({ "slot": 99, "drivenum": 0 }))
            .contains("invalid slot number '99' (max ")
    );
}
