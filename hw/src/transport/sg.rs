//! Commands by the kernel's SCSI generic driver: the `SG_IO` ioctl on `/dev/sg*` (spec scsi.md §1).
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};

use super::holder::holder;
use super::{Data, Reply, SENSE_BYTES_MAX, Status, Transport, TransportError};
use crate::scsi::Cdb;

const SG_IO: libc::c_ulong = 0x2285;
const INTERFACE: i32 = b'S' as i32;
const DIRECTION_NONE: i32 = -1;
const DIRECTION_TO_DEVICE: i32 = -2;
const DIRECTION_FROM_DEVICE: i32 = -3;

/// What the kernel tells of processes.
const PROC: &str = "/proc";

/// Driver status that only says that there is sense.
const DRIVER_SENSE: u16 = 0x08;
/// Host status of the kernel: the device did not answer selection, or is gone.
const HOST_NO_CONNECT: u16 = 0x01;
/// Host status of the kernel: the device did not answer in time.
const HOST_TIME_OUT: u16 = 0x03;

/// `struct sg_io_hdr` of the kernel's `scsi/sg.h`.
#[repr(C)]
struct SgIoHeader {
    interface_id: i32,
    dxfer_direction: i32,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut libc::c_void,
    cmdp: *const u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: i32,
    usr_ptr: *mut libc::c_void,
    status: u8,
    masked_status: u8,
    msg_status: u8,
    sb_len_wr: u8,
    host_status: u16,
    driver_status: u16,
    resid: i32,
    duration: u32,
    info: u32,
}

/// A device of the kernel.
#[derive(Debug)]
pub struct SgTransport {
    file: File,
    name: String,
}

impl SgTransport {
    /// Opens `/dev/sg*`, or what stands for it: an `st` or `nst` node, a changer's `sch` node, a link in
    /// `/dev/tape/by-id`. Messages name the path that was asked for.
    ///
    /// # Errors
    /// Not a character device; no SCSI device behind it; no right to open it, with what is missing; open in another
    /// process for itself alone, with its name.
    pub fn open(path: &Path) -> io::Result<Self> {
        let generic = generic_node(path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open(&generic)
            .map_err(|error| with_hint(error, &generic))?;
        Ok(Self { file, name: path.display().to_string() })
    }
}

impl Transport for SgTransport {
    fn execute(
        &mut self,
        cdb: &Cdb,
        mut data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        let mut sense = [0; SENSE_BYTES_MAX];
        let mut header = header(cdb, &mut data, &mut sense, timeout)?;
        // SAFETY: the header's pointers are to `cdb`, to `data` and to `sense`, with their true lengths; all of
        // these outlive the call, and the kernel writes to no more than it was told: to `data` only where the
        // direction is from the device, which is set for a mutable buffer alone.
        let result = unsafe { libc::ioctl(self.file.as_raw_fd(), SG_IO, &raw mut header) };
        if result < 0 {
            return Err(refused(io::Error::last_os_error()));
        }
        reply(&header, data.length(), &sense, timeout)
    }

    fn device(&self) -> &str {
        &self.name
    }
}

fn header(
    cdb: &Cdb,
    data: &mut Data<'_>,
    sense: &mut [u8; SENSE_BYTES_MAX],
    timeout: Duration,
) -> Result<SgIoHeader, TransportError> {
    let (dxfer_direction, dxferp) = match data {
        Data::None => (DIRECTION_NONE, std::ptr::null_mut()),
        Data::In(buffer) => (DIRECTION_FROM_DEVICE, buffer.as_mut_ptr().cast()),
        Data::Out(bytes) => (DIRECTION_TO_DEVICE, bytes.as_ptr().cast_mut().cast()),
    };
    let too_long = |_| TransportError::Garbage("the transfer is longer than 4 GiB");
    Ok(SgIoHeader {
        interface_id: INTERFACE,
        dxfer_direction,
        cmd_len: cdb.as_bytes().len() as u8,
        mx_sb_len: SENSE_BYTES_MAX as u8,
        iovec_count: 0,
        dxfer_len: u32::try_from(data.length()).map_err(too_long)?,
        dxferp,
        cmdp: cdb.as_bytes().as_ptr(),
        sbp: sense.as_mut_ptr(),
        timeout: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        flags: 0,
        pack_id: 0,
        usr_ptr: std::ptr::null_mut(),
        status: 0,
        masked_status: 0,
        msg_status: 0,
        sb_len_wr: 0,
        host_status: 0,
        driver_status: 0,
        resid: 0,
        duration: 0,
        info: 0,
    })
}

fn refused(error: io::Error) -> TransportError {
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => TransportError::Gone,
        _ => TransportError::System(error),
    }
}

