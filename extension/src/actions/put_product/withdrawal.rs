//! Takes products and prices off sale that the catalog document names no more. Who holds them keeps them: the rows stay, with what they
//! grant, so that events of subscriptions still count.

use crate::catalog::names::WITHDRAWN;
use crate::catalog::price::prices_of;
use crate::catalog::terms::Terms;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::ids::PriceId;
use crate::model::json::{Object, encode};
use extension_contract::{CatalogKey, CatalogRow, Fallible, Grant, Price, ProductValues};

/// Returns the values of a product that the catalog document names no more.
pub(super) fn withdrawn(values: &ProductValues) -> ProductValues {
    let mut values = ProductValues { active: false, ..values.clone() };
    values.filters.push((WITHDRAWN.to_owned(), "true".to_owned()));
    values
}

/// Returns whether the catalog document names a product no more.
pub(super) fn is_withdrawn(values: &ProductValues) -> bool {
    values.filters.iter().any(|(name, _)| name == WITHDRAWN)
}

/// Returns the Stripe ids of a product's prices.
pub(super) fn price_ids(desk: &Desk<'_>, values: &ProductValues, metadata: &Object) -> Ruled<Vec<PriceId>> {
    let currency = &desk.catalog.settings()?.currency;
    Ok(prices_of(values, metadata, currency).into_iter().filter_map(|price| price.id).collect())
}

/// Takes prices off sale. Returns those that were on sale.
pub(super) fn withdraw_prices(desk: &mut Desk<'_>, ids: Vec<PriceId>) -> Ruled<Vec<PriceId>> {
    let mut withdrawn = Vec::new();
    for id in ids {
        let Some(price) = desk.catalog.price(&id)?.filter(|price| price.active) else { continue };
        let price = Price { active: false, ..(**price).clone() };
        let key = CatalogKey::Price(id.to_string());
        desk.catalog.write_over(key, Some(CatalogRow::Price(price.clone())));
        desk.account.put_price(price)?;
        withdrawn.push(id);
    }
    Ok(withdrawn)
}

/// Adds the grants of the published price that the new one leaves out, with their conditions: subscribers keep what
/// they were sold. An amount of 0 takes a grant away.
pub(super) fn keep_grants(published: &Price, terms: &Terms, price: &mut Price) -> Fallible<()> {
    let is_left_out = |grant: &&Grant| price.grants.iter().all(|named| named.key != grant.key);
    let kept: Vec<Grant> = published.grants.iter().filter(is_left_out).cloned().collect();
    if kept.is_empty() {
        return Ok(());
    }
    let mut new = Terms::read(price)?;
    for grant in &kept {
        if let Some(condition) = terms.conditions.get(&grant.key) {
            new.conditions.insert(grant.key.clone(), condition.clone());
        }
    }
    price.terms = encode(&new)?;
    price.grants.extend(kept);
    Ok(())
}
