//! Stories of every business in other orders, with repetitions, kills and other accounts.

use super::support::{again, of_every_business, played, report_failure, same_state, shuffled, world};
use end_to_end::compare::{difference, of_account};
use end_to_end::judged::judge_end;
use end_to_end::play;
use end_to_end::story::{Delivery, Part, Story, VERSIONS};
use end_to_end::traders::checked_story;
use host_engine::processor::{Business, Processor, replay_log};
use host_replay::shuffle::Random;
use host_store::testing::{Moment, Then};
use host_store::{MemoryStore, Read};
use serde_json::Value;

fn ids(parts: &[Part]) -> String {
    let ids: Vec<&str> = parts.iter().flat_map(|part| &part.events).map(|event| event.id.as_str()).collect();
    ids.join(" ")
}

/// Property 1: permutation. The end is also checked with the oracle.
#[test]
fn any_order_ends_in_the_same_state() {
    of_every_business(file!(), 6, 9, |catalog, moves, version, seed| {
        let checked = checked_story(catalog, "A", moves);
        let story = &checked.story;
        let parts = story.parts_in(VERSIONS[version]);
        let expected = played(&story.business, &parts);
        let mut random = Random::new(seed);
        let law = (0..3).try_for_each(|turn| {
            let other = shuffled(&parts, &mut random);
            let what = format!("turn {turn}, in the order {}", ids(&other));
            let mut found = played(&story.business, &other);
            same_state(&expected, &found, &what)?;
            judge_end(&mut found, &checked).map_err(|problem| format!("{what}: {problem}"))
        });
        report_failure("permutation", story, law)
    });
}

fn repeated(story: &Story, parts: &[Part], seed: u64) -> Result<(), String> {
    let mut world = world(&story.business);
    let mut random = Random::new(seed);
    let mut past: Vec<&Delivery> = Vec::new();
    for part in parts {
        world.advance_to(part.clock).expect("the store has no fault");
        for event in &part.events {
            world.deliver(&event.bytes).expect("the store has no fault");
            past.push(event);
            again(&mut world, past[random.below(past.len())])?;
        }
        world.settle().expect("the store has no fault");
        for command in &part.commands {
            world.deliver(&command.bytes).expect("the store has no fault");
            again(&mut world, command)?;
            world.settle().expect("the store has no fault");
            past.push(command);
            again(&mut world, past[random.below(past.len())])?;
        }
    }
    past.into_iter().try_for_each(|delivery| again(&mut world, delivery))
}

/// Properties 2 and 10: a repeated event, at any point, is a duplicate without changes and effects.
#[test]
fn a_repeated_event_changes_nothing() {
    of_every_business(file!(), 5, 9, |catalog, moves, version, seed| {
        let story = checked_story(catalog, "A", moves).story;
        report_failure("duplication", &story, repeated(&story, &story.parts_in(VERSIONS[version]), seed))
    });
}

/// Property 10: stale, ignored and duplicate events have no effects.
#[test]
fn events_without_changes_have_no_effects() {
    of_every_business(file!(), 6, 9, |catalog, moves, version, seed| {
        let story = checked_story(catalog, "A", moves).story;
        let parts = shuffled(&story.parts_in(VERSIONS[version]), &mut Random::new(seed));
        let world = played(&story.business, &parts);
        let quiet = |name: &str| matches!(name, "stale" | "ignored" | "duplicate");
        let loud = world.reports.iter().find(|report| quiet(report.result.name()) && !report.effects.is_empty());
        let law = match loud {
            Some(report) => {
                Err(format!("{} is {}, and has effects {:?}", report.event_id, report.result.name(), report.effects))
            }
            None => Ok(()),
        };
        report_failure("quiet", &story, law)
    });
}

/// Property 4: a run with a kill and a redelivery ends in the same state as the uninterrupted run, for some writes.
#[test]
fn a_kill_and_redelivery_end_as_the_uninterrupted_run() {
    of_every_business(file!(), 4, 7, |catalog, moves, version, seed| {
        let story = checked_story(catalog, "A", moves).story;
        let parts = story.parts_in(VERSIONS[version]);
        let mut expected = world(&story.business);
        expected.faults().fail_at(u64::MAX, Moment::Before, Then::Dead);
        play::whole(&mut expected, &parts);
        let writes = expected.faults().writes();
        let mut random = Random::new(seed);
        for moment in [Moment::Before, Moment::After, Moment::Before] {
            let write = random.below(writes as usize) as u64 + 1;
            let mut found = world(&story.business);
            found.faults().fail_at(write, moment, Then::Dead);
            for part in &parts {
                found.insist(|world| play::part(world, part));
            }
            let what = format!("killed {moment:?} write {write}");
            let law = same_state(&expected, &found, &what).and_then(|()| {
                let same = expected.scripted().inventory() == found.scripted().inventory();
                if same { Ok(()) } else { Err(format!("{what}: the resources differ")) }
            });
            report_failure("crash", &story, law)?;
        }
        Ok(())
    });
}

