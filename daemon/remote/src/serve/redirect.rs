//! What a client hears that forgot the TLS (`remote-protocol.md` §1.1).

use std::convert::Infallible;

use http::header::{CONNECTION, HOST, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;

use super::answer::{Answer, bare};

pub(super) async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let mut answer = match location(request.headers()) {
        Some(location) => {
            let mut answer = bare(status(request.method()), "");
            answer.headers_mut().insert(LOCATION, location);
            answer
        }
        None => bare(StatusCode::BAD_REQUEST, ""),
    };
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(answer)
}

fn status(method: &Method) -> StatusCode {
    match *method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    }
}

fn location(headers: &HeaderMap) -> Option<HeaderValue> {
    let host = headers.get(HOST)?.to_str().ok()?;
    HeaderValue::from_str(&format!("https://{host}")).ok()
}
