//! Real mounts, used as people use them: with shells, `cat`, `ls`, `cp`, `rm` and signals.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{IMAGE_BYTES, TestMount, can_mount, image_byte};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reel_fs::{
    Acl, AllowAll, Entry, FnDir, FsError, MountError, MountOptions, StaticDir, ThreadPool, mount,
    recover_stale_mount,
};

/// A mount, or the end of the test where there can be none.
macro_rules! mounted {
    () => {
        match TestMount::new() {
            Some(mount) => mount,
            None => return,
        }
    };
}

#[test]
fn everything_is_listed_and_read() {
    let mount = mounted!();
    assert_eq!(mount.bash("cat README latest state").ok(), "hello\nhello\nready\n");
    assert_eq!(mount.bash("cat status.json").ok(), "{\n  \"bytes\": 7\n}\n");
    let listing = mount.bash("TZ=UTC ls -ln --time-style=+%FT%T image ctl pipe latest").ok();
    let fields = |name: &str| {
        let line = listing.lines().find(|line| line.contains(name)).unwrap();
        line.split_whitespace().map(str::to_string).collect::<Vec<_>>()
    };
    let image = ["-r--r-----", "1", "12", "34", "8389608", "2021-01-11T10:43:48", "image"];
    assert_eq!(fields("image"), image);
    assert_eq!(fields("pipe")[0], "prw-r-----");
    assert_eq!(fields("ctl")[0], "-rw-rw-rw-");
    assert!(fields("latest").ends_with(&["latest".into(), "->".into(), "README".into()]));
    assert_eq!(mount.bash("stat -c %Y moment").ok(), "1600000000\n");
}

#[test]
fn large_folders_are_listed_whole() {
    let mount = mounted!();
    assert_eq!(
        mount.bash("ls many | wc -l; ls -l many | grep -c fact-; ls -f many | wc -l").ok(),
        "2000\n2000\n2002\n"
    );
    assert_eq!(
        mount.bash("ls -i many/fact-1999 | cut -d' ' -f1").ok().trim(),
        mount.bash("stat -c %i many/fact-1999").ok().trim()
    );
    assert_eq!(mount.bash("ls names | wc -l").ok(), "5\n", "one name has two lines");
    assert_eq!(mount.bash("cat names/$'\\xff\\xfe'").ok(), "2 bytes\n");
}

#[test]
fn commands_of_all_shells_are_carried_out() {
    let mount = mounted!();
    mount.run("sh", "echo do sh > ctl").ok();
    mount.run("dash", "echo do dash >> ctl").ok();
    mount.bash("echo do bash > ctl && /bin/echo do echo > ctl").ok();
    mount.bash("printf 'do 1\\ndo 2\\n' > ctl; printf 'do 3' > ctl").ok();
    mount.bash("cat > ctl <<END\ndo 4\ndo 5\nEND").ok();
    mount.bash("echo do tee | tee ctl; echo do dd | dd of=ctl conv=notrunc status=none").ok();
    mount.bash(": > ctl; truncate -s 0 ctl").ok();
    let expected = ["sh", "dash", "bash", "echo", "1", "2", "3", "4", "5", "tee", "dd"];
    assert_eq!(mount.tree.done(), expected.map(|word| format!("do {word}")));
}

#[test]
fn refusals_reach_the_shell_and_last_error() {
    let mount = mounted!();
    let ran = mount.bash("echo busy > ctl");
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("Device or resource busy"), "{ran:?}");
    assert_eq!(mount.run("dash", "echo busy > ctl").code, Some(1));
    assert!(mount.bash("/bin/echo what > ctl").err.contains("Invalid argument"));
    let errors = mount.bash("cat last-error").ok();
    assert_eq!(errors.lines().count(), 3, "{errors}");
    assert!(errors.lines().all(|line| line.contains(" uid=0 pid=")), "{errors}");
    assert!(errors.ends_with("EINVAL \"what\": there is no verb what\n"), "{errors}");
    assert_ne!(mount.bash("stat -c %s last-error").ok(), "0\n");
}

