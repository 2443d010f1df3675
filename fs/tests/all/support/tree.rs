//! A tree with one of everything.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reel_fs::{
    Attempt, Attributes, Caching, Caller, Content, ContentHandle, ControlLog, Directory, Entry,
    FnControl, FnDir, FnFact, FsError, KeyValues, MemoryContent, Node, Outcome, Seek, Special,
    SpecialKind, StaticDir, Wait, Waited, Work, fact, facts, key_values, symlink, text,
};

use super::Gate;

const MIB: u64 = 1 << 20;
/// Size of `image`.
pub const IMAGE_BYTES: u64 = 8 * MIB + 1000;

/// Whether `image` has data there: two MiB of it, and its end.
fn is_image_data(offset: u64) -> bool {
    matches!(offset / MIB, 1 | 5 | 8)
}

/// The byte of `image` at an offset.
pub fn image_byte(offset: u64) -> u8 {
    if is_image_data(offset) { (offset / 7 % 251 + 1) as u8 } else { 0 }
}

pub struct TestTree {
    pub gate: Arc<Gate>,
    pub log: Arc<ControlLog>,
    /// The commands that were carried out.
    pub done: Arc<Mutex<Vec<String>>>,
}

impl TestTree {
    pub fn new() -> Self {
        let log = ControlLog::with_system_clock();
        Self { gate: Arc::default(), log, done: Arc::default() }
    }

    pub fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }

    pub fn root(&self) -> Arc<dyn Directory> {
        let control = Arc::new(self.control());
        let open_to_all = Attributes::with_mode(0o666);
        let root = StaticDir::new()
            .with_control(control, &self.log, open_to_all)
            .with_refusal(|attempt| {
                let name = attempt.name().display();
                FsError::not_permitted(match attempt {
                    Attempt::Remove(_) => format!("write 'remove {name}' to ctl"),
                    _ => format!("write 'help {name}' to ctl"),
                })
            })
            .with("README", text("hello\n"))
            .with("moment", counter().node())
            .with("progress", counter().live().node())
            .with_all(facts([("state", "ready"), ("location", "")]))
            .with_all(key_values("status", || Ok(KeyValues::new().with("bytes", 7u64))))
            .with("latest", symlink("README"))
            .with("pipe", special())
            .with("image", Node::Content(Arc::new(Image { immutable: true })))
            .with("image-uncached", Node::Content(Arc::new(Image { immutable: false })))
            .with("note", MemoryContent::new("a note\n").immutable(1).node())
            .with("empty", MemoryContent::new("").immutable(1).node())
            .with("cut-short", Node::Content(Arc::new(CutShort)))
            .with("wait", self.wait(None))
            .with("wait-fail", self.wait(Some(FsError::io("the task failed"))))
            .with("gated", self.gated())
            .with("broken", broken())
            .with("names", names())
            .with("many", many());
        Arc::new(root)
    }

    fn control(&self) -> impl reel_fs::Control {
        let done = Arc::clone(&self.done);
        let gate = Arc::clone(&self.gate);
        let grammar = "do WORD      does it\nwait         waits for the gate\n";
        FnControl::new(grammar, move |line: &str, _: &Caller| {
            let note = done.clone();
            let line = line.to_string();
            match line.split(' ').next().unwrap_or_default() {
                "do" => Work::blocking(move || {
                    note.lock().unwrap().push(line);
                    Ok(Outcome::Done)
                }),
                "task" => Work::Now(Ok(Outcome::Task(line.replace(' ', ":")))),
                "busy" => Work::refuse(FsError::new(
                    libc::EBUSY,
                    "drive 0 is held by task 5; wait for it",
                )),
                "wait" => {
                    let pass = gate.pass();
                    Work::Waiting(
                        async move {
                            pass.await;
                            note.lock().unwrap().push(line);
                            Ok(Outcome::Done)
                        }
                        .boxed(),
                    )
                }
                "panic" => panic!("a command that panics"),
                verb => Work::refuse(FsError::invalid(format!("there is no verb {verb}"))),
            }
        })
    }

    fn wait(&self, failure: Option<FsError>) -> Node {
        Node::Wait(Arc::new(GateWait { gate: Arc::clone(&self.gate), failure }))
    }

    /// Immutable files `0`, `1`, … whose reads wait at the gate.
    fn gated(&self) -> Node {
        let gate = Arc::clone(&self.gate);
        let names = || Ok((0..64).map(|n: u32| Entry::file(n.to_string())).collect());
        FnDir::new(names, move |name| match name.display().to_string().parse::<u32>() {
            Ok(0..64) => Ok(Node::Content(Arc::new(Gated(Arc::clone(&gate))))),
            _ => Err(FsError::not_found("no such number")),
        })
        .node()
    }
}

fn counter() -> FnFact {
    let count = AtomicU64::new(0);
    FnFact::new(move || Ok(format!("{}\n", count.fetch_add(1, Ordering::SeqCst))))
        .modified_by(|| Some(UNIX_EPOCH + Duration::from_secs(1_600_000_000)))
}

fn special() -> Node {
    Node::Special(Special {
        kind: SpecialKind::Fifo,
        attributes: Attributes::with_mode(0o640).owned_by(3, 4),
    })
}

