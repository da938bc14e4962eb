//! What was called when, and the chart of it.

use host_provider_api::{Call, CallOutcome, Held, Provider, Unlisted};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Characters of the longest bar.
const BAR: u128 = 40;
/// Effects of a chart at most; those that took longest are shown.
const ROWS_MAX: usize = 60;

/// One effect as it was carried out: from its first call to the end of its last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// `database.ensure`.
    pub kind: String,
    /// Key of the effect.
    pub key: String,
    /// From the journal's begin to its first call.
    pub from: Duration,
    /// From the journal's begin to the end of its last call.
    pub to: Duration,
    /// Time within calls.
    pub busy: Duration,
    /// Calls, looks among them.
    pub calls: usize,
    /// How the last one ended: `done`, `in progress`, `retry: CODE` or `refused: CODE`.
    pub ended: String,
}

/// Where calls are noted; a clone is a second handle.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Noted>>);

struct Noted {
    begun: Instant,
    spans: BTreeMap<(String, String, u32), Span>,
}

impl Default for Journal {
    fn default() -> Self {
        Journal(Arc::new(Mutex::new(Noted { begun: Instant::now(), spans: BTreeMap::new() })))
    }
}

impl Journal {
    /// A provider whose calls are noted.
    pub fn around(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Watched { inner, journal: self.clone() })
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, call: &Call, begun: Instant, answer: &CallOutcome) {
        let mut noted = self.noted();
        let from = begun.saturating_duration_since(noted.begun);
        let to = noted.begun.elapsed();
        let span = noted.spans.entry((call.scope.clone(), call.key.clone(), call.generation)).or_insert_with(|| Span {
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
        span.ended = match answer {
            CallOutcome::Done(_) => "done".to_owned(),
            CallOutcome::InProgress { .. } => "in progress".to_owned(),
            CallOutcome::Retry { code, .. } => format!("retry: {code}"),
            CallOutcome::Refused { code, .. } => format!("refused: {code}"),
        };
    }

    /// Every effect, in the order of the first calls.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.noted().spans.values().cloned().collect();
        spans.sort_by(|a, b| (a.from, &a.key).cmp(&(b.from, &b.key)));
        spans
    }
}

struct Watched {
    inner: Arc<dyn Provider>,
    journal: Journal,
}

impl Provider for Watched {
    fn call(&self, call: &Call) -> CallOutcome {
        let begun = Instant::now();
        let answer = self.inner.call(call);
        self.journal.note(call, begun, &answer);
        answer
    }

    fn ends(&self) -> bool {
        self.inner.ends()
    }

    fn held(&self) -> Result<Vec<Held>, Unlisted> {
        self.inner.held()
    }
}

/// A line an effect, each with a bar from its begin to its end on one scale of time.
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
        // Writing to a text doesn't fail.
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
        let _ = writeln!(out, "and {left_out} shorter ones");
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
    fn a_chart_shows_what_ran_side_by_side_and_what_waited() {
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
    fn looks_belong_to_the_effect_that_they_look_at() {
        let journal = Journal::default();
        let provider = journal.around(Arc::new(Twice));
        let call = Call { kind: "database.ensure".into(), key: "k".into(), ..Call::default() };
        provider.call(&call);
        provider.call(&Call { token: Some("t".into()), ..call });
        let spans = journal.spans();
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].calls, spans[0].ended.as_str()), (2, "done"));
    }
}
