//! The actions that a customer can take in the billing portal, as far as the session's configuration allows them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::billing::changes::{change, cycle, end};
use crate::billing::invoicing::invoice;
use crate::billing::period::period;
use crate::calendar::HOUR_S;
use crate::error::ApiError;
use crate::ids;
use crate::model;
use crate::object::{Object, key};
use crate::params::Args;
use crate::payments::method;
use crate::pricing;
use crate::state::State;

/// The lifetime of a session in seconds, on the sandbox's clock.
pub const SESSION_S: i64 = HOUR_S;
/// The maximum number of prices offered for a plan change.
pub const OFFERS_MAX: usize = 20;

/// Returns the id of the default configuration. It is derived from the number 0, which no other id uses.
pub fn default_id(st: &State) -> String {
    ids::id("bpc", st.settings.seed, 0)
}

/// Returns a configuration. The default configuration is built here until it has been stored.
///
/// # Errors
/// There is no such configuration.
pub fn configuration(st: &State, id: &str, param: &str) -> Result<Arc<Object>, ApiError> {
    if id == default_id(st) && st.seek(id).is_none() {
        return Ok(Arc::new(model::portal::default_configuration(id.to_owned(), st.settings.start_s)));
    }
    st.load("billing_portal.configuration", id, param)
}

/// Whether a session has expired.
pub fn is_over(st: &State, session: &Object) -> bool {
    st.clock_s() >= session.int("created") + SESSION_S
}

/// Returns an unexpired session and its configuration.
///
/// # Errors
/// The session is unknown or expired.
pub fn live(st: &State, id: &str) -> Result<(Arc<Object>, Arc<Object>), ApiError> {
    let session = st.load("billing_portal.session", id, "id")?;
    if is_over(st, &session) {
        return Err(ApiError::coded("portal_session_expired", "This portal session has expired."));
    }
    let configuration = configuration(st, session.text("configuration"), "configuration")?;
    Ok((session, configuration))
}

/// Whether a configuration allows a feature.
pub fn allows(configuration: &Object, feature: &str) -> bool {
    configuration.at(&format!("features.{feature}.enabled")) == true
}

fn check_allowed(configuration: &Object, feature: &str) -> Result<(), ApiError> {
    if allows(configuration, feature) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("This portal configuration doesn't allow {feature}.")))
}

/// Returns a subscription of the session's customer.
///
/// # Errors
/// The customer has no such subscription.
pub fn owned(st: &State, session: &Object, id: &str) -> Result<Arc<Object>, ApiError> {
    let found = st.load("subscription", id, "subscription")?;
    if found.text("customer") != session.text("customer") {
        return Err(ApiError::no_such("subscription", id, "subscription"));
    }
    Ok(found)
}

/// Whether a subscription can be managed in the portal: it is neither incomplete nor ended.
pub fn is_live(sub: &Object) -> bool {
    !matches!(sub.text("status"), "canceled" | "incomplete" | "incomplete_expired")
}

/// Returns the prices to which a subscription can change, cheapest first: the prices in the configuration or, if it
/// lists none, all recurring prices in the subscription's currency. At most [`OFFERS_MAX`].
pub fn offers(st: &State, configuration: &Object, sub: &Object) -> Vec<Arc<Object>> {
    let may_change = allows(configuration, "subscription_update")
        && configuration.list_at("features.subscription_update.default_allowed_updates").contains(&json!("price"));
    // With several items, it is unclear which item to change. Stripe's portal does not change such subscriptions
    // either.
    let [item] = sub.list_at("items") else { return Vec::new() };
    if !may_change || !is_live(sub) {
        return Vec::new();
    }
    let products = configuration.list_at("features.subscription_update.products");
    let listed = |price: &Object| {
        products.is_empty()
            || products.iter().any(|p| {
                p["product"] == *price.get("product")
                    && p["prices"].as_array().is_some_and(|all| all.contains(price.get("id")))
            })
    };
    let fits = |price: &Arc<Object>| {
        price.is("active")
            && price.text("type") == "recurring"
            && !pricing::is_metered(&price.value())
            && price.text("currency") == sub.text("currency")
            && *price.get("id") != item["price"]["id"]
            && st.seek(&key("product", price.text("product"))).is_some_and(|p| p.is("active"))
            && listed(price)
    };
    let mut found: Vec<Arc<Object>> = st.newest("price", None).filter(fits).take(OFFERS_MAX).collect();
    found.sort_by_key(|p| p.int("unit_amount"));
    found
}

