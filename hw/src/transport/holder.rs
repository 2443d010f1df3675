//! Which processes have a device open, as far as `/proc` tells: a user without root rights is told of its own alone.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A process that has a device open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pid: u32,
    name: String,
    node: PathBuf,
}

impl fmt::Display for Holder {
    /// `process 4711 (tar) has /dev/nst0 open`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({}) has {} open", self.pid, self.name, self.node.display())
    }
}

/// The first process, this one left out, that has one of these nodes open. `proc` is the system's `/proc`.
pub(super) fn holder(proc: &Path, nodes: &[PathBuf]) -> Option<Holder> {
    let processes = fs::read_dir(proc).ok()?.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (pid != std::process::id()).then(|| (pid, entry.path()))
    });
    let mut holders = processes.filter_map(|(pid, process)| {
        let node = open_node(&process.join("fd"), nodes)?;
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        Some(Holder { pid, name: name.trim_end().to_owned(), node })
    });
    holders.next()
}

/// The first of `nodes` that is among a process's open files. They are told by their names: asking for more could
/// wait for a file server that is gone.
fn open_node(descriptors: &Path, nodes: &[PathBuf]) -> Option<PathBuf> {
    let mut open = fs::read_dir(descriptors).ok()?.flatten();
    open.find_map(|entry| fs::read_link(entry.path()).ok().filter(|target| nodes.contains(target)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn who_has_a_node_open_is_named() {
        let root = tempfile::tempdir().unwrap();
        let add = |pid: u32, name: &str, open: &str| {
            let process = root.path().join(pid.to_string());
            fs::create_dir_all(process.join("fd")).unwrap();
            fs::write(process.join("comm"), format!("{name}\n")).unwrap();
            symlink(open, process.join("fd/3")).unwrap();
        };
        fs::create_dir(root.path().join("sys")).unwrap();
        add(1, "init", "/dev/console");
        add(std::process::id(), "self", "/dev/nst0");
        let nodes = ["/dev/st0", "/dev/nst0"].map(PathBuf::from);
        assert_eq!(holder(root.path(), &nodes), None);
        add(4711, "tar", "/dev/nst0");
        let said = holder(root.path(), &nodes).unwrap().to_string();
        assert_eq!(said, "process 4711 (tar) has /dev/nst0 open");
    }
}
