//! A provider whose answers a scenario writes down, and that remembers what it made.
//!
//! Without a script everything succeeds, with outputs that derive from the effect's key. Two kinds get no answer:
//! `stripe.retrieve`, since nothing can be made up for it, and `probe.watch`, since no health changes by itself. A clone
//! is a second handle on the same provider, for a test to look at.
//!
//! What only a simulation says stands in [`ScriptedAnswer`]. Towards the outbox `Late` is a call in progress with one
//! look, `Lost` a silence whose lease runs out at once, `Never` one whose lease never does.

mod inventory;
mod outputs;
mod script;

pub use crate::resource::ResourceId;
pub use inventory::Resource;
pub use outputs::{derived_outputs, short_hash};

use crate::call::{Call, CallOutcome, Reply};
use crate::provider::{Provider, Simulation};
use inventory::Inventory;
use script::Script;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a script has a call answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptedAnswer {
    /// Done; the outputs are laid over the derived ones.
    Ok(Value),
    /// Done, with these outputs and no others: what a provider answered once.
    Exactly(Value),
    /// Not done, and trying again may help.
    Retryable {
        /// For programs, for example `throttled`.
        code: String,
        /// For operators.
        message: String,
    },
    /// Not done, and trying again cannot help.
    Final {
        /// For programs, for example `quota-exceeded`.
        code: String,
        /// For operators.
        message: String,
    },
    /// The answer comes later.
    Late {
        /// Milliseconds after the call.
        after_ms: i64,
        /// What comes then; not `Late` again.
        then: Box<ScriptedAnswer>,
    },
    /// Done, but the answer was lost on its way.
    Lost,
    /// Nothing will ever come: nobody is there who could answer.
    Never,
}

impl ScriptedAnswer {
    /// A failure that trying again cannot help.
    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        ScriptedAnswer::Final { code: code.to_owned(), message: message.into() }
    }
}

/// One call that began, and what was answered. Looks at a late answer are none.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The call.
    pub call: Call,
    /// The answer with its outputs; `Late` as it was scripted.
    pub answer: ScriptedAnswer,
}

/// The scripted provider.
///
/// A [`ScriptedAnswer::Ok`] of the script is laid over the derived outputs, member by member, so that a scenario writes
/// only what matters to it; `Ok(null)` is plain success, [`ScriptedAnswer::Exactly`] the answer itself. What succeeds, is lost or comes late with success was done.
/// `observe` tells what exists and uses no answer up. An attempt that comes again, from a host that was killed before it had kept
/// the answer, is answered as before.
#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<State>>);

/// What a scripted provider knew at a point of its run.
#[derive(Clone)]
pub struct Memory(State);

impl Memory {
    /// Number of calls by then.
    pub fn calls(&self) -> usize {
        self.0.journal.len()
    }
}

/// Scope and key of an effect.
type EffectId = (String, String);

/// What an attempt was answered.
struct Answered {
    kind: String,
    generation: u32,
    attempt: u32,
    answer: ScriptedAnswer,
}

#[derive(Clone, Default)]
struct State {
    script: Script,
    inventory: Arc<Inventory>,
    journal: Vec<Arc<Entry>>,
    /// Answers that are still to come, by the token of their call.
    late: BTreeMap<String, ScriptedAnswer>,
    /// What the last attempt of each effect was answered, by scope and key.
    answered: Arc<HashMap<EffectId, Arc<Answered>>>,
    reminded: bool,
}

impl Scripted {
    /// Everything succeeds, nothing exists.
    pub fn new() -> Self {
        Scripted::default()
    }

    /// CallOutcome calls for effect keys that fit `pattern` (an exact key, or with `*` for any characters) with these
    /// answers, one a call and the last one again and again; each key goes through the list by itself. An exact key
    /// wins over patterns, an earlier pattern over a later one. The same pattern again replaces its list.
    pub fn script(&self, pattern: impl Into<String>, answers: Vec<ScriptedAnswer>) {
        self.state().script.set(pattern.into(), answers);
    }

    /// Let the call of this number, from 0, for one effect key go wrong: it is not done, or done as the script says and its
    /// answer is lost or late.
    pub fn fault(&self, key: impl Into<String>, call: usize, answer: ScriptedAnswer) {
        self.state().script.fault(key.into(), call, answer);
    }

