//! Clocks of a host: a manual clock for replays and tests, and the system clock for a server.

use extension_contract::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that never goes back. A clone moves on its own.
#[derive(Debug)]
pub struct Clock {
    /// Latest returned time, in milliseconds since the epoch.
    latest: Timestamp,
    source: ClockSource,
}

/// Reads the time of a clock on any thread. It never goes back either.
#[derive(Clone, Debug)]
pub struct ClockSource {
    kind: ClockKind,
    /// Time of a manual clock; milliseconds by which a clock is ahead of the system clock; otherwise 0.
    set: Arc<AtomicI64>,
    /// The last time returned by a clock that follows the system clock.
    reached: Arc<Mutex<Reached>>,
    jumps: Jumps,
}

/// The way in which a clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClockKind {
    Manual,
    System,
    AheadOfSystem,
}

/// A returned time, and when it was returned.
#[derive(Clone, Copy, Debug)]
struct Reached {
    time: Timestamp,
    at: Instant,
}

/// After the system clock is set back, a clock takes this many milliseconds for each of its own, until the system clock has
/// caught up. So it never stops, and does not stay ahead forever.
const SLOWER: u128 = 2;

impl Reached {
    /// Returns the time, which follows `system` if that is not behind.
    fn follow(&mut self, system: Timestamp) -> Timestamp {
        if system >= self.time {
            *self = Reached { time: system, at: Instant::now() };
            return system;
        }
        let gained = self.at.elapsed().as_millis() / SLOWER;
        if let (Ok(gained), Ok(passed)) = (i64::try_from(gained), u64::try_from(gained * SLOWER))
            && gained > 0
        {
            self.time = self.time.saturating_add(gained);
            self.at += Duration::from_millis(passed);
        }
        self.time
    }
}

/// Makes the system clock of a [`Clock`] jump, in tests. Clones share the same clock.
#[derive(Clone, Debug, Default)]
pub struct Jumps(Arc<AtomicI64>);

impl Jumps {
    /// Sets the system clock forward by this many milliseconds, or back if the number is negative.
    pub fn by(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }

    fn system_ms(&self) -> Timestamp {
        system_ms().saturating_add(self.0.load(Ordering::Relaxed))
    }
}

impl ClockSource {
    fn new(kind: ClockKind, set: i64, jumps: Jumps) -> Self {
        let reached = Reached { time: Timestamp::MIN, at: Instant::now() };
        ClockSource { kind, set: Arc::new(AtomicI64::new(set)), reached: Arc::new(Mutex::new(reached)), jumps }
    }

    /// Returns the time, in milliseconds since the epoch. If the system clock is set back, the time continues at half speed
    /// until the system clock has caught up.
    pub fn now(&self) -> Timestamp {
        match self.kind {
            ClockKind::Manual => self.set.load(Ordering::Relaxed),
            // A panic in between leaves a time that has already been returned.
            ClockKind::System | ClockKind::AheadOfSystem => {
                self.reached.lock().unwrap_or_else(PoisonError::into_inner).follow(self.unheld())
            }
        }
    }

    /// Returns the time of the system clock plus this clock's lead over it; it goes back if the system clock does.
    fn unheld(&self) -> Timestamp {
        self.jumps.system_ms().saturating_add(self.set.load(Ordering::Relaxed))
    }

    /// Returns the milliseconds by which a clock is ahead of the system clock.
    pub fn ahead_ms(&self) -> i64 {
        if self.kind == ClockKind::Manual { 0 } else { self.set.load(Ordering::Relaxed) }
    }

    /// Returns the time for checking signatures of other programs, in milliseconds since the epoch: the system clock's, even
    /// if this clock is ahead of it.
    pub fn signatures(&self) -> Timestamp {
        if self.kind == ClockKind::Manual { self.now() } else { self.jumps.system_ms() }
    }
}

impl Clone for Clock {
    fn clone(&self) -> Self {
        let set = self.source.set.load(Ordering::Relaxed);
        Clock { latest: self.latest, source: ClockSource::new(self.source.kind, set, self.source.jumps.clone()) }
    }
}

impl Clock {
    /// Creates a manual clock; only [`Clock::advance_to`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Clock { latest: start, source: ClockSource::new(ClockKind::Manual, start, Jumps::default()) }
    }

    /// Creates a clock that follows the system clock. If the system clock is set back, this clock continues at half speed
    /// until the system clock has caught up.
    pub fn system() -> Self {
        Clock::system_with(&Jumps::default())
    }

    /// Creates a clock that follows a system clock that a test can make jump.
    pub fn system_with(jumps: &Jumps) -> Self {
        let source = ClockSource::new(ClockKind::System, 0, jumps.clone());
        Clock { latest: source.now(), source }
    }

    /// Creates a clock that follows the system clock, and that [`Clock::advance_to`] moves ahead of it, so that 30 days pass
    /// in a minute.
    ///
    /// `by` is the number of milliseconds that it is ahead at the start.
    pub fn ahead_of_system(by: i64) -> Self {
        Clock::ahead_of_system_with(by, &Jumps::default())
    }

    /// Like [`Clock::ahead_of_system`], with a system clock that a test can make jump.
    pub fn ahead_of_system_with(by: i64, jumps: &Jumps) -> Self {
        let source = ClockSource::new(ClockKind::AheadOfSystem, by.max(0), jumps.clone());
        Clock { latest: source.now(), source }
    }

    /// Returns true if [`Clock::advance_to`] moves the clock, rather than only holding it until the system clock has caught
    /// up.
    pub fn can_advance(&self) -> bool {
        self.source.kind != ClockKind::System
    }

    /// Returns true if only [`Clock::advance_to`] moves the clock, so that the providers' work takes no time either.
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
        if time <= self.now() {
            return;
        }
        // A system clock that was set back is behind the time that this clock has reached.
        let from = if self.is_manual() { self.latest } else { self.source.unheld() };
        if self.can_advance() {
            self.source.set.fetch_add(time.saturating_sub(from).max(0), Ordering::Relaxed);
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
    fn a_system_clock_that_is_set_back_does_not_stop_the_clock() {
        let hour = 3_600_000;
        let clocks: [fn(&Jumps) -> Clock; 2] =
            [Clock::system_with, |jumps| Clock::ahead_of_system_with(3_600_000, jumps)];
        for clock in clocks {
            let jumps = Jumps::default();
            let mut clock = clock(&jumps);
            let source = clock.source().clone();
            jumps.by(hour);
            let reached = clock.now();
            jumps.by(-hour);
            assert!(source.now() >= reached, "the source does not go back");
            while clock.now() < reached + 5 {
                std::thread::sleep(Duration::from_millis(2));
            }
            let system = jumps.system_ms();
            assert!(clock.now() < reached + hour / 2, "it does not run away");
            assert!(source.signatures() <= system + hour / 2, "signatures are judged by the system clock");
            jumps.by(2 * hour);
            assert!(clock.now() >= reached + hour / 2, "it follows the system clock again");
        }
    }

    #[test]
    fn a_clock_can_be_advanced_after_the_system_clock_was_set_back() {
        let (jumps, hour) = (Jumps::default(), 3_600_000);
        let mut clock = Clock::ahead_of_system_with(0, &jumps);
        jumps.by(hour);
        let wanted = clock.now() + hour;
        jumps.by(-hour);
        clock.advance_to(wanted);
        assert!(clock.now() >= wanted && clock.source().now() >= wanted, "other threads see the time as well");
        assert!(clock.source().ahead_ms() >= 2 * hour - 1_000, "the system clock is an hour behind");
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
