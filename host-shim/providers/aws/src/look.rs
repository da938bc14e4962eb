//! Looks at work that takes its time: each later than the one before.

use host_provider_api::{Call, CallOutcome};

/// Longest wait before a look.
const WAIT_MAX_MS: i64 = 60_000;
/// What a token has at most of bytes that are read.
const TOKEN_MAX: usize = 256;

/// What a token says: how many looks there were, and what is looked at.
fn read(call: &Call) -> Option<(u32, &str)> {
    let token = call.token.as_deref().filter(|token| token.len() <= TOKEN_MAX)?;
    let (looks, name) = token.split_once(' ')?;
    Some((looks.parse().ok()?, name))
}

/// What the call before looked at; none in a call that begins.
pub(crate) fn subject(call: &Call) -> Option<&str> {
    read(call).map(|(_, name)| name).filter(|name| !name.is_empty())
}

/// It is not done yet: a look at `name` follows, the first one after `first_ms`, each next one after twice as long.
pub(crate) fn later(call: &Call, name: &str, first_ms: i64) -> CallOutcome {
    let looks = read(call).map_or(0, |(looks, _)| looks);
    let after_ms = first_ms.saturating_mul(1_i64 << looks.min(16)).clamp(1, WAIT_MAX_MS);
    CallOutcome::InProgress { after_ms, token: format!("{} {name}", looks.saturating_add(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_look_comes_later_than_the_one_before_up_to_a_minute() {
        let (mut call, mut waits) = (Call::default(), Vec::new());
        for _ in 0..8 {
            let CallOutcome::InProgress { after_ms, token } = later(&call, "fn", 1000) else { panic!("in progress") };
            waits.push(after_ms);
            call.token = Some(token);
        }
        assert_eq!(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(subject(&call), Some("fn"));
    }

    #[test]
    fn a_token_that_nobody_here_wrote_begins_anew() {
        for token in ["", "x y", "99999999999 fn", &"1".repeat(300)] {
            let call = Call { token: Some(token.to_owned()), ..Call::default() };
            assert_eq!(subject(&call), None, "{token}");
            assert!(matches!(later(&call, "fn", 1000), CallOutcome::InProgress { after_ms: 1000, .. }), "{token}");
        }
    }
}
