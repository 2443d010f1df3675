//! An open handle on a control file: takes lines, answers reads.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::attributes::Caller;
use crate::control::script::{LINE_BYTES_MAX, Line, Script};
use crate::control::{ControlFile, Outcome, Work};
use crate::error::FsError;
use crate::fact::slice;
use crate::guard::{guarded, guarded_async, locked};
use crate::spawn::{Spawner, run_blocking};
use crate::waiters::Watch;

/// State of one open of a control file.
pub(crate) struct ControlSession {
    file: Arc<ControlFile>,
    spawner: Arc<dyn Spawner>,
    watch: Watch,
    /// Held through a whole write, so that writes to one handle run one after the other.
    script: futures_util::lock::Mutex<Running>,
    answer: Mutex<Answer>,
}

#[derive(Default)]
struct Running {
    script: Script,
    /// The line at which the last write came to its end, with the reason. Its writer was told a
    /// short count and comes back with the rest; the line is then refused and not tried again.
    refused: Option<(Vec<u8>, FsError)>,
}

/// What reads of this handle give: the grammar, or after a write how it went.
struct Answer {
    text: Bytes,
    /// The offset that counts as the text's beginning. A handle has one position for reads and
    /// writes, so the first read after a write comes with any offset; `None` until then.
    start: Option<u64>,
}

impl ControlSession {
    pub(crate) fn open(
        file: Arc<ControlFile>,
        spawner: Arc<dyn Spawner>,
        watch: Watch,
    ) -> Result<Self, FsError> {
        let grammar = file.control.grammar();
        Ok(Self {
            file,
            spawner,
            watch,
            script: futures_util::lock::Mutex::default(),
            answer: Mutex::new(Answer { text: grammar.into(), start: Some(0) }),
        })
    }

    pub(crate) fn read(&self, offset: u64, size: u32) -> Bytes {
        let mut answer = locked(&self.answer);
        let start = answer.start.map_or(offset, |start| start.min(offset));
        answer.start = Some(start);
        slice(&answer.text, offset - start, size)
    }

    /// Runs the lines that `data` completes. Gives the count of bytes taken, or why the first
    /// line was refused.
    pub(crate) async fn write(&self, data: &[u8], caller: &Caller) -> Result<u32, FsError> {
        let mut running = self.script.lock().await;
        let lines = running.script.push(data);
        let before = running.refused.take();
        let mut tasks = Vec::new();
        let mut taken = 0;
        for (number, line) in lines.into_iter().enumerate() {
            let known = before.as_ref().filter(|(text, _)| number == 0 && *text == line.text);
            let result = match known {
                Some((_, error)) => Err(error.clone()),
                None => self.run_line(&line, caller).await,
            };
            match result {
                Ok(outcome) => tasks.extend(outcome),
                Err(error) => {
                    running.script.cut();
                    self.answer(error.message());
                    if taken == 0 {
                        return Err(error);
                    }
                    // A command that a signal interrupted may be tried again.
                    if error.errno() != libc::EINTR {
                        running.refused = Some((line.text, error));
                    }
                    return Ok(taken);
                }
            }
            taken = count(line.end);
        }
        self.answer(tasks.last().map_or("", String::as_str));
        Ok(count(data.len()))
    }

    /// The handle is being closed, perhaps one of several times: what still waits is not run.
    pub(crate) fn flush(&self, caller: &Caller) -> Result<(), FsError> {
        // A write that still runs on a copy of the handle will have its own flush.
        let Some(mut running) = self.script.try_lock() else { return Ok(()) };
        let Some(cut) = running.script.cut() else { return Ok(()) };
        let error = FsError::invalid(
            "the line has no newline and came in a write of 4096 bytes or more, so it may be \
             half a command: it was not run; end the last line with a newline",
        );
        let line = self.file.control.remembered(&String::from_utf8_lossy(&cut));
        self.file.log.refused(caller, &line, &error);
        Err(error)
    }

    /// Runs one line and logs its refusal. The id of a task where it became one.
    async fn run_line(&self, line: &Line, caller: &Caller) -> Result<Option<String>, FsError> {
        let text = String::from_utf8_lossy(&line.text);
        let command = text.trim();
        if command.is_empty() {
            return Ok(None);
        }
        let result = match understandable(&line.text) {
            Ok(()) => self.execute(command, caller).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(Outcome::Done) => Ok(None),
            Ok(Outcome::Task(id)) => {
                self.file.log.started(&id);
                Ok(Some(id))
            }
            Err(error) => {
                self.file.log.refused(caller, &self.file.control.remembered(command), &error);
                Err(error)
            }
        }
    }

    async fn execute(&self, command: &str, caller: &Caller) -> Result<Outcome, FsError> {
        let work = guarded("ctl", || Ok(self.file.control.execute(command, caller)))?;
        match work {
            Work::Now(result) => result,
            Work::Blocking(work) => run_blocking(self.spawner.as_ref(), "ctl", work).await,
            Work::Waiting(work) => {
                self.watch.until_signal(caller.pid, guarded_async("ctl", work)).await
            }
        }
    }

    fn answer(&self, line: &str) {
        let text = if line.is_empty() { String::new() } else { format!("{line}\n") };
        *locked(&self.answer) = Answer { text: text.into(), start: None };
    }
}

fn understandable(line: &[u8]) -> Result<(), FsError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(FsError::invalid(format!(
            "the line is longer than {LINE_BYTES_MAX} bytes; write one command a line"
        )));
    }
    match std::str::from_utf8(line) {
        Ok(text) if !text.contains('\0') => Ok(()),
        _ => Err(FsError::invalid("the line is not text in UTF-8; nothing was run")),
    }
}

/// A write is never longer than its request, which counts in 32 bits.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
