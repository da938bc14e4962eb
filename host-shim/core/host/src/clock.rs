//! Where does a host's time come from? A manual clock for replays and tests, the system clock for a server.

use extension_contract::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that never goes back.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Latest returned time, in milliseconds since the epoch.
    latest: Timestamp,
    is_manual: bool,
}

impl Clock {
    /// Creates a manual clock; only [`Clock::advance_to`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Clock { latest: start, is_manual: true }
    }

    /// Creates a clock that follows the system clock. If the system clock is set back, this clock stops until the
    /// system clock has caught up.
    pub fn system() -> Self {
        Clock { latest: system_ms(), is_manual: false }
    }

    /// Returns the time, in milliseconds since the epoch.
    pub fn now(&mut self) -> Timestamp {
        if !self.is_manual {
            self.latest = self.latest.max(system_ms());
        }
        self.latest
    }

    /// Returns the last returned time, without reading the system clock.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Returns the duration until `time`; none for a manual clock that has not reached `time`.
    pub fn until(&mut self, time: Timestamp) -> Option<Duration> {
        let left = time.saturating_sub(self.now());
        match u64::try_from(left) {
            Err(_) | Ok(0) => Some(Duration::ZERO),
            Ok(_) if self.is_manual => None,
            Ok(left) => Some(Duration::from_millis(left)),
        }
    }

    /// Moves the clock forward to `time`; an earlier time changes nothing.
    pub fn advance_to(&mut self, time: Timestamp) {
        self.latest = self.latest.max(time);
    }
}

/// Returns milliseconds since the epoch; 0 if the system clock is before the epoch.
fn system_ms() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::try_from(since.as_millis()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_forward_and_only_by_advance_to() {
        let mut clock = Clock::manual(5);
        assert_eq!(clock.now(), 5);
        clock.advance_to(9);
        clock.advance_to(7);
        assert_eq!((clock.now(), clock.latest()), (9, 9));
        assert_eq!([8, 9, 10].map(|time| clock.until(time)), [Some(Duration::ZERO), Some(Duration::ZERO), None]);
    }

    #[test]
    fn the_system_clock_never_goes_back_behind_a_returned_time() {
        let mut clock = Clock::system();
        let ahead = clock.now() + 3_600_000;
        clock.advance_to(ahead);
        assert_eq!(clock.now(), ahead);
        assert_eq!(clock.until(ahead + 7), Some(Duration::from_millis(7)));
    }
}
