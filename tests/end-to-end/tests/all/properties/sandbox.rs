//! Tests that the extension's entitlements, cash and subscriptions agree with the local Stripe.

use super::support::{judged, report_failure};
use end_to_end::hosts::{Counts, on_each_kind};
use end_to_end::moves::moves;
use end_to_end::people::checked_story;
use end_to_end::story::VERSIONS;
use end_to_end::traders::CheckedStory;
use end_to_end::world::World;
use host_engine::read;
use serde_json::json;

/// Checks that the extension has the same status of each subscription as Stripe.
fn knows(checked: &CheckedStory, world: &World) -> Result<(), String> {
    let scope = world.processor().scope(checked.story.account.parse().expect("an account"));
    let rows = read::subscriptions(world.store(), &scope).expect("readable rows");
    for (id, status) in &checked.story.books.statuses {
        let found = rows.iter().find(|row| row.id == *id).map(|row| json!(row.values.status));
        if found != Some(json!(status)) {
            return Err(format!("{id} is {status} at Stripe, but {found:?} here"));
        }
    }
    Ok(())
}

/// Properties 3 and 7, in every API version: after each part of a story, entitlements, plan and quotas follow from the
/// payments, and cash equals Stripe's books. At the end the extension has the same subscriptions as the local Stripe.
#[test]
fn entitlements_equal_payments_and_subscriptions_equal_stripe() {
    on_each_kind(file!(), Counts { quick: 24, shipped: 3 }, moves(9), |setup, moves| {
        let checked = checked_story("A", &moves);
        for version in VERSIONS {
            let law =
                judged(setup, &checked, &checked.story.parts_in(version)).and_then(|world| knows(&checked, &world));
            report_failure("sandbox", &[&checked.story], law.map_err(|problem| format!("{version}: {problem}")))?;
        }
        Ok(())
    });
}
