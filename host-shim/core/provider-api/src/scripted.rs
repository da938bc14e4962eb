//! A simulated provider, with scripted answers and a record of the resources that it has created. Without a script,
//! every call succeeds with outputs derived from its key; only those of `UNANSWERED` get no answer, since their outputs
//! cannot be derived. For the outbox, a `Late` answer is a call in progress that ends at the first poll,
//! `Lost` is a silence whose lease expires at once, and `Never` is one whose lease never expires.

mod inventory;
mod outputs;
mod script;

pub use crate::resource::ResourceId;
pub use inventory::Resource;
pub use outputs::{SIMULATED_SECRET, derived_outputs, outputs_of, short_hash};

use crate::call::{Call, CallOutcome, Reply};
use crate::provider::{Provider, Simulation};
use inventory::Inventory;
use script::Script;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Kinds whose outputs cannot be derived from the call: they get no answer without a script.
const UNANSWERED: [&str; 3] = ["probe.watch", "stripe.invoice.preview", "stripe.retrieve"];

/// The scripted answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptedAnswer {
    /// Done. These outputs override the derived outputs, member by member.
    Ok(Value),
    /// Done, with exactly these outputs, for example a recorded answer.
    Exactly(Value),
    /// Not done; a retry may succeed.
    Retryable {
        /// Code for programs, for example `throttled`.
        code: String,
        /// Text for operators.
        message: String,
    },
    /// Not done; a retry cannot succeed.
    Final {
        /// Code for programs, for example `quota-exceeded`.
        code: String,
        /// Text for operators.
        message: String,
    },
    /// The answer comes later.
    Late {
        /// Milliseconds after the call.
        after_ms: i64,
        /// The answer after that time; not `Late` again.
        then: Box<ScriptedAnswer>,
    },
    /// Done, but the answer is lost.
    Lost,
    /// No answer ever arrives.
    Never,
}

impl ScriptedAnswer {
    /// Returns a failure that a retry cannot fix.
    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        ScriptedAnswer::Final { code: code.to_owned(), message: message.into() }
    }
}

/// A journal entry: one call and its answer. Polls of a late answer have no entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The call.
    pub call: Call,
    /// The answer with its outputs; `Late` if the answer came later.
    pub answer: ScriptedAnswer,
}

/// The scripted provider.
///
/// A scripted [`ScriptedAnswer::Ok`] overrides the derived outputs member by member, so that a scenario writes only the
/// members that matter; `Ok(null)` returns the derived outputs. The provider carries out a call whose answer is a
/// success, even if this answer is lost or late. `observe` reports the existing resource, overridden by its scripted
/// answer. If a host was killed before it stored an answer and repeats the attempt, the attempt gets the same answer. A
/// clone is a second handle on the same provider.
#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<State>>);

/// A saved state of a scripted provider.
#[derive(Clone)]
pub struct Memory(State);

impl Memory {
    /// Returns the number of calls before the state was saved.
    pub fn calls(&self) -> usize {
        self.0.journal.len()
    }
}

/// Scripted answers that a call did not get, because another provider carried it out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PassedOver {
    /// Kind of the effect.
    pub kind: String,
    /// Pattern of the answers.
    pub pattern: String,
}

/// Scope and key of an effect.
type EffectId = (String, String);

/// The answer to the last attempt of an effect.
struct LastAnswer {
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
    /// Late answers, by the token of their call.
    late: BTreeMap<String, ScriptedAnswer>,
    /// Answer to the last attempt of each effect, by scope and key.
    last_answers: Arc<HashMap<EffectId, Arc<LastAnswer>>>,
    /// Generation and outputs of effects that were carried out and whose answer is lost or late, by scope and key.
    unanswered: Arc<HashMap<EffectId, (u32, Value)>>,
    reminded: bool,
    passed_over: Arc<BTreeSet<PassedOver>>,
}

impl Scripted {
    /// Creates a provider without a script and without resources.
    pub fn new() -> Self {
        Scripted::default()
    }

    /// Sets the answers for the effect keys that match `pattern`: an exact key, or a pattern in which `*` stands for
    /// any characters. Each call consumes one answer, and the last answer repeats. Each key has its own position in the
    /// list. An exact key takes precedence over patterns, and an earlier pattern over a later one. A second call with
    /// the same pattern replaces the answers.
    pub fn script(&self, pattern: impl Into<String>, answers: Vec<ScriptedAnswer>) {
        self.state().script.set(pattern.into(), answers);
    }

