//! What a server of ours tells of its datastores, and to whom (`remote-protocol.md` §4, §8).

use std::fs;
use std::time::Duration;

use reel_types::{Namespace, NamespaceDepth};

use crate::serving::{Served, token_header};

const SYNC: &str = "alice@pbs!sync";

/// A few groups of several owners, in namespaces.
async fn filled() -> Served {
    let served = Served::start().await;
    served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    served.add_snapshot("host/alpha/2024-06-05T09:00:07Z", "alice@pbs", 2);
    served.add_snapshot("vm/101/2024-06-05T13:00:35Z", "alice@pbs!tok1", 3);
    served.add_snapshot("host/own/2024-06-05T14:00:42Z", "bob@pbs", 4);
    for ns in ["a", "a/b", "c"] {
        served.store.create_namespace(&ns.parse().unwrap()).unwrap();
    }
    served.add_snapshot("ns/a/ns/b/vm/100/2024-06-05T10:00:14Z", "alice@pbs", 5);
    served
}

fn ids(body: &str) -> Vec<String> {
    let answer: serde_json::Value = serde_json::from_str(body).unwrap();
    let items = answer["data"].as_array().unwrap().iter();
    items
        .map(|item| format!("{}/{}", item["backup-type"], item["backup-id"]).replace('"', ""))
        .collect()
}

