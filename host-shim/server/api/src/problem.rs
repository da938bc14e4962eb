//! Errors as problem details (RFC 9457). `code` is stable, for programs; `detail` is for humans.

use crate::site::questions::NotAsked;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use extension_contract::{Failure, FieldError, FieldErrorCode, Problem as ExtensionProblem, Refusal};
use host_business::routes::limits::ERRORS_MAX;
use host_business::routes::{ErrorMap, WrongValues};
use host_engine::processor::AskError;
use host_engine::show;
use host_engine::writer::JobError;
use host_intake::raw;
use host_wasm_runner::runner::RunError;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Seconds after which a caller may try again when a queue is full or the store has failed.
const RETRY_AFTER_S: u64 = 1;
/// Seconds after which a request that waits for effects to end may be sent again.
const OPEN_EFFECTS_WAIT_S: u64 = 5;
/// Media type of a problem.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A problem of a request.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    /// Further members.
    more: Map<String, Value>,
    retry_after_s: Option<u64>,
    allow: Option<Box<str>>,
    /// The refusal behind the problem, to which a business may have its own answer.
    refusal: Option<Box<Refusal>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Problem { status, code, detail, more: Map::new(), retry_after_s: None, allow: None, refusal: None }
    }

    /// The request is wrong.
    pub(crate) fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// There is nothing at this path or with this id, or the caller must not know that there is.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The method is not allowed; `allow` lists the allowed methods.
    pub(crate) fn method(allow: &str) -> Self {
        let detail = format!("expected {allow}");
        Problem { allow: Some(allow.into()), ..Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail) }
    }

    /// Nothing was stored; the same request may be sent again.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        Problem { retry_after_s: Some(RETRY_AFTER_S), ..problem }
    }

    /// The caller sends too many requests; the next is allowed after some seconds.
    pub(crate) fn too_many(detail: &str, retry_after_s: u64) -> Self {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail);
        Problem { retry_after_s: Some(retry_after_s), ..problem }
    }

    /// Too many requests of the caller are in progress; the next is allowed when one of them has ended.
    pub(crate) fn at_once(detail: &str) -> Self {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-at-once", detail);
        Problem { retry_after_s: Some(RETRY_AFTER_S), ..problem }
    }

    /// The body is too long.
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("expected at most {bytes_max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    /// Returns true if the caller has no valid key.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// Returns the status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the human-readable description.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the body of the answer.
    pub(crate) fn body(&self) -> Value {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({
            "status": self.status.as_u16(), "title": title, "code": self.code, "detail": self.detail,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.more.clone());
        }
        body
    }

    /// Returns the refusal of the extension behind the problem.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// One value of a part of the request is wrong.
    pub(crate) fn invalid_value(part: &'static str, path: &str, code: FieldErrorCode, found: String) -> Self {
        Problem::invalid(part, [FieldError::new(path, code, found)].as_slice())
    }

    /// Values of a part of the request are wrong. The answer lists the first ones.
    pub(crate) fn invalid(part: &'static str, wrong: impl Into<WrongValues>) -> Self {
        let wrong = wrong.into();
        let more = and_more(wrong.listed().len(), wrong.count());
        let detail = format!("some values of the {part} are wrong{more}");
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        problem.with("in", json!(part)).with("errors", show::wrong_fields(wrong.listed()))
    }

    /// Returns an answer unchanged, or, if it answers a refused request, the business's own answer to it.
    pub(crate) fn answered(mut response: Response, errors: &ErrorMap) -> Response {
        let Some(Refused { refusal, is_answered: false }) = response.extensions().get::<Refused>() else {
            return response;
        };
        let Some(answer) = errors.answer(refusal) else { return response };
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
        let usual = Problem::of_refusal(refusal);
        let detail = answer.detail.clone().unwrap_or_else(|| usual.detail.clone());
        let problem = Problem { status, code: answer.code.clone().into(), detail, refusal: None, ..usual };
        let mut replaced = problem.into_response();
        std::mem::swap(replaced.extensions_mut(), response.extensions_mut());
        if let Some(refused) = replaced.extensions_mut().get_mut::<Refused>() {
            refused.is_answered = true;
        }
        replaced
    }

    /// The extension refused a command or a question.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        if let Some(detail) = show::too_many_open(refusal) {
            return Problem::too_many(&detail, OPEN_EFFECTS_WAIT_S);
        }
        let status = StatusCode::from_u16(show::refusal_status(refusal)).unwrap_or(StatusCode::CONFLICT);
        let (refusal, more) = match refusal {
            Refusal::Invalid(errors) if errors.len() > ERRORS_MAX => {
                let is_whole = errors.last().is_none_or(|last| last.code != FieldErrorCode::More);
                let more = if is_whole { and_more(ERRORS_MAX, errors.len()) } else { ", and many more".to_owned() };
                (Refusal::Invalid(errors[..ERRORS_MAX].to_vec()), more)
            }
            refusal => (refusal.clone(), String::new()),
        };
        let expected = match &refusal {
            Refusal::Malformed(pointer) => raw::expected(pointer),
            _ => None,
        };
        let detail = expected.map_or_else(
            || refusal.detail() + &more,
            |expected| format!("`{}` is missing or wrong: expected {expected}", refusal.detail()),
        );
        let problem = Problem::new(status, refusal.code(), detail);
        Problem { more: show::refusal_members(&refusal), refusal: Some(Box::new(refusal)), ..problem }
    }

    /// The answer contains nothing that could reveal anything about the failure, except that the caller may try again.
    pub(crate) fn internal() -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request failed; the operator's log says why")
    }
}

/// Returns how many errors are not listed.
fn and_more(listed: usize, count: usize) -> String {
    if count > listed { format!(", and {} more", count - listed) } else { String::new() }
}

/// Marks the answer to a refused request.
#[derive(Clone)]
struct Refused {
    refusal: Box<Refusal>,
    /// True if the business has already given its answer.
    is_answered: bool,
}

/// Returns the refusal behind an answer.
pub(crate) fn refusal_of(response: &Response) -> Option<&Refusal> {
    response.extensions().get::<Refused>().map(|refused| &*refused.refusal)
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Busy { .. } => Problem::unavailable("too many requests wait"),
            JobError::Ended => Problem::unavailable("the server stops"),
            // The message of a store error may contain a path.
            JobError::Failed(_) => Problem::unavailable("nothing could be stored"),
            JobError::RealTime => Problem::bad("real-time", error.to_string()),
        }
    }
}

impl From<NotAsked> for Problem {
    fn from(error: NotAsked) -> Self {
        match error {
            NotAsked::Busy { .. } => Problem::unavailable("too many questions wait"),
            NotAsked::Ended => Problem::unavailable("the server stops"),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Problem(ExtensionProblem::Refused(refusal)) => Problem::of_refusal(&refusal),
            AskError::Run(RunError::Failure(Failure::Store(_))) => Problem::unavailable("the store cannot be read"),
            AskError::Problem(ExtensionProblem::Failed(_)) | AskError::Run(_) => {
                tracing::error!(%error, "a question was not answered");
                Problem::internal()
            }
        }
    }
}

impl From<host_store::StoreError> for Problem {
    fn from(_: host_store::StoreError) -> Self {
        Problem::unavailable("the store cannot be read")
    }
}

impl From<host_identity::access::AccessError> for Problem {
    fn from(_: host_identity::access::AccessError) -> Self {
        Problem::unavailable("the keys cannot be read")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body().to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::try_from(&*allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(refusal) = self.refusal {
            response.extensions_mut().insert(Refused { refusal, is_answered: false });
        }
        response
    }
}
