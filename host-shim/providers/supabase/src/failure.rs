//! Why a call brought nothing, and what of it may be tried again.

use host_http::CallError;
use host_provider_api::{CallOutcome, SecretError};

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// There is no token.
    #[error("no token for the management API")]
    NotConfigured,
    /// A member of the payload is missing or wrong.
    #[error("`{member}` of the payload: expected {expected}")]
    Payload {
        /// Its name.
        member: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A secret can't be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The request was not answered.
    #[error(transparent)]
    Unanswered(#[from] CallError),
    /// The answer is not of the API.
    #[error("the answer (status {status}) is not of the API: expected {expected}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What was expected.
        expected: &'static str,
    },
    /// The token is refused. Supabase's words may hold a part of it, so they are not repeated.
    #[error("the token is not accepted (status 401)")]
    Unauthorized,
    /// No more may be had: projects of a free plan, or what is paid for.
    #[error("{0}")]
    Quota(String),
    /// Supabase answered with an error.
    #[error("{message} (status {status})")]
    Error {
        /// HTTP status.
        status: u16,
        /// Supabase's words, without tokens.
        message: String,
        /// When to ask again, in milliseconds, where Supabase says so.
        after_ms: Option<i64>,
    },
    /// A newer generation changed the project.
    #[error("generation {newest} of it was carried out, and this is {generation}")]
    Superseded {
        /// Of this call.
        generation: u32,
        /// As the project's name says.
        newest: u32,
    },
    /// The project is another resource's, or another organization's.
    #[error("project `{0}` is not ours to take")]
    Taken(String),
    /// There is no project of ours.
    #[error("there is no such project")]
    NotFound,
    /// A person made it, and something is in it already.
    #[error("project `{reference}` has {tables} tables: expected an empty database")]
    NotEmpty {
        /// Which.
        reference: String,
        /// What is in it.
        tables: i64,
    },
    /// A person made it, and it does not run.
    #[error("project `{reference}` is {status}: expected it to run")]
    NotRunning {
        /// Which.
        reference: String,
        /// As Supabase calls it.
        status: String,
    },
    /// What Supabase can't change.
    #[error("`{member}` can't be changed from `{from}` to `{to}`")]
    Unchangeable {
        /// Of the payload.
        member: &'static str,
        /// What it is.
        from: String,
        /// What it was to be.
        to: String,
    },
    /// The project never came up, and was removed.
    #[error("project `{0}` never came up")]
    NeverCameUp(String),
    /// The organization has more projects than are looked through, so that ours may be among the others.
    #[error("the organization has more than {0} projects")]
    TooMany(usize),
}

impl From<Failed> for CallOutcome {
    fn from(failed: Failed) -> Self {
        let message = failed.to_string();
        let refused = |code: &str| CallOutcome::refused(code, message.clone());
        match failed {
            Failed::NotConfigured => refused("not-configured"),
            Failed::Payload { .. } => refused("bad-payload"),
            Failed::Secret(error) => error.into(),
            Failed::Unanswered(error) => error.into(),
            // What was done is not known: a gateway may have answered in Supabase's place.
            Failed::Unreadable { .. } => CallOutcome::retry("unreadable", message),
            Failed::Unauthorized => refused("unauthorized"),
            Failed::Quota(_) => refused("quota-exceeded"),
            Failed::Superseded { .. } => refused("superseded"),
            Failed::Taken(_) => refused("name-taken"),
            Failed::NotFound => refused("not-found"),
            Failed::NotEmpty { .. } => refused("not-empty"),
            Failed::NotRunning { .. } => refused("not-running"),
            Failed::Unchangeable { .. } => refused("unchangeable"),
            Failed::NeverCameUp(_) => CallOutcome::retry("never-came-up", message),
            Failed::TooMany(_) => refused("too-many-projects"),
            Failed::Error { status, after_ms, .. } => match status {
                429 => CallOutcome::Retry { after_ms, code: "throttled".to_owned(), message },
                408 | 409 | 500.. => CallOutcome::Retry { after_ms, code: format!("status-{status}"), message },
                404 => refused("not-found"),
                _ => refused(&format!("status-{status}")),
            },
        }
    }
}