/// Returns the subscription of a requested plan change, and the change as the parameters of a subscription update.
fn plan_change(st: &State, session: &str, args: &Args) -> Result<(Arc<Object>, Args), ApiError> {
    let (session, configuration) = live(st, session)?;
    check_allowed(&configuration, "subscription_update")?;
    let sub = owned(st, &session, args.text("subscription").unwrap_or_default())?;
    let price = args.text("price").unwrap_or_default();
    // A session whose flow confirms one change allows this change even if the price is not offered.
    let confirms = session.at("flow.subscription_update_confirm");
    let agreed = confirms["subscription"] == sub.id() && confirms["items"][0]["price"] == price;
    if !agreed && !offers(st, &configuration, &sub).iter().any(|p| p.id() == price) {
        return Err(ApiError::invalid("This plan isn't on offer for that subscription.").about("price"));
    }
    let item = sub.list_at("items").first().cloned().unwrap_or_default();
    let feature = |name: &str| configuration.at(&format!("features.subscription_update.{name}")).clone();
    let quantity = confirms["items"][0]["quantity"].as_i64().filter(|_| agreed);
    let quantity = quantity.map_or(item["quantity"].clone(), Value::from);
    let mut update = Args::default();
    update.put("items", json!([{ "id": item["id"], "price": price, "quantity": quantity }]));
    update.put("proration_behavior", feature("proration_behavior"));
    if feature("billing_cycle_anchor") == "now" {
        update.put("billing_cycle_anchor", json!("now"));
    }
    if sub.text("status") == "trialing" && feature("trial_update_behavior") == "end_trial" {
        update.put("trial_end", json!("now"));
    }
    Ok((sub, update))
}

/// Changes the plan of a subscription. If the payment fails, nothing changes. If it requires 3-D Secure, the change
/// stays pending, and the customer returns to the portal afterwards.
///
/// # Errors
/// The session is unknown or expired, the change is not allowed, or its payment failed.
pub fn update(st: &mut State, session: &str, args: &Args) -> Result<Value, ApiError> {
    let (sub, mut update) = plan_change(st, session, args)?;
    update.put("payment_behavior", json!("error_if_incomplete"));
    match change::update(st, sub.id(), &update) {
        Err(error) if error.code.as_deref() == Some("subscription_payment_intent_requires_action") => st.roll_back(),
        outcome => return outcome,
    }
    update.put("payment_behavior", json!("pending_if_incomplete"));
    let waiting = change::update(st, sub.id(), &update)?;
    let intent = st.copy_if_any(st.find(sub.id())?.text("latest_invoice")).as_invoice().payment_intent.clone();
    let back = format!("{}/p/session/{session}?asked", st.settings.base_url);
    st.change(&intent, |pi| pi.as_intent_mut().return_url = Some(back));
    Ok(waiting)
}

/// Returns the cost of a plan change. The change is applied without a payment, and the sandbox then rolls it back.
///
/// # Errors
/// The session is unknown or expired, or the change is not allowed.
pub fn preview(st: &mut State, session: &str, args: &Args) -> Result<Value, ApiError> {
    let (before, mut update) = plan_change(st, session, args)?;
    update.put("payment_behavior", json!("default_incomplete"));
    st.is_preview = true;
    change::update(st, before.id(), &update)?;
    changed_amounts(st, &before)
}

