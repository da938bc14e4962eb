//! Tokens of work in progress: the project, the number of polls, and whether the API request was sent.

use host_provider_api::CallOutcome;
use std::time::Duration;

/// Maximum doublings of the delay.
const DOUBLINGS_MAX: u32 = 4;
/// Number of polls after which a request without a visible effect is repeated.
const REQUEST_AGAIN_AFTER: u32 = 20;

/// The contents of a token: `abcdefghijklmnopqrst 3 asked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub reference: String,
    /// Number of polls so far.
    pub polls: u32,
    /// Whether the request for the awaited change was sent.
    pub was_requested: bool,
}

impl Progress {
    /// Creates the progress of work on a project before the first poll and request.
    pub fn of(reference: &str) -> Progress {
        Progress { reference: reference.to_owned(), polls: 0, was_requested: false }
    }

    pub fn read(token: &str) -> Option<Progress> {
        Progress::split(token).map(|(progress, _)| progress)
    }

    /// Parses the first three words of a token. Also returns the rest of the token.
    pub fn split(token: &str) -> Option<(Progress, &str)> {
        let mut words = token.splitn(4, ' ');
        let (reference, polls, was_requested) = (words.next()?, words.next()?, words.next()?);
        let (polls, was_requested) = (polls.parse().ok()?, was_requested == "asked");
        Some((Progress { reference: reference.to_owned(), polls, was_requested }, words.next().unwrap_or_default()))
    }

    pub fn token(&self) -> String {
        format!("{} {} {}", self.reference, self.polls, if self.was_requested { "asked" } else { "waits" })
    }

    /// Returns the progress after one more poll.
    pub fn next(self, was_requested: bool) -> Progress {
        Progress { polls: self.polls.saturating_add(1), was_requested, ..self }
    }

    /// Returns true if a request was sent and its effect is still awaited. False at every twentieth poll, so that the
    /// request is repeated.
    pub fn is_pending(&self) -> bool {
        self.was_requested && self.polls % REQUEST_AGAIN_AFTER != REQUEST_AGAIN_AFTER - 1
    }

    /// Returns the delay until the next poll in milliseconds.
    pub fn after_ms(&self, poll: Duration) -> i64 {
        let after = poll.saturating_mul(1 << self.polls.min(DOUBLINGS_MAX));
        i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
    }

    pub fn outcome(&self, poll: Duration) -> CallOutcome {
        CallOutcome::InProgress { after_ms: self.after_ms(poll), token: self.token() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_a_round_trip_and_delays_grow() {
        let mut delays = Vec::new();
        for polls in 0..7 {
            let progress = Progress { reference: "abc".to_owned(), polls, was_requested: polls % 2 == 0 };
            let CallOutcome::InProgress { after_ms, token } = progress.outcome(Duration::from_secs(4)) else {
                panic!("expected progress")
            };
            assert_eq!(Progress::read(&token), Some(progress));
            delays.push(after_ms / 1_000);
        }
        assert_eq!(delays, [4, 8, 16, 32, 64, 64, 64]);
        assert_eq!(Progress::read("abc"), None);
    }

    #[test]
    fn a_request_without_effect_is_repeated() {
        let is_pending =
            |polls, was_requested| Progress { reference: String::new(), polls, was_requested }.is_pending();
        assert!(
            is_pending(0, true)
                && is_pending(18, true)
                && !is_pending(19, true)
                && is_pending(20, true)
                && !is_pending(3, false)
        );
    }
}
