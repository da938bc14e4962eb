//! How do the values of queries look as JSON? Times are RFC 3339, amounts are whole minor units.

use extension_contract::{Balance, Entitlement, Listed, Offer, Product, UsageTotal};
use host::time;
use host::view::parsed;
use serde_json::{Map, Value, json};

/// A list with its name; `next` is the value of `after` for the following page.
pub(crate) fn page(name: &str, entries: Vec<Value>, next: Option<Value>) -> Value {
    json!({name: entries, "next": next})
}

pub(crate) fn product(product: &Product) -> Value {
    let mut value = json!(product);
    value["values"]["metadata"] = parsed(&product.values.metadata);
    value
}

pub(crate) fn offer(offer: &Offer) -> Value {
    let prices: Vec<Value> = offer
        .prices
        .iter()
        .map(|price| {
            let mut value = json!(price);
            value["terms"] = parsed(&price.terms);
            value
        })
        .collect();
    json!({"product": product(&offer.product), "prices": prices, "available": offer.available})
}

/// Shows what an account may use of something.
pub fn entitlement(row: &Entitlement) -> Value {
    json!({
        "key": row.key,
        "allowed": row.allowed,
        "used": row.used,
        "resets_at": row.resets_at.map(time::text),
        "ends_at": row.ends_at.map(time::text),
        "sources": row.sources,
    })
}

pub(crate) fn usage(row: &UsageTotal) -> Value {
    let attributes: Map<String, Value> =
        row.attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "meter": row.meter,
        "attributes": attributes,
        "quantity": row.quantity,
        "cost_micros": row.cost_micros,
        "covered_micros": row.covered_micros,
        "requests": row.requests,
        "currency": row.currency,
    })
}

pub(crate) fn balance(row: &Balance) -> Value {
    json!({"ledger": row.ledger, "unit": row.unit, "available": row.available, "pending": row.pending})
}

pub(crate) fn listed(row: &Listed) -> Value {
    json!({"id": row.id, "value": parsed(&row.value)})
}
