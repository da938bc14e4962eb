//! The events of one scenario in many orders.

use super::story_bytes;
use end_to_end::compare::difference;
use end_to_end::world::solobase;
use host_replay::play::{CaseReport, Order, PlayOptions, play_all};
use host_scenario::model::Scenario;
use host_scenario::prepare::Case;

/// Prefixes of timers and retrievals that another order makes unnecessary.
const UNNECESSARY: [&str; 2] = ["grace:", "retrieve:"];

fn play(scenario: &Scenario, cases: &[Case], seed: Option<u64>) -> Vec<CaseReport> {
    let (runners, order) = (host_replay::native::runners(), Order::Together(seed));
    let options = PlayOptions { order, ..PlayOptions::new(runners) };
    play_all(scenario, cases, solobase(), &options).expect("played cases")
}

/// Accounts and keys of the requested effects, without unnecessary ones.
fn necessary(report: &CaseReport) -> Vec<&str> {
    let needed = |key: &&str| {
        let key = key.split_once(' ').map_or(*key, |(_, key)| key);
        !UNNECESSARY.iter().any(|prefix| key.starts_with(prefix))
    };
    report.effects.iter().map(String::as_str).filter(needed).collect()
}

/// Plays a scenario in `orders` orders, in both API versions. Each run must end with the state and effects of the
/// written order.
fn assert_same(name: &str, orders: u64) {
    let scenario = story_bytes::scenario(name);
    let cases = story_bytes::cases(&scenario);
    let written = play(&scenario, &cases, None);
    assert_eq!(written.len(), 2, "two API versions");
    for seed in 1..=orders {
        for (report, written) in play(&scenario, &cases, Some(seed)).iter().zip(&written) {
            let place = format!("{name} in {}, seed {seed}", report.version);
            assert_eq!(difference(&written.snapshot, &report.snapshot), None, "{place}");
            assert_eq!(written.summary.state, report.summary.state, "{place}");
            assert_eq!(necessary(written), necessary(report), "{place}");
        }
    }
}

// covers: S36
#[test]
fn the_events_of_a_checkout_lead_to_the_same_state_in_every_order() {
    assert_same("s36-burst-in-stripes-order.yml", 40);
}

// covers: S47
#[test]
fn the_events_of_a_renewal_lead_to_the_same_state_in_every_order() {
    assert_same("s47-renewal.yml", 24);
}

// covers: S97
#[test]
fn partial_refunds_add_up_in_every_order() {
    assert_same("s97-partial-refunds.yml", 40);
}

// covers: S41, S52, S53
#[test]
fn payment_decides_the_plan_in_every_order() {
    for name in [
        "s41-paid-but-incomplete.yml",
        "s52-upgrade-paid.yml",
        "s53-upgrade-fails-then-paid.yml",
        "s42-trial-subscription-first.yml",
    ] {
        assert_same(name, 12);
    }
}
