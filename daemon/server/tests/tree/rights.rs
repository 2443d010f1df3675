//! What users see and do who are not the superuser: in the tree, by control files and by commands.

use std::fs;
use std::path::Path;

use nix::libc;
use nix::unistd::User;
use reel_types::AuthId;
use reel_types::commands::Command;
use reeld::commands::Done;
use serde_json::{Map, Value, json};

use crate::support::Daemon;

const STORE: &str = "datastores/store1";
const TIME: &str = "2026-01-10T08:00:00Z";

/// Two users that every Linux knows.
const USER: &str = "daemon";
const OTHER: &str = "bin";

fn uid_of(name: &str) -> Option<u32> {
    let uid = User::from_name(name).ok().flatten()?.uid;
    (uid != nix::unistd::geteuid()).then_some(uid.as_raw())
}

/// A datastore with a group of each of three owners, and the rights in `acl`; none where the system lacks the users.
fn daemon(acl: &str) -> Option<Daemon> {
    let (Some(_), Some(_)) = (uid_of(USER), uid_of(OTHER)) else {
        eprintln!("skipped: no users '{USER}' and '{OTHER}' on this computer");
        return None;
    };
    let daemon = Daemon::new(|folders| {
        let base = folders.config.parent().unwrap();
        let write = |name: &str, text: String| fs::write(folders.config.join(name), text).unwrap();
        let stores = ["store1", "store2"].map(|name| {
            fs::create_dir_all(base.join(name).join(".chunks")).unwrap();
            format!("datastore: {name}\n\tpath {}\n", base.join(name).display())
        });
        write("datastore.cfg", stores.join("\n"));
        write(
            "user.cfg",
            format!("user: {USER}@pam\n\ntoken: {USER}@pam!tok\n\nuser: {OTHER}@pam\n"),
        );
        write("acl.cfg", acl.into());
        write("media-pool.cfg", "pool: daily\n".into());
        write("remote.cfg", "remote: pbs2\n\tauth-id a@pbs\n\thost ::1\n".into());
        let job = "sync: job1\n\tremote pbs2\n\tremote-store theirs\n\tstore store1\n";
        write("sync.cfg", format!("{job}\towner {USER}@pam\n"));
        let tape_job = "backup: tape1\n\tdrive drive1\n\tpool daily\n\tstore store1\n";
        write("tape-job.cfg", tape_job.into());
    });
    let file = daemon.base.path().join("conf");
    fs::write(&file, "memory: 2048\n").unwrap();
    for (group, owner) in
        [("mine", "daemon@pam"), ("token", "daemon@pam!tok"), ("other", "bin@pam")]
    {
        add_snapshot(&daemon, group, owner, &file);
    }
    Some(daemon)
}