#[tokio::test]
async fn our_client_browses_all_of_it() {
    let served = filled().await;
    let client = served.client(SYNC);
    let store = &client.datastores().await.unwrap()[0].store;
    let root = Namespace::root();
    let namespaces = async |parent: &str, depth: Option<&str>| {
        let depth = depth.map(|depth| depth.parse::<NamespaceDepth>().unwrap());
        let found = client.namespaces(store, &parent.parse().unwrap(), depth).await.unwrap();
        found.into_iter().map(|item| item.ns.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(namespaces("", None).await, ["", "a", "a/b", "c"]);
    assert_eq!(namespaces("", Some("0")).await, [""]);
    assert_eq!(namespaces("a", None).await, ["a", "a/b"]);
    assert_eq!(namespaces("a", Some("0")).await, ["a"]);
    let groups = client.groups(store, &root).await.unwrap();
    let alpha = groups.iter().find(|group| group.backup_id.as_str() == "alpha").unwrap();
    assert_eq!((alpha.backup_count, alpha.last_backup), (2, 1_717_578_007));
    let snapshots = client.snapshots(store, &root, &alpha.group()).await.unwrap();
    assert_eq!(snapshots.len(), 2);
    assert_eq!(snapshots[0].files.len(), 3);
    assert_eq!(snapshots[0].owner.as_ref().unwrap().to_string(), "alice@pbs");
    let deep: Namespace = "a/b".parse().unwrap();
    assert_eq!(client.groups(store, &deep).await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_sees_what_is_theirs() {
    let served = filled().await;
    let groups = "/api2/json/admin/datastore/store1/groups";
    let snapshots = "/api2/json/admin/datastore/store1/snapshots";
    let tok1 = token_header("alice@pbs!tok1");
    let (bob, _) = served.log_in("bob@pbs").await;
    for (header, own) in [(("authorization", &*tok1), "vm/101"), (("cookie", &*bob), "host/own")] {
        for list in [groups, snapshots] {
            let heard = served.ask("GET", list, &[header], "").await;
            assert_eq!(ids(&heard.body), [own]);
        }
    }
    let files = "/api2/json/admin/datastore/store1/files?backup-type=host&backup-id=alpha&backup-time=1717578007";
    let heard = served.ask("GET", files, &[("cookie", &bob)], "").await;
    assert_eq!(
        (heard.status, &*heard.body),
        (400, "backup owner check failed (bob@pbs != alice@pbs)")
    );
    assert_eq!(served.pauses.taken(), []);
}

#[tokio::test]
async fn whoever_may_nothing_sees_nothing() {
    let served = filled().await;
    let (nobody, _) = served.log_in("nobody@pbs").await;
    let failed = "permission check failed";
    let missing = format!("{failed} - missing Datastore.Audit|Datastore.Backup on /datastore");
    let at_once = [Duration::from_millis(500)];
    for (path, status, text, pauses) in [
        ("", 200, r#"{"data":[]}"#, &[][..]),
        ("/store1/groups", 403, &*format!("{missing}/store1"), &[]),
        ("/store1/snapshots?ns=a/b", 403, &format!("{missing}/store1/a/b"), &[]),
        ("/nosuchstore/groups", 403, &format!("{missing}/nosuchstore"), &[]),
        ("/store1/namespace", 403, failed, &[]),
        ("/store1/namespace?parent=no/such", 403, failed, &[]),
        ("/store1/status", 403, failed, &at_once),
        ("/store1/status?bogus=1", 403, failed, &at_once),
    ] {
        let target = format!("/api2/json/admin/datastore{path}");
        let heard = served.ask("GET", &target, &[("cookie", &nobody)], "").await;
        assert_eq!((heard.status, &*heard.body), (status, text), "{path}");
        assert_eq!(served.pauses.taken(), pauses, "{path}");
    }
}

#[tokio::test]
async fn rights_on_a_namespace_show_its_datastore_without_comment() {
    let served = filled().await;
    let (carol, _) = served.log_in("carol@pbs").await;
    let get = async |path: &str| {
        let target = format!("/api2/json/admin/datastore{path}");
        let heard = served.ask("GET", &target, &[("cookie", &carol)], "").await;
        (heard.status, heard.body)
    };
    assert_eq!(get("").await, (200, r#"{"data":[{"comment":null,"store":"store1"}]}"#.into()));
    assert_eq!(get("/store1/namespace").await, (200, r#"{"data":[{"ns":"a/b"}]}"#.into()));
    assert_eq!(get("/store1/groups").await.0, 403);
    assert_eq!(ids(&get("/store1/groups?ns=a/b").await.1), ["vm/100"]);
}

#[tokio::test]
async fn bad_input_changes_nothing_and_is_told() {
    let served = filled().await;
    let snapshot = "backup-type=host&backup-id=alpha&backup-time=1717578007";
    let long = format!("/api2/json/version?{}", "a".repeat(3072));
    for (target, status, text) in [
        ("/api2/xml/version", 400, "xml"),
        ("/api2/json/../x", 400, ""),
        (&*long, 414, ""),
        ("/", 404, "Path '/' not found."),
        ("/api2/json/nosuchpath", 404, "Path '/api2/json/nosuchpath' not found."),
        ("//api2/json//admin/x", 404, "Path '/api2/json/admin/x' not found."),
        (
            "/api2/json/version?bogus=1",
            400,
            "'bogus': schema does not allow additional properties.",
        ),
        ("/api2/json/admin/datastore/store1/groups?ns=a//b", 400, "'ns'"),
        ("/api2/json/admin/datastore/store1/groups?ns=1/2/3/4/5/6/7/8", 400, "'ns'"),
        ("/api2/json/admin/datastore/store1/groups?ns=no/such", 400, "no/such"),
        ("/api2/json/admin/datastore/store1/groups?ns=a&ns=a", 400, "'ns'"),
        ("/api2/json/admin/datastore/store1/groups?store=store1", 400, "'store'"),
        ("/api2/json/admin/datastore/x/groups", 400, "'store'"),
        ("/api2/json/admin/datastore/nostore/namespace", 400, "no such datastore 'nostore'"),
        ("/api2/json/admin/datastore/store1/namespace?max-depth=8", 400, "'max-depth'"),
        ("/api2/json/admin/datastore/store1/snapshots?backup-type=foo", 400, "'backup-type'"),
        ("/api2/json/admin/datastore/store1/snapshots?backup-id=.x", 400, "'backup-id'"),
        ("/api2/json/admin/datastore/store1/snapshots?ns=no/such", 400, "no/such"),
        (
            &*format!("/api2/json/admin/datastore/store1/files?{snapshot}&backup-time=0"),
            400,
            "'backup-time'",
        ),
        (
            &*format!("/api2/json/admin/datastore/store1/download?{snapshot}&file-name=../x.blob"),
            400,
            "'file-name'",
        ),
        (
            &*format!("/api2/json/admin/datastore/store1/download?{snapshot}&file-name=x.txt"),
            400,
            "x.txt",
        ),
        (
            &*format!("/api2/json/admin/datastore/store1/download?{snapshot}&file-name=x.blob"),
            400,
            "x.blob",
        ),
    ] {
        let heard = served.get(SYNC, target).await;
        assert_eq!(
            (heard.status, heard.body.contains(text)),
            (status, true),
            "{target}: {}",
            heard.body
        );
    }
    let authorization = token_header(SYNC);
    let json = [("authorization", &*authorization), ("content-type", "application/json")];
    for (length, status) in [((64 << 10) - 1, 401), (64 << 10, 400)] {
        let shape = r#"{"username":"alice@pbs","password":"x","privs":""}"#.len();
        let filler = "a".repeat(length - shape);
        let body = format!(r#"{{"username":"alice@pbs","password":"x","privs":"{filler}"}}"#);
        let heard = served.ask("POST", "/api2/json/access/ticket", &json, &body).await;
        assert_eq!(heard.status, status, "{length}: {}", heard.body);
    }
}

#[tokio::test]
async fn snapshots_that_are_not_finished_show_by_name_alone() {
    let served = filled().await;
    let folder = served.base.join("host/alpha/2024-06-06T00:00:00Z");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("x.blob"), b"no blob").unwrap();
    let target = "/api2/json/admin/datastore/store1/snapshots?backup-type=host&backup-id=alpha";
    let heard = served.get(SYNC, target).await;
    let item = r#"{"backup-type":"host","backup-id":"alpha","backup-time":1717632000,"files":[{"filename":"x.blob"}],"owner":"alice@pbs","protected":false}"#;
    assert!(heard.body.ends_with(&format!(",{item}]}}")), "{}", heard.body);
    assert_eq!(heard.headers["transfer-encoding"], "chunked");
    let groups = served.get(SYNC, "/api2/json/admin/datastore/store1/groups").await.body;
    assert!(groups.contains(r#""last-backup":1717578007"#), "{groups}");
}

#[tokio::test]
async fn a_datastore_that_is_away_is_told() {
    let served = filled().await;
    *served.stores.maintenance.lock().unwrap() = Some("offline".into());
    let list = served.get(SYNC, "/api2/json/admin/datastore").await.body;
    let expected =
        r#"{"data":[{"comment":"fixture store 1","maintenance":"offline","store":"store1"}]}"#;
    assert_eq!(list, expected);
    let heard = served.get(SYNC, "/api2/json/admin/datastore/store1/groups").await;
    assert_eq!((heard.status, heard.body.contains("offline")), (400, true));
}

#[tokio::test]
async fn files_come_as_they_are_stored_or_decoded() {
    let served = filled().await;
    let query = "backup-type=host&backup-id=alpha&backup-time=1717578007&file-name";
    let get = async |call: &str, name: &str| {
        let target = format!("/api2/json/admin/datastore/store1/{call}?{query}={name}");
        let heard = served.get(SYNC, &target).await;
        assert_eq!(heard.headers["content-type"], "application/octet-stream", "{}", heard.body);
        heard
    };
    let stored = fs::read(served.base.join("host/alpha/2024-06-05T09:00:07Z/a.conf.blob")).unwrap();
    assert_eq!(get("download", "a.conf.blob").await.body, String::from_utf8_lossy(&stored));
    assert_eq!(get("download-decoded", "a.conf.blob").await.body, "conf");
    let image = get("download-decoded", "disk.img.fidx").await;
    assert_eq!(image.body, "\u{2}".repeat(5000));
    assert_eq!(image.headers["content-length"], "5000");
}

#[tokio::test]
async fn both_envelopes() {
    let served = filled().await;
    let ok = served.get(SYNC, "/api2/extjs/admin/datastore/store1/namespace?parent=c").await;
    assert_eq!(ok.body, r#"{"data":[{"ns":"c"}],"status":200,"success":true}"#);
    let list = served.get(SYNC, "/api2/extjs/admin/datastore/store1/snapshots?ns=c").await;
    assert_eq!(list.body, r#"{"data":[],"status":200,"success":true}"#);
    let failed = served.get(SYNC, "/api2/extjs/admin/datastore/store1/groups?ns=.").await;
    assert_eq!(failed.status, 200);
    assert!(
        failed
            .body
            .contains(r#""message":"parameter verification errors","status":400,"success":false"#)
    );
}
