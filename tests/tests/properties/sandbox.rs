use super::support::{cases, played, told};
use end_to_end::books::Books;
use end_to_end::moves::moves;
use end_to_end::people::story;
use end_to_end::story::VERSIONS;
use end_to_end::world::World;
use host::read;
use products_contract::Account;
use proptest::prelude::*;
use serde_json::json;

/// The extension knows what Stripe knows of each subscription.
fn knows(books: &Books, world: &World, account: &Account) -> Result<(), String> {
    let failed = world.reports.iter().find(|report| report.result.name() == "failed");
    if let Some(report) = failed {
        return Err(format!("{} {} failed: {:?}", report.kind, report.event_id, report.result.reason()));
    }
    let scope = world.processor().scope(account.clone());
    let rows = read::subscriptions(world.store(), &scope).expect("rows can be read");
    for (id, status) in &books.statuses {
        let found = rows.iter().find(|row| row.id == *id).map(|row| json!(row.values.status));
        if found != Some(json!(status)) {
            return Err(format!("{id} is {status} at Stripe, and {found:?} here"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(24))]

    /// A story leaves the extension with what the local Stripe has, in every API version.
    #[test]
    fn what_stripe_tells_is_known(moves in moves(9)) {
        let story = story("A", &moves);
        let account = story.account.parse().expect("an account");
        for version in VERSIONS {
            let law = knows(&story.books, &played(&story.told_in(version)), &account);
            told("sandbox", &[&story], law.map_err(|problem| format!("{version}: {problem}")))?;
        }
    }
}
