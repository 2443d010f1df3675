//! Opening, reading, writing, closing.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use crate::attributes::Caller;
use crate::content::{Caching, Content, OpenContent, Seek, past_the_end};
use crate::control::{ControlFile, ControlSession};
use crate::directory::Attempt;
use crate::engine::{Access, Answer, FileSystem};
use crate::error::FsError;
use crate::fact::{Fact, FactHandle};
use crate::guard::{guarded, guarded_async};
use crate::handles::{Handle, Open};
use crate::inodes::{Inode, InodeNumber};
use crate::node::Node;
use crate::spawn::{Preparation, run_blocking};
use crate::wait::{PollWaker, WaitHandle};

/// A file was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opened {
    /// Names the handle in later requests.
    pub handle: u64,
    /// Whether reads go through the kernel's page cache.
    pub cached: bool,
    /// Whether the page cache may keep what it has of the file.
    pub keep_cache: bool,
}

/// What `poll(2)` learns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PollState {
    /// A read returns at once.
    Ready,
    /// A read would wait.
    Waiting,
}

impl FileSystem {
    /// Opens a file; `flags` as in `open(2)`.
    pub fn open(&self, caller: &Caller, ino: InodeNumber, flags: i32) -> Answer<Opened> {
        match self.inodes.get(ino) {
            Ok(inode) => self.open_inode(*caller, inode, flags),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn open_inode(&self, caller: Caller, inode: Inode, flags: i32) -> Answer<Opened> {
        let mode = flags & libc::O_ACCMODE;
        let writes = mode != libc::O_RDONLY || flags & libc::O_TRUNC != 0;
        if writes && !matches!(inode.node, Node::Control(_)) {
            return Answer::Now(Err(self.refuse_change(
                &caller,
                &inode,
                &Attempt::Write(inode.name()),
            )));
        }
        if let Err(error) = self.check_open(&caller, &inode, mode) {
            if let Some(log) = &inode.log {
                log.refused(&caller, &format!("open {}", inode.name().display()), &error);
            }
            return Answer::Now(Err(error));
        }
        match &inode.node {
            Node::Fact(fact) => self.open_fact(caller, &inode, Arc::clone(fact)),
            Node::Control(file) => {
                let session = self.open_control(file);
                self.opened(caller, &inode, session)
            }
            Node::Wait(wait) => {
                let handle = Handle::Wait(Arc::new(WaitHandle::open(Arc::clone(wait))));
                self.opened(caller, &inode, Ok(handle))
            }
            Node::Content(content) => self.open_content(caller, &inode, Arc::clone(content)),
            Node::Directory(_) => Answer::Now(Err(FsError::new(libc::EISDIR, "a folder"))),
            Node::Symlink(_) => Answer::Now(Err(FsError::new(libc::ELOOP, "a symbolic link"))),
            Node::Special(_) => Answer::Now(Err(FsError::new(
                libc::ENXIO,
                "a pipe, socket or device inside an archive can be copied, not opened",
            ))),
        }
    }

    fn check_open(&self, caller: &Caller, inode: &Inode, mode: i32) -> Result<(), FsError> {
        if mode != libc::O_WRONLY {
            self.authorizer.check(caller, &inode.path, Access::Read)?;
        }
        if mode != libc::O_RDONLY {
            self.authorizer.check(caller, &inode.path, Access::Act)?;
        }
        Ok(())
    }

    fn open_control(&self, file: &Arc<ControlFile>) -> Result<Handle, FsError> {
        let session = guarded("open", || {
            let spawner = Arc::clone(&self.spawner);
            ControlSession::open(Arc::clone(file), spawner, self.waiters.watch())
        })?;
        Ok(Handle::Control(Arc::new(session)))
    }

    fn open_fact(&self, opener: Caller, inode: &Inode, fact: Arc<dyn Fact>) -> Answer<Opened> {
        match guarded("open", || Ok(fact.prepare())) {
            Ok(Some(preparation)) => self.open_fact_after(opener, inode, fact, preparation),
            Ok(None) if fact.slow() => self.open_slow_fact(opener, inode, fact),
            prepared => {
                let handle = prepared.and_then(|_| guarded("open", || FactHandle::open(fact)));
                self.opened(opener, inode, handle.map(|fact| Handle::Fact(Arc::new(fact))))
            }
        }
    }

    fn open_fact_after(
        &self,
        opener: Caller,
        inode: &Inode,
        fact: Arc<dyn Fact>,
        preparation: Preparation,
    ) -> Answer<Opened> {
        let (handles, path) = (Arc::clone(&self.handles), Arc::clone(&inode.path));
        let prepared = self.until_signal(&opener, preparation);
        let later = async move {
            prepared.await?;
            let fact = guarded("open", || FactHandle::open(fact))?;
            let handle = Handle::Fact(Arc::new(fact));
            let handle = handles.insert(Open { handle, opener, path });
            Ok(Opened { handle, cached: false, keep_cache: false })
        };
        Answer::Later(later.boxed())
    }

    fn open_slow_fact(&self, opener: Caller, inode: &Inode, fact: Arc<dyn Fact>) -> Answer<Opened> {
        let (handles, path) = (Arc::clone(&self.handles), Arc::clone(&inode.path));
        let watch = self.waiters.watch();
        let opening = run_blocking(self.spawner.as_ref(), "open", move || FactHandle::open(fact));
        let later = async move {
            let fact = watch.until_signal(opener.pid, opening).await?;
            let handle = Handle::Fact(Arc::new(fact));
            let handle = handles.insert(Open { handle, opener, path });
            Ok(Opened { handle, cached: false, keep_cache: false })
        };
        Answer::Later(later.boxed())
    }

    /// Content is opened off the thread that asks: it may have to read an index of megabytes.
    fn open_content(
        &self,
        opener: Caller,
        inode: &Inode,
        content: Arc<dyn Content>,
    ) -> Answer<Opened> {
        let (inodes, handles) = (Arc::clone(&self.inodes), Arc::clone(&self.handles));
        let (number, path) = (inode.number, Arc::clone(&inode.path));
        let watch = self.waiters.watch();
        let preparation = guarded("open", || Ok(content.prepare()));
        let prepared = preparation
            .map(|preparation| preparation.map(|awaited| self.until_signal(&opener, awaited)));
        let spawner = Arc::clone(&self.spawner);
        let later = async move {
            if let Some(prepared) = prepared? {
                prepared.await?;
            }
            let opening = run_blocking(spawner.as_ref(), "open", move || {
                Ok((OpenContent::open(content.as_ref(), &opener)?, content.caching()))
            });
            let (content, caching) = watch.until_signal(opener.pid, opening).await?;
            let handle = Handle::Content(Arc::new(content));
            let handle = handles.insert(Open { handle, opener, path });
            Ok(match caching {
                Caching::Never => Opened { handle, cached: false, keep_cache: false },
                Caching::Immutable { version } => {
                    let keep_cache = inodes.note_cached(number, version);
                    Opened { handle, cached: true, keep_cache }
                }
            })
        };
        Answer::Later(later.boxed())
    }

    fn opened(
        &self,
        opener: Caller,
        inode: &Inode,
        handle: Result<Handle, FsError>,
    ) -> Answer<Opened> {
        Answer::Now(handle.map(|handle| {
            let path = Arc::clone(&inode.path);
            let handle = self.handles.insert(Open { handle, opener, path });
            Opened { handle, cached: false, keep_cache: false }
        }))
    }

    /// Reads from an open file.
    pub fn read(&self, caller: &Caller, handle: u64, offset: u64, size: u32) -> Answer<Bytes> {
        let open = match self.open_for(handle, Access::Read) {
            Ok(open) => open,
            Err(error) => return Answer::Now(Err(error)),
        };
        let (pid, watch) = (caller.pid, self.waiters.watch());
        match open.handle {
            Handle::Fact(fact) => Answer::Now(guarded("read", || fact.read(offset, size))),
            Handle::Control(session) => Answer::Now(Ok(session.read(offset, size))),
            Handle::Content(content) => {
                let read = async move { content.read(offset, size).await };
                let read = guarded_async("read", read);
                Answer::Later(async move { watch.until_signal(pid, read).await }.boxed())
            }
            Handle::Wait(wait) => {
                let read = async move { wait.read(offset, size).await };
                Answer::Later(async move { watch.until_signal(pid, read).await }.boxed())
            }
            Handle::Directory(_) => Answer::Now(Err(FsError::new(libc::EISDIR, "a folder"))),
        }
    }

    /// Writes commands to a control file. They run as who opened it, whoever was handed the
    /// descriptor since.
    pub fn write(&self, caller: &Caller, handle: u64, data: &[u8]) -> Answer<u32> {
        let open = match self.open_for(handle, Access::Act) {
            Ok(open) => open,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Handle::Control(session) = open.handle else {
            return Answer::Now(Err(FsError::new(libc::EBADF, "not open for writing")));
        };
        let caller = Caller { pid: caller.pid, ..open.opener };
        let data = data.to_vec();
        Answer::Later(async move { session.write(&data, &caller).await }.boxed())
    }

    /// `close(2)` of one of the handle's descriptors.
    pub fn flush(&self, caller: &Caller, handle: u64) -> Result<(), FsError> {
        let open = self.handles.get(handle)?;
        match open.handle {
            Handle::Control(session) => session.flush(&Caller { pid: caller.pid, ..open.opener }),
            _ => Ok(()),
        }
    }

    /// The last descriptor of the handle is closed.
    pub fn release(&self, handle: u64) {
        if let Some(Open { handle: Handle::Wait(wait), .. }) = self.handles.remove(handle) {
            wait.close();
        }
    }

    /// `lseek(2)` with SEEK_DATA or SEEK_HOLE.
    pub fn seek(&self, handle: u64, offset: i64, whence: i32) -> Result<u64, FsError> {
        let open = self.open_for(handle, Access::Read)?;
        let whence = match whence {
            libc::SEEK_DATA => Seek::Data,
            libc::SEEK_HOLE => Seek::Hole,
            _ => return Err(FsError::invalid("only SEEK_DATA and SEEK_HOLE are asked for here")),
        };
        let offset =
            u64::try_from(offset).map_err(|_| FsError::new(libc::ENXIO, "a negative offset"))?;
        match open.handle {
            Handle::Content(content) => guarded("lseek", || content.seek(offset, whence)),
            Handle::Fact(fact) if offset < fact.size() => Ok(match whence {
                Seek::Data => offset,
                Seek::Hole => fact.size(),
            }),
            Handle::Fact(_) => Err(past_the_end(offset)),
            _ => Err(FsError::invalid("the file has no holes to seek for")),
        }
    }

    /// `poll(2)`. The waker is called once when a read would return at once, unless it would now.
    pub fn poll(&self, handle: u64, waker: Option<PollWaker>) -> Result<PollState, FsError> {
        let Handle::Wait(wait) = self.open_for(handle, Access::Read)?.handle else {
            return Ok(PollState::Ready);
        };
        let (ready, work) = wait.poll(waker);
        if let Some(work) = work {
            self.spawner.spawn(work);
        }
        Ok(if ready { PollState::Ready } else { PollState::Waiting })
    }

    pub(super) fn size_in_handle(&self, handle: u64) -> Option<u64> {
        match self.handles.get(handle).ok()?.handle {
            Handle::Fact(fact) => Some(fact.size()),
            Handle::Content(content) => Some(content.size()),
            _ => None,
        }
    }

    /// An open handle whose opener may still do this.
    fn open_for(&self, handle: u64, access: Access) -> Result<Open, FsError> {
        let open = self.handles.get(handle)?;
        self.authorizer.check(&open.opener, &open.path, access)?;
        Ok(open)
    }
}
