//! Users, tokens and rights as docs/users.md has them: by reelctl, by the socket, in a mount for all.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use reel_tests::Home;
use reel_tests::said::Said;
use serde_json::{Value, json};

/// Who is nobody's user: `nobody` of every Linux.
const NOBODY: u32 = 65534;

#[test]
fn the_examples_of_the_page() {
    let home = Home::new();
    let daemon = home.start();
    let secret = home.join("secret");
    fs::write(&secret, "geheim1\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    daemon.ctl("user create anna@pam");
    daemon.ctl("acl update /datastore/store1 DatastoreReader --auth-id anna@pam");
    assert_eq!(
        daemon.ctl("user permissions anna@pam"),
        "Privileges with (*) have the propagate flag set\n\n\
         Path: /datastore/store1\n- Datastore.Audit (*)\n- Datastore.Read (*)\n- Datastore.Verify (*)\n"
    );
    daemon.ctl(&format!("user create sync@pbs --password-file {}", secret.display()));
    let made = daemon.ctl("user generate-token sync@pbs offsite");
    let token: Value = serde_json::from_str(made.strip_prefix("Result: ").unwrap()).unwrap();
    assert_eq!(token["tokenid"], "sync@pbs!offsite");
    assert_eq!(token["value"].as_str().unwrap().len(), 36);
    daemon.ctl("acl update /datastore/store1 DatastoreReader --auth-id sync@pbs");
    daemon.ctl_words(&[
        "acl",
        "update",
        "/datastore/store1",
        "DatastoreReader",
        "--auth-id",
        "sync@pbs!offsite",
    ]);
    let acl = fs::read_to_string(home.join("etc/acl.cfg")).unwrap();
    assert_eq!(acl, "acl:1:/datastore/store1:anna@pam,sync@pbs,sync@pbs!offsite:DatastoreReader\n");
    assert_eq!(
        daemon.json("user list"),
        json!([
            { "userid": "anna@pam" }, { "comment": "Superuser", "userid": "root@pam" }, { "userid": "sync@pbs" },
        ])
    );
    assert_eq!(
        daemon.json("user list-tokens sync@pbs"),
        json!([{ "token-name": "offsite", "tokenid": "sync@pbs!offsite" }])
    );
    daemon.ctl("acl update /datastore/store1 DatastoreReader --auth-id anna@pam --delete");
    assert_eq!(daemon.json("user permissions anna@pam"), json!({}));
    assert_eq!(
        daemon.json("user permissions anna@pam --path /datastore/store1"),
        json!({ "/datastore/store1": {} })
    );
    assert_eq!(daemon.cat("users/sync@pbs/tokens"), "sync@pbs!offsite\n");
    daemon.ctl("user delete-token sync@pbs offsite");
    daemon.ctl("user remove sync@pbs");
    daemon.ctl("user remove anna@pam");
    assert_eq!(fs::read_to_string(home.join("etc/acl.cfg")).unwrap(), "");
    assert_eq!(fs::read_to_string(home.join("etc/token.shadow")).unwrap(), "{}");
    assert_eq!(fs::read_to_string(home.join("etc/shadow.json")).unwrap(), "{}");
    let log = home.daemon_log();
    assert!(!log.contains("geheim1") && !log.contains(token["value"].as_str().unwrap()), "{log}");
}

#[test]
fn what_is_refused_and_changes_nothing() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl("user create u@pbs --password geheim1 --comment x --expire 5 --enable false");
    daemon.ctl("user update u@pbs --enable true --expire 0 --delete comment");
    let before = fs::read_to_string(home.join("etc/user.cfg")).unwrap();
    assert_eq!(before, "user: root@pam\n\tcomment Superuser\n\nuser: u@pbs\n");
    for (line, reason) in [
        ("user create u@pbs", "already exists"),
        ("user create u@nowhere", "there is no realm 'nowhere'"),
        ("user create v@pbs --password abcd", "must be 5 to 64 characters"),
        ("user create v@pam --password geheim1", "passwords of the realm 'pam'"),
        ("user create v@pbs!tok", "must be a user, not a token"),
        ("user create v@pbs --email x", "2 to 64 characters"),
        ("user update w@pbs --comment x", "no such user 'w@pbs'"),
        ("user update u@pbs --delete expire", "is not one of comment"),
        ("user remove root@pam", "always there"),
        ("user list-tokens w@pbs", "no such user"),
        ("user generate-token w@pbs tok", "no such user"),
        ("user generate-token u@pbs t", "3 to 64 characters"),
        ("user delete-token u@pbs tok", "no such token"),
        ("acl update /foo Admin --auth-id u@pbs", "there is no such object"),
        ("acl update /datastore Admin --auth-id w@pbs", "no such user 'w@pbs'"),
        ("acl update /datastore Admin --auth-id u@pbs!tok", "no such token"),
        ("acl update /datastore Nonsense --auth-id u@pbs", "'role'"),
        ("acl update /datastore Admin", "'auth-id': parameter is missing"),
        ("acl update /datastore Admin --auth-id u@pbs --group ops", "'group'"),
        (
            "acl update /datastore Admin --auth-id u@pbs --digest 0000000000000000000000000000000000000000000000000000000000000000",
            "changed by another user",
        ),
    ] {
        let said = daemon.ctl_fails(line);
        assert!(said.contains(reason), "{line}: {said}");
    }
    assert_eq!(fs::read_to_string(home.join("etc/user.cfg")).unwrap(), before);
    assert!(!home.join("etc/acl.cfg").exists());
    daemon.ctl("acl update /foo Admin --auth-id w@pbs --delete");
}

