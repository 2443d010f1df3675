//! The documentation against the program and the tree of files: the table of verbs in docs/tree.md, and the
//! files that pages send their readers to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use reel_types::Namespace;
use reel_types::commands::{COMMANDS, CommandInfo, Place};

const TABLE_BEGIN: &str =
    "<!-- verbs: made by tests/tests/docs.rs, REELFS_UPDATE_DOCS=1 rewrites it -->\n";
const TABLE_END: &str = "<!-- end of verbs -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every kind of place with a `ctl`, and how docs/tree.md calls it.
fn places() -> Vec<(&'static str, Place)> {
    let store = || "store1".parse().unwrap();
    let set = || "abcbc951-68b8-4596-9658-00823cb5cc8a".parse().unwrap();
    let snapshot = "vm/100/2024-06-05T08:00:00Z";
    let upid = "UPID:pbs1:000020F3:0003CD51:00000002:6B044099:backup:s1:root@pam:";
    let root = Namespace::root;
    vec![
        ("", Place::Root),
        ("datastores", Place::Datastores),
        ("datastores/STORE", Place::Datastore(store())),
        ("datastores/STORE/TYPE/ID", Place::Group(store(), root(), "vm/100".parse().unwrap())),
        (
            "datastores/STORE/TYPE/ID/TIME",
            Place::Snapshot(store(), root(), snapshot.parse().unwrap()),
        ),
        ("pools", Place::Pools),
        ("pools/NAME", Place::Pool("poolA".parse().unwrap())),
        ("media", Place::Media),
        ("media/LABEL", Place::Medium("A00001L8".parse().unwrap(), set_as_medium())),
        ("media-sets/UUID", Place::MediaSet(set())),
        (
            "media-sets/UUID/STORE/TYPE/ID",
            Place::SetGroup(set(), store(), "vm/100".parse().unwrap()),
        ),
        (
            "media-sets/UUID/STORE/TYPE/ID/TIME",
            Place::SetSnapshot(set(), store(), snapshot.parse().unwrap()),
        ),
        ("changers", Place::Changers),
        ("changers/NAME", Place::Changer("sl3".parse().unwrap())),
        ("drives", Place::Drives),
        ("drives/NAME", Place::Drive("drive0".parse().unwrap())),
        ("remotes", Place::Remotes),
        ("remotes/NAME", Place::Remote("pbs2".parse().unwrap())),
        ("sync-jobs", Place::SyncJobs),
        ("sync-jobs/ID", Place::SyncJob("job1".parse().unwrap())),
        ("media-verify-jobs", Place::MediaVerifyJobs),
        ("media-verify-jobs/ID", Place::MediaVerifyJob("job1".parse().unwrap())),
        ("backup-jobs", Place::BackupJobs),
        ("backup-jobs/ID", Place::BackupJob("job1".parse().unwrap())),
        ("keys", Place::Keys),
        ("keys/FINGERPRINT", Place::Key(reel_types::Fingerprint([7; 32]))),
        ("users", Place::Users),
        ("users/ID", Place::User("sync@pbs".parse().unwrap())),
        ("acl", Place::Acl),
        ("tasks/UPID", Place::Task(upid.parse().unwrap())),
    ]
}

fn set_as_medium() -> reel_types::MediaId {
    "5c6facb6-eed5-4383-b60a-0249b34877b9".parse().unwrap()
}

/// Where in the tree each command can be given, as which verb.
fn verbs_of_commands() -> BTreeMap<String, Vec<String>> {
    let mut verbs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (folder, place) in places() {
        for verb in place.verbs() {
            let words = verb.words.join(" ");
            let repeated = if verb.confirm.is_some() { " …" } else { "" };
            let slash = if folder.is_empty() { "" } else { "/" };
            let text = format!("`{folder}{slash}ctl`: {words}{repeated}");
            verbs.entry(verb.info.name()).or_default().push(text);
        }
    }
    verbs
}

fn table() -> String {
    let verbs = verbs_of_commands();
    let mut table = String::from(
        "| command (`reelctl …`, `\"command\"`) | does | in the tree (… repeats the name) |\n| --- | --- | --- |\n",
    );
    for info in COMMANDS {
        let in_tree = verbs.get(&info.name()).map(|places| places.join("<br>"));
        let (call, does) = (call(info), info.help.replace('\n', " "));
        let _ = writeln!(table, "| `{call}` | {} | {} |", does.trim(), in_tree.unwrap_or_default());
    }
    table
}

/// The words and what must be given with them.
fn call(info: &CommandInfo) -> String {
    let mut call = info.name();
    for param in info.params.iter().filter(|param| param.required) {
        let _ = match info.arguments().any(|argument| argument.name == param.name) {
            true => write!(call, " <{}>", param.name),
            false => write!(call, " --{} …", param.name),
        };
    }
    call
}

#[test]
fn the_table_of_verbs_is_the_programs() {
    let path = root().join("docs/tree.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(TABLE_BEGIN).unwrap();
    let (written, tail) = rest.split_once(TABLE_END).unwrap();
    if std::env::var_os("REELFS_UPDATE_DOCS").is_some() {
        fs::write(&path, [head, TABLE_BEGIN, &table(), TABLE_END, tail].concat()).unwrap();
        return;
    }
    assert!(
        written == table(),
        "docs/tree.md is behind the commands; run this test with REELFS_UPDATE_DOCS=1. It should say:\n{}",
        table()
    );
}

#[test]
fn every_verb_of_the_tree_is_a_command() {
    for name in verbs_of_commands().keys() {
        assert!(COMMANDS.iter().any(|info| info.is_called(name)), "{name}");
    }
}

/// Pages for people, at the root and in `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [root(), root().join("docs"), root().join("fuzz")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

/// What in a text looks like a file of this repository.
fn mentioned_files(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| c.is_whitespace() || "`()[]<>,;:|\"'*".contains(c);
    text.split(is_end).map(|word| word.trim_end_matches('.')).filter(|word| {
        let folders =
            ["docs/", "tests/", "scripts/", "fuzz/", "systemd/", "daemon/", "hw/", "ctl/", "fs/"];
        let is_file = [".md", ".rs", ".toml", ".service"].iter().any(|end| word.ends_with(end));
        is_file && folders.iter().any(|folder| word.starts_with(folder)) && !word.contains("NAME")
    })
}

#[test]
fn pages_send_nobody_to_files_that_are_not_there() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for file in mentioned_files(&text) {
            assert!(root().join(file).exists(), "{} mentions {file}", page.display());
        }
    }
}
