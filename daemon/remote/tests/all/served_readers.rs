//! The reader protocol of a server of ours (`remote-protocol.md` §5.1–§5.4, §7, §8).

use std::fs;
use std::time::Duration;

use reel_remote::SnapshotReader;
use reel_store::locks::{FolderLock, LockMode};
use reel_store::plain_digest;
use reel_types::SnapshotPath;

use crate::serving::{Served, token_header};

const SYNC: &str = "alice@pbs!sync";
const UPGRADE: [(&str, &str); 2] =
    [("connection", "upgrade"), ("upgrade", "proxmox-backup-reader-protocol-v1")];

async fn reading(served: &Served, snapshot: &SnapshotPath) -> SnapshotReader {
    let store = "store1".parse().unwrap();
    let client = served.client(SYNC);
    client.read_snapshot(&store, &snapshot.namespace, &snapshot.snapshot).await.unwrap()
}

#[tokio::test]
async fn files_and_chunks_are_those_of_the_disk() {
    let served = Served::start().await;
    let snapshot = served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    let folder = served.base.join("host/alpha/2024-06-05T08:00:00Z");
    let reader = reading(&served, &snapshot).await;
    assert_eq!(served.tasks.last().name, "reader store1:host/alpha/66601B00 alice@pbs!sync");
    let digest = plain_digest(&[1; 5000]);
    let early = reader.chunk(&digest).await.unwrap_err();
    assert_eq!(early.status(), Some(401));
    assert!(early.to_string().contains(&format!("download chunk {digest} not allowed")), "{early}");
    assert_eq!(served.pauses.taken(), [Duration::from_secs(3)]);
    for name in ["index.json.blob", "a.conf.blob", "disk.img.fidx"] {
        let downloaded = reader.download(name).await.unwrap().all(1 << 20).await.unwrap();
        assert!(downloaded == fs::read(folder.join(name)).unwrap(), "{name}");
    }
    let stored = fs::read(served.store.chunks().path(&digest)).unwrap();
    assert!(reader.chunk(&digest).await.unwrap() == stored);
    let others = plain_digest(&[9; 5000]);
    assert_eq!(reader.chunk(&others).await.unwrap_err().status(), Some(401));
    fs::remove_file(served.store.chunks().path(&digest)).unwrap();
    assert_eq!(reader.chunk(&digest).await.unwrap_err().status(), Some(400));
    for (name, status) in [
        ("nosuch.blob", 404),
        ("nosuch.fidx", 400),
        ("foo.txt", 400),
        ("../x.blob", 400),
        (".x.blob", 400),
    ] {
        let error = reader.download(name).await.map(drop).unwrap_err();
        assert_eq!(error.status(), Some(status), "{name}: {error}");
    }
    fs::write(folder.join("broken.fidx"), b"no index").unwrap();
    assert_eq!(reader.download("broken.fidx").await.map(drop).unwrap_err().status(), Some(400));
    drop(reader);
    assert_eq!(served.tasks.last().ended().await, Ok(()));
}

#[tokio::test]
async fn a_large_file_comes_whole_beside_others() {
    let served = Served::start().await;
    let snapshot = served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
    fs::write(served.base.join(snapshot.path()).join("big.blob"), &content).unwrap();
    let reader = reading(&served, &snapshot).await;
    let all = async || reader.download("big.blob").await.unwrap().all(4 << 20).await.unwrap();
    let (first, second) = tokio::join!(all(), all());
    assert!(first == content && second == content);
}

