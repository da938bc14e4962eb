//! Renewals: the next period, its invoice, the end of a trial, and the notice before a renewal.

use serde_json::{Value, json};

use crate::billing::due::period;
use crate::billing::invoice::{self, Draft, LINES_MAX};
use crate::billing::items::{self, Priced};
use crate::billing::{end, intervals, phases, settle, usage};
use crate::calendar::{self, HOUR_S};
use crate::discount::{self, term};
use crate::error::ApiError;
use crate::model;
use crate::model::billing::{NewLine, item_parent, subscription_parent};
use crate::money;
use crate::object::Object;
use crate::pricing;
use crate::state::State;
use crate::tax_ids;

/// A period that a subscription is billed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The start and the end, in Unix seconds.
    pub period: (i64, i64),
    /// The length of the whole interval that contains the period, in seconds.
    whole_s: i64,
}

impl Span {
    /// Returns the period that begins at `start`. It ends at the next billing date, counted from the subscription's anchor, or at
    /// `cancel_at` if that is earlier.
    pub fn beginning(sub: &Object, price: &Value, start: i64) -> Span {
        let (interval, count) = calendar::interval(price);
        let anchor = sub.int("billing_cycle_anchor");
        let end = calendar::next_after(anchor, interval, count, start);
        let whole_s = end - calendar::last_before(anchor, interval, count, end);
        // A cancellation at the period's end moves with the period.
        let planned = sub.int_at("cancel_at").filter(|_| !sub.is("cancel_at_period_end"));
        let cancelled = planned.filter(|at| (start + 1..end).contains(at));
        Span { period: (start, cancelled.unwrap_or(end)), whole_s }
    }

    /// Reduces the lines to the period's part of the whole interval. Usage is billed in full. `is_free` makes the lines of a shorter
    /// period free.
    ///
    /// # Errors
    /// A prorated amount is too large.
    pub fn prorate(self, lines: &mut [NewLine], is_free: bool) -> Result<(), ApiError> {
        let part_s = self.period.1 - self.period.0;
        if part_s >= self.whole_s {
            return Ok(());
        }
        for line in lines.iter_mut().filter(|line| !pricing::is_metered(&line.price)) {
            let share = money::prorate(line.amount, if is_free { 0 } else { part_s }, self.whole_s);
            line.parent["subscription_item_details"]["proration"] = json!(!is_free);
            line.amount = share.ok_or_else(|| ApiError::coded("amount_too_large", "The amount is too large."))?;
        }
        Ok(())
    }
}

/// Returns the invoice lines of a subscription for the period `next`. In a trial, the lines are free. The lines of
/// metered items bill the usage of the past period `over`; without a past period, they have the quantity 0.
///
/// # Errors
/// An amount or a usage sum is too large.
pub fn lines(
    st: &State,
    sub: &Object,
    next: (i64, i64),
    over: Option<(i64, i64)>,
    trial: bool,
) -> Result<Vec<NewLine>, ApiError> {
    let mut out = Vec::new();
    let is_mixed = intervals::is_mixed(sub.list_at("items"));
    for item in sub.list_at("items") {
        let price = &item["price"];
        let own = |member: &str| item[member].as_i64().unwrap_or_default();
        if is_mixed && own("current_period_start") != next.0 {
            // The item was billed before, for a longer interval.
            continue;
        }
        let next = if is_mixed { (next.0, own("current_period_end")) } else { next };
        let (period, (quantity, costs)) = match (pricing::is_metered(price), over) {
            (false, _) => {
                let quantity = item["quantity"].as_i64().unwrap_or(1);
                (next, (quantity, pricing::amount(price, quantity)?))
            }
            (true, Some(over)) => (over, usage::rest(sub, item, over.0, usage::of_item(st, sub, item, over)?)?),
            (true, None) => (next, (0, pricing::amount(price, 0)?)),
        };
        // A trial that begins in a paid period does not make the usage before it free.
        let is_free = trial && !(pricing::is_metered(price) && over.is_some());
        let amount = if is_free { 0 } else { costs };
        let name = items::product_name(st, price);
        let description = if is_free { format!("Trial period for {name}") } else { items::words(st, price, quantity) };
        out.push(NewLine {
            amount,
            currency: sub.text("currency").to_owned(),
            description,
            period,
            price: price.clone(),
            quantity,
            parent: subscription_parent(sub.id(), item["id"].as_str().unwrap_or_default(), false),
            metadata: sub.get("metadata").clone(),
            tax_rates: item["tax_rates"].clone(),
            discounts: discount::item::in_force(st, sub.text("customer"), item),
        });
    }
    Ok(out)
}

