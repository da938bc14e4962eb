//! Asks for polls of long-running work, with delays that double.

use host_provider_api::{Call, CallOutcome};

/// Longest delay before a poll, in milliseconds.
const WAIT_MAX_MS: i64 = 60_000;
/// Maximum length of a parsed token, in bytes.
const TOKEN_MAX: usize = 256;

/// Parses a token: the number of polls so far, and the name of the polled resource.
fn read(call: &Call) -> Option<(u32, &str)> {
    let token = call.token.as_deref().filter(|token| token.len() <= TOKEN_MAX)?;
    let (polls, name) = token.split_once(' ')?;
    Some((polls.parse().ok()?, name))
}

/// Returns the name that the previous call polled; none in the first call.
pub(crate) fn subject(call: &Call) -> Option<&str> {
    read(call).map(|(_, name)| name).filter(|name| !name.is_empty())
}

/// Asks for a poll of `name`: the first after `first_ms` milliseconds, each later one after twice the previous delay,
/// but at most a minute.
pub(crate) fn poll_later(call: &Call, name: &str, first_ms: i64) -> CallOutcome {
    let polls = read(call).map_or(0, |(polls, _)| polls);
    let after_ms = first_ms.saturating_mul(1_i64 << polls.min(16)).clamp(1, WAIT_MAX_MS);
    CallOutcome::InProgress { after_ms, token: format!("{} {name}", polls.saturating_add(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_delays_double_up_to_a_minute() {
        let (mut call, mut waits) = (Call::default(), Vec::new());
        for _ in 0..8 {
            let CallOutcome::InProgress { after_ms, token } = poll_later(&call, "fn", 1000) else {
                panic!("in progress")
            };
            waits.push(after_ms);
            call.token = Some(token);
        }
        assert_eq!(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(subject(&call), Some("fn"));
    }

    #[test]
    fn an_invalid_token_restarts_the_delays() {
        for token in ["", "x y", "99999999999 fn", &"1".repeat(300)] {
            let call = Call { token: Some(token.to_owned()), ..Call::default() };
            assert_eq!(subject(&call), None, "{token}");
            assert!(matches!(poll_later(&call, "fn", 1000), CallOutcome::InProgress { after_ms: 1000, .. }), "{token}");
        }
    }
}
