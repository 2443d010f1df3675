//! docs/architecture.md against the crates as they are: its table of folders, crates and arrows, the rooms of
//! `unsafe`, and which crate may touch what of the world.
//!
//! The page is the source: whoever draws a new arrow changes it there, for others to see, and this test
//! compares.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The files that may hold `unsafe`; docs/architecture.md says why there.
const UNSAFE_ROOMS: &[&str] = &[
    "daemon/index/src/mapping.rs",
    "hw/src/transport/sg.rs",
    "hw/src/transport/st.rs",
    "hw/vtl/src/ring.rs",
];

/// Libraries that decide what a crate can know of, and the crates that may import them.
const KEPT_APART: &[(&str, &[&str])] = &[
    ("fuser", &["reel-fs"]),
    ("memmap2", &["reel-index"]),
    ("tokio", &["reeld", "reelctl", "reel-remote"]),
    ("axum", &["reeld"]),
    ("lettre", &["reeld"]),
    ("hyper", &["reeld", "reelctl", "reel-remote"]),
];

/// What `daemon/types` must not use: it knows of no I/O.
const IO: &[&str] = &["std::fs", "std::net", "std::process", "std::os"];

/// A row of the page's table.
struct Row {
    folder: String,
    krate: String,
    imports: BTreeSet<String>,
    is_of_later_issue: bool,
}

/// A member of the workspace, as cargo sees it.
struct Member {
    folder: String,
    imports: BTreeSet<String>,
    imports_in_tests: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page() -> String {
    fs::read_to_string(root().join("docs/architecture.md")).unwrap()
}

/// What stands between backquotes in a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn rows() -> Vec<Row> {
    let page = page();
    let table = page.lines().skip_while(|line| !line.starts_with("| folder | crate | imports |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Row {
            folder: quoted(cells[1]).next().unwrap().trim_end_matches('/').to_owned(),
            krate: quoted(cells[2]).next().unwrap().to_owned(),
            imports: quoted(cells[3]).map(str::to_owned).collect(),
            is_of_later_issue: cells[2].contains("(issue "),
        }
    })
    .collect()
}

fn members() -> BTreeMap<String, Member> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (text(&package["name"]), member(package))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn member(package: &Value) -> Member {
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap();
    let (in_tests, imports): (Vec<_>, Vec<_>) =
        package["dependencies"].as_array().unwrap().iter().partition(|it| it["kind"] == "dev");
    let names = |dependencies: Vec<&Value>| {
        dependencies.into_iter().map(|dependency| text(&dependency["name"])).collect()
    };
    Member {
        folder: folder.to_str().unwrap().to_owned(),
        imports: names(imports),
        imports_in_tests: names(in_tests),
    }
}

fn ours(names: &BTreeSet<String>, members: &BTreeMap<String, Member>) -> BTreeSet<String> {
    names.iter().filter(|name| members.contains_key(*name)).cloned().collect()
}

#[test]
fn every_crate_stands_in_its_folder() {
    let members = members();
    let there: BTreeSet<_> =
        members.iter().map(|(name, member)| (name.clone(), member.folder.clone())).collect();
    let rows = rows();
    let drawn: BTreeSet<_> = rows
        .iter()
        .filter(|row| !row.is_of_later_issue)
        .map(|row| (row.krate.clone(), row.folder.clone()))
        .collect();
    assert_eq!(there, drawn);
    for row in rows.iter().filter(|row| row.is_of_later_issue) {
        assert!(!root().join(&row.folder).exists(), "{} is said to come later", row.folder);
    }
}

#[test]
fn arrows_are_those_of_the_page() {
    let members = members();
    for row in rows().iter().filter(|row| !row.is_of_later_issue) {
        let member = &members[&row.krate];
        if row.folder != "tests" {
            assert_eq!(ours(&member.imports, &members), row.imports, "imports of {}", row.krate);
            let in_tests = ours(&member.imports_in_tests, &members);
            assert!(in_tests.is_subset(&row.imports), "{} imports {in_tests:?}", row.krate);
        }
    }
}

#[test]
fn no_arrow_leads_up() {
    let order: Vec<String> = rows().into_iter().map(|row| row.krate).collect();
    let place = |name: &String| order.iter().position(|krate| krate == name).unwrap();
    for row in rows() {
        for import in &row.imports {
            assert!(place(import) < place(&row.krate), "{} imports {import}", row.krate);
        }
    }
}

#[test]
fn libraries_are_kept_to_their_crates() {
    for (name, member) in members() {
        for (library, allowed) in KEPT_APART {
            let is_used = member.imports.contains(*library);
            assert!(!is_used || allowed.contains(&name.as_str()), "{name} imports {library}");
        }
    }
}

#[test]
fn types_know_of_no_input_and_output() {
    for (path, source) in sources(&root().join("daemon/types/src")) {
        if path.ends_with("tests.rs") {
            continue;
        }
        let code = source.split("#[cfg(test)]").next().unwrap();
        for word in IO {
            assert!(!code.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn unsafe_is_forbidden_but_for_the_rooms() {
    let manifest = |folder: &str| {
        fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap().replace('\r', "")
    };
    assert!(manifest(".").contains("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
    for (name, member) in members() {
        let text = manifest(&member.folder);
        let has_room = UNSAFE_ROOMS.iter().any(|room| room.starts_with(&member.folder));
        let wanted = if has_room {
            "[lints.rust]\nunsafe_code = \"deny\"\n"
        } else {
            "[lints]\nworkspace = true\n"
        };
        assert!(text.contains(wanted), "{name} must say {wanted:?}");
        for (path, source) in sources(&root().join(&member.folder)) {
            check_unsafe(&path, &source);
        }
    }
}

fn check_unsafe(path: &Path, source: &str) {
    let shown = path.strip_prefix(root()).unwrap();
    let is_room = UNSAFE_ROOMS.iter().any(|room| shown == Path::new(room));
    for (number, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap();
        if uses_unsafe(code) {
            assert!(is_room, "{}:{} is no room for unsafe", shown.display(), number + 1);
            assert!(source.contains("// SAFETY: "), "{} doesn't say why", shown.display());
        }
    }
}

/// Whether a line has an unsafe block, function, impl or extern, or lifts the lint.
fn uses_unsafe(code: &str) -> bool {
    let opens = ["unsafe {", "unsafe fn ", "unsafe impl ", "unsafe extern ", "unsafe trait "];
    let lifts = ["allow(unsafe_code", "expect(unsafe_code"];
    // The quotes keep the words of this very list apart from code.
    opens
        .iter()
        .chain(&lifts)
        .any(|words| code.contains(words) && !code.contains(&format!("\"{words}")))
}

/// The Rust files below a folder, but for what other members and builds keep there.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_build = path.file_name().is_some_and(|name| name == "target");
        if path.is_dir() && !is_build {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            found.push((path, source));
        }
    }
    found
}
