//! Explores every story of the fixtures in other orders and with repeats, and a part of them with failed provider calls
//! and kills of the host. No law breaks.
//!
//! A plain run takes one story of [`PART`] with failures and kills; `ONE_STORY_IN=1` takes all.

use host_explore::{ExploreLimits, Tale, ToTheEnd, VariantKind, explore_every};
use host_replay::library::{Sources, stories};
use host_scenario::model::Scenario;
use std::path::PathBuf;
use test_support::{businesses, in_business};

/// Number of sampled orders of more than four events; `provisioner explore fixtures` samples more.
const SAMPLES: usize = 12;
/// Number of sampled orders of the stories of faults that were found, in each API version: these stories are half of all.
const SAMPLES_OF_FAULTS: usize = 60;
/// Number of sampled provider calls, and of sampled writes, of a story.
const FAILURES: usize = 8;
/// One story of this many is played with failures and kills.
const PART: usize = 16;

/// The stories of files or folders, except those that are known to fail.
fn tales(paths: &[PathBuf], every_version: bool) -> Vec<Tale> {
    let runners = host_replay::native::runners();
    let found = stories(paths, Sources::default(), &runners).expect("scenarios");
    // A local Stripe is not part of what is explored.
    let is_told = |scenario: &Scenario| scenario.known_to_fail.is_none() && !scenario.has_stripe_steps();
    let held = found.into_iter().filter(|story| is_told(&story.scenario));
    held.flat_map(|story| {
        let versions = if every_version { usize::MAX } else { 1 };
        let cases: Vec<_> = story.cases.into_iter().take(versions).collect();
        let (scenario, business, runners) = (story.scenario, story.business, runners.clone());
        cases.into_iter().map(move |case| Tale {
            scenario: scenario.clone(),
            case,
            business: business.clone(),
            runners: runners.clone(),
        })
    })
    .collect()
}

/// Explores the stories, and asserts that no law breaks. Returns the number of variants.
fn assert_no_law_breaks(tales: &[Tale], limits: &ExploreLimits) -> u64 {
    let explored = explore_every(tales, limits, 2, &ToTheEnd).expect("playable stories");
    let (mut broken, mut variants) = (Vec::new(), 0);
    for (tale, explored) in tales.iter().zip(explored) {
        let explored = explored.expect("a complete exploration");
        variants += explored.counts.values().map(|counts| counts.variants).sum::<u64>();
        let file = tale.scenario.file.display();
        let findings = explored.findings.iter();
        broken.extend(findings.map(|found| {
            format!("{file} {}: {}: {} ({})", found.kind, found.breach.law, found.breach.what, found.variant)
        }));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    variants
}

#[test]
fn no_law_breaks_in_other_orders_with_repeats_and_with_late_events() {
    let kinds = vec![VariantKind::Orders, VariantKind::Repeats, VariantKind::Drops, VariantKind::Edits];
    let limits = ExploreLimits { kinds, samples: SAMPLES, all_orders_of: 4, ..ExploreLimits::default() };
    let variants = assert_no_law_breaks(&tales(&businesses(), false), &limits);
    assert!(variants > 5_000, "{variants} variants");
}

/// Stories of one paid subscription each, of all kinds: a plan, seats, a tier, an item beside a plan, a yearly product, an agent.
const PAID: [&str; 8] = [
    "solobase/scenarios/requirements/subscribe-hobby.yml",
    "solobase/scenarios/regressions/dearer-plan-of-an-open-renewal.yml",
    "seats/scenarios/seats-are-bought.yml",
    "seats/scenarios/paid-seats-after-an-unpaid-increase.yml",
    "twobot/scenarios/regressions/unpaid-tier-of-an-add-on.yml",
    "families-and-add-ons/scenarios/regressions/unpaid-item-beside-a-plan.yml",
    "saas-plugins/scenarios/regressions/year-whose-payment-is-told-late.yml",
    "tesslate/scenarios/regressions/transfer-after-the-balance-was-empty.yml",
];

#[test]
fn hostile_endings_of_paid_subscriptions_give_nothing_and_take_nothing() {
    let limits = ExploreLimits { kinds: vec![VariantKind::Endings], ..ExploreLimits::default() };
    let paths: Vec<PathBuf> = PAID.iter().map(|name| in_business(name)).collect();
    let variants = assert_no_law_breaks(&tales(&paths, true), &limits);
    assert!(variants > 100, "{variants} variants");
}

#[test]
fn stories_of_faults_end_as_written_in_60_orders_in_each_api_version() {
    let kinds = vec![VariantKind::Orders];
    let limits = ExploreLimits { kinds, samples: SAMPLES_OF_FAULTS, ..ExploreLimits::default() };
    let paths: Vec<PathBuf> =
        businesses().iter().map(|folder| folder.join("scenarios/regressions")).filter(|path| path.is_dir()).collect();
    let variants = assert_no_law_breaks(&tales(&paths, true), &limits);
    assert!(variants > 10_000, "{variants} variants");
}

#[test]
fn no_law_breaks_when_provider_calls_fail_and_the_host_is_killed() {
    let kinds = vec![VariantKind::Failures, VariantKind::Crashes];
    let limits = ExploreLimits { kinds, all_failures_of: FAILURES, ..ExploreLimits::default() };
    let part = test_support::count("ONE_STORY_IN", PART);
    let tales: Vec<Tale> = tales(&businesses(), false).into_iter().step_by(part).collect();
    let variants = assert_no_law_breaks(&tales, &limits);
    assert!(variants > 100 * tales.len() as u64 / 2, "{variants} variants of {} stories", tales.len());
}

/// A transfer that waits for its retry is ended at its deadline, and the decision about this end requests it again.
#[test]
fn a_transfer_whose_deadline_ends_a_wait_is_requested_again() {
    let kinds = vec![VariantKind::Failures, VariantKind::Crashes];
    let limits = ExploreLimits { kinds, all_failures_of: FAILURES, ..ExploreLimits::default() };
    let story = in_business("tesslate/scenarios/marketplace/creator-is-paid-out.yml");
    let variants = assert_no_law_breaks(&tales(&[story], false), &limits);
    assert!(variants > 100, "{variants} variants");
}
