//! Why a request is refused, and how that is told (`remote-protocol.md` §2.2).

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use http::StatusCode;
use reel_store::StoreError;
use reel_types::commands::ParamErrors;

/// How long whoever shows wrong credentials waits for the answer.
pub(super) const UNAUTHORIZED_PAUSE: Duration = Duration::from_secs(3);
/// How long whoever lacks a privilege that a path asks of everybody waits for the answer.
pub(super) const FORBIDDEN_PAUSE: Duration = Duration::from_millis(500);

/// A status, a text, and how long the client waits for them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: String,
    /// What is wrong with single parameters.
    pub(super) params: BTreeMap<String, String>,
    pub(super) pause: Duration,
}

pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>, pause: Duration) -> Self {
        Self { status, text: text.into(), params: BTreeMap::new(), pause }
    }

    /// Anything that has no status of its own.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text, Duration::ZERO)
    }

    pub(super) fn unauthorized(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text, UNAUTHORIZED_PAUSE)
    }

    /// Found out by whoever handles the request.
    pub(super) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text, Duration::ZERO)
    }

    /// Found out before the request was looked at.
    pub(super) fn forbidden_at_once() -> Self {
        Self::new(StatusCode::FORBIDDEN, PERMISSION_CHECK_FAILED, FORBIDDEN_PAUSE)
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text, Duration::ZERO)
    }

    pub(super) fn no_such_path(path: &str) -> Self {
        Self::not_found(format!("Path '{path}' not found."))
    }

    pub(super) fn not_implemented(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, text, Duration::ZERO)
    }
}

pub(super) const PERMISSION_CHECK_FAILED: &str = "permission check failed";

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<Box<dyn Error + Send + Sync>> for Refusal {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<ParamErrors> for Refusal {
    fn from(errors: ParamErrors) -> Self {
        let text = errors.to_string();
        Self { params: errors.into_map(), ..Self::bad(text) }
    }
}