#[test]
fn the_first_bad_line_ends_a_script() {
    let mount = mounted!();
    let ran = mount.bash("printf 'do 1\\nbusy\\ndo 2\\n' > script; cat /dev/null");
    assert_ne!(ran.err, "", "nothing can be created in the mount");
    let ran = mount.bash("cat <<END > ctl\ndo 1\nbusy\ndo 2\nEND");
    assert!(ran.err.contains("Device or resource busy"), "{ran:?}");
    assert_eq!(mount.tree.done(), ["do 1"]);
}

#[test]
fn a_script_that_a_buffer_cuts_never_runs_half_a_command() {
    let mount = mounted!();
    let script: String = (0..3000).map(|n| format!("do {n}\n")).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &script).unwrap();
    let path = file.path().display();
    for buffer in ["4096", "5000", "1M"] {
        mount.tree.done.lock().unwrap().clear();
        mount.bash(&format!("dd if={path} of=ctl bs={buffer} conv=notrunc status=none")).ok();
        let done: String = mount.tree.done().iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(done, script, "with a buffer of {buffer}");
    }
    fs::write(&file, format!("{script}do half a com")).unwrap();
    let ran = mount.bash(&format!("cp {path} ctl"));
    assert_eq!(ran.code, Some(1), "cp sees the error of close: {ran:?}");
    assert_eq!(mount.tree.done().len(), 6000);
    assert!(mount.bash("tail -1 last-error").ok().contains("EINVAL \"do half a com\""));
}

#[test]
fn a_handle_for_both_answers() {
    let mount = mounted!();
    let mut ctl = OpenOptions::new().read(true).write(true).open(mount.path("ctl")).unwrap();
    ctl.write_all(b"task 5\n").unwrap();
    let mut answer = String::new();
    ctl.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "task:5\n");
    assert_eq!(ctl.write(b"busy\n").unwrap_err().raw_os_error(), Some(libc::EBUSY));
    answer.clear();
    ctl.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "drive 0 is held by task 5; wait for it\n");
    let id = mount.bash("exec 3<>ctl; echo task 6 >&3; cat <&3").ok();
    assert_eq!(id, "task:6\n");
    assert_eq!(mount.bash("cat last-task").ok(), "task:6\n");
}

#[test]
fn file_verbs_destroy_nothing() {
    let mount = mounted!();
    let before = mount.bash("ls -lR many names gated; cat README").ok();
    assert_ne!(mount.bash("rm -rf ./* 2>&1").code, Some(0));
    for verb in [
        "rm note",
        "rmdir gated",
        "mkdir new",
        "touch new",
        "echo x > note",
        "echo x > README",
        "echo x >> new",
        "ln README new",
        "ln -s README new",
        "mknod new p",
        "chmod 600 note",
        "chown 5 note",
        "touch note",
        "truncate -s 0 note",
        "truncate -s 5 ctl",
        "mv note new",
        "mv note gated/",
        "setfattr -n user.x -v 1 note",
    ] {
        let ran = mount.bash(verb);
        assert_ne!(ran.code, Some(0), "{verb}: {ran:?}");
    }
    assert_eq!(mount.bash("ls -lR many names gated; cat README").ok(), before);
    mount.bash("grep -q \"EPERM \\\"rm note\\\": write 'remove note'\" last-error").ok();
}

#[test]
fn images_are_sparse_and_seekable() {
    let mount = mounted!();
    let expected: Vec<u8> = (0..IMAGE_BYTES).map(image_byte).collect();
    for name in ["image", "image-uncached"] {
        assert!(fs::read(mount.path(name)).unwrap() == expected, "{name}");
        let file = File::open(mount.path(name)).unwrap();
        let mut piece = vec![0; 3000];
        file.read_exact_at(&mut piece, 5_241_000).unwrap();
        assert!(piece == expected[5_241_000..5_244_000], "{name}");
        assert_eq!(file.read_at(&mut piece, IMAGE_BYTES).unwrap(), 0);
        let copies = tempfile::tempdir().unwrap();
        let copy = copies.path().join(name);
        mount.bash(&format!("cp -p --sparse=auto {name} {}", copy.display())).ok();
        assert!(fs::read(&copy).unwrap() == expected, "{name}");
        let metadata = fs::metadata(&copy).unwrap();
        assert!(metadata.blocks() * 512 < 3 << 20, "{name}: the copy has no holes");
        assert_eq!((metadata.uid(), metadata.mtime()), (12, 1_610_361_828));
    }
    assert_eq!(mount.bash("stat -c %b image").ok(), "4098\n");
}

