//! One request of the API: routed, let in, answered.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use reel_types::{AuthId, Privilege};
use serde_json::json;
use tokio::time::timeout;

use super::answer::{Answer, Reply, bare};
use super::asked::Asked;
use super::credentials::{Credentials, Judge};
use super::params::{Given, ParamReader};
use super::path::{Format, Path, is_too_long};
use super::reader::Session;
use super::refusal::{Outcome, Refusal};
use super::routes::{Access, Call, Found, Route, find};
use super::server::{Client, Shared};

/// The longest body, in bytes: one of 64 KiB is too long.
const BODY_MAX: usize = (64 << 10) - 1;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Answers one request of a client.
pub(super) async fn answer(
    client: Arc<Client>,
    mut request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    if is_too_long(request.uri()) {
        return Ok(bare(StatusCode::URI_TOO_LONG, ""));
    }
    let target = match Target::of(request.method(), request.uri().path()) {
        Ok(target) => target,
        Err(refusal) => return Ok(refusal.into_bare_answer()),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let who = match let_in(&client.shared, &head, &target).await {
        Ok(who) => who,
        Err(refusal) => {
            tracing::warn!(peer = %client.peer, reason = refusal.text, "a client was not let in");
            client.shared.pause(&refusal).await;
            return Ok(refusal.into_bare_answer());
        }
    };
    let format = target.format;
    let admitted = Admitted { client: Arc::clone(&client), who, head, body, upgrade };
    Ok(match admitted.answer(target).await {
        Ok(answer) => answer,
        Err(refusal) => {
            client.shared.pause(&refusal).await;
            refusal.into_answer(format)
        }
    })
}

/// What a request is about.
struct Target {
    format: Format,
    path: Path,
    found: Option<Found>,
}

impl Target {
    fn of(method: &Method, path: &str) -> Outcome<Self> {
        let path = Path::parse(path)?;
        let (format, components) = path.of_api()?;
        let found = find(method, components);
        Ok(Self { format, path, found })
    }

    fn is_open_to_all(&self) -> bool {
        matches!(&self.found, Some(Found::Route(route, _)) if route.access == Access::World)
    }
}

/// Who sends the request; nobody where the path is open to all.
async fn let_in(shared: &Arc<Shared>, head: &Parts, target: &Target) -> Outcome<Option<AuthId>> {
    if target.is_open_to_all() {
        return Ok(None);
    }
    let credentials = Credentials::of(&head.headers);
    let may_change = head.method != Method::GET;
    let judged = shared.work(move |shared| {
        let judge = Judge {
            gate: &*shared.around.gate,
            auth_key: &shared.auth_key,
            csrf_key: &shared.csrf_key,
            now: shared.around.clock.now(),
            may_change,
        };
        let refused = |reason| Refusal::unauthorized(format!("authentication failed - {reason}"));
        credentials.check(&judge).map_err(refused)
    });
    judged.await.map(Some)
}

/// A request of somebody who was let in.
struct Admitted {
    client: Arc<Client>,
    who: Option<AuthId>,
    head: Parts,
    body: Incoming,
    upgrade: OnUpgrade,
}

impl Admitted {
    async fn answer(self, target: Target) -> Outcome<Answer> {
        match target.found {
            None => Err(Refusal::no_such_path(target.path.text())),
            Some(Found::Folder(names)) => Ok(self.folder(&names)?.into_answer(target.format)),
            Some(Found::Route(route, of_path)) => self.call(route, of_path, target.format).await,
        }
    }

    fn folder(&self, names: &BTreeSet<&str>) -> Outcome<Reply> {
        ParamReader::new(Given::of_form(self.query().as_bytes())).finish(|| Some(()))?;
        let items: Vec<_> = names.iter().map(|name| json!({ "subdir": name })).collect();
        Reply::data(&items)
    }

    async fn call(self, route: &'static Route, of_path: Given, format: Format) -> Outcome<Answer> {
        if let Access::Store(privileges) = route.access {
            self.check_store(&of_path, privileges).await?;
        }
        let client = Arc::clone(&self.client);
        let (asked, upgrade) = self.asked(of_path).await?;
        match route.call {
            Call::Reply(call) => {
                let reply = client.shared.work(move |_| call(asked)).await?;
                Ok(reply.into_answer(format))
            }
            Call::Reader(open) => {
                let session = client.shared.work(move |_| open(asked)).await?;
                tokio::spawn(session.run(upgrade, client));
                Ok(Session::switching())
            }
        }
    }

    /// What the path asks of everybody, before the request is looked at.
    async fn check_store(&self, of_path: &Given, privileges: &'static [Privilege]) -> Outcome<()> {
        let path = format!("/datastore/{}", of_path.get("store").unwrap_or_default());
        let who = self.who.clone();
        let check = move |shared: &Shared| {
            let may = |who| privileges.iter().any(|it| shared.around.gate.allows(who, &path, *it));
            if who.as_ref().is_some_and(may) { Ok(()) } else { Err(Refusal::forbidden_at_once()) }
        };
        self.client.shared.work(check).await
    }

    /// The request with its parameters.
    async fn asked(self, of_path: Given) -> Outcome<(Asked, OnUpgrade)> {
        let mut given = if self.head.method == Method::GET {
            Given::of_form(self.query().as_bytes())
        } else {
            let query = self.query().to_owned();
            Given::of_body(&self.head.headers, &read_body(self.body).await?, &query)?
        };
        given.extend(of_path);
        let asked = Asked {
            shared: Arc::clone(&self.client.shared),
            who: self.who,
            given,
            upgrade: self.head.headers.get(UPGRADE).cloned(),
            version: self.head.version,
        };
        Ok((asked, self.upgrade))
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }
}

async fn read_body(body: Incoming) -> Outcome<Bytes> {
    let read = timeout(BODY_PATIENCE, Limited::new(body, BODY_MAX).collect()).await;
    let read = read.map_err(|_| Refusal::bad("the body of the request does not come"))?;
    let read = read.map_err(|error| Refusal::bad(format!("read the body: {error}")))?;
    Ok(read.to_bytes())
}
