//! What goes back to a client (`remote-protocol.md` §2).

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Either;
use serde::Serialize;
use serde_json::json;

use super::body::{AnswerBody, PieceBody, Pieces, Wrapped, whole};
use super::path::Format;
use super::refusal::{Outcome, Refusal};

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const PARAMETERS_WRONG: &str = "parameter verification errors";

pub(super) type Answer = Response<AnswerBody>;

/// What was asked for.
pub(super) enum Reply {
    /// A result, as JSON.
    Data(String),
    /// The items of a list as JSON, with the commas between them.
    Items(Box<dyn Pieces>),
    /// Bytes as they are, and how many where that is known.
    File(Box<dyn Pieces>, Option<u64>),
    /// Few bytes as they are.
    Bytes(Bytes),
}

impl Reply {
    pub(super) fn data(result: &impl Serialize) -> Outcome<Self> {
        let text = serde_json::to_string(result);
        text.map(Self::Data).map_err(|error| Refusal::bad(format!("write the result: {error}")))
    }

    /// As an answer of that format.
    pub(super) fn into_answer(self, format: Format) -> Answer {
        let behind = match format {
            Format::Json => "}",
            Format::Extjs => ",\"status\":200,\"success\":true}",
        };
        match self {
            Self::Data(data) => {
                answer(StatusCode::OK, JSON, whole(format!("{{\"data\":{data}{behind}")))
            }
            Self::Items(pieces) => {
                let before = Some(Bytes::from_static(b"{\"data\":["));
                let behind = Some(Bytes::from(format!("]{behind}")));
                let body = PieceBody::new(Wrapped { before, pieces, behind }, None);
                answer(StatusCode::OK, JSON, Either::Right(body))
            }
            Self::File(pieces, length) => {
                answer(StatusCode::OK, OCTETS, Either::Right(PieceBody::new(pieces, length)))
            }
            Self::Bytes(bytes) => answer(StatusCode::OK, OCTETS, whole(bytes)),
        }
    }
}

impl Refusal {
    /// As an answer of that format.
    pub(super) fn into_answer(self, format: Format) -> Answer {
        if format == Format::Json {
            return answer(self.status, JSON, whole(self.text));
        }
        let message = if self.params.is_empty() { &*self.text } else { PARAMETERS_WRONG };
        let body = json!({
            "errors": self.params,
            "message": message,
            "status": self.status.as_u16(),
            "success": false,
        });
        answer(StatusCode::OK, JSON, whole(body.to_string()))
    }

    /// As an answer to whoever has not been let in.
    pub(super) fn into_bare_answer(self) -> Answer {
        bare(self.status, self.text)
    }
}

/// A status and a text, of no type.
pub(super) fn bare(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response
}

fn answer(status: StatusCode, kind: HeaderValue, body: AnswerBody) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use reel_types::commands::ParamErrors;

    use super::*;

    async fn told(answer: Answer) -> (u16, String) {
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn envelopes_are_those_of_the_recorded_server() {
        let data = || Reply::data(&["x"]).unwrap();
        let refusal = || Refusal::bad("ENOENT: No such file or directory");
        assert_eq!(told(data().into_answer(Format::Json)).await, (200, r#"{"data":["x"]}"#.into()));
        assert_eq!(
            told(data().into_answer(Format::Extjs)).await,
            (200, r#"{"data":["x"],"status":200,"success":true}"#.into())
        );
        assert_eq!(
            told(refusal().into_answer(Format::Json)).await,
            (400, "ENOENT: No such file or directory".into())
        );
        assert_eq!(
            told(refusal().into_answer(Format::Extjs)).await,
            (200, r#"{"errors":{},"message":"ENOENT: No such file or directory","status":400,"success":false}"#.into())
        );
        let wrong = Refusal::from(ParamErrors::one("ns", "wrong"));
        assert_eq!(
            told(wrong.into_answer(Format::Extjs)).await,
            (200, r#"{"errors":{"ns":"wrong"},"message":"parameter verification errors","status":400,"success":false}"#.into())
        );
    }
}
