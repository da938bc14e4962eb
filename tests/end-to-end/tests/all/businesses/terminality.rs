//! Ended subscriptions of every business stay ended.

use super::support::{of_every_business, report_failure, shuffled, world};
use end_to_end::play;
use end_to_end::story::{Part, Story, VERSIONS};
use end_to_end::traders::checked_story;
use extension_contract::{Account, SubscriptionStatus};
use host_engine::read;
use host_replay::shuffle::Random;
use std::collections::BTreeSet;

fn is_final(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

/// Checks that ended subscriptions stay ended in any order, and that exactly the subscriptions that ended at Stripe
/// have ended.
fn stays_ended(story: &Story, parts: &[Part]) -> Result<(), String> {
    let account: Account = story.account.parse().expect("an account");
    let mut world = world(&story.business);
    let scope = world.processor().scope(account);
    let mut ended: BTreeSet<String> = BTreeSet::new();
    for part in parts {
        play::part(&mut world, part).expect("the store has no fault");
        let rows = read::subscriptions(world.store(), &scope).expect("readable rows");
        if let Some(row) = rows.iter().find(|row| ended.contains(&row.id) && !is_final(row.values.status)) {
            return Err(format!("{} had ended and is {:?}", row.id, row.values.status));
        }
        ended.extend(rows.into_iter().filter(|row| is_final(row.values.status)).map(|row| row.id));
    }
    let at_stripe =
        story.books.statuses.iter().filter(|(_, status)| matches!(status.as_str(), "canceled" | "incomplete_expired"));
    let at_stripe: BTreeSet<String> = at_stripe.map(|(id, _)| id.clone()).collect();
    if at_stripe == ended { Ok(()) } else { Err(format!("at Stripe {at_stripe:?} have ended, here {ended:?}")) }
}

/// Property 8: terminality.
#[test]
fn an_ended_subscription_stays_ended() {
    of_every_business(file!(), 6, 10, |catalog, moves, version, seed| {
        let story = checked_story(catalog, "A", moves).story;
        let parts = shuffled(&story.parts_in(VERSIONS[version]), &mut Random::new(seed));
        report_failure("terminality", &story, stays_ended(&story, &parts))
    });
}
