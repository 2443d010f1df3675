//! The file by which a device's ring is mapped, and by which kernel and program wake each other.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::error::{Error, Result, failed};

/// Where the kernel lists these files.
const CLASS: &str = "/sys/class/uio";

/// A device's file that is open.
pub(crate) struct Uio {
    file: File,
    /// Bytes to map.
    pub(crate) length: usize,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// There may be entries in the ring.
    ByEntries,
    /// The device was removed.
    ByRemoval,
}

impl Uio {
    /// Opens the file of the device with this name (`tcm-user/…`); `None` where there is no such device.
    pub(crate) fn find(name: &str) -> Result<Option<Self>> {
        let Some(entry) = find_entry(Path::new(CLASS), name) else { return Ok(None) };
        let size = entry.join("maps/map0/size");
        let length = fs::read_to_string(&size).map_err(failed("read", &size))?;
        let length = parse_hexadecimal(&length)
            .ok_or_else(|| Error::Unexpected { path: size, content: length.trim().to_owned() })?;
        let node = Path::new("/dev").join(entry.file_name().unwrap_or_default());
        let open = File::options().read(true).write(true).open(&node);
        let file = open.map_err(failed("open", &node))?;
        Ok(Some(Self { file, length }))
    }

    /// What is mapped.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Waits until the kernel has something new.
    pub(crate) fn wait(&mut self) -> io::Result<Woken> {
        removal_or(self.file.read_exact(&mut [0; 4]))
    }

    /// Tells the kernel of answers.
    pub(crate) fn notify(&mut self) -> io::Result<Woken> {
        removal_or(self.file.write_all(&[0; 4]))
    }
}

/// The kernel's way to say that the device is no more: EIO to who reads, EINVAL to who writes.
fn removal_or(result: io::Result<()>) -> io::Result<Woken> {
    const REMOVED: [i32; 3] = [Errno::EIO as i32, Errno::EINVAL as i32, Errno::ENODEV as i32];
    match result {
        Ok(()) => Ok(Woken::ByEntries),
        Err(error) if error.raw_os_error().is_some_and(|code| REMOVED.contains(&code)) => {
            Ok(Woken::ByRemoval)
        }
        Err(error) => Err(error),
    }
}

fn find_entry(class: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(class).ok()?.flatten().map(|entry| entry.path());
    let is_it = |entry: &PathBuf| {
        fs::read_to_string(entry.join("name")).is_ok_and(|found| found.trim_end() == name)
    };
    entries.into_iter().find(is_it)
}

fn parse_hexadecimal(text: &str) -> Option<usize> {
    usize::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_by_its_name() {
        let class = tempfile::tempdir().unwrap();
        for (entry, name) in [("uio0", "other\n"), ("uio1", "tcm-user/0/a/b\n")] {
            fs::create_dir(class.path().join(entry)).unwrap();
            fs::write(class.path().join(entry).join("name"), name).unwrap();
        }
        let found = find_entry(class.path(), "tcm-user/0/a/b");
        assert_eq!(found, Some(class.path().join("uio1")));
        assert_eq!(find_entry(class.path(), "tcm-user/0/a"), None);
    }

    #[test]
    fn sizes_are_hexadecimal() {
        assert_eq!(parse_hexadecimal("0x0000000000900000\n"), Some(9 << 20));
        assert_eq!(parse_hexadecimal("900000"), None);
    }
}
