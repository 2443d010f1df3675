//! `reel-vtl serve`: brings the devices of a library up, and takes them down when it is told to stop.

use std::io::{self, Write};
use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use reel_emu::EmulatedLibrary;

use crate::bridge::{Bridge, Offered};
use crate::error::{Error, Result, failed};

/// Serves the library in a folder until SIGTERM or SIGINT. The ready file gets the same lines as standard output, when
/// all devices are there.
pub(crate) fn serve(folder: &Path, ready_file: Option<&Path>) -> Result<()> {
    let signals = block_signals()?;
    let library = EmulatedLibrary::open(folder)?;
    let bridge = Bridge::up(&library)?;
    let lines: String = bridge.devices.iter().map(Offered::line).collect();
    tell(&lines, ready_file)?;
    signals.wait().map_err(|error| Error::Signals(error.into()))?;
    bridge.down()
}

/// Keeps signals for the one wait, also in the threads that are started later.
fn block_signals() -> Result<SigSet> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block().map_err(|error| Error::Signals(error.into()))?;
    Ok(signals)
}

fn tell(lines: &str, ready_file: Option<&Path>) -> Result<()> {
    let mut out = io::stdout().lock();
    let printed = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    printed.map_err(failed("write", Path::new("standard output")))?;
    let Some(path) = ready_file else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(lines.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(failed("write", path))
}