fn changed_amounts(st: &mut State, before: &Object) -> Result<Value, ApiError> {
    let after = st.find(before.id())?;
    let invoiced = after.get("latest_invoice") != before.get("latest_invoice");
    let invoice = st.copy_if_any(after.text("latest_invoice"));
    let pending = invoice::pending_items(st, after.text("customer"), after.text("currency"), Some(&after));
    let line = |description: &Value, amount: &Value| json!({ "description": description, "amount": amount });
    let lines: Vec<Value> = if invoiced {
        invoice.list_at("lines").iter().map(|l| line(&l["description"], &l["amount"])).collect()
    } else {
        pending.iter().map(|i| line(i.get("description"), i.get("amount"))).collect()
    };
    let current = period(&after).unwrap_or_default();
    let ends = after.is("cancel_at_period_end");
    let next = if ends { Value::Null } else { cycle::preview(st, &after, current, true)?.get("amount_due").clone() };
    Ok(json!({
        "object": "sandbox.portal_preview",
        "amount_due": if invoiced { invoice.get("amount_due").clone() } else { json!(0) },
        "balance_applied": if invoiced { json!(invoice.int("amount_due") - invoice.int("total")) } else { json!(0) },
        "currency": after.get("currency"),
        "invoiced_now": invoiced,
        "lines": lines,
        "next_amount": next,
        "next_date": if ends { Value::Null } else { json!(current.1) },
        "total": if invoiced { invoice.get("total").clone() } else { json!(0) },
    }))
}

/// Ends a subscription at the end of its period, or immediately if the configuration requires it.
///
/// # Errors
/// The session or the subscription is unknown, the session expired, or cancellation is not allowed.
pub fn cancel(st: &mut State, session: &str, args: &Args) -> Result<Value, ApiError> {
    let (session, configuration) = live(st, session)?;
    check_allowed(&configuration, "subscription_cancel")?;
    let sub = owned(st, &session, args.text("subscription").unwrap_or_default())?;
    let details: serde_json::Map<String, Value> =
        ["comment", "feedback"].iter().filter_map(|m| args.given(m).map(|v| ((*m).to_owned(), v.clone()))).collect();
    let mut request = Args::default();
    request.put("cancellation_details", Value::Object(details));
    let mode = |name: &str| configuration.at(&format!("features.subscription_cancel.{name}"));
    if mode("mode") == "immediately" {
        request.put("prorate", json!(mode("proration_behavior") != "none"));
        request.put("invoice_now", json!(mode("proration_behavior") == "always_invoice"));
        return end::cancel_now(st, sub.id(), &request);
    }
    request.put("cancel_at_period_end", json!(true));
    change::update(st, sub.id(), &request)
}

/// Revokes a planned cancellation.
///
/// # Errors
/// The session or the subscription is unknown, the session expired, cancellation is not allowed, or no cancellation is
/// planned for the period's end.
pub fn resume(st: &mut State, session: &str, args: &Args) -> Result<Value, ApiError> {
    let (session, configuration) = live(st, session)?;
    check_allowed(&configuration, "subscription_cancel")?;
    let sub = owned(st, &session, args.text("subscription").unwrap_or_default())?;
    if !sub.is("cancel_at_period_end") {
        return Err(ApiError::invalid("Only a subscription that ends with its period can be resumed."));
    }
    change::update(st, sub.id(), &Args::of(json!({ "cancel_at_period_end": false })))
}

/// Makes a card the customer's default, and the default of each subscription that has its own default card.
///
/// # Errors
/// The session is unknown or expired, the feature is not allowed, or the card can't be attached.
pub fn card(st: &mut State, session: &str, args: &Args) -> Result<Value, ApiError> {
    let (session, configuration) = live(st, session)?;
    check_allowed(&configuration, "payment_method_update")?;
    let customer = st.load("customer", session.text("customer"), "customer")?;
    let found = method::resolve(st, args.text("payment_method").unwrap_or_default(), "payment_method")?;
    let attached = method::attach(st, &found, &customer)?;
    let id = attached.id().to_owned();
    st.change_and_emit(customer.id(), "customer.updated", |c| {
        c.set_at("invoice_settings.default_payment_method", id.clone());
    });
    let with_own = |s: &Arc<Object>| is_live(s) && !s.get("default_payment_method").is_null();
    let subs: Vec<String> =
        st.newest("subscription", Some(customer.id())).filter(with_own).map(|s| s.id().to_owned()).collect();
    for sub in subs {
        change::update(st, &sub, &Args::of(json!({ "default_payment_method": id })))?;
    }
    Ok(attached.value())
}
