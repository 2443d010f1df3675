//! A daemon that dies while it takes media to the door of a library.

use std::os::unix::process::ExitStatusExt;

use nix::libc::SIGKILL;
use reel_emu::Maker;
use reel_tests::emulated::{medium, shape};
use reel_tests::{Daemon, Home, emulated};

fn location(daemon: &Daemon<'_>) -> String {
    let rows = daemon.json("media list --update-status false");
    rows[0]["location"].as_str().expect("a location").to_owned()
}

fn one_medium_in_a_library(home: &Home) {
    emulated::make(home, &shape(&[Maker::Ibm]), &[medium("EMU001L8")]);
    let daemon = home.start();
    emulated::configure(home, &daemon, 1);
    daemon.ctl("barcode-label --drive drive0");
    daemon.stop();
}

/// The medium is at the door whatever died, and what was not noted is noted when it is asked for again.
pub fn die_on_the_way_to_a_vault(point: &str) {
    let home = Home::new();
    one_medium_in_a_library(&home);

    let daemon = home.start_with(&["--crash-at", point]);
    daemon.try_ctl("vault move office EMU001L8");
    assert_eq!(daemon.wait_for_death().signal(), Some(SIGKILL), "{point}");

    let daemon = home.start();
    // It looks into its libraries first: what left one is not online any more.
    let noted = point == "export: location stored";
    assert_eq!(location(&daemon), if noted { "vault-office" } else { "offline" }, "{point}");
    daemon.ctl("vault move office EMU001L8");
    assert_eq!(location(&daemon), "vault-office", "{point}");
    daemon.ctl("changer status sl3 --cache false");
    assert_eq!(daemon.ls("changers/sl3/import-export/5"), ["EMU001L8"], "{point}");
}

/// `export-media` alone: nothing is to be noted but that the medium left the library.
pub fn die_at_the_door() {
    let home = Home::new();
    one_medium_in_a_library(&home);

    let daemon = home.start_with(&["--crash-at", "export: moved"]);
    daemon.try_ctl("export-media EMU001L8");
    assert_eq!(daemon.wait_for_death().signal(), Some(SIGKILL));
    let daemon = home.start();
    assert_eq!(location(&daemon), "offline");
    daemon.ctl("export-media EMU001L8");
    assert_eq!(daemon.ls("changers/sl3/import-export/5"), ["EMU001L8"]);
}
