//! Where does a host's time come from? A manual clock for replays and tests, the system clock for a server.

use extension_contract::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that never goes back. A clone moves on its own.
#[derive(Debug)]
pub struct Clock {
    /// Latest returned time, in milliseconds since the epoch.
    latest: Timestamp,
    source: ClockSource,
}

/// Reads the time of a clock on any thread.
#[derive(Clone, Debug)]
pub struct ClockSource {
    kind: ClockKind,
    /// Time of a manual clock; milliseconds by which a clock is ahead of the system clock; otherwise 0.
    set: Arc<AtomicI64>,
    /// Latest time that any thread has read.
    latest: Arc<AtomicI64>,
}

/// The way in which a clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClockKind {
    Manual,
    System,
    AheadOfSystem,
}

impl ClockSource {
    fn new(kind: ClockKind, set: i64) -> Self {
        ClockSource { kind, set: Arc::new(AtomicI64::new(set)), latest: Arc::new(AtomicI64::new(Timestamp::MIN)) }
    }

    /// Returns the time, in milliseconds since the epoch. It never goes back, on any thread.
    pub fn now(&self) -> Timestamp {
        let set = self.set.load(Ordering::Relaxed);
        let now = match self.kind {
            ClockKind::Manual => set,
            ClockKind::System | ClockKind::AheadOfSystem => system_ms().saturating_add(set),
        };
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// Returns the milliseconds by which a clock is ahead of the system clock.
    pub fn ahead_ms(&self) -> i64 {
        if self.kind == ClockKind::Manual { 0 } else { self.set.load(Ordering::Relaxed) }
    }

    /// Returns the time by which signatures of other programs are judged, in milliseconds since the epoch: that of the
    /// system clock, also for a clock ahead of it.
    pub fn signatures(&self) -> Timestamp {
        if self.kind == ClockKind::Manual { self.now() } else { system_ms() }
    }
}

impl Clone for Clock {
    fn clone(&self) -> Self {
        let set = self.source.set.load(Ordering::Relaxed);
        Clock { latest: self.latest, source: ClockSource::new(self.source.kind, set) }
    }
}

impl Clock {
    /// Creates a manual clock; only [`Clock::advance_to`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Clock { latest: start, source: ClockSource::new(ClockKind::Manual, start) }
    }

    /// Creates a clock that follows the system clock. If the system clock is set back, this clock stops until the
    /// system clock has caught up.
    pub fn system() -> Self {
        Clock { latest: system_ms(), source: ClockSource::new(ClockKind::System, 0) }
    }

    /// Creates a clock that follows the system clock, and that [`Clock::advance_to`] moves ahead of it: 30 days can be
    /// tried in a minute.
    ///
    /// `by` is the number of milliseconds that it is ahead at the start.
    pub fn ahead_of_system(by: i64) -> Self {
        let source = ClockSource::new(ClockKind::AheadOfSystem, by.max(0));
        Clock { latest: source.now(), source }
    }

    /// Returns true if [`Clock::advance_to`] moves the clock, and not only holds it until the system clock has caught up.
    pub fn can_advance(&self) -> bool {
        self.source.kind != ClockKind::System
    }

    /// Returns true if the clock moves only by [`Clock::advance_to`], so that the providers' work takes no time either.
    pub fn is_manual(&self) -> bool {
        self.source.kind == ClockKind::Manual
    }

    /// Returns the source of the clock's time, for other threads.
    pub fn source(&self) -> &ClockSource {
        &self.source
    }

    /// Returns the time, in milliseconds since the epoch.
    pub fn now(&mut self) -> Timestamp {
        let moved = if self.source.kind == ClockKind::Manual { self.latest } else { self.source.now() };
        self.latest = self.latest.max(moved);
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
            Ok(_) if self.source.kind == ClockKind::Manual => None,
            Ok(left) => Some(Duration::from_millis(left)),
        }
    }

    /// Moves the clock forward to `time`; an earlier time changes nothing.
    pub fn advance_to(&mut self, time: Timestamp) {
        let left = time.saturating_sub(self.now()).max(0);
        match self.source.kind {
            ClockKind::System => {}
            ClockKind::Manual | ClockKind::AheadOfSystem => drop(self.source.set.fetch_add(left, Ordering::Relaxed)),
        }
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
        assert_eq!(clock.source().now(), 9);
        let mut copy = clock.clone();
        copy.advance_to(11);
        assert_eq!((clock.now(), clock.source().now(), copy.source().now()), (9, 9, 11));
        assert_eq!([8, 9, 10].map(|time| clock.until(time)), [Some(Duration::ZERO), Some(Duration::ZERO), None]);
    }

    #[test]
    fn the_system_clock_never_goes_back_behind_a_returned_time() {
        let mut clock = Clock::system();
        let ahead = clock.now() + 3_600_000;
        clock.advance_to(ahead);
        assert_eq!(clock.now(), ahead);
        assert_eq!(clock.until(ahead + 7), Some(Duration::from_millis(7)));
        assert!(!clock.can_advance());
    }

    #[test]
    fn a_clock_ahead_of_the_system_clock_goes_on_from_the_time_to_which_it_was_advanced() {
        let mut clock = Clock::ahead_of_system(0);
        let ahead = clock.now() + 30 * 86_400_000;
        clock.advance_to(ahead);
        std::thread::sleep(Duration::from_millis(5));
        let later = clock.now();
        assert!(later >= ahead + 5, "{later} does not follow {ahead}");
        clock.advance_to(ahead);
        assert!(clock.now() >= later, "an earlier time changes nothing");
        assert!((30 * 86_400_000 - 60_000..=30 * 86_400_000).contains(&clock.source().ahead_ms()));
        assert!(clock.until(clock.latest() + 60_000).is_some_and(|wait| wait <= Duration::from_mins(1)));
    }
}
