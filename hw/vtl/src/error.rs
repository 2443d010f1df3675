//! What can go wrong outside of the ring.

use std::io;
use std::path::{Path, PathBuf};

use reel_emu::FolderError;

use crate::ring::RingError;
use crate::serving::ServingError;

/// Why a library was not made, or is served no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The folder of the library.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// A file of the kernel or of the system.
    #[error("{action} {}: {source}{}", path.display(), hint(source))]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// The kernel does not say what it should.
    #[error("{} says '{content}', which makes no sense here; use another kernel", path.display())]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// What stands in it.
        content: String,
    },

    /// The kernel's modules.
    #[error(
        "load the kernel modules target_core_user and tcm_loop: {0}; run as root, on a kernel that has them \
         (Debian: linux-image-amd64)"
    )]
    Modules(String),

    /// configfs is not mounted.
    #[error("{} is not there; mount -t configfs config /sys/kernel/config", .0.display())]
    NoConfigfs(PathBuf),

    /// The kernel made a device that nobody can serve.
    #[error("the kernel has no /dev/uio file for the new device {0}; see dmesg")]
    NoUio(String),

    /// No device node came up.
    #[error(
        "the kernel knows {address} and made no {what} for it; load the kernel modules sg, st and ch"
    )]
    NoNode {
        /// What it knows.
        address: String,
        /// What is missing.
        what: &'static str,
    },

    /// The ring of a device.
    #[error("map the ring of {device}: {source}")]
    Ring {
        /// The device.
        device: String,
        /// Why not.
        source: RingError,
    },

    /// A device is served no longer.
    #[error("serve {device}: {source}; all devices are taken down")]
    Serving {
        /// The device.
        device: String,
        /// Why not.
        source: ServingError,
    },

    /// A thread could not be started, or died.
    #[error("serve {device}: {problem}")]
    Thread {
        /// The device.
        device: String,
        /// Why not.
        problem: String,
    },

    /// Signals cannot be waited for.
    #[error("wait for a signal: {0}")]
    Signals(#[source] io::Error),
}

/// The crate's results.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Wraps an error of the system.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::File { action, path, source }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "; run as root",
        io::ErrorKind::ResourceBusy => "; another program uses it",
        _ => "",
    }
}
