//! A provider whose answers a scenario writes down, and that remembers what it made.
//!
//! Without a script everything succeeds, with outputs that derive from the effect's key. Two kinds get no answer:
//! `stripe.retrieve`, since nothing can be made up for it, and `probe.watch`, since no health changes by itself. A clone
//! is a second handle on the same provider, for a test to look at.

mod inventory;
mod outputs;
mod script;

pub use inventory::{Resource, ResourceId};
pub use outputs::{derived_outputs, short_hash};

use crate::call::{Answer, Call};
use crate::provider::Provider;
use inventory::Inventory;
use script::Script;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One call and what was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The call.
    pub call: Call,
    /// The answer; `Late` as it was scripted.
    pub answer: Answer,
}

/// The scripted provider.
///
/// An `Answer::Ok` of the script is laid over the derived outputs, member by member, so that a scenario writes only
/// what matters to it; `Ok(null)` is plain success. What succeeds, is lost or comes late with success was done.
/// `observe` tells what exists and uses no answer up, so that a look after a crash changes no story.
#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    script: Script,
    inventory: Inventory,
    journal: Vec<Entry>,
}

impl Scripted {
    /// Everything succeeds, nothing exists.
    pub fn new() -> Self {
        Scripted::default()
    }

    /// Answer calls for effect keys that fit `pattern` (an exact key, or with `*` for any characters) with these
    /// answers, one a call and the last one again and again; each key goes through the list by itself. An exact key
    /// wins over patterns, an earlier pattern over a later one. The same pattern again replaces its list.
    pub fn script(&self, pattern: impl Into<String>, answers: Vec<Answer>) {
        self.state().script.set(pattern.into(), answers);
    }

    /// What exists, in order of scope, kind and id.
    pub fn inventory(&self) -> Vec<Resource> {
        self.state().inventory.all()
    }

    /// Every call so far, in order.
    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal.clone()
    }

    /// Patterns of the script that no call has used; a scenario that has one says something that never happens.
    pub fn unused_patterns(&self) -> Vec<String> {
        self.state().script.unused()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another test thread leaves plain data behind, which is still good to look at.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, call: &Call) -> Answer {
        let mut state = self.state();
        let answer = state.answer(call);
        state.journal.push(Entry { call: call.clone(), answer: answer.clone() });
        answer
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        if call.is_resource_call() && call.verb() == "observe" {
            return Answer::Ok(self.inventory.observe(call));
        }
        if call.is_resource_call() && !self.inventory.admit(call) {
            return Answer::failed("superseded", format!("`{}` has a newer generation", call.key));
        }
        match self.script.next(&call.key) {
            Some(answer) => self.carry_out(call, answer),
            None if matches!(call.kind.as_str(), "stripe.retrieve" | "probe.watch") => Answer::Never,
            None => self.carry_out(call, Answer::Ok(Value::Null)),
        }
    }

    fn carry_out(&mut self, call: &Call, answer: Answer) -> Answer {
        match answer {
            Answer::Ok(said) => self.succeed(call, said),
            Answer::Lost => match self.succeed(call, Value::Null) {
                Answer::Ok(_) => Answer::Lost,
                failed => failed,
            },
            Answer::Late { after_ms, then } => Answer::Late { after_ms, then: Box::new(self.carry_out(call, *then)) },
            Answer::Retryable { .. } | Answer::Final { .. } | Answer::Never => answer,
        }
    }

    fn succeed(&mut self, call: &Call, said: Value) -> Answer {
        if !call.is_resource_call() {
            return Answer::Ok(overlay(derived_outputs(call), said));
        }
        match call.verb() {
            "ensure" => Answer::Ok(self.inventory.ensure(call, overlay(derived_outputs(call), said))),
            "change" => match self.inventory.change(call) {
                Some(outputs) => Answer::Ok(overlay(outputs, said)),
                None => Answer::failed("not-found", format!("`{}` names nothing that exists", call.key)),
            },
            _ => {
                self.inventory.destroy(call);
                Answer::Ok(overlay(json!({}), said))
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

impl Provider for Scripted {
    fn observe(&mut self, call: &Call) -> Answer {
        self.answer(call)
    }
    fn ensure(&mut self, call: &Call) -> Answer {
        self.answer(call)
    }
    fn change(&mut self, call: &Call) -> Answer {
        self.answer(call)
    }
    fn destroy(&mut self, call: &Call) -> Answer {
        self.answer(call)
    }
    fn perform(&mut self, call: &Call) -> Answer {
        self.answer(call)
    }
}
