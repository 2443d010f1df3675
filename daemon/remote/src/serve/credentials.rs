//! What a request shows of who sends it (`remote-protocol.md` §3.3).

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use percent_encoding::percent_decode_str;
use reel_types::AuthId;

use super::key_files::{AuthKey, CsrfKey};
use super::surroundings::Gate;
use super::ticket;

const COOKIE_NAME: &str = "PBSAuthCookie";
const TOKEN_SCHEME: &str = "PBSAPIToken";
const CSRF_HEADER: &str = "csrfpreventiontoken";

/// What a request shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// The ticket of a user, and its CSRF token if there is one.
    Ticket { ticket: String, csrf_token: Option<String> },
    /// The id of a token and its secret, not yet looked at.
    Token(String),
    /// Nothing.
    Missing,
}

impl Credentials {
    /// A cookie is looked at first; where there is one, the other header counts for nothing.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if let Some(ticket) = text(headers, COOKIE.as_str()).and_then(ticket_of_cookies) {
            let csrf_token = text(headers, CSRF_HEADER).map(str::to_owned);
            return Self::Ticket { ticket, csrf_token };
        }
        match text(headers, AUTHORIZATION.as_str()).and_then(after_scheme) {
            Some(token) => Self::Token(token.to_owned()),
            None => Self::Missing,
        }
    }

    /// Who it is; the error tells why nobody. It may take a while.
    pub(super) fn check(&self, judge: &Judge<'_>) -> Result<AuthId, String> {
        match self {
            Self::Ticket { ticket, csrf_token } => judge.user(ticket, csrf_token.as_deref()),
            Self::Token(token) => judge.token(token),
            Self::Missing => Err("no authentication credentials provided.".to_owned()),
        }
    }
}

/// What credentials are held against.
pub(super) struct Judge<'j> {
    pub(super) gate: &'j dyn Gate,
    pub(super) auth_key: &'j AuthKey,
    pub(super) csrf_key: &'j CsrfKey,
    pub(super) now: i64,
    /// Whether the request may change something.
    pub(super) may_change: bool,
}

impl Judge<'_> {
    fn user(&self, ticket: &str, csrf_token: Option<&str>) -> Result<AuthId, String> {
        let user = ticket::verify(self.auth_key, ticket, self.now)?;
        if !self.gate.is_active(&user) {
            return Err("user account disabled or expired.".to_owned());
        }
        if self.may_change {
            let token = csrf_token.ok_or("missing CSRF prevention token")?;
            ticket::verify_csrf(self.csrf_key, token, &user, self.now)?;
        }
        Ok(user)
    }

    fn token(&self, text: &str) -> Result<AuthId, String> {
        let (id, secret) = text.split_once(':').unwrap_or((text, ""));
        let id: AuthId = id.parse().map_err(|_| "not a valid user id")?;
        if id.token().is_none() {
            return Err("not the id of a token".to_owned());
        }
        if !self.gate.is_active(&id) {
            return Err("user account or token disabled or expired.".to_owned());
        }
        let secret = percent_decode_str(secret).decode_utf8().map_err(|_| "secret is no text")?;
        if self.gate.token(&id, &secret) { Ok(id) } else { Err("invalid credentials".to_owned()) }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The first cookie of our name; a header with a part that is none has no cookies at all.
fn ticket_of_cookies(header: &str) -> Option<String> {
    let cookies: Option<Vec<_>> = header.split(';').map(|part| part.split_once('=')).collect();
    let (_, value) = cookies?.into_iter().find(|(name, _)| name.trim() == COOKIE_NAME)?;
    Some(percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned())
}

fn after_scheme(header: &str) -> Option<&str> {
    header.trim().strip_prefix(TOKEN_SCHEME)?.strip_prefix([' ', '=']).map(str::trim)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn shown(headers: &[(&'static str, &str)]) -> Credentials {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Credentials::of(&map)
    }

    fn ticket(text: &str) -> Credentials {
        Credentials::Ticket { ticket: text.to_owned(), csrf_token: None }
    }

    #[test]
    fn cookies() {
        for (header, found) in [
            ("PBSAuthCookie=PBS:u@pbs:1::a+b/c", "PBS:u@pbs:1::a+b/c"),
            ("PBSAuthCookie=PBS%3Au%40pbs%3A1%3A%3Aa+b%2Fc", "PBS:u@pbs:1::a+b/c"),
            ("lang=de; PBSAuthCookie = x ;PBSAuthCookie=y", "x"),
            ("PBSAuthCookie=a=b", "a=b"),
        ] {
            assert_eq!(shown(&[("cookie", header)]), ticket(found), "{header}");
        }
        for header in
            ["PBSAuthCookie", "x; PBSAuthCookie=y", "OtherCookie=y", "PBSAuthCookie=%ff", ""]
        {
            assert_eq!(shown(&[("cookie", header)]), Credentials::Missing, "{header}");
        }
    }

    #[test]
    fn a_cookie_goes_before_a_token() {
        let token = ("authorization", "PBSAPIToken=root@pam!t1:12345678-aaaa");
        assert_eq!(shown(&[token, ("cookie", "PBSAuthCookie=x")]), ticket("x"));
        let expected = Credentials::Token("root@pam!t1:12345678-aaaa".to_owned());
        assert_eq!(shown(&[token, ("cookie", "a=b")]), expected);
        let with_blank = ("authorization", "PBSAPIToken root@pam!t1:12345678-aaaa");
        assert_eq!(shown(&[with_blank]), expected);
        assert_eq!(shown(&[("authorization", "Basic eDp5")]), Credentials::Missing);
        assert_eq!(shown(&[("authorization", "PBSAPITokenx")]), Credentials::Missing);
    }

    proptest! {
        #[test]
        fn no_header_breaks_it(
            cookie in "[ -~]{0,60}",
            token in "(PBSAPIToken)?[ -~]{0,60}",
        ) {
            shown(&[("cookie", &cookie), ("authorization", &token)]);
        }
    }
}
