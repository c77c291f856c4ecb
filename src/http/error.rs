//! Errors as RFC 9457 problem documents, with the place and who can fix it.

use crate::access::Denied;
use crate::exchange::ExchangeError;
use crate::intake::NotTaken;
use crate::ledger::LedgerError;
use crate::reconcile::source::SourceError;
use crate::sync::SyncError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::problem::{Fixer, Problem};

/// An answer that is not what was asked for.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    fixer: Fixer,
    problems: Vec<Problem>,
}

/// The body of an error: RFC 9457 `application/problem+json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemDocument {
    /// Identifies the kind of problem: `urn:silta:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, without personal data.
    pub detail: String,
    /// Who can fix it: sender, operator, configuration or other_side.
    pub fixer: Fixer,
    /// Problems with the document that was sent, each with line and path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

super::openapi::described!(ProblemDocument);

impl ApiError {
    /// An error the sender of the request can fix.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), fixer: Fixer::Sender, problems: Vec::new() }
    }

    /// The same, for somebody else to fix.
    pub fn for_fixer(mut self, fixer: Fixer) -> Self {
        self.fixer = fixer;
        self
    }

    /// The same, with problems of the document that was sent.
    pub fn with(mut self, problems: Vec<Problem>) -> Self {
        self.problems = problems;
        self
    }

    /// There is no such thing (or the token may not know of it).
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing")
    }

    /// The request is not one.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// The body is larger than it may be.
    pub fn too_large(limit: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("the body is larger than {limit} bytes"))
    }

    /// It cannot be done as things stand.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The store is away. What was asked for was not done, or its answer was lost: it may be asked for again.
    fn away(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_away", "the store is away; ask again")
            .for_fixer(Fixer::Operator)
    }

    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the gateway failed; its log says why")
            .for_fixer(Fixer::Operator)
    }
}

/// After how many seconds a request may be made again when the store was away.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("5");

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let document = ProblemDocument {
            kind: format!("urn:silta:problem:{}", self.code),
            title: self.code.replace('_', " "),
            status: self.status.as_u16(),
            detail: self.detail,
            fixer: self.fixer,
            problems: self.problems,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, COME_AGAIN);
        }
        response
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", denied.to_string()),
            Denied::Role | Denied::Tenant | Denied::Kind => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", denied.to_string())
            }
        }
    }
}

impl From<LedgerError> for ApiError {
    fn from(e: LedgerError) -> Self {
        match e {
            LedgerError::Away(_) | LedgerError::Conflict(_) => Self::away(&e),
            _ => Self::internal(&e),
        }
    }
}

impl From<crate::delivery::DeliveryError> for ApiError {
    fn from(e: crate::delivery::DeliveryError) -> Self {
        match e {
            crate::delivery::DeliveryError::Ledger(e) => e.into(),
            e => Self::internal(&e),
        }
    }
}

impl From<SourceError> for ApiError {
    fn from(e: SourceError) -> Self {
        match e {
            SourceError::Sync(SyncError::NotTaken(e)) => e.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<std::io::Error> for ApiError {
    fn from(e: std::io::Error) -> Self {
        Self::internal(&e)
    }
}

impl From<ExchangeError> for ApiError {
    fn from(e: ExchangeError) -> Self {
        match e {
            ExchangeError::Refused(refusal) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_expressible", "this format cannot hold the record")
                    .with(refusal.0)
            }
            ExchangeError::NoFormat => Self::new(StatusCode::NOT_ACCEPTABLE, "no_such_format", e.to_string()),
            ExchangeError::Ledger(e) => e.into(),
            ExchangeError::Delivery(e) => e.into(),
            ExchangeError::Vault(e) => Self::internal(&e),
        }
    }
}

impl From<NotTaken> for ApiError {
    fn from(e: NotTaken) -> Self {
        let detail = e.to_string();
        match e {
            NotTaken::Unreadable(problem) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable", detail).with(vec![*problem])
            }
            NotTaken::Nothing(problems) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing_readable", detail).with(problems)
            }
            NotTaken::Incomplete(problems) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_complete", detail).with(problems)
            }
            NotTaken::Shrinks { .. } => Self::new(StatusCode::CONFLICT, "shrinks", detail),
            NotTaken::Ledger(e) => e.into(),
            NotTaken::Io(e) => Self::internal(&e),
        }
    }
}