fn add_snapshot(daemon: &Daemon, group: &str, owner: &str, file: &Path) {
    let file = format!("vm.conf={}", file.display());
    let line = format!("snapshot create host/{group} {file} time={TIME} owner={owner}");
    daemon.echo(&line, &format!("{STORE}/ctl")).unwrap();
    assert_eq!(daemon.wait(STORE).trim(), "OK");
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// What a command answers `who` with.
fn run(daemon: &Daemon, who: &str, name: &str, params: Value) -> Result<Value, reeld::Failure> {
    let who: AuthId = who.parse().unwrap();
    let command = Command::from_params(name, &object(params)).unwrap();
    daemon.reeld.run(&command, &who, None).map(|done| match done {
        Done::Data(data) => data,
        Done::Task(upid) => Value::String(upid.to_string()),
    })
}

#[test]
fn who_makes_backups_sees_its_own_groups_and_no_others() {
    let Some(daemon) = daemon("acl:1:/datastore/store1:daemon@pam:DatastoreBackup\n") else {
        return;
    };
    assert_eq!(daemon.names(&format!("{STORE}/host")), ["mine", "other", "token"]);
    daemon.act_as(uid_of(USER).unwrap());
    assert_eq!(
        daemon.names("datastores").iter().filter(|name| name.starts_with("store")).count(),
        1
    );
    assert_eq!(daemon.names(&format!("{STORE}/host")), ["mine", "token"]);
    assert_eq!(daemon.cat(&format!("{STORE}/host/mine/{TIME}/vm.conf")), "memory: 2048\n");
    assert_eq!(daemon.cat(&format!("{STORE}/host/token/owner")), "daemon@pam!tok\n");
    for hidden in [
        "datastores/store2",
        "datastores/store1/config",
        "datastores/store1/host/other",
        "pools/daily",
        "remotes/pbs2",
        "sync-jobs/job1",
        "backup-jobs/tape1",
        "users/bin@pam",
        "acl/list",
    ] {
        let error = daemon.find(hidden).unwrap_err();
        assert_eq!(error.errno(), libc::EACCES, "{hidden}: {error}");
        assert!(error.message().contains("permission check failed"), "{error}");
    }
    for empty in ["pools", "remotes", "sync-jobs", "backup-jobs"] {
        let left: Vec<_> = daemon.names(empty);
        assert!(
            left.iter().all(|name| ["ctl", "last-error", "last-task"].contains(&&**name)),
            "{left:?}"
        );
    }
    daemon.act_as(uid_of(OTHER).unwrap());
    assert_eq!(daemon.find(STORE).unwrap_err().errno(), libc::EACCES);
}

#[test]
fn whoever_is_not_known_sees_nothing() {
    let Some(daemon) = daemon("acl:1:/:sys@pam,nobody@pam:Admin\n") else { return };
    for stranger in [3, 65534, 4_294_000_001] {
        daemon.act_as(stranger);
        assert_eq!(daemon.find("README").unwrap_err().errno(), libc::EACCES, "{stranger}");
        let refused = daemon.find(STORE).unwrap_err();
        assert_eq!(refused.errno(), libc::EACCES, "{refused}");
    }
}

#[test]
fn content_is_read_by_readers_and_owners_alone() {
    let content = format!("{STORE}/host/other/{TIME}/vm.conf");
    let stored = format!("{STORE}/host/other/{TIME}/raw/vm.conf.blob");
    let status = format!("{STORE}/host/other/{TIME}/status");
    // The role, whether it shows the group at all, and whether it gives the content.
    for (role, seen, read) in [
        ("DatastoreReader", true, true),
        ("DatastoreAdmin", true, true),
        ("Admin", true, true),
        ("DatastoreAudit", true, false),
        ("Audit", true, false),
        ("DatastoreBackup", false, false),
        ("DatastorePowerUser", false, false),
        ("NoAccess", false, false),
        ("TapeAdmin", false, false),
    ] {
        let Some(daemon) = daemon(&format!("acl:1:/:daemon@pam:{role}\n")) else { return };
        daemon.act_as(uid_of(USER).unwrap());
        assert_eq!(daemon.find(&content).is_ok(), seen, "{role} looks");
        assert_eq!(daemon.bytes(&status).is_ok(), seen, "{role} reads the status");
        for path in [&content, &stored] {
            assert_eq!(daemon.bytes(path).is_ok(), read, "{role} reads {path}");
        }
        if seen && !read {
            assert_eq!(daemon.errno(&content), libc::EACCES);
            let noted = daemon.cat(&format!("{STORE}/host/other/{TIME}/last-error"));
            assert!(noted.contains("needs Datastore.Read on '/datastore/store1'"), "{noted}");
        }
        let mode = daemon.find(&content).map(|stat| stat.mode & 0o007);
        assert_eq!(mode.unwrap_or(0), if read { 0o004 } else { 0 }, "{role}");
    }
}

#[test]
fn control_files_act_as_who_writes_to_them() {
    let Some(daemon) = daemon("acl:1:/datastore/store1:daemon@pam:DatastorePowerUser\n") else {
        return;
    };
    daemon.act_as(uid_of(USER).unwrap());
    let ctl = format!("{STORE}/host/mine/{TIME}/ctl");
    assert_eq!(daemon.find(&ctl).unwrap().mode & 0o777, 0o666);
    daemon.echo("notes mine", &ctl).unwrap();
    let refused = daemon.echo("create store3 path=/nowhere", "datastores/ctl").unwrap_err();
    assert_eq!(refused.errno(), libc::EACCES);
    let noted = daemon.cat("datastores/last-error");
    assert!(noted.contains("'daemon@pam' needs Datastore.Allocate on '/datastore'"), "{noted}");
    let image = daemon.base.path().join("conf");
    let line = format!("snapshot create host/new vm.conf={}", image.display());
    let refused = daemon.echo(&line, &format!("{STORE}/ctl")).unwrap_err();
    assert!(refused.message().contains("only the superuser"), "{refused}");
    daemon.echo(&format!("forget {TIME}"), &ctl).unwrap();
    assert_eq!(daemon.find(&ctl).unwrap_err().errno(), libc::ENOENT);
}

#[test]
fn commands_ask_for_what_pbs_asks_for() {
    let snapshot =
        |group: &str| json!({"store": "store1", "snapshot": format!("host/{group}/{TIME}")});
    let with = |mut value: Value, key: &str, more: Value| {
        value[key] = more;
        value
    };
    let job = json!({"id": "job2", "store": "store1", "remote": "pbs2", "remote-store": "theirs", "owner": "daemon@pam"});
    // The rights of 'daemon@pam' in addition to none, the command, and whether it is refused.
    let table: Vec<(&str, &str, Value, bool)> = vec![
        ("", "version", json!({}), false),
        ("", "reload", json!({}), true),
        ("acl:1:/system:daemon@pam:Audit", "reload", json!({}), true),
        ("acl:1:/system:daemon@pam:Admin", "reload", json!({}), false),
        ("", "datastore show", json!({"name": "store1"}), true),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreAudit",
            "datastore show",
            json!({"name": "store1"}),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreAudit",
            "datastore show",
            json!({"name": "store2"}),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreAdmin",
            "datastore update",
            json!({"name": "store1", "comment": "x"}),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreAdmin",
            "datastore remove",
            json!({"name": "store1"}),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup",
            "snapshot files",
            snapshot("mine"),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup",
            "snapshot files",
            snapshot("other"),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreAudit",
            "snapshot files",
            snapshot("other"),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreAudit",
            "snapshot notes show",
            snapshot("other"),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreReader",
            "snapshot notes update",
            with(snapshot("other"), "notes", json!("x")),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup",
            "snapshot notes update",
            with(snapshot("token"), "notes", json!("x")),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup",
            "snapshot forget",
            snapshot("mine"),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastorePowerUser",
            "snapshot forget",
            snapshot("mine"),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastorePowerUser",
            "snapshot forget",
            snapshot("other"),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreAdmin",
            "group forget",
            json!({"store": "store1", "group": "host/other"}),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup",
            "group change-owner",
            json!({"store": "store1", "group": "host/token", "new-owner": "daemon@pam"}),
            false,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup",
            "group change-owner",
            json!({"store": "store1", "group": "host/mine", "new-owner": "bin@pam"}),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup",
            "group change-owner",
            json!({"store": "store1", "group": "host/other", "new-owner": "daemon@pam"}),
            true,
        ),
        (
            "acl:1:/tape/pool/daily:daemon@pam:TapeReader",
            "pool config",
            json!({"name": "daily"}),
            false,
        ),
        (
            "acl:1:/tape/pool/daily:daemon@pam:TapeOperator",
            "pool update",
            json!({"name": "daily", "comment": "x"}),
            true,
        ),
        (
            "acl:1:/tape/pool:daemon@pam:TapeAdmin",
            "pool update",
            json!({"name": "daily", "comment": "x"}),
            false,
        ),
        ("acl:1:/tape/pool:daemon@pam:TapeAdmin", "pool create", json!({"name": "weekly"}), false),
        (
            "acl:1:/tape/pool/weekly:daemon@pam:TapeAdmin",
            "pool create",
            json!({"name": "weekly"}),
            true,
        ),
        (
            "acl:1:/:daemon@pam:TapeAdmin",
            "backup",
            json!({"store": "store1", "pool": "daily"}),
            true,
        ),
        (
            "acl:1:/:daemon@pam:Admin",
            "drive create",
            json!({"name": "drive1", "path": "virtual:/nowhere"}),
            true,
        ),
        ("acl:1:/:daemon@pam:Admin", "mt rewind", json!({"drive": "drive1"}), true),
        ("acl:1:/remote:daemon@pam:RemoteAudit", "remote show", json!({"name": "pbs2"}), false),
        (
            "acl:1:/remote:daemon@pam:RemoteSyncOperator",
            "remote update",
            json!({"name": "pbs2", "comment": "x"}),
            true,
        ),
        (
            "acl:1:/remote/pbs2:daemon@pam:RemoteAdmin",
            "remote remove",
            json!({"name": "pbs2"}),
            false,
        ),
        (
            "acl:1:/tape/job/tape1:daemon@pam:TapeAudit",
            "backup-job show",
            json!({"id": "tape1"}),
            false,
        ),
        ("acl:1:/tape/pool:daemon@pam:TapeAdmin", "backup-job show", json!({"id": "tape1"}), true),
        (
            "acl:1:/tape:daemon@pam:TapeAdmin",
            "backup-job update",
            json!({"id": "tape1", "comment": "x"}),
            false,
        ),
        ("acl:1:/tape:daemon@pam:TapeAudit", "backup-job remove", json!({"id": "tape1"}), true),
        ("acl:1:/tape:daemon@pam:TapeAdmin", "backup-job run", json!({"id": "tape1"}), true),
        ("acl:1:/:daemon@pam:Audit,RemoteAudit", "sync-job show", json!({"id": "job1"}), false),
        ("acl:1:/:daemon@pam:Audit", "sync-job show", json!({"id": "job1"}), true),
        ("acl:1:/:daemon@pam:DatastoreBackup", "sync-job create", job.clone(), true),
        (
            "acl:1:/:daemon@pam:DatastoreBackup,RemoteSyncOperator",
            "sync-job create",
            job.clone(),
            false,
        ),
        (
            "acl:1:/:daemon@pam:DatastoreBackup,RemoteSyncOperator",
            "sync-job create",
            with(job.clone(), "owner", json!("root@pam")),
            true,
        ),
        (
            "acl:1:/:daemon@pam:DatastoreBackup,RemoteSyncOperator",
            "sync-job create",
            with(job.clone(), "remove-vanished", json!(true)),
            true,
        ),
        (
            "acl:1:/:daemon@pam:DatastorePowerUser,RemoteSyncOperator",
            "sync-job update",
            json!({"id": "job1", "remove-vanished": true}),
            false,
        ),
        (
            "acl:1:/:daemon@pam:DatastoreBackup,RemoteSyncOperator",
            "sync-job update",
            json!({"id": "job1", "remove-vanished": true}),
            true,
        ),
        (
            "acl:1:/:daemon@pam:DatastoreBackup,RemoteSyncOperator",
            "sync-job update",
            json!({"id": "job1", "delete": ["owner"]}),
            true,
        ),
        (
            "acl:1:/datastore/store1:daemon@pam:DatastoreBackup\nacl:1:/remote/pbs2:daemon@pam:RemoteSyncOperator",
            "sync-job update",
            json!({"id": "job1", "store": "store2"}),
            true,
        ),
        ("", "user update", json!({"userid": "daemon@pam", "comment": "me"}), false),
        ("", "user update", json!({"userid": "daemon@pam", "enable": true}), true),
        ("", "user update", json!({"userid": "bin@pam", "comment": "x"}), true),
        ("", "user generate-token", json!({"userid": "daemon@pam", "token-name": "new"}), false),
        ("", "user generate-token", json!({"userid": "bin@pam", "token-name": "new"}), true),
        ("acl:1:/access:daemon@pam:Admin", "user create", json!({"userid": "x@pbs"}), false),
        (
            "acl:1:/:daemon@pam:Admin",
            "user generate-token",
            json!({"userid": "root@pam", "token-name": "new"}),
            true,
        ),
        ("acl:1:/access:daemon@pam:Audit", "user create", json!({"userid": "x@pbs"}), true),
        ("", "user permissions", json!({"auth-id": "daemon@pam!tok"}), false),
        ("", "user permissions", json!({"auth-id": "bin@pam"}), true),
        (
            "",
            "acl update",
            json!({"path": "/datastore/store1", "role": "Admin", "auth-id": "daemon@pam!tok"}),
            false,
        ),
        (
            "",
            "acl update",
            json!({"path": "/datastore/store1", "role": "Admin", "auth-id": "daemon@pam"}),
            true,
        ),
        (
            "acl:1:/access/acl:daemon@pam:Admin",
            "acl update",
            json!({"path": "/datastore/store1", "role": "Admin", "auth-id": "daemon@pam"}),
            false,
        ),
    ];
    for (acl, command, params, refused) in table {
        let Some(daemon) = daemon(&format!("{acl}\n")) else { return };
        let result = run(&daemon, "daemon@pam", command, params.clone());
        match (result, refused) {
            (Err(failure), true) => {
                assert_eq!(failure.errno, libc::EACCES, "{acl} {command} {params}: {failure}")
            }
            (Ok(_), false) => {}
            // A reload tells what else is wrong.
            (Err(failure), false) => {
                assert_ne!(failure.errno, libc::EACCES, "{acl} {command} {params}: {failure}")
            }
            (Ok(answer), true) => panic!("{acl} {command} {params}: {answer}"),
        }
    }
}

