//! The address, the id and the body of a request.

use host_provider_api::Call;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Host names of this machine.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Splits an address into its base and its path; none if it is not allowed.
pub(crate) fn parts(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    };
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '#' | '?');
    let is_allowed = match scheme {
        "https" => !host.is_empty(),
        "http" => LOOPBACK.contains(&host),
        _ => false,
    };
    let base = &url[..url.len() - path.len()];
    (is_allowed && rest.chars().all(is_plain)).then_some((base, if path.is_empty() { "/" } else { path }))
}

/// Returns the id of the effect, which is the same for each attempt. A store that was restored from a backup may request different work
/// under the same key and generation, but not at the same time with the same payload.
pub(crate) fn id(call: &Call) -> String {
    let Call { scope, key, generation, requested_at, payload, .. } = call;
    let hash = Sha256::digest(format!("{scope}\n{key}\n{generation}\n{requested_at}\n{payload}"));
    format!("eff_{}", hex::encode(&hash[..16]))
}

/// Returns the body.
pub(crate) fn body(call: &Call) -> String {
    let mut body = json!({
        "kind": call.kind, "scope": call.scope, "key": call.key, "generation": call.generation, "attempt": call.attempt,
        "payload": call.payload,
    });
    if let Some(token) = &call.token {
        body["token"] = json!(token);
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called_without_encryption() {
        assert_eq!(parts("https://app.example.com/effects"), Some(("https://app.example.com", "/effects")));
        assert_eq!(parts("https://app.example.com:8443"), Some(("https://app.example.com:8443", "/")));
        assert_eq!(parts("http://127.0.0.1:3000/a/b"), Some(("http://127.0.0.1:3000", "/a/b")));
        for refused in [
            "http://app.example.com/effects",
            "http://127.0.0.1.example.com/",
            "http://127.0.0.1@evil.example/",
            "https://user:word@app.example.com/",
            "https://app.example.com/a?b",
            "https:///a",
            "ftp://127.0.0.1/",
            "app.example.com",
        ] {
            assert_eq!(parts(refused), None, "{refused}");
        }
    }

    #[test]
    fn an_effect_has_one_id_for_all_attempts_and_another_for_each_generation() {
        let call = |generation, attempt, scope: &str| {
            id(&Call { scope: scope.to_owned(), key: "k".to_owned(), generation, attempt, ..Call::default() })
        };
        assert_eq!(call(1, 1, "a"), call(1, 2, "a"));
        assert_ne!(call(1, 1, "a"), call(2, 1, "a"));
        assert_ne!(call(1, 1, "a"), call(1, 1, "b"));
    }

    #[test]
    fn other_work_under_a_key_that_a_restored_store_uses_again_has_another_id() {
        let first = Call { key: "inst_1/box/ensure".to_owned(), generation: 1, requested_at: 1_000, ..Call::default() };
        let again = Call { requested_at: 2_000, ..first.clone() };
        let other = Call { payload: json!({"size": 2}), ..first.clone() };
        assert_ne!(id(&first), id(&again));
        assert_ne!(id(&first), id(&other));
        assert_eq!(id(&again), id(&Call { attempt: 3, lease: 7, token: Some("t".to_owned()), ..again.clone() }));
    }
}
