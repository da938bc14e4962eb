use super::support::{judged, told};
use end_to_end::hosts::{Counts, on_each_kind};
use end_to_end::moves::moves;
use end_to_end::people::tale;
use end_to_end::story::VERSIONS;
use end_to_end::traders::Tale;
use end_to_end::world::World;
use host::read;
use serde_json::json;

/// The extension knows what Stripe knows of each subscription.
fn knows(tale: &Tale, world: &World) -> Result<(), String> {
    let scope = world.processor().scope(tale.story.account.parse().expect("an account"));
    let rows = read::subscriptions(world.store(), &scope).expect("rows can be read");
    for (id, status) in &tale.story.books.statuses {
        let found = rows.iter().find(|row| row.id == *id).map(|row| json!(row.values.status));
        if found != Some(json!(status)) {
            return Err(format!("{id} is {status} at Stripe, and {found:?} here"));
        }
    }
    Ok(())
}

/// Properties 3 and 7: after each part of a story an account may use what is paid for and no more, its plan and its quotas, and
/// the money is where Stripe says it is; at the end the extension has what the local Stripe has, in every API version.
#[test]
fn what_stripe_tells_is_known_and_what_is_paid_for_is_had() {
    on_each_kind(file!(), Counts { quick: 24, shipped: 3 }, moves(9), |setup, moves| {
        let tale = tale("A", &moves);
        for version in VERSIONS {
            let law = judged(setup, &tale, &tale.story.told_in(version)).and_then(|world| knows(&tale, &world));
            told("sandbox", &[&tale.story], law.map_err(|problem| format!("{version}: {problem}")))?;
        }
        Ok(())
    });
}
