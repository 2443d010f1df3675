//! Devices of `target_core_user`: made, told their program, and served by a thread.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::names;
use crate::serving::{Server, ServingError};
use crate::uio::Uio;
use crate::undo::{Undo, write_value};
use crate::unit::Unit;

/// How long the kernel waits for an answer: longer than any command takes that is not broken, and short enough that
/// what waits for a program that was killed and not started again comes back some day.
const COMMAND_LIMIT_SECONDS: &str = "3600";

/// What a device is told before it is switched on, in this order. The data area is room for a dozen of the longest
/// transfers, the ring small, so that it wraps often.
const CONTROL: [&str; 5] = [
    "dev_size=1048576",
    "hw_block_size=512",
    "nl_reply_supported=-1",
    "max_data_area_mb=16",
    "cmd_ring_size_mb=1",
];

/// And beside: the program sees reservations, and is told of resets.
const ATTRIBUTES: [(&str, &str); 3] = [
    ("attrib/pgr_support", "0"),
    ("attrib/cmd_time_out", COMMAND_LIMIT_SECONDS),
    ("attrib/tmr_notification", "1"),
];

/// Makes a device and switches it on. Nobody serves it yet.
pub(crate) fn make(undo: &mut Undo, name: &str, serial: &str) -> Result<PathBuf> {
    let folder = names::adapter().join(name);
    undo.make_folder(&folder)?;
    let control = folder.join("control");
    write_value(&control, &format!("dev_config={}", names::configuration(name)))?;
    for value in CONTROL {
        write_value(&control, value)?;
    }
    write_value(&folder.join("wwn/vpd_unit_serial"), serial)?;
    for (file, value) in ATTRIBUTES {
        write_value(&folder.join(file), value)?;
    }
    write_value(&folder.join("enable"), "1")?;
    Ok(folder)
}

/// A thread that serves a device.
pub(crate) struct Served {
    name: String,
    thread: JoinHandle<Result<(), ServingError>>,
}

impl Served {
    /// Starts one for a device that is switched on; `None` where the kernel has no file for it.
    pub(crate) fn start(name: &str, unit: impl Unit + 'static) -> Result<Option<Self>> {
        let Some(uio) = Uio::find(&names::uio(name))? else { return Ok(None) };
        let not_mapped = |source| Error::Ring { device: name.to_owned(), source };
        let mut server = Server::new(uio, unit).map_err(not_mapped)?;
        let folder = names::adapter().join(name);
        let serve = move || {
            let mut alarm = Alarm { folder, orderly: false };
            let outcome = server.serve();
            alarm.orderly = outcome.is_ok();
            outcome
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(serve);
        let not_started =
            |error| Error::Thread { device: name.to_owned(), problem: format!("{error}") };
        Ok(Some(Self { name: name.to_owned(), thread: thread.map_err(not_started)? }))
    }

    /// Waits for its end, which comes when the device is removed.
    pub(crate) fn join(self) -> Result<()> {
        let device = self.name;
        match self.thread.join() {
            Ok(outcome) => outcome.map_err(|source| Error::Serving { device, source }),
            Err(_) => {
                Err(Error::Thread { device, problem: "its thread died; this is a bug".into() })
            }
        }
    }
}

/// Rings where a thread ends without its device being removed: commands must not wait for it, nor the program.
struct Alarm {
    folder: PathBuf,
    orderly: bool,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.orderly {
            return;
        }
        if let Err(error) = fail_commands(&self.folder) {
            eprintln!("reel-vtl: {error}");
        }
        let _ = kill(Pid::this(), Signal::SIGTERM);
    }
}

/// Has the kernel fail the commands that nobody will answer.
fn fail_commands(folder: &Path) -> Result<()> {
    let actions = [("block_dev", "1"), ("reset_ring", "2"), ("block_dev", "0")];
    actions
        .iter()
        .try_for_each(|(action, value)| write_value(&folder.join("action").join(action), value))
}