#[test]
fn content_can_be_mapped() {
    let mount = mounted!();
    let script = "import mmap, sys\n\
        for name in ('image', 'image-uncached'):\n\
        \x20   with open(name, 'rb') as f:\n\
        \x20       m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)\n\
        \x20       o = 5 * 1048576 + 123\n\
        \x20       print(len(m), m[o] == o // 7 % 251 + 1, m[0])\n";
    let out = Command::new("python3").args(["-c", script]).current_dir(mount.path("")).output();
    let Ok(out) = out else {
        eprintln!("skipped: no python3");
        return;
    };
    let line = format!("{IMAGE_BYTES} True 0\n");
    assert_eq!(String::from_utf8_lossy(&out.stdout), line.repeat(2), "{out:?}");
}

#[test]
fn small_content_and_attributes() {
    let mount = mounted!();
    assert_eq!(mount.bash("cat note empty").ok(), "a note\n");
    assert_eq!(mount.bash("cat broken/content").code, Some(1));
    assert_eq!(mount.bash("cat cut-short").code, Some(1));
    let script = "import os; print(os.listxattr('image'), os.getxattr('image', \
        'user.reelfs.tapes'), os.listxattr('note'))";
    let out = Command::new("python3").args(["-c", script]).current_dir(mount.path("")).output();
    let Ok(out) = out else {
        eprintln!("skipped: no python3");
        return;
    };
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "['user.reelfs.tapes', 'user.reelfs.order'] b'A00003L8 A00004L8' []\n",
        "{out:?}"
    );
}

#[test]
fn panics_and_failures_stay_where_they_are() {
    let mount = mounted!();
    assert!(mount.bash("cat broken/fact").err.contains("Input/output error"));
    assert!(mount.bash("ls broken/folder").err.contains("Input/output error"));
    assert!(mount.bash("stat broken/folder/x").err.contains("Input/output error"));
    assert!(mount.bash("echo panic > ctl").err.contains("Input/output error"));
    assert_eq!(
        mount.bash("ls broken/half").ok(),
        "good\nno-data\ngone\n"
            .split('\n')
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .skip(1)
            .map(|name| format!("{name}\n"))
            .collect::<String>()
    );
    assert!(mount.bash("cat broken/half/no-data").err.contains("No data available"));
    assert_eq!(mount.bash("cat README broken/half/good").ok(), "hello\ngood\n");
}

