//! A task's log file: lines with a local time stamp, the last one telling the end (`config.md` §9.3).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use reel_types::{TimeZone, parse_rfc3339, rfc3339};

use super::status::{TaskEnd, TaskStatus};

/// How much of a log's end is read to find its last line.
const TAIL_BYTES_MAX: u64 = 8 * 1024;

/// Length of a time stamp together with the `: ` behind it.
pub const STAMP_CHARS: usize = 27;

/// The log of a running task, open for appending.
#[derive(Debug)]
pub(super) struct LogWriter {
    file: File,
    zone: TimeZone,
}

impl LogWriter {
    /// Creates the log; it must not exist yet.
    pub(super) fn create(path: &Path, zone: TimeZone) -> io::Result<Self> {
        let file = File::options().append(true).create_new(true).mode(0o644).open(path)?;
        Ok(Self { file, zone })
    }

    /// Appends `text`, every line of it with a stamp of its own.
    pub(super) fn append(&mut self, now: i64, text: &str) -> io::Result<u64> {
        let stamp = rfc3339(now, &self.zone);
        let lines: Vec<String> = text.lines().map(|line| format!("{stamp}: {line}\n")).collect();
        self.file.write_all(lines.concat().as_bytes())?;
        u64::try_from(lines.len()).map_err(io::Error::other)
    }

    /// Makes the log durable; called once, at the end of a task.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Lines `start..start + limit` of a log, counted from 0, with their stamps, and how many there are.
pub(super) fn read_lines(path: &Path, start: u64, limit: u64) -> io::Result<(Vec<String>, u64)> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut wanted, mut total, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || !line.ends_with(b"\n") {
            return Ok((wanted, total));
        }
        if total >= start && total - start < limit {
            wanted.push(String::from_utf8_lossy(&line[..line.len() - 1]).into_owned());
        }
        total += 1;
    }
}

/// How the task that wrote this log ended, from its last line.
///
/// A last line that doesn't say gives [`TaskStatus::Unknown`], at that line's time or at
/// `started` where there is none.
pub(super) fn read_end(path: &Path, started: i64) -> io::Result<TaskEnd> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(end_of(&String::from_utf8_lossy(&tail), started))
}

fn end_of(tail: &str, started: i64) -> TaskEnd {
    let last = tail.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default();
    let Some((stamp, text)) = last.split_once(": ") else {
        return TaskEnd { time: started, status: TaskStatus::Unknown };
    };
    let time = parse_rfc3339(stamp).unwrap_or(started);
    let status = text.strip_prefix("TASK ").map_or(TaskStatus::Unknown, TaskStatus::from_log);
    TaskEnd { time, status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_numbered_and_stamped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = LogWriter::create(&path, TimeZone::UTC).unwrap();
        log.append(1_717_597_476, "one\ntwo").unwrap();
        log.append(1_717_597_477, "TASK OK").unwrap();
        let (lines, total) = read_lines(&path, 1, 1).unwrap();
        assert_eq!((lines, total), (vec!["2024-06-05T14:24:36+00:00: two".to_string()], 3));
        assert_eq!(STAMP_CHARS, "2024-06-05T14:24:36+00:00: ".len());
        let end = read_end(&path, 0).unwrap();
        assert_eq!(end, TaskEnd { time: 1_717_597_477, status: TaskStatus::Ok });
    }

    #[test]
    fn a_log_that_was_cut_off_has_an_unknown_end() {
        let end = end_of("2024-06-05T14:24:36+00:00: wrote 4 chunks\n", 5);
        assert_eq!(end, TaskEnd { time: 1_717_597_476, status: TaskStatus::Unknown });
        assert_eq!(end_of("", 5), TaskEnd { time: 5, status: TaskStatus::Unknown });
        let failed = end_of("2024-06-05T14:24:36+00:00: TASK ERROR: a: b\n\n", 5);
        assert_eq!(failed.status, TaskStatus::Error("a: b".into()));
    }

    #[test]
    fn a_log_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "kept").unwrap();
        assert!(LogWriter::create(&path, TimeZone::UTC).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
    }
}
