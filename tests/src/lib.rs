//! A daemon of a test's own: its folders, its process, its mount, and `reelctl` beside it.
//!
//! Nothing here is private to reelfs: tests see what a user sees. A [`Home`] is everything on disk and survives its
//! daemon; a [`Daemon`] is one run of `reeld` on it, started with a service manager's socket so that it is ready
//! when it says so, and gone (mount included) when the value is dropped.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness ends its test where something fails"
)]

pub mod emulated;
pub mod events;
pub mod in_process;
pub mod relay;
pub mod said;
pub mod scene;
pub mod serving;
pub mod tape_key;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long a daemon may take to be ready on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Where the fixtures lie; none, with a word on stderr, where there are none.
pub fn fixtures() -> Option<PathBuf> {
    let path = match std::env::var_os("REELFS_FIXTURES") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
    };
    if path.join("README.md").is_file() {
        return Some(path);
    }
    eprintln!("skipped: no fixtures at {} (set REELFS_FIXTURES)", path.display());
    None
}

/// Unpacks one of the fixtures' archives into `target`.
pub fn unpack(archive: &str, target: &Path) -> bool {
    let Some(fixtures) = fixtures() else { return false };
    fs::create_dir_all(target).unwrap_or_else(|error| panic!("create {target:?}: {error}"));
    run(Command::new("tar")
        .arg("--zstd")
        .arg("-xf")
        .arg(fixtures.join(archive))
        .arg("-C")
        .arg(target));
    true
}

/// The archive with everything that PBS's tape part had: tapes, state, configuration.
const TAPES_OF_PBS: &str = "pbs-tape-public.tar.zst";

/// Unpacks PBS's tapes, with its state and configuration, into `pbs` of `home`; the folder.
pub fn unpack_tapes_of_pbs(home: &Home) -> Option<PathBuf> {
    let folder = home.join("pbs");
    unpack(TAPES_OF_PBS, &folder).then_some(folder)
}

/// A client key of the fixtures, copied where only we can read it, with a file beside it that holds its password.
pub fn client_key(home: &Home, name: &str) -> (PathBuf, PathBuf) {
    let keys = fixtures().expect("the fixtures").join("pbs-datastore-store1.keys");
    let (key, passphrase) = (home.join(name), home.join("passphrase"));
    let content = fs::read(keys.join(name)).expect("the key");
    write_private(&key, &content);
    write_private(&passphrase, CLIENT_KEY_PASSWORD.as_bytes());
    (key, passphrase)
}

/// The password of those client keys of the fixtures that have one.
pub const CLIENT_KEY_PASSWORD: &str = "key Pass-word 1";

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("write a secret");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
}

/// The sha256 of all that `content` gives, in hex.
pub fn sha256(mut content: impl Read) -> io::Result<String> {
    let mut sum = openssl::sha::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = content.read(&mut buffer)?;
        if length == 0 {
            return Ok(sum.finish().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        sum.update(&buffer[..length]);
    }
}

/// The sha256 of a file, in hex.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    sha256(fs::File::open(path)?)
}

/// Bytes that don't compress, the same for each `seed`.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// What a listing of PBS printed, from a file of the fixtures that also holds its command and its exit status.
pub fn printed_by_pbs(file: &str) -> Option<String> {
    let path = fixtures()?.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {path:?}: {error}"));
    let (_command, output) = text.split_once('\n').expect("a line with the command");
    let (output, _status) = output.rsplit_once("--- exit").expect("a line with the status");
    Some(output.to_owned())
}

/// The elements of a JSON array in an order of their own, to compare two whose order means nothing.
pub fn sorted(mut list: Value) -> Vec<Value> {
    let elements = list.as_array_mut().expect("an array");
    elements.sort_by_key(Value::to_string);
    std::mem::take(elements)
}

/// Runs a program that must succeed; its output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Has the independent reader judge what reelfs wrote; it must find no defect.
pub fn oracle(arguments: &[&OsStr]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/oracle.py");
    run(python().arg(script).args(arguments))
}

/// Has the independent reader judge, whatever it finds.
pub fn try_oracle(arguments: &[&OsStr]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/oracle.py");
    python().arg(script).args(arguments).output().expect("the oracle starts")
}