/// Returns the lines for a time before the first regular period: one for each interval counted from its start, of which the last is
/// prorated. This is what `billing_mode[type]=flexible` bills; `classic` has one line with the same sum.
///
/// # Errors
/// There are more lines than an invoice can have, or an amount is too large.
pub fn past_lines(st: &State, sub: &Object, (start, end): (i64, i64)) -> Result<Vec<NewLine>, ApiError> {
    let Some(price) = sub.list_at("items").first().map(|item| item["price"].clone()) else { return Ok(Vec::new()) };
    let (mut all, mut from, mut count) = (Vec::new(), start, 0);
    while from < end {
        count += 1;
        let whole_end = calendar::after(start, &price, count);
        let until = whole_end.min(end);
        for mut line in lines(st, sub, (from, until), None, false)? {
            let share = money::prorate(line.amount, until - from, whole_end - from);
            line.amount = share.ok_or_else(|| ApiError::coded("amount_too_large", "The amount is too large."))?;
            all.push(line);
        }
        if all.len() > LINES_MAX {
            return Err(ApiError::invalid(format!("An invoice can have at most {LINES_MAX} lines."))
                .about("backdate_start_date"));
        }
        from = until;
    }
    Ok(if sub.at("billing_mode.type") == "classic" { merged(all) } else { all })
}

/// Adds up the lines of each subscription item.
fn merged(lines: Vec<NewLine>) -> Vec<NewLine> {
    let mut out: Vec<NewLine> = Vec::new();
    for line in lines {
        match out.iter_mut().find(|one| one.parent == line.parent) {
            Some(one) => {
                one.amount = one.amount.saturating_add(line.amount);
                one.period.1 = line.period.1;
            }
            None => out.push(line),
        }
    }
    out
}

/// Returns the line of a one-time price on a subscription's invoice.
///
/// # Errors
/// The amount is too large.
pub fn extra_line(st: &State, sub: &Object, priced: &Priced, now: i64) -> Result<NewLine, ApiError> {
    let price = priced.price.value();
    Ok(NewLine {
        amount: pricing::amount(&price, priced.quantity)?,
        currency: sub.text("currency").to_owned(),
        description: items::words(st, &price, priced.quantity),
        period: (now, now),
        price,
        quantity: priced.quantity,
        parent: item_parent("", false, &Value::Null, &json!(sub.id())),
        metadata: json!({}),
        tax_rates: priced.tax_rates.clone(),
        discounts: Vec::new(),
    })
}

/// Reduces each line to its period's part of its whole interval; see [`Span::prorate`].
///
/// # Errors
/// A prorated amount is too large.
pub fn prorate_each(sub: &Object, lines: &mut [NewLine], is_free: bool) -> Result<(), ApiError> {
    for line in lines {
        Span::beginning(sub, &line.price, line.period.0).prorate(std::slice::from_mut(line), is_free)?;
    }
    Ok(())
}

/// Begins the next period of each item whose period ends at `end`.
fn advance(sub: &mut Object, end: i64) {
    let mut list = sub.list_at("items").to_vec();
    for item in list.iter_mut().filter(|item| item["current_period_end"].as_i64() <= Some(end)) {
        let next = Span::beginning(sub, &item["price"], end).period;
        item["current_period_start"] = json!(next.0);
        item["current_period_end"] = json!(next.1);
    }
    sub.set_at("items.data", list);
    if sub.is("cancel_at_period_end") {
        sub.set("cancel_at", period(sub).map(|(_, end)| end));
    }
}

/// Sets the period of all items. A cancellation planned for the period's end moves to the new end.
pub fn set_period(sub: &mut Object, start: i64, end: i64) {
    let mut list = sub.list_at("items").to_vec();
    for item in &mut list {
        item["current_period_start"] = json!(start);
        item["current_period_end"] = json!(end);
    }
    sub.set_at("items.data", list);
    if sub.is("cancel_at_period_end") {
        sub.set("cancel_at", end);
    }
}

