//! What providers answered, call by call, as a scenario's answers.
//!
//! A store keeps of an effect how often it was called, when the last call was due, and how it ended. Calls before the last
//! one failed in some way that could be tried again; the first of them takes as long as it takes for the last one to be due
//! when it was.

use crate::recording::Recording;
use extension_contract::{Account, EffectFailure, EffectFailureClass, EffectReport, RetryPolicy, Timestamp};
use host::outbox::{DEFAULT_DELAYS_MS, retry_delay_ms};
use host_provider_api::scripted::{Scripted, ScriptedAnswer, derived_outputs};
use host_provider_api::{Call, CallOutcome, Provider as _, Reply, Simulation as _};
use host_scenario::model::Answers;
use host_store::{Declared, EffectRow, EffectState, OF_HOST};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Code of a failed call of which nothing is known but that it was tried again.
const RETRIED: &str = "retried";
/// Codes by which a host ends an effect that nobody answered.
const DEADLINE: &str = "deadline";
const LOST: &str = "lost-answer";
/// Code by which the scripted provider itself refuses what is out of date, without a look at its script.
const SUPERSEDED: &str = "superseded";

/// How an effect ended, and when.
struct Ended<'r> {
    at: Timestamp,
    report: &'r EffectReport,
}

/// An effect with what is known of its calls.
struct Called<'r> {
    row: &'r EffectRow,
    ended: Option<Ended<'r>>,
    /// When a success came after its end.
    late: Option<Ended<'r>>,
    /// When the first call was made.
    began: Timestamp,
}

/// The answers by effect key; keys of which every call succeeds as it would without a script are left out.
pub(crate) fn answers(recording: &Recording, declared: &Declared) -> Vec<Answers> {
    let shadow = Scripted::new();
    let mut lists: BTreeMap<String, Vec<ScriptedAnswer>> = BTreeMap::new();
    let mut said: BTreeSet<String> = BTreeSet::new();
    for called in in_order(recording) {
        let list = called.answers(declared, &shadow);
        let key = &called.row.effect.key;
        let is_silent = called.is_silent(&shadow);
        let by_default = |answer: &ScriptedAnswer| match answer {
            ScriptedAnswer::Ok(Value::Null) => !is_silent,
            answer => is_silent && *answer == ScriptedAnswer::Never,
        };
        if !list.iter().all(by_default) {
            said.insert(key.clone());
        }
        lists.entry(key.clone()).or_default().extend(list);
    }
    let said = lists.into_iter().filter(|(key, _)| said.contains(key));
    said.map(|(pattern, list)| Answers { line: 0, pattern, list: shortened(list) }).collect()
}

/// The last answer is given again and again, so that equal ones at the end need not stand there.
fn shortened(mut list: Vec<ScriptedAnswer>) -> Vec<ScriptedAnswer> {
    while let [.., before, last] = list.as_slice()
        && before == last
    {
        list.pop();
    }
    list
}

/// Effects that a provider was called for, in order of their ends: by then the provider has done what they asked.
fn in_order(recording: &Recording) -> Vec<Called<'_>> {
    let results = recording.results();
    let ended = |row: &EffectRow, is_late: bool| {
        let key = (row.scope.account.clone(), row.effect.key.clone(), row.effect.generation, is_late);
        let (told, report) = results.get(&key)?;
        Some((told.row.seq, Ended { at: told.row.event.received_at, report }))
    };
    // When the effect before, by ordering key, had ended.
    let mut ends: BTreeMap<(&Account, &str), Timestamp> = BTreeMap::new();
    let mut found = Vec::new();
    for row in &recording.effects {
        let first = ended(row, false);
        let due = row.effect.not_before.unwrap_or(row.created_at).max(row.created_at);
        let order = row.effect.ordering_key.as_deref().map(|key| (&row.scope.account, key));
        let began = order.and_then(|order| ends.get(&order)).map_or(due, |end| due.max(*end));
        if let (Some(order), Some((_, ended))) = (order, &first) {
            ends.insert(order, ended.at);
        }
        if row.attempts > 0 && !OF_HOST.contains(&row.effect.kind.as_str()) {
            let seq = first.as_ref().map_or(u64::MAX, |(seq, _)| *seq);
            let (ended, late) = (first.map(|(_, ended)| ended), ended(row, true).map(|(_, ended)| ended));
            found.push((seq, Called { row, ended, late, began }));
        }
    }
    // Calls of one key stay in the order of its generations.
    let mut newest: BTreeMap<(Account, String), u64> = BTreeMap::new();
    for (seq, called) in &mut found {
        let last = newest.entry((called.row.scope.account.clone(), called.row.effect.key.clone())).or_default();
        *last = (*last).max(*seq);
        *seq = *last;
    }
    found.sort_by_key(|(seq, called)| (*seq, called.row.seq));
    found.into_iter().map(|(_, called)| called).collect()
}