/// The independent reader's plain sums of all contents of a datastore: `[ns/…]TYPE/ID/TIME/NAME` to sha256.
pub fn oracle_sums(
    datastore: &Path,
    options: &[&OsStr],
) -> std::collections::BTreeMap<String, String> {
    let mut arguments =
        vec![OsStr::new("datastore"), datastore.as_os_str(), OsStr::new("--dump-sha256")];
    arguments.extend(options);
    let sums = oracle(&arguments);
    let pairs = sums.lines().filter_map(|line| line.split_once("  "));
    pairs.map(|(sum, name)| (in_the_tree(name), sum.to_owned())).collect()
}

/// `a/b/vm/100/TIME/NAME` as the tree has it: `ns/a/ns/b/vm/100/TIME/NAME`.
fn in_the_tree(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').collect();
    let (namespaces, snapshot) = parts.split_at(parts.len() - 4);
    let namespaces: String = namespaces.iter().map(|name| format!("ns/{name}/")).collect();
    namespaces + &snapshot.join("/")
}

/// What a snapshot's folder has beside its files' contents.
const FACTS_OF_A_SNAPSHOT: [&str; 14] = [
    "ctl",
    "index.json",
    "last-error",
    "last-task",
    "notes",
    "plan",
    "plan.json",
    "protected",
    "raw",
    "status",
    "status.json",
    "verify-state",
    "verify-state.json",
    "owner",
];

/// The contents below `folder`, the folder of a datastore or of a store in a media set, by their paths in it.
pub fn contents_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    collect_contents(folder, "", &mut found);
    found.sort();
    found
}

fn collect_contents(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("ls {folder:?}: {error}"));
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().expect("its type");
        if kind.is_dir() && name != "raw" {
            collect_contents(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_file()
            && is_of_snapshot(&path)
            && !FACTS_OF_A_SNAPSHOT.contains(&name.as_str())
        {
            found.push(path);
        }
    }
}

/// Whether `TYPE/ID/TIME/NAME` ends the path.
fn is_of_snapshot(path: &str) -> bool {
    let parts: Vec<&str> = path.rsplit('/').collect();
    parts.len() >= 4 && parts[1].ends_with('Z') && ["vm", "ct", "host"].contains(&parts[3])
}

/// A Python that has what the oracle needs.
fn python() -> Command {
    let has_modules = |program: &&str| {
        let mut probe = Command::new(program);
        probe.args(["-c", "import zstandard, cryptography"]);
        probe.stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has_modules);
    let program = found.expect("a python3 with zstandard and cryptography; run scripts/setup");
    Command::new(program)
}

/// A program of this workspace, built beside this test.
pub fn program(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("the path of this test");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join(name);
    assert!(path.is_file(), "{} isn't built: cargo build --workspace --bins", path.display());
    path
}

/// The folders of one daemon.
pub struct Home {
    folder: TempDir,
    /// Who runs the daemons, where that isn't whoever runs the test.
    user: Option<u32>,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// New folders, empty; in memory where that can be had, for a datastore has 65,536 folders.
    pub fn new() -> Self {
        let in_memory = folder_of_a_home().tempdir_in("/dev/shm");
        Self::in_folder(in_memory.or_else(|_| folder_of_a_home().tempdir()).expect("a folder"))
    }

    /// New folders below `parent`, for what needs a real disk.
    pub fn below(parent: &Path) -> Self {
        Self::in_folder(folder_of_a_home().tempdir_in(parent).expect("a folder"))
    }

    fn in_folder(folder: TempDir) -> Self {
        fs::create_dir(folder.path().join("mnt")).expect("a mountpoint");
        Self { folder, user: None }
    }

    /// The folder around all of them.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder or file `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the daemon mounts.
    pub fn mount(&self) -> PathBuf {
        self.join("mnt")
    }

