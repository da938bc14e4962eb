//! Clauses of `products`.

use crate::coverage::clause::{Clause, text, values};
use serde_json::Value;

/// The clauses of the products that have an id.
pub(crate) fn of_products(catalog: &Value) -> Vec<Clause> {
    let how = "an account buys the product, subscribes to it, has a grant of it, or has an instance that it pays for";
    let mut found = Vec::new();
    for (at, product) in values(&catalog["products"], "/products") {
        let id = text(&product["id"]);
        if id.is_empty() {
            continue;
        }
        found.push(Clause::new(format!("product {id}"), at, how, move |state| {
            state.purchases.iter().any(|bought| bought.product_id == id)
                || state.subscribed.iter().any(|(product, _)| *product == id)
                || state.entitlements.iter().any(|entitlement| state.granted_by(entitlement).any(|by| by == id))
                || state.instances.iter().any(|instance| instance.metadata.values().any(|value| value == id.as_str()))
        }));
    }
    found
}
