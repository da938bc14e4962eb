//! Tests that Stripe events between two commands lead to the same state in any order.

use super::support::{cases, judged, played, report_failure, same_state};
use end_to_end::judged::judge_end;
use end_to_end::moves::{Kind, Move, moves};
use end_to_end::people::checked_story;
use end_to_end::play;
use end_to_end::story::{Part, VERSIONS};
use end_to_end::traders::CheckedStory;
use end_to_end::world::{Setup, World};
use host_replay::shuffle::Random;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;

/// Maximum number of events of a part that is played in every order.
const EXHAUSTIVE_MAX: usize = 6;
/// Number of orders in which a larger part is played.
const SAMPLES: usize = 60;
/// Number of stories whose events are shuffled across moves.
const STORIES: usize = 60;

/// All orders of `count` items, as lists of indexes.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, next);
                    longer
                })
            })
            .collect();
    }
    all
}

fn some_orders(count: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = Random::new(seed);
    let shuffled = |_| {
        let mut order: Vec<usize> = (0..count).collect();
        random.shuffle(&mut order);
        order
    };
    (0..SAMPLES).map(shuffled).collect()
}

/// Effects that are needed in every order: those of Stripe, and receipts.
fn lasting_effects(world: &World) -> BTreeSet<String> {
    let effects = world.reports.iter().flat_map(|report| &report.effects);
    let lasting = effects.filter(|effect| {
        (effect.kind.starts_with("stripe.") && effect.kind != "stripe.retrieve")
            || effect.key.starts_with("mail:receipt:")
    });
    lasting.map(|effect| effect.key.clone()).collect()
}

/// Checks that a part ends in the same state, with the same lasting effects, in these orders as in its own order. The
/// oracle checks the run in its own order.
fn in_orders(checked: &CheckedStory, parts: &[Part], focus: usize, orders: Vec<Vec<usize>>) -> Result<(), String> {
    let setup = Setup::default();
    let expected = judged(&setup, checked, &parts[..=focus])?;
    for order in orders {
        let mut part = parts[focus].clone();
        part.events = order.iter().map(|index| parts[focus].events[*index].clone()).collect();
        let mut world = played(&setup, &parts[..focus]);
        play::part(&mut world, &part).expect("the store has no fault");
        let ids: Vec<&str> = part.events.iter().map(|event| event.id.as_str()).collect();
        let what = format!("in the order {}", ids.join(" "));
        same_state(&expected, &world, &what)?;
        if lasting_effects(&expected) != lasting_effects(&world) {
            return Err(format!("{what}: {:?} is not {:?}", lasting_effects(&expected), lasting_effects(&world)));
        }
    }
    Ok(())
}

/// Returns the index of the part with the most events, among the parts with 2 to `at_most` events.
fn largest(parts: &[Part], at_most: usize) -> Option<usize> {
    let fitting = parts.iter().enumerate().filter(|(_, part)| (2..=at_most).contains(&part.events.len()));
    fitting.max_by_key(|(_, part)| part.events.len()).map(|(index, _)| index)
}

proptest! {
    #![proptest_config(cases(12))]

    /// Property 1: all orders of the largest part with at most four events.
    #[test]
    fn every_order_of_a_part_ends_in_the_same_state(moves in moves(6), version in 0..2usize) {
        let checked = checked_story("A", &moves);
        let parts = checked.story.parts_in(VERSIONS[version]);
        if let Some(focus) = largest(&parts, 4) {
            let orders = orders(parts[focus].events.len());
            report_failure("permutation-all", &[&checked.story], in_orders(&checked, &parts, focus, orders))?;
        }
    }

    /// Property 1, sampled: the events of each part are shuffled. Each part is checked with the oracle.
    #[test]
    fn any_order_of_all_parts_ends_in_the_same_state(moves in moves(8), version in 0..2usize, seed: u64) {
        let checked = checked_story("A", &moves);
        let parts = checked.story.parts_in(VERSIONS[version]);
        let expected = played(&Setup::default(), &parts);
        let mut random = Random::new(seed);
        for turn in 0..6 {
            let mut shuffled = parts.clone();
            shuffled.iter_mut().for_each(|part| random.shuffle(&mut part.events));
            let ids: Vec<&str> = shuffled.iter().flat_map(|p| &p.events).map(|event| event.id.as_str()).collect();
            let what = format!("turn {turn} of seed {seed}, in the order {}", ids.join(" "));
            let law = judged(&Setup::default(), &checked, &shuffled)
                .map_err(|problem| format!("{what}: {problem}"))
                .and_then(|found| same_state(&expected, &found, &what));
            report_failure("permutation", &[&checked.story], law)?;
        }
    }
}

/// Outcomes and kinds of requested effects of the reports from `from` on. Keys may contain numbers that the state leaves out.
fn decisions(world: &World, from: usize) -> Vec<String> {
    let decided = world.reports[from..].iter().map(|report| {
        let mut kinds: Vec<&str> = report.effects.iter().map(|effect| effect.kind.as_str()).collect();
        kinds.sort_unstable();
        format!("{} {} {kinds:?}", report.event_id, report.result.name())
    });
    decided.collect()
}

