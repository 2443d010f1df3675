//! Running a program that is given something to read, and not longer than it may take.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How often a program is looked at whether it has ended.
const LOOK: Duration = Duration::from_millis(20);
/// So much of what a program complains of is told.
const COMPLAINT_BYTES: u64 = 1024;

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// It did not begin.
    #[error("unable to run '{program}': {source}")]
    NotRun {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It began, and how it ended can't be learned.
    #[error("unable to learn how '{program}' ended: {source}")]
    Unwatched {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It failed.
    #[error("'{program}' failed ({status}){complaint}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error.
        complaint: String,
    },
    /// It took too long, and was killed with all that it had started.
    #[error("'{program}' was killed because it took longer than {limit_s} s")]
    TooSlow {
        /// The program.
        program: String,
        /// What it had, in seconds.
        limit_s: u64,
    },
}

impl ProgramError {
    /// Whether it can't have done anything.
    pub(super) fn is_before_start(&self) -> bool {
        matches!(self, Self::NotRun { .. })
    }

    /// How it ended, where it did so by itself.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Failed { status, .. } => status.code(),
            _ => None,
        }
    }
}

/// Runs `program` with `input` as its standard input; kills it, and what it started, after `limit`.
pub(super) fn run(
    program: &Path,
    arguments: &[&OsStr],
    input: &[u8],
    limit: Duration,
) -> Result<(), ProgramError> {
    let name = program.display().to_string();
    let not_run = |source| ProgramError::NotRun { program: name.clone(), source };
    let mut complaints = tempfile::tempfile().map_err(not_run)?;
    // Files and no pipes: nobody has to feed or drain a program that does neither read nor end.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(given(input).map_err(not_run)?)
        .stdout(Stdio::null())
        .stderr(complaints.try_clone().map_err(not_run)?)
        .process_group(0)
        .spawn()
        .map_err(not_run)?;
    outcome(name, &mut child, &mut complaints, limit)
}

fn outcome(
    program: String,
    child: &mut Child,
    complaints: &mut File,
    limit: Duration,
) -> Result<(), ProgramError> {
    match wait(child, limit) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => {
            let complaint = complaint(complaints);
            Err(ProgramError::Failed { program, status, complaint })
        }
        Ok(None) => Err(ProgramError::TooSlow { program, limit_s: limit.as_secs() }),
        Err(source) => Err(ProgramError::Unwatched { program, source }),
    }
}

fn given(input: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// How it ended; none where it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(LOOK);
    }
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    child.wait()?;
    Ok(None)
}

fn complaint(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(COMPLAINT_BYTES).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match (read, lines.is_empty()) {
        (Ok(_), false) => format!(": {}", lines.join("; ")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<(), ProgramError> {
        let arguments = [OsStr::new("-c"), OsStr::new(script)];
        run(Path::new("/bin/sh"), &arguments, b"{\"a\":1}", limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_reads_what_it_is_given_and_its_failure_is_told() {
        shell("test \"$(cat)\" = '{\"a\":1}'", LONG).unwrap();
        // Whether it reads at all is its own affair.
        shell("exit 0", LONG).unwrap();
        let failed = shell("echo no way >&2; exit 3", LONG).unwrap_err().to_string();
        assert!(failed.contains("exit status: 3") && failed.contains(": no way"), "{failed}");
        let missing = run(Path::new("/nowhere/program"), &[], b"", LONG).unwrap_err();
        assert!(missing.is_before_start(), "{missing}");
    }

    #[test]
    fn a_program_whose_end_was_missed_is_not_taken_for_one_that_did_not_run() {
        let mut child = Command::new("/bin/sh").args(["-c", "exit 0"]).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::wait::waitpid(pid, None).unwrap();
        let mut complaints = tempfile::tempfile().unwrap();
        let error = outcome("sh".into(), &mut child, &mut complaints, LONG).unwrap_err();
        assert!(matches!(error, ProgramError::Unwatched { .. }), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("sleep 1000 & echo $! > {0}/pid; wait", folder.path().display());
        let error = shell(&script, Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, ProgramError::TooSlow { .. }), "{error}");
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let is_gone = || std::fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
        while !is_gone() {
            std::thread::yield_now();
        }
    }
}
