//! Tests a timer that fires too late.

use super::story_bytes;
use end_to_end::world::{Setup, World};
use extension_contract::{Account, Actor, Delivery, Event, Payload};

const STORY: &str = "
  - {stripe: customer.subscription.created, set: {metadata: {user_id: A}}}
  - {command: product.create, payload: {product_type: instance, name: Acme, metadata: {subdomain: acme}}}
  - stripe: invoice.payment_failed
    at: '2026-02-01T01:00:00Z'
    set: {id: in_2, billing_reason: subscription_cycle, paid: false}
  - {stripe: customer.subscription.updated, set: {status: past_due}}
  - {stripe: invoice.paid, at: '2026-02-05T00:00:00Z', set: {id: in_2, billing_reason: subscription_cycle}}
  - {stripe: customer.subscription.updated, set: {status: active}}
";

// covers: S49
#[test]
fn a_grace_timer_after_the_payment_changes_nothing() {
    let mut world = World::start(Setup::default());
    for event in story_bytes::events(STORY) {
        world.deliver(&event).expect("the store has no fault");
        world.settle().expect("the store has no fault");
    }
    let due = 1_770_512_400_000;
    world.advance_to(due).expect("the store has no fault");
    let state = world.state();
    // The timer can be on its way already when the payment arrives.
    let account = Account::User("A".to_owned());
    let reports = world.accept(Event {
        id: "timer:late".to_owned(),
        source: "timer".to_owned(),
        kind: "timer.at".to_owned(),
        business: "solobase".to_owned(),
        account: Some(account.clone()),
        livemode: Some(false),
        received_at: due,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        payment: None,
        payload: Payload::Timer(Delivery {
            sender: account.clone(),
            key: format!("grace:sub_1:{due}"),
            generation: 1,
            payload: "{}".to_owned(),
        }),
    });
    let reports = reports.expect("the store has no fault");
    assert_eq!((reports[0].result.name(), reports[0].effects.len()), ("ignored", 0));
    assert_eq!(world.state(), state);
    let instances = world.entitlements(&account).into_iter().find(|found| found.key == "instances");
    assert_eq!(instances.map(|found| (found.allowed, found.used)), Some((3, 1)));
}
