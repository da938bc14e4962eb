//! Where a host's time comes from: told, for replays and tests, or read, for a host that serves.

use extension_contract::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that never goes back.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The latest time that it said, milliseconds since the epoch.
    latest: Timestamp,
    is_told: bool,
}

impl Clock {
    /// A clock that stands still until [`Clock::advance_to`].
    pub fn told(start: Timestamp) -> Self {
        Clock { latest: start, is_told: true }
    }

    /// The system's clock. Where that is set back, this one stands still until the system's has caught up.
    pub fn system() -> Self {
        Clock { latest: system_ms(), is_told: false }
    }

    /// The time, milliseconds since the epoch.
    pub fn now(&mut self) -> Timestamp {
        if !self.is_told {
            self.latest = self.latest.max(system_ms());
        }
        self.latest
    }

    /// The time that it said last, without looking.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// How long to wait until it says `time`; none if it is told the time and nobody has told that one yet.
    pub fn until(&mut self, time: Timestamp) -> Option<Duration> {
        let left = time.saturating_sub(self.now());
        match u64::try_from(left) {
            Err(_) | Ok(0) => Some(Duration::ZERO),
            Ok(_) if self.is_told => None,
            Ok(left) => Some(Duration::from_millis(left)),
        }
    }

    /// Let it be at least `time`; an earlier time changes nothing.
    pub fn advance_to(&mut self, time: Timestamp) {
        self.latest = self.latest.max(time);
    }
}

/// Milliseconds since the epoch; 0 on a machine whose clock stands before it.
fn system_ms() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::try_from(since.as_millis()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_told_clock_moves_forward_and_only_when_it_is_told() {
        let mut clock = Clock::told(5);
        assert_eq!(clock.now(), 5);
        clock.advance_to(9);
        clock.advance_to(7);
        assert_eq!((clock.now(), clock.latest()), (9, 9));
        assert_eq!([8, 9, 10].map(|time| clock.until(time)), [Some(Duration::ZERO), Some(Duration::ZERO), None]);
    }

    #[test]
    fn the_systems_clock_is_never_before_what_was_said() {
        let mut clock = Clock::system();
        let ahead = clock.now() + 3_600_000;
        clock.advance_to(ahead);
        assert_eq!(clock.now(), ahead);
        assert_eq!(clock.until(ahead + 7), Some(Duration::from_millis(7)));
    }
}
