//! Stripe's error object, which a refused request returns.

use serde_json::{Map, Value, json};
use thiserror::Error;

/// The `type` of Stripe's error object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// `invalid_request_error`: the request is invalid.
    InvalidRequest,
    /// `card_error`: the card was declined.
    Card,
    /// `idempotency_error`: the idempotency key is invalid, or was used for another request.
    Idempotency,
    /// `api_error`: the sandbox failed.
    Api,
}

impl ErrorType {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Card => "card_error",
            Self::Idempotency => "idempotency_error",
            Self::Api => "api_error",
        }
    }
}

/// An error response of the API, with Stripe's wording.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{status}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The error object's `type`.
    pub kind: ErrorType,
    /// The error object's `code`, such as `resource_missing`.
    pub code: Option<String>,
    /// The parameter the error is about.
    pub param: Option<String>,
    /// The human-readable message.
    pub message: String,
    /// Other members of the error object: `decline_code`, `charge`, `payment_intent`.
    pub more: Map<String, Value>,
    /// Whether the changes that the request made before the error are committed, as after a declined charge.
    pub keeps_changes: bool,
}

impl ApiError {
    /// Creates an `invalid_request_error` with status 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: ErrorType::InvalidRequest,
            code: None,
            param: None,
            message: message.into(),
            more: Map::new(),
            keeps_changes: false,
        }
    }

    /// Creates an `invalid_request_error` with a `code`.
    pub fn coded(code: &str, message: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..Self::invalid(message) }
    }

    /// Creates the error for a missing required parameter.
    pub fn missing(param: &str) -> Self {
        Self::coded("parameter_missing", format!("Missing required param: {param}.")).about(param)
    }

    /// Creates the error for an undeclared parameter.
    pub fn unknown_param(param: &str) -> Self {
        Self::coded("parameter_unknown", format!("Received unknown parameter: {param}")).about(param)
    }

    /// Creates the error for a parameter that only the real Stripe has.
    pub fn lacking_param(param: &str) -> Self {
        let message = format!(
            "Received unknown parameter: {param}. Stripe has it, the local Stripe does not: with `--lenient`, it is accepted without effect."
        );
        Self::coded("parameter_unknown", message).about(param)
    }

    /// Creates the error for an unknown object: 404 for an id in the path, 400 for one in a parameter.
    pub fn no_such(kind: &str, id: &str, param: &str) -> Self {
        let status = if param == "id" { 404 } else { 400 };
        Self { status, ..Self::coded("resource_missing", format!("No such {kind}: '{id}'")).about(param) }
    }

    /// Creates the error for a declined card (status 402). The changes of the request are committed, such as the failed
    /// charge.
    pub fn card(code: &str, decline_code: Option<&str>, message: &str) -> Self {
        let mut more = Map::new();
        if let Some(decline_code) = decline_code {
            more.insert("decline_code".into(), json!(decline_code));
        }
        Self {
            status: 402,
            kind: ErrorType::Card,
            code: Some(code.into()),
            more,
            keeps_changes: true,
            ..Self::invalid(message)
        }
    }

    /// Creates the error for a failure of the sandbox itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { status: 500, kind: ErrorType::Api, ..Self::invalid(message) }
    }

    /// Creates the error for a missing or unsuitable API key.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self { status: 401, ..Self::invalid(message) }
    }

    /// Sets the parameter the error is about.
    pub fn about(mut self, param: &str) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds a member to the error object.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.into(), value);
        self
    }

    /// Returns the response body, in the newest shape.
    pub fn body(&self) -> Value {
        let mut error = self.more.clone();
        error.insert("type".into(), json!(self.kind.name()));
        error.insert("message".into(), json!(self.message));
        if let Some(code) = &self.code {
            error.insert("code".into(), json!(code));
            error.insert(
                "doc_url".into(),
                json!(format!("https://docs.stripe.com/error-codes/{}", code.replace('_', "-"))),
            );
        }
        if let Some(param) = &self.param {
            error.insert("param".into(), json!(param));
        }
        json!({ "error": error })
    }
}
