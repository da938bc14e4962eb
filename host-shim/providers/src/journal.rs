//! Records the timing of calls and renders it as a chart.

use host_provider_api::{
    BackupExpiry, Call, CallOutcome, Held, NotExpired, Outage, Provider, Restriction, Room, Unlisted, Unreadable,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Length of the longest bar in characters.
const BAR: u128 = 40;
/// Maximum number of effects in a chart. If there are more, those that took longest are shown.
const ROWS_MAX: usize = 60;

/// Maximum number of effects in a journal, so that it stays small in a server. Later effects are not recorded.
const SPANS_MAX: usize = 10_000;

/// The execution of one effect, from its first call to the end of its last call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Effect kind, for example `database.ensure`.
    pub kind: String,
    /// Key of the effect.
    pub key: String,
    /// Start of the first call, relative to the start of the journal.
    pub from: Duration,
    /// End of the last call, relative to the start of the journal.
    pub to: Duration,
    /// Total time of all calls.
    pub busy: Duration,
    /// Number of calls, including polls.
    pub calls: usize,
    /// Outcome of the last call: `done`, `in progress`, `retry: CODE` or `refused: CODE`.
    pub ended: String,
}

/// A journal of calls. Clones share their entries.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<JournalEntries>>);

struct JournalEntries {
    begun: Instant,
    spans: BTreeMap<(String, String, u32), Span>,
}

impl Default for Journal {
    fn default() -> Self {
        Journal(Arc::new(Mutex::new(JournalEntries { begun: Instant::now(), spans: BTreeMap::new() })))
    }
}

impl Journal {
    /// Wraps a provider so that its calls are recorded.
    pub fn around(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(JournaledProvider { inner, journal: self.clone() })
    }

    fn entries(&self) -> MutexGuard<'_, JournalEntries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, call: &Call, begun: Instant, outcome: &CallOutcome) {
        let mut entries = self.entries();
        let from = begun.saturating_duration_since(entries.begun);
        let to = entries.begun.elapsed();
        let id = (call.scope.clone(), call.key.clone(), call.generation);
        if entries.spans.len() >= SPANS_MAX && !entries.spans.contains_key(&id) {
            return;
        }
        let span = entries.spans.entry(id).or_insert_with(|| Span {
            kind: call.kind.clone(),
            key: call.key.clone(),
            from,
            to,
            busy: Duration::ZERO,
            calls: 0,
            ended: String::new(),
        });
        span.to = to;
        span.busy += begun.elapsed();
        span.calls += 1;
        span.ended = match outcome {
            CallOutcome::Done(_) => "done".to_owned(),
            CallOutcome::InProgress { .. } => "in progress".to_owned(),
            CallOutcome::Retry { code, .. } => format!("retry: {code}"),
            CallOutcome::Refused { code, .. } => format!("refused: {code}"),
        };
    }

    /// Returns the spans of all effects, in the order of their first calls.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.entries().spans.values().cloned().collect();
        spans.sort_by(|a, b| (a.from, &a.key).cmp(&(b.from, &b.key)));
        spans
    }
}

struct JournaledProvider {
    inner: Arc<dyn Provider>,
    journal: Journal,
}

impl Provider for JournaledProvider {
    fn call(&self, call: &Call) -> CallOutcome {
        let begun = Instant::now();
        let outcome = self.inner.call(call);
        self.journal.record(call, begun, &outcome);
        outcome
    }

    fn ends(&self) -> bool {
        self.inner.ends()
    }

    fn room(&self) -> Room {
        self.inner.room()
    }

    fn reserve(&self) {
        self.inner.reserve();
    }

