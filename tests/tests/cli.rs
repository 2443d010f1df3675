//! The command line against a running daemon, in the order of its specification (`cli-manager.md` §§1–2, 5): words,
//! options, values, streams, exit statuses, forms of output, and who is let in. Tasks are in tasks.rs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::libc;
use reel_tests::said::{Said, refused, silent};
use reel_tests::scene::errno;
use reel_tests::{Daemon, Home, program};
use serde_json::json;

/// With a variable of the environment set.
fn say_with(daemon: &Daemon<'_>, name: &str, value: &str, line: &str) -> Said {
    let mut command = daemon.reelctl();
    command.env(name, value).args(line.split_whitespace()).output().expect("reelctl").into()
}

/// A pool with a comment, as `pool list` of the tests has it.
fn with_pool(home: &Home) -> Daemon<'_> {
    let daemon = home.start();
    silent(&daemon, "pool create daily --comment x");
    daemon
}

#[test]
fn words_may_be_shortened_and_options_have_four_forms() {
    let home = Home::new();
    let daemon = with_pool(&home);
    let list = daemon.ctl("pool list");
    assert_eq!(daemon.ctl("po li"), list);
    assert!(refused(&daemon, "re").contains("command 're' is not unique: read-label, reload"));
    assert_eq!(daemon.ctl("media list"), "", "an exact word wins over 'media-set'");
    for (number, form) in
        ["--comment a", "--comment=a", "-comment a", "-comment=a"].iter().enumerate()
    {
        let name = format!("form{number}");
        silent(&daemon, &format!("pool create {name} {form}"));
        assert_eq!(daemon.json(&format!("pool config {name}"))["comment"], "a");
    }
    assert!(
        refused(&daemon, "pool create other --comm a").contains("'comm': schema does not allow")
    );

    silent(&daemon, "pool update daily --comment=--dashes");
    assert_eq!(daemon.json("pool config daily")["comment"], "--dashes");
    assert!(
        refused(&daemon, "pool update daily --comment --dashes").contains("'comment': missing")
    );
    assert_eq!(daemon.ctl("pool config -- daily"), daemon.ctl("pool config daily"));
}

#[test]
fn arguments_booleans_and_arrays() {
    let home = Home::new();
    let daemon = with_pool(&home);
    assert_eq!(daemon.json("pool config --name daily"), daemon.json("pool config daily"));
    let twice = refused(&daemon, "pool config daily --name daily");
    assert!(twice.contains("'name': duplicate parameter"), "{twice}");
    assert!(refused(&daemon, "pool list x y").contains("got additional arguments: x y"));

    // Absent means false: the option stands alone, or takes a word that is a boolean.
    for word in ["", " 1", " ON", "=yes", " True"] {
        assert_eq!(daemon.json(&format!("task list --all{word}")), json!([]), "{word}");
    }
    for word in [" 0", "=off", " No", " FALSE"] {
        assert_eq!(daemon.json(&format!("task list --all{word}")), json!([]), "{word}");
    }
    assert!(refused(&daemon, "task list --all maybe").contains("got additional arguments: maybe"));
    // Absent means true: a value must be given.
    assert!(refused(&daemon, "media list --update-status").contains("'update-status': missing"));
    assert_eq!(daemon.json("media list --update-status false"), json!([]));

    silent(&daemon, "pool update daily --retention keep --template set-%Y");
    silent(&daemon, "pool update daily --delete comment --delete template");
    let config = daemon.json("pool config daily");
    assert_eq!(config, json!({"name": "daily", "retention": "keep"}));
}