    /// Injects a fault into one call of an effect key. `call` is the number of the call, from 0. Depending on the
    /// fault, the call is not carried out, or it is carried out as scripted and its answer is lost or late.
    pub fn fault(&self, key: impl Into<String>, call: usize, answer: ScriptedAnswer) {
        self.state().script.fault(key.into(), call, answer);
    }

    /// Returns a copy of the current state, which shares the resources and the journal entries.
    pub fn memory(&self) -> Memory {
        Memory(self.state().clone())
    }

    /// Restores a saved state.
    pub fn go_to(&self, memory: &Memory) {
        *self.state() = memory.0.clone();
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> usize {
        self.state().journal.len()
    }

    /// Returns all existing resources, in order of scope, kind and id.
    pub fn inventory(&self) -> Vec<Resource> {
        self.state().inventory.all()
    }

    /// Returns every call so far, in order.
    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal.iter().map(|entry| (**entry).clone()).collect()
    }

    /// Adds an entry to the journal, for a call answered by another provider.
    pub fn note(&self, call: &Call, answer: ScriptedAnswer) {
        self.state().journal.push(Arc::new(Entry { call: call.clone(), answer }));
    }

    /// Records the scripted answer to a call that another provider carries out. Does not record a success without
    /// outputs, because the other provider's success replaces it. Does not answer the call or create resources.
    pub fn pass_over(&self, call: &Call) {
        // A poll belongs to the call that began.
        if call.token.is_some() {
            return;
        }
        let mut state = self.state();
        let Some(pattern) = state.script.pattern_for(&call.key).map(str::to_owned) else { return };
        if state.script.next(&call.key, true) != Some(ScriptedAnswer::Ok(Value::Null)) {
            let passed_over = PassedOver { kind: call.kind.clone(), pattern };
            Arc::make_mut(&mut state.passed_over).insert(passed_over);
        }
    }

    /// Returns the answers that calls of other providers did not get, sorted.
    pub fn passed_over(&self) -> Vec<PassedOver> {
        self.state().passed_over.iter().cloned().collect()
    }

    /// Returns the patterns that no call has matched; in a scenario such a pattern is a mistake.
    pub fn unused_patterns(&self) -> Vec<String> {
        self.state().script.unused()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is plain data, so it is still readable after a panic in another thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, call: &Call) -> ScriptedAnswer {
        let mut state = self.state();
        // If this process does not know the token, for example after a restart, the call starts again.
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

/// Returns the token of a call's late answer.
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
    /// Like [`Simulation::play`], for a caller that expects an answer; a silence becomes a retry.
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
        let is_same = |it: &&Arc<LastAnswer>| (&it.kind, &it.generation, &it.attempt) == (kind, generation, attempt);
        if let Some(same) = self.last_answers.get(&id).filter(is_same) {
            return same.answer.clone();
        }
        // A later request finds what an earlier one created, as the Stripe provider does by its marks.
        if let Some((_, outputs)) = self.unanswered.get(&id).filter(|(made, _)| *made < call.generation) {
            return ScriptedAnswer::Ok(outputs.clone());
        }
        let answer = self.new_answer(call);
        // After a silence, the host repeats the attempt. The repeated attempt may get a different answer.
        if !matches!(answer, ScriptedAnswer::Lost | ScriptedAnswer::Never) {
            let (kind, generation, attempt) = (kind.clone(), *generation, *attempt);
            let last = LastAnswer { kind, generation, attempt, answer: answer.clone() };
            Arc::make_mut(&mut self.last_answers).insert(id, Arc::new(last));
        }
        answer
    }

    fn new_answer(&mut self, call: &Call) -> ScriptedAnswer {
        if let Some(fault) = self.script.next_fault(&call.key) {
            return self.fail(call, fault);
        }
        match self.script.next(&call.key, true) {
            Some(answer) => self.carry_out(call, answer),
            None if UNANSWERED.contains(&call.kind.as_str()) => ScriptedAnswer::Never,
            None => self.carry_out(call, ScriptedAnswer::Ok(Value::Null)),
        }
    }

