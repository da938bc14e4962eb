//! Tests that each of two interleaved accounts ends in the state that it reaches alone.

use super::support::{cash_is_there, report_failure};
use end_to_end::compare::{difference, of_account};
use end_to_end::hosts::{Counts, on_each_kind};
use end_to_end::moves::moves;
use end_to_end::people::story;
use end_to_end::story::{Delivery, Part, VERSIONS};
use end_to_end::world::{Setup, World};
use host_replay::shuffle::Random;
use proptest::prelude::*;

/// Puts two streams on one clock: both parts with the same index get the later of their two times.
fn on_one_clock(left: &[Part], right: &[Part]) -> (Vec<Part>, Vec<Part>) {
    let count = left.len().max(right.len());
    let mut clock = 0;
    let mut both = (Vec::new(), Vec::new());
    for index in 0..count {
        let clocks = [left.get(index), right.get(index)].into_iter().flatten().map(|part| part.clock);
        clock = clocks.fold(clock, i64::max);
        let at = |parts: &[Part]| Part { clock, ..parts.get(index).cloned().unwrap_or_default() };
        both.0.push(at(left));
        both.1.push(at(right));
    }
    both
}

/// Merges two lists at random, keeping the order of each.
fn merged(left: &[Delivery], right: &[Delivery], random: &mut Random) -> Vec<Delivery> {
    let mut turns: Vec<bool> = left.iter().map(|_| true).chain(right.iter().map(|_| false)).collect();
    random.shuffle(&mut turns);
    let (mut left, mut right) = (left.iter(), right.iter());
    turns.into_iter().filter_map(|turn| if turn { left.next() } else { right.next() }).cloned().collect()
}

fn interleaved(setup: &Setup, left: &[Part], right: &[Part], seed: u64) -> World {
    let mut random = Random::new(seed);
    let mut world = World::start(setup.clone());
    for (left, right) in left.iter().zip(right) {
        let part = Part {
            clock: left.clock,
            events: merged(&left.events, &right.events, &mut random),
            commands: merged(&left.commands, &right.commands, &mut random),
        };
        end_to_end::play::part(&mut world, &part).expect("the store has no fault");
    }
    world
}

/// Property 5: the streams of two accounts, merged at random. The cash of each account equals Stripe's books.
#[test]
fn two_interleaved_accounts_end_as_each_alone() {
    let cases = (moves(6), moves(6), (0..2usize, 0..2usize), any::<u64>());
    on_each_kind(file!(), Counts { quick: 16, shipped: 3 }, cases, |setup, (of_a, of_b, versions, seed)| {
        let (a, b) = (story("A", &of_a), story("B", &of_b));
        let (parts_a, parts_b) = on_one_clock(&a.parts_in(VERSIONS[versions.0]), &b.parts_in(VERSIONS[versions.1]));
        let together = interleaved(setup, &parts_a, &parts_b, seed).document();
        for (story, parts) in [(&a, &parts_a), (&b, &parts_b)] {
            let alone = super::support::played(setup, parts).document();
            let account = story.account.as_str();
            let law = match difference(&of_account(&alone, account), &of_account(&together, account)) {
                Some(difference) => Err(format!("{account} differs from the run alone: {difference}")),
                None => cash_is_there(&together, account, &story.books),
            };
            report_failure("interleaving", &[&a, &b], law)?;
        }
        Ok(())
    });
}
