//! Parses the settings that the payloads of several verbs share.

use crate::postgres::config::CONNECTIONS_MAX;
use crate::postgres::failed::Failed;
use serde_json::Value;

/// Requested settings. None leaves a setting unchanged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DesiredSettings {
    /// Quota in bytes; `Some(None)` for unlimited.
    pub quota: Option<Option<i64>>,
    pub connections: Option<i32>,
    pub writes_refused: Option<bool>,
    pub is_suspended: Option<bool>,
    /// `host` or `host:port` of the wanted server.
    pub endpoint: Option<String>,
}

impl DesiredSettings {
    pub fn of(payload: &Value) -> Result<DesiredSettings, Failed> {
        let quota = match (number(payload, "quota_gb")?, number(payload, "quota_mb")?) {
            (Some(gb), _) => Some(bytes(gb, 30)),
            (None, Some(mb)) => Some(bytes(mb, 20)),
            (None, None) => None,
        };
        let connections = number(payload, "max_connections")?.filter(|number| *number >= 1.0);
        Ok(DesiredSettings {
            quota,
            // The number is bounded, so the cast can't overflow.
            connections: connections.map(|number| number.min(f64::from(CONNECTIONS_MAX)) as i32),
            writes_refused: either(payload, "writes", "refused", "allowed")?,
            is_suspended: either(payload, "state", "suspended", "running")?,
            endpoint: payload
                .get("endpoint")
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
        })
    }
}

/// Converts a number of units of `2^shift` bytes to bytes. A negative number gives None, which means unlimited.
fn bytes(units: f64, shift: u32) -> Option<i64> {
    let bytes = units * f64::from(1_u32 << shift);
    // The cast saturates at the largest number.
    (units >= 0.0).then_some(bytes as i64)
}

/// Returns a number from the payload, where it may also be a string, because templates produce strings.
fn number(payload: &Value, member: &str) -> Result<Option<f64>, Failed> {
    let Some(found) = payload.get(member).filter(|found| !found.is_null()) else { return Ok(None) };
    let number = found.as_f64().or_else(|| found.as_str().and_then(|text| text.parse().ok()));
    match number.filter(|number| number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => Err(bad(member, found, "a number")),
    }
}

fn either(payload: &Value, member: &str, yes: &str, no: &str) -> Result<Option<bool>, Failed> {
    match payload.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text == yes => Ok(Some(true)),
        Some(Value::String(text)) if text == no => Ok(Some(false)),
        Some(other) => Err(bad(member, other, &format!("`{yes}` or `{no}`"))),
    }
}

/// Refuses an invalid payload member. The message includes at most 80 characters of its value.
pub(crate) fn bad(member: &str, found: &Value, expected: &str) -> Failed {
    let found: String = found.to_string().chars().take(80).collect();
    Failed::refused("bad-payload", format!("`{member}` is {found}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_provider_api::CallOutcome;
    use serde_json::json;

    #[test]
    fn sizes_are_parsed_in_both_units_and_from_texts() {
        let of = |payload: Value| DesiredSettings::of(&payload).expect("valid settings");
        assert_eq!(of(json!({"quota_gb": 2})).quota, Some(Some(2 << 30)));
        assert_eq!(of(json!({"quota_gb": "0.5"})).quota, Some(Some(1 << 29)));
        assert_eq!(of(json!({"quota_mb": 512})).quota, Some(Some(512 << 20)));
        assert_eq!(of(json!({"quota_gb": -1})).quota, Some(None));
        assert_eq!(of(json!({"quota_gb": 1e300})).quota, Some(Some(i64::MAX)));
        assert_eq!(of(json!({})), DesiredSettings::default());
        assert_eq!(of(json!({"max_connections": 1_000_000})).connections, Some(1_000));
        assert_eq!(of(json!({"max_connections": -1})).connections, None);
    }

    #[test]
    fn an_invalid_member_is_refused_by_name() {
        for (member, value) in [
            ("quota_gb", json!("much")),
            ("writes", json!("maybe")),
            ("state", json!(1)),
            ("max_connections", json!([])),
        ] {
            let Failed(outcome) = DesiredSettings::of(&json!({member: value})).expect_err("refused");
            let CallOutcome::Refused { code, message } = outcome else { panic!("{outcome:?}") };
            assert!(code == "bad-payload" && message.starts_with(&format!("`{member}` is ")), "{message}");
        }
    }
}
