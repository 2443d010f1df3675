//! Root, control files, tasks, drives and pools.

use std::ffi::OsStr;

use nix::libc;
use reel_fs::{Attempt, Caller};
use reeld::Folders;

use crate::support::Daemon;

#[test]
fn the_root_says_what_it_is() {
    let daemon = Daemon::new(|_| {});
    assert_eq!(
        daemon.names(""),
        [
            "ctl",
            "last-error",
            "last-task",
            "README",
            "version",
            "abi",
            "datastores",
            "pools",
            "media",
            "media-sets",
            "changers",
            "drives",
            "remotes",
            "sync-jobs",
            "backup-jobs",
            "media-verify-jobs",
            "keys",
            "users",
            "acl",
            "tasks",
        ]
    );
    assert_eq!(daemon.cat("version").trim(), env!("CARGO_PKG_VERSION"));
    assert!(daemon.cat("README").contains("media-sets/UUID"));
    assert!(daemon.cat("ctl").contains("reload"));
    daemon.echo("reload", "ctl").unwrap();
}

#[test]
fn what_other_programs_write_into_the_configuration_shows_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::new(|_| {});
    let config = Folders::below(daemon.base.path()).config.join("datastore.cfg");
    let section = |name: &str, comment: &str| {
        format!("datastore: {name}\n\tpath {}\n\tcomment {comment}\n", folder.path().display())
    };
    for (name, comment) in [("store1", "one"), ("store1", "two"), ("store2", "two")] {
        std::fs::write(&config, section(name, comment)).unwrap();
        let fixed = ["ctl", "last-error", "last-task"];
        let shown = daemon.names("datastores");
        assert_eq!(shown.iter().filter(|name| !fixed.contains(&name.as_str())).count(), 1);
        let config = daemon.cat(&format!("datastores/{name}/config"));
        assert!(config.contains(&format!("comment: {comment}\n")), "{config}");
        let status = daemon.cat(&format!("datastores/{name}/status"));
        assert!(status.contains(&format!("path: {}\n", folder.path().display())), "{status}");
    }
    std::fs::remove_file(&config).unwrap();
    assert_eq!(daemon.find("datastores/store2").unwrap_err().errno(), libc::ENOENT);
}

#[test]
fn a_refusal_stands_in_last_error_and_survives_look_ups() {
    let daemon = Daemon::new(|_| {});
    assert_eq!(daemon.echo("explode", "pools/ctl").unwrap_err().errno(), libc::EINVAL);
    let noted = daemon.cat("pools/last-error");
    assert!(noted.contains("EINVAL \"explode\"") && noted.contains("create"), "{noted}");
    assert_eq!(daemon.cat("drives/last-error"), "");
}

#[test]
fn objects_come_and_go_by_commands() {
    let daemon = Daemon::new(|_| {});
    let folder = daemon.base.path().join("tapes");
    daemon.echo(&format!("create vt0 path=virtual:{}", folder.display()), "drives/ctl").unwrap();
    assert_eq!(
        daemon.names("drives/vt0"),
        [
            "ctl",
            "last-error",
            "last-task",
            "config",
            "config.json",
            "status",
            "status.json",
            "health",
            "health.json",
            "state",
            "label",
            "underruns",
        ]
    );
    assert!(daemon.cat("drives/vt0/config").contains("name: vt0\n"));
    assert!(daemon.cat("drives/vt0/status.json").contains("\"state\""));
    daemon.echo("create pool1 allocation=always", "pools/ctl").unwrap();
    assert!(daemon.cat("pools/pool1/config").contains("allocation: always\n"));
    assert!(daemon.cat("pools/pool1/status").contains("media: 0\n"));
    assert_eq!(daemon.echo("remove", "pools/pool1/ctl").unwrap_err().errno(), libc::EPERM);
    daemon.echo("remove pool1", "pools/pool1/ctl").unwrap();
    assert_eq!(daemon.find("pools/pool1").unwrap_err().errno(), libc::ENOENT);
}

#[test]
fn labelled_media_show_and_their_task_is_waited_for() {
    let daemon = Daemon::new(|_| {});
    let folder = daemon.base.path().join("tapes");
    daemon.echo(&format!("create vt0 path=virtual:{}", folder.display()), "drives/ctl").unwrap();
    daemon.echo("create pool1", "pools/ctl").unwrap();
    daemon.echo("label label-text=TAPE01 pool=pool1", "drives/vt0/ctl").unwrap();
    assert_eq!(daemon.wait("drives/vt0"), "OK\n");
    assert_eq!(daemon.cat("media/TAPE01/pool"), "pool1\n");
    assert_eq!(daemon.cat("media/TAPE01/set"), "");
    assert!(daemon.cat("media/TAPE01/status").contains("status: writable\n"));
    assert_eq!(daemon.cat("media/TAPE01/content.json"), "[]\n");
    assert_eq!(daemon.link("pools/pool1/media/TAPE01"), "../../../media/TAPE01");
    let upid = daemon.cat("drives/vt0/last-task");
    let task = format!("tasks/{}", upid.trim());
    assert!(daemon.cat(&format!("{task}/status")).contains("exit-status: OK\n"));
    assert!(daemon.cat(&format!("{task}/log")).ends_with("TASK OK\n"));
    assert!(daemon.names("tasks").contains(&upid.trim().to_string()));
    assert!(daemon.names("tasks/active").is_empty());
}

#[test]
fn a_failed_task_fails_who_waits_after_telling_why() {
    let daemon = Daemon::new(|_| {});
    let folder = daemon.base.path().join("tapes");
    daemon.echo(&format!("create vt0 path=virtual:{}", folder.display()), "drives/ctl").unwrap();
    daemon.echo("label label-text=TAPE01", "drives/vt0/ctl").unwrap();
    daemon.wait("drives/vt0");
    daemon.echo("label label-text=TAPE01", "drives/vt0/ctl").unwrap();
    let upid = daemon.cat("drives/vt0/last-task");
    let handle = daemon.open(&format!("tasks/{}/wait", upid.trim()), libc::O_RDONLY).unwrap();
    let line = daemon.read(handle, 0, 4096).unwrap();
    assert!(!line.is_empty());
    let error = daemon.read(handle, line.len() as u64, 4096).unwrap_err();
    assert_eq!(error.errno(), libc::EIO);
}

#[test]
fn file_verbs_are_refused_with_the_verb_to_use() {
    let daemon = Daemon::new(|_| {});
    daemon.echo("create pool1", "pools/ctl").unwrap();
    let caller = Caller { uid: 0, gid: 0, pid: 1 };
    let pools = daemon.find("pools").unwrap().ino;
    let attempt = Attempt::RemoveDirectory(OsStr::new("pool1"));
    assert_eq!(daemon.engine.refuse(&caller, pools, &attempt).errno(), libc::EPERM);
    assert!(daemon.cat("pools/last-error").contains("remove NAME"));
}
