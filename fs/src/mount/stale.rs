//! Mounts that a killed daemon left behind: every access answers ENOTCONN.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

/// Unmounts what a daemon that died left at `path`. True where there was such a mount.
///
/// It is detached, not forced: programs that still stand in it keep their dead folder.
pub fn recover_stale_mount(path: &Path) -> io::Result<bool> {
    // Attributes may still be in the kernel's cache; opening the folder asks the daemon.
    let dead = match path.read_dir() {
        Err(error) => error.raw_os_error() == Some(libc::ENOTCONN),
        Ok(_) => false,
    };
    if !dead {
        return Ok(false);
    }
    match umount2(path, MntFlags::MNT_DETACH) {
        Ok(()) => {}
        Err(Errno::EPERM) => unmount_by_helper(path)?,
        Err(errno) => return Err(errno.into()),
    }
    tracing::warn!(path = %path.display(), "unmounted what a daemon that died had left mounted");
    Ok(true)
}

/// Whoever isn't root needs the set-uid helper.
fn unmount_by_helper(path: &Path) -> io::Result<()> {
    let status = Command::new("fusermount3")
        .args(["-u", "-z", "-q", "--"])
        .arg(path)
        .stdin(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(Errno::EPERM.into()),
    }
}
