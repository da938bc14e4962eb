//! What is asked for, and what was counted of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Seconds between requests at most: a day.
const EVERY_MAX: u64 = 86_400;
/// Answers in a row at most.
const IN_A_ROW_MAX: u64 = 1_000;
/// Bytes of an address at most.
const URL_BYTES_MAX: usize = 2_048;

/// A payload that can't be watched by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` is {found}: expected {expected}")]
pub(crate) struct BadWish {
    member: &'static str,
    found: String,
    expected: String,
}

/// A payload that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
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

impl Wish {
    pub fn of(payload: &Value) -> Result<Wish, BadWish> {
        let url = payload.get("url").and_then(Value::as_str).unwrap_or_default();
        let is_http = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        if !is_http || url.len() > URL_BYTES_MAX {
            let found = payload.get("url").map_or_else(|| "missing".to_owned(), shown);
            let expected = format!("an address that begins with http:// or https://, {URL_BYTES_MAX} bytes at most");
            return Err(BadWish { member: "url", found, expected });
        }
        let every_s = number(payload, "every_s", EVERY_MAX)?;
        let health = match payload.get("health").and_then(Value::as_str) {
            Some("healthy") => Health::Healthy,
            Some("unhealthy") => Health::Unhealthy,
            _ => Health::Unknown,
        };
        Ok(Wish {
            url: url.to_owned(),
            every_ms: i64::try_from(every_s * 1_000).unwrap_or(i64::MAX),
            fail_after: number(payload, "fail_after", IN_A_ROW_MAX)?,
            recover_after: number(payload, "recover_after", IN_A_ROW_MAX)?,
            health,
        })
    }
}

fn number(payload: &Value, member: &'static str, most: u64) -> Result<u64, BadWish> {
    let found = payload.get(member);
    found.and_then(Value::as_u64).filter(|number| (1..=most).contains(number)).ok_or_else(|| BadWish {
        member,
        found: found.map_or_else(|| "missing".to_owned(), shown),
        expected: format!("a whole number from 1 to {most}"),
    })
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

/// Answers in a row, of the one kind or of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    health: Health,
    good: u64,
    bad: u64,
}

impl Counted {
    pub fn begin(wish: &Wish) -> Counted {
        Counted { health: wish.health, good: 0, bad: 0 }
    }

    pub fn parse(token: &str) -> Option<Counted> {
        serde_json::from_str(token).ok()
    }

    pub fn token(&self) -> String {
        serde_json::to_string(self).expect("numbers and a word are JSON")
    }

    /// With one answer more. A count that can change nothing any more stays where it is.
    pub fn and(self, is_good: bool) -> Counted {
        match is_good {
            true => Counted { good: (self.good + 1).min(IN_A_ROW_MAX), bad: 0, ..self },
            false => Counted { bad: (self.bad + 1).min(IN_A_ROW_MAX), good: 0, ..self },
        }
    }

    /// The health if it is another one now.
    pub fn change(&self, wish: &Wish) -> Option<&'static str> {
        if self.good >= wish.recover_after && self.health != Health::Healthy {
            return Some("healthy");
        }
        (self.bad >= wish.fail_after && self.health != Health::Unhealthy).then_some("unhealthy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wish(health: &str) -> Wish {
        let payload = json!({"url": "http://a", "every_s": 60, "fail_after": 3, "recover_after": 2, "health": health});
        Wish::of(&payload).expect("a wish")
    }

    /// After which answer the health changes, and to what.
    fn play(health: &str, answers: &str) -> Option<(usize, &'static str)> {
        let wish = wish(health);
        let mut counted = Counted::begin(&wish);
        for (number, answer) in answers.chars().enumerate() {
            // Each answer may be counted by another process.
            counted = Counted::parse(&counted.token()).expect("its own token").and(answer == '+');
            if let Some(health) = counted.change(&wish) {
                return Some((number + 1, health));
            }
        }
        None
    }

    #[test]
    fn health_changes_after_as_many_answers_in_a_row_as_were_asked_for() {
        assert_eq!(play("healthy", "++--+---"), Some((8, "unhealthy")));
        assert_eq!(play("healthy", "+--+--+--+"), None);
        assert_eq!(play("unhealthy", "---+-++"), Some((7, "healthy")));
        assert_eq!(play("unhealthy", "------"), None);
    }

    #[test]
    fn what_nobody_knows_yet_becomes_the_one_or_the_other() {
        assert_eq!(play("unknown", "++"), Some((2, "healthy")));
        assert_eq!(play("unknown", "+---"), Some((4, "unhealthy")));
    }

    #[test]
    fn a_payload_is_refused_with_the_member_that_is_wrong() {
        let good = json!({"url": "https://a.example/health", "every_s": 300, "fail_after": 3, "recover_after": 1});
        assert_eq!(Wish::of(&good).expect("a wish").every_ms, 300_000);
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
            let told = Wish::of(&payload).expect_err("refused").to_string();
            assert!(told.starts_with(&format!("`{member}` is ")), "{told}");
            assert!(told.len() < 300, "{told}");
        }
    }
}
