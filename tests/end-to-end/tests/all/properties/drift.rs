//! Tests that the provider's resources are exactly the recorded ones, and that nothing which a live instance needs could be
//! destroyed as an orphan, after any story with variants that replace each other under one name.
//!
//! The oracle reads the journal of calls: it keeps the resources by id, and shares no code with the inventories.

use super::support::report_failure;
use end_to_end::hosts::{Counts, on_each_kind};
use end_to_end::moves::{Kind, moves};
use end_to_end::people::checked_story;
use end_to_end::play;
use end_to_end::story::{Story, VERSIONS};
use end_to_end::world::{Setup, World};
use host_engine::outbox::{Recorded, use_of};
use host_engine::read;
use host_provider_api::scripted::{Scripted, ScriptedAnswer};
use host_provider_api::{Held, ResourceId};
use host_providers::{Drift, Referrer, drift, settle};
use host_store::StoreError;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The name that all variants of the compute have at their provider.
const NAME: &str = "solobase-app";

/// Returns what exists at the provider after all calls, with its state.
fn existing(scripted: &Scripted) -> Vec<Held> {
    let mut found: BTreeMap<ResourceId, Held> = BTreeMap::new();
    for entry in scripted.journal() {
        let (call, done) = (entry.call, matches!(entry.answer, ScriptedAnswer::Ok(_)));
        let Some((key, verb)) = call.key.rsplit_once('/').filter(|_| done) else { continue };
        let Some((kind, _)) = call.kind.rsplit_once('.') else { continue };
        let id = ResourceId { scope: call.scope.clone(), resource: kind.to_owned(), id: key.to_owned() };
        let state = call.payload["state"].as_str().unwrap_or("running").to_owned();
        match verb {
            "ensure" => drop(found.entry(id.clone()).or_insert(Held { id, name: NAME.to_owned(), state })),
            "change" => drop(found.get_mut(&id).map(|held| held.state = state)),
            "destroy" => drop(found.remove(&id)),
            _ => {}
        }
    }
    found.into_values().collect()
}

/// Returns the ids of the resources that the records of live instances name.
fn named_by_records(world: &World, account: &str) -> Result<BTreeSet<String>, StoreError> {
    let scope = world.processor().scope(account.parse().expect("an account"));
    let mut named = BTreeSet::new();
    for row in read::records(world.store(), &scope, "instances")? {
        let record: Value = serde_json::from_str(&row.value).expect("a record is JSON");
        let resources = record["resources"].as_object().cloned().unwrap_or_default();
        let exists =
            |resource: &Value| !["absent", "skipped"].contains(&resource["state"].as_str().unwrap_or_default());
        named.extend(resources.iter().filter(|(_, it)| exists(it)).map(|(name, _)| format!("{}/{name}", row.id)));
    }
    Ok(named)
}

fn settled(world: &World, found: Vec<Drift>) -> Result<Vec<Drift>, StoreError> {
    settle(found, |id| {
        let used = use_of(world.store(), id)?;
        Ok(used.map(|it| if it.state.is_open() { Referrer::Open } else { Referrer::Ended(it.to_string()) }))
    })
}

/// Checks the law after each part of a story. Returns the number of destroyed functions.
fn holds(setup: &Setup, story: &Story, version: &str) -> Result<usize, String> {
    let scripted = Scripted::new();
    scripted.script("*/compute@*/ensure", vec![ScriptedAnswer::Ok(json!({"name": NAME}))]);
    let mut world = World::start_with(setup.clone(), scripted.clone());
    for (number, part) in story.parts_in(version).iter().enumerate() {
        play::part(&mut world, part).expect("the store has no fault");
        let held = existing(&scripted);
        let recorded = Recorded::of(world.store(), None).expect("a readable store").resources();
        let recorded: Vec<_> = recorded.into_iter().map(|it| (it.id, it.state)).collect();
        let found = settled(&world, drift(&recorded, &held, &[], |_| true)).expect("a readable store");
        if !found.is_empty() {
            return Err(format!("part {number}: drift: {found:?}"));
        }
        // Even if all results were lost, nothing that a record names is an orphan.
        let unrecorded = settled(&world, drift(&[], &held, &[], |_| true)).expect("a readable store");
        let orphans: BTreeSet<_> = unrecorded.iter().filter_map(Drift::orphan).map(|it| it.id.id.clone()).collect();
        let named = named_by_records(&world, &story.account).expect("readable rows");
        if let Some(id) = orphans.intersection(&named).next() {
            return Err(format!("part {number}: {id} is in a record, and is an orphan"));
        }
    }
    let is_destroyed = |key: &str| key.contains("/compute@") && key.ends_with("/destroy");
    Ok(scripted.journal().iter().filter(|entry| is_destroyed(&entry.call.key)).count())
}

#[test]
fn drift_reports_nothing_and_no_orphan_is_in_a_record() {
    let cases = (moves(9), 0..2usize);
    on_each_kind(file!(), Counts { quick: 24, shipped: 4 }, cases, |setup, (moves, version)| {
        let story = checked_story("A", &moves).story;
        report_failure("drift", &[&story], holds(setup, &story, VERSIONS[version]).map(drop))?;
        Ok(())
    });
}

#[test]
fn a_variant_that_replaces_another_under_its_name_is_recorded_and_no_orphan() {
    use end_to_end::moves::Move;
    let moves = [Kind::Buy, Kind::Make, Kind::ChangePlan, Kind::ChangePlan].map(|kind| Move::plain(kind, 0, 2));
    let story = checked_story("A", &moves).story;
    let destroyed = holds(&Setup::default(), &story, VERSIONS[1]).expect("no drift");
    assert!(destroyed > 0, "the story replaces a variant");
}
