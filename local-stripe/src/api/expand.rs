//! The parameter `expand[]`: replaces ids with the objects, and adds the members that are shown only on request.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::model::cash::shown;
use crate::object::{Object, key, list};
use crate::payments::{cash, source};
use crate::portal;
use crate::pricing;
use crate::shapes;
use crate::state::State;
use crate::version::Version;

/// The maximum number of names in an expansion path, Stripe's limit. The `data` of a list counts as one.
const LEVELS_MAX: usize = 4;

/// The member of a search result that contains the number of all matching objects.
const TOTAL_COUNT: &str = "total_count";

/// Expands the requested paths in a rendered value.
///
/// # Errors
/// A path is too deep, or contains a member that can't be expanded.
pub fn expand(st: &State, mut value: Value, paths: &[String], version: &Version) -> Result<Value, ApiError> {
    let counted = value.get("object").is_some_and(|o| o == "search_result");
    if counted && !paths.iter().any(|p| p == TOTAL_COUNT) {
        // A search result contains its `total_count` only on request.
        value.as_object_mut().map(|found| found.remove(TOTAL_COUNT));
    }
    for path in paths.iter().filter(|p| !counted || *p != TOTAL_COUNT) {
        let names: Vec<&str> = path.split('.').collect();
        if names.len() > LEVELS_MAX {
            let message = format!("You cannot expand more than {LEVELS_MAX} levels of a property. Property: {path}");
            return Err(ApiError::coded("property_expansion_max_depth", message).about("expand"));
        }
        descend(st, &mut value, &names, version, path)?;
    }
    Ok(value)
}

fn descend(st: &State, value: &mut Value, names: &[&str], version: &Version, path: &str) -> Result<(), ApiError> {
    let Some((name, rest)) = names.split_first() else {
        return Ok(());
    };
    if let Value::Array(list) = value {
        return list.iter_mut().try_for_each(|v| descend(st, v, names, version, path));
    }
    if let Some(included) = included(st, value, name, version) {
        value[*name] = included;
    }
    let elsewhere = of_other_account(st, value, name);
    let Some(member) = value.get_mut(*name) else {
        if may_be_left_out(value, name) {
            return Ok(());
        }
        let message =
            format!("This property cannot be expanded ({path}). You may want to try expanding a different property.");
        return Err(ApiError::invalid(message).about("expand"));
    };
    // Objects of two kinds may share an id that a caller chose. The member's name is the kind of the object.
    let found = member.as_str().and_then(|id| st.seek(&key(name, id)).or(elsewhere));
    let found = found.filter(|o| !o.kind().starts_with("sandbox."));
    if let Some(object) = found {
        *member = shapes::render(&st.freeze(&object).value(), version);
    } else if member.is_string() || member.is_number() || member.is_boolean() {
        let message = format!("This property cannot be expanded ({path}).");
        return Err(ApiError::invalid(message).about("expand"));
    } else if let Value::Array(list) = member {
        for one in list {
            if let Some(object) = one.as_str().and_then(|id| st.seek(id)) {
                *one = shapes::render(&st.freeze(&object).value(), version);
            }
        }
    }
    match value.get_mut(*name) {
        Some(Value::Null) | None => Ok(()),
        Some(member) => descend(st, member, rest, version, path),
    }
}

/// Returns the object that a member refers to, if it belongs to another account: the payment of a transfer or an application fee, and the
/// fee of a payment.
fn of_other_account(st: &State, value: &Value, name: &str) -> Option<Arc<Object>> {
    let id = value.get(name)?.as_str()?;
    let owner = match (value.get("object")?.as_str()?, name) {
        ("transfer", "destination_payment") => value.get("destination")?.as_str()?,
        ("application_fee", "charge") => value.get("account")?.as_str()?,
        ("charge", "application_fee") => "",
        _ => return None,
    };
    st.find_of(owner, id)
}

