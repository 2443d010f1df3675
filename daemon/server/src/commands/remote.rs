//! Remotes (`cli-manager.md` §3.1).

use reel_config::{RemoteConfig, Remotes, StoredPassword};
use reel_remote::{Client, ClientOptions, Endpoint, Login, RemoteError};
use reel_types::commands::results::{RemoteCheckEntry, RemoteEntry};
use reel_types::commands::{
    ParamErrors, RemoteCheck, RemoteCreate, RemoteRemove, RemoteShow, RemoteUpdate,
};
use reel_types::{AuthId, RemoteName};

use super::secrets::password;
use super::{Done, config_digest, kept};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn remote_list(&self) -> Outcome<Done> {
        let (mut remotes, _) = Remotes::new(&self.config).list()?;
        remotes.sort_by(|a, b| a.name.cmp(&b.name));
        Done::data(remotes.into_iter().map(entry).collect::<Vec<_>>())
    }

    pub(super) fn remote_show(&self, command: &RemoteShow) -> Outcome<Done> {
        Done::data(entry(Remotes::new(&self.config).get(&command.name)?))
    }

    /// A client of a remote, without limits.
    pub(crate) fn remote_client(&self, name: &RemoteName) -> Outcome<Client> {
        let remote = Remotes::new(&self.config).get(name)?;
        Ok(Client::new(Endpoint::of(&remote), Login::of(&remote)?, ClientOptions::default()))
    }

    pub(super) fn remote_check(&self, command: &RemoteCheck) -> Outcome<Done> {
        let client = self.remote_client(&command.name)?;
        let asked = async { Ok((client.version().await?, client.datastores().await?)) };
        let (version, stores) = wait_for(asked)?;
        Done::data(RemoteCheckEntry {
            datastores: stores.into_iter().map(|item| item.store).collect(),
            release: version.release,
            version: version.version,
        })
    }

    pub(super) fn remote_create(&self, command: &RemoteCreate, who: &AuthId) -> Outcome<Done> {
        let password = password(command.password.as_ref(), command.password_file.as_ref(), who)?;
        let password = password
            .ok_or_else(|| Failure::from(ParamErrors::one("password", ParamErrors::MISSING)))?;
        let remote = RemoteConfig {
            name: command.name.clone(),
            host: command.host.clone(),
            port: command.port.and_then(|port| u16::try_from(port.get()).ok()),
            auth_id: command.auth_id.clone(),
            password: StoredPassword::from(&password),
            fingerprint: command.fingerprint.map(|fingerprint| fingerprint.0),
            comment: command.comment.as_ref().and_then(kept),
        };
        Remotes::new(&self.config).create(&remote)?;
        Done::nothing()
    }

    pub(super) fn remote_update(&self, command: &RemoteUpdate, who: &AuthId) -> Outcome<Done> {
        let password = password(command.password.as_ref(), command.password_file.as_ref(), who)?;
        let digest = config_digest(command.digest.as_ref())?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        Remotes::new(&self.config).update(&command.name, &delete, digest.as_ref(), |remote| {
            remote.auth_id = command.auth_id.clone().unwrap_or(remote.auth_id.clone());
            remote.host = command.host.clone().unwrap_or(remote.host.clone());
            if let Some(password) = &password {
                remote.password = StoredPassword::from(password);
            }
            remote.fingerprint =
                command.fingerprint.map(|fingerprint| fingerprint.0).or(remote.fingerprint);
            remote.port =
                command.port.and_then(|port| u16::try_from(port.get()).ok()).or(remote.port);
            if let Some(comment) = &command.comment {
                remote.comment = kept(comment);
            }
            Ok(())
        })?;
        Done::nothing()
    }

    pub(super) fn remote_remove(&self, command: &RemoteRemove) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        RemoteConfig::remove(&self.config, &command.name, digest.as_ref())?;
        Done::nothing()
    }
}

fn entry(remote: RemoteConfig) -> RemoteEntry {
    RemoteEntry {
        auth_id: remote.auth_id,
        comment: remote.comment,
        fingerprint: remote.fingerprint,
        host: remote.host,
        name: remote.name,
        port: remote.port,
    }
}

/// Has the thread of a command wait for a server.
fn wait_for<T>(work: impl Future<Output = Result<T, RemoteError>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work)?)
}