/// Runs a program as `nobody`.
fn as_nobody(home: &Home, program: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}")]);
    command.args(["--clear-groups", "--"]).arg(program).args(arguments).current_dir("/");
    command.env("REELFS_SOCKET", home.join("run/api.sock")).env("LC_ALL", "C.UTF-8");
    command.output().unwrap().into()
}

#[test]
fn another_user_is_served_as_far_as_its_rights_go() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can act as somebody else");
        return;
    }
    let home = Home::new();
    let daemon = home.start_with(&["--allow-other"]);
    reel_tests::scene::one_snapshot(&home, &daemon, 1);
    for folder in [home.path().to_owned(), home.join("run")] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let reelctl = home.copy_of("reelctl");
    let ctl = |line: &str| as_nobody(&home, &reelctl, &line.split(' ').collect::<Vec<_>>());
    let cat = |path: &str| {
        let path = daemon.at(path).display().to_string();
        as_nobody(&home, Path::new("cat"), &[&path])
    };
    let content = "datastores/store1/vm/100/2026-01-10T08:00:00Z/vm.conf";
    let refused = ctl("datastore list");
    assert_eq!(refused.code, Some(255));
    assert!(refused.stderr.contains("'reelctl user create nobody@pam'"), "{}", refused.stderr);
    assert_ne!(cat("README").code, Some(0));

    daemon.ctl("user create nobody@pam");
    assert_eq!((ctl("datastore list").stdout.as_str(), cat("README").code), ("", Some(0)));
    assert!(cat(content).stderr.contains("Permission denied"));
    // The superuser's look leaves nothing behind for others to find.
    assert_eq!(daemon.cat(content), "memory: 2048\n");
    assert!(cat(content).stderr.contains("Permission denied"));

    daemon.ctl("acl update /datastore/store1 DatastoreAudit --auth-id nobody@pam");
    assert!(ctl("snapshot list store1").stdout.contains("vm/100/2026-01-10T08:00:00Z"));
    assert!(cat(content).stderr.contains("Permission denied"));
    let said = ctl("snapshot cat store1 vm/100/2026-01-10T08:00:00Z vm.conf");
    assert!(said.stderr.contains("needs Datastore.Read on '/datastore/store1'"), "{}", said.stderr);

    daemon.ctl("acl update /datastore/store1 DatastoreReader --auth-id nobody@pam");
    assert_eq!(cat(content).stdout, "memory: 2048\n");
    let said = ctl("snapshot cat store1 vm/100/2026-01-10T08:00:00Z vm.conf");
    assert_eq!(said.stdout, "memory: 2048\n");
    let said = ctl("snapshot forget store1 vm/100/2026-01-10T08:00:00Z");
    assert!(said.stderr.contains("needs Datastore.Modify"), "{}", said.stderr);
    assert_eq!(ctl("task list --all").stdout, "", "tasks of others");

    let shadow = home.join("etc/datastore.cfg").display().to_string();
    daemon.ctl("acl update /remote RemoteAdmin --auth-id nobody@pam");
    let line = format!("remote create pbs9 --host ::1 --auth-id a@pbs --password-file {shadow}");
    let said = ctl(&line);
    assert!(said.stderr.contains("is no file of yours"), "{}", said.stderr);
    daemon.ctl("user update nobody@pam --enable false");
    assert_ne!(cat("README").code, Some(0));
}
