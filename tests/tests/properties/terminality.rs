use super::support::{cases, told};
use end_to_end::moves::moves;
use end_to_end::people::story;
use end_to_end::play;
use end_to_end::story::{Part, VERSIONS};
use end_to_end::world::{Setup, World};
use host::read;
use host_replay::shuffle::Random;
use products_contract::{Account, SubscriptionStatus};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn is_final(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

/// What has ended stays ended, and where everything has ended nothing is granted.
fn stays_ended(parts: &[Part], account: &Account, seed: u64) -> Result<(), String> {
    let mut world = World::start(Setup::default());
    let mut random = Random::new(seed);
    let mut ended: BTreeSet<String> = BTreeSet::new();
    for part in parts {
        let mut part = part.clone();
        random.shuffle(&mut part.events);
        play::part(&mut world, &part).expect("the store has no fault");
        let scope = world.processor().scope(account.clone());
        let rows = read::subscriptions(world.store(), &scope).expect("rows can be read");
        if let Some(row) = rows.iter().find(|row| ended.contains(&row.id) && !is_final(row.values.status)) {
            return Err(format!("{} had ended and is {:?}", row.id, row.values.status));
        }
        ended.extend(rows.iter().filter(|row| is_final(row.values.status)).map(|row| row.id.clone()));
        if !rows.is_empty() && rows.iter().all(|row| is_final(row.values.status)) {
            let granted = world.entitlements(account).into_iter().find(|entitlement| entitlement.allowed != 0);
            if let Some(granted) = granted {
                return Err(format!("everything has ended, and {} of {} is granted", granted.allowed, granted.key));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(24))]

    /// Property 8: terminality.
    // covers: S31
    #[test]
    fn nothing_leaves_the_end_of_a_subscription(moves in moves(9), version in 0..2usize, seed: u64) {
        let story = story("A", &moves);
        let account = story.account.parse().expect("an account");
        told("terminality", &[&story], stays_ended(&story.told_in(VERSIONS[version]), &account, seed))?;
    }
}
