//! PBS's files about tasks: `active`, `archive`, and a log for each (`config.md` §9.2).
//!
//! `active` has a line for each running task, `archive` one for each that ended, in the order of
//! their ends. Every start and every end of a task rewrites both under one lock, and moves entries
//! whose process has died to the archive with what their log says. So after `kill -9` the next start
//! finds the truth without any help.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use reel_types::Upid;

use super::log;
use super::status::{TaskEnd, TaskStatus};

/// An archive longer than this is rotated.
const ARCHIVE_BYTES_MAX: u64 = 524_287;
/// How many rotated archives are kept.
const ARCHIVES_MAX: usize = 20;

/// A line of `archive`: a task that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) upid: Upid,
    pub(super) end: TaskEnd,
}

/// The folder with the files about tasks.
#[derive(Debug, Clone)]
pub(super) struct TaskFiles {
    folder: PathBuf,
}

impl TaskFiles {
    /// Uses `folder`, which is created where it is missing.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder)?;
        Ok(Self { folder })
    }

    /// Where the log of a task lies.
    pub(super) fn log_path(&self, upid: &Upid) -> PathBuf {
        self.folder.join(upid.log_directory()).join(upid.to_string())
    }

    /// The same, with its folder made.
    pub(super) fn new_log_path(&self, upid: &Upid) -> io::Result<PathBuf> {
        let path = self.log_path(upid);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        }
        Ok(path)
    }

    /// Rewrites both lists: `running` is what this process runs, `is_alive` says it of others.
    pub(super) fn update(
        &self,
        running: &[Upid],
        is_own: impl Fn(&Upid) -> bool,
        is_alive: impl Fn(&Upid) -> bool,
        now: i64,
    ) -> io::Result<()> {
        let _lock = self.lock(FlockArg::LockExclusive)?;
        let mut active: Vec<Upid> = running.to_vec();
        let mut ended = Vec::new();
        for upid in self.read_active()? {
            match (is_own(&upid), is_alive(&upid)) {
                _ if running.contains(&upid) => {}
                (false, true) => active.push(upid),
                _ => ended.push(self.ended(upid, now)),
            }
        }
        ended.sort_by_key(|task| task.end.time);
        self.append_archive(&ended)?;
        let lines: String = active.iter().map(|upid| format!("{upid}\n")).collect();
        self.replace("active", lines.as_bytes())
    }

    /// All tasks that ended and are still in an archive, newest first.
    pub(super) fn finished(&self) -> io::Result<Vec<Finished>> {
        let _lock = self.lock(FlockArg::LockShared)?;
        let mut finished = Vec::new();
        for path in self.archives() {
            let mut lines = parse_archive(&read_archive(&path)?);
            lines.reverse();
            finished.append(&mut lines);
        }
        Ok(finished)
    }

    /// Rotates the archive where it has grown too long, and removes the logs of tasks that ended before all that are
    /// in an archive. Whether it had.
    pub(super) fn rotate(&self) -> io::Result<bool> {
        let _lock = self.lock(FlockArg::LockExclusive)?;
        let archive = self.folder.join("archive");
        if fs::metadata(&archive).map_or(0, |meta| meta.len()) <= ARCHIVE_BYTES_MAX {
            return Ok(false);
        }
        for number in (1..ARCHIVES_MAX).rev() {
            self.shift_archive(number)?;
        }
        fs::rename(&archive, self.folder.join("archive.1"))?;
        self.remove_forgotten_logs()?;
        Ok(true)
    }

    fn shift_archive(&self, number: usize) -> io::Result<()> {
        let next = self.folder.join(format!("archive.{}.zst", number + 1));
        let plain = self.folder.join(format!("archive.{number}"));
        if plain.exists() {
            let packed = zstd::encode_all(File::open(&plain)?, 0)?;
            write_whole(&next, &packed)?;
            return fs::remove_file(plain);
        }
        match fs::rename(self.folder.join(format!("archive.{number}.zst")), next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn remove_forgotten_logs(&self) -> io::Result<()> {
        let Some(oldest) = self.archives().last().map(|path| read_archive(path)).transpose()?
        else {
            return Ok(());
        };
        let Some(limit) = parse_archive(&oldest).first().map(|task| task.end.time) else {
            return Ok(());
        };
        let active = self.read_active()?;
        for folder in fs::read_dir(&self.folder)?.flatten().filter(is_log_folder) {
            for log in
                fs::read_dir(folder.path())?.flatten().filter(|log| is_of_ended(log, &active))
            {
                let modified = log.metadata()?.modified()?;
                if seconds(modified) < limit {
                    fs::remove_file(log.path())?;
                }
            }
        }
        Ok(())
    }

    /// The archives that are there, newest first.
    fn archives(&self) -> Vec<PathBuf> {
        let numbered = (1..=ARCHIVES_MAX)
            .flat_map(|n| [format!("archive.{n}"), format!("archive.{n}.zst")])
            .map(|name| self.folder.join(name));
        [self.folder.join("archive")].into_iter().chain(numbered).filter(|p| p.exists()).collect()
    }

    fn ended(&self, upid: Upid, now: i64) -> Finished {
        let end = log::read_end(&self.log_path(&upid), i64::from(upid.parts().starttime))
            .unwrap_or(TaskEnd { time: now, status: TaskStatus::Unknown });
        Finished { upid, end }
    }

    fn read_active(&self) -> io::Result<Vec<Upid>> {
        let text = read_or_empty(&self.folder.join("active"))?;
        Ok(text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect())
    }

    fn append_archive(&self, ended: &[Finished]) -> io::Result<()> {
        if ended.is_empty() {
            return Ok(());
        }
        let path = self.folder.join("archive");
        let mut file = File::options().append(true).create(true).mode(0o660).open(path)?;
        let lines: String = ended.iter().map(archive_line).collect();
        file.write_all(lines.as_bytes())?;
        file.sync_data()
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        write_whole(&self.folder.join(name), content)
    }

    fn lock(&self, kind: FlockArg) -> io::Result<Flock<File>> {
        let path = self.folder.join(".active.lock");
        let file = File::options().append(true).read(true).create(true).mode(0o660).open(&path)?;
        Flock::lock(file, kind).map_err(|(_, errno)| {
            io::Error::other(format!("lock '{}': {}", path.display(), errno.desc()))
        })
    }
}

fn is_log_folder(entry: &fs::DirEntry) -> bool {
    entry
        .file_name()
        .to_str()
        .is_some_and(|name| name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a file is the log of a task that doesn't run; files of anybody else are nobody's to remove.
fn is_of_ended(log: &fs::DirEntry, active: &[Upid]) -> bool {
    let name = log.file_name();
    let upid: Option<Upid> = name.to_str().and_then(|name| name.parse().ok());
    upid.is_some_and(|upid| !active.contains(&upid))
}

fn seconds(time: std::time::SystemTime) -> i64 {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
    file.as_file().set_permissions(mode)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn read_or_empty(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn read_archive(path: &Path) -> io::Result<String> {
    if path.extension().is_some_and(|extension| extension == "zst") {
        let plain = zstd::decode_all(File::open(path)?)?;
        return Ok(String::from_utf8_lossy(&plain).into_owned());
    }
    read_or_empty(path)
}

/// The lines of an archive that can be read; others are left out with a warning.
fn parse_archive(text: &str) -> Vec<Finished> {
    text.lines()
        .filter_map(|line| {
            let parsed = parse_archive_line(line);
            if parsed.is_none() {
                tracing::warn!(line, "skipping a line of the task archive that makes no sense");
            }
            parsed
        })
        .collect()
}

fn parse_archive_line(line: &str) -> Option<Finished> {
    let mut fields = line.splitn(3, ' ');
    let upid = fields.next()?.parse().ok()?;
    let time = i64::from_str_radix(fields.next()?, 16).ok()?;
    let status = TaskStatus::from_list(fields.next()?);
    Some(Finished { upid, end: TaskEnd { time, status } })
}

fn archive_line(task: &Finished) -> String {
    format!("{} {:08X} {}\n", task.upid, task.end.time, task.end.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str =
        "UPID:pbs1:000020F3:0003CD51:00000001:6B044099:backup:store1\\x3ahost-alpha:alice@pbs:";
    const B: &str = "UPID:pbs1:000020F3:0003CD51:00000002:6B044099:rewind-media:vt0:root@pam:";

    fn upid(text: &str) -> Upid {
        text.parse().unwrap()
    }

    fn files() -> (tempfile::TempDir, TaskFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = TaskFiles::open(folder.path().join("tasks")).unwrap();
        (folder, files)
    }

    #[test]
    fn lines_of_a_real_archive() {
        let line = format!("{A} 6B04409A OK");
        let task = parse_archive_line(&line).unwrap();
        assert_eq!((task.end.time, &task.end.status), (0x6B04_409A, &TaskStatus::Ok));
        assert_eq!(archive_line(&task), format!("{line}\n"));
        assert!(parse_archive_line("UPID:x 1 OK").is_none());
        assert!(parse_archive_line(&format!("{A} OK")).is_none());
    }

    #[test]
    fn a_task_moves_from_active_to_archive_with_what_its_log_says() {
        let (_folder, files) = files();
        files.update(&[upid(A), upid(B)], |_| true, |_| true, 5).unwrap();
        let path = files.new_log_path(&upid(A)).unwrap();
        fs::write(path, "2024-06-05T14:24:36+00:00: TASK WARNINGS: 2\n").unwrap();
        files.update(&[upid(B)], |_| true, |_| true, 5).unwrap();
        let finished = files.finished().unwrap();
        assert_eq!(finished.len(), 1);
        assert_eq!(finished[0].end.status, TaskStatus::Warnings(2));
        assert_eq!(files.read_active().unwrap(), [upid(B)]);
    }

    #[test]
    fn tasks_of_a_dead_process_end_as_unknown() {
        let (_folder, files) = files();
        files.update(&[upid(A)], |_| true, |_| true, 5).unwrap();
        files.update(&[], |_| false, |_| false, 7).unwrap();
        let finished = files.finished().unwrap();
        assert_eq!(finished[0].end, TaskEnd { time: 7, status: TaskStatus::Unknown });
        assert!(files.read_active().unwrap().is_empty());
    }

    #[test]
    fn tasks_of_another_living_process_stay() {
        let (_folder, files) = files();
        files.update(&[upid(A)], |_| true, |_| true, 5).unwrap();
        files.update(&[], |_| false, |_| true, 7).unwrap();
        assert_eq!(files.read_active().unwrap(), [upid(A)]);
    }

    #[test]
    fn rotation_removes_the_logs_of_forgotten_tasks_alone() {
        let (_folder, files) = files();
        let old = |text: &str| {
            let path = files.new_log_path(&upid(text)).unwrap();
            fs::write(&path, "long ago\n").unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
            path
        };
        let (ended, running) = (old(A), old(B));
        let other = ended.with_file_name("notes");
        fs::rename(old(&A.replace("00000001:", "00000009:")), &other).unwrap();
        files.update(&[upid(B)], |_| true, |_| true, 5).unwrap();
        let line = format!("{} 6B04409A OK\n", A.replace("00000001:", "00000003:"));
        let count = usize::try_from(ARCHIVE_BYTES_MAX).unwrap() / line.len() + 1;
        fs::write(files.folder.join("archive"), line.repeat(count)).unwrap();
        files.rotate().unwrap();
        assert_eq!((ended.exists(), running.exists(), other.exists()), (false, true, true));
    }

    #[test]
    fn a_long_archive_is_rotated_and_still_read() {
        let (_folder, files) = files();
        let line = format!("{A} 6B04409A OK\n");
        let count = usize::try_from(ARCHIVE_BYTES_MAX).unwrap() / line.len() + 1;
        for _ in 0..3 {
            fs::write(files.folder.join("archive"), line.repeat(count)).unwrap();
            assert!(files.rotate().unwrap());
        }
        assert!(!files.rotate().unwrap());
        let names: Vec<_> = files.archives();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names[2].ends_with("archive.3.zst"));
        assert_eq!(files.finished().unwrap().len(), 3 * count);
    }
}
