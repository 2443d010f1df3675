//! One login at one server, and its REST calls (`remote-protocol.md` §1.3, §2).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::RemoteError;
use crate::call::Call;
use crate::connection::{Endpoint, connect};
use crate::limit::Limits;
use crate::login::{Login, Ticket};

/// How long an answer may keep us waiting, and each piece of it (`remote-protocol.md` §1.1).
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest answer that is read: a list of some hundred thousand snapshots.
const ANSWER_MAX: usize = 64 << 20;
pub(crate) const AGENT: HeaderValue = HeaderValue::from_static("proxmox-backup-client/1.0");

pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;
type Sender = SendRequest<Full<Bytes>>;

/// How a client uses its server.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// What all its connections may take together.
    pub limits: Limits,
    /// How long an answer, and each piece of it, may keep us waiting.
    pub patience: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { limits: Limits::default(), patience: PATIENCE }
    }
}

/// A login at a server. It connects and logs in when it is first asked for something.
pub struct Client {
    endpoint: Endpoint,
    login: Login,
    options: ClientOptions,
    ticket: Mutex<Option<Ticket>>,
    connection: Mutex<Option<Sender>>,
}

/// What a request says, so that it can be said again over another connection.
struct Question<'q> {
    method: Method,
    target: &'q str,
    headers: &'q [(HeaderName, HeaderValue)],
    body: Bytes,
}

/// What the server answers with.
#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

impl Client {
    /// A client of the server at `endpoint`.
    pub fn new(endpoint: Endpoint, login: Login, options: ClientOptions) -> Self {
        let (ticket, connection) = (Mutex::default(), Mutex::default());
        Self { endpoint, login, options, ticket, connection }
    }

    /// Where the server is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    pub(crate) fn call(&self, what: String) -> Call {
        Call { what, server: self.endpoint.server(), patience: self.options.patience }
    }

    /// Asks for something that a user may see, such as `admin/datastore`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, RemoteError> {
        let headers = self.credentials().await?;
        let target = target(path, query);
        let (method, body) = (Method::GET, Bytes::new());
        let question = Question { method, target: &target, headers: &headers, body };
        self.ask(&self.call(format!("ask for '{path}'")), &question).await
    }

    /// The headers of a request by whoever has logged in.
    pub(crate) async fn credentials(&self) -> Result<Headers, RemoteError> {
        if let Some(header) = self.login.token_header() {
            return Ok(vec![header]);
        }
        let mut held = self.ticket.lock().await;
        let ticket = match held.take() {
            Some(ticket) if !ticket.is_old() => ticket,
            known => self.new_ticket(known).await?,
        };
        let headers = ticket.headers();
        *held = Some(ticket);
        let call = self.call("log in".into());
        Ok(headers.ok_or_else(|| call.nonsense("a ticket that is no text"))?.into())
    }

    /// By the old ticket, or by the password where there is none or it is refused.
    async fn new_ticket(&self, old: Option<Ticket>) -> Result<Ticket, RemoteError> {
        if let Some(old) = old
            && let Ok(ticket) = self.log_in(old.as_password()).await
        {
            return Ok(ticket);
        }
        self.log_in(self.login.password.reveal()).await
    }

    async fn log_in(&self, password: &str) -> Result<Ticket, RemoteError> {
        let user = self.login.auth_id.to_string();
        let call = self.call(format!("log in as '{user}'"));
        let body = serde_json::json!({ "username": user, "password": password });
        let question = Question {
            method: Method::POST,
            target: &target("access/ticket", &[]),
            headers: &[(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            body: body.to_string().into(),
        };
        self.ask(&call, &question).await
    }

    /// Asks over the connection that is open, or over a new one where that has ended meanwhile.
    async fn ask<T: DeserializeOwned>(
        &self,
        call: &Call,
        question: &Question<'_>,
    ) -> Result<T, RemoteError> {
        let mut held = self.connection.lock().await;
        if let Some(mut used) = held.take().filter(|used| !used.is_closed())
            && let Ok(answer) = self.exchange(call, &mut used, question).await
        {
            *held = Some(used);
            return answer.into_data(call);
        }
        let mut new = self.open(call).await?;
        let answer = self.exchange(call, &mut new, question).await?;
        *held = Some(new);
        answer.into_data(call)
    }

    async fn open(&self, call: &Call) -> Result<Sender, RemoteError> {
        let stream = connect(&self.endpoint, self.limits()).await?;
        let (sender, connection) = call.in_time(handshake(TokioIo::new(stream))).await?;
        // It ends with its sender, and what ends it is told to whoever waits for an answer.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Fails where the connection does, whatever the server answers.
    async fn exchange(
        &self,
        call: &Call,
        connection: &mut Sender,
        question: &Question<'_>,
    ) -> Result<Answer, RemoteError> {
        let Question { method, target, headers, body } = question;
        let request = self.request(call, method.clone(), target, headers, body.clone())?;
        let response = call.in_time(connection.send_request(request)).await?;
        let status = response.status();
        Ok(Answer { status, body: read_body(call, response.into_body(), ANSWER_MAX).await? })
    }

    pub(crate) fn request(
        &self,
        call: &Call,
        method: Method,
        target: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, RemoteError> {
        let request = Request::builder().method(method).uri(target);
        let request = request.header(HOST, &call.server).header(USER_AGENT, AGENT);
        let with = |request: http::request::Builder, (name, value): &(HeaderName, HeaderValue)| {
            request.header(name, value)
        };
        let request = headers.iter().fold(request, with).body(Full::new(body));
        request.map_err(|error| call.broken(error))
    }
}

/// What came back.
struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Answer {
    /// What was asked for.
    fn into_data<T: DeserializeOwned>(self, call: &Call) -> Result<T, RemoteError> {
        if self.status != StatusCode::OK {
            return Err(call.refused(self.status, &self.body));
        }
        let body = if self.body.is_empty() { br#"{"data":null}"# } else { &self.body[..] };
        let envelope: Result<Envelope<T>, _> = serde_json::from_slice(body);
        let nonsense = |error| call.nonsense(format!("an answer that can't be read: {error}"));
        Ok(envelope.map_err(nonsense)?.data)
    }
}

/// A body as a whole, which may not be longer than `max`.
pub(crate) async fn read_body(
    call: &Call,
    mut body: Incoming,
    max: usize,
) -> Result<Bytes, RemoteError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = call.patiently(body.frame()).await? {
        let frame = frame.map_err(|error| call.broken(error))?;
        let piece = frame.into_data().unwrap_or_default();
        if bytes.len() + piece.len() > max {
            return Err(call.nonsense(format!("an answer of more than {max} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// The target of a request for an API path.
pub(crate) fn target(path: &str, query: &[(&str, String)]) -> String {
    if query.is_empty() {
        return format!("/api2/json/{path}");
    }
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query);
    format!("/api2/json/{path}?{}", encoded.finish())
}