    fn name(&self) -> Option<&'static str> {
        self.inner.name()
    }

    fn outage(&self) -> Option<Outage> {
        self.inner.outage()
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

/// Renders a chart with one line per effect. Each line has a bar from the start to the end of the effect, on a common
/// time scale.
pub fn chart(spans: &[Span]) -> String {
    let (Some(first), Some(last)) = (spans.iter().map(|span| span.from).min(), spans.iter().map(|span| span.to).max())
    else {
        return String::new();
    };
    let whole = last.saturating_sub(first).as_micros().max(1);
    let mut shown: Vec<&Span> = spans.iter().collect();
    shown.sort_by_key(|span| std::cmp::Reverse(span.to.saturating_sub(span.from)));
    let left_out = shown.len().saturating_sub(ROWS_MAX);
    shown.truncate(ROWS_MAX);
    shown.sort_by_key(|span| (span.from, &span.key));
    let key = shown.iter().map(|span| span.key.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for span in shown {
        let at = |time: Duration| time.saturating_sub(first).as_micros() * BAR / whole;
        let (from, to) = (at(span.from), at(span.to));
        let spaces = |count: u128| " ".repeat(usize::try_from(count).unwrap_or_default());
        let bar = "█".repeat(usize::try_from((to - from).max(1)).unwrap_or_default());
        let after = spaces(BAR.saturating_sub(from + (to - from).max(1)) + 1);
        // Writing to a string can't fail.
        let _ = writeln!(
            out,
            "{:key$}  {}{bar}{after}{:>9}  {}{}",
            span.key,
            spaces(from),
            millis(span.to.saturating_sub(span.from)),
            span.ended,
            if span.calls > 1 { format!(" after {} calls", span.calls) } else { String::new() },
        );
    }
    if left_out > 0 {
        let _ = writeln!(out, "and {left_out} shorter effects");
    }
    let _ = writeln!(out, "{} effects in {}", spans.len(), millis(last.saturating_sub(first)));
    out
}

fn millis(time: Duration) -> String {
    match time.as_millis() {
        short @ 0..10_000 => format!("{short} ms"),
        long => format!("{}.{} s", long / 1000, long % 1000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn span(key: &str, from: u64, to: u64, calls: usize) -> Span {
        let ms = Duration::from_millis;
        let kind = "database.ensure".to_owned();
        Span {
            kind,
            key: key.to_owned(),
            from: ms(from),
            to: ms(to),
            busy: ms(to - from),
            calls,
            ended: "done".to_owned(),
        }
    }

    #[test]
    fn a_chart_shows_parallel_and_waiting_effects() {
        let text =
            chart(&[span("a/database", 100, 300, 1), span("a/bucket", 100, 200, 1), span("a/compute", 300, 500, 3)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], format!("a/bucket    {}{}    100 ms  done", "█".repeat(10), " ".repeat(30)));
        assert_eq!(lines[1], format!("a/database  {}{}    200 ms  done", "█".repeat(20), " ".repeat(20)));
        assert_eq!(lines[2], format!("a/compute   {}{}    200 ms  done after 3 calls", " ".repeat(20), "█".repeat(20)));
        assert_eq!(lines[3], "3 effects in 400 ms");
        assert_eq!(chart(&[]), "");
    }

    struct Twice;
    impl Provider for Twice {
        fn call(&self, call: &Call) -> CallOutcome {
            match call.token {
                None => CallOutcome::InProgress { after_ms: 1, token: "t".to_owned() },
                Some(_) => CallOutcome::Done(json!({})),
            }
        }
    }

    #[test]
    fn polls_belong_to_the_span_of_their_effect() {
        let journal = Journal::default();
        let provider = journal.around(Arc::new(Twice));
        let call = Call { kind: "database.ensure".into(), key: "k".into(), ..Call::default() };
        provider.call(&call);
        provider.call(&Call { token: Some("t".into()), ..call });
        let spans = journal.spans();
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].calls, spans[0].ended.as_str()), (2, "done"));
    }
    #[test]
    fn a_journal_has_a_maximum_number_of_effects() {
        let journal = Journal::default();
        let provider = journal.around(Arc::new(Twice));
        let call = |number: usize| Call { kind: "database.ensure".into(), key: number.to_string(), ..Call::default() };
        (0..=SPANS_MAX).for_each(|number| drop(provider.call(&call(number))));
        provider.call(&Call { token: Some("t".into()), ..call(0) });
        let spans = journal.spans();
        assert_eq!((spans.len(), spans[0].calls), (SPANS_MAX, 2), "an effect of the journal goes on in it");
    }

    /// A provider with one expired backup.
    struct Keeper;
    impl Provider for Keeper {
        fn call(&self, call: &Call) -> CallOutcome {
            CallOutcome::unsupported(call)
        }

        fn expire_backups(&self, expiry: &BackupExpiry<'_>) -> Result<usize, NotExpired> {
            Ok(usize::from(expiry.now_s > 0))
        }
    }

    #[test]
    fn the_backups_of_a_provider_within_limits_and_a_journal_expire() {
        let limited: Arc<dyn Provider> =
            Arc::new(crate::Limited::new("keeper", Arc::new(Keeper), crate::ProviderLimits::default()));
        let journaled = Journal::default().around(limited);
        let expiry = BackupExpiry { partition: "b/test", now_s: 1, exists: &|_| false };
        assert_eq!(journaled.expire_backups(&expiry), Ok(1));
    }
}
