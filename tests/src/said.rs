//! What `reelctl` says: exit status and both streams of a command line.

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