/// A check condition counts even where the host adapter also reports trouble.
fn reply(
    header: &SgIoHeader,
    length: usize,
    sense: &[u8],
    timeout: Duration,
) -> Result<Reply, TransportError> {
    let mut status = Status::from_byte(header.status & 0x7E);
    // Some adapters give the sense and not the status that goes with it.
    let has_sense = header.driver_status & DRIVER_SENSE != 0 && header.sb_len_wr > 0;
    if status == Status::Good && has_sense {
        status = Status::CheckCondition;
    }
    let (host, driver) = (header.host_status, header.driver_status);
    if status != Status::CheckCondition {
        match host {
            0 if driver & !DRIVER_SENSE == 0 => {}
            HOST_NO_CONNECT => return Err(TransportError::Gone),
            HOST_TIME_OUT => return Err(TransportError::TimedOut { limit: timeout }),
            _ => return Err(TransportError::Adapter { host, driver }),
        }
    }
    // Some drivers report more bytes left than were asked for, or fewer than none.
    let left = usize::try_from(header.resid).unwrap_or(0);
    if left > length {
        return Err(TransportError::Garbage("more bytes are left than were asked for"));
    }
    let sense = sense.get(..usize::from(header.sb_len_wr)).unwrap_or(sense).to_vec();
    Ok(Reply { status, transferred: length - left, sense })
}

/// Says what is missing, or who is in the way, where the device may not be opened.
fn with_hint(error: io::Error, generic: &Path) -> io::Error {
    let text = match error.kind() {
        io::ErrorKind::PermissionDenied => missing_right(generic),
        io::ErrorKind::ResourceBusy => taken_by(generic),
        _ => return error,
    };
    io::Error::new(error.kind(), text)
}

/// Who may use a node, and how the user of this process becomes one of these.
fn missing_right(generic: &Path) -> String {
    /// The right of a node's group to read and write it.
    const GROUP_READ_WRITE: u32 = 0o060;
    let user = user_name(Uid::effective().as_raw());
    let tried = format!("user '{user}' may not read and write {}", generic.display());
    let Ok(metadata) = generic.metadata() else { return tried };
    let (owner, group, mode) =
        (user_name(metadata.uid()), group_name(metadata.gid()), metadata.mode() & 0o777);
    let remedy = if metadata.gid() != 0 && mode & GROUP_READ_WRITE == GROUP_READ_WRITE {
        format!(
            "put it into that group ('usermod --append --groups {group} {user}') and start this program anew"
        )
    } else {
        "the node should belong to group 'tape' with mode 0660, which is udev's work".to_owned()
    };
    format!("{tried}, which is {owner}:{group} with mode {mode:04o}; {remedy}")
}

fn taken_by(generic: &Path) -> String {
    match holder(Path::new(PROC), &[generic.to_owned()]) {
        Some(holder) => format!("{holder}, and for itself alone; end it, or wait"),
        None => unseen_holder(generic),
    }
}

fn unseen_holder(node: &Path) -> String {
    format!(
        "a process of another user has it open, and for itself alone; 'fuser -v {}' tells root which",
        node.display()
    )
}

fn user_name(number: u32) -> String {
    let user = User::from_uid(Uid::from_raw(number)).ok().flatten();
    user.map_or_else(|| number.to_string(), |user| user.name)
}

fn group_name(number: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(number)).ok().flatten();
    group.map_or_else(|| number.to_string(), |group| group.name)
}

/// That no other process has this drive open by the kernel's own tape driver, by which it would move the tape under
/// us. What others do by generic nodes is not looked at: most of these only ask for a drive's health.
///
/// # Errors
/// Another process has it open; its name is told.
pub fn expect_no_other_user(path: &Path) -> io::Result<()> {
    let nodes = tape_nodes(&generic_node(path)?);
    match holder(Path::new(PROC), &nodes) {
        Some(holder) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("{holder}; end it, or wait")))
        }
        None => Ok(()),
    }
}

/// The nodes of the kernel's tape driver for the drive behind a generic node.
fn tape_nodes(generic: &Path) -> Vec<PathBuf> {
    let Some(name) = generic.file_name() else { return Vec::new() };
    let class = Path::new("/sys/class/scsi_generic").join(name).join("device/scsi_tape");
    let entries = std::fs::read_dir(class).into_iter().flatten().flatten();
    entries.map(|entry| Path::new("/dev").join(entry.file_name())).collect()
}