impl Called<'_> {
    fn answers(&self, declared: &Declared, shadow: &Scripted) -> Vec<ScriptedAnswer> {
        let row = self.row;
        let is_past_deadline = row.effect.deadline.is_some_and(|deadline| row.due_at >= deadline);
        let (failed, last) = match (&self.ended, row.state) {
            (Some(Ended { report, .. }), _) => match &report.answer {
                // What was tried until the deadline has no last answer.
                Err(failure) if is_deadline(failure) && is_past_deadline => (row.attempts, None),
                Err(failure) if failure.code == SUPERSEDED => (row.attempts - 1, None),
                _ => (row.attempts - 1, Some(self.last(shadow))),
            },
            (None, EffectState::Running) => (row.attempts - 1, Some(ScriptedAnswer::Never)),
            (None, _) => (row.attempts, None),
        };
        let mut list = vec![retryable(RETRIED, None); failed as usize];
        if let Some(first) = list.first_mut() {
            let natural = self.began.saturating_add(self.waits(declared, failed));
            let natural = row.effect.deadline.map_or(natural, |deadline| natural.min(deadline));
            *first = late(row.due_at - natural, first.clone());
        }
        let begun = if failed == 0 { self.began } else { row.due_at };
        list.extend(last.map(|last| match (&self.ended, &self.late) {
            (_, Some(success)) => late(success.at - begun, self.done(&success.report.answer, shadow)),
            (Some(ended), None) if last != ScriptedAnswer::Never => late(ended.at - begun, last),
            _ => last,
        }));
        list
    }

    /// True for a call that gets no answer without a script.
    fn is_silent(&self, shadow: &Scripted) -> bool {
        let call = call(self.row);
        !call.is_resource_call() && matches!(shadow.play(&call), Reply::Silence { lease_ms: None })
    }

    /// How the last call was answered.
    fn last(&self, shadow: &Scripted) -> ScriptedAnswer {
        let Some(Ended { report, .. }) = &self.ended else { return ScriptedAnswer::Never };
        match &report.answer {
            Ok(_) => self.done(&report.answer, shadow),
            Err(failure) if is_deadline(failure) => ScriptedAnswer::Never,
            Err(EffectFailure { class: EffectFailureClass::TimedOut, code, .. }) if code == LOST => {
                ScriptedAnswer::Lost
            }
            Err(EffectFailure { class: EffectFailureClass::Final, code, message }) => {
                ScriptedAnswer::failed(code, message)
            }
            Err(EffectFailure { code, message, .. }) => retryable(code, Some(message)),
        }
    }

    /// A success as little as possible must be said of.
    fn done(&self, answer: &Result<String, EffectFailure>, shadow: &Scripted) -> ScriptedAnswer {
        let Ok(outputs) = answer else { return ScriptedAnswer::Never };
        let outputs: Value = serde_json::from_str(outputs).unwrap_or_default();
        let call = call(self.row);
        let natural = match shadow.call(&call) {
            CallOutcome::Done(natural) if natural == outputs => return ScriptedAnswer::Ok(Value::Null),
            CallOutcome::Done(natural) => natural,
            // Nobody answers such a call without a script, which lays its outputs over these.
            _ => derived_outputs(&call),
        };
        shadow.remember(&call, &outputs);
        let is_made = call.is_resource_call();
        match (natural, outputs) {
            (Value::Object(natural), Value::Object(outputs))
                if !is_made && natural.keys().all(|key| outputs.contains_key(key)) =>
            {
                let own: Map<String, Value> =
                    outputs.into_iter().filter(|(key, value)| natural.get(key) != Some(value)).collect();
                ScriptedAnswer::Ok(if own.is_empty() { Value::Null } else { Value::Object(own) })
            }
            (_, outputs) => ScriptedAnswer::Exactly(outputs),
        }
    }

    /// The waits after so many failed calls, in milliseconds.
    fn waits(&self, declared: &Declared, failed: u32) -> i64 {
        let policy: Option<&RetryPolicy> =
            self.row.effect.retry.as_ref().or_else(|| declared.retry(&self.row.effect.kind));
        let delays = policy.map_or(&DEFAULT_DELAYS_MS[..], |policy| &policy.delays_ms);
        (1..=failed).map(|attempts| retry_delay_ms(delays, attempts).unwrap_or_default().max(1)).sum()
    }
}

fn is_deadline(failure: &EffectFailure) -> bool {
    failure.class == EffectFailureClass::TimedOut && failure.code == DEADLINE
}

fn retryable(code: &str, message: Option<&str>) -> ScriptedAnswer {
    let message = message.unwrap_or("nothing is known of it but that it was tried again").to_owned();
    ScriptedAnswer::Retryable { code: code.to_owned(), message }
}

/// The answer after so many milliseconds.
fn late(after_ms: i64, then: ScriptedAnswer) -> ScriptedAnswer {
    match after_ms {
        ..=0 => then,
        after_ms => ScriptedAnswer::Late { after_ms, then: Box::new(then) },
    }
}

fn call(row: &EffectRow) -> Call {
    Call {
        kind: row.effect.kind.clone(),
        scope: row.scope.name(),
        key: row.effect.key.clone(),
        generation: row.effect.generation,
        attempt: row.attempts,
        payload: serde_json::from_str(&row.effect.payload).unwrap_or_default(),
        deadline: row.effect.deadline,
        lease: row.lease.number,
        ..Call::default()
    }
}
