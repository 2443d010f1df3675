//! Remotes and sync jobs as they are configured: every example of the manual, what is printed, the tree, and secrets.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reel_tests::Home;
use serde_json::json;

const FINGERPRINT: &str = "64:d3:ff:3a:50:38:53:5a:9b:f7:50:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:ab:fe";

#[test]
fn the_manuals_examples_for_remotes() {
    let home = Home::new();
    let daemon = home.start();
    assert_eq!(daemon.ctl("remote list"), "");
    assert_eq!(daemon.ctl("remote list --output-format json"), "[]\n");
    daemon.ctl(&format!(
        "remote create pbs2 --host pbs2.mydomain.example --userid sync@pam --password SECRET --fingerprint {FINGERPRINT}"
    ));
    daemon.ctl("remote update pbs2 --host pbs2.example --comment offsite");
    daemon.ctl("remote create backup3 --host 10.0.0.3 --auth-id sync@pbs!tok --password x");
    assert_eq!(
        daemon.json("remote list"),
        json!([
            { "auth-id": "sync@pbs!tok", "host": "10.0.0.3", "name": "backup3" },
            {
                "auth-id": "sync@pam", "comment": "offsite", "fingerprint": FINGERPRINT,
                "host": "pbs2.example", "name": "pbs2",
            },
        ])
    );
    daemon.ctl("remote update pbs2 --delete fingerprint --port 8007");
    assert_eq!(
        daemon.ctl("remote show pbs2"),
        "\
┌─────────┬──────────────┐
│ Name    │ Value        │
╞═════════╪══════════════╡
│ name    │ pbs2         │
├─────────┼──────────────┤
│ auth-id │ sync@pam     │
├─────────┼──────────────┤
│ host    │ pbs2.example │
├─────────┼──────────────┤
│ comment │ offsite      │
├─────────┼──────────────┤
│ port    │ 8007         │
└─────────┴──────────────┘
"
    );
    daemon.ctl("remote update pbs2 --delete comment --comment new");
    assert_eq!(daemon.json("remote show pbs2")["comment"], "new");
    daemon.ctl("remote remove pbs2");
    assert!(daemon.ctl_fails("remote remove pbs2").contains("no such remote 'pbs2'"));
}

#[test]
fn the_manuals_examples_for_sync_jobs() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl("remote create pbs2 --host pbs2.example --auth-id sync@pam --password SECRET");
    daemon.ctl_words(&[
        "sync-job",
        "create",
        "pbs2-local",
        "--remote",
        "pbs2",
        "--remote-store",
        "local",
        "--store",
        "local",
        "--schedule",
        "Wed 02:30",
    ]);
    daemon.ctl("sync-job create local-copy --remote-store local --store copy");
    daemon.ctl("sync-job update pbs2-local --comment offsite --rate-in 20MiB");
    daemon.ctl(
        "sync-job update pbs2-local --group-filter type:ct --group-filter exclude:regex:^ct/9",
    );
    assert_eq!(
        daemon.ctl("sync-job list"),
        "\
┌────────────┬───────┬────────┬──────────────┬───────────┬────────────────────────────────┬─────────┬─────────┐
│ id         │ store │ remote │ remote-store │ schedule  │ group-filter                   │ rate-in │ comment │
╞════════════╪═══════╪════════╪══════════════╪═══════════╪════════════════════════════════╪═════════╪═════════╡
│ local-copy │ copy  │        │ local        │           │ all                            │         │         │
├────────────┼───────┼────────┼──────────────┼───────────┼────────────────────────────────┼─────────┼─────────┤
│ pbs2-local │ local │ pbs2   │ local        │ Wed 02:30 │ type:ct OR exclude:regex:^ct/9 │ 20 MiB  │ offsite │
└────────────┴───────┴────────┴──────────────┴───────────┴────────────────────────────────┴─────────┴─────────┘
"
    );
    for (flag, stored) in [
        ("--remove-vanished", true),
        ("--remove-vanished=1", true),
        ("--remove-vanished false", false),
    ] {
        daemon.ctl(&format!("sync-job update pbs2-local {flag}"));
        assert_eq!(daemon.json("sync-job show pbs2-local")["remove-vanished"], stored, "{flag}");
    }
    assert!(daemon.ctl_fails("remote remove pbs2").contains("sync job 'pbs2-local' uses it"));
    let same = daemon.ctl_fails("sync-job update local-copy --store local");
    assert!(same.contains("can't be the same"), "{same}");
    let unknown = daemon.ctl_fails("sync-job update local-copy --remote nowhere");
    assert!(unknown.contains("no such remote 'nowhere'"), "{unknown}");
    daemon.ctl("sync-job remove pbs2-local");
    daemon.ctl("remote remove pbs2");
}

