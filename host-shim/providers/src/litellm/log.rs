//! Reads a page of the spend log: `request_id`, `startTime`, `model_group`, `model`, `prompt_tokens`, `completion_tokens`, `request_tags`,
//! `user` and `end_user`. It reads neither prices nor costs, which come from the catalog.

use crate::litellm::Identify;
use crate::litellm::pull::Pull;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Maximum length in bytes of an id, a model and a tag's value.
const TEXT_BYTES_MAX: usize = 200;

/// A page that cannot be counted. The text contains no value of another user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadLog {
    #[error("the answer has another form: {0}")]
    Form(String),
    #[error("the page has {found} requests: expected at most {expected}")]
    TooMany { found: usize, expected: u32 },
    #[error("request {number} is of another user: expected a proxy that filters by user")]
    AnotherUser { number: usize },
    #[error("`{member}` of request {number} is {found}: expected {expected}")]
    Member { number: usize, member: &'static str, found: String, expected: &'static str },
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Row>,
}

/// A request in the spend log.
#[derive(Deserialize)]
struct Row {
    request_id: String,
    #[serde(rename = "startTime")]
    start_time: String,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    model_group: Option<String>,
    #[serde(default)]
    prompt_tokens: Option<i64>,
    #[serde(default)]
    completion_tokens: Option<i64>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    end_user: Option<String>,
    #[serde(default)]
    request_tags: Value,
}

/// Returns the output of a page.
pub(crate) fn read(body: &[u8], pull: &Pull, identify: Identify) -> Result<Value, BadLog> {
    let page: Page = serde_json::from_slice(body).map_err(|error| BadLog::Form(error.to_string()))?;
    let size = usize::try_from(pull.size).unwrap_or(usize::MAX);
    if page.data.len() > size {
        return Err(BadLog::TooMany { found: page.data.len(), expected: pull.size });
    }
    let more = page.data.len() == size;
    let rows = page.data.into_iter().enumerate().map(|(at, row)| row.request(at + 1, pull, identify));
    let requests: Vec<Value> = rows.collect::<Result<_, _>>()?;
    Ok(json!({"requests": requests, "more": more}))
}

impl Row {
    fn request(self, number: usize, pull: &Pull, identify: Identify) -> Result<Value, BadLog> {
        let wrong = |member, found: String, expected| BadLog::Member { number, member, found, expected };
        let of = match identify {
            Identify::User => &self.user,
            Identify::EndUser => &self.end_user,
        };
        if of.as_deref() != Some(pull.user.as_str()) {
            return Err(BadLog::AnotherUser { number });
        }
        if self.request_id.is_empty() || self.request_id.len() > TEXT_BYTES_MAX {
            return Err(wrong("request_id", format!("{} bytes long", self.request_id.len()), "1 to 200 bytes"));
        }
        let at = time(&self.start_time).ok_or_else(|| wrong("startTime", short(&self.start_time), "a time"))?;
        let mut quantities = Map::new();
        for (name, member, found) in
            [("input", "prompt_tokens", self.prompt_tokens), ("output", "completion_tokens", self.completion_tokens)]
        {
            let quantity = found.unwrap_or(0);
            if quantity < 0 {
                return Err(wrong(member, quantity.to_string(), "at least 0"));
            }
            if pull.quantities.iter().any(|wanted| wanted == name) {
                quantities.insert(name.to_owned(), json!(quantity));
            }
        }
        let mut attributes = Map::new();
        for name in &pull.attributes {
            let value = if name == "model" { self.model() } else { self.tag(name) };
            if let Some(value) = value.filter(|value| (1..=TEXT_BYTES_MAX).contains(&value.len())) {
                attributes.insert(name.clone(), json!(value));
            }
        }
        Ok(json!({"id": self.request_id, "at": at.to_string(), "quantities": quantities, "attributes": attributes}))
    }

    /// Returns the name under which the proxy offers the model, or the name at the model's provider.
    fn model(&self) -> Option<String> {
        let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        given(&self.model_group).or_else(|| given(&self.model))
    }

    /// Returns the value of the first tag `NAME:VALUE`. Some versions of the proxy return the list of tags as a string.
    fn tag(&self, name: &str) -> Option<String> {
        let value = |tag: &Value| Some(tag.as_str()?.strip_prefix(name)?.strip_prefix(':')?.to_owned());
        match &self.request_tags {
            Value::Array(tags) => tags.iter().find_map(value),
            Value::String(text) => match serde_json::from_str(text).ok()? {
                Value::Array(tags) => tags.iter().find_map(value),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Reads a time with or without a zone; without one it is UTC. The result is rounded to whole milliseconds.
fn time(text: &str) -> Option<Timestamp> {
    let parsed = text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    });
    Timestamp::from_millisecond(parsed?.as_millisecond()).ok()
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_each_form_of_the_proxy() {
        for (text, read) in [
            ("2026-01-02T10:00:00Z", "2026-01-02T10:00:00Z"),
            ("2026-01-02T10:00:00.123456Z", "2026-01-02T10:00:00.123Z"),
            ("2026-01-02T10:00:00.120+00:00", "2026-01-02T10:00:00.12Z"),
            ("2026-01-02T12:00:00+02:00", "2026-01-02T10:00:00Z"),
            ("2026-01-02T10:00:00.500000", "2026-01-02T10:00:00.5Z"),
            ("2026-01-02 10:00:00", "2026-01-02T10:00:00Z"),
        ] {
            assert_eq!(time(text).map(|at| at.to_string()).as_deref(), Some(read), "{text}");
        }
        for wrong in ["", "yesterday", "1767348000"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
