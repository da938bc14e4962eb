//! Reconstructs the answers of the providers, call by call, for the `answers` of a scenario.
//!
//! A store keeps the number of an effect's calls, the due time of the last call and the result. Calls before the last
//! one had a retryable failure; the first call gets the delay that makes the last call due at its recorded time.

use crate::record::recording::Recording;
use extension_contract::{Account, EffectFailure, EffectFailureClass, EffectReport, RetryPolicy, Timestamp};
use host_engine::outbox::{DEFAULT_DELAYS_MS, retry_delay_ms};
use host_provider_api::scripted::{Scripted, ScriptedAnswer, derived_outputs};
use host_provider_api::{Call, CallOutcome, Provider as _, Reply, Simulation as _};
use host_scenario::model::Answers;
use host_store::{Declared, EffectRow, EffectState, OF_HOST};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Code of a failed call: the store records only that the host retried it.
const RETRIED: &str = "retried";
/// Codes with which a host ends an effect without an answer.
const DEADLINE: &str = "deadline";
const LOST: &str = "lost-answer";
/// Code with which the scripted provider refuses superseded calls, regardless of its script.
const SUPERSEDED: &str = "superseded";

/// The result of an effect, with its time.
struct EffectEnd<'r> {
    at: Timestamp,
    report: &'r EffectReport,
}

/// An effect that was called.
struct CalledEffect<'r> {
    row: &'r EffectRow,
    ended: Option<EffectEnd<'r>>,
    /// A success that arrived after the end of the effect.
    late: Option<EffectEnd<'r>>,
    /// Time of the first call.
    began: Timestamp,
}

/// Returns the answers by effect key. Leaves out keys whose calls would all get the same answers without a script.
pub(crate) fn answers(recording: &Recording, declared: &Declared) -> Vec<Answers> {
    let shadow = Scripted::new();
    let mut lists: BTreeMap<String, Vec<ScriptedAnswer>> = BTreeMap::new();
    let mut scripted_keys: BTreeSet<String> = BTreeSet::new();
    for called in in_order(recording) {
        let list = called.answers(declared, &shadow);
        let key = &called.row.effect.key;
        let is_silent = called.is_silent(&shadow);
        let by_default = |answer: &ScriptedAnswer| match answer {
            ScriptedAnswer::Ok(Value::Null) => !is_silent,
            answer => is_silent && *answer == ScriptedAnswer::Never,
        };
        if !list.iter().all(by_default) {
            scripted_keys.insert(key.clone());
        }
        lists.entry(key.clone()).or_default().extend(list);
    }
    let scripted_keys = lists.into_iter().filter(|(key, _)| scripted_keys.contains(key));
    scripted_keys.map(|(pattern, list)| Answers { line: 0, pattern, list: shortened(list) }).collect()
}

/// Removes repeated answers at the end: the last answer repeats anyway.
fn shortened(mut list: Vec<ScriptedAnswer>) -> Vec<ScriptedAnswer> {
    while let [.., before, last] = list.as_slice()
        && before == last
    {
        list.pop();
    }
    list
}

/// Returns the called effects in the order of their ends, in which the provider carried them out.
fn in_order(recording: &Recording) -> Vec<CalledEffect<'_>> {
    let results = recording.results();
    let ended = |row: &EffectRow, is_late: bool| {
        let key = (row.scope.account.clone(), row.effect.key.clone(), row.effect.generation, is_late);
        let (recorded, report) = results.get(&key)?;
        Some((recorded.row.seq, EffectEnd { at: recorded.row.event.received_at, report }))
    };
    // The end of the previous effect with the same ordering key.
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
            found.push((seq, CalledEffect { row, ended, late, began }));
        }
    }
    // Calls of one key stay in order of the generations.
    let mut newest: BTreeMap<(Account, String), u64> = BTreeMap::new();
    for (seq, called) in &mut found {
        let last = newest.entry((called.row.scope.account.clone(), called.row.effect.key.clone())).or_default();
        *last = (*last).max(*seq);
        *seq = *last;
    }
    found.sort_by_key(|(seq, called)| (*seq, called.row.seq));
    found.into_iter().map(|(_, called)| called).collect()
}

impl CalledEffect<'_> {
    fn answers(&self, declared: &Declared, shadow: &Scripted) -> Vec<ScriptedAnswer> {
        let row = self.row;
        let is_past_deadline = row.effect.deadline.is_some_and(|deadline| row.due_at >= deadline);
        let (failed, last) = match (&self.ended, row.state) {
            (Some(EffectEnd { report, .. }), _) => match &report.answer {
                // An effect that was retried until its deadline has no last answer.
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
            (_, Some(success)) => late(success.at - begun, self.success(&success.report.answer, shadow)),
            (Some(ended), None) if last != ScriptedAnswer::Never => late(ended.at - begun, last),
            _ => last,
        }));
        list
    }

    /// Returns true for a call that has no answer without a script.
    fn is_silent(&self, shadow: &Scripted) -> bool {
        let call = call(self.row);
        !call.is_resource_call() && matches!(shadow.play(&call), Reply::Silence { lease_ms: None })
    }

    /// Returns the answer to the last call.
    fn last(&self, shadow: &Scripted) -> ScriptedAnswer {
        let Some(EffectEnd { report, .. }) = &self.ended else { return ScriptedAnswer::Never };
        match &report.answer {
            Ok(_) => self.success(&report.answer, shadow),
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

    /// Returns the shortest answer that gives these outputs.
    fn success(&self, answer: &Result<String, EffectFailure>, shadow: &Scripted) -> ScriptedAnswer {
        let Ok(outputs) = answer else { return ScriptedAnswer::Never };
        let outputs: Value = serde_json::from_str(outputs).unwrap_or_default();
        let call = call(self.row);
        let natural = match shadow.call(&call) {
            CallOutcome::Done(natural) if natural == outputs => return ScriptedAnswer::Ok(Value::Null),
            CallOutcome::Done(natural) => natural,
            // Without a script, this call has no answer. The provider merges a script's outputs into the derived
            // outputs.
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

    /// Returns the total delay of this number of failed calls, in milliseconds.
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

/// Delays an answer by this many milliseconds.
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
