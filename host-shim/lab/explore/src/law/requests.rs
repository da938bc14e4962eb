//! Checks single requests: a command changes only what it mentions, and Stripe accepts each amount.

use super::money::Movement;
use crate::told::{Told, offers};
use extension_contract::{Outcome, Payload};
use host_replay::rig::Rig;
use host_scenario::error::ReplayError;
use serde_json::Value;

/// Currencies whose amounts at Stripe end in a zero, because the last of three decimals is not accepted (S96).
const THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// Currencies that Stripe writes with two decimals although they have none (S96).
const WHOLE_ONLY: [&str; 2] = ["isk", "ugx"];

/// Returns the first movement with an amount that Stripe refuses.
pub(super) fn not_sendable(movements: &[Movement]) -> Option<String> {
    let step = |currency: &str| match currency {
        currency if THOUSANDTHS.contains(&currency) => 10,
        currency if WHOLE_ONLY.contains(&currency) => 100,
        _ => 1,
    };
    let refused = movements.iter().find(|of| of.amount.is_some_and(|amount| amount % step(&of.currency) != 0))?;
    Some(format!("{refused}: {} has no such amount at Stripe", refused.currency))
}

/// Returns the first change to a subscription that alters something its command does not mention.
pub(super) fn unnamed(host: &Rig) -> Result<Option<String>, ReplayError> {
    let rows = host.store().inbox_after(None, 0, usize::MAX)?;
    if !rows.iter().any(|row| row.event.kind == "subscription.change") {
        return Ok(None);
    }
    let offers = offers(&host.setup().business, host.setup().livemode);
    let mut told = Told::default();
    for row in &rows {
        let body = match &row.event.payload {
            Payload::Payment(bytes) => {
                told.read(&serde_json::from_slice(bytes).unwrap_or_default());
                continue;
            }
            Payload::Command(body) if row.event.kind == "subscription.change" => body,
            _ => continue,
        };
        let Some(account) = row.event.account.as_ref().filter(|_| row.outcome == Some(Outcome::Applied)) else {
            continue;
        };
        let named: Value = serde_json::from_str(body).unwrap_or_default();
        let scope = host.processor().scope(account.clone());
        for effect in host.store().effects_of(&scope, 0, usize::MAX)? {
            if effect.caused_by != row.event.id || effect.effect.kind != "stripe.subscription.update" {
                continue;
            }
            let asked: Value = serde_json::from_str(&effect.effect.payload).unwrap_or_default();
            let id = asked["subscription"].as_str().unwrap_or_default();
            let items = told.subscriptions.get(id).map(|known| &known.items);
            let Some(item) = items.into_iter().flatten().find(|item| asked["item"] == *item.id) else { continue };
            // A plan that is sold in different quantities gets the nearest of them.
            let offer = offers.iter().find(|offer| asked["price"] == *offer.price);
            let product = offer.map_or(named["plan_id"].as_str(), |offer| Some(offer.product.as_str()));
            let (least, most) = quantities(&host.setup().business.catalog, product);
            let kept = item.quantity.max(least).min(most);
            if let Some(quantity) = asked["quantity"].as_i64()
                && named["quantity"].is_null()
                && quantity != kept
            {
                return Ok(Some(format!(
                    "{} names no quantity, and {} become {quantity}",
                    row.event.id, item.quantity
                )));
            }
            let held = offers.iter().find(|offer| offer.price == item.price);
            let is_same = held.is_some_and(|held| {
                let same_interval = named["interval"].is_null() || named["interval"] == *held.interval;
                named["plan_id"] == *held.product && same_interval
            });
            if is_same && asked["price"] != *item.price {
                let what =
                    format!("{} names no other plan, and {} becomes {}", row.event.id, item.price, asked["price"]);
                return Ok(Some(what));
            }
        }
    }
    Ok(None)
}

/// Returns the smallest and the largest quantity of a purchase of a product.
fn quantities(catalog: &Value, product: Option<&str>) -> (i64, i64) {
    let find = |list: &str, name: &str, wanted: Option<&str>| {
        catalog[list].as_array().into_iter().flatten().find(|of| of[name].as_str() == wanted).unwrap_or(&Value::Null)
    };
    let product = find("products", "id", product);
    let of_type = find("product_types", "name", product["product_type"].as_str());
    let range = if product["quantity"].is_object() { &product["quantity"] } else { &of_type["buy"]["quantity"] };
    (range["at_least"].as_i64().unwrap_or(1), range["at_most"].as_i64().unwrap_or(1))
}
