//! The adapter between fuser and the engine. It decodes, calls, replies, and decides nothing.
//!
//! A reply is an object that may be moved: where the engine answers later, the future and the
//! reply go to the executor together. Errors are logged in one place, here.

mod convert;
mod reply;

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs, ReplyWrite, ReplyXattr,
    Request, TimeOrNow, WriteFlags,
};

use crate::attributes::Caller;
use crate::directory::Attempt;
use crate::engine::{Access, FileSystem, NAME_BYTES_MAX, Opened, PollState, Prepared};
use crate::fuse::convert::{attributes, caller, file_type, ino};
use crate::fuse::reply::{after, answer, log_error, number_or_error};
use crate::inodes::InodeNumber;

/// An inode number never means another file, so one generation is enough.
const GENERATION: Generation = Generation(0);
/// The largest read and write; the kernel makes none larger.
const TRANSFER_BYTES_MAX: u32 = 1024 * 1024;
/// Read-ahead requests that may wait at once. The kernel lets no cached read of anybody begin
/// beyond it, so readers that wait for a tape must not use it up: no limit but memory.
const BACKGROUND_MAX: u16 = u16::MAX;
/// What the file system would like of the kernel; what is missing is done without.
const CAPABILITIES: [InitFlags; 6] = [
    InitFlags::FUSE_ATOMIC_O_TRUNC,
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_ASYNC_DIO,
    InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP,
];

/// The engine as fuser sees it.
pub(crate) struct Adapter {
    pub(crate) engine: Arc<FileSystem>,
}

impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for capability in CAPABILITIES {
            if config.add_capabilities(capability).is_err() {
                tracing::debug!(?capability, "the kernel does not have it");
            }
        }
        if let Err(limit) = config.set_max_readahead(TRANSFER_BYTES_MAX) {
            set(config.set_max_readahead(limit), "max_readahead");
        }
        set(config.set_max_write(TRANSFER_BYTES_MAX), "max_write");
        set(config.set_max_background(BACKGROUND_MAX), "max_background");
        set(config.set_congestion_threshold(BACKGROUND_MAX), "congestion_threshold");
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (caller, parent) = (caller(request), ino(parent));
        let prepared = self.engine.prepare_names(&caller, parent, Some(name));
        let (engine, name) = (Arc::clone(&self.engine), name.to_owned());
        after(self.engine.spawner(), prepared, move |prepared| {
            match prepared.and_then(|()| engine.lookup(&caller, parent, &name)) {
                Ok(stat) => reply.entry(&stat.ttl, &attributes(&stat), GENERATION),
                Err(error) => reply.error(log_error("lookup", &caller, &error)),
            }
        });
    }

    fn forget(&self, _request: &Request, node: INodeNo, count: u64) {
        self.engine.forget(ino(node), count);
    }

    fn getattr(
        &self,
        request: &Request,
        node: INodeNo,
        handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        match self.engine.stat(&caller(request), ino(node), handle.map(u64::from)) {
            Ok(stat) => reply.attr(&stat.ttl, &attributes(&stat)),
            Err(error) => reply.error(log_error("getattr", &caller(request), &error)),
        }
    }

    fn setattr(
        &self,
        request: &Request,
        node: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.engine.set_attributes(&caller(request), ino(node), size) {
            Ok(stat) => reply.attr(&stat.ttl, &attributes(&stat)),
            Err(error) => reply.error(log_error("setattr", &caller(request), &error)),
        }
    }

    fn readlink(&self, request: &Request, node: INodeNo, reply: ReplyData) {
        match self.engine.read_link(&caller(request), ino(node)) {
            Ok(target) => reply.data(target.as_os_str().as_encoded_bytes()),
            Err(error) => reply.error(log_error("readlink", &caller(request), &error)),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        reply.error(self.refuse(request, parent, &Attempt::Create(name)));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        reply.error(self.refuse(request, parent, &Attempt::MakeDirectory(name)));
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply.error(self.refuse(request, parent, &Attempt::Remove(name)));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply.error(self.refuse(request, parent, &Attempt::RemoveDirectory(name)));
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        _target: &Path,
        reply: ReplyEntry,
    ) {
        reply.error(self.refuse(request, parent, &Attempt::Link(name)));
    }

    fn link(
        &self,
        request: &Request,
        _node: INodeNo,
        parent: INodeNo,
        name: &OsStr,
        reply: ReplyEntry,
    ) {
        reply.error(self.refuse(request, parent, &Attempt::Link(name)));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        reply.error(self.refuse(request, parent, &Attempt::Create(name)));
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.intersects(RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_WHITEOUT) {
            reply.error(Errno::EINVAL);
            return;
        }
        let moved =
            self.engine.rename(&caller(request), (ino(parent), name), (ino(new_parent), new_name));
        answer(self.engine.spawner(), "rename", caller(request), moved, |moved| match moved {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        });
    }

    fn open(&self, request: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let opened = self.engine.open(&caller(request), ino(node), flags.0);
        answer(self.engine.spawner(), "open", caller(request), opened, |opened| match opened {
            Ok(opened) => reply.opened(FileHandle(opened.handle), open_flags(&opened)),
            Err(errno) => reply.error(errno),
        });
    }

    fn read(
        &self,
        request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let bytes = self.engine.read(&caller(request), handle.into(), offset, size);
        answer(self.engine.spawner(), "read", caller(request), bytes, |bytes| match bytes {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(errno),
        });
    }

    fn write(
        &self,
        request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.engine.write(&caller(request), handle.into(), data);
        answer(self.engine.spawner(), "write", caller(request), written, |written| match written {
            Ok(count) => reply.written(count),
            Err(errno) => reply.error(errno),
        });
    }

    fn flush(
        &self,
        request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        match self.engine.flush(&caller(request), handle.into()) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(log_error("flush", &caller(request), &error)),
        }
    }

    fn release(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.engine.release(handle.into());
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        _node: INodeNo,
        _handle: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn opendir(&self, request: &Request, node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.engine.open_directory(&caller(request), ino(node)) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(error) => reply.error(log_error("opendir", &caller(request), &error)),
        }
    }

    fn readdir(
        &self,
        request: &Request,
        node: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let (engine, caller, node) = (Arc::clone(&self.engine), caller(request), ino(node));
        after(self.engine.spawner(), self.prepared_list(&caller, node, offset), move |prepared| {
            let listing = match prepared.and_then(|()| engine.list(node, handle.into(), offset)) {
                Ok(listing) => listing,
                Err(error) => return reply.error(log_error("readdir", &caller, &error)),
            };
            for (listed, next) in listing.iter().zip(1u64..).skip(position(offset)) {
                if reply.add(INodeNo(listed.ino.0), next, file_type(listed.kind), &listed.name) {
                    break;
                }
            }
            reply.ok();
        });
    }

    fn readdirplus(
        &self,
        request: &Request,
        node: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let (engine, caller, node) = (Arc::clone(&self.engine), caller(request), ino(node));
        after(self.engine.spawner(), self.prepared_list(&caller, node, offset), move |prepared| {
            let listing = match prepared.and_then(|()| engine.list(node, handle.into(), offset)) {
                Ok(listing) => listing,
                Err(error) => return reply.error(log_error("readdir", &caller, &error)),
            };
            for (listed, next) in listing.iter().zip(1u64..).skip(position(offset)) {
                // The kernel doesn't count `.` and `..` as looked up.
                let stat = match listed.is_dot() {
                    true => engine.stat(&caller, listed.ino, None),
                    false => engine.look_up_listed(&caller, node, listed),
                };
                let Ok(stat) = stat else { continue };
                let number = INodeNo(stat.ino.0);
                let attributes = attributes(&stat);
                if reply.add(number, next, &listed.name, &stat.ttl, &attributes, GENERATION) {
                    if !listed.is_dot() {
                        engine.forget(stat.ino, 1);
                    }
                    break;
                }
            }
            reply.ok();
        });
    }

    fn releasedir(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.engine.release(handle.into());
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        _node: INodeNo,
        _handle: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _node: INodeNo, reply: ReplyStatfs) {
        reply.statfs(0, 0, 0, 0, 0, 4096, NAME_BYTES_MAX as u32, 4096);
    }

    fn setxattr(
        &self,
        request: &Request,
        node: INodeNo,
        _name: &OsStr,
        _value: &[u8],
        _flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let error = self.engine.set_xattr(&caller(request), ino(node));
        reply.error(log_error("setxattr", &caller(request), &error));
    }

    fn removexattr(&self, request: &Request, node: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        let error = self.engine.set_xattr(&caller(request), ino(node));
        reply.error(log_error("removexattr", &caller(request), &error));
    }

    fn getxattr(
        &self,
        request: &Request,
        node: INodeNo,
        name: &OsStr,
        size: u32,
        reply: ReplyXattr,
    ) {
        match self.engine.xattr(&caller(request), ino(node), name) {
            Ok(value) => reply_xattr(reply, &value, size),
            Err(error) => reply.error(log_error("getxattr", &caller(request), &error)),
        }
    }

    fn listxattr(&self, request: &Request, node: INodeNo, size: u32, reply: ReplyXattr) {
        match self.engine.xattr_names(&caller(request), ino(node)) {
            Ok(names) => reply_xattr(reply, &names, size),
            Err(error) => reply.error(log_error("listxattr", &caller(request), &error)),
        }
    }

    fn access(&self, request: &Request, node: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        let wanted = match mask {
            mask if mask.contains(AccessFlags::W_OK) => Access::Act,
            mask if mask.contains(AccessFlags::R_OK) => Access::Read,
            _ => Access::Look,
        };
        match self.engine.access(&caller(request), ino(node), wanted) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(log_error("access", &caller(request), &error)),
        }
    }

    fn ioctl(
        &self,
        _request: &Request,
        _node: INodeNo,
        _handle: FileHandle,
        _flags: IoctlFlags,
        _command: u32,
        _data: &[u8],
        _size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn fallocate(
        &self,
        _request: &Request,
        _node: INodeNo,
        _handle: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EOPNOTSUPP);
    }

    fn lseek(
        &self,
        request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        match number_or_error(self.engine.seek(handle.into(), offset, whence)) {
            Ok(found) => reply.offset(found),
            Err(error) => reply.error(log_error("lseek", &caller(request), &error)),
        }
    }

    fn poll(
        &self,
        request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        notifier: PollNotifier,
        events: PollEvents,
        flags: PollFlags,
        reply: ReplyPoll,
    ) {
        let wanted = flags.contains(PollFlags::FUSE_POLL_SCHEDULE_NOTIFY);
        let waker = wanted.then(|| reply::poll_waker(notifier));
        let readable = PollEvents::POLLIN | PollEvents::POLLRDNORM;
        let writable = PollEvents::POLLOUT | PollEvents::POLLWRNORM;
        match self.engine.poll(handle.into(), waker) {
            Ok(PollState::Ready) => reply.poll(events & (readable | writable)),
            Ok(PollState::Waiting) => reply.poll(PollEvents::empty()),
            Err(error) => reply.error(log_error("poll", &caller(request), &error)),
        }
    }
}