#[test]
fn bad_lines_say_what_is_wrong_show_the_usage_and_change_nothing() {
    let home = Home::new();
    let daemon = with_pool(&home);
    let before = fs::read(home.join("etc/media-pool.cfg")).unwrap();
    for (line, what) in [
        ("", "no command specified.\nUsage:\n\n"),
        ("pool", "no command specified.\nUsage:\n\n"),
        ("nosuch", "no such command 'nosuch'\nUsage:\n\n"),
        ("pool frobnicate", "no such command 'frobnicate'\nUsage:\n\n"),
        (
            "pool update daily --bogus x",
            "'bogus': schema does not allow additional properties.\nUsage: reelctl pool update <name> [OPTIONS]\n",
        ),
        ("pool update daily --comment", "'comment': missing parameter value.\nUsage: "),
        ("pool update daily --comment a --comment b", "'comment': duplicate parameter\nUsage: "),
        ("pool update daily --delete foo", "'delete': value 'foo' is not one of "),
        ("datastore update store1 --digest ABC", "'digest': "),
        ("pool update daily --allocation garbage", "'allocation': "),
        (
            "pool list --output-format xml",
            "'output-format': value 'xml' is not one of text, json, json-pretty\nUsage: ",
        ),
        ("task log UPID:x", "'upid': "),
        ("task list --limit 1001", "'limit': value must be from 1 to 1000\nUsage: "),
        ("task list --limit abc", "'limit': must be a whole number\nUsage: "),
        ("backup store1 daily --group-filter foo", "'groups': "),
        ("backup store1 daily --max-depth 8", "'max-depth': value must be from 0 to 7"),
    ] {
        let said = refused(&daemon, line);
        assert!(said.contains(what), "{line}: {said}");
    }
    let several = refused(&daemon, "datastore create st relative");
    let head = "Error: parameter verification failed:\n- 'name': must be 3 to 32 characters long\n- 'path': ";
    assert!(several.starts_with(head), "{several}");
    let missing = refused(&daemon, "snapshot create");
    for name in ["'store'", "'group'", "'files'"] {
        assert!(missing.contains(&format!("- {name}: parameter is missing")), "{missing}");
    }
    // What the daemon finds: unknown names, what is there already, a digest of another content.
    assert_eq!(refused(&daemon, "pool config other"), "Error: no such pool 'other'\n");
    assert!(refused(&daemon, "pool create daily").contains("daily"));
    assert_eq!(fs::read(home.join("etc/media-pool.cfg")).unwrap(), before);

    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    let config = home.join("etc/datastore.cfg");
    let (before, other) = (fs::read(&config).unwrap(), "0".repeat(64));
    let stale = refused(&daemon, &format!("datastore update store1 --comment x --digest {other}"));
    assert!(stale.contains("changed"), "{stale}");
    assert_eq!(fs::read(&config).unwrap(), before);
}

#[test]
fn words_that_ask_about_commands() {
    let home = Home::new();
    let daemon = home.start();
    let help = daemon.ctl("help");
    assert!(
        help.starts_with("Usage:\n") && help.contains(" reelctl backup <store> <pool>"),
        "{help}"
    );
    let of_pool = daemon.ctl("help po --verbose");
    assert!(
        of_pool.contains("reelctl pool create <name> [OPTIONS]") && of_pool.contains("--retention")
    );
    assert!(!daemon.ctl("help pool").contains("--retention"));
    assert!(refused(&daemon, "help nosuch").contains("no such command 'nosuch'"));
    assert!(daemon.ctl("printdoc").contains("``reelctl snapshot create``"));
    let mut completion = daemon.reelctl();
    completion.env("COMP_LINE", "reelctl pool l").env("COMP_POINT", "14").arg("bashcomplete");
    assert_eq!(Said::from(completion.output().unwrap()).stdout, "list\n");
}

