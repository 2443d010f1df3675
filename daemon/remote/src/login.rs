//! Who logs in, and with what (`remote-protocol.md` §3).

use std::time::Duration;

use http::HeaderValue;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use reel_config::RemoteConfig;
use reel_types::{AuthId, Password};
use serde::Deserialize;
use tokio::time::Instant;

use crate::RemoteError;

/// After how long a ticket is renewed: it is good for two hours.
const RENEW_AFTER: Duration = Duration::from_secs(15 * 60);
/// What a ticket's text is escaped for in a cookie (`remote-protocol.md` §3.3).
const IN_COOKIE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'?')
    .add(b'{')
    .add(b'}');

/// A user with a password, or a token with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub auth_id: AuthId,
    /// The password or the secret.
    pub password: Password,
}

impl Login {
    /// As a remote is configured.
    pub fn of(remote: &RemoteConfig) -> Result<Self, RemoteError> {
        Ok(Self { auth_id: remote.auth_id.clone(), password: remote.password()? })
    }

    /// The header of a token, which needs no ticket; none for a user.
    pub(crate) fn token_header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.auth_id.token()?;
        let secret = utf8_percent_encode(self.password.reveal(), NON_ALPHANUMERIC);
        let text = format!("PBSAPIToken {}:{secret}", self.auth_id);
        Some((AUTHORIZATION, secret_header(&text)?))
    }
}

/// What a login gives: good for every request until it is old.
#[derive(Clone, Deserialize)]
pub(crate) struct Ticket {
    ticket: String,
    #[serde(rename = "CSRFPreventionToken")]
    csrf_token: String,
    #[serde(skip, default = "Instant::now")]
    since: Instant,
}

impl Ticket {
    /// Whether it is time to renew it.
    pub(crate) fn is_old(&self) -> bool {
        self.since.elapsed() >= RENEW_AFTER
    }

    /// What renews it in the place of the password.
    pub(crate) fn as_password(&self) -> &str {
        &self.ticket
    }

    /// The headers of a request with it; none where it is no text of a header.
    pub(crate) fn headers(&self) -> Option<[(HeaderName, HeaderValue); 2]> {
        let cookie = format!("PBSAuthCookie={}", utf8_percent_encode(&self.ticket, IN_COOKIE));
        let csrf_token = HeaderName::from_static("csrfpreventiontoken");
        Some([(COOKIE, secret_header(&cookie)?), (csrf_token, secret_header(&self.csrf_token)?)])
    }
}

/// A header that shows in no log.
fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(auth_id: &str) -> Login {
        Login { auth_id: auth_id.parse().unwrap(), password: "se:cret".parse().unwrap() }
    }

    #[test]
    fn tokens_need_no_ticket() {
        let (name, value) = login("u@pbs!tok").token_header().unwrap();
        assert_eq!(
            (name, value.to_str().unwrap()),
            (AUTHORIZATION, "PBSAPIToken u@pbs!tok:se%3Acret")
        );
        assert!(value.is_sensitive());
        assert_eq!(login("u@pbs").token_header(), None);
    }

    #[test]
    fn a_tickets_colons_stay_in_its_cookie() {
        let answer = r#"{"ticket":"PBS:u@pbs:66607524::a+b/c?","CSRFPreventionToken":"66607524:x","username":"u@pbs"}"#;
        let ticket: Ticket = serde_json::from_str(answer).unwrap();
        let [(_, cookie), (_, csrf_token)] = ticket.headers().unwrap();
        assert_eq!(cookie, "PBSAuthCookie=PBS:u@pbs:66607524::a+b/c%3F");
        assert_eq!(csrf_token, "66607524:x");
        assert!(!ticket.is_old());
    }
}