proptest! {
    #![proptest_config(cases(12))]

    /// Two orders end in states that may differ in what `manifest.yml` leaves out of the state. The events after them are
    /// decided alike.
    #[test]
    fn later_events_do_not_depend_on_what_the_state_leaves_out(moves in moves(12), version in 0..2usize, seed: u64) {
        let checked = checked_story("A", &moves);
        let parts = checked.story.parts_in(VERSIONS[version]);
        let (first, later) = parts.split_at(parts.len() / 2);
        let mut shuffled = first.to_vec();
        let mut random = Random::new(seed);
        shuffled.iter_mut().for_each(|part| random.shuffle(&mut part.events));
        let setup = Setup::default();
        let (mut one, mut two) = (played(&setup, first), played(&setup, &shuffled));
        let law = same_state(&one, &two, "after the first half").and_then(|()| {
            for part in later {
                let from = (one.reports.len(), two.reports.len());
                play::part(&mut one, part).expect("the store has no fault");
                play::part(&mut two, part).expect("the store has no fault");
                let (expected, found) = (decisions(&one, from.0), decisions(&two, from.1));
                if expected != found {
                    return Err(format!("{found:?} instead of {expected:?}"));
                }
                same_state(&one, &two, "after a later part")?;
            }
            Ok(())
        });
        report_failure("permutation-later", &[&checked.story], law)?;
    }
}

/// Joins the Stripe events between two commands to one part, at the latest of their times, so that a late event of
/// one move can arrive after an event of the next move.
fn between_commands(parts: &[Part]) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        match merged.last_mut().filter(|last| last.commands.is_empty()) {
            Some(last) => {
                last.clock = last.clock.max(part.clock);
                last.events.extend(part.events.iter().cloned());
                last.commands.clone_from(&part.commands);
            }
            None => merged.push(part.clone()),
        }
    }
    merged
}

/// Property 1 across moves, for fixed stories in some orders. The end is checked with the oracle.
#[test]
fn any_order_between_two_commands_ends_in_the_same_state() {
    let (mut runner, mut random) = (TestRunner::deterministic(), Random::new(1));
    let mut broken = Vec::new();
    for index in 0..STORIES {
        let moves = moves(8).new_tree(&mut runner).expect("moves").current();
        let checked = checked_story("A", &moves);
        let story = &checked.story;
        let parts = between_commands(&story.parts_in(VERSIONS[index % 2]));
        let setup = Setup::default();
        let mut expected = played(&setup, &parts);
        let law = judge_end(&mut expected, &checked);
        broken.extend(
            report_failure(&format!("permutation-across-{index}"), &[story], law).err().map(|law| law.to_string()),
        );
        let differing = (0..6).find_map(|turn| {
            let mut shuffled = parts.clone();
            shuffled.iter_mut().for_each(|part| random.shuffle(&mut part.events));
            let ids: Vec<&str> = shuffled.iter().flat_map(|part| &part.events).map(|event| event.id.as_str()).collect();
            let what = format!("story {index}, turn {turn}, in the order {}", ids.join(" "));
            let law = same_state(&expected, &played(&setup, &shuffled), &what);
            report_failure(&format!("permutation-across-{index}"), &[story], law).err().map(|broken| broken.to_string())
        });
        broken.extend(differing);
    }
    assert!(
        broken.is_empty(),
        "{} of {STORIES} stories end differently in another order:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

fn a_move(kind: Kind, flags: u16) -> Move {
    Move::plain(kind, flags, 2)
}

/// Property 1 for purchases and renewals: all 720 orders of six events.
// covers: S97
#[test]
fn all_orders_of_six_events_end_in_the_same_state() {
    let stories = [
        // A purchase by our own command, with an instance.
        vec![a_move(Kind::Order, 1), a_move(Kind::Buy, 0)],
        // A purchase made elsewhere, and a failed renewal.
        vec![a_move(Kind::Buy, 0), a_move(Kind::Renew, 0b1_1000_0000)],
    ];
    for moves in stories {
        let checked = checked_story("A", &moves);
        for version in VERSIONS {
            let parts = checked.story.parts_in(version);
            let focus = largest(&parts, EXHAUSTIVE_MAX).expect("a part of up to six events");
            let orders = orders(parts[focus].events.len());
            in_orders(&checked, &parts, focus, orders).unwrap_or_else(|broken| panic!("{version}: {broken}"));
        }
    }
}

/// Property 1 for more than six events: some orders.
#[test]
fn many_orders_of_a_large_purchase_end_in_the_same_state() {
    let checked = checked_story("A", &[a_move(Kind::Order, 0b111_1010_0001), a_move(Kind::Buy, 0)]);
    for version in VERSIONS {
        let parts = checked.story.parts_in(version);
        let focus = parts.iter().position(|part| part.events.len() > EXHAUSTIVE_MAX).expect("a part of seven or more");
        let orders = some_orders(parts[focus].events.len(), 1);
        in_orders(&checked, &parts, focus, orders).unwrap_or_else(|broken| panic!("{version}: {broken}"));
    }
}
