//! Sends the account's campaign membership to the platform: its products, subscription statuses and facts.

use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::ids::ProductId;
use crate::model::keys::EffectKey;
use crate::model::message::Message;
use crate::model::records::campaign::{Member, Membership};
use crate::model::records::purchase::PurchaseRow;
use extension_contract::{Account, Effect, SubscriptionStatus};

/// Sends the membership if it has changed and the business has campaigns.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    if standing.settings.campaigns.is_none() {
        return Ok(());
    }
    let mut known = desk.account.row::<Membership>(Membership::ID)?.unwrap_or_default();
    let member = Member {
        products: products(desk, standing)?,
        statuses: statuses(standing, &known.told),
        events: known.events.clone(),
        // A closed account has no recipient.
        unsubscribed: known.unsubscribed || standing.closed_at.is_some(),
        told: known.told.told,
    };
    if member == known.told {
        return Ok(());
    }
    let member = Member { told: member.told.saturating_add(1), ..member };
    let effect = request(&EffectKey::Member { told: member.told }, &Message::Member(member.clone()), None)?;
    desk.account.ask(Effect { to: Some(Account::Platform), ordering_key: Some("member".to_owned()), ..effect });
    known.told = member;
    desk.account.put(Membership::ID, known);
    Ok(())
}

/// Returns the products of the account's plans, effective subscriptions and one-time purchases.
fn products(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<Vec<ProductId>> {
    let mut out: Vec<ProductId> = standing.plans.values().map(|plan| plan.product_id.clone()).collect();
    for facts in standing.subscriptions.iter().filter(|facts| facts.lost_at.is_none()) {
        out.extend(
            facts.gives.iter().filter(|(price, _)| price.family.is_none()).map(|(price, _)| price.product_id.clone()),
        );
    }
    for (_, purchase) in desk.account.all::<PurchaseRow>()? {
        if purchase.grants() {
            out.extend(purchase.values.items.iter().map(|item| ProductId::from(item.product_id.as_str())));
        }
    }
    out.sort();
    out.dedup();
    Ok(out)
}

fn statuses(standing: &AccountStanding, told: &Member) -> Vec<SubscriptionStatus> {
    let mut out: Vec<SubscriptionStatus> = standing.subscriptions.iter().map(|facts| facts.row.status()).collect();
    if out.is_empty() && !told.statuses.is_empty() {
        out.push(SubscriptionStatus::Canceled);
    }
    out.sort();
    out.dedup();
    out
}
