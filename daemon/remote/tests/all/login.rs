//! Tokens, tickets, and what a login that fails says.

use crate::support::{Answer, Asked, Server, ok, refusal};

const VERSION: &str = r#"{"data":{"version":"3.2","release":"4","repoid":"x"}}"#;
const TICKET: &str = r#"{"data":{"username":"u@pbs","ticket":"PBS:u@pbs:66607524::sig+/","CSRFPreventionToken":"66607524:tok"}}"#;

fn targets(server: &Server) -> Vec<String> {
    server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect()
}

#[tokio::test]
async fn a_token_goes_with_each_request() {
    let server = Server::start(|_| ok(VERSION), |_| ok("")).await;
    let version = server.client("u@pbs!tok").version().await.unwrap();
    assert_eq!((&*version.version, &*version.release), ("3.2", "4"));
    let [asked] = &server.asked()[..] else { panic!() };
    assert_eq!(asked.header("authorization"), Some("PBSAPIToken u@pbs!tok:secret"));
    assert_eq!((asked.header("cookie"), &*asked.target), (None, "/api2/json/version"));
    assert_eq!(asked.header("user-agent"), Some("proxmox-backup-client/1.0"));
}

#[tokio::test]
async fn a_user_logs_in_once_over_one_connection() {
    let rest = |asked: &Asked| if asked.method == "POST" { ok(TICKET) } else { ok(VERSION) };
    let server = Server::start(rest, |_| ok("")).await;
    let client = server.client("u@pbs");
    client.version().await.unwrap();
    client.version().await.unwrap();
    let post = "POST /api2/json/access/ticket";
    assert_eq!(targets(&server), [post, "GET /api2/json/version", "GET /api2/json/version"]);
    assert_eq!(server.connections(), 1);
    let asked = server.asked();
    let body: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body, serde_json::json!({ "username": "u@pbs", "password": "secret" }));
    assert_eq!(asked[1].header("cookie"), Some("PBSAuthCookie=PBS:u@pbs:66607524::sig+/"));
    assert_eq!(asked[1].header("csrfpreventiontoken"), Some("66607524:tok"));
}

#[tokio::test]
async fn a_refused_login_says_whose_and_where() {
    let server = Server::start(|_| refusal(401, "permission check failed."), |_| ok("")).await;
    let error = server.client("u@pbs").version().await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    let text = error.to_string();
    assert!(text.starts_with("log in as 'u@pbs': 127.0.0.1:"), "{text}");
    assert!(text.ends_with(" answers 401: permission check failed."), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_connection_that_has_ended_is_made_anew() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let rest = move |_: &Asked| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        1 => Answer::Breaks(Vec::new()),
        _ => ok(VERSION),
    };
    let server = Server::start(rest, |_| ok("")).await;
    let client = server.client("u@pbs!tok");
    client.version().await.unwrap();
    client.version().await.unwrap();
    assert_eq!(server.connections(), 2);
}

/// Lets time pass for everything but the network.
async fn pass(minutes: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(60 * minutes)).await;
    tokio::time::resume();
}

fn passwords(server: &Server) -> Vec<String> {
    let logins = server.asked().into_iter().filter(|asked| asked.method == "POST");
    let password = |asked: Asked| {
        let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
        body["password"].as_str().unwrap().to_owned()
    };
    logins.map(password).collect()
}

#[tokio::test]
async fn an_old_ticket_is_renewed_by_itself() {
    let rest = |asked: &Asked| if asked.method == "POST" { ok(TICKET) } else { ok(VERSION) };
    let server = Server::start(rest, |_| ok("")).await;
    let client = server.client("u@pbs");
    client.version().await.unwrap();
    pass(14).await;
    client.version().await.unwrap();
    pass(2).await;
    client.version().await.unwrap();
    assert_eq!(passwords(&server), ["secret", "PBS:u@pbs:66607524::sig+/"]);
}

#[tokio::test]
async fn where_an_old_ticket_is_refused_the_password_is_tried() {
    let rest = |asked: &Asked| match &*asked.method {
        "POST" if asked.body.contains("PBS:") => refusal(401, "permission check failed."),
        "POST" => ok(TICKET),
        _ => ok(VERSION),
    };
    let server = Server::start(rest, |_| ok("")).await;
    let client = server.client("u@pbs");
    client.version().await.unwrap();
    pass(180).await;
    client.version().await.unwrap();
    assert_eq!(passwords(&server), ["secret", "PBS:u@pbs:66607524::sig+/", "secret"]);
}
