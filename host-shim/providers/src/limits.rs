//! Limits the calls of a provider: the rate at which they begin, and a circuit breaker. The outbox asks for free capacity before it leases
//! an effect ([`Provider::room`]), so a call beyond the rate waits in the store. How many calls run at the same time, and whose turn it is,
//! is up to the outbox.

use host_provider_api::{
    BackupExpiry, Call, CallOutcome, Held, NotExpired, Outage, Provider, Restriction, Room, Unlisted, Unreadable,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Prefix of the token of a parked call. The provider's own token follows, if there is one.
const PARKED: &str = "parked";
/// The time window of [`ProviderLimits::per_second`].
const SECOND: Duration = Duration::from_secs(1);
/// Delay, before jitter, until the next check whether the trial call of an open circuit has ended.
const TRIAL: Duration = Duration::from_millis(200);

/// The limits of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderLimits {
    /// Maximum number of calls that begin within a second.
    pub per_second: usize,
    /// Maximum number of concurrent calls, which the outbox enforces.
    pub at_once: usize,
    /// Maximum number of concurrent calls per account.
    pub per_account: usize,
    /// Number of consecutive failures that opens the circuit, if they belong to several accounts. A failure is a call whose outcome is
    /// `Retry`, or a panic.
    pub failures: usize,
    /// Time for which the circuit stays open, after which one trial call is allowed.
    pub pause: Duration,
}

impl Default for ProviderLimits {
    /// 20 calls per second, 16 concurrent calls in total and 4 per account, and a pause of 15 seconds after 8
    /// consecutive failures.
    fn default() -> Self {
        ProviderLimits { per_second: 20, at_once: 16, per_account: 4, failures: 8, pause: Duration::from_secs(15) }
    }
}

/// A function that returns the current time.
type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// A provider with limits.
///
/// A call that begins without asking for capacity and has to wait is parked: its outcome is `InProgress`, which uses no attempt, and it is
/// made later. A call that fails while no other succeeds is also parked, because then the provider is down and the request is not at fault.
/// A request uses an attempt only if it fails although the provider's last call succeeded. So an outage ends no effect, whether one
/// customer waits or a thousand.
pub struct Limited {
    /// Name of the provider in the settings.
    name: &'static str,
    inner: Arc<dyn Provider>,
    limits: ProviderLimits,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Start times of the calls within the last second, including reserved ones.
    begun: VecDeque<Instant>,
    /// Number of reserved calls that have not begun yet.
    reserved: usize,
    failures: usize,
    /// Two of the accounts whose calls have failed since the last success.
    failing: BTreeSet<String>,
    /// The first of these failures, and the code and message of the last one.
    outage: Option<(Instant, String, String)>,
    /// End of the circuit's pause, while the circuit is open.
    open_until: Option<Instant>,
    /// True while a trial call is running.
    is_trying: bool,
}

impl Limited {
    /// Wraps a provider in limits. Uses the machine's clock.
    pub fn new(name: &'static str, inner: Arc<dyn Provider>, limits: ProviderLimits) -> Limited {
        Limited::with_clock(name, inner, limits, Box::new(Instant::now))
    }

