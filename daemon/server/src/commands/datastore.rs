//! Datastores: list, show, create, update, remove (`cli-manager.md` §3.4).

use std::path::Path;
use std::sync::Arc;

use reel_config::{AclFile, DatastoreConfig, Datastores, Entry, Operation};
use reel_store::StoreErrorKind;
use reel_store::chunk_store::ChunkStore;
use reel_types::commands::results::DatastoreEntry;
use reel_types::commands::{DatastoreCreate, DatastoreRemove, DatastoreShow, DatastoreUpdate};
use reel_types::{AclPath, AuthId, TaskContext};
use serde_json::{Map, Value};

use super::{Done, config_digest, kept};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::tasks::JobState;

impl Reeld {
    pub(super) fn datastore_list(&self) -> Outcome<Done> {
        let (mut configs, _) = Datastores::new(&self.config).list()?;
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        let entry = |config: DatastoreConfig| DatastoreEntry {
            path: config.path.to_string(),
            comment: config.comment.map(|comment| comment.to_string()),
            name: config.name,
        };
        Done::data(configs.into_iter().map(entry).collect::<Vec<_>>())
    }

    pub(super) fn datastore_show(&self, command: &DatastoreShow) -> Outcome<Done> {
        let config = self.stores.config(&command.name)?;
        Done::data(with_name(&config))
    }

    pub(super) fn datastore_create(
        self: &Arc<Self>,
        command: &DatastoreCreate,
        who: &AuthId,
    ) -> Outcome<Done> {
        let path = command.path.as_path().to_path_buf();
        if self.stores.config(&command.name).is_ok() {
            let text = format!("datastore '{}' already exists", command.name);
            return Err(Failure::new(nix::libc::EEXIST, text));
        }
        if let Some(other) = self.stores.at_path(&path)? {
            let text = format!("'{}' is the datastore '{other}' already", path.display());
            return Err(Failure::new(nix::libc::EEXIST, text));
        }
        if !command.reuse_datastore && path.join(".chunks").exists() {
            let text = format!(
                "'{}' is a datastore already; use --reuse-datastore to take it as it is",
                path.display()
            );
            return Err(Failure::new(nix::libc::EEXIST, text));
        }
        let config = new_config(command)?;
        let (reeld, reuse) = (Arc::clone(self), command.reuse_datastore);
        let id = command.name.to_string();
        let upid = self.tasks.start("create-datastore", &id, who, move |task| {
            Ok(reeld.create_datastore(&config, &path, reuse, task)?)
        })?;
        Ok(Done::Task(upid))
    }

    fn create_datastore(
        &self,
        config: &DatastoreConfig,
        path: &Path,
        reuse: bool,
        task: &dyn TaskContext,
    ) -> Outcome<()> {
        let exists = path.join(".chunks").exists();
        if reuse && !exists {
            return Err(Failure::not_found(format!(
                "'{}' is not a datastore: it has no '.chunks' folder",
                path.display()
            )));
        }
        if !exists {
            task.log("Chunkstore create: 65536 folders");
            ChunkStore::create(&config.name, path, self.stores.environment().user)?;
        }
        Datastores::new(&self.config).create(config)?;
        let state = JobState::Created { time: self.clock.now() };
        self.jobs.save("garbage_collection", config.name.as_str(), &state)?;
        self.stores.open(&config.name, Operation::Lookup)?;
        Ok(())
    }

    pub(super) fn datastore_update(&self, command: &DatastoreUpdate) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        let updated = Datastores::new(&self.config).update(
            &command.name,
            &delete,
            digest.as_ref(),
            |config| {
                change(config, command.clone());
                Ok(())
            },
        )?;
        if updated.maintenance_mode.is_some_and(|mode| mode.refuses(Operation::Read)) {
            // So that its file system can be unmounted; whoever is at work holds it until done.
            self.stores.close(&command.name);
        }
        Done::nothing()
    }

    pub(super) fn datastore_remove(&self, command: &DatastoreRemove) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        let used = self.stores.environment().run.active_operations(&command.name);
        match used {
            Ok(count) if count.read + count.write > 0 => {
                let text =
                    format!("datastore '{}' is in use; wait until its tasks end", command.name);
                return Err(Failure::new(nix::libc::EBUSY, text));
            }
            Err(error) if error.kind() != StoreErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Datastores::new(&self.config).remove(&command.name, digest.as_ref())?;
        self.stores.close(&command.name);
        // Whoever makes another one of that name decides anew who may use it.
        let object = AclPath::datastore(&command.name);
        AclFile::new(&self.config).update(None, |tree| Ok(tree.remove_object(&object)))?;
        self.jobs.remove("garbage_collection", command.name.as_str())?;
        Done::nothing()
    }
}

fn new_config(command: &DatastoreCreate) -> Outcome<DatastoreConfig> {
    let path = command.path.to_string().parse()?;
    let mut config = DatastoreConfig::new(command.name.clone(), path);
    config.comment = command.comment.as_ref().and_then(kept);
    config.gc_schedule = command.gc_schedule.clone();
    config.maintenance_mode = command.maintenance_mode.clone().map(|mode| mode.0);
    config.notification_mode = command.notification_mode;
    config.notify = command.notify.clone();
    config.notify_user = command.notify_user.clone();
    config.tuning = command.tuning.clone();
    config.verify_new = command.verify_new;
    Ok(config)
}

/// What is given replaces what was there.
fn change(config: &mut DatastoreConfig, new: DatastoreUpdate) {
    if let Some(comment) = &new.comment {
        config.comment = kept(comment);
    }
    config.gc_schedule = new.gc_schedule.or(config.gc_schedule.take());
    config.maintenance_mode =
        new.maintenance_mode.map(|mode| mode.0).or(config.maintenance_mode.take());
    config.notification_mode = new.notification_mode.or(config.notification_mode);
    config.notify = new.notify.or(config.notify.take());
    config.notify_user = new.notify_user.or(config.notify_user.take());
    config.tuning = new.tuning.or(config.tuning.take());
    config.verify_new = new.verify_new.or(config.verify_new);
}

/// The keys that stand in a section, and its name.
fn with_name(config: &DatastoreConfig) -> Map<String, Value> {
    let mut section =
        reel_config::section::Section::new(DatastoreConfig::SECTION, config.name.as_str());
    config.write(&mut section);
    let mut object = Map::new();
    object.insert("name".into(), config.name.as_str().into());
    for (key, value) in section.properties() {
        let value = match value {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            text => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
        };
        object.insert(key.into(), value);
    }
    object
}
