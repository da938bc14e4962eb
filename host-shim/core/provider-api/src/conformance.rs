//! Checks whether a provider of a resource honours the contract. The tests of each provider call [`check`].

use crate::call::{Call, CallOutcome};
use crate::provider::Provider;
use serde_json::{Value, json};
use std::time::Duration;

/// Maximum number of polls of one call that is in progress.
const POLLS_MAX: usize = 600;
/// Longest wait before a poll.
const POLL_AFTER_MAX: Duration = Duration::from_secs(1);

/// A violated promise of the contract.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{promise}: {found:?}")]
pub struct Violation {
    /// The behaviour that the contract requires.
    pub promise: &'static str,
    /// The provider's answers, in the order of the calls.
    pub found: Vec<CallOutcome>,
}

/// Creates, observes, suspends, resumes and destroys a resource. Makes each call that changes the resource twice.
///
/// `ensure` is the payload of the `ensure` call. The resource must not exist yet.
///
/// # Errors
/// Fails with the first promise that the provider breaks.
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
    // Each `observe` has its own attempt number, so that the provider does not take it for a repetition of an earlier
    // call.
    let mut attempt = 0;
    let mut observe = |generation| {
        attempt += 1;
        ask(provider, &Call { attempt, ..call("observe", generation, ensure.clone()) })
    };

    let nothing = observe(1);
    require(is(&nothing, "exists", &json!(false)), "observe reports that the resource does not exist yet", [&nothing])?;

    let make = call("ensure", 1, ensure.clone());
    let (first, again) = (ask(provider, &make), ask(provider, &make));
    require(outputs(&first).is_some() && first == again, "ensure twice gives the same outputs", [&first, &again])?;
    let there = observe(1);
    require(is(&there, "exists", &json!(true)), "observe reports that the resource exists", [&there])?;
    let seen = outputs(&there).and_then(|value| value.get("outputs"));
    require(seen == outputs(&first), "observe reports the outputs of ensure", [&first, &there])?;

    for (generation, state) in [(2, "suspended"), (3, "running")] {
        let change = call("change", generation, json!({"state": state}));
        let (first, again) = (ask(provider, &change), ask(provider, &change));
        require(
            outputs(&first).is_some() && first == again,
            "change twice has the effect of change once",
            [&first, &again],
        )?;
        let seen = observe(generation);
        require(is(&seen, "state", &json!(state)), "observe reports the state that change requested", [&seen])?;
    }

    let old = ask(provider, &call("change", 2, json!({"state": "suspended"})));
    let refused = matches!(&old, CallOutcome::Refused { code, .. } if code == "superseded");
    require(refused, "a generation older than the newest is refused as superseded", [&old])?;

    let remove = call("destroy", 4, json!({}));
    let (first, again) = (ask(provider, &remove), ask(provider, &remove));
    let gone = outputs(&first).is_some() && outputs(&again).is_some();
    require(gone, "destroy succeeds, also if the resource is gone", [&first, &again])?;
    let nothing = observe(4);
    require(is(&nothing, "exists", &json!(false)), "observe reports that the resource is gone", [&nothing])
}

/// Calls the provider and polls it until the call is no longer in progress.
fn ask(provider: &dyn Provider, call: &Call) -> CallOutcome {
    let mut answer = provider.call(call);
    for _ in 0..POLLS_MAX {
        let CallOutcome::InProgress { after_ms, token } = answer else { break };
        let after = Duration::from_millis(u64::try_from(after_ms).unwrap_or(0));
        std::thread::sleep(after.min(POLL_AFTER_MAX));
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

fn require<const N: usize>(held: bool, promise: &'static str, found: [&CallOutcome; N]) -> Result<(), Violation> {
    if held { Ok(()) } else { Err(Violation { promise, found: found.into_iter().cloned().collect() }) }
}