#[test]
fn what_is_wrong_is_told_before_anything_is_done() {
    let home = Home::new();
    let daemon = home.start();
    for (line, said) in [
        ("remote create p2 --host h --auth-id a@pam --password x", "'name'"),
        ("remote create pbs2 --host h --auth-id a@pam --password x --port 70000", "'port'"),
        ("remote create pbs2 --host [::1] --auth-id a@pam --password x", "'host'"),
        (
            "remote create pbs2 --host h --auth-id a@pam --password x --fingerprint ab",
            "'fingerprint'",
        ),
        ("remote create pbs2 --host h --auth-id a@pam", "'password': parameter is missing"),
        ("sync-job create job1 --store abc --remote-store cde --schedule foo", "'schedule'"),
        (
            "sync-job create job1 --store abc --remote-store cde --group-filter foo",
            "'group-filter'",
        ),
        ("sync-job create job1 --store abc --remote-store cde --max-depth 8", "'max-depth'"),
        (
            "sync-job create job1 --store abc --remote-store cde --transfer-last 0",
            "'transfer-last'",
        ),
        (
            "sync-job create job1 --store abc --remote-store cde --ns a/b/c/d/e --max-depth 3",
            "5 levels deep",
        ),
    ] {
        let refused = daemon.ctl_fails(line);
        assert!(refused.contains(said), "{line}: {refused}");
    }
    assert_eq!(daemon.json("remote list"), json!([]));
    assert_eq!(daemon.json("sync-job list"), json!([]));
}

#[test]
fn a_password_comes_in_by_a_file_and_shows_nowhere() {
    let home = Home::new();
    let daemon = home.start();
    let file = home.join("password");
    fs::write(&file, "pass word\nmore\n").unwrap();
    let line =
        format!("create pbs2 host=pbs2.example auth-id=sync@pam password-file={}", file.display());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    daemon.echo(&line, "remotes/ctl").unwrap_err();
    assert!(daemon.cat("remotes/last-error").contains("others can read"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    daemon.echo(&line, "remotes/ctl").unwrap();
    // base64 of `pass word`, as PBS has it.
    let stored = fs::read_to_string(home.join("etc/remote.cfg")).unwrap();
    assert!(stored.contains("\tpassword cGFzcyB3b3Jk\n"), "{stored}");
    let told = [
        daemon.ctl("remote show pbs2"),
        daemon.cat("remotes/pbs2/config"),
        daemon.cat("remotes/pbs2/config.json"),
        home.daemon_log(),
    ];
    for text in told {
        assert!(!text.contains("pass word") && !text.contains("cGFzcyB3b3Jk"), "{text}");
    }
}

#[test]
fn the_tree_shows_remotes_and_jobs_and_changes_them() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl("remote create pbs2 --host localhost --auth-id sync@pam --password x --port 1");
    daemon.echo("create job1 store=abc remote-store=cde remote=pbs2", "sync-jobs/ctl").unwrap();
    daemon.echo("update schedule=daily", "sync-jobs/job1/ctl").unwrap();
    assert!(daemon.cat("sync-jobs/job1/config").contains("schedule: daily\n"));
    assert_eq!(
        daemon.ls("remotes/pbs2"),
        [
            "config",
            "config.json",
            "ctl",
            "datastores",
            "last-error",
            "last-task",
            "status",
            "status.json"
        ]
    );
    daemon.echo("check", "remotes/pbs2/ctl").unwrap_err();
    let why = daemon.cat("remotes/pbs2/last-error");
    assert!(why.contains("connect to localhost:1: "), "{why}");
    daemon.echo("remove pbs2", "remotes/pbs2/ctl").unwrap_err();
    daemon.echo("remove job1", "sync-jobs/job1/ctl").unwrap();
    daemon.echo("remove pbs2", "remotes/pbs2/ctl").unwrap();
    assert_eq!(daemon.ls("remotes"), ["ctl", "last-error", "last-task"]);
}
