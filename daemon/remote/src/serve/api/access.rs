//! Logging in by a password, or by a ticket that is still good (`remote-protocol.md` §3.2).

use reel_types::{AuthId, Password};
use serde_json::json;

use crate::RemoteError;
use crate::serve::answer::Reply;
use crate::serve::asked::Asked;
use crate::serve::params::{Unused, UserId};
use crate::serve::refusal::{Outcome, Refusal};
use crate::serve::surroundings::LoginOutcome;
use crate::serve::ticket;

/// What every failed login answers: nobody learns whether the user exists.
const FAILED: &str = "permission check failed.";

pub(in crate::serve) fn ticket(mut asked: Asked) -> Outcome<Reply> {
    let mut params = asked.params();
    let user: Option<UserId> = params.need("username");
    let password: Option<Password> = params.need("password");
    for unused in ["path", "privs", "port", "tfa-challenge"] {
        params.may::<Unused>(unused);
    }
    let (UserId(user), password) = params.finish(|| Some((user?, password?)))?;
    let shared = &asked.shared;
    let now = shared.around.clock.now();
    if let Err(refusal) = log_in(&asked, &user, password.reveal(), now) {
        tracing::warn!(%user, "a login failed");
        return Err(refusal);
    }
    let broken = |error: RemoteError| Refusal::bad(format!("make a ticket: {error}"));
    let ticket = ticket::issue(&shared.auth_key, &user, now).map_err(broken)?;
    let csrf_token = ticket::issue_csrf(&shared.csrf_key, &user, now).map_err(broken)?;
    Reply::data(&json!({
        "CSRFPreventionToken": csrf_token,
        "ticket": ticket,
        "username": user,
    }))
}

fn log_in(asked: &Asked, user: &AuthId, password: &str, now: i64) -> Outcome<()> {
    let gate = &asked.shared.around.gate;
    let failed = || Refusal::unauthorized(FAILED);
    if !gate.is_active(user) {
        return Err(failed());
    }
    if ticket::is_ticket(password)
        && let Ok(holder) = ticket::verify(&asked.shared.auth_key, password, now)
    {
        return if holder == *user { Ok(()) } else { Err(failed()) };
    }
    match gate.login(user, password) {
        LoginOutcome::Welcome => Ok(()),
        LoginOutcome::Refused => Err(failed()),
        LoginOutcome::NoPasswords => {
            Err(Refusal::not_implemented("the user's realm takes no passwords"))
        }
    }
}
