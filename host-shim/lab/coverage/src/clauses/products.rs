//! `products`: what is on sale.

use crate::clause::{Clause, text, values};
use serde_json::Value;

/// The products of a catalog that have an id.
pub(crate) fn of_products(catalog: &Value) -> Vec<Clause> {
    let how = "an account buys the product or subscribes to it, is allowed something by it, or has something that it pays for";
    let mut found = Vec::new();
    for (at, product) in values(&catalog["products"], "/products") {
        let id = text(&product["id"]);
        if id.is_empty() {
            continue;
        }
        found.push(Clause::new(format!("product {id}"), at, how, move |seen| {
            seen.bought.iter().any(|bought| bought.product_id == id)
                || seen.subscribed.iter().any(|(product, _)| *product == id)
                || seen.entitlements.iter().any(|entitlement| seen.granted_by(entitlement).any(|by| by == id))
                || seen.had.iter().any(|had| had.metadata.values().any(|value| value == id.as_str()))
        }));
    }
    found
}
