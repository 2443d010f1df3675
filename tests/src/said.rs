//! What `reelctl` says: exit status and both streams of a command line.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::Daemon;

/// What came of a command line.
pub struct Said {
    /// The exit status; none where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Runs `reelctl` with the words of `line`, whatever comes of it.
pub fn say(daemon: &Daemon<'_>, line: &str) -> Said {
    daemon.try_ctl(line).into()
}

/// A refused command line: status 255, nothing on stdout; what stderr has.
pub fn refused(daemon: &Daemon<'_>, line: &str) -> String {
    let said = say(daemon, line);
    assert_eq!((said.code, &*said.stdout), (Some(255), ""), "{line}: {}", said.stderr);
    assert!(said.stderr.starts_with("Error: "), "{line}: {}", said.stderr);
    said.stderr
}

/// A command line without a result: status 0, nothing on both streams.
pub fn silent(daemon: &Daemon<'_>, line: &str) {
    let said = say(daemon, line);
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(0), "", ""), "{line}");
}

/// Runs `reelctl` by the name of PBS's program that is the first word of `line`, whatever comes of it.
pub fn called(daemon: &Daemon<'_>, line: &str) -> Said {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    daemon.reelctl_as(program).args(words).output().expect("reelctl starts").into()
}

/// A file of the fixtures that records a command: its line, and what PBS's program said.
pub fn recorded(file: &Path) -> (String, Said) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("read {file:?}: {error}"));
    let (line, rest) = text.split_once('\n').expect("a line with the command");
    let (output, code) = rest.rsplit_once("--- exit ").expect("a line with the status");
    let (stdout, stderr) = output.split_once("--- stderr\n").unwrap_or((output, ""));
    let said = Said {
        code: Some(code.trim().parse().expect("a status")),
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    (line.trim_start_matches("$ ").into(), said)
}
