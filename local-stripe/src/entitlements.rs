//! Maintains the active entitlements of customers: the features of the products that they are subscribed to.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::model;
use crate::object::Object;
use crate::state::State;

/// The statuses in which a subscription grants its features; see
/// <https://docs.stripe.com/billing/entitlements#subscription-status>.
const GIVES: [&str; 3] = ["active", "past_due", "trialing"];

/// Returns a customer's active entitlements, newest first.
pub fn of<'s>(st: &'s State, customer: &'s str) -> impl Iterator<Item = Arc<Object>> + 's {
    let all = st.newest("entitlements.active_entitlement", None);
    all.filter(move |entitlement| entitlement.as_active_entitlement().customer == customer)
}

/// Updates the entitlements of the customers whose subscriptions changed, and emits the event of each change.
pub fn follow(st: &mut State) {
    let changed: BTreeSet<String> = std::mem::take(&mut st.resubscribed).into_iter().collect();
    if changed.is_empty() || st.count("product_feature") + st.count("entitlements.active_entitlement") == 0 {
        return;
    }
    for customer in changed {
        settle(st, &customer);
    }
}

/// Updates the entitlements of all customers with a subscription to a product after its features changed.
pub fn follow_product(st: &mut State, product: &str) {
    let has_it = |sub: &Arc<Object>| sub.list_at("items").iter().any(|item| item["price"]["product"] == product);
    let customers: BTreeSet<String> =
        st.newest("subscription", None).filter(has_it).map(|sub| sub.text("customer").to_owned()).collect();
    for customer in customers {
        settle(st, &customer);
    }
}

fn settle(st: &mut State, customer: &str) {
    let owner = st.copy_if_any(customer);
    let wanted = features_of(st, customer);
    let held: Vec<Arc<Object>> = of(st, customer).collect();
    let ended: Vec<&Arc<Object>> = held.iter().filter(|one| !wanted.contains(one.text("feature"))).collect();
    let begun: Vec<&String> =
        wanted.iter().filter(|feature| !held.iter().any(|one| one.text("feature") == feature.as_str())).collect();
    if ended.is_empty() && begun.is_empty() {
        return;
    }
    for entitlement in ended {
        st.remove(entitlement.id());
    }
    for feature in begun {
        let id = st.new_id("ent");
        let feature = st.copy_if_any(feature);
        st.put(model::entitlements::active_entitlement(id, &owner, &feature));
    }
    let active: Vec<Value> = of(st, customer).map(|entitlement| entitlement.value()).collect();
    // A deleted customer no longer has a summary.
    if owner.kind() == "customer" {
        st.emit("entitlements.active_entitlement_summary.updated", &model::entitlements::summary(&owner, active));
    }
}

/// Returns the ids of the features that a customer's subscriptions grant.
fn features_of(st: &State, customer: &str) -> BTreeSet<String> {
    let live = st.newest("subscription", Some(customer)).filter(|sub| GIVES.contains(&sub.text("status")));
    let products: BTreeSet<String> = live
        .flat_map(|sub| sub.list_at("items").to_vec())
        .filter_map(|item| item["price"]["product"].as_str().map(str::to_owned))
        .collect();
    st.newest("product_feature", None)
        .filter(|attached| products.contains(&attached.as_product_feature().product))
        .map(|attached| attached.as_product_feature().feature.clone())
        .collect()
}