#[test]
fn lists_leave_out_what_their_reader_may_not_see() {
    let Some(daemon) = daemon("acl:1:/datastore/store1:daemon@pam:DatastoreBackup\n") else {
        return;
    };
    let list = |who: &str, name: &str, params: Value| {
        let rows = run(&daemon, who, name, params).unwrap();
        rows.as_array().unwrap().clone()
    };
    let store = json!({"store": "store1"});
    for (name, params, key, all, own) in [
        ("datastore list", json!({}), "name", &["store1", "store2"][..], &["store1"][..]),
        ("group list", store.clone(), "backup-id", &["mine", "other", "token"], &["mine", "token"]),
        ("snapshot list", store, "backup-id", &["mine", "other", "token"], &["mine", "token"]),
        ("pool list", json!({}), "name", &["daily"], &[]),
        ("remote list", json!({}), "name", &["pbs2"], &[]),
        ("sync-job list", json!({}), "id", &["job1"], &[]),
        ("backup-job list", json!({}), "id", &["tape1"], &[]),
        ("user list", json!({}), "userid", &["bin@pam", "daemon@pam", "root@pam"], &["daemon@pam"]),
        ("acl list", json!({}), "ugid", &["daemon@pam"], &["daemon@pam"]),
    ] {
        let names = |who: &str| -> Vec<String> {
            let rows = list(who, name, params.clone());
            rows.iter().map(|row| row[key].as_str().unwrap().into()).collect()
        };
        assert_eq!(names("root@pam"), all, "{name}");
        assert_eq!(names("daemon@pam"), own, "{name}");
    }
    assert_eq!(list("root@pam", "task list", json!({"all": true})).len(), 3);
    assert_eq!(list("daemon@pam", "task list", json!({"all": true})).len(), 0);
}

