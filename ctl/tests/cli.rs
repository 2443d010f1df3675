//! The program itself against a daemon of the test's own: exit statuses, streams, tasks, Ctrl-C.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod daemon;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use daemon::{Answer, Daemon};
use serde_json::{Value, json};

const UPID: &str = "UPID:n:00000001:00000002:00000003:5CA78B83:rewind-media:vt0:root@pam:";

/// The program, speaking UTF-8, with no other variables than the test's.
fn reelctl(daemon: &Daemon, line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reelctl"));
    command.env_clear().env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command.env("REELFS_SOCKET", daemon.socket()).args(line);
    command
}

fn run(daemon: &Daemon, line: &[&str]) -> Output {
    reelctl(daemon, line).output().unwrap()
}

fn texts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn line(n: u64, text: &str) -> Value {
    json!({"n": n, "t": format!("2024-06-05T14:24:36+00:00: {text}")})
}

/// A daemon whose every command is a task with two lines of log and this end.
fn daemon_with_task(end: &'static str) -> Daemon {
    Daemon::start(move |request| {
        if request.target == "/v1/command" {
            let command = request.command();
            if command == "inventory" && request.params().get("read-labels").is_none() {
                let params = request.params();
                let drive = params.get("drive").and_then(Value::as_str).unwrap_or("drive0");
                return Answer::data(json!([{"label-text": format!("in-{drive}"), "uuid": null}]));
            }
            return Answer::json(200, json!({"task": UPID}));
        }
        if request.target.ends_with("/status") {
            return Answer::json(
                200,
                json!({"upid": UPID, "node": "localhost", "pid": 1, "pstart": 2,
                    "starttime": 1_554_483_075, "type": "rewind-media", "user": "root@pam",
                    "status": "stopped", "exitstatus": end}),
            );
        }
        let start = request.query("start");
        let lines: Vec<_> = [line(1, "working: hard"), line(2, "TASK END")]
            .into_iter()
            .filter(|line| line["n"].as_u64() == start)
            .collect();
        Answer::json(200, json!({"lines": lines, "total": 2, "active": start == Some(1)}))
    })
}

#[test]
fn without_a_daemon() {
    let daemon = Daemon::absent();
    let (code, stdout, stderr) = texts(&run(&daemon, &["pool", "list"]));
    assert_eq!((code, stdout.as_str()), (255, ""));
    assert!(stderr.starts_with("Error: unable to connect to "), "{stderr}");
    let (code, stdout, _) = texts(&run(&daemon, &["version"]));
    assert_eq!((code, stdout.lines().count()), (255, 1));
    let (code, stdout, _) = texts(&run(&daemon, &["help"]));
    assert!(code == 0 && stdout.starts_with("Usage:\n"));
    let (code, stdout, stderr) = texts(&run(&daemon, &[]));
    assert_eq!((code, stdout.as_str()), (255, ""));
    assert!(stderr.starts_with("Error: no command specified.\nUsage:\n"));
}