    /// What it knows now, at the cost of a few pointers.
    pub fn memory(&self) -> Memory {
        Memory(self.state().clone())
    }

    /// Know what was known then, and nothing else.
    pub fn go_to(&self, memory: &Memory) {
        *self.state() = memory.0.clone();
    }

    /// Number of calls so far.
    pub fn calls(&self) -> usize {
        self.state().journal.len()
    }

    /// What exists, in order of scope, kind and id.
    pub fn inventory(&self) -> Vec<Resource> {
        self.state().inventory.all()
    }

    /// Every call so far, in order.
    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal.iter().map(|entry| (**entry).clone()).collect()
    }

    /// Patterns of the script that no call has used; a scenario that has one says something that never happens.
    pub fn unused_patterns(&self) -> Vec<String> {
        self.state().script.unused()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another test thread leaves plain data behind, which is still good to look at.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, call: &Call) -> ScriptedAnswer {
        let mut state = self.state();
        // Without the answer, as in a process that knows nothing of it, the call begins anew.
        if let Some(answer) = call.token.as_ref().and_then(|token| state.late.get(token)) {
            return answer.clone();
        }
        let answer = state.answer(call);
        if let ScriptedAnswer::Late { then, .. } = &answer {
            state.late.insert(token(call), (**then).clone());
        }
        state.journal.push(Arc::new(Entry { call: call.clone(), answer: answer.clone() }));
        answer
    }
}

/// Where the late answer of a call is found again.
fn token(call: &Call) -> String {
    format!("late:{}/{}@{}#{}", call.scope, call.key, call.generation, call.attempt)
}

impl Simulation for Scripted {
    fn play(&self, call: &Call) -> Reply {
        let answer = match self.answer(call) {
            ScriptedAnswer::Ok(outputs) | ScriptedAnswer::Exactly(outputs) => CallOutcome::Done(outputs),
            ScriptedAnswer::Retryable { code, message } => CallOutcome::Retry { after_ms: None, code, message },
            ScriptedAnswer::Final { code, message } => CallOutcome::Refused { code, message },
            ScriptedAnswer::Late { after_ms, .. } => CallOutcome::InProgress { after_ms, token: token(call) },
            ScriptedAnswer::Lost => return Reply::Silence { lease_ms: Some(0) },
            ScriptedAnswer::Never => return Reply::Silence { lease_ms: None },
        };
        answer.into()
    }

    fn is_new(&self) -> bool {
        let state = self.state();
        state.journal.is_empty() && !state.reminded
    }

    fn remember(&self, call: &Call, outputs: &Value) {
        let mut state = self.state();
        state.reminded = true;
        if call.is_resource_call() && state.inventory().admit(call) {
            state.inventory().learn(call, outputs);
        }
    }
}

impl Provider for Scripted {
    /// As [`Simulation::play`], for a caller that expects an answer; silence is a failure that may pass.
    fn call(&self, call: &Call) -> CallOutcome {
        match self.play(call) {
            Reply::Answer(answer) => answer,
            Reply::Silence { .. } => {
                CallOutcome::Retry { after_ms: None, code: "silence".to_owned(), message: "no answer came".to_owned() }
            }
        }
    }

    fn simulation(&self) -> Option<&dyn Simulation> {
        Some(self)
    }
}

impl State {
    fn inventory(&mut self) -> &mut Inventory {
        Arc::make_mut(&mut self.inventory)
    }

    fn answer(&mut self, call: &Call) -> ScriptedAnswer {
        if call.is_resource_call() && !self.inventory().admit(call) {
            return ScriptedAnswer::failed("superseded", format!("`{}` has a newer generation", call.key));
        }
        let id = (call.scope.clone(), call.key.clone());
        let Call { kind, generation, attempt, .. } = call;
        let is_same = |it: &&Arc<Answered>| (&it.kind, &it.generation, &it.attempt) == (kind, generation, attempt);
        if let Some(same) = self.answered.get(&id).filter(is_same) {
            return same.answer.clone();
        }
        let answer = self.new_answer(call);
        // Who heard nothing asks again under the same attempt, and may be told more.
        if !matches!(answer, ScriptedAnswer::Lost | ScriptedAnswer::Never) {
            let (kind, generation, attempt) = (kind.clone(), *generation, *attempt);
            let answered = Answered { kind, generation, attempt, answer: answer.clone() };
            Arc::make_mut(&mut self.answered).insert(id, Arc::new(answered));
        }
        answer
    }

