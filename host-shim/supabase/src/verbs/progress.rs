//! Work in progress: which project, how often it was looked at, and whether the API was asked.

use host_providers::Answer;
use std::time::Duration;

/// Doublings of the wait at most.
const DOUBLINGS_MAX: u32 = 4;
/// Looks after which the API is asked once more for what has not come.
const ASK_AGAIN_AFTER: u32 = 20;

/// What a token says: `abcdefghijklmnopqrst 3 asked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub reference: String,
    /// Looks that were made.
    pub looks: u32,
    /// Whether the API was asked for what is waited for.
    pub has_asked: bool,
}

impl Progress {
    pub fn read(token: &str) -> Option<Progress> {
        let mut words = token.split(' ');
        let (reference, looks, has_asked) = (words.next()?, words.next()?, words.next()?);
        Some(Progress { reference: reference.to_owned(), looks: looks.parse().ok()?, has_asked: has_asked == "asked" })
    }

    /// Whether what was asked for is still to be waited for.
    pub fn waits(&self) -> bool {
        self.has_asked && self.looks % ASK_AGAIN_AFTER != ASK_AGAIN_AFTER - 1
    }

    pub fn answer(&self, poll: Duration) -> Answer {
        let after = poll.saturating_mul(1 << self.looks.min(DOUBLINGS_MAX));
        let asked = if self.has_asked { "asked" } else { "waits" };
        Answer::InProgress {
            after_ms: i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            token: format!("{} {} {asked}", self.reference, self.looks),
        }
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
            let Answer::InProgress { after_ms, token } = progress.answer(Duration::from_secs(4)) else {
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