#[test]
fn lists_in_all_formats_and_locales() {
    let daemon = Daemon::start(|_| Answer::data(json!([{"name": "poolA", "comment": "x"}])));
    let with = |name: &str, value: &str, line: &[&str]| {
        texts(&reelctl(&daemon, line).env(name, value).output().unwrap())
    };
    let (code, stdout, stderr) = with("A", "", &["pool", "list"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.starts_with("┌───────┬"), "{stdout}");
    assert!(with("LC_ALL", "C", &["pool", "list"]).1.starts_with("+=======+"));
    let bare = with("PROXMOX_OUTPUT_NO_BORDER", "", &["pool", "list"]).1;
    assert_eq!(bare, "poolA                               no     \n");
    assert!(!with("PROXMOX_OUTPUT_NO_HEADER", "1", &["pool", "list"]).1.contains("retention"));

    let compact = "[{\"comment\":\"x\",\"name\":\"poolA\"}]\n";
    assert_eq!(with("PROXMOX_OUTPUT_FORMAT", "json", &["pool", "list"]).1, compact);
    let pretty = with("A", "", &["pool", "list", "--output-format", "json-pretty"]).1;
    assert_eq!(pretty, "[\n  {\n    \"comment\": \"x\",\n    \"name\": \"poolA\"\n  }\n]\n");
    let (code, stdout, stderr) = with("PROXMOX_OUTPUT_FORMAT", "xml", &["pool", "list"]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.contains("'xml'"), "{stderr}");
}

#[test]
fn success_without_result_is_silent() {
    let daemon = Daemon::start(|_| Answer::data(Value::Null));
    let output = run(&daemon, &["pool", "remove", "poolA"]);
    assert_eq!(texts(&output), (0, String::new(), String::new()));
}

#[test]
fn refusals_of_the_daemon() {
    let daemon = Daemon::start(|request| match request.command().as_str() {
        "pool create" => Answer::json(
            400,
            json!({"error": "parameter verification failed - 'name': is taken", "errno": "EEXIST",
                "params": {"name": "is taken"}}),
        ),
        "pool list" => Answer::json(200, json!("nonsense")),
        _ => Answer::json(404, json!({"error": "no such pool 'poolX'", "errno": "ENOENT"})),
    });
    let (code, stdout, stderr) = texts(&run(&daemon, &["pool", "config", "poolX"]));
    assert_eq!((code, stdout.as_str()), (255, ""));
    assert_eq!(stderr, "Error: no such pool 'poolX'\n");
    let (code, _, stderr) = texts(&run(&daemon, &["pool", "create", "poolA"]));
    assert_eq!(code, 255);
    assert!(stderr.contains("'name': is taken\nUsage: reelctl pool create <name> [OPTIONS]\n"));
    let (code, _, stderr) = texts(&run(&daemon, &["pool", "list"]));
    assert_eq!(code, 255);
    assert!(stderr.starts_with("Error: unexpected answer from the daemon"), "{stderr}");
}

#[test]
fn a_task_is_followed_to_its_end() {
    for (end, code, stderr) in [
        ("OK", 0, ""),
        ("WARNINGS: 2", 0, ""),
        ("drive is empty", 255, "Error: task failed (status drive is empty)\n"),
    ] {
        let output = run(&daemon_with_task(end), &["rewind"]);
        let expected = (code, "working: hard\nTASK END\n".to_owned(), stderr.to_owned());
        assert_eq!(texts(&output), expected, "{end}");
    }
}

#[test]
fn json_has_the_upid_and_does_not_wait() {
    let daemon = daemon_with_task("OK");
    let (code, stdout, _) = texts(&run(&daemon, &["rewind", "--output-format", "json"]));
    assert_eq!((code, stdout), (0, format!("\"{UPID}\"\n")));
    assert_eq!(daemon.requests(), ["POST /v1/command"]);
}

#[test]
fn inventory_lists_after_its_task() {
    let daemon = daemon_with_task("OK");
    let (code, stdout, _) = texts(&run(&daemon, &["inventory", "--read-labels"]));
    assert_eq!(code, 0);
    assert!(stdout.starts_with("working: hard\nTASK END\n┌"), "{stdout}");
    let line =
        ["inventory", "--read-labels", "true", "--drive", "drive1", "--output-format", "json"];
    let (_, stdout, _) = texts(&run(&daemon, &line));
    assert_eq!(stdout, format!("\"{UPID}\"\n[{{\"label-text\":\"in-drive1\",\"uuid\":null}}]\n"));
}

#[test]
fn content_is_written_as_it_is() {
    let daemon = Daemon::start(|request| {
        assert!(request.target.contains("snapshot=vm%2F1%2F2024-06-05T08%3A00%3A00Z"));
        let pieces = vec![b"\x00\xff\n".to_vec(), vec![7; 100_000]];
        if request.target.contains("file=whole.conf") {
            Answer::Stream(pieces)
        } else {
            Answer::BrokenStream(pieces)
        }
    });
    let cat =
        |file| run(&daemon, &["snapshot", "cat", "store1", "vm/1/2024-06-05T08:00:00Z", file]);
    let output = cat("whole.conf");
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), 100_003);
    assert!(output.stdout.starts_with(b"\x00\xff\n\x07"));
    let (code, stderr) = (cat("torn.conf").status.code(), cat("torn.conf").stderr);
    assert_eq!(code, Some(255));
    assert!(String::from_utf8_lossy(&stderr).starts_with("Error: connection to "));
}

/// A daemon with a task that ends only where it is asked to stop and `obeys`.
fn daemon_with_endless_task(obeys: bool) -> Daemon {
    let stopped = std::sync::atomic::AtomicBool::new(false);
    Daemon::start(move |request| {
        use std::sync::atomic::Ordering::SeqCst;
        if request.target == "/v1/command" {
            let stop = request.command() == "task stop";
            stopped.fetch_or(stop, SeqCst);
            return if stop {
                Answer::data(Value::Null)
            } else {
                Answer::json(200, json!({"task": UPID}))
            };
        }
        if request.target.ends_with("/status") {
            return Answer::json(
                200,
                json!({"upid": UPID, "node": "localhost", "pid": 1, "pstart": 2, "starttime": 1,
                    "type": "t", "user": "root@pam", "status": "stopped", "exitstatus": "aborted"}),
            );
        }
        match request.query("start") {
            Some(1) => {
                Answer::json(200, json!({"lines": [line(1, "begun")], "total": 1, "active": true}))
            }
            _ if stopped.load(SeqCst) && obeys => {
                Answer::json(200, json!({"lines": [], "total": 1, "active": false}))
            }
            _ if stopped.load(SeqCst) => {
                Answer::json(200, json!({"lines": [line(2, "deaf")], "total": 2, "active": true}))
            }
            _ => Answer::Never,
        }
    })
}

/// The program once it has printed the first line of the task's log.
struct Following {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Following {
    fn start(daemon: &Daemon, line: &[&str]) -> Self {
        let mut command = reelctl(daemon, line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut following = Self { child, stdout };
        assert_eq!(following.next_line(), "begun\n");
        following
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn interrupt(&self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    }

    fn end(self) -> (i32, String) {
        let output = self.child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn ctrl_c_stops_the_task_and_follows_on() {
    let daemon = daemon_with_endless_task(true);
    let following = Following::start(&daemon, &["rewind"]);
    following.interrupt();
    assert_eq!(following.end(), (255, "Error: task failed (status aborted)\n".into()));
}

#[test]
fn ctrl_c_twice_leaves() {
    let daemon = daemon_with_endless_task(false);
    let mut following = Following::start(&daemon, &["rewind"]);
    following.interrupt();
    assert_eq!(following.next_line(), "deaf\n");
    following.interrupt();
    let (code, stderr) = following.end();
    assert_eq!(code, 255);
    assert!(stderr.starts_with("Error: interrupted; "), "{stderr}");
}

#[test]
fn ctrl_c_on_a_log_leaves_the_task_alone() {
    let daemon = daemon_with_endless_task(true);
    let following = Following::start(&daemon, &["task", "log", UPID]);
    following.interrupt();
    assert_eq!(following.end(), (0, String::new()));
    assert!(daemon.requests().iter().all(|request| request.starts_with("GET ")));
}
