//! The engine driven without a mount.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use crate::support::{Driver, Gate, IMAGE_BYTES, TestTree, image_byte, me};
use reel_fs::{Access, Attempt, Authorizer, Caller, EntryKind, FsError, InodeNumber, PollState};

fn driver() -> (TestTree, Driver) {
    let tree = TestTree::new();
    let driver = Driver::new(&tree);
    (tree, driver)
}

fn errno<T: std::fmt::Debug>(result: Result<T, FsError>) -> i32 {
    result.unwrap_err().errno()
}

#[test]
fn facts_are_read_and_have_true_sizes_where_cheap() {
    let (_, driver) = driver();
    assert_eq!(driver.cat("README").unwrap(), "hello\n");
    assert_eq!(driver.find("README").unwrap().size, 6);
    assert_eq!(driver.find("moment").unwrap().size, 0);
    assert_eq!(driver.cat("location").unwrap(), "");
    assert_eq!(driver.cat("status").unwrap(), "bytes: 7\n");
    assert_eq!(driver.cat("status.json").unwrap(), "{\n  \"bytes\": 7\n}\n");
}

#[test]
fn a_handle_shows_one_moment_and_progress_the_present() {
    let (_, driver) = driver();
    let moment = driver.open("moment", libc::O_RDONLY).unwrap().handle;
    assert_eq!(driver.read(moment, 0).unwrap(), "0\n");
    assert_eq!(driver.read(moment, 0).unwrap(), "0\n");
    assert_eq!(driver.cat("moment").unwrap(), "1\n");
    let progress = driver.open("progress", libc::O_RDONLY).unwrap().handle;
    assert_eq!(driver.read(progress, 0).unwrap(), "1\n");
    assert_eq!(driver.read(progress, 0).unwrap(), "2\n");
}

#[test]
fn inode_numbers_are_stable_and_forgotten() {
    let (_, first) = driver();
    let (_, second) = driver();
    let stat = first.find("many/fact-0007").unwrap();
    assert_eq!(stat.ino, second.find("many/fact-0007").unwrap().ino);
    first.engine.forget(stat.ino, 1);
    assert_eq!(errno(first.engine.stat(&me(), stat.ino, None)), libc::ESTALE);
}

#[test]
fn listings_leave_out_what_no_file_can_be_called() {
    let (_, driver) = driver();
    let folder = driver.find("names").unwrap().ino;
    let handle = driver.engine.open_directory(&me(), folder).unwrap();
    let listing = driver.engine.list(folder, handle, 0).unwrap();
    let lengths: Vec<usize> = listing.iter().map(|listed| listed.name.len()).collect();
    assert_eq!(lengths, [1, 2, 20, 19, 2, 255]);
    for listed in listing.iter().skip(2) {
        let stat = driver.engine.look_up_listed(&me(), folder, listed).unwrap();
        assert_eq!((stat.ino, stat.kind), (listed.ino, EntryKind::File));
    }
    let long = "y".repeat(256);
    assert_eq!(errno(driver.find(&format!("names/{long}"))), libc::ENAMETOOLONG);
}

#[test]
fn a_name_that_fails_does_not_break_its_listing() {
    let (_, driver) = driver();
    let folder = driver.find("broken/half").unwrap().ino;
    let handle = driver.engine.open_directory(&me(), folder).unwrap();
    let listing = driver.engine.list(folder, handle, 0).unwrap();
    for listed in listing.iter().skip(2) {
        let stat = driver.engine.look_up_listed(&me(), folder, listed).unwrap();
        assert_eq!(stat.kind, listed.kind);
        assert!(stat.ttl.is_zero(), "the kernel asks again and gets the true error");
    }
    assert_eq!(errno(driver.find("broken/half/no-data")), libc::ENODATA);
    assert_eq!(errno(driver.find("broken/half/gone")), libc::ENOENT);
}

#[test]
fn panics_are_eio() {
    let (_, driver) = driver();
    assert_eq!(errno(driver.cat("broken/fact")), libc::EIO);
    assert_eq!(errno(driver.cat("broken/content")), libc::EIO);
    assert_eq!(errno(driver.find("broken/folder/x")), libc::EIO);
    let folder = driver.find("broken/folder").unwrap().ino;
    let handle = driver.engine.open_directory(&me(), folder).unwrap();
    assert_eq!(errno(driver.engine.list(folder, handle, 0)), libc::EIO);
    let ctl = driver.open("ctl", libc::O_WRONLY).unwrap().handle;
    assert_eq!(errno(driver.write(ctl, "panic\n")), libc::EIO);
    assert_eq!(driver.write(ctl, "do 1\n"), Ok(5), "and everything goes on");
}

#[test]
fn content_that_ends_early_is_an_error() {
    let (_, driver) = driver();
    assert_eq!(errno(driver.cat("cut-short")), libc::EIO);
}

