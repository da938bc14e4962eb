//! Members of a payload, read and bounded.

use host_provider_api::{Call, CallOutcome};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of a text at most.
const TEXT_MAX: usize = 2048;
/// Members that say nothing of a resource's settings.
const NO_SETTINGS: [&str; 3] = ["state", "outputs", "backup"];

pub(crate) fn bad(field: &str, found: impl std::fmt::Display, expected: &str) -> CallOutcome {
    let found: String = found.to_string().chars().take(80).collect();
    CallOutcome::refused("bad-payload", format!("`{field}` is `{found}`: expected {expected}"))
}

/// A text that is there and not empty; what is no text is refused.
pub(crate) fn text<'c>(call: &'c Call, field: &str) -> Result<Option<&'c str>, CallOutcome> {
    match call.payload.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= TEXT_MAX => Ok(Some(text)),
        Some(Value::String(_)) => Err(bad(field, "a text of more than 2048 bytes", "a shorter one")),
        Some(other) => Err(bad(field, other, "a text")),
    }
}

/// A text that must be there.
pub(crate) fn needed<'c>(call: &'c Call, field: &str) -> Result<&'c str, CallOutcome> {
    text(call, field)?.ok_or_else(|| bad(field, "", "a text"))
}

/// A whole number between these two, also as text.
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

/// A text of the outputs that the resource had.
pub(crate) fn output<'c>(call: &'c Call, name: &str) -> Option<&'c str> {
    let text = call.payload.get("outputs")?.get(name)?.as_str()?;
    Some(text).filter(|text| !text.is_empty() && text.len() <= TEXT_MAX)
}

/// True if the payload says what the resource had; it does wherever the resource was made by somebody's answer.
pub(crate) fn has_outputs(call: &Call) -> bool {
    call.payload.get("outputs").and_then(Value::as_object).is_some_and(|outputs| !outputs.is_empty())
}

/// True if the call asks for a person's resource to be looked at and taken in.
pub(crate) fn adopts(call: &Call) -> bool {
    call.payload.get("adopt") == Some(&Value::Bool(true))
}

/// True if the payload has more than a state: what it says of settings is then the whole of them.
pub(crate) fn has_settings(call: &Call) -> bool {
    let members = call.payload.as_object();
    members.is_some_and(|members| members.keys().any(|name| !NO_SETTINGS.contains(&name.as_str())))
}

/// A short name of what settings come to, to see whether they are another's.
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
    fn a_number_may_be_text_and_has_bounds() {
        for (value, expected) in [(json!(512), Some(512)), (json!("512"), Some(512)), (Value::Null, None)] {
            assert_eq!(whole(&call(json!({ "memory_mb": value })), "memory_mb", 128, 1024), Ok(expected));
        }
        for value in [json!(127), json!(1025), json!(1.5), json!("much"), json!([512]), json!(i64::MAX)] {
            let answer = whole(&call(json!({ "memory_mb": value })), "memory_mb", 128, 1024);
            let Err(CallOutcome::Refused { code, message }) = answer else { panic!("{value} is refused") };
            assert_eq!(code, "bad-payload");
            assert!(message.contains("memory_mb") && message.contains("128 to 1024"), "{message}");
        }
    }

    #[test]
    fn a_state_alone_says_nothing_of_settings() {
        assert!(!has_settings(&call(json!({"state": "running", "outputs": {"id": "x"}}))));
        assert!(has_settings(&call(json!({"state": "running", "tier": "large"}))));
    }
}
