//! A test double of a business's own service, which carries out effects: it counts the calls, and can be slow or down.

use crate::supabase::http::{Request, serve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// An effect: scope, key and generation.
type Effect = (String, String, i64);

#[derive(Default)]
struct State {
    delay: Duration,
    is_down: bool,
    /// Number of calls of each effect that were carried out.
    calls: BTreeMap<Effect, usize>,
    /// Calls that were answered with 503.
    refused: usize,
    running: BTreeMap<Effect, usize>,
    /// Effects that were called while another call of them was running.
    overlaps: Vec<Effect>,
}

/// A service on a port of 127.0.0.1. Each call is handled on its own thread.
pub struct EffectService {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl EffectService {
    /// The secret for its signatures. The double does not check them.
    pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// Starts a service that answers at once.
    pub fn start() -> EffectService {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let of_thread = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = of_thread.clone();
                thread::spawn(move || serve(&client, |request| answer(&state, request)));
            }
        });
        EffectService { address, state }
    }

    /// Returns the address of its effects.
    pub fn url(&self) -> String {
        format!("http://{}/effects", self.address)
    }

    /// From now on, answers each call after this delay.
    pub fn slow_down(&self, delay: Duration) {
        lock(&self.state).delay = delay;
    }

    /// Sets whether it answers with 503 from now on.
    pub fn set_down(&self, is_down: bool) {
        lock(&self.state).is_down = is_down;
    }

    /// Returns the number of calls that were answered with 503.
    pub fn refused(&self) -> usize {
        lock(&self.state).refused
    }

    /// Returns the number of effects that were carried out.
    pub fn effects(&self) -> usize {
        lock(&self.state).calls.len()
    }

    /// Returns the effects that were carried out more than once, and those that had two calls at the same time.
    pub fn repeated(&self) -> (Vec<String>, Vec<String>) {
        let state = lock(&self.state);
        let shown = |(scope, key, generation): &Effect| format!("{scope} {key} {generation}");
        let twice = state.calls.iter().filter(|(_, count)| **count > 1).map(|(effect, _)| shown(effect));
        (twice.collect(), state.overlaps.iter().map(shown).collect())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(state: &Mutex<State>, request: &Request) -> (u16, Value) {
    let text = |name: &str| request.body[name].as_str().unwrap_or_default().to_owned();
    let effect = (text("scope"), text("key"), request.body["generation"].as_i64().unwrap_or_default());
    let delay = {
        let mut state = lock(state);
        if state.is_down {
            state.refused += 1;
            return (503, json!({}));
        }
        let running = state.running.entry(effect.clone()).or_default();
        *running += 1;
        if *running > 1 {
            state.overlaps.push(effect.clone());
        }
        state.delay
    };
    thread::sleep(delay);
    let mut state = lock(state);
    *state.running.entry(effect.clone()).or_default() -= 1;
    *state.calls.entry(effect.clone()).or_default() += 1;
    (200, outputs(&text("kind"), &effect))
}

/// Returns the outputs of an effect. They depend on the effect alone, so a repetition has the same result.
fn outputs(kind: &str, (scope, key, generation): &Effect) -> Value {
    let id = format!("{scope}-{key}-{generation}").replace([':', '/'], "-");
    match kind {
        "database.ensure" => json!({"endpoint": format!("{id}.db:5432"), "name": id, "user": id, "id": id}),
        "bucket.ensure" => json!({"id": id, "bucket": id}),
        "function.ensure" => json!({"arn": id, "url": format!("https://{id}.fn.invalid")}),
        _ => json!({"id": id}),
    }
}