impl Adapter {
    /// A listing is made at its beginning, and kept.
    fn prepared_list(&self, caller: &Caller, node: InodeNumber, offset: u64) -> Option<Prepared> {
        let begins = offset == 0;
        begins.then(|| self.engine.prepare_names(caller, node, None)).flatten()
    }

    fn refuse(&self, request: &Request, parent: INodeNo, attempt: &Attempt<'_>) -> Errno {
        let caller: Caller = caller(request);
        let error = self.engine.refuse(&caller, ino(parent), attempt);
        log_error(attempt.verb(), &caller, &error)
    }
}

fn set<T>(result: Result<T, T>, what: &str) {
    if result.is_err() {
        tracing::debug!(what, "the kernel does not take it");
    }
}

fn open_flags(opened: &Opened) -> FopenFlags {
    match (opened.cached, opened.keep_cache) {
        (true, true) => FopenFlags::FOPEN_KEEP_CACHE,
        (true, false) => FopenFlags::empty(),
        // Parallel writes let a command that waits not hold up others on the same control file,
        // where these open it without truncating; `>` waits for the kernel's inode lock.
        (false, _) => FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES,
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A size of 0 asks how much room is needed.
fn reply_xattr(reply: ReplyXattr, value: &[u8], size: u32) {
    match u32::try_from(value.len()) {
        Ok(length) if size == 0 => reply.size(length),
        Ok(length) if length <= size => reply.data(value),
        Ok(_) => reply.error(Errno::ERANGE),
        Err(_) => reply.error(Errno::E2BIG),
    }
}
