//! Shared by the properties of all businesses.

use end_to_end::catalog::Catalog;
use end_to_end::compare::difference;
use end_to_end::hosts::HostKind;
use end_to_end::moves::Move;
use end_to_end::play;
use end_to_end::story::{Delivery, Part, Story};
use end_to_end::trade::{MoveKind, business_moves};
use end_to_end::world::{Setup, World, business_named};
use host_replay::shuffle::Random;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The names of the businesses of the fixtures and the examples.
pub fn businesses() -> Vec<String> {
    let folders = test_support::businesses();
    folders.iter().filter_map(|folder| folder.file_name()).map(|name| name.to_string_lossy().into_owned()).collect()
}

/// The catalog of a business.
pub fn catalog(name: &str) -> Catalog {
    Catalog::read(name, &business_named(name).catalog)
}

/// Starts a host of a business.
pub fn world(business: &str) -> World {
    world_on(HostKind::Quick, business)
}

/// Starts a host of a kind for a business.
pub fn world_on(kind: HostKind, business: &str) -> World {
    World::start(Setup { business: business_named(business), ..kind.setup() })
}

/// Checks a law with `default` fixed stories (or `PROPTEST_CASES` random ones) of up to `most` moves for each business,
/// each in one of the API versions. Seeds of failing stories are stored next to `file`. The environment variable
/// `BUSINESS` selects one business.
pub fn of_every_business(
    file: &'static str,
    default: u32,
    most: usize,
    law: impl Fn(&Catalog, &[Move<MoveKind>], usize, u64) -> Result<(), TestCaseError>,
) {
    let only = std::env::var("BUSINESS").ok();
    let mut broken = Vec::new();
    for name in businesses().iter().filter(|name| only.as_ref().is_none_or(|only| only == *name)) {
        let catalog = catalog(name);
        // proptest's own variable can switch off shrinking.
        let steps = std::env::var("PROPTEST_MAX_SHRINK_ITERS").ok().and_then(|steps| steps.parse().ok());
        let config = Config { source_file: Some(file), ..end_to_end::cases::cases(default, steps.unwrap_or(300)) };
        let mut runner = match std::env::var_os("PROPTEST_CASES") {
            Some(_) => TestRunner::new(config),
            None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        };
        let stories = (business_moves(&catalog, most), 0..2usize, any::<u64>());
        let run = runner.run(&stories, |(moves, version, seed)| law(&catalog, &moves, version, seed));
        broken.extend(run.err().map(|problem| format!("{name}: {problem}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// Reports a broken law, and writes its story to a file.
pub fn report_failure(property: &str, story: &Story, law: Result<(), String>) -> Result<(), TestCaseError> {
    law.map_err(|problem| {
        let files = end_to_end::story::write(story, &format!("{}-{property}", story.business));
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        TestCaseError::fail(format!("{problem}\nwritten to {}", files.join(" and ")))
    })
}

/// Plays parts on a new host.
pub fn played(business: &str, parts: &[Part]) -> World {
    let mut world = world(business);
    play::whole(&mut world, parts);
    world
}

/// Checks that two hosts have the same state.
pub fn same_state(expected: &World, found: &World, what: &str) -> Result<(), String> {
    if let Some(report) = found.reports.iter().find(|report| report.result.name() == "failed") {
        return Err(format!("{what}: {} failed: {}", report.event_id, report.result.reason().unwrap_or_default()));
    }
    match difference(&settled(expected.document()), &settled(found.document())) {
        Some(difference) => Err(format!("{what}: {difference}")),
        None => Ok(()),
    }
}

/// Removes the members of a state that depend on whether a payment arrives before its failed refund or its dispute:
/// counters of messages and bookings, and other accounts' rows about a sale. The oracle checks their sums.
pub fn settled(mut document: Value) -> Value {
    let is_other = |own: &Value| own["records"]["earnings"].is_array() || own["records"]["earned"].is_array();
    if let Some(accounts) = document["accounts"].as_array_mut() {
        accounts.retain(|own| !is_other(own));
    }
    for own in document["accounts"].as_array_mut().into_iter().flatten() {
        let Some(records) = own.get_mut("records").and_then(Value::as_object_mut) else { continue };
        if let Some(entries) = records.get_mut("ledger") {
            *entries = sums(entries);
        }
        // A balance of zero equals no balance.
        let is_nothing = |value: &Value| value.as_object().is_some_and(|of| of.values().all(|sum| sum == 0));
        for row in records.get_mut("account").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(members) = row.get_mut("value").and_then(Value::as_object_mut) {
                members.retain(|_, value| !is_nothing(value));
            }
        }
        for (collection, place) in
            [("members", "/value"), ("account", "/value/told"), ("credits", "/value"), ("sales", "/value")]
        {
            let rows = records.get_mut(collection).and_then(Value::as_array_mut).into_iter().flatten();
            for counted in rows.filter_map(|row| row.pointer_mut(place)).filter_map(Value::as_object_mut) {
                let is_counter = |name: &str, value: &Value| matches!(name, "told" | "entries") && value.is_i64();
                counted.retain(|name, value| !is_counter(name, value));
            }
        }
    }
    document
}

/// The sums of a ledger by object, account and currency. The number of a partial booking or a reversal depends on the
/// order of arrival, so it is left out.
fn sums(entries: &Value) -> Value {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for entry in entries.as_array().into_iter().flatten() {
        let id = entry["id"].as_str().unwrap_or_default();
        let numbered = id.rsplit_once(':').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
        let of = numbered.map_or(id, |(of, _)| of);
        for posting in entry["value"]["postings"].as_array().into_iter().flatten() {
            let key = format!("{of} {} {}", posting["account"], entry["value"]["currency"]);
            *sums.entry(key).or_default() += posting["amount_minor"].as_i64().unwrap_or_default();
        }
    }
    sums.retain(|_, sum| *sum != 0);
    json!(sums)
}

/// Repeats an event and checks that it is a duplicate without changes and effects.
pub fn again(world: &mut World, delivery: &Delivery) -> Result<(), String> {
    let before = world.state();
    let reports = world.deliver(&delivery.bytes).expect("the store has no fault");
    let outcomes: Vec<&str> = reports.iter().map(|report| report.result.name()).collect();
    if outcomes != ["duplicate"] || !reports[0].effects.is_empty() {
        return Err(format!("{} again is {outcomes:?}, with effects {:?}", delivery.id, reports[0].effects));
    }
    if world.state() != before {
        return Err(format!("{} again changes the state", delivery.id));
    }
    Ok(())
}

/// The parts, with the Stripe events of each part shuffled.
pub fn shuffled(parts: &[Part], random: &mut Random) -> Vec<Part> {
    let mut parts = parts.to_vec();
    parts.iter_mut().for_each(|part| random.shuffle(&mut part.events));
    parts
}