/// The `/dev/sg*` node of a SCSI device's node.
fn generic_node(path: &Path) -> io::Result<PathBuf> {
    /// Major number of SCSI generic nodes.
    const SG_MAJOR: u64 = 21;
    let node = path.canonicalize()?;
    let metadata = node.metadata()?;
    if !metadata.file_type().is_char_device() {
        let problem = "not a device node; give a /dev/sg* node or a link in /dev/tape/by-id";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let number = metadata.rdev();
    let (major, minor) = (libc::major(number), libc::minor(number));
    if u64::from(major) == SG_MAJOR {
        return Ok(node);
    }
    let siblings = format!("/sys/dev/char/{major}:{minor}/device/scsi_generic");
    let first = std::fs::read_dir(siblings).ok().and_then(|mut entries| entries.next());
    let Some(Ok(entry)) = first else {
        let problem = "no SCSI tape or changer stands behind this node (is the sg module loaded?)";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    };
    Ok(Path::new("/dev").join(entry.file_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u8, host: u16, resid: i32) -> Result<Reply, TransportError> {
        let cdb = Cdb::new(&[0; 6]).unwrap();
        let mut sense = [0; SENSE_BYTES_MAX];
        let mut buffer = [0; 8];
        let limit = Duration::from_secs(1);
        let mut header = header(&cdb, &mut Data::In(&mut buffer), &mut sense, limit).unwrap();
        (header.status, header.host_status, header.resid) = (status, host, resid);
        header.sb_len_wr = 18;
        reply(&header, 8, &sense, limit)
    }

    #[test]
    fn the_header_is_laid_out_as_the_kernel_has_it() {
        let expected = if cfg!(target_pointer_width = "64") { 88 } else { 64 };
        assert_eq!(size_of::<SgIoHeader>(), expected);
    }

    #[test]
    fn residuals_shorten_the_answer_and_never_lengthen_it() {
        assert_eq!(answered(0, 0, 3).unwrap().transferred, 5);
        assert_eq!(answered(0, 0, -3).unwrap().transferred, 8);
        assert!(matches!(answered(0, 0, 9), Err(TransportError::Garbage(_))));
    }

    #[test]
    fn a_check_condition_outranks_the_adapter() {
        let reply = answered(2, 7, 0).unwrap();
        assert_eq!((reply.status, reply.sense.len()), (Status::CheckCondition, 18));
        assert!(matches!(answered(0, 3, 0), Err(TransportError::TimedOut { .. })));
        assert!(matches!(answered(0, 1, 0), Err(TransportError::Gone)));
        assert!(matches!(answered(0, 7, 0), Err(TransportError::Adapter { host: 7, .. })));
    }

    #[test]
    fn sense_without_its_status_is_a_check_condition() {
        let cdb = Cdb::new(&[0; 6]).unwrap();
        let (mut sense, limit) = ([0; SENSE_BYTES_MAX], Duration::from_secs(1));
        let mut header = header(&cdb, &mut Data::None, &mut sense, limit).unwrap();
        header.driver_status = DRIVER_SENSE;
        assert_eq!(reply(&header, 0, &sense, limit).unwrap().status, Status::Good);
        header.sb_len_wr = 18;
        assert_eq!(reply(&header, 0, &sense, limit).unwrap().status, Status::CheckCondition);
    }

    #[test]
    fn what_is_no_device_is_refused() {
        for path in ["/dev/null", "/etc/hostname", "/nowhere"] {
            assert!(SgTransport::open(Path::new(path)).is_err(), "{path}");
        }
        let error = SgTransport::open(Path::new("/dev/null")).unwrap_err().to_string();
        assert!(error.contains("no SCSI tape or changer"), "{error}");
    }

    #[test]
    fn a_missing_right_is_named_with_its_remedy() {
        use std::os::unix::fs::{PermissionsExt, chown};
        let node = tempfile::NamedTempFile::new().unwrap();
        let hint = |mode: u32| {
            std::fs::set_permissions(node.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let denied = io::Error::from_raw_os_error(libc::EACCES);
            with_hint(denied, node.path())
        };
        let said = hint(0o600);
        assert_eq!(said.kind(), io::ErrorKind::PermissionDenied);
        assert!(said.to_string().contains("with mode 0600; the node should belong"), "{said}");
        // Takes root: a group that root's is not.
        if chown(node.path(), None, Some(1)).is_ok() {
            let said = hint(0o660).to_string();
            assert!(said.contains("0660; put it into that group ('usermod"), "{said}");
        }
    }
}
