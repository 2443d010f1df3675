//! Following a task (`cli-manager.md` §3.8): its log goes to standard output, how far it has come to a
//! bar on standard error. Ctrl-C asks the task to stop, again leaves it alone.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reel_types::api::{TaskLogPage, TaskProgress};
use reel_types::commands::TaskStop;
use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Client;
use crate::failure::Failure;

/// What Ctrl-C does the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// The task is asked to stop, and followed on.
    StopTask,
    /// The task goes on unwatched; that is no failure.
    Leave,
}

/// Which lines of a log are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// All.
    Log,
    /// All but the one that tells how the task ended.
    Report,
}

/// Follows a task to its end, or to where the user leaves it.
pub async fn follow(
    client: &Client,
    upid: &str,
    on_interrupt: OnInterrupt,
    shown: Shown,
    progress: bool,
) -> Result<(), Failure> {
    let mut log = LogView::new(shown, progress);
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut stopping = false;
    loop {
        let page = tokio::select! {
            page = client.task_log(upid, log.next_line) => page?,
            _ = interrupts.recv() => {
                match (on_interrupt, stopping) {
                    (OnInterrupt::Leave, _) => return Ok(()),
                    (OnInterrupt::StopTask, true) => {
                        return Err(Failure::Interrupted(upid.into()));
                    }
                    (OnInterrupt::StopTask, false) => stop(client, upid).await?,
                }
                stopping = true;
                continue;
            }
        };
        log.show(&page)?;
        if !page.active && log.next_line > page.total {
            break;
        }
        if page.lines.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    log.close();
    let status = client.task_status(upid).await?;
    if status.succeeded() {
        return Ok(());
    }
    Err(Failure::Task(status.exitstatus.unwrap_or_else(|| "unknown".into())))
}

/// Between two requests where the first brought nothing, so that a daemon that doesn't wait isn't
/// asked all the time.
const PAUSE: Duration = Duration::from_millis(200);

async fn stop(client: &Client, upid: &str) -> Result<(), Failure> {
    let params = Map::from_iter([("upid".to_owned(), Value::from(upid))]);
    client.command(&TaskStop::INFO, params).await.map(drop)
}

/// Log and bar on the terminal.
struct LogView {
    next_line: u64,
    shown: Shown,
    progress: bool,
    /// From the moment on that the task tells how far it is.
    bar: Option<ProgressBar>,
}

impl LogView {
    fn new(shown: Shown, progress: bool) -> Self {
        Self { next_line: 1, shown, progress, bar: None }
    }

    fn show(&mut self, page: &TaskLogPage) -> Result<(), Failure> {
        let mut text = String::new();
        for line in &page.lines {
            self.next_line = line.n + 1;
            if self.shown == Shown::Report && line.text().starts_with("TASK ") {
                continue;
            }
            text.push_str(line.text());
            text.push('\n');
        }
        let print = || {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        };
        match &self.bar {
            Some(bar) if !text.is_empty() => bar.suspend(print)?,
            _ => print()?,
        }
        if let Some(progress) = page.progress.as_ref().filter(|_| self.progress) {
            advance(self.bar.get_or_insert_with(ProgressBar::no_length), progress);
        }
        Ok(())
    }

    fn close(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn advance(bar: &ProgressBar, progress: &TaskProgress) {
    if bar.length() != Some(progress.total) {
        bar.set_style(style(&progress.what));
        bar.set_length(progress.total);
    }
    bar.set_message(progress.what.clone());
    bar.set_position(progress.done);
}

fn style(what: &str) -> ProgressStyle {
    let amount = match what {
        "bytes" => "{binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}",
        _ => "{pos} of {len} {msg}",
    };
    ProgressStyle::with_template(&format!("[{{bar:30}}] {{percent:>3}}%  {amount}  {{eta}} left"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
