//! Tests that an ended subscription stays ended and grants nothing.

use super::support::report_failure;
use end_to_end::hosts::{Counts, on_each_kind};
use end_to_end::judged::judge;
use end_to_end::moves::moves;
use end_to_end::people::checked_story;
use end_to_end::play;
use end_to_end::story::VERSIONS;
use end_to_end::traders::CheckedStory;
use end_to_end::world::{Setup, World};
use extension_contract::{Account, SubscriptionStatus};
use host_engine::read;
use host_replay::shuffle::Random;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn is_final(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

/// Checks that ended subscriptions stay ended, and that an account grants nothing after all of them ended.
fn stays_ended(setup: &Setup, checked: &CheckedStory, version: &str, seed: u64) -> Result<(), String> {
    let account: &Account = &checked.story.account.parse().expect("an account");
    let mut world = World::start(setup.clone());
    let mut random = Random::new(seed);
    let mut ended: BTreeSet<String> = BTreeSet::new();
    for (index, mut part) in checked.story.parts_in(version).into_iter().enumerate() {
        random.shuffle(&mut part.events);
        play::part(&mut world, &part).expect("the store has no fault");
        let scope = world.processor().scope(account.clone());
        let rows = read::subscriptions(world.store(), &scope).expect("readable rows");
        if let Some(row) = rows.iter().find(|row| ended.contains(&row.id) && !is_final(row.values.status)) {
            return Err(format!("{} had ended and is {:?}", row.id, row.values.status));
        }
        ended.extend(rows.iter().filter(|row| is_final(row.values.status)).map(|row| row.id.clone()));
        if !rows.is_empty() && rows.iter().all(|row| is_final(row.values.status)) {
            let granted = world.entitlements(account).into_iter().find(|entitlement| entitlement.allowed != 0);
            if let Some(granted) = granted {
                return Err(format!("all subscriptions ended, but {} of {} is granted", granted.allowed, granted.key));
            }
        }
        if let Some(expected) = checked.checks.get(&index) {
            judge(&mut world, account, expected).map_err(|problem| format!("part {index}: {problem}"))?;
        }
    }
    Ok(())
}

/// Property 8: terminality, with the events of each part in any order. Each part is checked with the oracle.
// covers: S31
#[test]
fn an_ended_subscription_stays_ended() {
    let cases = (moves(9), 0..2usize, any::<u64>());
    on_each_kind(file!(), Counts { quick: 24, shipped: 4 }, cases, |setup, (moves, version, seed)| {
        let checked = checked_story("A", &moves);
        report_failure("terminality", &[&checked.story], stays_ended(setup, &checked, VERSIONS[version], seed))?;
        Ok(())
    });
}
