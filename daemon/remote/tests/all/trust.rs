//! Whose certificate is believed.

use reel_remote::{ClientOptions, Endpoint, RemoteError};
use tokio::net::TcpListener;

use crate::support::{Answer, Server, ok};

#[tokio::test]
async fn another_certificate_is_shown_and_nothing_is_sent() {
    let server = Server::start(|_| ok("{}"), |_| ok("")).await;
    for expected in [None, Some(reel_types::Fingerprint([7; 32]))] {
        let endpoint = Endpoint { fingerprint: expected, ..server.endpoint() };
        let error = server
            .client_with(endpoint, "u@pbs!tok", ClientOptions::default())
            .version()
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, RemoteError::Certificate { .. }), "{text}");
        assert!(text.contains(&format!("it has the fingerprint {}", server.fingerprint)), "{text}");
        assert_eq!(text.contains("and 07:07:"), expected.is_some(), "{text}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn nobody_there_and_a_host_without_an_address() {
    let server = Server::start(|_| ok("{}"), |_| ok("")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let nobody = Endpoint { port, ..server.endpoint() };
    let nowhere = Endpoint { host: "no-such-host.invalid".parse().unwrap(), ..server.endpoint() };
    for endpoint in [nobody, nowhere] {
        let wanted = format!("connect to {}:{}: ", endpoint.host, endpoint.port);
        let error = server
            .client_with(endpoint, "u@pbs!tok", ClientOptions::default())
            .version()
            .await
            .unwrap_err();
        assert!(matches!(error, RemoteError::Connect { .. }), "{error}");
        assert!(error.to_string().starts_with(&wanted), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let server = Server::start(|_| Answer::Nothing, |_| ok("")).await;
    let error = server.impatient_client().version().await.unwrap_err();
    assert!(matches!(error, RemoteError::Silent { .. }), "{error}");
}