    /// Applies a fault to a call. With `Lost`, carries out the call as scripted, and leaves the scripted answer for the
    /// next call. With a `Late` success, carries out the call as scripted, and consumes the scripted answer. Any other
    /// fault is the answer itself, and leaves the scripted answer for the next call.
    fn fail(&mut self, call: &Call, fault: ScriptedAnswer) -> ScriptedAnswer {
        match fault {
            ScriptedAnswer::Lost => {
                let scripted = self.script.next(&call.key, false).unwrap_or(ScriptedAnswer::Ok(Value::Null));
                match self.carry_out(call, scripted) {
                    ScriptedAnswer::Ok(_) => ScriptedAnswer::Lost,
                    other => other,
                }
            }
            ScriptedAnswer::Late { after_ms, then } if matches!(*then, ScriptedAnswer::Ok(_)) => {
                let scripted = self.script.next(&call.key, true).unwrap_or(*then);
                self.carry_out(call, ScriptedAnswer::Late { after_ms, then: Box::new(scripted) })
            }
            other => self.carry_out(call, other),
        }
    }

    /// Remembers the outputs of a call that has created an object of Stripe and whose answer does not arrive now.
    fn remember(&mut self, call: &Call, answer: &ScriptedAnswer) {
        if let ScriptedAnswer::Ok(outputs) = answer
            && call.kind.starts_with("stripe.")
            && call.kind.ends_with(".create")
        {
            let id = (call.scope.clone(), call.key.clone());
            Arc::make_mut(&mut self.unanswered).insert(id, (call.generation, outputs.clone()));
        }
    }

    fn carry_out(&mut self, call: &Call, answer: ScriptedAnswer) -> ScriptedAnswer {
        match answer {
            ScriptedAnswer::Ok(scripted) => self.succeed(call, scripted),
            ScriptedAnswer::Exactly(outputs) => {
                self.inventory().learn(call, &outputs);
                ScriptedAnswer::Ok(outputs)
            }
            ScriptedAnswer::Lost => match self.succeed(call, Value::Null) {
                made @ ScriptedAnswer::Ok(_) => {
                    self.remember(call, &made);
                    ScriptedAnswer::Lost
                }
                failed => failed,
            },
            ScriptedAnswer::Late { after_ms, then } => {
                let then = self.carry_out(call, *then);
                self.remember(call, &then);
                ScriptedAnswer::Late { after_ms, then: Box::new(then) }
            }
            ScriptedAnswer::Retryable { .. } | ScriptedAnswer::Final { .. } | ScriptedAnswer::Never => answer,
        }
    }

    fn succeed(&mut self, call: &Call, scripted: Value) -> ScriptedAnswer {
        if !call.is_resource_call() {
            return ScriptedAnswer::Ok(overlay(derived_outputs(call), scripted));
        }
        match call.verb() {
            "ensure" => ScriptedAnswer::Ok(self.inventory().ensure(call, overlay(derived_outputs(call), scripted))),
            "observe" => ScriptedAnswer::Ok(overlay(self.inventory().observe(call), scripted)),
            "change" => match self.inventory().change(call) {
                Some(outputs) => ScriptedAnswer::Ok(overlay(outputs, scripted)),
                None => ScriptedAnswer::failed("not-found", format!("`{}` names nothing that exists", call.key)),
            },
            _ => {
                self.inventory().destroy(call);
                ScriptedAnswer::Ok(overlay(json!({}), scripted))
            }
        }
    }
}

