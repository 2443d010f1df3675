//! What names, facts and content need from far away is awaited before they are asked.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use reel_fs::{
    Access, AllowAll, Answer, Authorizer, Caller, EngineOptions, Entry, FileSystem, FnDir, FnFact,
    FsError, InodeNumber, Node, StaticDir, ThreadPool, text,
};

use crate::support::{Gate, me};

/// A root with a fixed name and a computed one, whose text comes when the gate opens.
fn root(gate: &Arc<Gate>) -> Node {
    let (names, facts) = (Arc::clone(gate), Arc::clone(gate));
    let fact = move || {
        let facts = Arc::clone(&facts);
        FnFact::new(|| Ok("far\n".into())).prepared_by(move || Some(facts.pass().boxed())).node()
    };
    let lookup = move |name: &OsStr| match name == "far" {
        true => Ok(fact()),
        false => Err(FsError::not_found("no")),
    };
    FnDir::new(|| Ok(vec![Entry::file("far")]), lookup)
        .prepared_by(move || Some(names.pass().boxed()))
        .beside(StaticDir::new().with("near", text("near\n")))
        .node()
}

fn engine(gate: &Arc<Gate>, authorizer: impl Authorizer) -> FileSystem {
    let Node::Directory(root) = root(gate) else { panic!("a folder") };
    let pool = Arc::new(ThreadPool::new(1));
    FileSystem::new(root, pool, Arc::new(authorizer), EngineOptions::default()).unwrap()
}

#[test]
fn computed_names_and_facts_wait_and_fixed_names_do_not() {
    let gate = Arc::new(Gate::default());
    let engine = engine(&gate, AllowAll);
    let prepare =
        |name: Option<&str>| engine.prepare_names(&me(), InodeNumber::ROOT, name.map(OsStr::new));
    assert!(prepare(Some("near")).is_none());
    let mut waits = [prepare(Some("far")).unwrap(), prepare(None).unwrap()];
    assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
    let far = engine.lookup(&me(), InodeNumber::ROOT, OsStr::new("far")).unwrap();
    let Answer::Later(mut opening) = engine.open(&me(), far.ino, libc::O_RDONLY) else {
        panic!("it must wait");
    };
    assert!((&mut opening).now_or_never().is_none());
    gate.open();
    assert!(waits.iter_mut().all(|wait| wait.now_or_never() == Some(Ok(()))));
    let opened = opening.now_or_never().unwrap().unwrap();
    let Answer::Now(read) = engine.read(&me(), opened.handle, 0, 100) else {
        panic!("it is there")
    };
    assert_eq!(read.unwrap(), "far\n");
}

struct Nobody;

impl Authorizer for Nobody {
    fn check(&self, _: &Caller, _: &Path, _: Access) -> Result<(), FsError> {
        Err(FsError::denied("nobody"))
    }
}

#[test]
fn nothing_is_brought_for_who_may_not_look() {
    let engine = engine(&Arc::default(), Nobody);
    assert!(engine.prepare_names(&me(), InodeNumber::ROOT, Some(OsStr::new("far"))).is_none());
}

#[test]
fn a_wait_ends_with_the_mount() {
    let engine = engine(&Arc::default(), AllowAll);
    let wait = engine.prepare_names(&me(), InodeNumber::ROOT, None).unwrap();
    engine.close();
    assert_eq!(wait.now_or_never().unwrap().unwrap_err().errno(), libc::EINTR);
}
