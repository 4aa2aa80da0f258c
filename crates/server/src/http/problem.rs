//! A refusal as callers read it: RFC 9457 problem+json. Handlers return it; the edge adds what only it knows (path, request id).

use std::borrow::Cow;
use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use mainspring_engine::{SealError, StartError};
use mainspring_model::Problem as Finding;
use mainspring_model::fault::Fault;
use mainspring_model::store::StoreError;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Why a request was refused. Holds nothing that its caller may not read, except `cause`, which is only logged.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: Cow<'static, str>,
    pub detail: String,
    pub errors: Vec<Finding>,
    /// Further members of the answer (`run_id`).
    pub members: Map<String, Value>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What really happened, for the log.
    pub cause: Option<String>,
}

pub type Refusable<T> = Result<T, Box<Problem>>;

impl Problem {
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Box<Problem> {
        Box::new(Problem {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            headers: Vec::new(),
            cause: None,
        })
    }

    /// 400: the request itself cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Box<Problem> {
        Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", detail)
    }

    /// 404, also for what belongs to somebody else.
    pub fn not_found(what: impl Display) -> Box<Problem> {
        Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("{what} does not exist"))
    }

    pub fn forbidden(detail: impl Into<String>) -> Box<Problem> {
        Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Box<Problem> {
        Problem::new(StatusCode::CONFLICT, "CONFLICT", detail)
    }

    /// 422 with one finding.
    pub fn invalid(finding: Finding) -> Box<Problem> {
        Problem::invalid_all(vec![finding])
    }

    /// 422: content that was understood and is wrong. Its code is the first finding's.
    pub fn invalid_all(findings: Vec<Finding>) -> Box<Problem> {
        let code = findings.first().map_or_else(|| "INVALID_INPUT".to_owned(), |first| first.code.clone());
        let detail = match findings.as_slice() {
            [] => "the content is invalid".to_owned(),
            [only] => only.message.clone(),
            [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
        };
        let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        problem.errors = findings;
        problem
    }

    /// 500. The cause is logged with the request's id and never sent.
    pub fn internal(cause: impl Display) -> Box<Problem> {
        let detail = "something went wrong on our side; the log has the details under this request's id";
        let mut problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail);
        problem.cause = Some(cause.to_string());
        problem
    }

    /// 503: try again in a while.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Box<Problem> {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(5)
    }

    #[must_use]
    pub fn retry_after(self: Box<Problem>, seconds: u32) -> Box<Problem> {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    #[must_use]
    pub fn header(mut self: Box<Problem>, name: HeaderName, value: HeaderValue) -> Box<Problem> {
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn member(mut self: Box<Problem>, name: &str, value: impl Into<Value>) -> Box<Problem> {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn error(mut self: Box<Problem>, finding: Finding) -> Box<Problem> {
        self.errors.push(finding);
        self
    }

    /// The answer's body.
    pub fn body(&self, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("/docs/errors/{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            code: self.code.clone().into_owned(),
            errors: self.errors.iter().cloned().map(FieldError::from).collect(),
            request_id: request_id.to_owned(),
            error: self.detail.clone(),
            members: self.members.clone(),
        }
    }
}

/// `application/problem+json` (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A page about the code.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors/NOT_FOUND")]
    kind: String,
    /// The status in words.
    title: String,
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: String,
    /// The path that was asked.
    instance: String,
    /// Stable, SCREAMING_SNAKE.
    #[schema(example = "NOT_FOUND")]
    code: String,
    /// Every finding, when there are several places to mend.
    errors: Vec<FieldError>,
    /// As in the header `X-Request-Id`; the log has it too.
    request_id: String,
    /// A copy of `detail`, for earlier callers.
    error: String,
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

/// One thing to mend in what was sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body; for a query parameter, its name.
    pointer: String,
    message: String,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    /// What would have been right.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// The text to put there instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl From<Finding> for FieldError {
    fn from(finding: Finding) -> FieldError {
        let Finding { code, pointer, line, column, message, expected, fix } = finding;
        FieldError { pointer, message, code, line, column, expected, fix }
    }
}

/// The response carries the problem to the edge, which writes it out.
impl IntoResponse for Box<Problem> {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Box<Problem> {
    fn from(error: StoreError) -> Box<Problem> {
        Box::<Problem>::from(&error)
    }
}

impl From<SealError> for Box<Problem> {
    fn from(error: SealError) -> Box<Problem> {
        match error {
            SealError::Store(error) => error.into(),
            SealError::Vault(error) => Problem::internal(error),
        }
    }
}

impl From<&StoreError> for Box<Problem> {
    fn from(error: &StoreError) -> Box<Problem> {
        let said = |status| Problem::new(status, error.code(), error.to_string());
        match error {
            StoreError::NotFound { .. } => said(StatusCode::NOT_FOUND),
            StoreError::Conflict(_) => said(StatusCode::CONFLICT),
            StoreError::Stale { .. } => said(StatusCode::PRECONDITION_FAILED),
            StoreError::TooLarge { .. } => said(StatusCode::PAYLOAD_TOO_LARGE),
            StoreError::Invalid(reason) => {
                let mut problem =
                    Problem::malformed("a cursor, filter or stored row could not be read; leave the cursor out to begin again");
                problem.cause = Some(reason.clone());
                problem
            }
            // Where the data lies is the operator's business: callers learn what to do, the log says the rest.
            StoreError::Full { .. } => {
                caused(Problem::unavailable("DISK_FULL", "the server's disk is full; nothing accepted was lost"), error)
            }
            StoreError::ReadOnly { .. } => {
                caused(Problem::unavailable("STORE_READ_ONLY", "the server cannot write its data folder"), error)
            }
            StoreError::Locked { .. } => caused(Problem::unavailable("STORE_LOCKED", "another process holds the data folder"), error),
            StoreError::Closed => draining(),
            StoreError::Unreachable { .. } => {
                caused(Problem::unavailable("STORE_UNREACHABLE", "the server's database does not answer; nothing accepted was lost"), error)
            }
            StoreError::Busy { .. } => {
                caused(Problem::unavailable("STORE_BUSY", "the server has no connection to its database left; try again"), error)
            }
            StoreError::Newer { .. }
            | StoreError::ChangedMigration { .. }
            | StoreError::Denied { .. }
            | StoreError::Rights(_)
            | StoreError::TooOld { .. }
            | StoreError::Pending { .. }
            | StoreError::Lacking { .. }
            | StoreError::NotEmpty { .. }
            | StoreError::Incomplete { .. }
            | StoreError::Moved { .. }
            | StoreError::InUse { .. }
            | StoreError::BadBackup(_)
            | StoreError::NewerBackup { .. }
            | StoreError::Differs(_)
            | StoreError::Failed(_) => {
                let mut problem = Problem::internal(error);
                problem.code = error.code().into();
                problem
            }
        }
    }
}

impl From<StartError> for Box<Problem> {
    fn from(error: StartError) -> Box<Problem> {
        match error {
            StartError::Inputs(findings) => Problem::invalid_all(findings),
            StartError::Fault(fault) => Box::<Problem>::from(fault),
            StartError::Store(error) => Box::<Problem>::from(&*error),
            StartError::Draining => draining(),
        }
    }
}

/// A fault before a run exists: of the plan's or the trigger's expressions, or our own.
impl From<Fault> for Box<Problem> {
    fn from(fault: Fault) -> Box<Problem> {
        if fault.code == mainspring_model::Code::INTERNAL {
            return Problem::internal(fault);
        }
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault.code.as_str().to_owned(), fault.message)
    }
}

fn draining() -> Box<Problem> {
    Problem::unavailable("SHUTTING_DOWN", "the server is shutting down; try again")
}

fn caused(mut problem: Box<Problem>, error: &StoreError) -> Box<Problem> {
    problem.cause = Some(error.to_string());
    problem
}
