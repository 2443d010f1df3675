//! Mounts a small tree on an empty folder until standard input ends.
//!
//! `cargo run -p reel-fs --example show -- /mnt/empty`, then in another shell `cat ctl`,
//! `echo greet you > ctl`, `cat greeting`; `dd if=big of=/dev/null bs=1M` shows the throughput,
//! `ls -l many` what large folders cost.

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use reel_fs::{
    AllowAll, Attributes, Caching, Caller, Content, ContentHandle, ControlLog, Entry, FnControl,
    FnDir, FsError, MountOptions, Node, Outcome, StaticDir, ThreadPool, Work, fact, mount, text,
};

/// Size of `big`: large enough for a read that takes a second.
const BIG_BYTES: u64 = 4 << 30;
/// Names in `many`.
const MANY: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: show FOLDER")?;
    let greeting = Arc::new(Mutex::new("nobody".to_string()));
    let shown = Arc::clone(&greeting);
    let control =
        FnControl::new("greet NAME    says hello\n", move |line: &str, _: &Caller| {
            match (line.strip_prefix("greet "), greeting.lock()) {
                (Some(name), Ok(mut greeting)) => {
                    *greeting = name.to_string();
                    Work::Now(Ok(Outcome::Done))
                }
                _ => Work::refuse(FsError::invalid("the only verb is 'greet NAME'")),
            }
        });
    let log = ControlLog::with_system_clock();
    let root = StaticDir::new()
        .with_control(Arc::new(control), &log, Attributes::CONTROL)
        .with(
            "greeting",
            fact(move || {
                Ok(format!(
                    "hello {}\n",
                    shown.lock().map_or_else(|e| e.into_inner().clone(), |s| s.clone())
                ))
            }),
        )
        .with("big", Node::Content(Arc::new(Big { immutable: true })))
        .with("big-uncached", Node::Content(Arc::new(Big { immutable: false })))
        .with("many", many());
    let mounted = mount(
        Arc::new(root),
        Path::new(&folder),
        Arc::new(ThreadPool::new(4)),
        Arc::new(AllowAll),
        &MountOptions::default(),
    )?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(mounted.unmount()?)
}

fn many() -> Node {
    let names = || Ok((0..MANY).map(|n| Entry::directory(format!("{n}"))).collect());
    FnDir::new(names, |name| match name.to_str().and_then(|name| name.parse::<u32>().ok()) {
        Some(0..MANY) => Ok(StaticDir::new().with("status", text("ok\n")).immutable().node()),
        _ => Err(FsError::not_found("there is no such number")),
    })
    .node()
}

/// The same block again and again, so that nothing but the way to the reader costs time.
struct Big {
    immutable: bool,
}

impl Content for Big {
    fn size(&self) -> Result<u64, FsError> {
        Ok(BIG_BYTES)
    }

    fn caching(&self) -> Caching {
        if self.immutable { Caching::Immutable { version: 1 } } else { Caching::Never }
    }

    fn open(&self, _caller: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        Ok(Arc::new(OpenBig(vec![b'x'; 1 << 20].into())))
    }
}

struct OpenBig(Bytes);

impl ContentHandle for OpenBig {
    fn read(&self, _offset: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
        let piece = self.0.slice(..self.0.len().min(size as usize));
        ready(Ok(piece)).boxed()
    }
}