#[test]
fn content_is_cached_only_where_it_cannot_change() {
    let (_, driver) = driver();
    let first = driver.open("image", libc::O_RDONLY).unwrap();
    let second = driver.open("image", libc::O_RDONLY).unwrap();
    assert_eq!((first.cached, first.keep_cache), (true, false));
    assert_eq!((second.cached, second.keep_cache), (true, true));
    let uncached = driver.open("image-uncached", libc::O_RDONLY).unwrap();
    assert!(!uncached.cached);
    let bytes = driver.finish(driver.engine.read(&me(), uncached.handle, 1 << 20, 10)).unwrap();
    let expected: Vec<u8> = ((1 << 20)..(1 << 20) + 10).map(image_byte).collect();
    assert_eq!(bytes, expected);
    assert!(!driver.find("image").unwrap().ttl.is_zero());
    assert!(driver.find("README").unwrap().ttl.is_zero());
    assert_eq!(driver.find("many").unwrap().ttl.as_secs(), 1);
}

#[test]
fn cat_ctl_prints_the_grammar() {
    let (_, driver) = driver();
    assert!(driver.cat("ctl").unwrap().starts_with("do WORD"));
}

#[test]
fn lines_run_in_order_and_the_first_bad_one_ends_the_write() {
    let (tree, driver) = driver();
    let ctl = driver.open("ctl", libc::O_WRONLY).unwrap().handle;
    assert_eq!(driver.write(ctl, "do 1\n\n  do 2  \nbusy now\ndo 3\n"), Ok(15));
    assert_eq!(tree.done(), ["do 1", "do 2"]);
    assert_eq!(errno(driver.write(ctl, "busy now\ndo 3\n")), libc::EBUSY);
    assert_eq!(tree.done(), ["do 1", "do 2"]);
    let errors = driver.cat("last-error").unwrap();
    assert_eq!(errors.lines().count(), 1, "the bad line was tried once: {errors}");
    assert!(errors.contains("EBUSY \"busy now\": drive 0 is held by task 5; wait for it"));
    assert_eq!(driver.write(ctl, "do 3\n"), Ok(5));
    assert_eq!(errno(driver.write(ctl, "busy now\n")), libc::EBUSY);
    assert_eq!(driver.cat("last-error").unwrap().lines().count(), 2, "a new attempt");
}

#[test]
fn what_waits_for_its_newline_is_not_run_by_a_close() {
    let (tree, driver) = driver();
    let ctl = driver.open("ctl", libc::O_WRONLY).unwrap().handle;
    let script = format!("do {}\ndo half", "x".repeat(5000));
    assert_eq!(driver.write(ctl, &script), Ok(script.len() as u32));
    assert_eq!(tree.done().len(), 1);
    assert_eq!(errno(driver.engine.flush(&me(), ctl)), libc::EINVAL);
    assert_eq!(driver.engine.flush(&me(), ctl), Ok(()), "it was said once");
    assert_eq!(tree.done().len(), 1);
    assert!(driver.cat("last-error").unwrap().contains("EINVAL \"do half\": "));
    assert_eq!(driver.write(ctl, "do whole"), Ok(8));
    assert_eq!(tree.done()[1], "do whole");
}

#[test]
fn a_line_goes_on_in_the_next_write() {
    let (tree, driver) = driver();
    let ctl = driver.open("ctl", libc::O_WRONLY).unwrap().handle;
    let mut script = "do 1\n".repeat(1000);
    script.push_str("do las");
    driver.write(ctl, &script).unwrap();
    assert_eq!(driver.write(ctl, "t one"), Ok(5));
    assert_eq!(tree.done().last().unwrap(), "do last one");
}

#[test]
fn a_handle_for_both_answers_with_the_task_or_the_error() {
    let (_, driver) = driver();
    let ctl = driver.open("ctl", libc::O_RDWR | libc::O_TRUNC).unwrap().handle;
    assert!(driver.read(ctl, 0).unwrap().starts_with("do WORD"));
    assert_eq!(driver.write(ctl, "task 1\ntask 2\n"), Ok(14));
    assert_eq!(driver.read(ctl, 14).unwrap(), "task:2\n");
    assert_eq!(driver.read(ctl, 21).unwrap(), "");
    assert_eq!(driver.cat("last-task").unwrap(), "task:2\n");
    assert_eq!(errno(driver.write(ctl, "busy\n")), libc::EBUSY);
    assert_eq!(driver.read(ctl, 14).unwrap(), "drive 0 is held by task 5; wait for it\n");
    assert_eq!(driver.write(ctl, "do 1\n"), Ok(5));
    assert_eq!(driver.read(ctl, 0).unwrap(), "");
}

