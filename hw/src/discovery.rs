//! Which tape drives and changers the kernel knows (spec scsi.md §3), read from sysfs.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::scsi::DeviceType;
use crate::scsi::cursor::Reader;

/// A device that was found. It serializes with the keys of PBS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundDevice {
    /// Tape drive or changer.
    pub kind: DeviceType,
    /// The path to configure: the link by serial number, which stays the same, or the generic node without one.
    pub path: PathBuf,
    /// Serial number of the unit.
    pub serial: String,
    /// Vendor, or `unknown`.
    pub vendor: String,
    /// Model, or `unknown`.
    pub model: String,
    /// Major number of the generic node.
    pub major: u32,
    /// Minor number of the generic node.
    pub minor: u32,
}

impl FoundDevice {
    /// Whether a path leads to this device: by its link, its generic node, or another node of the same device.
    pub fn is_at(&self, path: &Path) -> bool {
        let Ok(metadata) = path.metadata() else { return false };
        let number = metadata.rdev();
        (libc::major(number), libc::minor(number)) == (self.major, self.minor)
    }
}

/// Where to look.
#[derive(Debug, Clone)]
pub struct Discovery {
    sys: PathBuf,
    dev: PathBuf,
}

impl Default for Discovery {
    /// The system's own `/sys` and `/dev`.
    fn default() -> Self {
        Self::new("/sys", "/dev")
    }
}

impl Discovery {
    /// Other folders that stand for `/sys` and `/dev`.
    pub fn new(sys: impl Into<PathBuf>, dev: impl Into<PathBuf>) -> Self {
        Self { sys: sys.into(), dev: dev.into() }
    }

    /// All devices of a kind, by their paths. Devices without a serial number are left out: nothing could tell them
    /// from each other.
    ///
    /// # Errors
    /// Where sysfs cannot be read. No generic devices at all is no error.
    pub fn scan(&self, kind: DeviceType) -> io::Result<Vec<FoundDevice>> {
        let entries = match fs::read_dir(self.sys.join("class/scsi_generic")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let node = entry.file_name().to_string_lossy().into_owned();
            found.extend(self.examine(kind, &entry.path(), &node));
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The device behind a generic node, if it is of that kind and tells its serial number.
    fn examine(&self, kind: DeviceType, class: &Path, node: &str) -> Option<FoundDevice> {
        let device = class.join("device");
        let number: u8 = attribute(&device, "type")?.parse().ok()?;
        if number != kind.number() {
            return None;
        }
        let serial = serial(&device)?;
        let numbers = attribute(class, "dev")?;
        let (major, minor) = numbers.split_once(':')?;
        let unknown = || "unknown".to_owned();
        Some(FoundDevice {
            kind,
            path: self.path(kind, &serial, node),
            vendor: attribute(&device, "vendor").unwrap_or_else(unknown),
            model: attribute(&device, "model").unwrap_or_else(unknown),
            serial,
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }

    fn path(&self, kind: DeviceType, serial: &str, node: &str) -> PathBuf {
        let suffix = match kind {
            DeviceType::Tape => "-sg",
            DeviceType::Changer => "",
        };
        let link = self.dev.join(format!("tape/by-id/scsi-{serial}{suffix}"));
        if link.exists() { link } else { self.dev.join(node) }
    }
}

/// A text attribute of a device, without the blanks around it; `None` where there is none or it is empty.
fn attribute(folder: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(folder.join(name)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The serial number, out of vital product data page 80h as the kernel keeps it.
fn serial(device: &Path) -> Option<String> {
    let page = fs::read(device.join("vpd_pg80")).ok()?;
    let mut fields = Reader::new("serial number page", &page);
    fields.skip(2).ok()?;
    let length = usize::from(fields.u16().ok()?);
    let serial = fields.part_at_most(length);
    let serial = String::from_utf8_lossy(serial.rest()).trim_matches(['\0', ' ']).to_owned();
    Some(serial).filter(|serial| !serial.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn add(root: &TempDir, node: &str, kind: &str, serial: Option<&str>) {
        let class = root.path().join("sys/class/scsi_generic").join(node);
        let device = class.join("device");
        fs::create_dir_all(&device).unwrap();
        let number = node.trim_start_matches("sg");
        fs::write(class.join("dev"), format!("21:{number}\n")).unwrap();
        fs::write(device.join("type"), format!("{kind}\n")).unwrap();
        fs::write(device.join("vendor"), "IBM     \n").unwrap();
        if let Some(serial) = serial {
            let page = [&[1, 0x80, 0, serial.len() as u8], serial.as_bytes()].concat();
            fs::write(device.join("vpd_pg80"), page).unwrap();
        }
    }

    fn discovery(root: &TempDir) -> Discovery {
        Discovery::new(root.path().join("sys"), root.path().join("dev"))
    }

    #[test]
    fn drives_and_changers_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        add(&root, "sg0", "0", Some("DISK"));
        add(&root, "sg1", "1", Some("DRIVE1 "));
        add(&root, "sg2", "8", Some("ROBOT"));
        add(&root, "sg3", "1", None);
        let links = root.path().join("dev/tape/by-id");
        fs::create_dir_all(&links).unwrap();
        fs::write(links.join("scsi-DRIVE1-sg"), "").unwrap();
        let drives = discovery(&root).scan(DeviceType::Tape).unwrap();
        let [drive] = drives.as_slice() else { panic!("{drives:?}") };
        assert_eq!(drive.path, links.join("scsi-DRIVE1-sg"));
        assert_eq!((drive.serial.as_str(), drive.vendor.as_str()), ("DRIVE1", "IBM"));
        assert_eq!((drive.model.as_str(), drive.major, drive.minor), ("unknown", 21, 1));
        let changers = discovery(&root).scan(DeviceType::Changer).unwrap();
        assert_eq!(changers[0].path, root.path().join("dev/sg2"), "no link: the node itself");
    }

    #[test]
    fn a_machine_without_scsi_has_no_devices() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(discovery(&root).scan(DeviceType::Tape).unwrap(), []);
    }
}