    fn with_clock(name: &'static str, inner: Arc<dyn Provider>, limits: ProviderLimits, clock: Clock) -> Limited {
        Limited { name, inner, limits, clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many calls may begin now or, if none may, how long the next one must wait.
    fn begins(&self, state: &mut State, now: Instant) -> (usize, Duration) {
        while state.begun.front().is_some_and(|begun| now.saturating_duration_since(*begun) >= SECOND) {
            state.begun.pop_front();
        }
        let by_rate = self.limits.per_second.saturating_sub(state.begun.len());
        let waits_for_rate = match state.begun.front().filter(|_| by_rate == 0) {
            Some(first) => SECOND.saturating_sub(now.saturating_duration_since(*first)),
            None => Duration::ZERO,
        };
        match state.open_until {
            None => (by_rate, waits_for_rate),
            Some(until) if now < until => (0, until.saturating_duration_since(now)),
            Some(_) if state.is_trying => (0, TRIAL),
            Some(_) => (by_rate.min(1), waits_for_rate),
        }
    }

    /// Counts a call that begins.
    fn count(state: &mut State, now: Instant) {
        state.begun.push_back(now);
        state.is_trying |= state.open_until.is_some();
    }

    /// Admits a call, or returns how long it must wait.
    fn admit(&self) -> Result<(), Duration> {
        let (mut state, now) = (self.state(), (self.clock)());
        if state.reserved > 0 {
            state.reserved -= 1;
            return Ok(());
        }
        match self.begins(&mut state, now) {
            (0, wait) => Err(wait.max(Duration::from_millis(1))),
            _ => {
                Limited::count(&mut state, now);
                Ok(())
            }
        }
    }

    /// Ends an admitted call and updates the circuit. Returns the number of consecutive failures.
    fn leave(&self, scope: &str, failure: Option<(String, String)>, now: Instant) -> usize {
        let mut state = self.state();
        state.is_trying = false;
        let Some((code, message)) = failure else {
            (state.failures, state.outage, state.open_until) = (0, None, None);
            state.failing.clear();
            return 0;
        };
        let since = state.outage.as_ref().map_or(now, |(since, ..)| *since);
        state.outage = Some((since, code, message));
        state.failures = state.failures.saturating_add(1);
        if state.failing.len() < 2 {
            state.failing.insert(scope.to_owned());
        }
        // A single account, whose requests may be at fault, does not hold up the others.
        if state.failures >= self.limits.failures && state.failing.len() > 1 {
            state.open_until = Some(now + self.limits.pause);
        }
        state.failures
    }

    /// Returns the time until a failed call is repeated although nothing else has succeeded: one second, doubled after each failure, up to
    /// the circuit's pause.
    fn pause_after(&self, failures: usize) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(2)).unwrap_or(u32::MAX).min(16);
        SECOND.saturating_mul(1 << doublings).min(self.limits.pause)
    }
}

/// Returns true if this machine cannot open a file now. In that case, a failed call says nothing about the provider.
fn is_host_short() -> bool {
    cfg!(unix) && std::fs::File::open("/dev/null").is_err()
}

/// Ends an admitted call on drop, even after a panic of the provider. A panic counts as a failure.
struct Place<'l> {
    limited: &'l Limited,
    scope: &'l str,
    failure: Option<(String, String)>,
    /// Number of consecutive failures, once the call's slot is released.
    failures: Option<usize>,
}

impl Place<'_> {
    fn leave(&mut self) -> usize {
        let failures = self.limited.leave(self.scope, self.failure.take(), (self.limited.clock)());
        *self.failures.insert(failures)
    }

    /// Releases the slot of a call that says nothing about the provider.
    fn leave_as_before(&mut self) {
        let mut state = self.limited.state();
        state.is_trying = false;
        self.failures = Some(state.failures);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.failures.is_none() {
            self.leave();
        }
    }
}

