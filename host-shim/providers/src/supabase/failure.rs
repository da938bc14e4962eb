//! Errors of calls and their outcomes.

use crate::http::CallError;
use host_provider_api::{CallOutcome, SecretError};

/// Reasons why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The token is missing.
    #[error("the token for the management API is not configured")]
    NotConfigured,
    /// A payload member is missing or invalid.
    #[error("`{member}` of the payload: expected {expected}")]
    Payload {
        /// Name of the member.
        member: &'static str,
        /// Expected value.
        expected: &'static str,
    },
    /// A secret is not available.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The request got no response.
    #[error(transparent)]
    Unanswered(#[from] CallError),
    /// The response does not match the API.
    #[error("unexpected response of the API (status {status}): expected {expected}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// Expected content.
        expected: &'static str,
    },
    /// Supabase rejected the token. Supabase's message is omitted, since it may repeat a part of the token.
    #[error("the token is not accepted (status 401)")]
    Unauthorized,
    /// A limit of the organization's plan is reached.
    #[error("{0}")]
    Quota(String),
    /// Supabase returned an error.
    #[error("{message} (status {status})")]
    Error {
        /// HTTP status.
        status: u16,
        /// Supabase's message, without tokens.
        message: String,
        /// Supabase's retry hint in milliseconds.
        after_ms: Option<i64>,
    },
    /// A newer generation has changed the project.
    #[error("the call has generation {generation}, but generation {newest} has been applied")]
    Superseded {
        /// Generation of this call.
        generation: u32,
        /// Generation in the project's name.
        newest: u32,
    },
    /// The project belongs to another resource or organization.
    #[error("project `{0}` belongs to another resource or organization")]
    Taken(String),
    /// The resource has no project.
    #[error("the resource has no project")]
    NotFound,
    /// A project to adopt is not empty.
    #[error("project `{reference}` has {tables} tables: expected an empty database")]
    NotEmpty {
        /// Id of the project.
        reference: String,
        /// Number of tables in its schema `public`.
        tables: i64,
    },
    /// A project to adopt is not running.
    #[error("project `{reference}` is {status}: expected a running project")]
    NotRunning {
        /// Id of the project.
        reference: String,
        /// The project's status at Supabase.
        status: String,
    },
    /// Supabase can't change this setting.
    #[error("`{member}` can't be changed from `{from}` to `{to}`")]
    Unchangeable {
        /// Payload member.
        member: &'static str,
        /// Current value.
        from: String,
        /// Requested value.
        to: String,
    },
    /// The project failed to initialize.
    #[error("project `{0}` never came up")]
    NeverCameUp(String),
    /// The organization has more projects than a search reads, so the search may have missed the resource's project.
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
            // The request may have taken effect, since a gateway may have sent the response.
            Failed::Unreadable { .. } => CallOutcome::retry("unreadable", message),
            Failed::Unauthorized => refused("unauthorized"),
            Failed::Quota(_) => refused("quota-exceeded"),
            Failed::Superseded { .. } => refused(host_provider_api::SUPERSEDED),
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