/// Renews a subscription at the end of its period, unless it ends or pauses there: by a planned cancellation, by a
/// trial without a payment method, or with its schedule.
pub fn renew(st: &mut State, id: &str) {
    let sub = st.copy(id);
    let Some((start, end)) = period(&sub) else { return };
    if sub.is("cancel_at_period_end") {
        end::cancel(st, id, end::Reason::AtItsTime);
        return;
    }
    let trial_ends = sub.text("status") == "trialing";
    if trial_ends && let Some(end) = end_without_method(st, &sub) {
        end(st, id);
        return;
    }
    if phases::before_renewal(st, &sub, end) {
        return;
    }
    let sub = st.copy(id);
    let renewed = st.change(id, |s| {
        advance(s, end);
        if trial_ends {
            s.set("status", "active");
        }
    });
    let invoice = match cycle_draft(st, &renewed, (start, end), trial_ends) {
        Ok(invoice) => Some(invoice),
        Err(error) => {
            // The amount is too large; real Stripe reports this as a failed finalization.
            st.change(id, |s| s.subscription_mut().cycle_error = error.message);
            None
        }
    };
    // The event is emitted after the invoice is created, as it names the invoice.
    st.emit_since(id, "customer.subscription.updated", &sub);
    if let Some(invoice) = invoice {
        close_while_paused(st, &renewed, &invoice);
    }
}

/// Returns the action at the end of a trial without a payment method: cancels or pauses the subscription. `None` if
/// there is a payment method, if invoices are sent instead of charged, or if `trial_settings` says to create an
/// invoice.
pub fn end_without_method(st: &State, sub: &Object) -> Option<fn(&mut State, &str)> {
    if sub.text("collection_method") != "charge_automatically" || has_method(st, sub) {
        return None;
    }
    match sub.text_at("trial_settings.end_behavior.missing_payment_method") {
        Some("cancel") => Some(|st, id| end::cancel(st, id, end::Reason::AtItsTime)),
        Some("pause") => Some(end::pause),
        _ => None,
    }
}

/// Whether a subscription or its customer has a default payment method or source.
pub fn has_method(st: &State, sub: &Object) -> bool {
    let customer = st.copy_if_any(sub.text("customer"));
    !sub.get("default_payment_method").is_null()
        || !sub.get("default_source").is_null()
        || !customer.at("invoice_settings.default_payment_method").is_null()
        || !customer.get("default_source").is_null()
}

fn cycle_draft(st: &mut State, sub: &Object, over: (i64, i64), was_trial: bool) -> Result<String, ApiError> {
    let next = period(sub).unwrap_or_default();
    let mut lines = lines(st, sub, (over.1, next.1), (!was_trial).then_some(over), false)?;
    prorate_each(sub, &mut lines, false)?;
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
        // An invoice with the amount 0 is already paid, so it can't be closed.
        let _ = close(st, invoice);
    }
}

/// Emits `invoice.upcoming`. The invoice of this event has no id.
pub fn announce(st: &mut State, id: &str) {
    let sub = st.copy(id);
    let Some((start, end)) = period(&sub) else { return };
    st.change(id, |s| s.subscription_mut().upcoming_sent_for = Some(end));
    if let Ok(preview) = preview(st, &sub, (start, end)) {
        st.emit("invoice.upcoming", &preview);
    }
}

/// Returns the invoice of the next renewal, without an id and without storing it.
///
/// # Errors
/// An amount or the total is too large.
pub fn preview(st: &mut State, sub: &Object, current: (i64, i64)) -> Result<Object, ApiError> {
    let customer = st.copy_if_any(sub.text("customer"));
    let mut renewed = sub.clone();
    advance(&mut renewed, current.1);
    let next = period(&renewed).unwrap_or_default();
    let mut lines = lines(st, &renewed, (current.1, next.1), Some(current), false)?;
    prorate_each(&renewed, &mut lines, false)?;
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
    for item in invoice::pending_items(st, customer.id(), sub.text("currency"), Some(sub)) {
        all.push(invoice::item_line(st, "upcoming", &item));
    }
    for line in lines {
        let id = st.new_id("il_tmp");
        all.push(model::billing::line(id, "upcoming", line));
    }
    invoice.invoice_mut().discounts = term::in_force(st, &customer, Some(sub));
    invoice::set_lines(st, &mut invoice, all, &customer)?;
    invoice.set("next_payment_attempt", current.1 + HOUR_S);
    invoice.members.remove("id");
    Ok(invoice)
}
