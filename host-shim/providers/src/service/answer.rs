//! Translates an answer of the service into the outcome of the effect.

use crate::http::{Reply, retry_after_ms};
use host_provider_api::CallOutcome;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Milliseconds until the next poll if the service specifies no time.
const POLL_MS: i64 = 5_000;
/// Maximum length of a token in bytes.
const TOKEN_BYTES_MAX: usize = 1_000;
/// Maximum length of a code in bytes.
const CODE_BYTES_MAX: usize = 60;
/// Maximum length of a text for operators, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// The answer to a call that is still in progress.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Progress {
    token: String,
}

/// The answer to a call that is refused.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
}

/// Returns the outcome of a call.
pub(crate) fn outcome(reply: &Reply) -> CallOutcome {
    match reply.status {
        200 | 201 | 204 => match outputs(&reply.body) {
            Some(outputs) => CallOutcome::Done(Value::Object(outputs)),
            None => CallOutcome::retry("bad-answer", "the answer of the service is not a JSON object"),
        },
        202 => {
            let Progress { token } = serde_json::from_slice(&reply.body).unwrap_or_default();
            if token.len() > TOKEN_BYTES_MAX {
                let text =
                    format!("the token of the service has {} bytes, expected {TOKEN_BYTES_MAX} at most", token.len());
                return CallOutcome::refused("bad-answer", text);
            }
            CallOutcome::InProgress { after_ms: retry_after_ms(reply).unwrap_or(POLL_MS), token }
        }
        400 | 403 | 404 | 409 | 410 | 422 => {
            let Problem { code, detail } = serde_json::from_slice(&reply.body).unwrap_or_default();
            let code = if is_code(&code) { code } else { "refused".to_owned() };
            let detail: String = detail.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
            let text = match detail.is_empty() {
                true => format!("the service answered with status {}", reply.status),
                false => detail,
            };
            CallOutcome::refused(&code, text)
        }
        status => CallOutcome::Retry {
            after_ms: retry_after_ms(reply),
            code: if status == 429 { "throttled" } else { "service-unavailable" }.to_owned(),
            message: format!("the service answered with status {status}"),
        },
    }
}

/// Reads outputs; none if the body is neither empty nor a JSON object.
fn outputs(body: &[u8]) -> Option<Map<String, Value>> {
    if body.is_empty() { Some(Map::new()) } else { serde_json::from_slice(body).ok() }
}

/// Returns true for a code such as `quota-exceeded`.
fn is_code(code: &str) -> bool {
    let is_allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_');
    !code.is_empty() && code.len() <= CODE_BYTES_MAX && code.bytes().all(is_allowed)
}
