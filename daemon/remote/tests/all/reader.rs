//! A snapshot's files and chunks.

use reel_remote::RemoteError;
use reel_types::{Digest, Namespace, Snapshot, StoreName};

use crate::support::{Answer, Asked, Server, ok, refusal};

fn snapshot() -> (StoreName, Namespace, Snapshot) {
    let snapshot = "vm/100/2024-06-05T10:00:14Z".parse().unwrap();
    ("store1".parse().unwrap(), "a/b".parse().unwrap(), snapshot)
}

async fn serving(reader: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(|_| Answer::Says(101, Vec::new()), reader).await
}

#[tokio::test]
async fn files_and_chunks_come_as_they_are_stored() {
    let image: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let file = image.clone();
    let server = serving(move |asked| match &*asked.target {
        "/download?file-name=a.img.fidx" => ok(file.clone()),
        "/download?file-name=index.json.blob" => refusal(404, "no such file"),
        target if target.starts_with("/chunk?digest=0707") => ok("chunk"),
        _ => refusal(401, "download chunk: not registered"),
    })
    .await;
    let (store, ns, snapshot) = snapshot();
    let client = server.client("u@pbs!tok");
    let reader = client.read_snapshot(&store, &ns, &snapshot).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(
        asked.target,
        "/api2/json/reader?ns=a%2Fb&backup-type=vm&backup-id=100&backup-time=1717581614&store=store1&debug=true"
    );
    assert_eq!(asked.header("upgrade"), Some("proxmox-backup-reader-protocol-v1"));
    let over = asked.target.clone();
    let mut download = reader.download("a.img.fidx").await.unwrap();
    let first = &server.asked()[1];
    assert_eq!((&first.over, first.session), (&over, 1), "it came over that connection");
    let mut bytes = Vec::new();
    while let Some(piece) = download.next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    assert!(bytes == image);
    assert_eq!(&reader.chunk(&Digest([7; 32])).await.unwrap()[..], b"chunk");
    let vanished = reader.download("index.json.blob").await.map(drop).unwrap_err();
    assert_eq!(vanished.status(), Some(404));
    let unknown = reader.chunk(&Digest([8; 32])).await.unwrap_err();
    assert_eq!(unknown.status(), Some(401));
    assert!(unknown.to_string().contains("read chunk 0808"), "{unknown}");
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_told() {
    let rest = |_: &Asked| refusal(400, "snapshot vm/100/2024-06-05T10:00:14Z does not exist.");
    let server = Server::start(rest, |_| ok("")).await;
    let (store, ns, snapshot) = snapshot();
    let client = server.client("u@pbs!tok");
    let error = client.read_snapshot(&store, &ns, &snapshot).await.map(drop).unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert!(error.to_string().contains("open snapshot 'vm/100/"), "{error}");
}

#[tokio::test]
async fn a_chunk_that_never_comes_is_not_waited_for_for_ever() {
    let server = serving(|_| Answer::Nothing).await;
    let (store, ns, snapshot) = snapshot();
    let client = server.impatient_client();
    let reader = client.read_snapshot(&store, &ns, &snapshot).await.unwrap();
    let silent = reader.chunk(&Digest([7; 32])).await.unwrap_err();
    assert!(matches!(silent, RemoteError::Silent { .. }), "{silent}");
}

#[tokio::test]
async fn a_chunk_that_breaks_off_or_never_ends_is_no_chunk() {
    let server = serving(|asked| match asked.target.contains("0707") {
        true => Answer::Breaks(b"half".to_vec()),
        false => ok(vec![0; (16 << 20) + 45]),
    })
    .await;
    let (store, ns, snapshot) = snapshot();
    let client = server.client("u@pbs!tok");
    let reader = client.read_snapshot(&store, &ns, &snapshot).await.unwrap();
    let broken = reader.chunk(&Digest([7; 32])).await.unwrap_err();
    assert!(matches!(broken, RemoteError::Broken { .. }), "{broken}");
    let bomb = reader.chunk(&Digest([8; 32])).await.unwrap_err();
    assert!(matches!(bomb, RemoteError::Nonsense { .. }), "{bomb}");
}