impl Provider for Limited {
    fn call(&self, call: &Call) -> CallOutcome {
        let own = own_token(call.token.as_deref());
        let parked = |wait: Duration| {
            let token = own.map_or_else(|| PARKED.to_owned(), |own| format!("{PARKED}:{own}"));
            CallOutcome::InProgress { after_ms: with_jitter(wait, call), token }
        };
        if let Err(wait) = self.admit() {
            return parked(wait);
        }
        let panicked = Some(("provider-panicked".to_owned(), "the provider panicked".to_owned()));
        let mut place = Place { limited: self, scope: &call.scope, failure: panicked, failures: None };
        let answer = match own == call.token.as_deref() {
            true => self.inner.call(call),
            false => self.inner.call(&Call { token: own.map(str::to_owned), ..call.clone() }),
        };
        let CallOutcome::Retry { after_ms, code, message } = &answer else {
            place.failure = None;
            place.leave();
            return answer;
        };
        if self.inner.is_of_call(code) {
            place.leave_as_before();
            return answer;
        }
        place.failure = Some((code.clone(), message.clone()));
        let failures = place.leave();
        if failures < 2 && !is_host_short() {
            return answer;
        }
        let asked_for = Duration::from_millis(after_ms.and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0));
        parked(self.pause_after(failures).max(asked_for))
    }

    fn room(&self) -> Room {
        let (begins, wait) = self.begins(&mut self.state(), (self.clock)());
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).saturating_add(1);
        Room { at_once: self.limits.at_once, per_account: self.limits.per_account, begins, wait_ms }
    }

    fn reserve(&self) {
        let (mut state, now) = (self.state(), (self.clock)());
        Limited::count(&mut state, now);
        state.reserved += 1;
    }

    fn name(&self) -> Option<&'static str> {
        Some(self.name)
    }

    fn outage(&self) -> Option<Outage> {
        let (now, state) = ((self.clock)(), self.state());
        let (since, code, message) = state.outage.clone().filter(|_| state.failures > 1)?;
        let lasts_ms = u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX);
        Some(Outage { provider: self.name, lasts_ms, failures: state.failures, code, message })
    }

    fn ends(&self) -> bool {
        self.inner.ends()
    }

    fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        self.inner.restrictions(resource)
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.inner.held()
    }

    fn unreadable(&self) -> Result<Vec<Unreadable>, Unlisted> {
        self.inner.unreadable()
    }

    fn expire_backups(&self, expiry: &BackupExpiry<'_>) -> Result<usize, NotExpired> {
        self.inner.expire_backups(expiry)
    }
}

/// Returns the provider's own token, which the token of a parked call contains.
fn own_token(token: Option<&str>) -> Option<&str> {
    match token?.strip_prefix(PARKED) {
        Some("") => None,
        Some(rest) => rest.strip_prefix(':').or(token),
        None => token,
    }
}

