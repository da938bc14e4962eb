//! What the properties share.

use end_to_end::catalog::Catalog;
use end_to_end::compare::difference;
use end_to_end::hosts::HostKind;
use end_to_end::moves::Move;
use end_to_end::play;
use end_to_end::story::{Delivery, Part, Story};
use end_to_end::trade::{Deed, deeds};
use end_to_end::world::{Setup, World, business_named, root};
use host_replay::shuffle::Random;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The businesses: all folders of the fixtures that have a catalog.
pub fn businesses() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("fixtures")).expect("the project's own fixtures can be read");
    let folders = folders.map(|entry| entry.expect("the project's own fixtures can be read"));
    let named = folders.filter(|folder| folder.path().join("catalog.yml").is_file());
    let mut names: Vec<String> = named.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The catalog of a business, as it stands in its folder.
pub fn catalog(name: &str) -> Catalog {
    Catalog::read(name, &business_named(name).catalog)
}

/// A host of a business.
pub fn world(business: &str) -> World {
    world_on(HostKind::Quick, business)
}

/// A host of that kind of a business.
pub fn world_on(kind: HostKind, business: &str) -> World {
    World::start(Setup { business: business_named(business), ..kind.setup() })
}

/// Tells so many stories of up to so many moves of each business, the same ones in every run; or as many others as
/// `PROPTEST_CASES` says. Each is in one of the API versions. Seeds of those that break the law are kept beside the file.
/// `BUSINESS` names the only one.
pub fn of_every_business(
    file: &'static str,
    default: u32,
    most: usize,
    law: impl Fn(&Catalog, &[Move<Deed>], usize, u64) -> Result<(), TestCaseError>,
) {
    let only = std::env::var("BUSINESS").ok();
    let mut broken = Vec::new();
    for name in businesses().iter().filter(|name| only.as_ref().is_none_or(|only| only == *name)) {
        let catalog = catalog(name);
        // Making a broken story smaller can be switched off by proptest's own variable.
        let steps = std::env::var("PROPTEST_MAX_SHRINK_ITERS").ok().and_then(|steps| steps.parse().ok());
        let config = Config { source_file: Some(file), ..end_to_end::cases::cases(default, steps.unwrap_or(300)) };
        let mut runner = match std::env::var_os("PROPTEST_CASES") {
            Some(_) => TestRunner::new(config),
            None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        };
        let told = (deeds(&catalog, most), 0..2usize, any::<u64>());
        let run = runner.run(&told, |(moves, version, seed)| law(&catalog, &moves, version, seed));
        broken.extend(run.err().map(|problem| format!("{name}: {problem}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// A broken law is told with its story, which is written down.
pub fn told(property: &str, story: &Story, law: Result<(), String>) -> Result<(), TestCaseError> {
    law.map_err(|problem| {
        let files = end_to_end::story::write(story, &format!("{}-{property}", story.business));
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        TestCaseError::fail(format!("{problem}\nwritten to {}", files.join(" and ")))
    })
}

/// A host on which these parts were played.
pub fn played(business: &str, parts: &[Part]) -> World {
    let mut world = world(business);
    play::whole(&mut world, parts);
    world
}

/// Two hosts are in one state.
pub fn same_state(expected: &World, found: &World, what: &str) -> Result<(), String> {
    if let Some(report) = found.reports.iter().find(|report| report.result.name() == "failed") {
        return Err(format!("{what}: {} failed: {}", report.event_id, report.result.reason().unwrap_or_default()));
    }
    match difference(&settled(expected.document()), &settled(found.document())) {
        Some(difference) => Err(format!("{what}: {difference}")),
        None => Ok(()),
    }
}

/// A state without what depends on whether a refund that failed, or a dispute, was seen before what it is of or after: the
/// members that count what was told and booked on the way, and what other accounts were told of a sale. The sums of all
/// of it are the oracle's.
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
        // A balance that came to nothing is as good as none.
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

/// A ledger's sums by what they are of, account and currency: what is booked step by step, and taken back, is numbered in
/// the order in which it was seen.
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

/// An event again: it is a duplicate, nothing else runs, nothing changes.
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

/// The parts with their provider's events in another order.
pub fn shuffled(parts: &[Part], random: &mut Random) -> Vec<Part> {
    let mut parts = parts.to_vec();
    parts.iter_mut().for_each(|part| random.shuffle(&mut part.events));
    parts
}
