//! What this server is (`remote-protocol.md` §4.1).

use serde_json::json;

use crate::serve::answer::Reply;
use crate::serve::asked::Asked;
use crate::serve::refusal::Outcome;

/// The release of PBS whose protocol this is.
const VERSION: &str = "3.2";
const RELEASE: &str = "4";

pub(in crate::serve) fn ping(mut asked: Asked) -> Outcome<Reply> {
    asked.params().finish(|| Some(()))?;
    Reply::data(&json!({ "pong": true }))
}

pub(in crate::serve) fn version(mut asked: Asked) -> Outcome<Reply> {
    asked.params().finish(|| Some(()))?;
    // Clients show it, and look at the version; this is no build of PBS, which it says.
    let repoid = concat!("reelfs-", env!("CARGO_PKG_VERSION"));
    Reply::data(&json!({ "release": RELEASE, "repoid": repoid, "version": VERSION }))
}
