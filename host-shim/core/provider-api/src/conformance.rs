//! What every provider of a resource must keep, as one check that its tests call.

use crate::call::{Call, CallOutcome};
use crate::provider::Provider;
use serde_json::{Value, json};
use std::time::Duration;

/// Most looks at one call that is in progress.
const LOOKS_MAX: usize = 600;
/// Longest wait before a look.
const LOOK_AFTER_MAX: Duration = Duration::from_secs(1);

/// A promise that a provider broke.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{promise}: {found:?}")]
pub struct Violation {
    /// What it should have done.
    pub promise: &'static str,
    /// What it answered, in the order of the calls.
    pub found: Vec<CallOutcome>,
}

/// Make a resource, look at it, suspend it and destroy it, each twice.
///
/// `ensure` is the payload of the resource's `ensure`; the provider must not hold the resource yet.
pub fn check(provider: &dyn Provider, resource: &str, ensure: &Value) -> Result<(), Violation> {
    let call = |verb: &str, generation: u32, payload: Value| Call {
        kind: format!("{resource}.{verb}"),
        scope: "conformance/test/user:u".to_owned(),
        key: format!("conformance/{resource}"),
        generation,
        attempt: 1,
        payload,
        lease: 1,
        ..Call::default()
    };
    // Each look is a call of its own, and none an old one that comes again.
    let mut attempt = 0;
    let mut looks = |generation| {
        attempt += 1;
        ask(provider, &Call { attempt, ..call("observe", generation, ensure.clone()) })
    };

    let nothing = looks(1);
    hold(is(&nothing, "exists", &json!(false)), "observe tells that nothing is there yet", [&nothing])?;

    let make = call("ensure", 1, ensure.clone());
    let (first, again) = (ask(provider, &make), ask(provider, &make));
    hold(outputs(&first).is_some() && first == again, "ensure twice gives the same outputs", [&first, &again])?;
    let there = looks(1);
    hold(is(&there, "exists", &json!(true)), "observe tells that it is there", [&there])?;
    let seen = outputs(&there).and_then(|value| value.get("outputs"));
    hold(seen == outputs(&first), "observe tells the outputs of ensure", [&first, &there])?;

    for (generation, state) in [(2, "suspended"), (3, "running")] {
        let change = call("change", generation, json!({"state": state}));
        let (first, again) = (ask(provider, &change), ask(provider, &change));
        hold(outputs(&first).is_some() && first == again, "change twice is change once", [&first, &again])?;
        let seen = looks(generation);
        hold(is(&seen, "state", &json!(state)), "observe tells the state that change asked for", [&seen])?;
    }

    let old = ask(provider, &call("change", 2, json!({"state": "suspended"})));
    let refused = matches!(&old, CallOutcome::Refused { code, .. } if code == "superseded");
    hold(refused, "a generation older than the newest is refused as superseded", [&old])?;

    let remove = call("destroy", 4, json!({}));
    let (first, again) = (ask(provider, &remove), ask(provider, &remove));
    let gone = outputs(&first).is_some() && outputs(&again).is_some();
    hold(gone, "destroy succeeds, also when nothing is left", [&first, &again])?;
    let nothing = looks(4);
    hold(is(&nothing, "exists", &json!(false)), "observe tells that it is gone", [&nothing])
}

/// The answer in the end: what is in progress is looked at until it isn't.
fn ask(provider: &dyn Provider, call: &Call) -> CallOutcome {
    let mut answer = provider.call(call);
    for _ in 0..LOOKS_MAX {
        let CallOutcome::InProgress { after_ms, token } = answer else { break };
        let after = Duration::from_millis(u64::try_from(after_ms).unwrap_or(0));
        std::thread::sleep(after.min(LOOK_AFTER_MAX));
        answer = provider.call(&Call { token: Some(token), ..call.clone() });
    }
    answer
}

fn outputs(answer: &CallOutcome) -> Option<&Value> {
    match answer {
        CallOutcome::Done(value) => Some(value),
        _ => None,
    }
}

fn is(answer: &CallOutcome, member: &str, expected: &Value) -> bool {
    outputs(answer).and_then(|value| value.get(member)) == Some(expected)
}

fn hold<const N: usize>(held: bool, promise: &'static str, found: [&CallOutcome; N]) -> Result<(), Violation> {
    if held { Ok(()) } else { Err(Violation { promise, found: found.into_iter().cloned().collect() }) }
}
