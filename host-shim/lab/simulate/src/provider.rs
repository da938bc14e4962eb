//! A provider that fails by chance: it is busy for a while, its answer is lost, or comes late. What it makes and answers in the
//! end is the scripted provider's; a `stripe.retrieve` is answered with what the customer's own Stripe has.

use crate::done::Done;
use host_provider_api::scripted::Scripted;
use host_provider_api::{Call, CallOutcome, Provider, Reply, Simulation};
use host_replay::shuffle::Random;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of a thousand first and second attempts so many are refused for now; the third one is not, since mails have three.
const REFUSED: usize = 40;
/// So many are carried out, and nobody hears of it.
const LOST: usize = 20;
/// So many are answered later.
const LATE: usize = 20;
/// The longest that an answer takes, in minutes.
const LATE_MINUTES: usize = 120;
/// Attempts that may fail.
const ATTEMPTS: u32 = 2;
/// Milliseconds until a `stripe.retrieve` is asked for again: by then its answer is there.
pub(crate) const LOOK_MS: i64 = 60_000;
/// Kinds that don't fail: the customers of the simulation use at once what comes of them.
const SURE: [&str; 3] = ["probe.watch", "secret.ensure", "stripe.checkout.create"];

/// Which effect: scope, key, generation.
type Effect = (String, String, u32);

/// The provider. A clone is a second handle on the same one.
#[derive(Clone)]
pub(crate) struct Moody(Arc<Mutex<State>>);

struct State {
    scripted: Scripted,
    seed: u64,
    /// Nothing fails.
    is_calm: bool,
    faults: u64,
    /// What waits for its answer, in the order in which it was asked for.
    asked: Vec<Call>,
    answers: BTreeMap<Effect, Value>,
    done: BTreeMap<String, Done>,
    noted: BTreeSet<Effect>,
    /// The account whose answers are kept, as a scope's name, and those answers: key, and how a scenario writes it.
    log: Option<(String, Vec<(String, Value)>)>,
}

impl Moody {
    /// One that does nothing wrong until [`Moody::wake`]; it keeps the answers of a scope if one is named.
    pub(crate) fn new(seed: u64, log: Option<String>) -> Self {
        Moody(Arc::new(Mutex::new(State {
            scripted: Scripted::new(),
            seed,
            is_calm: true,
            faults: 0,
            asked: Vec::new(),
            answers: BTreeMap::new(),
            done: BTreeMap::new(),
            noted: BTreeSet::new(),
            log: log.map(|scope| (scope, Vec::new())),
        })))
    }

    /// From now on it fails by chance.
    pub(crate) fn wake(&self) {
        self.state().is_calm = false;
    }

    /// How often it failed.
    pub(crate) fn faults(&self) -> u64 {
        self.state().faults
    }

    /// What it did for a scope.
    pub(crate) fn done(&self, scope: &str) -> Done {
        self.state().done.get(scope).cloned().unwrap_or_default()
    }

    /// Takes what is asked of Stripe and has no answer yet.
    pub(crate) fn take_asked(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().asked)
    }

    /// The answer to what was asked of Stripe; null if there is no such object.
    pub(crate) fn answer(&self, call: &Call, answer: Value) {
        self.state().answers.insert(effect(call), answer);
    }

    /// The answers that were kept, by key.
    pub(crate) fn log(&self) -> BTreeMap<String, Vec<Value>> {
        let state = self.state();
        let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (key, answer) in state.log.iter().flat_map(|(_, log)| log) {
            out.entry(key.clone()).or_default().push(answer.clone());
        }
        out
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of another thread ends the simulation; what is left is plain data.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn effect(call: &Call) -> Effect {
    (call.scope.clone(), call.key.clone(), call.generation)
}

impl State {
    fn keep(&mut self, call: &Call, answer: impl FnOnce() -> Value) {
        if let Some((_, log)) = self.log.as_mut().filter(|(scope, _)| *scope == call.scope) {
            log.push((call.key.clone(), answer()));
        }
    }

    fn retrieve(&mut self, call: &Call) -> Reply {
        let reply = match self.answers.get(&effect(call)) {
            Some(Value::Null) => CallOutcome::refused("resource_missing", "no such object"),
            Some(found) => CallOutcome::Done(found.clone()),
            None => {
                if !self.asked.iter().any(|asked| effect(asked) == effect(call)) {
                    self.asked.push(call.clone());
                }
                return CallOutcome::InProgress { after_ms: LOOK_MS, token: "asked".to_owned() }.into();
            }
        };
        self.keep(call, || match &reply {
            CallOutcome::Done(found) => json!({"ok": found}),
            _ => json!({"final": "resource_missing"}),
        });
        reply.into()
    }

    /// What goes wrong with an attempt, which is the same whenever it is made.
    fn mishap(&self, call: &Call) -> Option<Mishap> {
        let is_sure = self.is_calm || SURE.contains(&call.kind.as_str()) || call.attempt > ATTEMPTS;
        if is_sure || call.token.is_some() {
            return None;
        }
        let of = format!("{} {} {} {}", call.scope, call.key, call.generation, call.attempt);
        let hash = of.bytes().fold(self.seed ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let mut random = Random::new(hash);
        match random.below(1_000) {
            roll if roll < REFUSED => Some(Mishap::Refused),
            roll if roll < REFUSED + LOST => Some(Mishap::Lost),
            roll if roll < REFUSED + LOST + LATE => {
                Some(Mishap::Late { minutes: 1 + random.below(LATE_MINUTES) as i64 })
            }
            _ => None,
        }
    }

    fn carry_out(&mut self, call: &Call) -> Reply {
        let call = Call { token: None, ..call.clone() };
        let reply = self.scripted.play(&call);
        if matches!(reply, Reply::Answer(CallOutcome::Done(_))) && self.noted.insert(effect(&call)) {
            self.done.entry(call.scope.clone()).or_default().note(&call);
        }
        reply
    }

    fn play(&mut self, call: &Call) -> Reply {
        if call.kind == "stripe.retrieve" {
            return self.retrieve(call);
        }
        let mishap = self.mishap(call);
        self.faults += u64::from(mishap.is_some());
        match mishap {
            None => {
                let reply = self.carry_out(call);
                if call.token.is_none() && matches!(reply, Reply::Answer(CallOutcome::Done(_))) {
                    self.keep(call, || json!("ok"));
                }
                reply
            }
            Some(Mishap::Refused) => {
                self.keep(call, || json!("retryable throttled"));
                CallOutcome::Retry { after_ms: None, code: "throttled".to_owned(), message: "too busy".to_owned() }
                    .into()
            }
            Some(Mishap::Lost) => {
                self.keep(call, || json!("lost"));
                self.carry_out(call);
                Reply::Silence { lease_ms: Some(0) }
            }
            Some(Mishap::Late { minutes }) => {
                self.keep(call, || json!(format!("late {minutes}m")));
                CallOutcome::InProgress { after_ms: minutes * 60_000, token: "late".to_owned() }.into()
            }
        }
    }
}

enum Mishap {
    Refused,
    Lost,
    Late { minutes: i64 },
}

impl Simulation for Moody {
    fn play(&self, call: &Call) -> Reply {
        self.state().play(call)
    }

    fn is_new(&self) -> bool {
        // It outlives every crash of its host and forgets nothing.
        false
    }

    fn remember(&self, _: &Call, _: &Value) {}
}

impl Provider for Moody {
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
