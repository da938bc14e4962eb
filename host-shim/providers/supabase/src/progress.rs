//! Work in progress: which project, how often it was looked at, and whether the API was asked.

use host_provider_api::CallOutcome;
use std::time::Duration;

/// Doublings of the wait at most.
const DOUBLINGS_MAX: u32 = 4;
/// Looks after which the API is asked once more for what has not come.
const ASK_AGAIN_AFTER: u32 = 20;

/// What a token says: `abcdefghijklmnopqrst 3 asked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub reference: String,
    /// Looks that were made.
    pub looks: u32,
    /// Whether the API was asked for what is waited for.
    pub has_asked: bool,
}

impl Progress {
    /// Nothing was looked at yet, and nobody asked.
    pub fn of(reference: &str) -> Progress {
        Progress { reference: reference.to_owned(), looks: 0, has_asked: false }
    }

    pub fn read(token: &str) -> Option<Progress> {
        Progress::split(token).map(|(progress, _)| progress)
    }

    /// What a token says, and what stands behind it.
    pub fn split(token: &str) -> Option<(Progress, &str)> {
        let mut words = token.splitn(4, ' ');
        let (reference, looks, has_asked) = (words.next()?, words.next()?, words.next()?);
        let (looks, has_asked) = (looks.parse().ok()?, has_asked == "asked");
        Some((Progress { reference: reference.to_owned(), looks, has_asked }, words.next().unwrap_or_default()))
    }

    pub fn token(&self) -> String {
        format!("{} {} {}", self.reference, self.looks, if self.has_asked { "asked" } else { "waits" })
    }

    /// The same after one more look.
    pub fn next(self, has_asked: bool) -> Progress {
        Progress { looks: self.looks.saturating_add(1), has_asked, ..self }
    }

    /// Whether what was asked for is still to be waited for.
    pub fn waits(&self) -> bool {
        self.has_asked && self.looks % ASK_AGAIN_AFTER != ASK_AGAIN_AFTER - 1
    }

    /// Milliseconds until the next look.
    pub fn after_ms(&self, poll: Duration) -> i64 {
        let after = poll.saturating_mul(1 << self.looks.min(DOUBLINGS_MAX));
        i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
    }

    pub fn answer(&self, poll: Duration) -> CallOutcome {
        CallOutcome::InProgress { after_ms: self.after_ms(poll), token: self.token() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_written_is_read_as_the_same_and_looks_grow_rare() {
        let mut waits = Vec::new();
        for looks in 0..7 {
            let progress = Progress { reference: "abc".to_owned(), looks, has_asked: looks % 2 == 0 };
            let CallOutcome::InProgress { after_ms, token } = progress.answer(Duration::from_secs(4)) else {
                panic!("waits")
            };
            assert_eq!(Progress::read(&token), Some(progress));
            waits.push(after_ms / 1_000);
        }
        assert_eq!(waits, [4, 8, 16, 32, 64, 64, 64]);
        assert_eq!(Progress::read("abc"), None);
    }

    #[test]
    fn what_does_not_come_is_asked_for_once_more() {
        let waits = |looks, has_asked| Progress { reference: String::new(), looks, has_asked }.waits();
        assert!(waits(0, true) && waits(18, true) && !waits(19, true) && waits(20, true) && !waits(3, false));
    }
}