#[test]
fn a_removed_user_leaves_nothing_to_its_successor() {
    let Some(daemon) = daemon("acl:1:/datastore:bin@pam,daemon@pam,daemon@pam!tok:Admin\n") else {
        return;
    };
    let root = |name: &str, params: Value| run(&daemon, "root@pam", name, params).unwrap();
    root("user remove", json!({"userid": "daemon@pam"}));
    let acl = fs::read_to_string(daemon.base.path().join("etc/acl.cfg")).unwrap();
    assert_eq!(acl, "acl:1:/datastore:bin@pam:Admin\n");
    let users = fs::read_to_string(daemon.base.path().join("etc/user.cfg")).unwrap();
    assert!(!users.contains("daemon@pam"), "{users}");
    let refused = run(&daemon, "daemon@pam", "version", json!({})).unwrap_err();
    assert_eq!(refused.errno, libc::EACCES);
    root("datastore remove", json!({"name": "store2"}));
    root("acl update", json!({"path": "/datastore/store1", "role": "Audit", "auth-id": "bin@pam"}));
    root("datastore remove", json!({"name": "store1"}));
    let acl = fs::read_to_string(daemon.base.path().join("etc/acl.cfg")).unwrap();
    assert_eq!(acl, "acl:1:/datastore:bin@pam:Admin\n");
}
