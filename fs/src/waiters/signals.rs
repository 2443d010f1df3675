//! Reads from `/proc/TID/status` whether a thread has a signal to handle.
//!
//! `SigPnd` are signals for the thread, `ShdPnd` for its process; minus `SigBlk` (blocked) and
//! `SigIgn` (ignored). A fatal signal shows as SIGKILL in `SigPnd` of every thread.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::signal;
use nix::unistd::Pid;

/// Signals that tell a program something but don't ask it to stop what it does. A read that
/// failed because a window changed its size would surprise programs that expect regular files
/// to be read whole; they are delivered when the wait is over.
const HARMLESS: u64 = bit(libc::SIGCHLD)
    | bit(libc::SIGCONT)
    | bit(libc::SIGURG)
    | bit(libc::SIGWINCH)
    | bit(libc::SIGPROF)
    | bit(libc::SIGVTALRM);

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Whether the thread has a signal to handle or is gone. Where that can't be known, no.
pub(super) fn must_stop(tid: u32) -> bool {
    if tid == 0 {
        return false;
    }
    match fs::read_to_string(format!("/proc/{tid}/status")) {
        Ok(status) => status_says_stop(&status),
        Err(error) => vanished(&error) && !exists(tid),
    }
}

fn vanished(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// `/proc` may hide other users' processes (`hidepid`), a null signal tells them from dead ones.
fn exists(tid: u32) -> bool {
    let Ok(tid) = i32::try_from(tid) else { return false };
    signal::kill(Pid::from_raw(tid), None) != Err(Errno::ESRCH)
}

fn status_says_stop(status: &str) -> bool {
    let field = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let mask = |name| field(name).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    if field("State").is_some_and(|state| state.starts_with(['Z', 'X'])) {
        return true;
    }
    let pending = mask("SigPnd") | mask("ShdPnd");
    pending & !mask("SigBlk") & !mask("SigIgn") & !HARMLESS != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str, thread: i32, process: i32, blocked: u64, ignored: u64) -> String {
        let mask = |signal| if signal == 0 { 0 } else { bit(signal) };
        format!(
            "Name:\tcat\nState:\t{state} (x)\nPid:\t7\nSigQ:\t1/7\nSigPnd:\t{:016x}\n\
             ShdPnd:\t{:016x}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\n\
             SigCgt:\t0000000000000000\n",
            mask(thread),
            mask(process)
        )
    }

    #[test]
    fn a_pending_signal_stops_a_wait() {
        assert!(!status_says_stop(&status("D", 0, 0, 0, 0)));
        assert!(status_says_stop(&status("D", libc::SIGKILL, 0, 0, 0)));
        assert!(status_says_stop(&status("D", 0, libc::SIGINT, 0, 0)));
    }

    #[test]
    fn blocked_ignored_and_harmless_signals_do_not() {
        let int = bit(libc::SIGINT);
        assert!(!status_says_stop(&status("D", 0, libc::SIGINT, int, 0)));
        assert!(!status_says_stop(&status("D", 0, libc::SIGINT, 0, int)));
        assert!(!status_says_stop(&status("D", 0, libc::SIGCHLD, 0, 0)));
        assert!(!status_says_stop(&status("D", libc::SIGURG, libc::SIGWINCH, 0, 0)));
    }

    #[test]
    fn the_dead_do_not_wait() {
        assert!(status_says_stop(&status("Z", 0, 0, 0, 0)));
    }

    #[test]
    fn a_living_thread_without_signals_goes_on() {
        assert!(!must_stop(nix::unistd::gettid().as_raw() as u32));
        assert!(!must_stop(0));
    }

    #[test]
    fn nonsense_says_nothing() {
        assert!(!status_says_stop(""));
        assert!(!status_says_stop("SigPnd:\tzz\nShdPnd"));
    }
}
