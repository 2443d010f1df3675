//! The daemon as a service: what its manager hears, and who is served where it runs as user `backup`.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nix::unistd::{User, geteuid};
use reel_tests::Home;

#[test]
fn a_service_manager_hears_of_the_stop() {
    let home = Home::new();
    let daemon = home.start();
    assert_eq!(daemon.stop_and_hear(), ["STOPPING=1"]);
}

#[test]
fn a_program_in_the_mount_does_not_keep_a_daemon_of_user_backup() {
    if !users_may_mount() {
        return;
    }
    let user = User::from_name("backup").unwrap().unwrap().uid.as_raw();
    let mut home = Home::new();
    home.give_to(user);
    let daemon = home.start();
    let mut reader = Command::new("setpriv")
        .args([format!("--reuid={user}"), format!("--regid={user}")])
        .args([
            "--clear-groups",
            "--",
            "sh",
            "-c",
            r#"cd "$1" && echo there && exec sleep infinity"#,
            "sh",
        ])
        .arg(home.mount())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 6];
    reader.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    daemon.stop();
    reader.kill().unwrap();
    reader.wait().unwrap();
}

/// Whether any user may mount on this machine, as on every Debian; CI of another kind may differ.
fn users_may_mount() -> bool {
    let device = fs::metadata("/dev/fuse").unwrap().permissions().mode();
    let may = geteuid().is_root() && device & 0o006 == 0o006;
    if !may {
        eprintln!("skipped: takes root, and a /dev/fuse that any user may open");
    }
    may
}

#[test]
fn as_user_backup_it_mounts_and_works() {
    if !users_may_mount() {
        return;
    }
    let user = User::from_name("backup").unwrap().unwrap();
    let mut home = Home::new();
    home.give_to(user.uid.as_raw());
    let daemon = home.start();
    fs::create_dir(home.join("tapes")).unwrap();
    std::os::unix::fs::chown(home.join("tapes"), Some(user.uid.as_raw()), None).unwrap();
    // Root is served by the socket always, by the mount where /etc/fuse.conf lets others in at all.
    let tapes = home.join("tapes");
    daemon.ctl(&format!("drive create drive1 --path virtual:{} --max-size 64MiB", tapes.display()));
    daemon.ctl("pool create daily");
    daemon.ctl("label --label-text OWN001L8 --pool daily");
    let said = home.daemon_log();
    let let_in = !said.contains("'user_allow_other' is not in /etc/fuse.conf");
    assert_eq!(fs::read_dir(daemon.at("media/OWN001L8")).is_ok(), let_in, "{said}");
    let inventory = fs::metadata(home.join("state/tape/inventory.json")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&inventory), user.uid.as_raw());
}