/// The rows of all accounts without timers: a host that carries out no effects leaves due timers open.
fn without_timers(mut document: Value) -> Value {
    let mut accounts = document["accounts"].take();
    for own in accounts.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        own.remove("timers");
    }
    accounts
}

/// Property 7: a new host without effects makes the same decisions from the inbox.
#[test]
fn the_log_replays_to_the_same_decisions() {
    of_every_business(file!(), 6, 10, |catalog, moves, version, _| {
        let story = checked_story(catalog, "A", moves).story;
        let world = played(&story.business, &story.parts_in(VERSIONS[version]));
        let runner = end_to_end::world::Setup::default().runners.make().expect("a runner");
        let of = world.processor().business();
        let config = end_to_end::world::business_named(&story.business).config.clone();
        let business = Business { config, ..of.clone() };
        let mut fresh = Processor::new(Box::new(MemoryStore::new()), runner, business).expect("the same configuration");
        let differences = replay_log(world.store(), &mut fresh).expect("the store has no fault");
        let not_state = world.processor().declared().not_state();
        let stores: [&dyn Read; 1] = [fresh.store()];
        let again = host_store::state_document(&stores, not_state).expect("a readable state");
        let law = match (differences.first(), difference(&without_timers(world.document()), &without_timers(again))) {
            (Some(first), _) => Err(format!("the log replays differently: {first:?}")),
            (None, Some(difference)) => Err(format!("the log replays to a different state: {difference}")),
            (None, None) => Ok(()),
        };
        report_failure("log", &story, law)
    });
}

/// Merges two lists at random, keeping the order of each.
fn merged(left: &[Delivery], right: &[Delivery], random: &mut Random) -> Vec<Delivery> {
    let mut turns: Vec<bool> = left.iter().map(|_| true).chain(right.iter().map(|_| false)).collect();
    random.shuffle(&mut turns);
    let (mut left, mut right) = (left.iter(), right.iter());
    turns.into_iter().filter_map(|turn| if turn { left.next() } else { right.next() }).cloned().collect()
}

/// Properties 5 and 11: each of two interleaved accounts ends in the state that it reaches alone.
#[test]
fn two_interleaved_accounts_end_as_each_alone() {
    of_every_business(file!(), 5, 8, |catalog, moves, version, seed| {
        // The other account makes the same moves with different flags.
        let turned: Vec<_> =
            moves.iter().map(|each| end_to_end::moves::Move { flags: each.flags.rotate_left(3), ..*each }).collect();
        let (a, b) = (checked_story(catalog, "A", moves).story, checked_story(catalog, "B", &turned).story);
        let version = VERSIONS[version];
        let (left, right) = (a.parts_in(version), b.parts_in(version));
        let mut random = Random::new(seed);
        let mut clock = 0;
        let (mut alone, mut together) = ((Vec::new(), Vec::new()), Vec::new());
        for index in 0..left.len().max(right.len()) {
            let none = Part::default();
            let (one, other) = (left.get(index).unwrap_or(&none), right.get(index).unwrap_or(&none));
            clock = clock.max(one.clock).max(other.clock);
            alone.0.push(Part { clock, ..one.clone() });
            alone.1.push(Part { clock, ..other.clone() });
            together.push(Part {
                clock,
                events: merged(&one.events, &other.events, &mut random),
                commands: merged(&one.commands, &other.commands, &mut random),
            });
        }
        let both = played(&a.business, &together).document();
        for (story, parts) in [(&a, &alone.0), (&b, &alone.1)] {
            let alone = played(&a.business, parts).document();
            let of = |document| of_account(document, &story.account);
            let law = match difference(&of(&alone), &of(&both)) {
                Some(difference) => Err(format!("{} differs from the run alone: {difference}", story.account)),
                None => Ok(()),
            };
            report_failure("interleaving", story, law)?;
        }
        Ok(())
    });
}
