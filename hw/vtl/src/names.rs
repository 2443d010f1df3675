//! How a library and its devices are called in the kernel's configuration.
//!
//! All names come from the library's serial number, so that a new program finds what one that was killed has left.

use std::path::{Path, PathBuf};

use reel_emu::Device;
use reel_hw::scsi::protection::crc32c;

/// Where configfs has the kernel's SCSI targets.
pub(crate) const TARGETS: &str = "/sys/kernel/config/target";

/// Names of one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    serial: String,
}

impl Names {
    /// The library with this serial number.
    pub(crate) fn new(serial: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        Self { serial: serial.chars().map(plain).collect() }
    }

    /// How the names of its devices begin.
    pub(crate) fn prefix(&self) -> String {
        format!("reel-{}-", self.serial)
    }

    /// The name of a device.
    pub(crate) fn device(&self, device: Device) -> String {
        match device {
            Device::Changer => format!("{}changer", self.prefix()),
            Device::Drive(number) => format!("{}drive{number}", self.prefix()),
        }
    }

    /// The world wide name of the target that all its devices are ports of.
    pub(crate) fn target(&self) -> String {
        world_wide_name(self.number())
    }

    /// The world wide name of the initiator, which is the kernel itself.
    pub(crate) fn initiator(&self) -> String {
        world_wide_name(self.number() | 1)
    }

    /// An even number of the library's own.
    fn number(&self) -> u64 {
        u64::from(crc32c(self.serial.as_bytes())) << 1
    }

    /// The folder of the target.
    pub(crate) fn target_folder(&self) -> PathBuf {
        loopback().join(self.target())
    }
}

/// The folder of all devices that programs answer for.
pub(crate) fn adapter() -> PathBuf {
    Path::new(TARGETS).join("core/user_0")
}

/// The folder of all targets that this machine is its own initiator of.
pub(crate) fn loopback() -> PathBuf {
    Path::new(TARGETS).join("loopback")
}

/// What a device's program is told by; any text, which comes back in the name of the uio file.
pub(crate) fn configuration(name: &str) -> String {
    format!("reel-vtl/{name}")
}

/// The name of a device's uio file.
pub(crate) fn uio(name: &str) -> String {
    format!("tcm-user/0/{name}/{}", configuration(name))
}

/// A name of the kind that the kernel takes: NAA 5, the vendor of the kernel's own targets, 36 bits of ours.
fn world_wide_name(number: u64) -> String {
    format!("naa.5001405{:09x}", number & 0xF_FFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_what_the_kernel_takes() {
        let names = Names::new("LIB/1 a");
        assert_eq!(names.device(Device::Changer), "reel-LIB_1_a-changer");
        assert_eq!(names.device(Device::Drive(3)), "reel-LIB_1_a-drive3");
        assert_eq!(uio("x"), "tcm-user/0/x/reel-vtl/x");
        for name in [names.target(), names.initiator()] {
            assert_eq!(name.len(), "naa.".len() + 16);
            assert!(name.starts_with("naa.5"));
        }
        assert_ne!(names.target(), names.initiator());
        assert_ne!(names.target(), Names::new("LIB/2 a").target());
    }
}