#[tokio::test]
async fn a_snapshot_stays_while_it_is_read() {
    let served = Served::start().await;
    let snapshot = served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    let folder = served.base.join(snapshot.path());
    let alone = || FolderLock::take(&folder, LockMode::Exclusive, "it");
    let reader = reading(&served, &snapshot).await;
    assert!(alone().is_err());
    drop(reader);
    served.tasks.last().ended().await.unwrap();
    // The lock goes with the connection, whose end the task tells a moment before.
    let held = loop {
        match alone() {
            Ok(held) => break held,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let (store, client) = ("store1".parse().unwrap(), served.client(SYNC));
    let refused = client.read_snapshot(&store, &snapshot.namespace, &snapshot.snapshot).await;
    assert_eq!(refused.map(drop).unwrap_err().status(), Some(400));
    drop(held);
    reading(&served, &snapshot).await;
}

#[tokio::test]
async fn an_unfinished_snapshot_has_no_manifest() {
    let served = Served::start().await;
    served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    let unfinished: SnapshotPath = "host/alpha/2024-06-06T00:00:00Z".parse().unwrap();
    fs::create_dir(served.base.join(unfinished.path())).unwrap();
    let reader = reading(&served, &unfinished).await;
    let error = reader.download("index.json.blob").await.map(drop).unwrap_err();
    assert_eq!(error.status(), Some(404));
}

#[tokio::test]
async fn a_task_that_is_stopped_ends_its_connection() {
    let served = Served::start().await;
    let snapshot = served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    let reader = reading(&served, &snapshot).await;
    let task = served.tasks.last();
    task.stop.send_replace(true);
    assert!(task.ended().await.is_err());
    assert!(reader.download("index.json.blob").await.is_err());
}

#[tokio::test]
async fn what_is_refused_and_in_which_order() {
    let served = Served::start().await;
    served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    let (nobody, _) = served.log_in("nobody@pbs").await;
    let (bob, _) = served.log_in("bob@pbs").await;
    let (root, _) = served.log_in("root@pam").await;
    let sync = token_header(SYNC);
    let [nobody, bob, root] = [&*nobody, &bob, &root].map(|cookie| ("cookie", cookie));
    let sync = ("authorization", &*sync);
    let alpha = "store=store1&backup-type=host&backup-id=alpha&backup-time=1717574400";
    let v2 = [("connection", "upgrade"), ("upgrade", "proxmox-backup-reader-protocol-v2")];
    let (none, good): (&[_], &[_]) = (&[], &UPGRADE);
    for (who, upgrade, query, text) in [
        (sync, none, alpha, "missing Upgrade header"),
        (sync, &v2[..], alpha, "invalid protocol name"),
        (nobody, none, alpha, "no permissions on /datastore/store1"),
        (
            nobody,
            good,
            "store=nosuch&backup-type=ct&backup-id=1&backup-time=1",
            "no permissions on /datastore/nosuch",
        ),
        (
            root,
            none,
            "store=nosuch&backup-type=ct&backup-id=1&backup-time=1",
            "no such datastore 'nosuch'",
        ),
        (bob, none, alpha, "missing Upgrade header"),
        (bob, good, alpha, "backup owner check failed!"),
        (
            sync,
            good,
            "store=store1&backup-type=host&backup-id=alpha&backup-time=5",
            "snapshot host/alpha/1970-01-01T00:00:05Z does not exist.",
        ),
        (
            sync,
            good,
            "store=store1&backup-type=host&backup-id=no&backup-time=5",
            "snapshot host/no/1970-01-01T00:00:05Z does not exist.",
        ),
        (
            sync,
            good,
            "store=store1&backup-type=host&backup-id=alpha&backup-time=1717574400&ns=no/such",
            "snapshot host/alpha/2024-06-05T08:00:00Z does not exist.",
        ),
        (
            sync,
            good,
            "store=store1&backup-type=host",
            "parameter verification failed:\n- 'backup-id'",
        ),
        (
            sync,
            good,
            "store=store1&backup-type=host&backup-id=a&backup-time=1&benchmark=1",
            "parameter verification failed - 'benchmark'",
        ),
    ] {
        let headers = [&[who], upgrade].concat();
        let heard = served.ask("GET", &format!("//api2/json/reader?{query}"), &headers, "").await;
        assert_eq!(
            (heard.status, heard.body.starts_with(text)),
            (400, true),
            "{query}: {}",
            heard.body
        );
    }
    let target = format!("/api2/json/reader?{alpha}");
    let post = served.ask("POST", &target, &[&[sync], good].concat(), "").await;
    assert_eq!((post.status, &*post.body), (404, "Path '/api2/json/reader' not found."));
    *served.stores.maintenance.lock().unwrap() = Some("offline".into());
    let away = served.ask("GET", &target, &[&[sync], good].concat(), "").await;
    assert_eq!((away.status, away.body.contains("offline")), (400, true));
    assert!(served.tasks.seen.lock().unwrap().is_empty());
}
