//! Determines which plan of a subscription is paid, from its invoices at the local Stripe.

use crate::catalog::Catalog;
use crate::sandbox::Stripe;
use local_stripe::object::Object;
use serde_json::Value;

/// Indexes of the wares that an invoice charges, without the wares that it credits.
fn charged<'s>(stripe: &'s Stripe, invoice: &'s Object) -> impl Iterator<Item = usize> + use<'s> {
    let charges = |line: &&Value| line["amount"].as_i64().unwrap_or(0) >= 0;
    let lines = invoice.list_at("lines").iter().filter(charges);
    lines.filter_map(|line| {
        let price = line["pricing"]["price_details"]["price"].as_str()?;
        stripe.sells(price).then(|| stripe.plan(price))
    })
}

/// The paid ware of a subscription item. This is the ware on the item, unless the invoice of its start or change is
/// unpaid, or the subscription is past due. Then it is the ware of the same family that was paid last, if this ware has
/// a lower rank (S53).
pub(crate) fn ware_in_force(catalog: &Catalog, stripe: &Stripe, subscription: &Object, on_item: usize) -> usize {
    let wares = &catalog.wares;
    if wares[on_item].family.is_none() {
        return on_item;
    }
    let all = stripe.all("invoice");
    let is_its =
        |invoice: &&Object| invoice.text_at("parent.subscription_details.subscription") == Some(subscription.id());
    let invoices: Vec<&Object> = all.iter().map(AsRef::as_ref).filter(is_its).collect();
    let is_of_change =
        |invoice: &Object| matches!(invoice.text("billing_reason"), "subscription_create" | "subscription_update");
    let is_unpaid = |invoice: &Object| matches!(invoice.text("status"), "open" | "uncollectible" | "void");
    let is_unsettled = invoices.iter().any(|invoice| {
        is_of_change(invoice) && is_unpaid(invoice) && charged(stripe, invoice).any(|ware| ware == on_item)
    });
    if !is_unsettled && subscription.text("status") != "past_due" {
        return on_item;
    }
    let paid = invoices.iter().filter(|invoice| invoice.text("status") == "paid").flat_map(|invoice| {
        let at_s = invoice.int_at("status_transitions.paid_at").unwrap_or(0);
        charged(stripe, invoice).map(move |ware| (at_s, wares[ware].rank, ware))
    });
    let last = paid.filter(|(_, _, ware)| wares[*ware].family == wares[on_item].family).max();
    last.filter(|(_, rank, _)| *rank < wares[on_item].rank).map_or(on_item, |(.., ware)| ware)
}