/// Overrides the members of `base` with the members of `over`. Null changes nothing; any other value that is not an
/// object replaces `base`.
fn overlay(mut base: Value, over: Value) -> Value {
    match (&mut base, over) {
        (_, Value::Null) => base,
        (Value::Object(members), Value::Object(over)) => {
            members.extend(over);
            base
        }
        (_, over) => over,
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
    fn answers_for_calls_of_another_provider_are_passed_over_but_not_a_success_without_outputs() {
        let scripted = Scripted::new();
        scripted.script("inst/*/database", vec![ScriptedAnswer::Ok(Value::Null), ScriptedAnswer::Lost]);
        let (first, second) = (call("database.ensure", 1), call("database.change", 2));
        scripted.pass_over(&first);
        assert_eq!(scripted.passed_over(), []);
        // A poll gets no separate answer.
        scripted.pass_over(&Call { token: Some("1".to_owned()), ..first });
        assert_eq!(scripted.passed_over(), []);
        for _ in 0..2 {
            scripted.pass_over(&second);
            let expected = PassedOver { kind: "database.change".to_owned(), pattern: "inst/*/database".to_owned() };
            assert_eq!(scripted.passed_over(), [expected]);
        }
        scripted.pass_over(&Call { key: "inst/2/bucket".to_owned(), ..call("bucket.ensure", 1) });
        assert_eq!((scripted.passed_over().len(), scripted.calls(), scripted.inventory()), (1, 0, vec![]));
    }

    #[test]
    fn the_scripted_provider_conforms() {
        for resource in ["database", "bucket", "function", "cdn", "domain", "queue"] {
            assert_eq!(conformance::check(&Scripted::new(), resource, &json!({"size": "small"})), Ok(()));
        }
    }

    #[test]
    fn the_scripted_provider_conforms_with_late_answers() {
        let scripted = Scripted::new();
        let late = ScriptedAnswer::Late { after_ms: 1, then: Box::new(ScriptedAnswer::Ok(Value::Null)) };
        scripted.script("*", vec![late]);
        assert_eq!(conformance::check(&scripted, "database", &json!({})), Ok(()));
    }

    #[test]
    fn a_provider_that_creates_a_resource_twice_does_not_conform() {
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
    fn each_poll_returns_the_late_answer_and_adds_no_journal_entry() {
        let scripted = Scripted::new();
        let then = Box::new(ScriptedAnswer::Ok(json!({"name": "n"})));
        scripted.script("*", vec![ScriptedAnswer::Late { after_ms: 50, then }, ScriptedAnswer::Never]);
        let Reply::Answer(CallOutcome::InProgress { after_ms: 50, token }) = scripted.play(&call("database.ensure", 1))
        else {
            panic!("late is in progress");
        };
        let poll = Call { token: Some(token), ..call("database.ensure", 1) };
        for _ in 0..2 {
            let reply = scripted.play(&poll);
            assert!(matches!(&reply, Reply::Answer(CallOutcome::Done(outputs)) if outputs["name"] == "n"), "{reply:?}");
        }
        assert_eq!(scripted.journal().len(), 1);
    }

    #[test]
    fn a_repeated_attempt_gets_the_same_answer_unless_the_answer_was_lost() {
        let scripted = Scripted::new();
        let retry = ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: String::new() };
        scripted.script("*", vec![retry, ScriptedAnswer::Lost, ScriptedAnswer::Ok(json!({"name": "n"}))]);
        let attempt = |attempt| scripted.play(&Call { attempt, ..call("database.ensure", 1) });
        assert!(matches!(attempt(1), Reply::Answer(CallOutcome::Retry { .. })));
        assert_eq!(attempt(1), attempt(1), "the host was killed before it stored the answer");
        assert!(matches!(attempt(2), Reply::Silence { .. }));
        assert!(
            matches!(attempt(2), Reply::Answer(CallOutcome::Done(_))),
            "a lost answer is followed by the next scripted one"
        );
        assert_eq!(attempt(2), attempt(3));
    }

    #[test]
    fn an_exact_answer_has_no_derived_members_and_is_carried_out() {
        let scripted = Scripted::new();
        scripted.script("*", vec![ScriptedAnswer::Exactly(json!({"id": "db-7"})), ScriptedAnswer::Ok(Value::Null)]);
        assert_eq!(scripted.call(&call("database.ensure", 1)), CallOutcome::Done(json!({"id": "db-7"})));
        assert_eq!(
            scripted.call(&call("database.ensure", 1)),
            CallOutcome::Done(json!({"id": "db-7"})),
            "the resource exists"
        );
        assert_eq!(scripted.inventory().len(), 1);
    }

    #[test]
    fn remember_restores_the_resources_of_an_earlier_process() {
        let scripted = Scripted::new();
        assert!(scripted.is_new());
        let outputs = json!({"id": "db-7"});
        scripted.remember(&call("database.ensure", 1), &outputs);
        assert!(!scripted.is_new() && scripted.journal().is_empty());
        let change = Call { payload: json!({"state": "suspended"}), ..call("database.change", 2) };
        assert_eq!(scripted.call(&change), CallOutcome::Done(json!({"id": "db-7", "state": "suspended"})));
        assert_eq!(
            scripted.call(&call("database.ensure", 2)),
            CallOutcome::Done(outputs),
            "the resource is found again"
        );
        scripted.remember(&call("database.destroy", 3), &json!({}));
        assert!(scripted.inventory().is_empty());
        scripted.remember(&call("database.ensure", 1), &json!({}));
        assert!(scripted.inventory().is_empty(), "a late result recreates nothing");
    }
}
