//! A server of ours on the datastore of a recorded PBS, asked what that one was asked.

use std::fs;
use std::path::Path;

use reel_types::{Digest, Namespace, Snapshot};
use serde_json::Value;

use crate::serving::{Served, fixtures, token_header};

/// Snapshots that were made after the answers were recorded.
const LATER: [(&str, i64); 2] = [("alpha", 1_717_754_750), ("100", 1_717_747_536)];
/// Groups that those belong to, whose counts and last files changed.
const CHANGED_GROUPS: [&str; 2] = ["alpha", "100"];
/// Beginnings of texts that are told in the same words.
const SAME_WORDS: &[&str] = &[
    "parameter verification failed",
    "permission check failed",
    "authentication failed",
    "backup owner check failed",
    "no permissions on",
    "no such datastore",
    "snapshot ",
    "missing Upgrade header",
    "invalid protocol name",
    "Path '",
];

/// One question and the answer to it.
struct Exchange {
    title: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    status: u16,
    body: String,
}

fn exchanges(file: &Path) -> Vec<Exchange> {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    // What curl said on its other stream.
    let text = text.replace("* Connection #0 to host 127.0.0.1 left intact\n", "");
    let parts = text.split("### ").filter(|part| part.contains("\n> "));
    parts.filter_map(exchange).collect()
}

fn exchange(part: &str) -> Option<Exchange> {
    let mut asked = part.lines().filter_map(|line| line.strip_prefix("> "));
    let mut request = asked.next()?.split(' ');
    let (method, target) = (request.next()?.to_owned(), request.next()?.to_owned());
    let headers = asked.filter_map(|line| line.split_once(": "));
    let headers = headers
        .filter(|(name, _)| ["Authorization", "Cookie", "Connection", "Upgrade"].contains(name))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let status = part.lines().find_map(|line| line.strip_prefix("< HTTP/1.1 "))?;
    let status = status.split(' ').next()?.parse().ok()?;
    let body = part.split_once("\n< \n")?.1.trim_end_matches('\n').to_owned();
    Some(Exchange { title: part.lines().next()?.to_owned(), method, target, headers, status, body })
}

/// What is asked there and isn't served, or is answered otherwise on purpose.
fn is_left_out(exchange: &Exchange) -> bool {
    let elsewhere = ["config/", "tape/", "nodes/"];
    let is_elsewhere =
        elsewhere.iter().any(|path| exchange.target.contains(&format!("json/{path}")));
    // The space on the disk is another one.
    let is_status = exchange.target.contains("/status") && exchange.status == 200;
    is_elsewhere || is_status || exchange.status == 101
}

/// The same credentials with secrets and tickets of ours.
async fn credentials(served: &Served, headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut own = Vec::new();
    for (name, value) in headers {
        let value = match name.as_str() {
            "authorization" => {
                let id = value.strip_prefix("PBSAPIToken=").unwrap().split_once(':').unwrap().0;
                token_header(id)
            }
            "cookie" => {
                let user = value.split("%3A").nth(1).unwrap().replace("%40", "@");
                served.log_in(&user).await.0
            }
            _ => value.clone(),
        };
        own.push((name.clone(), value));
    }
    own
}

/// An answer without what changed later, in an order of its own.
fn comparable(target: &str, body: &str) -> Value {
    let Ok(mut value) = serde_json::from_str::<Value>(body) else { return body.into() };
    if let Some(items) = value["data"].as_array_mut() {
        items.retain(|item| {
            let is =
                |(id, time): &(&str, i64)| item["backup-id"] == *id && item["backup-time"] == *time;
            !LATER.iter().any(is)
        });
        if target.contains("/groups") {
            items.retain(|item| {
                !CHANGED_GROUPS.contains(&item["backup-id"].as_str().unwrap_or_default())
            });
            for item in items.iter_mut() {
                let files = item["files"].as_array_mut().unwrap();
                files.sort_by_key(Value::to_string);
            }
        }
        items.sort_by_key(Value::to_string);
    }
    value
}

