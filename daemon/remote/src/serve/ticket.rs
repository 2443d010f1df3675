//! Tickets and CSRF tokens: who was let in, and until when (`remote-protocol.md` §3.2).

use std::ops::RangeInclusive;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use reel_types::AuthId;

use super::key_files::{AuthKey, CsrfKey};
use crate::RemoteError;

/// How old either may be, in seconds; clocks may differ a little.
const AGES: RangeInclusive<i64> = -300..=7200;
const PREFIX: &str = "PBS:";
/// What may not stand in a ticket's data, besides what isn't ASCII.
const IN_DATA: &AsciiSet = &CONTROLS.add(b':');

/// Whether a password is meant to be a ticket.
pub(super) fn is_ticket(password: &str) -> bool {
    password.starts_with(PREFIX)
}

/// A ticket of `user`, good from `now` on.
pub(super) fn issue(key: &AuthKey, user: &AuthId, now: i64) -> Result<String, RemoteError> {
    let user = user.to_string();
    let text = format!("{PREFIX}{}:{now:08X}", utf8_percent_encode(&user, IN_DATA));
    Ok(format!("{text}::{}", key.sign(text.as_bytes())?))
}

/// Whose ticket it is; the error tells why it is none.
pub(super) fn verify(key: &AuthKey, ticket: &str, now: i64) -> Result<AuthId, &'static str> {
    let (text, signature) = ticket.split_once("::").ok_or("invalid ticket - without signature")?;
    let fields = text.strip_prefix(PREFIX).and_then(|fields| fields.rsplit_once(':'));
    let (data, time) = fields.ok_or("invalid ticket - not of this kind")?;
    check_age(time, now)?;
    if !key.verifies(text.as_bytes(), signature) {
        return Err("invalid ticket - wrong signature");
    }
    let user = percent_decode_str(data).decode_utf8().ok().and_then(|user| user.parse().ok());
    // A ticket for the second factor is signed with more than its text, so it does not come here.
    user.filter(|user: &AuthId| user.token().is_none()).ok_or("invalid ticket - of no user")
}

/// A CSRF token for `user`.
pub(super) fn issue_csrf(key: &CsrfKey, user: &AuthId, now: i64) -> Result<String, RemoteError> {
    let time = format!("{now:08X}");
    let signature = key.sign(csrf_text(&time, user).as_bytes())?;
    Ok(format!("{time}:{signature}"))
}

/// Whether a CSRF token is one of `user`.
pub(super) fn verify_csrf(
    key: &CsrfKey,
    token: &str,
    user: &AuthId,
    now: i64,
) -> Result<(), &'static str> {
    let (time, signature) = token.split_once(':').ok_or("invalid CSRF prevention token")?;
    check_age(time, now)?;
    if key.verifies(csrf_text(time, user).as_bytes(), signature) {
        return Ok(());
    }
    Err("invalid CSRF prevention token")
}

fn csrf_text(time: &str, user: &AuthId) -> String {
    format!("{time}:{user}:")
}

fn check_age(time: &str, now: i64) -> Result<(), &'static str> {
    let is_time = (8..=15).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_hexdigit());
    let issued = i64::from_str_radix(time, 16).ok().filter(|_| is_time);
    let age = now.saturating_sub(issued.ok_or("invalid ticket - without time")?);
    match AGES.contains(&age) {
        true => Ok(()),
        false if age > 0 => Err("invalid ticket - expired"),
        false => Err("invalid ticket - from the future"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use proptest::prelude::*;
    use reel_config::ConfigDir;

    use super::super::key_files;
    use super::*;

    const ISSUED: i64 = 1_717_597_476;

    fn keys() -> &'static (AuthKey, CsrfKey) {
        static KEYS: OnceLock<(AuthKey, CsrfKey)> = OnceLock::new();
        KEYS.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let config = ConfigDir::new(folder.path());
            key_files::create_missing(&config).unwrap();
            (AuthKey::load(&config).unwrap(), CsrfKey::load(&config).unwrap())
        })
    }

    #[test]
    fn a_ticket_is_good_from_five_minutes_before_to_two_hours_after() {
        let (key, csrf) = keys();
        let user: AuthId = "sync@pam".parse().unwrap();
        let ticket = issue(key, &user, ISSUED).unwrap();
        assert!(ticket.starts_with("PBS:sync@pam:66607524::"), "{ticket}");
        assert!(!ticket.ends_with('='));
        let token = issue_csrf(csrf, &user, ISSUED).unwrap();
        assert!(token.starts_with("66607524:"), "{token}");
        for (now, is_good) in [
            (1_717_597_175, false),
            (1_717_597_176, true),
            (1_717_604_676, true),
            (1_717_604_677, false),
        ] {
            assert_eq!(verify(key, &ticket, now).is_ok(), is_good, "{now}");
            assert_eq!(verify_csrf(csrf, &token, &user, now).is_ok(), is_good, "{now}");
        }
        assert_eq!(verify(key, &ticket, ISSUED), Ok(user));
        assert_eq!(verify(key, &ticket, i64::MAX), Err("invalid ticket - expired"));
    }

    #[test]
    fn what_is_no_ticket() {
        let (key, csrf) = keys();
        let user: AuthId = "sync@pam".parse().unwrap();
        let signed = |text: &str| format!("{text}::{}", key.sign(text.as_bytes()).unwrap());
        for bad in [
            "".to_owned(),
            "PBS:sync@pam:66607524".to_owned(),
            signed("PVE:sync@pam:66607524"),
            signed("PBS:sync@pam:6660752"),
            signed("PBS:sync@pam:+6660752"),
            signed("PBS:%21tfa%21{}:66607524"),
            signed("PBS:!tfa!{}:66607524"),
            signed("PBS:sync@pam!tok:66607524"),
            signed("PBS:%ff@pam:66607524"),
            issue(key, &user, ISSUED).unwrap().replace("sync", "root"),
        ] {
            assert!(verify(key, &bad, ISSUED).is_err(), "{bad}");
        }
        let token = issue_csrf(csrf, &user, ISSUED).unwrap();
        let other: AuthId = "root@pam".parse().unwrap();
        assert!(verify_csrf(csrf, &token, &other, ISSUED).is_err());
        assert!(verify_csrf(csrf, "invalid", &user, ISSUED).is_err());
    }

    #[test]
    fn names_are_escaped_as_little_as_possible() {
        let (key, _) = keys();
        let user: AuthId = "jörg+x@pam".parse().unwrap();
        let ticket = issue(key, &user, ISSUED).unwrap();
        assert!(ticket.starts_with("PBS:j%C3%B6rg+x@pam:66607524::"), "{ticket}");
        assert_eq!(verify(key, &ticket, ISSUED), Ok(user));
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_ticket(text in "(PBS:)?[^:]{0,9}:?[0-9A-F]{0,16}:{0,3}.{0,40}") {
            let (key, csrf) = keys();
            let user = "sync@pam".parse().unwrap();
            prop_assert!(verify(key, &text, ISSUED).is_err());
            prop_assert!(verify_csrf(csrf, &text, &user, ISSUED).is_err());
        }
    }
}