    /// Starts a daemon here.
    pub fn start(&self) -> Daemon<'_> {
        self.start_with(&[])
    }

    /// Starts a daemon with more arguments.
    pub fn start_with(&self, arguments: &[&str]) -> Daemon<'_> {
        self.try_start(arguments).unwrap_or_else(|output| panic!("reeld did not start: {output}"))
    }

    /// Starts a daemon; what it said where it ended instead of becoming ready.
    pub fn try_start(&self, arguments: &[&str]) -> Result<Daemon<'_>, String> {
        let notify = self.join("notify.sock");
        let _ = fs::remove_file(&notify);
        let socket = UnixDatagram::bind(&notify).expect("a socket for the daemon's word");
        if let Some(user) = self.user {
            chown(&notify, Some(user), None).expect("give the socket away");
        }
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.join("reeld.log"))
            .expect("a file for the daemon's output");
        let child = self
            .reeld()
            .arg("--below")
            .arg(self.path())
            .arg("--mount")
            .arg(self.mount())
            .args(arguments)
            .env("NOTIFY_SOCKET", &notify)
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("reeld starts");
        let mut daemon = Daemon { home: self, child, notified: socket };
        daemon.wait_until_ready().map(|()| daemon)
    }

    fn reeld(&self) -> Command {
        let Some(user) = self.user else { return Command::new(program("reeld")) };
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={user}")]);
        command.args(["--clear-groups", "--"]).arg(self.join("reeld"));
        command
    }

    /// A copy of a program of this workspace where everybody may run it.
    ///
    /// Another process writes it: a file that this one had open for writing could not be run as long as a child of
    /// another thread has it too, between its fork and its exec.
    pub fn copy_of(&self, name: &str) -> PathBuf {
        let copy = self.join(name);
        let status = Command::new("install").arg("-m755").arg(program(name)).arg(&copy).status();
        assert!(status.expect("install runs").success(), "copy {name}");
        copy
    }

    /// From now on daemons run as this user (a number), to whom the folders here are given. Takes root.
    pub fn give_to(&mut self, user: u32) {
        self.copy_of("reeld");
        let own = |path: &Path| chown(path, Some(user), Some(user)).expect("give a folder away");
        own(self.path());
        own(&self.mount());
        self.user = Some(user);
    }

    /// What the daemons here have said on stderr.
    pub fn daemon_log(&self) -> String {
        fs::read_to_string(self.join("reeld.log")).unwrap_or_default()
    }
}

fn folder_of_a_home() -> tempfile::Builder<'static, 'static> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("reelfs-test-");
    folder
}

impl Drop for Home {
    fn drop(&mut self) {
        detach(&self.mount());
    }
}

/// Takes a mount away, also a dead or busy one.
fn detach(mount: &Path) {
    let flags = nix::mount::MntFlags::MNT_DETACH;
    let _ = nix::mount::umount2(mount, flags);
}

/// A running daemon.
pub struct Daemon<'a> {
    home: &'a Home,
    child: Child,
    /// Where the daemon says how it is: open for as long as it runs, as a service manager's is.
    notified: UnixDatagram,
}