#[tokio::test]
async fn the_recorded_questions_are_answered_alike() {
    let Some(served) = Served::start_recorded().await else { return };
    let transcripts = fixtures().unwrap().join("transcripts");
    let mut compared = 0;
    for file in [
        "03-namespace.txt",
        "04-groups.txt",
        "05-snapshots.txt",
        "06-files.txt",
        "07-permissions.txt",
        "08-errors.txt",
        "09-reader-upgrade.txt",
    ] {
        for exchange in exchanges(&transcripts.join(file)) {
            if is_left_out(&exchange) {
                continue;
            }
            let Exchange { title, method, target, headers, status, body } = &exchange;
            let headers = credentials(&served, headers).await;
            let headers: Vec<_> = headers.iter().map(|(n, v)| (&**n, &**v)).collect();
            let heard = served.ask(method, target, &headers, "").await;
            assert_eq!(heard.status, *status, "{file}: {title}: {}", heard.body);
            compared += 1;
            let tells_words = SAME_WORDS.iter().any(|words| body.starts_with(words));
            if *status == 200 && !target.contains("extjs/admin/datastore/store1/groups?ns=no") {
                assert_eq!(
                    comparable(target, &heard.body),
                    comparable(target, body),
                    "{file}: {title}"
                );
            } else if tells_words {
                assert_eq!(heard.body, *body, "{file}: {title}");
            }
        }
    }
    assert!(compared > 50, "only {compared} of the transcripts were understood");
}

#[tokio::test]
async fn keys_stand_in_the_recorded_order() {
    let Some(served) = Served::start_recorded().await else { return };
    let transcripts = fixtures().unwrap().join("transcripts");
    for (file, target) in [
        ("03-namespace.txt", "/api2/json/admin/datastore/store1/namespace"),
        ("05-snapshots.txt", "/api2/json/admin/datastore/store1/snapshots?ns=a%2Fb&backup-type=vm"),
        (
            "06-files.txt",
            "/api2/json/admin/datastore/store1/files?backup-type=host&backup-id=enc&backup-time=1717574400",
        ),
    ] {
        let recorded = exchanges(&transcripts.join(file));
        let recorded = recorded.iter().find(|exchange| exchange.target == target).unwrap();
        assert_eq!(served.get("alice@pbs!sync", target).await.body, recorded.body, "{file}");
    }
    let group = served
        .get("alice@pbs!sync", "/api2/json/admin/datastore/store1/groups?ns=a/b/c")
        .await
        .body;
    let begin = r#"{"data":[{"backup-count":1,"backup-id":"201","backup-type":"ct","files":["#;
    let end = r#"],"last-backup":1717585221,"owner":"alice@pbs!tok1"}]}"#;
    assert!(group.starts_with(begin) && group.ends_with(end), "{group}");
    let status = "/api2/json/admin/datastore/store1/status?verbose=true";
    let recorded = exchanges(&transcripts.join("03-namespace.txt"));
    let recorded = recorded.iter().find(|exchange| exchange.target == status).unwrap();
    let keys =
        |body: &str| body.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(keys(&served.get("alice@pbs!sync", status).await.body), keys(&recorded.body));
}

/// Digests and lengths of the recorded sessions (`10-reader-session.txt`).
#[tokio::test]
async fn the_recorded_sessions_get_the_same_bytes() {
    let Some(served) = Served::start_recorded().await else { return };
    let client = served.client("alice@pbs!sync");
    let store = "store1".parse().unwrap();
    let root = Namespace::root();
    let alpha: Snapshot = "host/alpha/2024-06-05T10:00:14Z".parse().unwrap();
    let reader = client.read_snapshot(&store, &root, &alpha).await.unwrap();
    for (name, length, sum) in [
        ("client.log.blob", 65, "777693afe8a14fa87b8c1439176af1a32da44f0969c1677f801ab0e317d1bac0"),
        (
            "catalog.pcat1.didx",
            4136,
            "5102c4e04793b9ec0457af9842ecf96d732b7671aff0ea667d44053dc037707d",
        ),
        ("etc.pxar.didx", 4136, "5cca8fb83d822af492b734f7781c35fba506ffb58184b41e63559fe78c06e480"),
    ] {
        let bytes = reader.download(name).await.unwrap().all(1 << 20).await.unwrap();
        assert_eq!((bytes.len(), sha256(&bytes)), (length, sum.to_owned()), "{name}");
    }
    let chunk = "62899565f3ed742fa3388a9010a14605f8f11ba8ddb45f62a6c041e84c311d42";
    let bytes = reader.chunk(&chunk.parse().unwrap()).await.unwrap();
    let sum = "3a6462cef438544cac383c1b18930c56f5e833995e4d48a943565433d8b46eee";
    assert_eq!((bytes.len(), sha256(&bytes)), (47118, sum.to_owned()));
}

fn sha256(bytes: &[u8]) -> String {
    Digest(openssl::sha::sha256(bytes)).to_string()
}
