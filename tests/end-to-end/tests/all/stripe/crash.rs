//! A kill at each write of the store, and the retry of Stripe.

use super::story_bytes;
use end_to_end::world::{Setup, World};
use host_provider_api::scripted::{Scripted, ScriptedAnswer};
use host_store::testing::{Moment, Then};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A purchase with an instance, its subscription and its payment.
const STORY: &str = "
  - command: purchase.create
    payload: {plan_id: prod_professional, product: {product_type: instance, name: Acme, metadata: {subdomain: acme}}}
  - {stripe: customer.subscription.created, set: {metadata: {user_id: A}}}
  - {stripe: invoice.paid}
  - {stripe: checkout.session.completed}
";

/// The distinct calls of the provider. `observe` calls are left out, because they only read and occur only after a
/// crash.
fn asked(world: &World) -> BTreeSet<String> {
    let calls = world.scripted().journal().into_iter().map(|entry| entry.call);
    let calls = calls.filter(|call| call.verb() != "observe");
    calls.map(|call| json!([call.kind, call.key, call.generation, call.payload]).to_string()).collect()
}

fn resources(world: &World) -> Vec<Value> {
    let found = world.scripted().inventory();
    found.into_iter().map(|resource| json!([resource.id.id, resource.state, resource.outputs])).collect()
}

/// Starts a host whose provider creates the session that the story completes.
fn world() -> World {
    let scripted = Scripted::new();
    scripted.script("checkout:*", vec![ScriptedAnswer::Ok(json!({"session_id": "cs_1"}))]);
    World::start_with(Setup::default(), scripted)
}

// covers: S21
#[test]
fn after_a_kill_and_stripes_retry_the_state_equals_the_uninterrupted_run() {
    let events = story_bytes::events(STORY);
    let deliver = |world: &mut World| {
        let mut crashes = 0;
        for event in &events {
            crashes += world.insist(|world| {
                world.deliver(event)?;
                world.settle()
            });
        }
        crashes
    };
    let mut calm = world();
    calm.faults().fail_at(u64::MAX, Moment::Before, Then::Dead);
    assert_eq!(deliver(&mut calm), 0);
    let writes = calm.faults().writes();
    assert_eq!(resources(&calm).len(), 3, "the story creates a whole instance");
    for write in 1..=writes {
        for moment in [Moment::Before, Moment::After] {
            let mut world = world();
            world.faults().fail_at(write, moment, Then::Dead);
            let crashes = deliver(&mut world);
            let place = format!("killed {moment:?} write {write}");
            assert_eq!(crashes, 1, "{place}");
            assert_eq!(world.state(), calm.state(), "{place}");
            assert_eq!(asked(&world), asked(&calm), "{place}");
            assert_eq!(resources(&world), resources(&calm), "{place}");
        }
    }
}
