//! `reeld --listen`: its certificate, who may come in, and what its own commands and a remote make of it.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use reel_tests::Home;

/// A port that nobody has, for a moment at least.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn fingerprint(info: &str) -> String {
    let line = info.lines().find_map(|line| line.strip_prefix("Fingerprint (sha256): "));
    line.unwrap().to_owned()
}

#[test]
fn a_certificate_is_made_once_and_told() {
    let home = Home::new();
    let daemon = home.start();
    assert!(daemon.ctl_fails("cert info").contains("'cert update' makes one"));
    assert_eq!(daemon.ctl("cert update"), "");
    let info = daemon.ctl("cert info");
    assert!(info.starts_with("Subject: O = Proxmox Backup Server, OU = "), "{info}");
    assert!(info.contains("\n    IP:[127, 0, 0, 1]\n"), "{info}");
    assert!(info.ends_with("Public key type: rsaEncryption\nPublic key bits: 4096\n"), "{info}");
    assert_eq!(fingerprint(&info).len(), 95);
    daemon.ctl("cert update");
    assert_eq!(daemon.ctl("cert info"), info);
    daemon.ctl("cert update --force");
    assert_ne!(fingerprint(&daemon.ctl("cert info")), fingerprint(&info));
    for (name, mode) in [
        ("proxy.pem", 0o640),
        ("proxy.key", 0o640),
        ("authkey.key", 0o600),
        ("authkey.pub", 0o640),
        ("csrf.key", 0o640),
    ] {
        let meta = fs::metadata(home.join("etc").join(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn a_remote_finds_the_server_and_nobody_unknown_comes_in() {
    let home = Home::new();
    let port = free_port();
    let daemon = home.start_with(&["--listen", &format!("127.0.0.1:{port}")]);
    let own = fingerprint(&daemon.ctl("cert info"));
    let create = |name: &str, rest: &str| {
        daemon.ctl(&format!(
            "remote create {name} --host 127.0.0.1 --port {port} --auth-id a@pbs!tok --password x {rest}"
        ));
        daemon.ctl_fails(&format!("remote check {name}"))
    };
    let untrusted = create("unknown", "");
    assert!(untrusted.contains(&own), "{untrusted}");
    let refused = create("itself", &format!("--fingerprint {own}"));
    assert!(refused.contains("401") && refused.contains("disabled or expired"), "{refused}");
}

#[test]
fn a_port_that_is_taken_keeps_the_daemon_from_starting() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let Err(log) = home.try_start(&["--listen", &address]) else {
        unreachable!("two listeners on one port")
    };
    assert!(log.contains(&format!("listen on {address}")), "{log}");
}
