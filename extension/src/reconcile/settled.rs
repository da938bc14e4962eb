//! Which ended subscriptions are still missed: the others are settled, and no later event reads them unless it names
//! them.

use crate::catalog::desk::Desk;
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::model::halt::Ruled;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;

/// Whether all that one ended subscription gave was given by another one that was lost later.
fn is_outlived(facts: &SubscriptionFacts, by: &SubscriptionFacts) -> bool {
    let lost = |facts: &SubscriptionFacts| facts.lost_at.map(|at| (at, facts.id.clone()));
    let gave = |id: &str| by.gives.iter().any(|(price, _)| price.id == id);
    by.row.is_final()
        && by.row.was_ever_served >= facts.row.was_ever_served
        && lost(by) > lost(facts)
        && facts.named.iter().all(|price| gave(&price.id))
}

/// Settle what is missed no more, and what was told of it after it was settled.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    for facts in standing.subscriptions.iter().filter(|facts| facts.row.is_final()) {
        if !facts.row.settled {
            let mut others = standing.subscriptions.iter().filter(|other| other.id != facts.id);
            if !others.any(|other| is_outlived(facts, other)) {
                continue;
            }
            if let Some(row) = desk.account.fetch::<SubscriptionRow>(&facts.id)? {
                desk.account.put(&facts.id, SubscriptionRow { settled: true, ..row });
            }
        }
        let billing = desk.account.get::<BillingHistory>(&facts.id)?;
        if let Some(billing) = billing.filter(|billing| !billing.settled) {
            desk.account.put(&facts.id, BillingHistory { settled: true, ..BillingHistory::clone(&billing) });
        }
    }
    Ok(())
}
