//! The payload of `usage.pull`, and the spend log query that it is translated to.

use crate::litellm::Identify;
use host_provider_api::url::encoded;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

/// Maximum number of requests on a page: the most that every version of the proxy returns.
const SIZE_MAX: u32 = 100;
/// Highest page number.
const PAGE_MAX: u32 = 1_000_000;
/// The quantities of a request.
pub(crate) const QUANTITIES: [&str; 2] = ["input", "output"];

/// An invalid payload.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPayload {
    #[error("the payload has another form: {0}")]
    Form(String),
    #[error("`{member}` is {found}: expected {expected}")]
    Member { member: &'static str, found: String, expected: &'static str },
}

/// The requested page.
#[derive(Debug, Deserialize)]
pub(crate) struct Pull {
    pub user: String,
    from: String,
    to: String,
    page: u32,
    pub size: u32,
    pub quantities: Vec<String>,
    pub attributes: Vec<String>,
}

impl Pull {
    /// Reads a payload.
    pub fn of(payload: &Value) -> Result<Pull, BadPayload> {
        let pull = Pull::deserialize(payload).map_err(|error| BadPayload::Form(error.to_string()))?;
        let wrong = |member, found: String, expected| Err(BadPayload::Member { member, found, expected });
        if pull.user.is_empty() {
            return wrong("user", "empty".to_owned(), "the id of a user");
        }
        if !(1..=SIZE_MAX).contains(&pull.size) {
            return wrong("size", pull.size.to_string(), "1 to 100");
        }
        if !(1..=PAGE_MAX).contains(&pull.page) {
            return wrong("page", pull.page.to_string(), "a number from 1");
        }
        for (member, text) in [("from", &pull.from), ("to", &pull.to)] {
            if second(text).is_none() {
                return wrong(member, text.chars().take(40).collect(), "a time in RFC 3339");
            }
        }
        match pull.quantities.iter().find(|name| !QUANTITIES.contains(&name.as_str())) {
            Some(other) => wrong("quantities", other.clone(), "`input` and `output`"),
            None => Ok(pull),
        }
    }

    /// Returns the path and query of the page in the spend log, oldest request first. A request that appears in the log in the meantime
    /// moves later ones to later pages, so none is skipped.
    pub fn path(&self, identify: Identify) -> String {
        let column = match identify {
            Identify::User => "user_id",
            Identify::EndUser => "end_user",
        };
        format!(
            "/spend/logs/v2?{column}={}&start_date={}&end_date={}&page={}&page_size={}&sort_by=startTime&sort_order=asc\
             &status_filter=success",
            encoded(&self.user, b""),
            encoded(&second(&self.from).unwrap_or_default(), b""),
            encoded(&second(&self.to).unwrap_or_default(), b""),
            self.page,
            self.size,
        )
    }
}

/// Writes a time in RFC 3339 as the proxy reads it: UTC, in whole seconds.
fn second(text: &str) -> Option<String> {
    let at: Timestamp = text.parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string())
}
