//! File verbs that would change the tree: all are refused but the move of a cartridge.
//!
//! A refusal is noted in the nearest control log, with the sentence of the folder it happened in,
//! so that `last-error` tells which command to use instead.

use std::ffi::OsStr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::ready;

use crate::attributes::{Caller, Stat};
use crate::directory::{Attempt, Directory};
use crate::engine::{Access, Answer, FileSystem};
use crate::error::FsError;
use crate::guard::guarded;
use crate::inodes::{Inode, InodeNumber};
use crate::node::Node;
use crate::spawn::run_blocking;

impl FileSystem {
    /// Refuses a verb tried on a name in a folder, and notes it.
    pub fn refuse(&self, caller: &Caller, parent: InodeNumber, attempt: &Attempt<'_>) -> FsError {
        match self.directory(parent) {
            Ok((inode, directory)) => refused(caller, &inode, directory.as_ref(), attempt),
            Err(error) => error,
        }
    }

    /// `setattr`: a size of 0 on a control file is what `>` sends and does nothing; everything
    /// else is refused.
    pub fn set_attributes(
        &self,
        caller: &Caller,
        ino: InodeNumber,
        size: Option<u64>,
    ) -> Result<Stat, FsError> {
        let inode = self.inodes.get(ino)?;
        if size == Some(0) && matches!(inode.node, Node::Control(_)) {
            return self.stat(caller, ino, None);
        }
        let name = inode.name();
        let attempt = if size.is_some() { Attempt::Write(name) } else { Attempt::Change(name) };
        Err(self.refuse_change(caller, &inode, &attempt))
    }

    /// `setxattr`, `removexattr`: refused.
    pub fn set_xattr(&self, caller: &Caller, ino: InodeNumber) -> FsError {
        match self.inodes.get(ino) {
            Ok(inode) => self.refuse_change(caller, &inode, &Attempt::Change(inode.name())),
            Err(error) => error,
        }
    }

    /// Moves a name, where its folder knows what that means.
    pub fn rename(
        &self,
        caller: &Caller,
        from: (InodeNumber, &OsStr),
        to: (InodeNumber, &OsStr),
    ) -> Answer<()> {
        self.begin_rename(*caller, from, to).unwrap_or_else(|error| Answer::Now(Err(error)))
    }

    fn begin_rename(
        &self,
        caller: Caller,
        from: (InodeNumber, &OsStr),
        to: (InodeNumber, &OsStr),
    ) -> Result<Answer<()>, FsError> {
        let (source, directory) = self.directory(from.0)?;
        let (target, _) = self.directory(to.0)?;
        let (old, new) = (source.path.join(from.1), target.path.join(to.1));
        self.authorizer.check(&caller, &old, Access::Act)?;
        self.authorizer.check(&caller, &new, Access::Act)?;
        let moving = guarded("rename", || directory.rename(from.1, &target.path, to.1));
        let moving = match moving {
            Ok(moving) => run_blocking(self.spawner.as_ref(), "rename", moving).boxed(),
            Err(error) => ready(Err(error)).boxed(),
        };
        let watch = self.waiters.watch();
        let later = async move {
            let moved = watch.until_signal(caller.pid, moving).await;
            if let (Err(error), Some(log)) = (&moved, &source.log) {
                log.refused(&caller, &format!("mv {} {}", old.display(), new.display()), error);
            }
            moved
        };
        Ok(Answer::Later(later.boxed()))
    }

    /// Refuses a change of a node itself, with the words of the folder that it stands in.
    pub(super) fn refuse_change(
        &self,
        caller: &Caller,
        inode: &Inode,
        attempt: &Attempt<'_>,
    ) -> FsError {
        match self.directory_above(inode) {
            Some(directory) => refused(caller, inode, directory.as_ref(), attempt),
            None => {
                let error = attempt.refusal();
                note(caller, inode, attempt, &error);
                error
            }
        }
    }

    fn directory_above(&self, inode: &Inode) -> Option<Arc<dyn Directory>> {
        let number = self.inodes.number(inode.path.parent()?);
        self.directory(number).ok().map(|(_, directory)| directory)
    }
}

fn refused(
    caller: &Caller,
    inode: &Inode,
    directory: &dyn Directory,
    attempt: &Attempt<'_>,
) -> FsError {
    let error =
        guarded("refuse", || Ok(directory.refuse(attempt))).unwrap_or_else(|panicked| panicked);
    note(caller, inode, attempt, &error);
    error
}

fn note(caller: &Caller, inode: &Inode, attempt: &Attempt<'_>, error: &FsError) {
    if let Some(log) = &inode.log {
        let command = format!("{} {}", attempt.verb(), attempt.name().display());
        log.refused(caller, &command, error);
    }
}