/// Whether an expandable member may be absent: any member of a deleted object, `tiers` of a price or plan, and
/// `applies_to` of a coupon for all products and `currency_options` of one in a single currency.
fn may_be_left_out(value: &Value, name: &str) -> bool {
    let kind = value.get("object").and_then(Value::as_str).unwrap_or_default();
    let is_optional =
        matches!((kind, name), ("price" | "plan", "tiers") | ("coupon", "applies_to" | "currency_options"));
    is_optional || value.get("deleted").is_some_and(|d| d == true)
}

/// Returns a member that is shown only if it is expanded.
fn included(st: &State, value: &Value, name: &str, version: &Version) -> Option<Value> {
    if name == "breakdown" && value.get("amount_discount").is_some() {
        // The value is `total_details` of a session or a quote, which has neither `id` nor `object`.
        return Some(json!({ "discounts": [], "taxes": [] }));
    }
    if name == "discounts" && value.get("object").is_some_and(|o| o == "item") {
        return Some(json!([]));
    }
    let id = value.get("id")?.as_str()?;
    if let ("billing_portal.configuration", "features") = (value.get("object")?.as_str()?, name) {
        let configuration = portal::configuration(st, id, "id").ok()?;
        let mut features = value.get(name)?.clone();
        features["subscription_update"]["products"] = configuration.at("features.subscription_update.products").clone();
        return Some(features);
    }
    let kind = value.get("object")?.as_str()?;
    let owner = st.seek(&key(kind, id))?;
    let of = |kind: &str, member: &str, customer: Option<&str>| -> Vec<Value> {
        st.newest(kind, customer).filter(|o| o.text(member) == id).map(|o| o.value()).collect()
    };
    let made = match (kind, name) {
        ("checkout.session", "line_items") => {
            list(&format!("/v1/checkout/sessions/{id}/line_items"), owner.as_session().lines.clone())
        }
        ("charge", "refunds") => list(&format!("/v1/charges/{id}/refunds"), of("refund", "charge", None)),
        ("customer", "subscriptions") => {
            let live = of("subscription", "customer", Some(id)).into_iter().filter(|s| s["status"] != "canceled");
            list(&format!("/v1/customers/{id}/subscriptions"), live.collect())
        }
        ("customer", "sources") => {
            let cards = st.newest("payment_method", Some(id)).filter_map(|m| source::card_of(&m));
            list(&format!("/v1/customers/{id}/sources"), cards.map(|c| c.value()).collect())
        }
        ("coupon", "applies_to") if owner.get(name).is_object() => owner.get(name).clone(),
        ("customer", "default_source") => source::card_of(&*st.seek(owner.text("default_source"))?)?.value(),
        ("coupon", "currency_options") if owner.get(name).is_object() => {
            let mut options = owner.get(name).as_object().cloned().unwrap_or_default();
            options.insert(owner.text("currency").to_owned(), json!({ "amount_off": owner.get("amount_off") }));
            Value::Object(options)
        }
        ("price", "currency_options") => pricing::currency_options(&owner),
        ("price" | "plan", "tiers") if owner.get(name).is_array() => owner.get(name).clone(),
        ("customer", "tax_ids") => list(&format!("/v1/customers/{id}/tax_ids"), of("tax_id", "customer", Some(id))),
        ("invoice", "payments") => list("/v1/invoice_payments", of("invoice_payment", "invoice", None)),
        ("invoice", "confirmation_secret") => {
            let intent = st.seek(&owner.as_invoice().payment_intent)?;
            json!({ "client_secret": intent.get("client_secret"), "type": "payment_intent" })
        }
        ("customer", "cash_balance") => shown(&cash::load(st, id, "id").ok()?).value(),
        ("identity.verification_session", "verified_outputs") => {
            owner.as_verification_session().verified_outputs.clone()
        }
        _ => return None,
    };
    Some(shapes::render(&made, version))
}
