//! What the tests of this crate share: a tree with one of everything, a gate that holds readers
//! until a test opens it, and ways to run requests and shells.

mod gate;
mod tree;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, mpsc};

use reel_fs::{
    Acl, AllowAll, Answer, Authorizer, Caller, EngineOptions, FileSystem, FsError, InodeNumber,
    MountOptions, Mounted, Opened, Spawner, Stat, ThreadPool, mount,
};

pub use gate::Gate;
pub use tree::{IMAGE_BYTES, TestTree, image_byte};

/// Whoever runs the tests.
pub fn me() -> Caller {
    Caller {
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
        pid: std::process::id(),
    }
}

/// An engine driven by hand.
pub struct Driver {
    pub engine: FileSystem,
    pool: Arc<ThreadPool>,
}

impl Driver {
    pub fn new(tree: &TestTree) -> Self {
        Self::with_authorizer(tree, Arc::new(AllowAll))
    }

    pub fn with_authorizer(tree: &TestTree, authorizer: Arc<dyn Authorizer>) -> Self {
        let pool = Arc::new(ThreadPool::new(2));
        let spawner: Arc<dyn Spawner> = Arc::clone(&pool) as Arc<dyn Spawner>;
        let options = EngineOptions::default();
        let engine = FileSystem::new(tree.root(), spawner, authorizer, options).unwrap();
        Self { engine, pool }
    }

    /// Starts what is answered later; the receiver gives the answer.
    pub fn start<T: Send + 'static>(
        &self,
        answer: Answer<T>,
    ) -> mpsc::Receiver<Result<T, FsError>> {
        let (send, receive) = mpsc::channel();
        match answer {
            Answer::Now(result) => send.send(result).unwrap(),
            Answer::Later(future) => self.pool.spawn(Box::pin(async move {
                let result = future.await;
                // A test that ended needs no answer.
                send.send(result).unwrap_or(());
            })),
        }
        receive
    }

    pub fn finish<T: Send + 'static>(&self, answer: Answer<T>) -> Result<T, FsError> {
        self.start(answer).recv().unwrap()
    }

    pub fn find(&self, path: &str) -> Result<Stat, FsError> {
        let root = self.engine.stat(&me(), InodeNumber::ROOT, None);
        Path::new(path)
            .iter()
            .fold(root, |parent, name| self.engine.lookup(&me(), parent?.ino, name))
    }

    pub fn open(&self, path: &str, flags: i32) -> Result<Opened, FsError> {
        let stat = self.find(path)?;
        self.finish(self.engine.open(&me(), stat.ino, flags))
    }

    pub fn read(&self, handle: u64, offset: u64) -> Result<String, FsError> {
        let bytes = self.finish(self.engine.read(&me(), handle, offset, 1 << 20))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn cat(&self, path: &str) -> Result<String, FsError> {
        let opened = self.open(path, libc::O_RDONLY)?;
        let text = self.read(opened.handle, 0);
        self.engine.release(opened.handle);
        text
    }

    pub fn write(&self, handle: u64, data: impl AsRef<[u8]>) -> Result<u32, FsError> {
        self.finish(self.engine.write(&me(), handle, data.as_ref()))
    }
}

/// A test tree that is really mounted; unmounted when dropped, also by a panic.
pub struct TestMount {
    mounted: Option<Mounted>,
    folder: tempfile::TempDir,
    pub tree: TestTree,
}

impl TestMount {
    /// `None`, with a word to the reader of the log, where the machine can't mount.
    pub fn new() -> Option<Self> {
        Self::with_options(MountOptions { acl: Acl::All, ..MountOptions::default() })
    }

    pub fn with_options(options: MountOptions) -> Option<Self> {
        if !can_mount() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let tree = TestTree::new();
        let mounted = mount(
            tree.root(),
            folder.path(),
            Arc::new(ThreadPool::new(4)),
            Arc::new(AllowAll),
            &options,
        )
        .unwrap();
        Some(Self { mounted: Some(mounted), folder, tree })
    }

    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.folder.path().join(name.as_ref())
    }

    pub fn unmount(&mut self) {
        self.mounted.take().unwrap().unmount().unwrap();
    }

    /// Runs a script of `shell` in the mount.
    pub fn run(&self, shell: &str, script: &str) -> Ran {
        let output = self.command(shell, script).output().unwrap();
        Ran::new(&output)
    }

    pub fn bash(&self, script: &str) -> Ran {
        self.run("bash", script)
    }

    /// The process to run a script with; one that hangs is killed and fails its test.
    pub fn command(&self, shell: &str, script: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "120", shell, "-c", script]).current_dir(self.folder.path());
        command
    }
}

/// What a script did.
#[derive(Debug, Eq, PartialEq)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The output of a script that must succeed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }
}

pub fn can_mount() -> bool {
    let can = Path::new("/dev/fuse").exists() && nix::unistd::geteuid().is_root();
    if !can {
        eprintln!("skipped: mounting needs /dev/fuse and root");
    }
    can
}