#[test]
fn answers_are_tables_or_json() {
    let home = Home::new();
    let daemon = home.start();
    for line in ["pool list", "task list", "media list", "drive list", "datastore list"] {
        assert_eq!(daemon.ctl(line), "", "{line}: an empty list prints nothing");
        assert_eq!(daemon.ctl(&format!("{line} --output-format json")), "[]\n");
    }
    silent(&daemon, "pool create daily --comment x");
    let table = "\
┌───────┬────────────┬───────────┬──────────┬─────────┐
│ name  │ allocation │ retention │ template │ encrypt │
╞═══════╪════════════╪═══════════╪══════════╪═════════╡
│ daily │            │           │          │ no      │
└───────┴────────────┴───────────┴──────────┴─────────┘
";
    assert_eq!(daemon.ctl("pool list"), table);
    let ascii = say_with(&daemon, "LC_ALL", "C", "pool list").stdout;
    assert!(ascii.starts_with("+=======+") && ascii.contains("\n| daily |"), "{ascii}");
    let bare = say_with(&daemon, "PROXMOX_OUTPUT_NO_BORDER", "", "pool list").stdout;
    assert!(bare.starts_with("daily ") && bare.lines().count() == 1, "{bare}");
    let headless = say_with(&daemon, "PROXMOX_OUTPUT_NO_HEADER", "1", "pool list").stdout;
    assert!(headless.starts_with("┌───────┬") && !headless.contains("retention"), "{headless}");

    let compact = "[{\"comment\":\"x\",\"name\":\"daily\"}]\n";
    assert_eq!(daemon.ctl("pool list --output-format json"), compact);
    assert_eq!(say_with(&daemon, "PROXMOX_OUTPUT_FORMAT", "json", "pool list").stdout, compact);
    let pretty = "[\n  {\n    \"comment\": \"x\",\n    \"name\": \"daily\"\n  }\n]\n";
    assert_eq!(daemon.ctl("pool list --output-format json-pretty"), pretty);
    let line = "pool list --output-format text";
    assert_eq!(say_with(&daemon, "PROXMOX_OUTPUT_FORMAT", "json", line).stdout, table);
    let said = say_with(&daemon, "PROXMOX_OUTPUT_FORMAT", "xml", "pool list");
    assert_eq!((said.code, &*said.stdout), (Some(0), ""));
    assert!(said.stderr.contains("'xml'"), "{}", said.stderr);
    let object = daemon.ctl("pool config daily");
    assert!(
        object.contains("│ Name") && object.contains("│ name") && object.contains("│ daily"),
        "{object}"
    );
    assert!(!object.contains("retention"), "what is absent is left out: {object}");
}

#[test]
fn the_environment_names_the_drive() {
    let home = Home::new();
    let daemon = home.start();
    assert!(refused(&daemon, "rewind").contains("unable to get (default) drive name"));
    for name in ["drive1", "drive2"] {
        let path = home.join(name);
        daemon.ctl(&format!("drive create {name} --path virtual:{}", path.display()));
    }
    assert!(refused(&daemon, "rewind").contains("unable to get (default) drive name"));
    let label = "label --label-text T1";
    assert_eq!(say_with(&daemon, "PROXMOX_TAPE_DRIVE", "drive2", label).code, Some(0));
    assert!(
        home.join("drive2/tape-T1.json").is_file() && !home.join("drive1/tape-T1.json").exists()
    );
    let line = "read-label --drive drive1";
    assert_eq!(say_with(&daemon, "PROXMOX_TAPE_DRIVE", "drive2", line).code, Some(255));
    assert!(refused(&daemon, "rewind --drive nosuch").contains("no such drive 'nosuch'"));
}

#[test]
fn reload_tells_what_is_wrong_and_lets_go_of_what_is_gone() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    daemon.ctl("snapshot list store1");
    assert!(holds_open(&daemon, &home.join("store1")));
    silent(&daemon, "reload");
    assert!(holds_open(&daemon, &home.join("store1")), "it is configured still");

    let config = home.join("etc/datastore.cfg");
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{good}\n# no comments\n")).unwrap();
    fs::write(home.join("etc/media-pool.cfg"), "pool: x\n").unwrap();
    fs::write(home.join("etc/media-verify.cfg"), "# no comments\n").unwrap();
    let said = refused(&daemon, "reload");
    assert!(
        said.contains("datastore.cfg")
            && said.contains("line 4")
            && said.contains("media-pool.cfg")
            && said.contains("media-verify.cfg"),
        "{said}"
    );
    assert_eq!(errno(daemon.echo("reload", "ctl")), libc::EIO);
    assert!(daemon.cat("last-error").contains("datastore.cfg"));

    fs::remove_file(home.join("etc/media-pool.cfg")).unwrap();
    fs::remove_file(home.join("etc/media-verify.cfg")).unwrap();
    fs::write(&config, "").unwrap();
    daemon.echo("reload", "ctl").unwrap();
    assert!(!holds_open(&daemon, &home.join("store1")), "its file system could not be unmounted");
    assert_eq!(daemon.json("datastore list"), json!([]));
    fs::write(&config, good).unwrap();
    assert_eq!(daemon.json("snapshot list store1"), json!([]), "changes count at once");
}

/// Whether the daemon has a file open below `folder`.
fn holds_open(daemon: &Daemon<'_>, folder: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|path| path.starts_with(folder))
}

