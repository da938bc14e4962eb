//! Injects faults into the API on request, so that a client's retries can be tested: refusals, server errors, and lost
//! answers.

use std::fmt;

use serde_json::{Value, json};

use crate::error::ApiError;

/// A fault of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Status 429: the request is refused, and nothing is executed or stored.
    RateLimit,
    /// Status 500. It is stored under the request's idempotency key, as at Stripe.
    ServerError,
    /// The connection is closed without an answer.
    Cut,
    /// No answer is sent until the client closes the connection.
    Held,
}

impl FaultKind {
    /// The names of the faults in requests.
    pub const NAMES: &[&str] = &["429", "500", "cut", "held"];

    /// Returns the fault with a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "429" => Some(Self::RateLimit),
            "500" => Some(Self::ServerError),
            "cut" => Some(Self::Cut),
            "held" => Some(Self::Held),
            _ => None,
        }
    }

    /// Returns the way in which the answer is lost; `None` if the client gets an answer.
    pub fn lost(self) -> Option<LostAnswer> {
        match self {
            Self::Cut => Some(LostAnswer::Cut),
            Self::Held => Some(LostAnswer::Held),
            Self::RateLimit | Self::ServerError => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::RateLimit => "429",
            Self::ServerError => "500",
            Self::Cut => "cut",
            Self::Held => "held",
        }
    }
}

/// The way in which an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostAnswer {
    /// The server closes the connection.
    Cut,
    /// The server keeps the connection open until the client closes it.
    Held,
}

impl fmt::Display for LostAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is lost by a fault that a request to /_sandbox/api_faults set")
    }
}

impl std::error::Error for LostAnswer {}

/// A fault for the next matching requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiFault {
    /// The fault.
    pub kind: FaultKind,
    /// Whether the request is carried out before its answer is lost or replaced.
    pub is_done: bool,
    /// The method; `None` for all methods.
    pub method: Option<String>,
    /// The path, in which a segment like `{id}` stands for any id; `None` for all paths below `/v1/`.
    pub path: Option<String>,
    /// The number of further requests with this fault.
    pub left: i64,
}

impl ApiFault {
    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.as_deref().is_none_or(|wanted| fits_path(wanted, path))
    }

    /// Returns the fault as JSON.
    pub fn value(&self) -> Value {
        json!({
            "answer": self.kind.name(),
            "done": self.is_done,
            "method": self.method,
            "path": self.path,
            "times": self.left,
        })
    }
}

fn fits_path(wanted: &str, path: &str) -> bool {
    let is_id = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
    let (mut wanted, mut given) = (wanted.split('/'), path.trim_end_matches('/').split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(word), Some(segment)) if word == segment || is_id(word) => {}
            _ => return false,
        }
    }
}

/// The requested faults, oldest first. They are not persisted.
#[derive(Debug, Default)]
pub struct ApiFaults(Vec<ApiFault>);

impl ApiFaults {
    /// Adds a fault.
    pub fn add(&mut self, fault: ApiFault) {
        self.0.push(fault);
    }

    /// Removes all faults.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the remaining faults.
    pub fn all(&self) -> &[ApiFault] {
        &self.0
    }

    /// Returns the fault for a request, and counts the request. The oldest matching fault applies.
    pub fn take(&mut self, method: &str, path: &str) -> Option<ApiFault> {
        let position = self.0.iter().position(|fault| fault.fits(method, path))?;
        let taken = self.0[position].clone();
        self.0[position].left -= 1;
        self.0.retain(|fault| fault.left > 0);
        Some(taken)
    }
}

/// The reason for [`FaultKind::RateLimit`]: the account sends too many requests in total, the first of the reasons in
/// Stripe's documentation of rate limits.
pub const RATE_LIMIT_REASON: &str = "global-rate";

/// Returns the answer of [`FaultKind::RateLimit`].
pub fn rate_limit() -> ApiError {
    let message = "Request rate limit exceeded. Learn more about rate limits here https://docs.stripe.com/rate-limits.";
    ApiError { status: 429, ..ApiError::coded("rate_limit", message) }
}

/// Returns the answer of [`FaultKind::ServerError`].
pub fn server_error() -> ApiError {
    ApiError::internal("An unknown error occurred. A request to /_sandbox/api_faults asked for it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_fits_by_method_and_path_and_ends_after_its_times() {
        let mut faults = ApiFaults::default();
        let path = Some("/v1/refunds/{id}/cancel".to_owned());
        faults.add(ApiFault { kind: FaultKind::Cut, is_done: true, method: Some("POST".into()), path, left: 2 });
        faults.add(ApiFault { kind: FaultKind::RateLimit, is_done: false, method: None, path: None, left: 1 });
        let mut kind = |method: &str, path: &str| faults.take(method, path).map(|fault| fault.kind);
        assert_eq!(kind("POST", "/v1/refunds/re_1/cancel"), Some(FaultKind::Cut));
        assert_eq!(kind("POST", "/v1/refunds/re_1"), Some(FaultKind::RateLimit));
        assert_eq!(kind("POST", "/v1/refunds/re_1"), None);
        assert_eq!(kind("POST", "/v1/refunds/re_2/cancel/"), Some(FaultKind::Cut));
        assert_eq!(kind("POST", "/v1/refunds/re_2/cancel"), None);
    }

    #[test]
    fn each_name_is_the_name_of_a_fault() {
        for name in FaultKind::NAMES {
            assert_eq!(FaultKind::named(name).map(FaultKind::name), Some(*name));
        }
    }
}
