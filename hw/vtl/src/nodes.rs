//! The nodes under `/dev` that the kernel gives a device.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use reel_emu::Device;

use crate::error::{Error, Result};

/// Where the kernel lists SCSI devices.
const DEVICES: &str = "/sys/bus/scsi/devices";
/// How long the drivers may take.
const LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// A kind of node: the folder it is listed in, and how its name begins.
struct Kind {
    class: &'static str,
    prefix: &'static str,
}

const GENERIC: Kind = Kind { class: "scsi_generic", prefix: "sg" };
const TAPE: Kind = Kind { class: "scsi_tape", prefix: "nst" };
const CHANGER: Kind = Kind { class: "scsi_changer", prefix: "sch" };

/// The nodes of the device at an address, its driver's own first.
///
/// # Errors
/// The kernel has no generic driver, or none for tapes. One for changers is rarely used, and not missed.
pub(crate) fn of(device: Device, address: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new(DEVICES).join(address);
    let (own, wants_own) = match device {
        Device::Changer => (CHANGER, false),
        Device::Drive(_) => (TAPE, true),
    };
    let started = Instant::now();
    loop {
        let (first, generic) = (find(&folder, &own), find(&folder, &GENERIC));
        match (first, generic) {
            (Some(first), Some(generic)) => return Ok(vec![first, generic]),
            _ if started.elapsed() < LIMIT => thread::sleep(PAUSE),
            (None, Some(generic)) if !wants_own => return Ok(vec![generic]),
            (_, generic) => {
                let what = if generic.is_none() { "/dev/sg node" } else { "/dev/nst node" };
                return Err(Error::NoNode { address: address.to_owned(), what });
            }
        }
    }
}

/// The shortest name that fits: `nst0`, not `nst0a`.
fn find(folder: &Path, kind: &Kind) -> Option<PathBuf> {
    let entries = fs::read_dir(folder.join(kind.class)).ok()?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let fitting = names.filter(|name| name.starts_with(kind.prefix));
    let name = fitting.min_by_key(String::len)?;
    Some(Path::new("/dev").join(name)).filter(|node| node.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_node_is_found_among_its_variants() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["st7", "nst7m", "nst7", "nst7a", "null", "nullx"] {
            fs::create_dir_all(folder.path().join("scsi_tape").join(name)).unwrap();
        }
        assert_eq!(find(folder.path(), &TAPE), None, "no such node under /dev");
        let null = Kind { class: "scsi_tape", prefix: "nu" };
        assert_eq!(find(folder.path(), &null), Some(PathBuf::from("/dev/null")));
        assert_eq!(find(folder.path(), &GENERIC), None);
    }
}