#[test]
fn lines_that_are_no_text_are_refused() {
    let (tree, driver) = driver();
    let ctl = driver.open("ctl", libc::O_WRONLY).unwrap().handle;
    assert_eq!(errno(driver.write(ctl, b"do \xff\n")), libc::EINVAL);
    assert_eq!(errno(driver.write(ctl, b"do \0\n")), libc::EINVAL);
    assert_eq!(errno(driver.write(ctl, vec![b'x'; 100_000])), libc::EINVAL);
    assert_eq!(tree.done(), Vec::<String>::new());
}

#[test]
fn truncating_a_control_file_does_nothing_and_other_changes_are_refused() {
    let (_, driver) = driver();
    let ctl = driver.find("ctl").unwrap().ino;
    assert!(driver.engine.set_attributes(&me(), ctl, Some(0)).is_ok());
    assert_eq!(errno(driver.engine.set_attributes(&me(), ctl, None)), libc::EPERM);
    let note = driver.find("note").unwrap().ino;
    assert_eq!(errno(driver.engine.set_attributes(&me(), note, Some(0))), libc::EPERM);
    assert_eq!(errno(driver.open("note", libc::O_WRONLY)), libc::EPERM);
    assert_eq!(errno(driver.open("README", libc::O_RDONLY | libc::O_TRUNC)), libc::EPERM);
    assert!(driver.open("ctl", libc::O_WRONLY | libc::O_APPEND | libc::O_TRUNC).is_ok());
}

#[test]
fn refusals_name_the_command_to_use() {
    let (_, driver) = driver();
    let remove = Attempt::Remove(OsStr::new("note"));
    let error = driver.engine.refuse(&me(), InodeNumber::ROOT, &remove);
    assert_eq!(error.errno(), libc::EPERM);
    let gated = driver.find("gated").unwrap().ino;
    driver.engine.refuse(&me(), gated, &Attempt::RemoveDirectory(OsStr::new("0")));
    driver.open("note", libc::O_WRONLY).unwrap_err();
    let errors = driver.cat("last-error").unwrap();
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[0].ends_with("EPERM \"rm note\": write 'remove note' to ctl"), "{errors}");
    assert!(lines[1].contains("EPERM \"rmdir 0\": "), "noted in the folder above: {errors}");
    assert!(lines[2].ends_with("EPERM \"write note\": write 'help note' to ctl"), "{errors}");
}

#[test]
fn moves_are_exdev_unless_a_folder_knows_better() {
    let (_, driver) = driver();
    let root = InodeNumber::ROOT;
    let (old, new) = (OsStr::new("note"), OsStr::new("other"));
    let moved = driver.finish(driver.engine.rename(&me(), (root, old), (root, new)));
    assert_eq!(errno(moved), libc::EXDEV);
    assert!(driver.cat("last-error").unwrap().contains("EXDEV \"mv note other\": "));
}

#[test]
fn a_wait_file_tells_the_end_and_fails_where_the_task_did() {
    let (tree, driver) = driver();
    let wait = driver.open("wait", libc::O_RDONLY).unwrap().handle;
    let failing = driver.open("wait-fail", libc::O_RDONLY).unwrap().handle;
    let first = driver.start(driver.engine.read(&me(), wait, 0, 100));
    tree.gate.until_waiting(1);
    assert!(first.try_recv().is_err());
    tree.gate.open();
    assert_eq!(first.recv().unwrap().unwrap(), "TASK OK\n");
    assert_eq!(driver.read(wait, 8).unwrap(), "");
    assert_eq!(driver.read(failing, 0).unwrap(), "TASK ERROR\n");
    assert_eq!(errno(driver.read(failing, 11)), libc::EIO);
}

#[test]
fn a_poll_is_woken_when_a_read_would_not_wait() {
    let (tree, driver) = driver();
    let wait = driver.open("wait", libc::O_RDONLY).unwrap().handle;
    let woken = Arc::new(Gate::default());
    let wake = Arc::clone(&woken);
    let waker: Box<dyn FnOnce() + Send> = Box::new(move || wake.open());
    assert_eq!(driver.engine.poll(wait, Some(waker)), Ok(PollState::Waiting));
    tree.gate.until_waiting(1);
    tree.gate.open();
    let pass = woken.pass();
    let passed = reel_fs::Answer::Later(Box::pin(async move {
        pass.await;
        Ok(())
    }));
    driver.finish(passed).unwrap();
    assert_eq!(driver.engine.poll(wait, None), Ok(PollState::Ready));
    let readme = driver.open("README", libc::O_RDONLY).unwrap().handle;
    assert_eq!(driver.engine.poll(readme, None), Ok(PollState::Ready));
}

