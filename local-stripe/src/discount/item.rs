//! Discounts of single items: a subscription's item, an invoice item, or a one-time price of a subscription.

use serde_json::{Value, json};

use super::redeem::{self, Purpose};
use super::term;
use crate::error::ApiError;
use crate::object::Object;
use crate::pricing;
use crate::state::State;

/// Returns the discounts of an item, as objects.
pub fn of(st: &State, item: &Value) -> Vec<Value> {
    term::ids_of_item(item).iter().filter_map(|id| st.seek(id)).map(|discount| discount.value()).collect()
}

/// Returns the discounts of a subscription's item for a new invoice. A one-time discount that already reduces a draft
/// is excluded.
pub fn in_force(st: &State, customer: &str, item: &Value) -> Vec<Value> {
    let mut all = of(st, item);
    all.retain(|discount| !term::counts_once(discount) || !term::is_promised(st, customer, &discount["id"]));
    all
}

/// Sets the discounts of a subscription's item to those of a request: redeems the new discounts, and ends those that
/// are not in the request. Emits the events of the discounts, but not the event of the subscription.
///
/// # Errors
/// A discount is unknown or can't be redeemed, or an amount is invalid.
pub fn set(st: &mut State, sub: &Object, item: &mut Value, given: &[Value], param: &str) -> Result<(), ApiError> {
    let known = term::ids_of_item(item);
    let mut all: Vec<String> = given.iter().filter_map(|one| one["discount"].as_str()).map(str::to_owned).collect();
    if let Some(wrong) = all.iter().find(|id| !known.contains(id)) {
        return Err(ApiError::no_such("discount", wrong, param));
    }
    let amount = pricing::amount(&item["price"], item["quantity"].as_i64().unwrap_or(1))?;
    let purpose = Purpose { customer: Some(sub.text("customer")), amount, currency: sub.text("currency") };
    let redeemed = redeem::read(st, given, param, purpose)?;
    let now = st.now(sub);
    for gone in known.iter().filter(|id| !all.contains(id)) {
        term::end(st, gone, now);
    }
    for one in &redeemed {
        let made = redeem::redeem(st, one, sub.get("customer"), now, |discount| {
            discount.set("subscription", sub.id());
            discount.set("subscription_item", item["id"].clone());
        });
        st.emit("customer.discount.created", &made);
        all.push(made.id().to_owned());
    }
    item["discounts"] = json!(all);
    Ok(())
}

/// Redeems the requested discounts for an invoice or an invoice line, and returns them as objects. An existing discount
/// must belong to the customer.
///
/// # Errors
/// A discount is unknown or can't be redeemed.
pub fn redeem_for(
    st: &mut State,
    given: &[Value],
    param: &str,
    customer: &Object,
    amount: i64,
    currency: &str,
) -> Result<Vec<Value>, ApiError> {
    let purpose = Purpose { customer: Some(customer.id()), amount, currency };
    let mut all = Vec::new();
    for id in given.iter().filter_map(|entry| entry["discount"].as_str()) {
        let known = st.load("discount", id, param)?;
        if known.text("customer") != customer.id() {
            return Err(ApiError::no_such("discount", id, param));
        }
        all.push(known.value());
    }
    let redeemed = redeem::read(st, given, param, purpose)?;
    let now = st.now(customer);
    all.extend(redeemed.iter().map(|one| redeem::redeem(st, one, &json!(customer.id()), now, |_| {}).value()));
    Ok(all)
}
