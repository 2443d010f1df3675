//! Clients that are slow, silent or mad: they are let go, and others are served (`remote-protocol.md` §1.1).

use std::pin::Pin;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::serving::Served;

async fn tcp(served: &Served) -> TcpStream {
    TcpStream::connect(served.address).await.unwrap()
}

async fn tls(served: &Served) -> SslStream<TcpStream> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let configuration = connector.build().configure().unwrap().verify_hostname(false);
    let ssl = configuration.into_ssl("localhost").unwrap();
    let mut stream = SslStream::new(ssl, tcp(served).await).unwrap();
    Pin::new(&mut stream).connect().await.unwrap();
    stream
}

/// What the server says until it hangs up. Time is made to pass while nobody does anything.
async fn last_words(mut stream: impl AsyncReadExt + Unpin) -> String {
    tokio::time::pause();
    let mut words = Vec::new();
    // It may hang up without a farewell.
    let _ = stream.read_to_end(&mut words).await;
    tokio::time::resume();
    String::from_utf8_lossy(&words).into_owned()
}

async fn serves_others(served: &Served) -> bool {
    served.ask("GET", "/api2/json/ping", &[], "").await.status == 200
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let served = Served::start().await;
    assert_eq!(last_words(tcp(&served).await).await, "");
    let mut half = tcp(&served).await;
    half.write_all(b"\x16\x03\x01").await.unwrap();
    assert_eq!(last_words(half).await, "");
    last_words(tls(&served).await).await;
    let mut slow = tls(&served).await;
    slow.write_all(b"GET /api2/json/ping HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let words = last_words(slow).await;
    assert!(!words.contains("200 OK"), "{words}");
    assert!(serves_others(&served).await);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let served = Served::start().await;
    let mut stream = tls(&served).await;
    let head = "POST /api2/json/access/ticket HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nuse";
    stream.write_all(head.as_bytes()).await.unwrap();
    let words = last_words(stream).await;
    assert!(words.starts_with("HTTP/1.1 400") && words.contains("does not come"), "{words}");
}

#[tokio::test]
async fn nonsense_ends_a_connection() {
    let served = Served::start().await;
    for nonsense in [&b"\x16\x03\x01\x00\x05hello"[..], b"\0\0\0\0\0", b"QUIT\r\n\r\n"] {
        let mut stream = tcp(&served).await;
        stream.write_all(nonsense).await.unwrap();
        let words = last_words(stream).await;
        assert!(!words.contains("200 OK"), "{words}");
    }
    let many_headers = "x: y\r\n".repeat(200);
    let long_header = format!("x: {}\r\n", "y".repeat(64 << 10));
    for (head, answer) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        ("GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400"),
        (&*format!("GET / HTTP/1.1\r\n{many_headers}\r\n"), "HTTP/1.1 431"),
        (&*format!("GET / HTTP/1.1\r\n{long_header}\r\n"), "HTTP/1.1 431"),
        ("GET /api2/json/ping HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
    ] {
        let mut stream = tls(&served).await;
        // The server may hang up before it has heard all of it.
        let _ = stream.write_all(head.as_bytes()).await;
        let words = last_words(stream).await;
        assert!(words.starts_with(answer), "{}: {words}", &head[..20.min(head.len())]);
    }
    assert!(serves_others(&served).await);
}

#[tokio::test]
async fn whoever_locks_a_snapshot_must_begin_to_read_it() {
    let served = Served::start().await;
    let snapshot = served.add_snapshot("host/alpha/2024-06-05T08:00:00Z", "alice@pbs", 1);
    let (store, client) = ("store1".parse().unwrap(), served.client("alice@pbs!sync"));
    let silent =
        client.read_snapshot(&store, &snapshot.namespace, &snapshot.snapshot).await.unwrap();
    let task = served.tasks.last();
    tokio::time::pause();
    assert_eq!(task.ended().await, Err("the client asks for nothing".to_owned()));
    drop(silent);
}