    fn new_answer(&mut self, call: &Call) -> ScriptedAnswer {
        if let Some(fault) = self.script.next_fault(&call.key) {
            return self.fail(call, fault);
        }
        match self.script.next(&call.key, true) {
            Some(answer) => self.carry_out(call, answer),
            None if matches!(call.kind.as_str(), "stripe.retrieve" | "probe.watch") => ScriptedAnswer::Never,
            None => self.carry_out(call, ScriptedAnswer::Ok(Value::Null)),
        }
    }

    /// What was to be answered is done or not, as the fault says; what was not heard is answered alike the next time.
    fn fail(&mut self, call: &Call, fault: ScriptedAnswer) -> ScriptedAnswer {
        match fault {
            ScriptedAnswer::Lost => {
                let said = self.script.next(&call.key, false).unwrap_or(ScriptedAnswer::Ok(Value::Null));
                match self.carry_out(call, said) {
                    ScriptedAnswer::Ok(_) => ScriptedAnswer::Lost,
                    other => other,
                }
            }
            ScriptedAnswer::Late { after_ms, then } if matches!(*then, ScriptedAnswer::Ok(_)) => {
                let said = self.script.next(&call.key, true).unwrap_or(*then);
                self.carry_out(call, ScriptedAnswer::Late { after_ms, then: Box::new(said) })
            }
            other => self.carry_out(call, other),
        }
    }

    fn carry_out(&mut self, call: &Call, answer: ScriptedAnswer) -> ScriptedAnswer {
        match answer {
            ScriptedAnswer::Ok(said) => self.succeed(call, said),
            ScriptedAnswer::Exactly(outputs) => {
                self.inventory().learn(call, &outputs);
                ScriptedAnswer::Ok(outputs)
            }
            ScriptedAnswer::Lost => match self.succeed(call, Value::Null) {
                ScriptedAnswer::Ok(_) => ScriptedAnswer::Lost,
                failed => failed,
            },
            ScriptedAnswer::Late { after_ms, then } => {
                ScriptedAnswer::Late { after_ms, then: Box::new(self.carry_out(call, *then)) }
            }
            ScriptedAnswer::Retryable { .. } | ScriptedAnswer::Final { .. } | ScriptedAnswer::Never => answer,
        }
    }

    fn succeed(&mut self, call: &Call, said: Value) -> ScriptedAnswer {
        if !call.is_resource_call() {
            return ScriptedAnswer::Ok(overlay(derived_outputs(call), said));
        }
        match call.verb() {
            "ensure" => ScriptedAnswer::Ok(self.inventory().ensure(call, overlay(derived_outputs(call), said))),
            "observe" => ScriptedAnswer::Ok(overlay(self.inventory().observe(call), said)),
            "change" => match self.inventory().change(call) {
                Some(outputs) => ScriptedAnswer::Ok(overlay(outputs, said)),
                None => ScriptedAnswer::failed("not-found", format!("`{}` names nothing that exists", call.key)),
            },
            _ => {
                self.inventory().destroy(call);
                ScriptedAnswer::Ok(overlay(json!({}), said))
            }
        }
    }
}

