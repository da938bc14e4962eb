//! Lists the prices that a catalog sells, with their products. Local mode creates those that the local Stripe lacks.

use extension_contract::{Account, BillingInterval, Money};
use host_engine::processor::Processor;
use host_engine::read;
use host_store::Stored;
use serde_json::Value;
use std::collections::BTreeMap;

/// Member of a product's metadata with the product's id at Stripe.
const PRODUCT_ID: &str = "stripe_product_id";

/// Member of a price's terms with its amounts in other currencies.
const CURRENCIES: &str = "currencies";

/// A price on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoldPrice {
    /// The id at Stripe.
    pub id: String,
    /// The id of the product at Stripe; the catalog's own id if it is not known.
    pub product: String,
    /// Name of the product.
    pub name: String,
    /// Amount per unit.
    pub amount: Money,
    /// Amounts per unit in other currencies, in minor units.
    pub currencies: BTreeMap<String, i64>,
    /// Billing period; none for a one-time sale.
    pub interval: Option<BillingInterval>,
}

/// Returns the prices on sale that a checkout can contain, which excludes those of amount 0, since these are granted
/// without one.
pub(crate) fn sold(processor: &Processor) -> Stored<Vec<SoldPrice>> {
    let (store, partition) = (processor.store(), processor.partition());
    let catalog = partition.scope(Account::Platform);
    let mut found = Vec::new();
    for price in read::prices(store, partition)? {
        if !price.active || price.amount.amount_minor == 0 {
            continue;
        }
        let Some(product) = read::product(store, &catalog, &price.product_id)? else { continue };
        let metadata: Value = serde_json::from_str(&product.values.metadata).unwrap_or_default();
        let terms: Value = serde_json::from_str(&price.terms).unwrap_or_default();
        let own = metadata[PRODUCT_ID].as_str().unwrap_or(&price.product_id).to_owned();
        found.push(SoldPrice {
            id: price.id,
            product: own,
            name: product.values.name,
            amount: price.amount,
            currencies: serde_json::from_value(terms[CURRENCIES].clone()).unwrap_or_default(),
            interval: price.interval,
        });
    }
    Ok(found)
}
