//! Finds the product that an account could buy to raise an exceeded quota.

use super::standing::AccountStanding;
use crate::catalog::amount::UNLIMITED;
use crate::catalog::price_rows::with_id;
use crate::catalog::product::is_purchasable;
use crate::catalog::sale::Sale;
use crate::catalog::schema::TypeDecl;
use crate::catalog::template::Scope;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use extension_contract::{Account, BillingInterval, IntervalUnit, QuotaRefusal};

/// Returns the cheapest product on sale that would allow the amount. A plan replaces the current plan of its family,
/// any other product adds to the allowed amount.
fn upgrade_for(desk: &Desk<'_>, standing: &AccountStanding, key: &str, amount: i64) -> Ruled<Option<String>> {
    let (catalog, owner) = (&desk.catalog, desk.account.owner());
    let types = catalog.types()?;
    let allowed = standing.allows(key);
    let mut best: Option<(i64, String)> = None;
    for row in catalog.products(None)?.iter().filter(|row| row.values.active) {
        if catalog.is_withdrawn(&row.values.product_type)? {
            continue;
        }
        let Some(decl) = types.iter().find(|decl| decl.name == row.values.product_type) else { continue };
        let granted = decl.grants.get(key).filter(|granted| granted.required().is_none());
        let (Some(granted), Some(price)) = (granted, &row.values.price) else { continue };
        let metadata = catalog.metadata(&row.id)?;
        if !is_purchasable(&metadata) || !can_buy(decl, &metadata, standing, owner) {
            continue;
        }
        let fields = with_id(&metadata, &row.id);
        let grants = granted.amount().of(&Scope::default().object("product", &fields)).unwrap_or(0);
        let replaced = decl.family.as_ref().and_then(|family| standing.plans.get(family));
        let of_plan = replaced.and_then(|plan| plan.grants.iter().find(|grant| grant.key == key));
        let others = allowed.saturating_sub(of_plan.map_or(0, |grant| grant.amount));
        let (least, most) = Sale::of(decl, &metadata)?.quantities();
        let most_useful = if granted.is_per_purchase() { 1 } else { most };
        let Some(quantity) = least_quantity(grants, amount.saturating_sub(others), most_useful) else { continue };
        let quantity = quantity.max(least.into());
        let cost = a_year(price.amount_minor.saturating_mul(quantity), row.values.interval);
        if best.as_ref().is_none_or(|(cheapest, _)| cost < *cheapest) {
            best = Some((cost, row.id.clone()));
        }
    }
    Ok(best.map(|(_, id)| id))
}

/// Returns the yearly sum of an amount for each period, so that monthly and yearly prices can be compared.
fn a_year(amount: i64, interval: Option<BillingInterval>) -> i64 {
    let Some(interval) = interval else { return amount };
    let periods = match interval.unit {
        IntervalUnit::Day => 365,
        IntervalUnit::Week => 52,
        IntervalUnit::Month => 12,
        IntervalUnit::Year => 1,
    };
    amount.saturating_mul(periods) / i64::from(interval.count.max(1))
}

/// Returns the quantity of a product with `grants` per unit that covers `missing`; `None` if it exceeds `most` (M6).
fn least_quantity(grants: i64, missing: i64, most: u32) -> Option<i64> {
    if grants == UNLIMITED || missing <= grants {
        return Some(1);
    }
    let quantity = 1 + (missing - 1).checked_div(grants.max(0))?;
    (quantity <= i64::from(most)).then_some(quantity)
}

/// Returns whether an account could buy a product: it is sold to accounts of this kind, its condition is met, and the
/// account does not own it yet.
fn can_buy(decl: &TypeDecl, metadata: &Object, standing: &AccountStanding, owner: Option<&Account>) -> bool {
    let Some(buy) = &decl.buy else { return true };
    let is_for_account = buy.account.is_none_or(|buyer| owner.is_some_and(|owner| buyer.is(owner)));
    let is_met = buy.required().is_none_or(|key| standing.is_granted_by_plan(key));
    is_for_account
        && is_met
        && buy.limited(metadata).is_none_or(|item| !standing.items.contains_key(&format!("{}:{item}", decl.name)))
}

/// Returns the refusal for an exceeded quota, with the limit, the used amount and a possible upgrade.
pub(crate) fn refusal(
    desk: &Desk<'_>,
    standing: &AccountStanding,
    key: &str,
    used: i64,
    amount: i64,
) -> Ruled<QuotaRefusal> {
    let upgrade = upgrade_for(desk, standing, key, used.saturating_add(amount))?;
    Ok(QuotaRefusal { quota: key.to_owned(), allowed: standing.allows(key), used, upgrade })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_sufficient_quantity_is_offered_up_to_the_maximum() {
        for (grants, missing, most, expected) in [
            (1, 2, 50, Some(2)),
            (100, 5_000, 50, Some(50)),
            (100, 5_001, 50, None),
            (10, 10, 1, Some(1)),
            (10, 11, 1, None),
            (UNLIMITED, 9, 1, Some(1)),
            (0, 1, 9, None),
            (5, -3, 1, Some(1)),
        ] {
            assert_eq!(least_quantity(grants, missing, most), expected, "{missing} of {grants} each, {most} at most");
        }
    }
}
