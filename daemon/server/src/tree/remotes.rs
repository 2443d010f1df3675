//! `remotes/`: other servers.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_config::Remotes;
use reel_fs::{Entry, FnDir, Node};
use reel_types::RemoteName;
use reel_types::commands::{Place, RemoteShow};

use super::facts::{answer, fs_error, no_such, parsed};
use super::{Tree, live};

/// The folder of all remotes.
pub(super) fn remotes(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let listed = Remotes::new(&all.reeld.config).list();
        let (remotes, _) = listed.map_err(|error| fs_error(error.into()))?;
        Ok(remotes.iter().map(|remote| Entry::directory(remote.name.to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let remote: RemoteName = parsed(name)?;
        Remotes::new(&one.reeld.config).get(&remote).map_err(|_| no_such(name))?;
        Ok(self::remote(&one, remote))
    };
    let refusal = "'create NAME host=HOST auth-id=USER password-file=FILE' and 'remove NAME' in remotes/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Remotes, refusal)).node()
}

fn remote(tree: &Arc<Tree>, name: RemoteName) -> Node {
    let refusal = format!("'remove {name}' in the remote's ctl takes it out of the configuration");
    tree.controlled(Place::Remote(name.clone()), refusal)
        .with_all(answer(tree, "config", RemoteShow { name: name.clone() }))
        .with_all(live::status(tree, &name))
        .with("datastores", live::datastores(tree, &name))
        .node()
}
