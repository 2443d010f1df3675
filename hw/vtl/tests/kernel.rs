//! Our own drivers on devices of the kernel, through `/dev/sg*`. Run in a virtual machine, by `make test-kernel`.
//!
//! All tests here are ignored unless asked for, and need `REELFS_KERNEL=1`: they write to the devices that the
//! environment names. The devices are an emulated library behind the kernel (tests `library_…`), a tape drive of the
//! kernel's own emulation, `scsi_debug` (tests `scsi_debug_…`), or a library of Debian's tgt (tests `tgt_…`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod kernel {
    pub(crate) mod library;
    pub(crate) mod scsi_debug;
    pub(crate) mod support;
    pub(crate) mod tgt;
}
