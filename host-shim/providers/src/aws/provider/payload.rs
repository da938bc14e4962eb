//! Reads and validates the members of an effect's payload.

use host_provider_api::{Call, CallOutcome};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Maximum length of a string in bytes.
const TEXT_MAX: usize = 2048;
/// Members that are not settings of a resource.
const NO_SETTINGS: [&str; 3] = ["state", "outputs", "backup"];

pub(crate) fn bad(field: &str, found: impl std::fmt::Display, expected: &str) -> CallOutcome {
    let found: String = found.to_string().chars().take(80).collect();
    CallOutcome::refused("bad-payload", format!("`{field}` is `{found}`: expected {expected}"))
}

/// Returns a non-empty string from the payload. None if the member is missing, null or empty. Refuses other types and
/// strings of more than 2048 bytes.
pub(crate) fn text<'c>(call: &'c Call, field: &str) -> Result<Option<&'c str>, CallOutcome> {
    match call.payload.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= TEXT_MAX => Ok(Some(text)),
        Some(Value::String(_)) => Err(bad(field, "a text of more than 2048 bytes", "at most 2048 bytes")),
        Some(other) => Err(bad(field, other, "a text")),
    }
}

/// Returns a required string from the payload.
pub(crate) fn needed<'c>(call: &'c Call, field: &str) -> Result<&'c str, CallOutcome> {
    text(call, field)?.ok_or_else(|| bad(field, "", "a text"))
}

/// Refuses the call if its `region` is not the one in which the provider creates resources.
pub(crate) fn check_region(call: &Call, region: &str) -> Result<(), CallOutcome> {
    match text(call, "region")? {
        Some(wanted) if wanted != region => {
            Err(bad("region", wanted, &format!("`{region}`, the `region` of the provider's settings")))
        }
        _ => Ok(()),
    }
}

/// Returns a whole number from `least` to `most` from the payload, where it may also be a string of digits.
pub(crate) fn whole(call: &Call, field: &str, least: i32, most: i32) -> Result<Option<i32>, CallOutcome> {
    let Some(value) = call.payload.get(field).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| i32::try_from(number).ok()).filter(|number| (least..=most).contains(number));
    number.map(Some).ok_or_else(|| bad(field, value, &format!("a whole number from {least} to {most}")))
}

/// Returns a string from the resource's recorded outputs.
pub(crate) fn output<'c>(call: &'c Call, name: &str) -> Option<&'c str> {
    let text = call.payload.get("outputs")?.get(name)?.as_str()?;
    Some(text).filter(|text| !text.is_empty() && text.len() <= TEXT_MAX)
}

/// Returns true if the payload includes the resource's recorded outputs, which it does once a call has returned
/// outputs.
pub(crate) fn has_outputs(call: &Call) -> bool {
    call.payload.get("outputs").and_then(Value::as_object).is_some_and(|outputs| !outputs.is_empty())
}

/// Returns true if the call adopts a resource that a person created.
pub(crate) fn adopts(call: &Call) -> bool {
    call.payload.get("adopt") == Some(&Value::Bool(true))
}

/// Returns true if the payload contains settings, not only a state. It then contains all settings.
pub(crate) fn has_settings(call: &Call) -> bool {
    let members = call.payload.as_object();
    members.is_some_and(|members| members.keys().any(|name| !NO_SETTINGS.contains(&name.as_str())))
}

/// Returns a short hash of the settings, to detect changes.
pub(crate) fn fingerprint(settings: &str) -> String {
    hex::encode(&Sha256::digest(settings.as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(payload: Value) -> Call {
        Call { payload, ..Call::default() }
    }

    #[test]
    fn a_number_may_be_a_string_and_has_bounds() {
        for (value, expected) in [(json!(512), Some(512)), (json!("512"), Some(512)), (Value::Null, None)] {
            assert_eq!(whole(&call(json!({ "memory_mb": value })), "memory_mb", 128, 1024), Ok(expected));
        }
        for value in [json!(127), json!(1025), json!(1.5), json!("much"), json!([512]), json!(i64::MAX)] {
            let outcome = whole(&call(json!({ "memory_mb": value })), "memory_mb", 128, 1024);
            let Err(CallOutcome::Refused { code, message }) = outcome else { panic!("{value} is refused") };
            assert_eq!(code, "bad-payload");
            assert!(message.contains("memory_mb") && message.contains("128 to 1024"), "{message}");
        }
    }

    #[test]
    fn a_region_other_than_the_settings_is_refused() {
        let of = |payload: Value| check_region(&call(payload), "eu-central-1");
        assert_eq!((of(json!({})), of(json!({"region": "eu-central-1"}))), (Ok(()), Ok(())));
        let Err(CallOutcome::Refused { code, message }) = of(json!({"region": "us-east-1"})) else { panic!("refused") };
        assert_eq!(code, "bad-payload");
        assert!(message.contains("`region` is `us-east-1`: expected `eu-central-1`"), "{message}");
    }

    #[test]
    fn a_payload_with_only_a_state_has_no_settings() {
        assert!(!has_settings(&call(json!({"state": "running", "outputs": {"id": "x"}}))));
        assert!(has_settings(&call(json!({"state": "running", "tier": "large"}))));
    }
}
