//! Tasks: list, log, status, stop (`cli-manager.md` §3.7, `config.md` §9.4).

use reel_types::Privilege::SysAudit;
use reel_types::api::{TaskLogLine, TaskLogPage, TaskProgress, TaskStatusInfo};
use reel_types::commands::results::TaskListItem;
use reel_types::commands::{TaskList, TaskLog, TaskStop};
use reel_types::{AuthId, Upid};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::tasks::{TaskEnd, TaskEntry};

/// Lines of a log in one answer at most, so that a long log can't fill the memory: some MiB. Whoever wants more asks
/// again from where the answer ends.
const LOG_LINES_MAX: u64 = 10_000;

impl Reeld {
    pub(super) fn task_list(&self, command: &TaskList, who: &AuthId) -> Outcome<Done> {
        let tasks = self.tasks.list()?;
        let wanted = tasks.iter().filter(|task| command.all || task.end.is_none());
        let wanted = wanted.filter(|task| self.require_task(who, &task.upid, SysAudit).is_ok());
        let limit = usize::try_from(command.limit.get()).unwrap_or(usize::MAX);
        Done::data(wanted.take(limit).map(list_item).collect::<Vec<_>>())
    }

    pub(super) fn task_log(&self, command: &TaskLog) -> Outcome<Done> {
        Done::data(self.task_log_page(&command.upid, 0, u64::MAX)?)
    }

    /// Lines of a task's log from number `start` (from 0), at most `limit` and [`LOG_LINES_MAX`].
    pub(crate) fn task_log_page(
        &self,
        upid: &Upid,
        start: u64,
        limit: u64,
    ) -> Outcome<TaskLogPage> {
        let limit = limit.min(LOG_LINES_MAX);
        let running = self.tasks.running(upid);
        let (lines, total) =
            self.tasks.log_lines(upid, start, limit).map_err(|error| unknown(upid, error))?;
        let numbered = (start + 1..).zip(lines).map(|(n, t)| TaskLogLine { n, t });
        let progress = running.as_ref().and_then(|task| task.progress_now());
        Ok(TaskLogPage {
            lines: numbered.collect(),
            total,
            active: running.is_some(),
            progress: progress.map(|progress| TaskProgress {
                done: progress.done,
                total: progress.total,
                what: progress.what,
            }),
        })
    }

    /// How a task stands.
    pub(crate) fn task_status(&self, upid: &Upid) -> Outcome<TaskStatusInfo> {
        let end = self.tasks.end_of(upid).map_err(|error| unknown(upid, error))?;
        let parts = upid.parts();
        Ok(TaskStatusInfo {
            upid: upid.to_string(),
            node: "localhost".into(),
            pid: u64::from(parts.pid),
            pstart: parts.pstart,
            starttime: i64::from(parts.starttime),
            worker_type: parts.worker_type.clone(),
            id: parts.worker_id.clone(),
            user: parts.auth_id.user().into(),
            tokenid: parts.auth_id.token().map(Into::into),
            status: if end.is_some() { "stopped" } else { "running" }.into(),
            exitstatus: end.map(|end| end.status.to_string()),
        })
    }

    pub(super) fn task_stop(&self, command: &TaskStop) -> Outcome<Done> {
        if !self.tasks.stop(&command.upid) {
            self.task_status(&command.upid)?;
        }
        Done::nothing()
    }
}

fn unknown(upid: &Upid, error: std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Failure::not_found(format!("no such task '{upid}'"));
    }
    error.into()
}

fn list_item(task: &TaskEntry) -> TaskListItem {
    let parts = task.upid.parts();
    let end = task.end.as_ref();
    TaskListItem {
        endtime: end.map(|TaskEnd { time, .. }| *time),
        node: "localhost".into(),
        pid: u64::from(parts.pid),
        pstart: parts.pstart,
        starttime: i64::from(parts.starttime),
        status: end.map(|TaskEnd { status, .. }| status.to_string()),
        upid: task.upid.to_string(),
        user: parts.auth_id.clone(),
        worker_id: parts.worker_id.clone(),
        worker_type: parts.worker_type.clone(),
    }
}
