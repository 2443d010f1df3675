//! The daemon's API over its socket. Each request has a connection of its own: they are local and
//! few, and a followed log must not hold up a request to stop the task.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use reel_types::api::{CommandAnswer, CommandRequest, ErrorBody, TaskLogPage, TaskStatusInfo};
use reel_types::commands::CommandInfo;
use reel_types::commands::results::VersionInfo;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::net::UnixStream;

use crate::failure::Failure;

/// A daemon, by its socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The daemon that listens at `socket`.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.into() }
    }

    /// Has a command done.
    pub async fn command(
        &self,
        info: &'static CommandInfo,
        params: Map<String, Value>,
    ) -> Result<CommandAnswer, Failure> {
        let request = CommandRequest { command: info.name(), params, id: None };
        let body = serde_json::to_vec(&request)
            .map_err(|cause| Failure::Answer { request: info.name(), cause })?;
        let answer = self.request(Method::POST, "/v1/command", body.into()).await?;
        self.decoded("/v1/command", answer).await.map_err(|failure| match failure {
            Refusal::Parameters(message) => Failure::Parameters { message, info },
            Refusal::Other(failure) => failure,
        })
    }

    /// Lines of a task's log from number `start` on; waits for one where there is none yet.
    pub async fn task_log(&self, upid: &str, start: u64) -> Result<TaskLogPage, Failure> {
        let page = format!("log?start={start}&limit={}&wait=1", Self::LOG_LINES);
        self.get(&format!("/v1/tasks/{}/{page}", percent_encoded(upid))).await
    }

    /// How many lines of a log are asked for at once (`cli-manager.md` §3.8).
    const LOG_LINES: u64 = 500;

    /// How a task stands.
    pub async fn task_status(&self, upid: &str) -> Result<TaskStatusInfo, Failure> {
        self.get(&format!("/v1/tasks/{}/status", percent_encoded(upid))).await
    }

    /// What the daemon is.
    pub async fn version(&self) -> Result<VersionInfo, Failure> {
        self.get("/v1/version").await
    }

    /// The decoded content of a snapshot's file, in pieces.
    pub async fn content(&self, params: &Map<String, Value>) -> Result<Content, Failure> {
        let pairs: Vec<_> = params
            .iter()
            .filter_map(|(name, value)| {
                Some(format!("{name}={}", percent_encoded(value.as_str()?)))
            })
            .collect();
        let target = format!("/v1/content?{}", pairs.join("&"));
        let body = self.content_body(&target).await?;
        Ok(Content { client: self.clone(), target, body, received: 0, resumed_at: 0 })
    }

    async fn content_body(&self, target: &str) -> Result<Incoming, Failure> {
        let answer = self.request(Method::GET, target, Bytes::new()).await?;
        if answer.status() == StatusCode::OK {
            return Ok(answer.into_body());
        }
        let refused: Result<Value, Refusal> = self.decoded(target, answer).await;
        Err(match refused {
            Err(refusal) => refusal.into(),
            Ok(_) => Failure::Daemon("the daemon sent no content".into()),
        })
    }

    async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Failure> {
        let answer = self.request(Method::GET, target, Bytes::new()).await?;
        self.decoded(target, answer).await.map_err(Failure::from)
    }

    async fn request(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream =
            stream.map_err(|cause| Failure::Connect { socket: self.socket.clone(), cause })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|cause| self.broken(cause))?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| Failure::Daemon(format!("unable to ask for {target}: {error}")))?;
        sender.send_request(request).await.map_err(|cause| self.broken(cause))
    }

    /// The answer's value, or why there is none.
    async fn decoded<T: DeserializeOwned>(
        &self,
        request: &str,
        answer: Response<Incoming>,
    ) -> Result<T, Refusal> {
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|cause| self.broken(cause))?;
        let body = body.to_bytes();
        if status.is_success() {
            let decoded = serde_json::from_slice(&body);
            let failure = |cause| Failure::Answer { request: request.into(), cause };
            return decoded.map_err(|cause| failure(cause).into());
        }
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error, params: Some(_), .. }) => Refusal::Parameters(error),
            Ok(ErrorBody { error, .. }) => Failure::Daemon(error).into(),
            Err(_) => {
                Failure::Daemon(format!("the daemon answered {request} with {status}")).into()
            }
        })
    }

    fn broken(&self, cause: hyper::Error) -> Failure {
        Failure::Connection { socket: self.socket.clone(), cause }
    }
}

/// A refusal, before it is known which command's usage to show.
enum Refusal {
    Parameters(String),
    Other(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Parameters(message) => Self::Daemon(message),
            Refusal::Other(failure) => failure,
        }
    }
}

/// A stream of bytes that ends with an error where the daemon's does.
#[derive(Debug)]
pub struct Content {
    client: Client,
    target: String,
    body: Incoming,
    received: u64,
    resumed_at: u64,
}

impl Content {
    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) => {
                    self.received += data.len() as u64;
                    return Ok(Some(data));
                }
                Ok(Err(_trailers)) => {}
                Err(cause) => self.resume(cause).await?,
            }
        }
        Ok(None)
    }

    /// The daemon breaks the connection where reading fails, and has no other way to say so in the middle. Asked for
    /// what is missing it tells why.
    async fn resume(&mut self, cause: hyper::Error) -> Result<(), Failure> {
        if self.received == self.resumed_at {
            return Err(self.client.broken(cause));
        }
        self.body =
            self.client.content_body(&format!("{}&start={}", self.target, self.received)).await?;
        self.resumed_at = self.received;
        Ok(())
    }
}

/// Text for a place in a URI: everything but letters, digits and `-._~` is escaped.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upids_fit_into_uris() {
        let upid = r"UPID:n:00000001:00000002:00000003:5CA78B83:t:a\x3ab:root@pam:";
        let encoded = percent_encoded(upid);
        assert!(encoded.starts_with("UPID%3An%3A"), "{encoded}");
        assert!(encoded.ends_with("a%5Cx3ab%3Aroot%40pam%3A"), "{encoded}");
    }
}