#[test]
fn closing_a_polled_handle_withdraws_its_wait() {
    let (tree, driver) = driver();
    let wait = driver.open("wait", libc::O_RDONLY).unwrap().handle;
    driver.engine.poll(wait, Some(Box::new(|| ()))).unwrap();
    tree.gate.until_waiting(1);
    driver.engine.release(wait);
    tree.gate.until_left(1);
}

#[test]
fn closing_the_engine_ends_all_waits() {
    let (tree, driver) = driver();
    let wait = driver.open("wait", libc::O_RDONLY).unwrap().handle;
    let ctl = driver.open("ctl", libc::O_WRONLY).unwrap().handle;
    let read = driver.start(driver.engine.read(&me(), wait, 0, 100));
    let write = driver.start(driver.engine.write(&me(), ctl, b"do 1\nwait\n"));
    tree.gate.until_waiting(2);
    driver.engine.close();
    assert_eq!(errno(read.recv().unwrap()), libc::EINTR);
    assert_eq!(write.recv().unwrap(), Ok(5), "the first line was done");
    assert_eq!(tree.done(), ["do 1"]);
    assert!(driver.cat("last-error").unwrap().contains("EINTR \"wait\": "));
}

#[test]
fn holes_are_found() {
    const MIB: i64 = 1 << 20;
    let (_, driver) = driver();
    let image = driver.open("image", libc::O_RDONLY).unwrap().handle;
    let seek = |offset, whence| driver.engine.seek(image, offset, whence);
    assert_eq!(seek(0, libc::SEEK_DATA), Ok(MIB as u64));
    assert_eq!(seek(MIB + 5, libc::SEEK_HOLE), Ok(2 * MIB as u64));
    assert_eq!(seek(8 * MIB + 1, libc::SEEK_HOLE), Ok(IMAGE_BYTES));
    assert_eq!(errno(seek(9 * MIB, libc::SEEK_DATA)), libc::ENXIO);
    assert_eq!(errno(seek(-1, libc::SEEK_DATA)), libc::ENXIO);
    let fact = driver.open("README", libc::O_RDONLY).unwrap().handle;
    assert_eq!(driver.engine.seek(fact, 0, libc::SEEK_HOLE), Ok(6));
}

/// Lets uid 7 look but do nothing else, and nobody see `names`.
struct Looking;

impl Authorizer for Looking {
    fn check(&self, caller: &Caller, path: &Path, access: Access) -> Result<(), FsError> {
        let hidden = path.starts_with("names");
        match !hidden && (caller.uid != 7 || access == Access::Look) {
            true => Ok(()),
            false => Err(FsError::denied("not yours")),
        }
    }
}

#[test]
fn the_authorizer_is_asked_at_each_operation() {
    let tree = TestTree::new();
    let driver = Driver::with_authorizer(&tree, Arc::new(Looking));
    let guest = Caller { uid: 7, gid: 7, pid: 1 };
    assert_eq!(errno(driver.find("names")), libc::EACCES);
    let readme = driver.find("README").unwrap().ino;
    assert!(driver.engine.stat(&guest, readme, None).is_ok());
    assert_eq!(errno(driver.finish(driver.engine.open(&guest, readme, 0))), libc::EACCES);
    assert_eq!(errno(driver.engine.open_directory(&guest, InodeNumber::ROOT)), libc::EACCES);
    let root = (InodeNumber::ROOT, OsStr::new("note"));
    assert_eq!(errno(driver.finish(driver.engine.rename(&guest, root, root))), libc::EACCES);
    // A descriptor handed to another user works as its opener.
    let handle = driver.open("README", libc::O_RDONLY).unwrap().handle;
    assert!(driver.finish(driver.engine.read(&guest, handle, 0, 10)).is_ok());
}

#[test]
fn attributes_and_links_are_shown() {
    let (_, driver) = driver();
    let image = driver.find("image").unwrap();
    assert_eq!((image.uid, image.gid, image.mode), (12, 34, 0o440));
    assert_eq!(image.size, IMAGE_BYTES);
    let names = driver.engine.xattr_names(&me(), image.ino).unwrap();
    assert_eq!(names, b"user.reelfs.tapes\0user.reelfs.order\0");
    let order = driver.engine.xattr(&me(), image.ino, OsStr::new("user.reelfs.order"));
    assert_eq!(order.unwrap(), b"17");
    let none = driver.engine.xattr(&me(), image.ino, OsStr::new("security.selinux"));
    assert_eq!(errno(none), libc::ENODATA);
    let link = driver.find("latest").unwrap();
    assert_eq!(driver.engine.read_link(&me(), link.ino).unwrap(), Path::new("README"));
    assert_eq!(driver.find("pipe").unwrap().kind, EntryKind::Fifo);
    assert_eq!(errno(driver.open("pipe", libc::O_RDONLY)), libc::ENXIO);
}
