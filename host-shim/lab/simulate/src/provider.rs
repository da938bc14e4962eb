//! A provider that fails at random: it refuses a call for a while, loses the answer, or answers late.
//!
//! The scripted provider determines the results. Requests that move or end payments are carried out at the local Stripe
//! of their account, with the faults of its API. `stripe.retrieve` returns the object of the customer's own Stripe.

use crate::at_stripe::{self, Fault, MONEY};
use crate::done::Done;
use crate::rates::OUT_OF_STOCK;
use crate::sandbox::Stripe;
use host_provider_api::scripted::Scripted;
use host_provider_api::{Call, CallOutcome, Provider, Reply, Simulation};
use host_replay::shuffle::Random;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Refused attempts per thousand first and second attempts. The third attempt succeeds, since it is the last attempt of
/// a mail.
const REFUSED: usize = 40;
/// Attempts per thousand that are carried out with a lost answer.
const LOST: usize = 20;
/// Attempts per thousand that are answered late.
const LATE: usize = 20;
/// Maximum delay of an answer, in minutes.
const LATE_MINUTES: usize = 120;
/// Number of attempts of an effect that can fail.
const ATTEMPTS: u32 = 2;
/// Attempts per thousand at requests that move money, by their fault: refused with 429, failed with 500 before or after
/// they were carried out, and without an answer before or after they were carried out. The host retries them for long.
const MONEY_FAULTS: [(usize, Fault); 5] = [
    (80, Fault::OfRequest { answer: "429", is_done: false }),
    (60, Fault::OfRequest { answer: "500", is_done: false }),
    (60, Fault::OfRequest { answer: "500", is_done: true }),
    (50, Fault::OfRequest { answer: "cut", is_done: false }),
    (50, Fault::OfRequest { answer: "cut", is_done: true }),
];
/// Requests that move money, per thousand, whose result stays unknown: Stripe can't be reached for all their attempts.
/// Half of them are carried out at the first attempt.
const UNKNOWN: usize = 150;
/// Milliseconds after which the host polls a `stripe.retrieve` again. By then, the shard has set the answer.
pub(crate) const LOOK_MS: i64 = 60_000;
/// Kinds of effects that do not fail, because customers use their results at once.
const SURE: [&str; 3] = ["probe.watch", "secret.ensure", "stripe.checkout.create"];

/// Identity of an effect: scope, key, generation.
type Effect = (String, String, u32);

/// The failing provider. Clones share one state.
#[derive(Clone)]
pub(crate) struct FlakyProvider(Arc<Mutex<State>>);

struct State {
    scripted: Scripted,
    seed: u64,
    /// True while no call fails.
    is_calm: bool,
    faults: u64,
    /// Requests that move money, of a later generation than the first.
    unknown: BTreeSet<Effect>,
    /// Calls to Stripe without an answer, in order.
    asked: Vec<Call>,
    /// Local Stripes by scope.
    stripes: BTreeMap<String, Stripe>,
    answers: BTreeMap<Effect, Value>,
    done: BTreeMap<String, Done>,
    noted: BTreeSet<Effect>,
    /// Resources that could not be created: scope and instance.
    refused: Vec<(String, String)>,
    /// The recorded scope, and its answers: key of the effect, and the answer in scenario syntax.
    log: Option<(String, Vec<(String, Value)>)>,
}

impl FlakyProvider {
    /// Creates a provider that does not fail until [`FlakyProvider::wake`]. Records the answers for the scope `log`.
    pub(crate) fn new(seed: u64, log: Option<String>) -> Self {
        FlakyProvider(Arc::new(Mutex::new(State {
            scripted: Scripted::new(),
            seed,
            is_calm: true,
            faults: 0,
            unknown: BTreeSet::new(),
            asked: Vec::new(),
            stripes: BTreeMap::new(),
            answers: BTreeMap::new(),
            done: BTreeMap::new(),
            noted: BTreeSet::new(),
            refused: Vec::new(),
            log: log.map(|scope| (scope, Vec::new())),
        })))
    }

    /// Starts failing at random.
    pub(crate) fn wake(&self) {
        self.state().is_calm = false;
    }

    /// Stops failing.
    pub(crate) fn calm(&self) {
        self.state().is_calm = true;
    }

    /// Carries out the requests of a scope at this local Stripe.
    pub(crate) fn connect(&self, scope: String, stripe: Stripe) {
        self.state().stripes.insert(scope, stripe);
    }

    /// Number of failures.
    pub(crate) fn faults(&self) -> u64 {
        self.state().faults
    }

    /// Number of requests that move money and were made again since their result was unknown.
    pub(crate) fn unknown(&self) -> u64 {
        self.state().unknown.len() as u64
    }

    /// Effects carried out for a scope.
    pub(crate) fn done(&self, scope: &str) -> Done {
        self.state().done.get(scope).cloned().unwrap_or_default()
    }