#[test]
fn without_a_daemon_the_socket_and_the_reason_are_named() {
    let home = Home::new();
    let socket = home.join("run/api.sock");
    let mut command = Command::new(program("reelctl"));
    let said: Said =
        command.env("REELFS_SOCKET", &socket).args(["pool", "list"]).output().unwrap().into();
    let (path, why) = (socket.display(), "No such file or directory (os error 2)");
    let expected = format!("Error: unable to connect to {path}: {why} (is reeld running?)\n");
    assert_eq!((said.code, said.stderr), (Some(255), expected));
    home.start().kill();
    let mut command = Command::new(program("reelctl"));
    let said: Said =
        command.arg("--socket").arg(&socket).args(["pool", "list"]).output().unwrap().into();
    assert_eq!(said.code, Some(255), "a killed daemon leaves its socket");
    assert!(
        said.stderr.contains("Connection refused") && said.stderr.contains("is reeld running?")
    );
}

#[test]
fn other_users_are_refused_at_the_socket_and_the_mount() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can act as somebody else");
        return;
    }
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl("pool create daily");
    // Everybody gets as far as the socket: what is tested is that it asks who is there.
    for folder in [home.path().to_owned(), home.join("run"), home.mount()] {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o755));
    }
    let reelctl = home.copy_of("reelctl");
    let as_nobody = |program: &Path, arguments: &[&str]| -> Said {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
        command.env("REELFS_SOCKET", home.join("run/api.sock")).env("LC_ALL", "C.UTF-8");
        command.args(arguments).current_dir("/").output().expect("setpriv").into()
    };
    let denied = "Error: permission check failed - user 'nobody@pam' is not known here, disabled or expired; \
                  'reelctl user create nobody@pam' makes it known\n";
    for line in [&["pool", "list"][..], &["pool", "remove", "daily"], &["task", "list"]] {
        let said = as_nobody(&reelctl, line);
        assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(255), "", denied), "{line:?}");
    }
    let said = as_nobody(Path::new("ls"), &[&home.mount().display().to_string()]);
    assert_ne!(said.code, Some(0), "{}", said.stdout);
    assert_eq!(daemon.json("pool list").as_array().unwrap().len(), 1);
}

#[test]
fn a_daemon_stops_without_a_complaint() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ls("");
    daemon.stop();
    let log = home.daemon_log();
    assert!(log.contains("stopping"), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert_eq!(fs::read_dir(home.mount()).unwrap().count(), 0);
}

#[test]
fn what_a_datastore_is_told_stands_in_pbs_s_file_and_counts() {
    let home = Home::new();
    let daemon = home.start();
    let path = home.join("store1");
    let settings = "--gc-schedule daily --tuning sync-level=file --verify-new true --notify gc=never --notify-user root@pam";
    daemon.ctl(&format!("datastore create store1 {} {settings}", path.display()));
    let file = fs::read_to_string(home.join("etc/datastore.cfg")).unwrap();
    let lines = [
        "gc-schedule daily",
        "notify gc=never",
        "notify-user root@pam",
        "tuning sync-level=file",
        "verify-new true",
    ];
    assert!(lines.iter().all(|line| file.contains(&format!("\t{line}\n"))), "{file}");

    silent(
        &daemon,
        "datastore update store1 --maintenance-mode offline,message=moving --delete verify-new",
    );
    let shown = daemon.json("datastore show store1");
    assert_eq!(shown["maintenance-mode"], "offline,message=moving");
    assert_eq!((shown.get("verify-new"), &shown["gc-schedule"]), (None, &"daily".into()));
    let closed = refused(&daemon, "snapshot list store1");
    assert!(closed.contains("moving"), "{closed}");
    silent(&daemon, "datastore update store1 --delete maintenance-mode");
    daemon.ctl("snapshot list store1");

    for (value, part) in [
        ("--maintenance-mode on", "maintenance-mode"),
        ("--maintenance-mode delete", "'read-only' or 'offline'"),
        ("--tuning sync-level=never", "tuning"),
        ("--notify tape=always", "notify"),
        ("--gc-schedule tomorrow", "gc-schedule"),
        ("--notify-user root@pam!token", "notify-user"),
        ("--keep-last 3", "keep-last"),
    ] {
        let error = refused(&daemon, &format!("datastore update store1 {value}"));
        assert!(error.contains(part), "{value}: {error}");
    }
}
