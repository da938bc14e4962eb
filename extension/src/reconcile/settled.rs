//! Marks ended subscriptions as settled if they are no longer needed. Later events read settled subscriptions only by
//! name.

use super::usage_prices;
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::ids::PriceId;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::{DELIVERY_DAYS, plus_days};

/// Returns whether another ended subscription, which was lost later, granted everything that this subscription granted.
fn is_replaced(facts: &SubscriptionFacts, by: &SubscriptionFacts) -> bool {
    let lost = |facts: &SubscriptionFacts| facts.lost_at.map(|at| (at, facts.id.clone()));
    let gave = |id: &PriceId| by.gives.iter().any(|(price, _)| price.id == *id);
    by.row.is_final()
        && by.row.was_ever_served >= facts.row.was_ever_served
        && lost(by) > lost(facts)
        && facts.named.iter().all(|price| gave(&price.id))
}

/// Settles ended subscriptions that are not needed, and billing histories that changed after their subscription was
/// settled.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    for facts in standing.subscriptions.iter().filter(|facts| facts.row.is_final()) {
        if !facts.row.settled {
            // An event that is still to arrive may show another subscription beside it.
            if desk.now <= plus_days(facts.row.ended_at(), DELIVERY_DAYS)
                || usage_prices::needs(standing, facts.row.ended_at(), desk.now)
            {
                continue;
            }
            let mut others = standing.subscriptions.iter().filter(|other| other.id != facts.id);
            if !others.any(|other| is_replaced(facts, other)) {
                continue;
            }
            if let Some(row) = desk.account.row::<SubscriptionRow>(&facts.id)? {
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
