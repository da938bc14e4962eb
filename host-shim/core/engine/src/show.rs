//! JSON form of the values that queries return. Times are RFC 3339, and amounts are whole minor units.

use crate::processor::open_effects;
use crate::time;
use crate::view::parsed;
use extension_contract::{Balance, Entitlement, FieldError, Listed, Offer, Product, Refusal, UsageTotal};
use serde_json::{Map, Value, json};

/// A list under its name; `next` is the value of `after` for the following page.
pub fn page(name: &str, entries: Vec<Value>, next: Option<Value>) -> Value {
    json!({name: entries, "next": next})
}

/// Shows a product.
pub fn product(product: &Product) -> Value {
    let mut value = json!(product);
    value["values"]["metadata"] = parsed(&product.values.metadata);
    value
}

/// Shows a product on sale with its prices.
pub fn offer(offer: &Offer) -> Value {
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

/// Parses an entry of the list `offers`; none if the product is not on sale.
pub fn listed_offer(text: &str) -> Option<Offer> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let product = serde_json::from_value(value.get_mut("product")?.take()).ok()?;
    let prices = serde_json::from_value(value.get_mut("prices")?.take()).ok()?;
    Some(Offer { product, prices, available: value.get("available")?.as_bool()? })
}

/// Shows an entitlement of an account.
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

/// Shows the usage of a meter.
pub fn usage(row: &UsageTotal) -> Value {
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

/// Shows a balance.
pub fn balance(row: &Balance) -> Value {
    json!({"ledger": row.ledger, "unit": row.unit, "available": row.available, "pending": row.pending})
}

/// Shows an entry of a list.
pub fn listed(row: &Listed) -> Value {
    json!({"id": row.id, "value": parsed(&row.value)})
}

/// Returns the HTTP status of a refusal.
pub fn refusal_status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Malformed(_) | Refusal::WrongShape(_) => 400,
        Refusal::RequirementUnmet(_) | Refusal::InsufficientBalance(_) | Refusal::NoEntitlement(_) => 402,
        Refusal::Forbidden(_) => 403,
        Refusal::NotFound(_) => 404,
        Refusal::Unclaimed
        | Refusal::ModeMismatch
        | Refusal::AmountMismatch(_)
        | Refusal::Inconsistent(_)
        | Refusal::AlreadyOwned(_)
        | Refusal::QuotaExceeded(_)
        | Refusal::NameTaken(_)
        | Refusal::BadTransition(_) => 409,
        Refusal::Invalid(_) | Refusal::UnknownStatus(_) | Refusal::UnknownPrice(_) => 422,
    }
}

/// Returns the description of a refusal by the host because too many effects of the account are open. It is answered with
/// 429.
pub fn too_many_open(refusal: &Refusal) -> Option<String> {
    let open = open_effects(refusal)?;
    Some(format!("{open} requests of this account are still being carried out; try again when some of them have ended"))
}

/// Returns the further members of an answer to a refused request.
pub fn refusal_members(refusal: &Refusal) -> Map<String, Value> {
    let mut members = Map::new();
    match refusal {
        Refusal::Invalid(errors) => drop(members.insert("errors".to_owned(), wrong_fields(errors))),
        Refusal::QuotaExceeded(quota) => {
            members.insert("quota".to_owned(), json!(quota.quota));
            members.insert("allowed".to_owned(), json!(quota.allowed));
            members.insert("used".to_owned(), json!(quota.used));
            members.insert("upgrade".to_owned(), json!(quota.upgrade));
        }
        _ => {}
    }
    members
}

/// Returns the wrong values, each with a pointer to it, a code, a message, the allowed values, and the one that was probably
/// meant.
pub fn wrong_fields(errors: &[FieldError]) -> Value {
    errors.iter().map(wrong_field).collect()
}

fn wrong_field(error: &FieldError) -> Value {
    let mut shown = json!({"pointer": error.path, "code": error.code, "detail": error.message()});
    if !error.expected.is_empty() {
        shown["expected"] = json!(error.expected);
    }
    if let Some(suggestion) = &error.suggestion {
        shown["suggestion"] = json!(suggestion);
    }
    shown
}