/// Returns the waiting time in milliseconds, increased by up to a half. The increase is derived from the effect and its lease, so that
/// waiting calls are polled at different times.
fn with_jitter(wait: Duration, call: &Call) -> i64 {
    let mut hash = Sha256::new();
    hash.update(call.scope.as_bytes());
    hash.update([0]);
    hash.update(call.key.as_bytes());
    hash.update(call.lease.to_be_bytes());
    let share = u64::from(hash.finalize()[0]);
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    i64::try_from(wait.saturating_add(wait.saturating_mul(share) / 512)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Condvar;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    /// Code of a failure of [`Busy`] that says nothing about the provider.
    const OF_CALL: &str = "deferred";

    /// A provider that counts its calls and can hold them until the test lets them continue.
    struct Busy {
        counts: Mutex<Counts>,
        changed: Condvar,
    }

    struct Counts {
        calls: usize,
        /// Calls that are running now.
        running: usize,
        /// Calls that the limits have parked.
        parked: usize,
        holds: bool,
        answer: CallOutcome,
    }

    impl Busy {
        fn new() -> Arc<Busy> {
            let answer = CallOutcome::Done(json!({}));
            let counts = Counts { calls: 0, running: 0, parked: 0, holds: false, answer };
            Arc::new(Busy { counts: Mutex::new(counts), changed: Condvar::new() })
        }

        fn counts(&self) -> MutexGuard<'_, Counts> {
            self.counts.lock().expect("no panic while locked")
        }

        fn change(&self, change: impl FnOnce(&mut Counts)) {
            change(&mut self.counts());
            self.changed.notify_all();
        }

        fn answer(&self, answer: CallOutcome) {
            self.change(|counts| counts.answer = answer);
        }

        fn wait_until(&self, is_so: impl Fn(&Counts) -> bool) -> MutexGuard<'_, Counts> {
            self.changed.wait_while(self.counts(), |counts| !is_so(counts)).expect("no panic while locked")
        }
    }

    impl Provider for Busy {
        fn call(&self, call: &Call) -> CallOutcome {
            assert_ne!(call.token.as_deref().map(|token| token.starts_with(PARKED)), Some(true));
            self.change(|counts| {
                counts.calls += 1;
                counts.running += 1;
            });
            let answer = self.wait_until(|counts| !counts.holds).answer.clone();
            self.change(|counts| counts.running -= 1);
            answer
        }

        fn is_of_call(&self, code: &str) -> bool {
            code == OF_CALL
        }
    }

    /// A clock that the test sets.
    #[derive(Clone, Default)]
    struct TestClock(Arc<AtomicU64>);

    impl TestClock {
        fn advance(&self, millis: u64) {
            self.0.fetch_add(millis, Ordering::SeqCst);
        }

        fn around(&self, provider: Arc<dyn Provider>, limits: ProviderLimits) -> Limited {
            let (start, passed) = (Instant::now(), self.0.clone());
            let clock = move || start + Duration::from_millis(passed.load(Ordering::SeqCst));
            Limited::with_clock("busy", provider, limits, Box::new(clock))
        }
    }

    fn limits() -> ProviderLimits {
        ProviderLimits { per_second: 1000, at_once: 3, per_account: 2, failures: 3, pause: Duration::from_secs(1) }
    }

    fn call(scope: &str, key: usize) -> Call {
        Call { kind: "bucket.ensure".into(), scope: scope.into(), key: key.to_string(), ..Call::default() }
    }

    fn is_parked(answer: &CallOutcome) -> bool {
        matches!(answer, CallOutcome::InProgress { token, after_ms } if token.starts_with(PARKED) && *after_ms > 0)
    }

    /// Makes the calls of a group concurrently, one group after another. Holds the calls until each of them is running or parked. Returns
    /// their outcomes.
    fn at_once(limited: &Limited, busy: &Busy, groups: &[Vec<Call>]) -> Vec<CallOutcome> {
        busy.change(|counts| (counts.holds, counts.parked) = (true, 0));
        let mut count = 0;
        thread::scope(|scope| {
            let mut running = Vec::new();
            for group in groups {
                running.extend(group.iter().map(|call| {
                    scope.spawn(move || {
                        let answer = limited.call(call);
                        busy.change(|counts| counts.parked += usize::from(is_parked(&answer)));
                        answer
                    })
                }));
                count += group.len();
                drop(busy.wait_until(|counts| counts.running + counts.parked == count));
            }
            busy.change(|counts| counts.holds = false);
            running.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        })
    }

    /// Returns one group with one call from each of `count` accounts.
    fn of_accounts(count: usize) -> Vec<Vec<Call>> {
        vec![(0..count).map(|number| call(&format!("u{number}"), number)).collect()]
    }

    #[test]
    fn after_the_pause_one_trial_call_runs_and_its_success_closes_the_circuit() {
        let (busy, clock) = (Busy::new(), TestClock::default());
        let pause = Duration::from_millis(300);
        let limited = clock.around(busy.clone(), ProviderLimits { failures: 1, pause, ..limits() });
        busy.answer(CallOutcome::retry("refused", "nobody listens"));
        limited.call(&call("u", 0));
        limited.call(&call("v", 0));
        busy.answer(CallOutcome::Done(json!({})));
        clock.advance(300);
        let parked = at_once(&limited, &busy, &of_accounts(3)).iter().filter(|answer| is_parked(answer)).count();
        assert_eq!((parked, busy.counts().calls), (2, 3), "two wait for the one that tries");
        let answers = at_once(&limited, &busy, &of_accounts(3));
        assert!(answers.iter().all(|answer| matches!(answer, CallOutcome::Done(_))), "it is well");
    }

    /// A provider that always panics.
    struct Broken;

    impl Provider for Broken {
        fn call(&self, _: &Call) -> CallOutcome {
            panic!("a fault of the provider")
        }
    }

    #[test]
    fn a_panic_counts_as_a_failure_and_releases_its_place() {
        let limited = Limited::new("broken", Arc::new(Broken), limits());
        for number in 0..3 {
            let call = call(["u", "v", "w"][number], number);
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| limited.call(&call)));
            assert!(panicked.is_err(), "there is room for call {number}");
        }
        assert!(is_parked(&limited.call(&call("u", 3))), "the circuit is open");
    }

    #[test]
    fn calls_per_second_are_limited() {
        let (busy, clock) = (Busy::new(), TestClock::default());
        let limited = clock.around(busy.clone(), ProviderLimits { per_second: 5, ..limits() });
        let parked = || (0..9).filter(|number| is_parked(&limited.call(&call("u", *number)))).count();
        assert_eq!((parked(), busy.counts().calls), (4, 5));
        clock.advance(999);
        assert_eq!((parked(), busy.counts().calls), (9, 5));
        clock.advance(1);
        assert_eq!((parked(), busy.counts().calls), (4, 10));
    }

    #[test]
    fn the_room_is_what_is_left_of_the_rate_and_a_reserved_call_is_made_in_any_case() {
        let (busy, clock) = (Busy::new(), TestClock::default());
        let limited = clock.around(busy.clone(), ProviderLimits { per_second: 3, ..limits() });
        let room = || (limited.room().begins, limited.room().wait_ms);
        assert_eq!(room().0, 3);
        limited.reserve();
        limited.reserve();
        assert_eq!(room().0, 1, "they are about to be made");
        clock.advance(400);
        limited.reserve();
        assert_eq!(room(), (0, 601));
        for number in 0..3 {
            assert_eq!(limited.call(&call("u", number)), CallOutcome::Done(json!({})), "reserved call {number}");
        }
        assert!(is_parked(&limited.call(&call("u", 3))), "nobody has asked for room");
        clock.advance(600);
        assert_eq!(room().0, 2);
    }

    #[test]
    fn an_open_circuit_has_no_room_and_then_room_for_one_trial() {
        let (busy, clock) = (Busy::new(), TestClock::default());
        let limited = clock.around(busy.clone(), ProviderLimits { failures: 1, ..limits() });
        busy.answer(CallOutcome::retry("refused", "nobody listens"));
        limited.call(&call("u", 0));
        limited.call(&call("v", 0));
        assert_eq!((limited.room().begins, limited.room().wait_ms), (0, 1_001));
        clock.advance(1_000);
        assert_eq!(limited.room().begins, 1);
        limited.reserve();
        assert_eq!(limited.room().begins, 0, "one tries");
        busy.answer(CallOutcome::Done(json!({})));
        limited.call(&call("u", 0));
        assert!(limited.room().begins > 1, "it is closed");
    }

    #[test]
    fn consecutive_failures_open_the_circuit_until_a_trial_call_succeeds() {
        let (busy, clock) = (Busy::new(), TestClock::default());
        let limited = clock.around(busy.clone(), limits());
        busy.answer(CallOutcome::retry("refused", "nobody listens"));
        let calls = |number| {
            limited.call(&call(["u", "v"][number % 2], number));
            busy.counts().calls
        };
        assert_eq!([calls(0), calls(1), calls(2)], [1, 2, 3]);
        clock.advance(999);
        assert_eq!(calls(3), 3, "the circuit is open");
        clock.advance(1);
        assert_eq!(calls(3), 4, "one tries");
        assert_eq!(calls(4), 4, "and it is open again at once");
        busy.answer(CallOutcome::Done(json!({})));
        clock.advance(1_000);
        for number in 4..8 {
            assert!(matches!(limited.call(&call("u", number)), CallOutcome::Done(_)), "it is closed");
        }
    }

    #[test]
    fn in_an_outage_no_effect_uses_attempts_however_few_wait() {
        let (busy, clock) = (Busy::new(), TestClock::default());
        let pause = Duration::from_secs(15);
        let limited = clock.around(busy.clone(), ProviderLimits { failures: 8, pause, ..limits() });
        busy.answer(CallOutcome::retry("refused", "nobody listens"));
        assert!(
            matches!(limited.call(&call("u", 0)), CallOutcome::Retry { .. }),
            "perhaps only this request is at fault"
        );
        assert_eq!(limited.outage(), None);
        let mut waited = 0;
        while waited < 3_600_000 {
            let CallOutcome::InProgress { after_ms, .. } = limited.call(&call("u", 0)) else {
                panic!("it uses an attempt")
            };
            clock.advance(u64::try_from(after_ms).expect("positive"));
            waited += after_ms;
        }
        let outage = limited.outage().expect("it is out");
        assert_eq!((outage.provider, &*outage.code, &*outage.message), ("busy", "refused", "nobody listens"));
        assert!(outage.lasts_ms >= 3_600_000 && outage.failures == busy.counts().calls, "{outage:?}");
        assert!((120..300).contains(&outage.failures), "two to five calls a minute: {}", outage.failures);
        busy.answer(CallOutcome::Done(json!({})));
        assert_eq!((limited.call(&call("u", 0)), limited.outage()), (CallOutcome::Done(json!({})), None));
    }

    #[test]
    fn the_failures_of_one_account_hold_up_no_other() {
        let busy = Busy::new();
        let limited = Limited::new("busy", busy.clone(), limits());
        busy.answer(CallOutcome::retry("status-500", "this request is at fault"));
        (0..9).for_each(|number| drop(limited.call(&call("u", number))));
        busy.answer(CallOutcome::Done(json!({})));
        assert_eq!(limited.call(&call("v", 0)), CallOutcome::Done(json!({})), "the circuit is closed");
    }

    #[test]
    fn failures_that_say_nothing_of_the_provider_hold_up_no_other_and_use_attempts() {
        let busy = Busy::new();
        let limited = Limited::new("busy", busy.clone(), limits());
        busy.answer(CallOutcome::retry(OF_CALL, "this mailbox is full"));
        for number in 0..30 {
            let answer = limited.call(&call(&format!("u{number}"), 0));
            assert!(matches!(answer, CallOutcome::Retry { .. }), "an attempt is used: {answer:?}");
        }
        busy.answer(CallOutcome::Done(json!({})));
        assert_eq!(limited.call(&call("v", 0)), CallOutcome::Done(json!({})));
    }

    #[test]
    fn a_request_that_fails_while_others_succeed_uses_attempts() {
        let busy = Busy::new();
        let limited = Limited::new("busy", busy.clone(), limits());
        for number in 0..5 {
            busy.answer(CallOutcome::retry("conflict", "not yet"));
            assert!(matches!(limited.call(&call("u", 0)), CallOutcome::Retry { .. }), "attempt {number}");
            busy.answer(CallOutcome::Done(json!({})));
            limited.call(&call("v", number));
        }
    }

    #[test]
    fn a_parked_poll_keeps_the_providers_own_token() {
        let busy = Busy::new();
        let limited = Limited::new("busy", busy.clone(), ProviderLimits { per_second: 1, ..limits() });
        limited.call(&call("u", 0));
        let look = Call { token: Some("job-7".into()), ..call("u", 1) };
        let CallOutcome::InProgress { token, .. } = limited.call(&look) else { panic!("no room was left") };
        assert_eq!(own_token(Some(&token)), Some("job-7"));
        assert_eq!(own_token(Some(PARKED)), None);
        assert_eq!(own_token(Some("parked-lot")), Some("parked-lot"));
        assert_eq!(own_token(None), None);
    }
}