fn broken() -> Node {
    let lookup = |_: &OsStr| -> Result<Node, FsError> { panic!("a look-up that panics") };
    StaticDir::new()
        .with("fact", fact(|| panic!("a fact that panics")))
        .with("content", Node::Content(Arc::new(Broken)))
        .with("folder", FnDir::new(|| panic!("a listing that panics"), lookup).node())
        .with(
            "half",
            FnDir::new(
                || Ok(vec![Entry::file("good"), Entry::file("no-data"), Entry::directory("gone")]),
                |name| match name.to_str() {
                    Some("good") => Ok(text("good\n")),
                    Some("no-data") => Err(FsError::new(libc::ENODATA, "run 'fetch'")),
                    _ => Err(FsError::not_found("it has gone")),
                },
            )
            .node(),
        )
        .node()
}

/// Names of all sorts, some that no file can have.
fn names() -> Node {
    let listed: Vec<OsString> = vec![
        "2021-01-11T10:43:48Z".into(),
        "with space\nand line".into(),
        OsString::from_vec(vec![0xff, 0xfe]),
        "x".repeat(255).into(),
        "y".repeat(256).into(),
        "a/b".into(),
        "a\0b".into(),
        "..".into(),
    ];
    FnDir::new(
        move || Ok(listed.iter().map(Entry::file).collect()),
        |name| Ok(text(format!("{} bytes\n", name.len()))),
    )
    .node()
}

/// 2000 facts, so that a listing takes several requests.
fn many() -> Node {
    FnDir::new(
        || Ok((0..2000).map(|n: u32| Entry::file(format!("fact-{n:04}"))).collect()),
        |name| match name.to_str().is_some_and(|name| name.starts_with("fact-")) {
            true => Ok(text(format!("{}\n", name.display()))),
            false => Err(FsError::not_found("no such fact")),
        },
    )
    .node()
}

struct Image {
    immutable: bool,
}

impl Content for Image {
    fn size(&self) -> Result<u64, FsError> {
        Ok(IMAGE_BYTES)
    }

    fn allocated(&self) -> Result<u64, FsError> {
        Ok(2 * MIB + 1000)
    }

    fn attributes(&self) -> Attributes {
        let time: SystemTime = UNIX_EPOCH + Duration::from_secs(1_610_361_828);
        Attributes::with_mode(0o440).owned_by(12, 34).modified_at(time)
    }

    fn caching(&self) -> Caching {
        match self.immutable {
            true => Caching::Immutable { version: 1 },
            false => Caching::Never,
        }
    }

    fn open(&self, _: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        Ok(Arc::new(OpenImage))
    }

    fn xattr_names(&self) -> Result<Vec<OsString>, FsError> {
        Ok(vec!["user.reelfs.tapes".into(), "user.reelfs.order".into()])
    }

    fn xattr(&self, name: &OsStr) -> Result<Option<Vec<u8>>, FsError> {
        Ok(match name.to_str() {
            Some("user.reelfs.tapes") => Some(b"A00003L8 A00004L8".to_vec()),
            Some("user.reelfs.order") => Some(b"17".to_vec()),
            _ => None,
        })
    }
}

struct OpenImage;

impl ContentHandle for OpenImage {
    fn read(&self, offset: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
        let end = (offset + u64::from(size)).min(IMAGE_BYTES);
        async move { Ok((offset..end).map(image_byte).collect::<Vec<u8>>().into()) }.boxed()
    }

    fn seek_hole_data(&self, offset: u64, whence: Seek) -> Result<Option<u64>, FsError> {
        let wanted = whence == Seek::Data;
        let later = (offset / MIB + 1..=IMAGE_BYTES / MIB).map(|mib| mib * MIB);
        let mut starts = std::iter::once(offset).chain(later);
        Ok(starts.find(|start| is_image_data(*start) == wanted))
    }
}

/// Says it is longer than it is.
struct CutShort;

impl Content for CutShort {
    fn size(&self) -> Result<u64, FsError> {
        Ok(100)
    }

    fn open(&self, _: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        Ok(Arc::new(MemoryContent::new("only this")))
    }
}

struct Gated(Arc<Gate>);

impl Content for Gated {
    fn size(&self) -> Result<u64, FsError> {
        Ok(4 * MIB)
    }

    fn caching(&self) -> Caching {
        Caching::Immutable { version: 1 }
    }

    fn open(&self, _: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        Ok(Arc::new(Gated(Arc::clone(&self.0))))
    }
}

impl ContentHandle for Gated {
    fn read(&self, _: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
        let pass = self.0.pass();
        async move {
            pass.await;
            Ok(vec![b'g'; size as usize].into())
        }
        .boxed()
    }
}

struct Broken;

impl Content for Broken {
    fn size(&self) -> Result<u64, FsError> {
        Ok(10)
    }

    fn open(&self, _: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        Ok(Arc::new(Broken))
    }
}

impl ContentHandle for Broken {
    fn read(&self, _: u64, _: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
        async { panic!("a read that panics") }.boxed()
    }
}

struct GateWait {
    gate: Arc<Gate>,
    failure: Option<FsError>,
}

impl Wait for GateWait {
    fn wait(&self) -> BoxFuture<'static, Waited> {
        let pass = self.gate.pass();
        let failure = self.failure.clone();
        async move {
            pass.await;
            match failure {
                None => Waited::succeeded("TASK OK"),
                Some(failure) => Waited::failed("TASK ERROR", failure),
            }
        }
        .boxed()
    }
}
