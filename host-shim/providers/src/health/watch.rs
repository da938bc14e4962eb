//! Parses the payload of a watch, and counts consecutive equal results in its token.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Maximum number of seconds between requests: a day.
const EVERY_MAX: u64 = 86_400;
/// Maximum of `fail_after` and `recover_after`.
const IN_A_ROW_MAX: u64 = 1_000;
/// Maximum length of a URL in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// An invalid payload member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` is {found}: expected {expected}")]
pub(crate) struct BadPayload {
    member: &'static str,
    found: String,
    expected: String,
}

/// The settings of a watch, from its payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WatchSettings {
    pub url: String,
    pub every_ms: i64,
    fail_after: u64,
    recover_after: u64,
    health: Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Unknown,
    Healthy,
    Unhealthy,
}

impl WatchSettings {
    pub fn of(payload: &Value) -> Result<WatchSettings, BadPayload> {
        let url = url(payload)?;
        let every_s = number(payload, "every_s", EVERY_MAX)?;
        let health = match payload.get("health").and_then(Value::as_str) {
            Some("healthy") => Health::Healthy,
            Some("unhealthy") => Health::Unhealthy,
            _ => Health::Unknown,
        };
        Ok(WatchSettings {
            url: url.to_owned(),
            every_ms: i64::try_from(every_s * 1_000).unwrap_or(i64::MAX),
            fail_after: number(payload, "fail_after", IN_A_ROW_MAX)?,
            recover_after: number(payload, "recover_after", IN_A_ROW_MAX)?,
            health,
        })
    }
}

/// Returns the address of a payload.
pub(crate) fn url(payload: &Value) -> Result<&str, BadPayload> {
    let url = payload.get("url").and_then(Value::as_str).unwrap_or_default();
    let is_http = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    if is_http && url.len() <= URL_BYTES_MAX {
        return Ok(url);
    }
    let found = payload.get("url").map_or_else(|| "missing".to_owned(), shown);
    let expected = format!("a URL that begins with http:// or https://, at most {URL_BYTES_MAX} bytes");
    Err(BadPayload { member: "url", found, expected })
}

fn number(payload: &Value, member: &'static str, most: u64) -> Result<u64, BadPayload> {
    let found = payload.get(member);
    found.and_then(Value::as_u64).filter(|number| (1..=most).contains(number)).ok_or_else(|| BadPayload {
        member,
        found: found.map_or_else(|| "missing".to_owned(), shown),
        expected: format!("a whole number from 1 to {most}"),
    })
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

/// The health at the start of a watch, and the number of consecutive good or bad results since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Streak {
    health: Health,
    good: u64,
    bad: u64,
}

impl Streak {
    pub fn begin(settings: &WatchSettings) -> Streak {
        Streak { health: settings.health, good: 0, bad: 0 }
    }

    pub fn parse(token: &str) -> Option<Streak> {
        serde_json::from_str(token).ok()
    }

    pub fn token(&self) -> String {
        serde_json::to_string(self).expect("numbers and a word are JSON")
    }

    /// Counts one more result. The counts stop at 1000.
    pub fn and(self, is_good: bool) -> Streak {
        match is_good {
            true => Streak { good: (self.good + 1).min(IN_A_ROW_MAX), bad: 0, ..self },
            false => Streak { bad: (self.bad + 1).min(IN_A_ROW_MAX), good: 0, ..self },
        }
    }

    /// Returns the new health, if the health has changed.
    pub fn change(&self, settings: &WatchSettings) -> Option<&'static str> {
        if self.good >= settings.recover_after && self.health != Health::Healthy {
            return Some("healthy");
        }
        (self.bad >= settings.fail_after && self.health != Health::Unhealthy).then_some("unhealthy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(health: &str) -> WatchSettings {
        let payload = json!({"url": "http://a", "every_s": 60, "fail_after": 3, "recover_after": 2, "health": health});
        WatchSettings::of(&payload).expect("settings")
    }

    /// Returns the number of the result that changes the health, from 1, and the new health.
    fn play(health: &str, answers: &str) -> Option<(usize, &'static str)> {
        let settings = settings(health);
        let mut streak = Streak::begin(&settings);
        for (number, answer) in answers.chars().enumerate() {
            // Each result may be counted by another process.
            streak = Streak::parse(&streak.token()).expect("its own token").and(answer == '+');
            if let Some(health) = streak.change(&settings) {
                return Some((number + 1, health));
            }
        }
        None
    }

    #[test]
    fn health_changes_after_the_configured_number_of_consecutive_results() {
        assert_eq!(play("healthy", "++--+---"), Some((8, "unhealthy")));
        assert_eq!(play("healthy", "+--+--+--+"), None);
        assert_eq!(play("unhealthy", "---+-++"), Some((7, "healthy")));
        assert_eq!(play("unhealthy", "------"), None);
    }

    #[test]
    fn unknown_health_becomes_healthy_or_unhealthy() {
        assert_eq!(play("unknown", "++"), Some((2, "healthy")));
        assert_eq!(play("unknown", "+---"), Some((4, "unhealthy")));
    }

    #[test]
    fn the_error_of_an_invalid_payload_names_the_member() {
        let good = json!({"url": "https://a.example/health", "every_s": 300, "fail_after": 3, "recover_after": 1});
        assert_eq!(WatchSettings::of(&good).expect("settings").every_ms, 300_000);
        for (member, value) in [
            ("url", json!("ftp://a.example")),
            ("url", json!("file:///etc/passwd")),
            ("url", json!(format!("http://{}", "a".repeat(3_000)))),
            ("every_s", json!(0)),
            ("every_s", json!(86_401)),
            ("fail_after", json!("3")),
            ("recover_after", Value::Null),
        ] {
            let mut payload = good.clone();
            payload[member] = value;
            let error = WatchSettings::of(&payload).expect_err("refused").to_string();
            assert!(error.starts_with(&format!("`{member}` is ")), "{error}");
            assert!(error.len() < 300, "{error}");
        }
    }
}
