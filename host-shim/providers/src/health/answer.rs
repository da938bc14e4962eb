//! Waits until an address answers: the payload of `probe.answer`, and the number of failed requests in its token.

use serde::{Deserialize, Serialize};

/// Delay after the first failed request, in milliseconds. It grows by the same amount with every request.
const WAIT_MS: i64 = 2_000;
/// Longest delay between two requests, in milliseconds.
const WAIT_MS_MAX: i64 = 30_000;
/// Number of failed requests after which the address counts as unreachable: about an hour, by which time names and certificates have
/// propagated everywhere.
const FAILED_MAX: u32 = 120;

/// The failed requests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    failed: u32,
}

impl Failed {
    pub fn parse(token: &str) -> Option<Failed> {
        serde_json::from_str(token).ok()
    }

    pub fn token(self) -> String {
        serde_json::to_string(&self).expect("a number is JSON")
    }

    /// Counts one more failed request. Returns none if there have been too many.
    pub fn once_more(self) -> Option<Failed> {
        let failed = self.failed.saturating_add(1);
        (failed < FAILED_MAX).then_some(Failed { failed })
    }

    /// Returns the time until the next request.
    pub fn wait_ms(self) -> i64 {
        WAIT_MS.saturating_mul(i64::from(self.failed)).min(WAIT_MS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_after_an_hour() {
        let (mut failed, mut waits) = (Failed::default(), Vec::new());
        while let Some(more) = failed.once_more() {
            failed = more;
            waits.push(more.wait_ms());
            assert_eq!(Failed::parse(&more.token()), Some(more));
        }
        assert_eq!(waits[..3], [2_000, 4_000, 6_000]);
        assert_eq!((waits.len(), waits.last()), (119, Some(&30_000)));
        assert!((50..70).contains(&(waits.iter().sum::<i64>() / 60_000)), "{waits:?}");
    }
}