impl Daemon<'_> {
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let started = std::time::Instant::now();
        let mut word = [0; 64];
        while started.elapsed() < READY_WITHIN {
            match self.notified.recv(&mut word) {
                Ok(length) if word[..length].starts_with(b"READY=1") => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("wait for the daemon: {error}"),
            }
            if let Some(status) = self.child.try_wait().expect("the daemon's status") {
                return Err(format!("{status}\n{}", self.home.daemon_log()));
            }
        }
        Err(format!("not ready within {READY_WITHIN:?}\n{}", self.home.daemon_log()))
    }

    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A `reelctl` for this daemon, to be given arguments.
    pub fn reelctl(&self) -> Command {
        self.client(&program("reelctl"))
    }

    /// The same by the name of one of PBS's programs.
    pub fn reelctl_as(&self, name: &str) -> Command {
        let link = self.home.join(name);
        if !link.exists() {
            symlink(program("reelctl"), &link).expect("a link to reelctl");
        }
        self.client(&link)
    }

    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("REELFS_SOCKET", self.home.join("run/api.sock"));
        command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        for name in ["PROXMOX_OUTPUT_FORMAT", "PROXMOX_TAPE_DRIVE", "PROXMOX_OUTPUT_NO_BORDER"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs `reelctl` with the words of `line` (no quoting); it must succeed.
    pub fn ctl(&self, line: &str) -> String {
        run(self.reelctl().args(line.split_whitespace()))
    }

    /// The same with words that may hold blanks.
    pub fn ctl_words(&self, words: &[&str]) -> String {
        run(self.reelctl().args(words))
    }

    /// Runs `reelctl` with the words of `line`, whatever comes of it.
    pub fn try_ctl(&self, line: &str) -> Output {
        self.reelctl().args(line.split_whitespace()).output().expect("reelctl starts")
    }

    /// Backs `store` up by a line in its `ctl` and waits for the task; its log.
    pub fn backup(&self, store: &str, line: &str) -> String {
        self.act(line, &format!("datastores/{store}"))
    }

    /// Gives the `ctl` in `folder` a line that is a task, and waits for the task; its log.
    pub fn act(&self, line: &str, folder: &str) -> String {
        self.echo(line, &format!("{folder}/ctl")).unwrap_or_else(|error| {
            panic!("{line}: {error}: {}", self.cat(&format!("{folder}/last-error")))
        });
        let task = self.cat(&format!("{folder}/last-task"));
        let task = format!("tasks/{}", task.trim_end());
        let result = fs::read_to_string(self.at(&format!("{task}/wait")));
        let log = self.cat(&format!("{task}/log"));
        assert!(result.is_ok(), "{line}: {result:?}\n{log}");
        log
    }

    /// How many bytes the daemon has asked the system for by now: media, datastores, requests.
    pub fn bytes_read(&self) -> u64 {
        let counters =
            fs::read_to_string(format!("/proc/{}/io", self.pid())).expect("its counters");
        let line = counters.lines().find_map(|line| line.strip_prefix("rchar: "));
        line.and_then(|number| number.parse().ok()).expect("rchar")
    }

    /// Runs `reelctl`, which must fail with exit code 255; what it said on stderr.
    pub fn ctl_fails(&self, line: &str) -> String {
        let output = self.try_ctl(line);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(255), "reelctl {line}: {text}");
        text
    }

    /// Runs a listing and gives its JSON.
    pub fn json(&self, line: &str) -> Value {
        let text = self.ctl(&format!("{line} --output-format json"));
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("reelctl {line}: {error}: {text}"))
    }

    /// A path in the mount.
    pub fn at(&self, path: &str) -> PathBuf {
        self.home.mount().join(path)
    }

    /// The content of a file in the mount.
    pub fn cat(&self, path: &str) -> String {
        let path = self.at(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cat {}: {error}", path.display()))
    }

    /// The names in a folder of the mount, sorted.
    pub fn ls(&self, path: &str) -> Vec<String> {
        let path = self.at(path);
        let entries =
            fs::read_dir(&path).unwrap_or_else(|error| panic!("ls {}: {error}", path.display()));
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Writes a line to a control file, as `echo LINE > FILE` does.
    pub fn echo(&self, line: &str, path: &str) -> io::Result<()> {
        fs::write(self.at(path), format!("{line}\n"))
    }

    /// Kills the daemon, as `kill -9` does, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Waits until the daemon ended by itself (it was told to die at a commit point).
    pub fn wait_for_death(mut self) -> ExitStatus {
        self.child.wait().expect("wait")
    }

    /// Asks the daemon to stop and waits until it has.
    pub fn stop(mut self) {
        self.terminate();
    }

    /// Asks the daemon to stop as a service manager does; how it ended.
    pub fn stopped(mut self) -> ExitStatus {
        self.terminate()
    }

    /// Asks the daemon to stop and waits until it has; what it told its service manager meanwhile.
    pub fn stop_and_hear(mut self) -> Vec<String> {
        self.terminate();
        let (mut heard, mut word) = (Vec::new(), [0; 64]);
        while let Ok(length) = self.notified.recv(&mut word) {
            heard.push(String::from_utf8_lossy(&word[..length]).into_owned());
        }
        heard
    }

    fn terminate(&mut self) -> ExitStatus {
        if let Ok(Some(ended)) = self.child.try_wait() {
            return ended;
        }
        let pid = i32::try_from(self.child.id()).expect("a pid");
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        self.child.wait().expect("wait")
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.terminate();
        if std::thread::panicking() {
            eprintln!("reeld said:\n{}", self.home.daemon_log());
        }
    }
}
