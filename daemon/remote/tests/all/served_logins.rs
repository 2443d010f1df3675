//! Who is let in by a server of ours: passwords, tickets, CSRF tokens, API tokens (`remote-protocol.md` §3, §8).

use std::time::Duration;

use tokio::net::TcpStream;

use crate::serving::{SECRET, Served, heard, token_header};

const VERSION: &str = "/api2/json/version";
const THREE_SECONDS: [Duration; 1] = [Duration::from_secs(3)];
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn our_client_logs_in_by_password_and_by_token() {
    let served = Served::start().await;
    for id in ["alice@pbs", "alice@pbs!sync"] {
        let client = served.client(id);
        assert_eq!(client.version().await.unwrap().version, "3.2");
        let stores = client.datastores().await.unwrap();
        assert_eq!(stores[0].comment.as_deref(), Some("fixture store 1"));
    }
    assert_eq!(served.pauses.taken(), []);
}

#[tokio::test]
async fn logins_that_fail() {
    let served = Served::start().await;
    let wrong = "parameter verification failed - ";
    for (form, status, text, pauses) in [
        ("username=alice@pbs&password=wrong", 401, "permission check failed.", &THREE_SECONDS[..]),
        ("username=mallory@pbs&password=wrong", 401, "permission check failed.", &THREE_SECONDS),
        ("username=alice@nix&password=wrong", 401, "permission check failed.", &THREE_SECONDS),
        ("username=x@openid&password=wrong", 501, "", &[]),
        (
            "username=alice&password=wrong",
            400,
            &*format!("{wrong}'username': value does not match the regex pattern"),
            &[],
        ),
        (
            "username=alice@pbs!tok1&password=wrong",
            400,
            &*format!("{wrong}'username': value does not match the regex pattern"),
            &[],
        ),
        (
            "username=alice@pbs",
            400,
            &*format!("{wrong}'password': parameter is missing and it is not optional."),
            &[],
        ),
        ("username=alice@pbs&password=a%0Ab", 400, wrong, &[]),
        (
            "username=alice@pbs&password=x&port=1&path=/&privs=x&tfa-challenge=y",
            401,
            "",
            &THREE_SECONDS,
        ),
    ] {
        let heard = served.ask("POST", "/api2/json/access/ticket", &[FORM], form).await;
        assert_eq!(
            (heard.status, heard.body.starts_with(text)),
            (status, true),
            "{form}: {}",
            heard.body
        );
        assert_eq!(served.pauses.taken(), pauses, "{form}");
    }
}

#[tokio::test]
async fn a_ticket_renews_itself_and_is_nobody_elses() {
    let served = Served::start().await;
    let (cookie, _) = served.log_in("alice@pbs").await;
    let ticket = cookie.strip_prefix("PBSAuthCookie=").unwrap();
    let log_in = async |user: &str| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.append_pair("username", user).append_pair("password", ticket).finish();
        served.ask("POST", "/api2/json/access/ticket", &[FORM], &form).await.status
    };
    assert_eq!(log_in("alice@pbs").await, 200);
    assert_eq!(log_in("bob@pbs").await, 401);
    served.clock.advance(7201);
    assert_eq!(log_in("alice@pbs").await, 401);
}

#[tokio::test]
async fn tickets_in_cookies() {
    let served = Served::start().await;
    let (cookie, csrf_token) = served.log_in("alice@pbs").await;
    let encoded = cookie.replace(':', "%3A").replace('@', "%40").replace('+', "%2B");
    for cookie in [&cookie, &encoded] {
        assert_eq!(served.ask("GET", VERSION, &[("cookie", cookie)], "").await.status, 200);
    }
    let no_token: &[(&str, &str)] = &[("cookie", &cookie)];
    let wrong_token = &[("cookie", &*cookie), ("csrfpreventiontoken", "66607524:AAAA")];
    for (headers, text) in [
        (no_token, "authentication failed - missing CSRF prevention token"),
        (wrong_token, "authentication failed - invalid"),
    ] {
        for method in ["POST", "PUT", "DELETE"] {
            let heard = served.ask(method, VERSION, headers, "").await;
            assert_eq!((heard.status, heard.body.starts_with(text)), (401, true), "{}", heard.body);
        }
    }
    let both = [("cookie", &*cookie), ("csrfpreventiontoken", &*csrf_token)];
    assert_eq!(served.ask("POST", VERSION, &both, "").await.status, 404);
    served.clock.advance(7201);
    let heard = served.ask("GET", VERSION, &both, "").await;
    assert_eq!(
        (heard.status, &*heard.body),
        (401, "authentication failed - invalid ticket - expired")
    );
}

#[tokio::test]
async fn whoever_shows_nothing_good_waits() {
    let served = Served::start().await;
    let good = token_header("alice@pbs!sync");
    let wrong = "PBSAPIToken=alice@pbs!sync:wrong";
    let inactive = "user account or token disabled or expired.";
    for (target, authorization, text) in [
        (VERSION, "", "no authentication credentials provided."),
        ("/api2/json/nosuchpath", "", "no authentication credentials provided."),
        (VERSION, "Basic eDp5", "no authentication credentials provided."),
        (VERSION, wrong, "invalid credentials"),
        (VERSION, "PBSAPIToken=alice@pbs!nope:x", inactive),
        (VERSION, "PBSAPIToken=garbage", "not a valid user id"),
        (VERSION, "PBSAPIToken=alice%40pbs%21tok1:x", "not a valid user id"),
        (VERSION, &*format!("PBSAPIToken=alice@pbs:{SECRET}"), "not the id of a token"),
    ] {
        let heard = served.ask("GET", target, &[("authorization", authorization)], "").await;
        let text = format!("authentication failed - {text}");
        assert_eq!((heard.status, &heard.body), (401, &text), "{authorization}");
        assert!(!heard.headers.contains_key("content-type"));
        assert_eq!(served.pauses.taken(), THREE_SECONDS, "{authorization}");
    }
    // A cookie counts, whatever else is shown.
    let both = [("authorization", &*good), ("cookie", "PBSAuthCookie=x")];
    assert_eq!(served.ask("GET", VERSION, &both, "").await.status, 401);
    assert_eq!(served.ask("GET", VERSION, &both[..1], "").await.status, 200);
    served.table.inactive.lock().unwrap().insert("alice@pbs".into());
    let heard = served.ask("GET", VERSION, &both[..1], "").await;
    assert_eq!((heard.status, heard.body), (401, format!("authentication failed - {inactive}")));
}

#[tokio::test]
async fn everybody_may_ping() {
    let served = Served::start().await;
    let heard = served.ask("GET", "/api2/json/ping", &[], "").await;
    assert_eq!((heard.status, &*heard.body), (200, r#"{"data":{"pong":true}}"#));
}

#[tokio::test]
async fn without_tls_the_way_is_shown() {
    let served = Served::start().await;
    for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308)] {
        let tcp = TcpStream::connect(served.address).await.unwrap();
        let heard = heard(tcp, method, "/api2/json/version", &[], "").await;
        assert_eq!(heard.status, status);
        assert_eq!(heard.headers["location"], "https://127.0.0.1:8007");
        assert_eq!(heard.body, "");
    }
}