fn start(mount: &TestMount, script: &str) -> Child {
    // The shell becomes the command, so that its pid is the one that waits.
    Command::new("bash")
        .args(["-c", &format!("exec {script}")])
        .current_dir(mount.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

#[test]
fn a_wait_ends_with_its_event() {
    let mount = mounted!();
    let good = start(&mount, "cat wait");
    let bad = start(&mount, "cat wait-fail");
    mount.tree.gate.until_waiting(2);
    mount.tree.gate.open();
    let good = good.wait_with_output().unwrap();
    assert_eq!((good.status.code(), good.stdout), (Some(0), b"TASK OK\n".to_vec()));
    let bad = bad.wait_with_output().unwrap();
    assert_eq!((bad.status.code(), bad.stdout), (Some(1), b"TASK ERROR\n".to_vec()));
}

#[test]
fn a_signal_ends_a_waiting_reader() {
    let mount = mounted!();
    let mut left = 0;
    for file in ["wait", "gated/3"] {
        // Not SIGINT: what a shell runs in the background ignores it, and so would these children.
        for signal in [Signal::SIGUSR1, Signal::SIGTERM, Signal::SIGKILL] {
            let mut child = start(&mount, &format!("cat {file}"));
            mount.tree.gate.until_waiting(1);
            send(&child, signal);
            assert_eq!(child.wait().unwrap().signal(), Some(signal as i32), "{file}");
            left += 1;
            mount.tree.gate.until_left(left);
            // Read-ahead leaves several requests behind, which are withdrawn one by one.
            mount.tree.gate.until_nobody_waits();
        }
    }
    assert_eq!(mount.bash("cat README").ok(), "hello\n");
}

#[test]
fn a_signal_ends_a_waiting_command_and_it_is_not_carried_out() {
    let mount = mounted!();
    let mut child = start(&mount, "/bin/echo wait > ctl");
    mount.tree.gate.until_waiting(1);
    // Others go on meanwhile, on the same control file too.
    mount.bash("echo do other 1<> ctl; cat README ctl").ok();
    send(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
    mount.tree.gate.until_left(1);
    assert_eq!(mount.tree.done(), ["do other"]);
    assert!(mount.bash("cat last-error").ok().contains("EINTR \"wait\": "));
}

#[test]
fn a_handled_signal_interrupts_and_a_blocked_one_does_not() {
    let mount = mounted!();
    let script = "python3 -c \"import signal,os\n\
        signal.signal(signal.SIGTERM, lambda *a: os._exit(7))\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n\
        open('wait').read()\"";
    let mut child = start(&mount, script);
    let mut other = start(&mount, "cat wait");
    mount.tree.gate.until_waiting(2);
    send(&child, Signal::SIGUSR1);
    send(&child, Signal::SIGWINCH);
    send(&other, Signal::SIGKILL);
    other.wait().unwrap();
    mount.tree.gate.until_left(1);
    assert_eq!(mount.tree.gate.waiting(), 1, "blocked and harmless signals end no wait");
    send(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(7));
    mount.tree.gate.until_left(2);
}

#[test]
fn poll_waits_for_the_event() {
    let mount = mounted!();
    let file = File::open(mount.path("wait")).unwrap();
    let state = |timeout: PollTimeout| {
        let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, timeout).unwrap()
    };
    assert_eq!(state(PollTimeout::ZERO), 0);
    thread::scope(|scope| {
        let polling = scope.spawn(|| state(PollTimeout::NONE));
        mount.tree.gate.until_waiting(1);
        mount.tree.gate.open();
        assert_eq!(polling.join().unwrap(), 1);
    });
    let mut text = String::new();
    (&file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "TASK OK\n");
}

#[test]
fn a_thousand_requests_go_on_while_readers_wait() {
    let mount = mounted!();
    let readers: Vec<Child> =
        (0..64).map(|n| start(&mount, &format!("md5sum gated/{n}"))).collect();
    mount.tree.gate.until_waiting(64);
    for n in 0..1000 {
        let path = mount.path(format!("many/fact-{n:04}"));
        assert_eq!(fs::metadata(&path).unwrap().len(), 10);
        assert_eq!(fs::read(&path).unwrap(), format!("fact-{n:04}\n").as_bytes());
    }
    assert_eq!(fs::read(mount.path("image")).unwrap().len() as u64, IMAGE_BYTES);
    assert_eq!(mount.bash("ls -l gated | wc -l").ok(), "65\n");
    assert!(mount.tree.gate.waiting() >= 64);
    let threads = fs::read_dir("/proc/self/task").unwrap().count();
    mount.tree.gate.open();
    let sums: std::collections::HashSet<Vec<u8>> = readers
        .into_iter()
        .map(|reader| reader.wait_with_output().unwrap())
        .map(|output| output.stdout.split(|byte| *byte == b' ').next().unwrap().to_vec())
        .collect();
    assert_eq!(sums.len(), 1, "all read the same bytes");
    eprintln!("{threads} threads in this test process while 64 readers waited");
}

#[test]
fn other_users_see_what_the_acl_says() {
    let mount = mounted!();
    let as_nobody = |script: &str| {
        let user = "setpriv --reuid 65534 --regid 65534 --clear-groups bash -c";
        mount.bash(&format!("{user} '{script}'"))
    };
    if as_nobody("true").code != Some(0) {
        eprintln!("skipped: no setpriv");
        return;
    }
    assert_eq!(as_nobody("cat README").ok(), "hello\n");
    assert!(as_nobody("cat image").err.contains("Permission denied"));
    as_nobody("echo do it > ctl").ok();
    as_nobody("echo busy > ctl");
    assert!(mount.bash("cat last-error").ok().contains(" uid=65534 "));
}

#[test]
fn a_mount_is_for_its_owner_unless_told_otherwise() {
    let options = MountOptions { acl: Acl::Owner, ..MountOptions::default() };
    let Some(mount) = TestMount::with_options(options) else { return };
    let path = mount.path("README");
    let user = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let ran = mount.bash(&format!("cd / && {user} cat {}", path.display()));
    assert_ne!(ran.code, Some(0));
    assert_eq!(mount.bash("cat README").ok(), "hello\n");
}

#[test]
fn unmounting_ends_waits_and_cuts_off_who_holds_files() {
    let mut mount = mounted!();
    let waiting = start(&mount, "cat wait");
    let held = File::open(mount.path("image")).unwrap();
    mount.tree.gate.until_waiting(1);
    let path = mount.path("");
    mount.unmount();
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "the empty folder is back");
    assert!(held.read_at(&mut [0; 10], 0).is_err());
    assert_eq!(waiting.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn only_empty_folders_are_mounted_on() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let try_mount = |path: &Path| {
        let pool = Arc::new(ThreadPool::new(1));
        let root = Arc::new(StaticDir::new());
        mount(root, path, pool, Arc::new(AllowAll), &MountOptions::default())
    };
    let missing = try_mount(&folder.path().join("none")).err().unwrap();
    assert!(matches!(missing, MountError::Missing { .. }));
    assert!(missing.to_string().contains("make an empty folder"), "{missing}");
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(try_mount(&file).err().unwrap(), MountError::NotEmpty { .. }));
    let full = try_mount(folder.path()).err().unwrap();
    assert_eq!(full.errno(), libc::ENOTEMPTY);
    fs::remove_file(&file).unwrap();
    try_mount(folder.path()).unwrap().unmount().unwrap();
}

#[test]
fn what_a_dead_daemon_left_mounted_is_recovered() {
    let mount = mounted!();
    let path = mount.path("");
    assert!(!recover_stale_mount(&path).unwrap(), "a living mount is left alone");
    let held = File::open(mount.path("note")).unwrap();
    let cut = nix::mount::umount2(&path, nix::mount::MntFlags::MNT_FORCE);
    assert_eq!(cut, Err(nix::errno::Errno::EBUSY), "cut off, and still mounted");
    let error = fs::read_dir(&path).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
    assert!(recover_stale_mount(&path).unwrap());
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    assert!(!recover_stale_mount(&path).unwrap());
    drop(held);
}

#[test]
fn readahead_is_raised() {
    let mount = mounted!();
    let device = fs::metadata(mount.path("")).unwrap().dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let path = format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb");
    let raised: u32 = fs::read_to_string(path).unwrap().trim_end().parse().unwrap();
    assert!(raised > 128, "{raised} KiB is no more than the kernel's own");
}

/// A folder that shows `object` until it is removed.
fn removable(there: &Arc<AtomicBool>) -> StaticDir {
    let (listed, found) = (Arc::clone(there), Arc::clone(there));
    let entries = move || match listed.load(Ordering::SeqCst) {
        true => Ok(vec![Entry::directory("object")]),
        false => Ok(Vec::new()),
    };
    let objects = FnDir::new(entries, move |name| match found.load(Ordering::SeqCst) {
        true if name == "object" => Ok(StaticDir::new().node()),
        _ => Err(FsError::not_found("no such object")),
    });
    StaticDir::new().with("objects", objects.node())
}

#[test]
fn a_name_that_is_invalidated_is_gone_at_once() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let there = Arc::new(AtomicBool::new(true));
    let mut options = MountOptions::default();
    options.engine.directory_ttl = Duration::from_secs(3600);
    let pool = Arc::new(ThreadPool::new(1));
    let root = Arc::new(removable(&there));
    let mounted = mount(root, folder.path(), pool, Arc::new(AllowAll), &options).unwrap();
    let object = folder.path().join("objects/object");
    assert!(object.exists());
    there.store(false, Ordering::SeqCst);
    assert!(object.exists(), "the kernel was told to believe it for an hour");
    let invalidator = mounted.invalidator().unwrap();
    invalidator.entry(Path::new("objects/object")).unwrap();
    assert!(!object.exists());
    invalidator.entry(Path::new("objects/unknown")).unwrap();
    invalidator.content(Path::new("objects")).unwrap();
    there.store(true, Ordering::SeqCst);
    assert!(object.exists(), "what is new shows at once");
    mounted.unmount().unwrap();
}
