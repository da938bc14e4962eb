//! The JSON form of products, purchases and subscriptions in the platform's API. Amounts are whole minor units.

use extension_contract::{IntervalUnit, Offer, SubscriptionStatus};
use host_engine::show;
use host_engine::view::parsed;
use serde_json::{Map, Value, json};

/// Members of a product's metadata that are repeated at the top level, as the extension does for an account's products.
const REPEATED: [&str; 2] = ["stripe_product_id", PRICE_ID];
/// The member with the id of a product's only price.
const PRICE_ID: &str = "stripe_price_id";

/// A product on sale, in the shape of an account's product, with its prices.
pub(crate) fn offer(offer: &Offer) -> Value {
    let values = &offer.product.values;
    let metadata = parsed(&values.metadata);
    let shown = show::offer(offer);
    let mut value = json!({
        "id": offer.product.id,
        "type": values.product_type,
        "product_type": values.product_type,
        "name": values.name,
        "description": values.description,
        "active": values.active,
        "status": "active",
        "price": values.price.as_ref().map(|price| price.amount_minor),
        "currency": values.price.as_ref().map(|price| price.currency.clone()),
        "billing_interval": values.interval.map(|interval| interval.unit),
        "available": offer.available,
        "prices": shown["prices"],
    });
    for name in REPEATED {
        if let Some(id) = metadata.get(name) {
            value[name] = id.clone();
        }
    }
    if let (true, [only]) = (value[PRICE_ID].is_null(), offer.prices.as_slice()) {
        value[PRICE_ID] = json!(only.id);
    }
    value["metadata"] = metadata;
    value
}

/// An object as a record: its id, and its other members as `data`.
pub(super) fn record(object: Value) -> Value {
    let Value::Object(mut data) = object else { return object };
    let id = data.remove("id").unwrap_or_default();
    json!({"id": id, "data": data})
}

/// A purchase from the query `list`.
pub(super) fn purchase(listed: &Value, account: &str) -> Value {
    let minor = |member: &str| listed[member]["amount_minor"].clone();
    json!({
        "id": listed["id"],
        "account": account,
        "status": listed["status"],
        "total_cents": minor("total"),
        "tax_cents": minor("tax"),
        "refunded_cents": minor("refunded"),
        "currency": listed["total"]["currency"],
        "provider_session_id": listed["session"],
        "provider_subscription_id": listed["subscription"],
    })
}

/// The lines of a purchase from the query `list`.
pub(super) fn lines(listed: &Value) -> Vec<Value> {
    let line = |item: &Value| {
        let unit = item["unit_price"]["amount_minor"].as_i64();
        let total = unit.and_then(|unit| unit.checked_mul(item["quantity"].as_i64()?));
        json!({
            "product_id": item["product_id"],
            "product_name": item["name"],
            "price_id": item["price_id"],
            "quantity": item["quantity"],
            "unit_price": unit,
            "total_price": total,
            "currency": item["unit_price"]["currency"],
        })
    };
    listed["items"].as_array().into_iter().flatten().map(line).collect()
}

/// Returns a sort key for subscriptions: those that entitle come first.
fn rank(status: &Value) -> u8 {
    use SubscriptionStatus::{Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Trialing, Unpaid};
    match serde_json::from_value(status.clone()) {
        Ok(Active | Trialing) => 0,
        Ok(PastDue) => 1,
        Ok(Incomplete | Paused | Unpaid) => 2,
        Ok(Canceled | IncompleteExpired) | Err(_) => 3,
    }
}

fn period_end(subscription: &Value) -> i64 {
    let items = subscription["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["period_end"].as_i64()).max().unwrap_or(0)
}

/// Returns the subscription in force, with the product of its first known price, or null if there is none.
pub(super) fn subscription(all: &[Value], offers: &[Offer]) -> Value {
    let counts = |it: &&Value| (rank(&it["status"]), std::cmp::Reverse(period_end(it)));
    let Some(found) = all.iter().min_by_key(counts) else { return Value::Null };
    let prices = found["items"].as_array().into_iter().flatten().filter_map(|item| item["price_id"].as_str());
    let plan = prices
        .filter_map(|id| offers.iter().find(|offer| offer.prices.iter().any(|price| price.id == id)))
        .map(|offer| offer.product.id.clone())
        .next();
    let time = |member: &str| found[member].as_i64().map(host_engine::time::text);
    json!({
        "id": found["id"],
        "plan": plan,
        "status": found["status"],
        "stripe_subscription_id": found["id"],
        "cancel_at_period_end": found["cancel_at_period_end"],
        "cancel_at": time("cancel_at"),
        "current_period_end": (period_end(found) > 0).then(|| host_engine::time::text(period_end(found))),
        "grace_period_end": time("grace_end"),
    })
}

/// Returns the name of a price's interval in `purchase.create`, or none for a one-time price.
pub(super) fn interval(offers: &[Offer], price: &str) -> Option<&'static str> {
    let mut prices = offers.iter().flat_map(|offer| &offer.prices);
    match prices.find(|found| found.id == price)?.interval?.unit {
        IntervalUnit::Day => Some("day"),
        IntervalUnit::Week => Some("week"),
        IntervalUnit::Month => Some("month"),
        IntervalUnit::Year => Some("year"),
    }
}

/// Returns the members of an answer which state that an instance is healthy.
pub(super) fn health(product: &Value) -> Value {
    let mut answer = Map::new();
    for name in ["id", "name", "status"] {
        answer.insert(name.to_owned(), product[name].clone());
    }
    let of_health = product["metadata"].as_object().into_iter().flatten();
    answer.extend(of_health.filter(|(name, _)| name.contains("health")).map(|(name, it)| (name.clone(), it.clone())));
    Value::Object(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subscription_that_entitles_counts_and_then_the_longest() {
        let of = |id: &str, status: &str, end: i64| json!({"id": id, "status": status, "items": [{"price_id": "price_1", "period_end": end}]});
        let all = [of("sub_1", "canceled", 9_000), of("sub_2", "past_due", 8_000), of("sub_3", "active", 2_000)];
        assert_eq!(subscription(&all, &[])["id"], "sub_3");
        assert_eq!(subscription(&all[..2], &[])["id"], "sub_2");
        let two = [of("sub_4", "active", 1_000), of("sub_5", "trialing", 3_000)];
        assert_eq!(subscription(&two, &[])["id"], "sub_5");
        assert_eq!(subscription(&[], &[]), Value::Null);
    }

    #[test]
    fn amounts_of_lines_are_whole_minor_units() {
        let unit = json!({"amount_minor": 333, "currency": "usd"});
        let listed = json!({"items": [{"product_id": "p", "name": "P", "quantity": 3, "unit_price": unit}]});
        assert_eq!(lines(&listed)[0]["total_price"], 999);
        let huge = json!({"items": [{"quantity": 3, "unit_price": {"amount_minor": i64::MAX}}]});
        assert_eq!(lines(&huge)[0]["total_price"], Value::Null);
    }
}
