//! Pulling from a remote, or from another datastore: once, or by a sync job (`sync.md` §1, `cli-manager.md` §§3.2, 3.3).

use std::sync::Arc;

use reel_config::{Remotes, SyncJobConfig, SyncLimits};
use reel_remote::pull::{self, NamespaceMapping, PullJob, Source, WORKERS};
use reel_remote::{Client, ClientOptions, Endpoint, Login};
use reel_types::commands::Pull;
use reel_types::{AuthId, Authorizer, Namespace, RemoteName, TaskContext, Upid};

use super::Done;
use super::configured_jobs::JobKind;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::stores::StoreInUse;
use crate::tasks::{Task, TaskFailure};

/// A pull that can begin, and the datastores that it uses.
struct ReadyPull {
    job: PullJob,
    _in_use: Vec<StoreInUse>,
}

impl Reeld {
    pub(super) fn pull(self: &Arc<Self>, command: &Pull, who: &AuthId) -> Outcome<Done> {
        let config = one_time(command, who)?;
        config.check_itself().map_err(Failure::invalid)?;
        let ready = self.ready_pull(&config)?;
        let id = command.store.to_string();
        let upid = self.tasks.start("sync", &id, who, move |task| {
            task.log(&format!("pull {}", what_into_what(&config)));
            pull_and_tell(&ready.job, task).map(drop)
        })?;
        Ok(Done::Task(upid))
    }

    /// Starts a run of a sync job; `schedule` is what it was triggered by, if it was not by hand.
    pub(super) fn start_sync_job(
        self: &Arc<Self>,
        config: SyncJobConfig,
        who: &AuthId,
        schedule: Option<String>,
    ) -> Outcome<Upid> {
        let (reeld, id) = (Arc::clone(self), config.id.clone());
        let worker_id = worker_id(&config);
        self.run_job(SyncJobConfig::job(&id), &worker_id, who, move |task| {
            task.log(&format!("starting datastore sync job '{}'", config.id));
            if let Some(event) = schedule {
                task.log(&format!("task triggered by schedule '{event}'"));
            }
            task.log(&format!("sync {}", what_into_what(&config)));
            let ready = reeld.ready_pull(&config)?;
            pull_and_tell(&ready.job, task)?;
            task.log(&format!("sync job '{}' end", config.id));
            Ok(())
        })
    }

    fn ready_pull(&self, config: &SyncJobConfig) -> Outcome<ReadyPull> {
        let target = self.stores.begin_writing(&config.store)?;
        let (source, reading) = match &config.remote {
            Some(remote) => (self.remote_source(remote, config)?, None),
            None => {
                let reading = self.stores.begin_reading(&config.remote_store)?;
                (Source::Local(Arc::clone(reading.store())), Some(reading))
            }
        };
        let job = PullJob {
            source,
            target: Arc::clone(target.store()),
            anchors: NamespaceMapping {
                source: config.remote_ns.clone().unwrap_or_default(),
                target: config.ns.clone().unwrap_or_default(),
            },
            max_depth: config.max_depth,
            owner: config.owner.clone().unwrap_or_else(AuthId::root),
            filters: config.group_filter.clone(),
            remove_vanished: config.remove_vanished.unwrap_or(false),
            transfer_last: config.transfer_last,
            resync_corrupt: config.resync_corrupt.unwrap_or(false),
            workers: config
                .worker_threads
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(WORKERS),
            rights: Arc::clone(self.rights()) as Arc<dyn Authorizer>,
            commit_points: Arc::clone(&self.tape.commit_points),
        };
        job.check()?;
        Ok(ReadyPull { job, _in_use: reading.into_iter().chain([target]).collect() })
    }

    fn remote_source(&self, name: &RemoteName, config: &SyncJobConfig) -> Outcome<Source> {
        let remote = Remotes::new(&self.config).get(name)?;
        let options = ClientOptions { limits: (&config.limits).into(), ..Default::default() };
        let client = Client::new(Endpoint::of(&remote), Login::of(&remote)?, options);
        Ok(Source::Remote { client: Arc::new(client), store: config.remote_store.clone() })
    }
}

/// A pull by hand, as a job that is nowhere configured.
fn one_time(command: &Pull, who: &AuthId) -> Outcome<SyncJobConfig> {
    let (store, remote_store) = (command.store.clone(), command.remote_store.clone());
    Ok(SyncJobConfig {
        remote: Some(command.remote.clone()),
        ns: command.ns.clone(),
        remote_ns: command.remote_ns.clone(),
        owner: Some(who.clone()),
        remove_vanished: Some(command.remove_vanished),
        max_depth: command.max_depth,
        group_filter: command.group_filter.clone(),
        limits: SyncLimits {
            rate_in: command.rate_in,
            burst_in: command.burst_in,
            rate_out: command.rate_out,
            burst_out: command.burst_out,
        },
        transfer_last: command.transfer_last.map(|count| count.get()),
        resync_corrupt: Some(command.resync_corrupt),
        ..SyncJobConfig::new("pull".parse()?, store, remote_store)
    })
}

/// Errors of groups don't stop a pull; they fail it when all is done.
fn pull_and_tell(job: &PullJob, task: &Task) -> Result<(), TaskFailure> {
    let summary = pull::pull(job, task)?;
    task.log(&summary.to_string());
    for error in &summary.errors {
        task.log(&format!("failed: {error}"));
    }
    match summary.error_count {
        0 => Ok(()),
        _ => Err("sync failed with some errors".into()),
    }
}

/// `'pbs2/local' into 'store1'`.
fn what_into_what(config: &SyncJobConfig) -> String {
    let remote = config.remote.as_ref().map(|remote| format!("{remote}/")).unwrap_or_default();
    format!("datastore '{remote}{}' into '{}'", config.remote_store, config.store)
}

/// `{remote or "-"}:{remote-store}:{store}:{ns}:{job}` (`sync.md` §1).
fn worker_id(config: &SyncJobConfig) -> String {
    let remote = config.remote.as_ref().map_or("-", RemoteName::as_str);
    let ns = config.ns.clone().unwrap_or_else(Namespace::root);
    format!("{remote}:{}:{}:{ns}:{}", config.remote_store, config.store, config.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sync.md` §14, test vector 11.
    #[test]
    fn the_ids_of_tasks() {
        let job = |id: &str, store: &str, source: &str| {
            SyncJobConfig::new(id.parse().unwrap(), store.parse().unwrap(), source.parse().unwrap())
        };
        let mut remote = job("pbs2-local", "local", "local");
        remote.remote = Some("pbs2".parse().unwrap());
        assert_eq!(worker_id(&remote), "pbs2:local:local::pbs2-local");
        let mut local = job("job1", "dst", "src");
        local.ns = Some("a/b".parse().unwrap());
        assert_eq!(worker_id(&local), "-:src:dst:a/b:job1");
    }
}
