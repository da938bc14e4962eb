//! What a payload asks for.

use crate::config::CONNECTIONS_MAX;
use crate::failed::Failed;
use serde_json::Value;

/// The members that more than one verb reads; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wish {
    /// Bytes, none for no bound.
    pub quota: Option<Option<i64>>,
    pub connections: Option<i32>,
    pub writes_refused: Option<bool>,
    pub is_suspended: Option<bool>,
    /// `host` or `host:port` of the server that it is to be on.
    pub endpoint: Option<String>,
}

impl Wish {
    pub fn of(payload: &Value) -> Result<Wish, Failed> {
        let quota = match (number(payload, "quota_gb")?, number(payload, "quota_mb")?) {
            (Some(gb), _) => Some(bytes(gb, 30)),
            (None, Some(mb)) => Some(bytes(mb, 20)),
            (None, None) => None,
        };
        let connections = number(payload, "max_connections")?.filter(|number| *number >= 1.0);
        Ok(Wish {
            quota,
            // At most as many as fit, so the cast is exact.
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

/// Bytes of so many units of `2^shift`; a negative number has no bound.
fn bytes(units: f64, shift: u32) -> Option<i64> {
    let bytes = units * f64::from(1_u32 << shift);
    // A cast that does not fit ends at the largest number, which is a bound all the same.
    (units >= 0.0).then_some(bytes as i64)
}

/// A number, also as a text, since templates make texts.
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

/// A payload with a member that can't be; what it holds is told, cut to 80 characters.
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
    fn sizes_are_read_in_either_unit_and_as_texts() {
        let of = |payload: Value| Wish::of(&payload).expect("a wish");
        assert_eq!(of(json!({"quota_gb": 2})).quota, Some(Some(2 << 30)));
        assert_eq!(of(json!({"quota_gb": "0.5"})).quota, Some(Some(1 << 29)));
        assert_eq!(of(json!({"quota_mb": 512})).quota, Some(Some(512 << 20)));
        assert_eq!(of(json!({"quota_gb": -1})).quota, Some(None));
        assert_eq!(of(json!({"quota_gb": 1e300})).quota, Some(Some(i64::MAX)));
        assert_eq!(of(json!({})), Wish::default());
        assert_eq!(of(json!({"max_connections": 1_000_000})).connections, Some(1_000));
        assert_eq!(of(json!({"max_connections": -1})).connections, None);
    }

    #[test]
    fn what_can_not_be_is_refused_with_its_member() {
        for (member, value) in [
            ("quota_gb", json!("much")),
            ("writes", json!("maybe")),
            ("state", json!(1)),
            ("max_connections", json!([])),
        ] {
            let Failed(answer) = Wish::of(&json!({member: value})).expect_err("refused");
            let CallOutcome::Refused { code, message } = answer else { panic!("{answer:?}") };
            assert!(code == "bad-payload" && message.starts_with(&format!("`{member}` is ")), "{message}");
        }
    }
}