/// `said` over `base`, member by member; something else than an object replaces it.
fn overlay(mut base: Value, said: Value) -> Value {
    match (&mut base, said) {
        (_, Value::Null) => base,
        (Value::Object(members), Value::Object(over)) => {
            members.extend(over);
            base
        }
        (_, said) => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    fn call(kind: &str, generation: u32) -> Call {
        let (kind, scope, key) = (kind.to_owned(), "b/test/user:u".to_owned(), "inst/1/database".to_owned());
        Call { kind, scope, key, generation, attempt: 1, payload: json!({}), lease: 1, ..Call::default() }
    }

    #[test]
    fn it_keeps_what_every_provider_must() {
        for resource in ["database", "bucket", "function", "cdn", "domain", "queue"] {
            assert_eq!(conformance::check(&Scripted::new(), resource, &json!({"size": "small"})), Ok(()));
        }
    }

    #[test]
    fn it_keeps_that_also_when_every_answer_is_late() {
        let scripted = Scripted::new();
        let late = ScriptedAnswer::Late { after_ms: 1, then: Box::new(ScriptedAnswer::Ok(Value::Null)) };
        scripted.script("*", vec![late]);
        assert_eq!(conformance::check(&scripted, "database", &json!({})), Ok(()));
    }

    #[test]
    fn a_provider_that_makes_things_twice_does_not_conform() {
        #[derive(Default)]
        struct Careless(std::sync::atomic::AtomicU32);
        impl Provider for Careless {
            fn call(&self, call: &Call) -> CallOutcome {
                use std::sync::atomic::Ordering::Relaxed;
                match call.verb() {
                    "observe" => CallOutcome::Done(json!({"exists": self.0.load(Relaxed) > 0})),
                    "ensure" => CallOutcome::Done(json!({"id": self.0.fetch_add(1, Relaxed)})),
                    _ => CallOutcome::unsupported(call),
                }
            }
        }
        let violation = conformance::check(&Careless::default(), "bucket", &json!({})).expect_err("a violation");
        assert_eq!(violation.promise, "ensure twice gives the same outputs");
    }

    #[test]
    fn a_look_brings_the_late_answer_as_often_as_it_is_made_and_is_no_call() {
        let scripted = Scripted::new();
        let then = Box::new(ScriptedAnswer::Ok(json!({"name": "n"})));
        scripted.script("*", vec![ScriptedAnswer::Late { after_ms: 50, then }, ScriptedAnswer::Never]);
        let Reply::Answer(CallOutcome::InProgress { after_ms: 50, token }) = scripted.play(&call("database.ensure", 1))
        else {
            panic!("late is in progress");
        };
        let look = Call { token: Some(token), ..call("database.ensure", 1) };
        for _ in 0..2 {
            let reply = scripted.play(&look);
            assert!(matches!(&reply, Reply::Answer(CallOutcome::Done(outputs)) if outputs["name"] == "n"), "{reply:?}");
        }
        assert_eq!(scripted.journal().len(), 1);
    }

    #[test]
    fn an_attempt_that_comes_again_is_answered_as_before_unless_nothing_was_heard() {
        let scripted = Scripted::new();
        let retry = ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: String::new() };
        scripted.script("*", vec![retry, ScriptedAnswer::Lost, ScriptedAnswer::Ok(json!({"name": "n"}))]);
        let attempt = |attempt| scripted.play(&Call { attempt, ..call("database.ensure", 1) });
        assert!(matches!(attempt(1), Reply::Answer(CallOutcome::Retry { .. })));
        assert_eq!(attempt(1), attempt(1), "the host was killed before it had kept the answer");
        assert!(matches!(attempt(2), Reply::Silence { .. }));
        assert!(matches!(attempt(2), Reply::Answer(CallOutcome::Done(_))), "it asks again since it heard nothing");
        assert_eq!(attempt(2), attempt(3));
    }

    #[test]
    fn an_exact_answer_has_nothing_of_the_derived_one_and_was_done() {
        let scripted = Scripted::new();
        scripted.script("*", vec![ScriptedAnswer::Exactly(json!({"id": "db-7"})), ScriptedAnswer::Ok(Value::Null)]);
        assert_eq!(scripted.call(&call("database.ensure", 1)), CallOutcome::Done(json!({"id": "db-7"})));
        assert_eq!(scripted.call(&call("database.ensure", 1)), CallOutcome::Done(json!({"id": "db-7"})), "it is there");
        assert_eq!(scripted.inventory().len(), 1);
    }

    #[test]
    fn what_an_earlier_process_did_is_there_once_it_is_remembered() {
        let scripted = Scripted::new();
        assert!(scripted.is_new());
        let outputs = json!({"id": "db-7"});
        scripted.remember(&call("database.ensure", 1), &outputs);
        assert!(!scripted.is_new() && scripted.journal().is_empty());
        let change = Call { payload: json!({"state": "suspended"}), ..call("database.change", 2) };
        assert_eq!(scripted.call(&change), CallOutcome::Done(json!({"id": "db-7", "state": "suspended"})));
        assert_eq!(scripted.call(&call("database.ensure", 2)), CallOutcome::Done(outputs), "it is found again");
        scripted.remember(&call("database.destroy", 3), &json!({}));
        assert!(scripted.inventory().is_empty());
        scripted.remember(&call("database.ensure", 1), &json!({}));
        assert!(scripted.inventory().is_empty(), "a result that comes late makes nothing anew");
    }
}
