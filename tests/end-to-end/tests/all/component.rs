//! Compares the built component with the library: the same stories must give the same bytes.

mod budget;
mod calls;

use end_to_end::compare::{difference, report};
use end_to_end::hosts::{HostKind, component, in_wasm};
use end_to_end::moves::{Kind, Move, moves};
use end_to_end::people::story;
use end_to_end::play;
use end_to_end::story::{Part, VERSIONS};
use end_to_end::world::{Setup, World, command};
use host_replay::runners::Runners;
use host_replay::shuffle::Random;
use host_store::testing::{Moment, Then};
use host_wasm_runner::wasm::Mode;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn played(setup: Setup, parts: &[Part]) -> World {
    let mut world = World::start(setup);
    play::whole(&mut world, parts);
    world
}

/// Returns `PROPTEST_CASES` fixed stories, by default six.
fn stories() -> Vec<Vec<Part>> {
    let count = std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(6);
    let mut runner = TestRunner::deterministic();
    let story_in = |index: usize| {
        let moves = moves(9).new_tree(&mut runner).expect("moves").current();
        story("A", &moves).parts_in(VERSIONS[index % 2])
    };
    (0..count).map(story_in).collect()
}

#[test]
fn native_reused_and_fresh_runs_give_the_same_reports_and_state() {
    for (index, parts) in stories().iter().enumerate() {
        let native = played(Setup::default(), parts);
        let expected: Vec<Value> = native.reports.iter().map(report).collect();
        for (mode, setup) in [(Mode::Reused, HostKind::Shipped.setup()), (Mode::Fresh, in_wasm(Mode::Fresh))] {
            let found = played(setup, parts);
            let reports: Vec<Value> = found.reports.iter().map(report).collect();
            for (expected, found) in expected.iter().zip(&reports) {
                assert_eq!(expected, found, "story {index}, {mode:?}");
            }
            assert_eq!(
                Value::from(expected.clone()).to_string(),
                Value::from(reports).to_string(),
                "story {index}, {mode:?}"
            );
            assert_eq!(difference(&native.document(), &found.document()), None, "story {index}, {mode:?}");
            assert_eq!(native.state(), found.state(), "story {index}, {mode:?}");
        }
    }
}

/// Properties 1 and 2 with the component.
#[test]
fn order_and_repetition_do_not_change_the_state_of_the_component() {
    let mut random = Random::new(1);
    for (index, parts) in stories().iter().take(4).enumerate() {
        let expected = played(in_wasm(Mode::Reused), parts);
        let mut other = parts.clone();
        for part in &mut other {
            let again = part.events.clone();
            part.events.extend(again);
            random.shuffle(&mut part.events);
        }
        let found = played(in_wasm(Mode::Reused), &other);
        assert_eq!(difference(&expected.document(), &found.document()), None, "story {index}");
    }
}

/// Property 4 with the component, at some writes.
#[test]
fn the_component_survives_kills() {
    let moves = [Move::plain(Kind::Order, 1, 0), Move::plain(Kind::Buy, 0, 0), Move::plain(Kind::End, 0, 2)];
    let parts = story("A", &moves).parts_in(VERSIONS[1]);
    let mut expected = World::start(in_wasm(Mode::Fresh));
    expected.faults().fail_at(u64::MAX, Moment::Before, Then::Dead);
    play::whole(&mut expected, &parts);
    let writes = expected.faults().writes();
    for write in (1..=writes).step_by(usize::try_from(writes / 12).expect("few")) {
        let mut world = World::start(in_wasm(Mode::Fresh));
        world.faults().fail_at(write, Moment::Before, Then::Dead);
        for part in &parts {
            world.insist(|world| play::part(world, part));
        }
        assert_eq!(difference(&expected.document(), &world.document()), None, "killed at write {write}");
    }
}

/// Instances of one account, with three resources each: more than the fuel of one event can update.
const INSTANCES: usize = 200;

/// A snapshot of a subscription to a plan with a large limit.
fn subscription(kind: &str, id: &str, status: &str, created_s: i64) -> Value {
    let item = json!({"id": "si_1", "price": {"id": "price_large"}, "quantity": 1,
        "current_period_start": created_s, "current_period_end": created_s + 31 * 86_400});
    json!({
        "id": id, "object": "event", "type": format!("customer.subscription.{kind}"), "api_version": VERSIONS[1],
        "created": created_s, "livemode": false,
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_A", "status": status,
            "metadata": {"user_id": "A"}, "items": {"object": "list", "data": [item], "has_more": false}}},
    })
}

#[test]
fn an_account_with_many_instances_can_be_cancelled() {
    // The library creates the instances, because the component is slow. After `reopen` the component runs.
    let made = Arc::new(AtomicBool::new(false));
    let is_made = made.clone();
    let runners = Runners::new("the library, then the component", move || match is_made.load(Ordering::Relaxed) {
        true => Ok(Box::new(component().runner(Mode::Reused))),
        false => host_replay::native::runners().make(),
    });
    let mut world = World::start(Setup { runners, ..Setup::default() });
    let large = json!({"id": "prod_large", "product_type": "subscription_plan", "name": "Large",
        "prices": {"month": {"amount": 90_000, "id": "price_large"}}, "metadata": {"plan_tier": "large",
        "max_instances": 1000, "storage_gb": 2, "database_gb": 1, "api_requests_monthly": 1_000_000,
        "compute_tier": "lambda", "database_tier": "shared"}});
    let catalog = json!({"partial": true, "products": [large]});
    assert_eq!(world.carry_out(&command("load", "catalog.load", ("admin", "A"), "platform", catalog)), "applied");
    assert_eq!(world.carry_out(&subscription("created", "evt_1", "active", 1_767_225_600)), "applied");
    for number in 0..INSTANCES {
        let name = format!("app-{number}");
        let body = json!({"product_type": "instance", "name": name, "metadata": {"subdomain": name}});
        assert_eq!(world.carry_out(&command(&name, "product.create", ("user", "A"), "user:A", body)), "applied");
    }
    made.store(true, Ordering::Relaxed);
    world.reopen().expect("the store has no fault");
    let ended = world.carry_out(&subscription("deleted", "evt_2", "canceled", 1_767_312_000));
    assert_eq!(ended, "applied", "the subscription can be cancelled");
    let scope = world.processor().scope("user:A".parse().expect("an account"));
    let products = host_engine::read::products(world.store(), &scope).expect("readable rows");
    let suspended = products.iter().filter(|row| row.values.metadata.contains(r#""status":"suspended""#)).count();
    assert_eq!(suspended, INSTANCES, "timers continue the work of one decision");
}
