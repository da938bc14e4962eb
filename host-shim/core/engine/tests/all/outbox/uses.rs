//! Tests of what refers to a resource: only what nothing refers to may be destroyed as an orphan.

use super::events::T0;
use super::{advance, ask, outbox, retryable, run};
use host_engine::outbox::{Outbox, use_of};
use host_provider_api::ResourceId;
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::{Value, json};

/// Requests a verb on the database of an instance.
fn request(outbox: &mut Outbox, verb: &str, generation: u32) {
    let key = format!("i/db/{verb}");
    let effects =
        json!([{"kind": format!("database.{verb}"), "key": key, "generation": generation, "ordering_key": "i/db"}]);
    ask(outbox, &format!("{verb}{generation}"), effects);
}

fn used_by(outbox: &Outbox, id: &str) -> Option<String> {
    let id = ResourceId { scope: "toys/test/user:a".into(), resource: "database".into(), id: id.into() };
    use_of(outbox.processor().store(), &id).unwrap().map(|used| used.to_string())
}

#[test]
fn a_resource_is_in_use_from_its_first_request_until_it_is_destroyed() {
    let (mut outbox, scripted) = outbox();
    scripted.script(
        "i/db/destroy",
        vec![ScriptedAnswer::Late { after_ms: 50, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }],
    );
    assert_eq!(used_by(&outbox, "i/db"), None);
    request(&mut outbox, "ensure", 1);
    assert_eq!(used_by(&outbox, "i/db").as_deref(), Some("i/db/ensure, generation 1, queued"));
    run(&mut outbox, T0);
    request(&mut outbox, "change", 2);
    run(&mut outbox, T0);
    assert_eq!(used_by(&outbox, "i/db").as_deref(), Some("i/db/change, generation 2, finished"));
    assert_eq!(used_by(&outbox, "i/d"), None, "another resource");
    request(&mut outbox, "destroy", 3);
    run(&mut outbox, T0);
    assert_eq!(used_by(&outbox, "i/db").as_deref(), Some("i/db/destroy, generation 3, running"));
    advance(&mut outbox, T0 + 50);
    assert_eq!(used_by(&outbox, "i/db"), None);
    request(&mut outbox, "ensure", 4);
    run(&mut outbox, T0 + 50);
    assert_eq!(used_by(&outbox, "i/db").as_deref(), Some("i/db/ensure, generation 4, finished"));
}

#[test]
fn a_refused_creation_refers_to_nothing_unless_an_attempt_before_may_have_made_something() {
    let refused = || ScriptedAnswer::failed("quota", "no more of it");
    for (answers, expected) in [
        (vec![refused()], None),
        (vec![retryable(), refused()], Some("i/db/ensure, generation 1, finished")),
        (vec![ScriptedAnswer::Lost], Some("i/db/ensure, generation 1, finished")),
    ] {
        let (mut outbox, scripted) = outbox();
        scripted.script("i/db/ensure", answers);
        request(&mut outbox, "ensure", 1);
        run(&mut outbox, T0);
        advance(&mut outbox, T0 + 3_600_000);
        assert_eq!(used_by(&outbox, "i/db").as_deref(), expected);
    }
}
