//! Determines which discounts of a customer or subscription are active, and when they end.

use serde_json::{Value, json};

use super::redeem::{self, Redeemed};
use crate::object::Object;
use crate::state::State;

/// Whether a discount is used up by the first invoice it reduces.
pub fn counts_once(discount: &Value) -> bool {
    discount["coupon"]["duration"] == "once"
}

/// Returns the discounts for a new invoice: those of the subscription, or otherwise that of the customer. A one-time
/// discount that already reduces a draft is excluded.
pub fn in_force(st: &State, customer: &Object, sub: Option<&Object>) -> Vec<Value> {
    let own = sub.map(|sub| sub.list_at("discounts")).unwrap_or_default();
    let found: Vec<Value> =
        own.iter().filter_map(Value::as_str).filter_map(|id| st.seek(id)).map(|discount| discount.value()).collect();
    let mut all = match (found.is_empty(), customer.get("discount")) {
        (true, discount) if discount.is_object() => vec![discount.clone()],
        _ => found,
    };
    all.retain(|discount| !counts_once(discount) || !is_promised(st, customer.id(), &discount["id"]));
    all
}

/// Whether a discount already reduces a draft of the customer.
pub fn is_promised(st: &State, customer: &str, discount: &Value) -> bool {
    let mut drafts = st.newest("invoice", Some(customer)).filter(|invoice| invoice.text("status") == "draft");
    drafts.any(|draft| draft.list_at("total_discount_amounts").iter().any(|taken| &taken["discount"] == discount))
}

/// Sets a customer's discount, replacing the current one.
pub fn give_customer(st: &mut State, id: &str, redeemed: &Redeemed) {
    let Ok(customer) = st.find(id) else { return };
    let now = st.now(&customer);
    let old = Object::of(customer.get("discount").clone());
    let discount = redeem::redeem(st, redeemed, &json!(id), now, |_| {});
    let shown = discount.value();
    st.change_and_emit(id, "customer.updated", |c| c.set("discount", shown));
    if old.is_absent() {
        st.emit("customer.discount.created", &discount);
    } else {
        let ended = close(st, &old, now);
        st.emit_with("customer.discount.updated", &discount, Some(ended));
    }
}

/// Ends and removes a customer's discount, emits the event, and returns the discount.
pub fn end_of_customer(st: &mut State, id: &str) -> Option<Object> {
    let Ok(customer) = st.find(id) else { return None };
    let discount = Object::of(customer.get("discount").clone());
    if discount.is_absent() {
        return None;
    }
    let ended = close(st, &discount, st.now(&customer));
    st.change_and_emit(id, "customer.updated", |c| c.set("discount", Value::Null));
    st.emit("customer.discount.deleted", &ended);
    Some(ended)
}

/// Ends a discount and emits the event.
pub fn end(st: &mut State, id: &str, now_s: i64) {
    let ended = close(st, &st.copy(id), now_s);
    st.emit("customer.discount.deleted", &ended);
}

fn close(st: &mut State, discount: &Object, now_s: i64) -> Object {
    let closed = st.change(discount.id(), |d| d.set("end", now_s));
    Object::clone(&closed)
}

/// Sets a subscription's discounts: redeems the new discounts and ends the discounts whose ids are not in `kept`. Emits
/// the events of the discounts, but not the event of the subscription.
pub fn set_of_subscription(st: &mut State, sub: &mut Object, kept: &[String], redeemed: &[Redeemed]) {
    let now = st.now(sub);
    let before: Vec<String> = ids(sub);
    for gone in before.iter().filter(|id| !kept.contains(id)) {
        end(st, gone, now);
    }
    let mut all: Vec<String> = before.into_iter().filter(|id| kept.contains(id)).collect();
    let (customer, id) = (sub.get("customer").clone(), sub.id().to_owned());
    for one in redeemed {
        let made = redeem::redeem(st, one, &customer, now, |d| d.set("subscription", id.clone()));
        st.emit("customer.discount.created", &made);
        all.push(made.id().to_owned());
    }
    show(st, sub, all);
}

/// Returns the ids of a subscription's discounts.
pub fn ids(sub: &Object) -> Vec<String> {
    sub.list_at("discounts").iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the ids of the discounts of a subscription and of its items.
fn all_ids(sub: &Object) -> Vec<String> {
    ids(sub).into_iter().chain(sub.list_at("items").iter().flat_map(ids_of_item)).collect()
}

fn show(st: &State, sub: &mut Object, all: Vec<String>) {
    let first = all.first().map_or(Value::Null, |id| st.copy(id).value());
    sub.set("discounts", all);
    // Older versions embed the first discount.
    sub.as_subscription_mut().discount = first;
    note_ends(st, sub);
}

/// Records when the first discount of a subscription or of its items ends.
pub fn note_ends(st: &State, sub: &mut Object) {
    let ends = all_ids(sub).iter().filter_map(|id| st.seek(id)?.int_at("end")).min();
    sub.as_subscription_mut().discount_ends = ends;
}

/// Removes discounts from a subscription and its items.
fn leave_out(st: &State, sub: &mut Object, gone: &[String]) {
    let left = ids(sub).into_iter().filter(|id| !gone.contains(id)).collect();
    leave_out_of_items(sub, gone);
    show(st, sub, left);
}

/// Removes a subscription's expired discounts and emits the events.
pub fn expire(st: &mut State, id: &str, now_s: i64) {
    let Ok(sub) = st.find(id) else { return };
    let is_over = |id: &String| st.seek(id).and_then(|d| d.int_at("end")).is_some_and(|end| end <= now_s);
    let over: Vec<String> = all_ids(&sub).into_iter().filter(is_over).collect();
    let mut next = Object::clone(&sub);
    leave_out(st, &mut next, &over);
    st.change(id, |s| *s = next);
    st.emit_since(id, "customer.subscription.updated", &sub);
    for ended in over {
        let ended = st.copy_if_any(&ended);
        st.emit("customer.discount.deleted", &ended);
    }
}

/// Ends the one-time discounts that an invoice used. While a subscription is being created, its event follows later.
pub fn spend(st: &mut State, spent: &[Value], customer: &str, sub: Option<&str>) {
    for discount in spent.iter().filter(|discount| counts_once(discount)) {
        let id = discount["id"].as_str().unwrap_or_default();
        if st.copy_if_any(customer).text_at("discount.id") == Some(id) {
            end_of_customer(st, customer);
        } else if let Some(sub) = sub
            && let Ok(before) = st.find(sub)
            && all_ids(&before).iter().any(|own| own == id)
        {
            let mut next = Object::clone(&before);
            end(st, id, st.now(&before));
            leave_out(st, &mut next, &[id.to_owned()]);
            st.change(sub, |s| *s = next);
            if !before.as_subscription().being_made {
                st.emit_since(sub, "customer.subscription.updated", &before);
            }
        }
    }
}

/// Returns the ids of an item's discounts.
pub fn ids_of_item(item: &Value) -> Vec<String> {
    let all = item["discounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Removes discounts from the items of a subscription.
fn leave_out_of_items(sub: &mut Object, gone: &[String]) {
    let mut list = sub.list_at("items").to_vec();
    for item in &mut list {
        let left: Vec<String> = ids_of_item(item).into_iter().filter(|id| !gone.contains(id)).collect();
        item["discounts"] = json!(left);
    }
    sub.set_at("items.data", list);
}
