//! Renewals: the next period, its invoice, the end of a trial, and the notice before a renewal.

use serde_json::{Value, json};

use crate::billing::changes::{end, phases};
use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::lines;
use crate::billing::period::{advance, period};
use crate::billing::settlement::settle;
use crate::calendar::HOUR_S;
use crate::discount::term;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::state::State;
use crate::tax_ids;

/// Renews a subscription at the end of its period, unless it ends or pauses there: by a planned cancellation, by a
/// trial without a payment method, or with its schedule.
pub fn renew(st: &mut State, id: &str) {
    let Ok(sub) = st.find(id) else { return };
    let Some((start, end)) = period(&sub) else { return };
    if sub.is("cancel_at_period_end") {
        end::at_its_time(st, id);
        return;
    }
    let trial_ends = sub.text("status") == "trialing";
    if trial_ends && let Some(end) = end::end_without_method(st, &sub) {
        end(st, id);
        return;
    }
    if phases::before_renewal(st, &sub, end) {
        return;
    }
    let Ok(sub) = st.find(id) else { return };
    let renewed = st.change(id, |s| {
        advance(s, end);
        if trial_ends {
            s.set("status", "active");
        }
    });
    // If the amount is too large there is no invoice; the real Stripe reports this as a failed finalization.
    let invoice = cycle_draft(st, &renewed, (start, end), trial_ends).ok();
    // The event is emitted after the invoice is created, because it contains the invoice's id.
    st.emit_since(id, "customer.subscription.updated", &sub);
    if let Some(invoice) = invoice {
        close_while_paused(st, &renewed, &invoice);
    }
}

fn cycle_draft(st: &mut State, sub: &Object, over: (i64, i64), was_trial: bool) -> Result<String, ApiError> {
    let next = period(sub).unwrap_or_default();
    let mut lines = lines::lines(st, sub, (over.1, next.1), (!was_trial).then_some(over), false)?;
    lines::prorate_each(sub, &mut lines, false)?;
    let held = sub.text("status") == "unpaid" || !sub.get("pause_collection").is_null();
    let draft = Draft {
        customer: sub.text("customer"),
        currency: sub.text("currency"),
        reason: "subscription_cycle",
        subscription: Some(sub),
        lines,
        takes_pending: true,
        period: Some(over),
    };
    invoice::draft(st, draft, |i| {
        if held {
            i.set("auto_advance", false);
            i.set("automatically_finalizes_at", Value::Null);
        }
    })
}

/// While collection is paused, voids a renewal's invoice or marks it uncollectible. With `keep_as_draft`, the invoice
/// stays a draft.
fn close_while_paused(st: &mut State, sub: &Object, invoice: &str) {
    let close = match sub.text_at("pause_collection.behavior") {
        Some("void") => settle::void,
        Some("mark_uncollectible") => settle::mark_uncollectible,
        _ => return,
    };
    if invoice::finalize(st, invoice).is_ok() {
        // An invoice for 0 is already paid, so it can't be closed.
        let _ = close(st, invoice);
    }
}

/// Emits `invoice.upcoming`. The invoice of this event has no id.
pub fn announce(st: &mut State, id: &str) {
    let Ok(sub) = st.find(id) else { return };
    let Some((start, end)) = period(&sub) else { return };
    st.change(id, |s| s.as_subscription_mut().upcoming_sent_for = Some(end));
    if let Ok(preview) = preview(st, &sub, (start, end), true) {
        st.emit("invoice.upcoming", &preview);
    }
}

/// Returns the invoice of the next renewal, without an id, and does not store it. `takes_pending` adds the pending
/// invoice items.
///
/// # Errors
/// An amount or the total is too large.
pub fn preview(st: &mut State, sub: &Object, current: (i64, i64), takes_pending: bool) -> Result<Object, ApiError> {
    let customer = st.copy_if_any(sub.text("customer"));
    let mut renewed = sub.clone();
    advance(&mut renewed, current.1);
    let next = period(&renewed).unwrap_or_default();
    let mut lines = lines::lines(st, &renewed, (current.1, next.1), Some(current), false)?;
    lines::prorate_each(&renewed, &mut lines, false)?;
    let mut invoice =
        model::billing::invoice("upcoming".into(), st.now(sub), &customer, sub.text("currency"), "upcoming");
    invoice.set("account_name", st.settings.business_name.clone());
    invoice.set("default_tax_rates", sub.get("default_tax_rates").clone());
    invoice::inherit_automatic_tax(&mut invoice, sub);
    invoice.set("customer_tax_ids", tax_ids::shown(st, customer.id()));
    invoice.set("period_start", current.0);
    invoice.set("period_end", current.1);
    let details = json!({ "subscription": sub.id(), "metadata": sub.get("metadata") });
    invoice.set(
        "parent",
        json!({ "quote_details": null, "subscription_details": details, "type": "subscription_details" }),
    );
    let mut all = Vec::new();
    let pending = invoice::pending_items(st, customer.id(), sub.text("currency"), Some(sub));
    for item in pending.into_iter().filter(|_| takes_pending) {
        all.push(invoice::item_line(st, "upcoming", &item));
    }
    for line in lines {
        let id = st.new_id("il_tmp");
        all.push(model::billing::line(id, "upcoming", line));
    }
    let mut discounts = term::in_force(st, &customer, Some(sub));
    discounts.retain(|discount| discount["end"].as_i64().is_none_or(|end| end > current.1));
    invoice.as_invoice_mut().discounts = discounts;
    invoice::set_lines(st, &mut invoice, all, &customer)?;
    invoice.set("next_payment_attempt", current.1 + HOUR_S);
    invoice.members.remove("id");
    Ok(invoice)
}
