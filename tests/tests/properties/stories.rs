//! The stories themselves: that they say something.

use super::support::played;
use end_to_end::model::{moves, story};
use end_to_end::story::VERSIONS;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

/// Told in order and in time, a story is understood: nothing fails, nothing waits at the end, and no provider's event
/// is rejected. Over some stories everything that can happen to an account does.
#[test]
fn stories_are_understood_and_full_of_life() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..60 {
        let moves = moves(9).new_tree(&mut runner).expect("moves can always be made").current();
        let story = story("A", &moves);
        let world = played(&story.told_in(VERSIONS[index % 2]));
        for row in world.store().inbox_after(0, 100_000).expect("the inbox can be read") {
            let outcome = row.outcome.as_ref().map_or("none", |outcome| outcome.name());
            let told =
                || format!("{} {} is {:?} {:?}\n{moves:#?}", row.event.id, row.event.kind, row.state, row.outcome);
            assert!(matches!(row.state, host_store::InboxState::Done), "{}", told());
            assert!(row.event.source != "stripe" || outcome != "rejected", "{}", told());
            *seen.entry(format!("{} {outcome}", row.event.kind)).or_default() += 1;
        }
        let document = world.document();
        let rows = document["accounts"].as_array().into_iter().flatten();
        for product in
            rows.filter(|rows| rows["account"] == "user:A").flat_map(|rows| rows["products"].as_array()).flatten()
        {
            *seen.entry(format!("instance {}", product["metadata"]["status"])).or_default() += 1;
        }
    }
    for (what, count) in &seen {
        println!("{count:6} {what}");
    }
    for what in [
        "charge.refunded applied",
        "checkout.session.completed applied",
        "customer.subscription.deleted applied",
        "customer.subscription.updated applied",
        "database.ensure applied",
        "instance.delete applied",
        "invoice.payment_failed applied",
        "product.create applied",
        "product.create rejected",
        "refund.failed applied",
        "subscription.cancel applied",
        "timer.at applied",
        "instance \"running\"",
        "instance \"terminated\"",
        "instance \"suspended\"",
    ] {
        assert!(seen.contains_key(what), "no story has `{what}`");
    }
}
