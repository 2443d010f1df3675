//! Values of the engine as fuser has them, and back.

use fuser::{FileAttr, FileType, INodeNo, Request};

use crate::attributes::{Caller, EntryKind, Stat};
use crate::inodes::InodeNumber;

pub(super) fn caller(request: &Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid(), pid: request.pid() }
}

pub(super) fn ino(number: INodeNo) -> InodeNumber {
    InodeNumber(number.0)
}

pub(super) fn file_type(kind: EntryKind) -> FileType {
    match kind {
        EntryKind::Directory => FileType::Directory,
        EntryKind::File => FileType::RegularFile,
        EntryKind::Symlink => FileType::Symlink,
        EntryKind::Fifo => FileType::NamedPipe,
        EntryKind::Socket => FileType::Socket,
        EntryKind::CharDevice => FileType::CharDevice,
        EntryKind::BlockDevice => FileType::BlockDevice,
    }
}

pub(super) fn attributes(stat: &Stat) -> FileAttr {
    FileAttr {
        ino: INodeNo(stat.ino.0),
        size: stat.size,
        blocks: stat.allocated.div_ceil(512),
        atime: stat.modified,
        mtime: stat.modified,
        ctime: stat.modified,
        crtime: stat.modified,
        kind: file_type(stat.kind),
        perm: stat.mode,
        nlink: stat.links,
        uid: stat.uid,
        gid: stat.gid,
        rdev: stat.rdev,
        blksize: 4096,
        flags: 0,
    }
}
