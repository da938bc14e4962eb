//! Restarts.

use super::events::{T0, lines};
use super::{ask, calls, effect, executor, over, run};
use host_providers::Answer;
use host_store::EffectState;
use serde_json::{Value, json};

#[test]
fn what_was_running_is_repeated_under_the_same_key_and_attempt() {
    let (mut executor, scripted) = executor();
    scripted.script("m", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Never) }, Answer::Ok(Value::Null)]);
    ask(&mut executor, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut executor, T0);
    // The process ends; what it waited for is forgotten.
    let mut executor = over(executor.into_parts().0.into_parts().0, &scripted);
    assert_eq!(run(&mut executor, T0 + 1), [""; 0], "a running effect is not due");
    assert_eq!(lines(&executor.recover(T0 + 1).unwrap()), ["toys/test/user:a/m@1: applied"]);
    assert_eq!(calls(&scripted), ["m#1", "m#1"]);
    assert_eq!(executor.recover(T0 + 2).unwrap(), []);
}

#[test]
fn a_resource_that_is_seen_to_be_gone_is_not_destroyed_again() {
    let (mut executor, scripted) = executor();
    ask(&mut executor, "c0", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut executor, T0);
    scripted.script("db", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Ok(Value::Null)) }]);
    ask(&mut executor, "c1", json!([{"kind": "database.destroy", "key": "db", "generation": 2}]));
    run(&mut executor, T0);
    assert_eq!(effect(&executor, "db")[1].state, EffectState::Running);
    let mut executor = over(executor.into_parts().0.into_parts().0, &scripted);
    assert_eq!(lines(&executor.recover(T0 + 1).unwrap()), ["toys/test/user:a/db@2: applied"]);
    let verbs: Vec<String> = scripted.journal().iter().map(|entry| entry.call.verb().to_owned()).collect();
    assert_eq!(verbs, ["ensure", "destroy", "observe"]);
}

#[test]
fn what_this_process_waits_for_is_left_alone() {
    let (mut executor, scripted) = executor();
    scripted.script("m", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Ok(Value::Null)) }]);
    ask(&mut executor, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut executor, T0);
    assert_eq!(executor.recover(T0 + 1).unwrap(), []);
    assert_eq!(calls(&scripted), ["m#1"]);
}
