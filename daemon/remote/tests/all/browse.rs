//! What a server lists, as the recorded one lists it.

use reel_remote::RemoteError;
use reel_types::{BackupGroup, Namespace, StoreName};

use crate::support::{Answer, Asked, Server, ok, refusal};

/// Answers in the forms of a PBS 3.2.4 (`remote-protocol.md` §4).
fn pbs(asked: &Asked) -> Answer {
    let (path, _) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    match path.strip_prefix("/api2/json/admin/datastore") {
        Some("") => ok(
            r#"{"data":[{"comment":null,"store":"store1"},{"comment":"x","store":"s02","maintenance":"offline"}]}"#,
        ),
        Some("/store1/namespace") => ok(r#"{"data":[{"ns":""},{"comment":"b","ns":"a/b"}]}"#),
        Some("/store1/groups") => ok(
            r#"{"data":[{"backup-count":2,"backup-id":"100","backup-type":"vm","files":["a.img.fidx"],"last-backup":1717581614,"owner":"u@pbs!t"}]}"#,
        ),
        Some("/store1/snapshots") => ok(
            r#"{"data":[{"backup-id":"100","backup-time":1717581614,"backup-type":"vm","files":[{"crypt-mode":"none","filename":"a.img.fidx","size":4096},{"filename":"client.log.blob"}],"protected":false,"size":4529},{"backup-id":"100","backup-time":1717581700,"backup-type":"vm","files":[{"filename":"x.blob"}],"new-key":1}]}"#,
        ),
        _ => refusal(404, "Path not found"),
    }
}

fn store() -> StoreName {
    "store1".parse().unwrap()
}

#[tokio::test]
async fn lists_become_types() {
    let server = Server::start(pbs, |_| ok("")).await;
    let client = server.client("u@pbs!tok");
    let stores = client.datastores().await.unwrap();
    assert_eq!((stores[0].store.as_str(), &stores[0].comment), ("store1", &None));
    assert_eq!(stores[1].maintenance.as_deref(), Some("offline"));
    let root = Namespace::default();
    let namespaces = client.namespaces(&store(), &root, None).await.unwrap();
    assert_eq!(namespaces[1].ns, "a/b".parse().unwrap());
    let groups = client.groups(&store(), &"a/b".parse().unwrap()).await.unwrap();
    let group: BackupGroup = "vm/100".parse().unwrap();
    assert_eq!(groups[0].group(), group);
    let snapshots = client.snapshots(&store(), &root, &group).await.unwrap();
    assert_eq!(snapshots[0].snapshot().unwrap().to_string(), "vm/100/2024-06-05T10:00:14Z");
    assert_eq!((snapshots[0].size, snapshots[1].size), (Some(4529), None));
    assert_eq!(snapshots[0].files[1].size, None);
    let targets: Vec<String> = server.asked().into_iter().map(|asked| asked.target).collect();
    let base = "/api2/json/admin/datastore";
    assert_eq!(
        targets,
        [
            base.to_owned(),
            format!("{base}/store1/namespace"),
            format!("{base}/store1/groups?ns=a%2Fb"),
            format!("{base}/store1/snapshots?backup-type=vm&backup-id=100"),
        ]
    );
}

#[tokio::test]
async fn refusals_and_nonsense_are_told_apart() {
    let server = Server::start(
        |asked| match &*asked.target {
            "/api2/json/version" => ok("<html>"),
            "/api2/json/admin/datastore" => ok(r#"{"data":[{"store":"../x"}]}"#),
            _ => refusal(403, "permission check failed\n- missing Datastore.Audit"),
        },
        |_| ok(""),
    )
    .await;
    let client = server.client("u@pbs!tok");
    let nonsense = client.version().await.unwrap_err();
    assert!(matches!(nonsense, RemoteError::Nonsense { .. }), "{nonsense}");
    assert!(matches!(client.datastores().await, Err(RemoteError::Nonsense { .. })));
    let refused = client.groups(&store(), &Namespace::default()).await.unwrap_err();
    assert_eq!(refused.status(), Some(403));
    let text = refused.to_string();
    assert!(
        text.ends_with("answers 403: permission check failed - missing Datastore.Audit"),
        "{text}"
    );
}