    /// Takes the resources that could not be created since the last call: scope and id of the instance.
    pub(crate) fn take_refused(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().refused)
    }

    /// Takes the calls to Stripe without an answer.
    pub(crate) fn take_asked(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().asked)
    }

    /// Sets the answer to a call to Stripe; null if the object does not exist.
    pub(crate) fn answer(&self, call: &Call, answer: Value) {
        self.state().answers.insert(effect(call), answer);
    }

    /// The recorded answers by key.
    pub(crate) fn log(&self) -> BTreeMap<String, Vec<Value>> {
        let state = self.state();
        let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (key, answer) in state.log.iter().flat_map(|(_, log)| log) {
            out.entry(key.clone()).or_default().push(answer.clone());
        }
        out
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of another thread ends the simulation anyway.
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

    /// The failure of an attempt. Each repetition of the attempt has the same failure.
    fn mishap(&self, call: &Call) -> Option<Mishap> {
        let is_sure = self.is_calm || SURE.contains(&call.kind.as_str()) || call.attempt > ATTEMPTS;
        if is_sure || call.token.is_some() {
            return None;
        }
        let mut random = self.random(&format!("{} {} {} {}", call.scope, call.key, call.generation, call.attempt));
        match random.below(1_000) {
            roll if roll < REFUSED => Some(Mishap::Refused),
            roll if roll < REFUSED + LOST => Some(Mishap::Lost),
            roll if roll < REFUSED + LOST + LATE => {
                Some(Mishap::Late { minutes: 1 + random.below(LATE_MINUTES) as i64 })
            }
            _ => None,
        }
    }

    /// True if a resource of an instance can't be created by this request, whatever the attempt.
    fn is_out_of_stock(&self, call: &Call) -> bool {
        let is_resource = call.kind.ends_with(".ensure") && !SURE.contains(&call.kind.as_str());
        let of = || self.random(&format!("stock {} {} {}", call.scope, call.key, call.generation)).below(1_000);
        !self.is_calm && is_resource && call.key.contains('/') && of() < OUT_OF_STOCK
    }

    /// Random numbers that depend only on the seed and a text.
    fn random(&self, of: &str) -> Random {
        let hash = of.bytes().fold(self.seed ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Random::new(hash)
    }

    /// The fault of an attempt at a request that moves money. Each repetition of the attempt has the same fault.
    fn money_fault(&self, call: &Call) -> Option<Fault> {
        let request = format!("{} {} {}", call.scope, call.key, call.generation);
        if self.is_calm || !MONEY.contains(&call.kind.as_str()) {
            return None;
        }
        let mut of_request = self.random(&request);
        if of_request.below(1_000) < UNKNOWN {
            let is_done = call.attempt == 1 && of_request.below(2) == 0;
            return Some(if is_done { Fault::OfRequest { answer: "cut", is_done } } else { Fault::Unreachable });
        }
        let mut roll = self.random(&format!("{request} {}", call.attempt)).below(1_000);
        for (rate, fault) in MONEY_FAULTS {
            if roll < rate {
                return Some(fault);
            }
            roll -= rate;
        }
        None
    }

    /// Carries out a call at the local Stripe of its account.
    fn ask_stripe(&mut self, call: &Call, stripe: &Stripe) -> Reply {
        let fault = self.money_fault(call);
        self.faults += u64::from(fault.is_some());
        if call.generation > 1 {
            self.unknown.insert(effect(call));
        }
        let outcome = at_stripe::carry_out(stripe, call, fault);
        self.keep(call, || match &outcome {
            CallOutcome::Done(outputs) => json!({"ok": outputs}),
            CallOutcome::Refused { code, .. } => json!(format!("final {code}")),
            CallOutcome::Retry { code, .. } => json!(format!("retryable {code}")),
            CallOutcome::InProgress { .. } => Value::Null,
        });
        if matches!(outcome, CallOutcome::Done(_)) && self.noted.insert(effect(call)) {
            self.done.entry(call.scope.clone()).or_default().note(call);
        }
        outcome.into()
    }

    fn carry_out(&mut self, call: &Call) -> Reply {
        let call = Call { token: None, ..call.clone() };
        let reply = self.scripted.play(&call);
        // A later request for the same invoice finds the invoice that an earlier request made.
        let generation = if call.kind == "stripe.invoice.create" { 1 } else { call.generation };
        let noted = (call.scope.clone(), call.key.clone(), generation);
        if matches!(reply, Reply::Answer(CallOutcome::Done(_))) && self.noted.insert(noted) {
            self.done.entry(call.scope.clone()).or_default().note(&call);
        }
        reply
    }

    fn play(&mut self, call: &Call) -> Reply {
        if call.kind == "stripe.retrieve" {
            return self.retrieve(call);
        }
        if let Some(stripe) = self.stripes.get(&call.scope).filter(|_| at_stripe::is_for_stripe(call)).cloned() {
            return self.ask_stripe(call, &stripe);
        }
        if self.is_out_of_stock(call) {
            self.faults += 1;
            let instance = call.key.split('/').next().unwrap_or_default().to_owned();
            self.refused.push((call.scope.clone(), instance));
            self.keep(call, || json!("final no-capacity"));
            return CallOutcome::refused("no-capacity", "out of stock").into();
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

impl Simulation for FlakyProvider {
    fn play(&self, call: &Call) -> Reply {
        self.state().play(call)
    }

    fn is_new(&self) -> bool {
        // The provider keeps its state when its host crashes.
        false
    }

    fn remember(&self, _: &Call, _: &Value) {}
}

impl Provider for FlakyProvider {
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
