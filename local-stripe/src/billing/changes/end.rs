//! Ends, pauses and resumes subscriptions.

use serde_json::{Value, json};

use crate::billing::intervals;
use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::lines;
use crate::billing::invoicing::proration::{self, Half};
use crate::billing::period::{self, Span};
use crate::billing::settlement::ended::{self, Reason};
use crate::billing::settlement::outcome::AttemptCause;
use crate::billing::settlement::settle;
use crate::error::ApiError;
use crate::model::billing::NewLine;
use crate::object::Object;
use crate::params::Args;
use crate::pricing;
use crate::state::State;

/// Credits the unused time of a subscription that ends before the end of its period, and bills its usage.
fn settle_at_its_time(st: &mut State, sub: &Object, now: i64) -> Result<(), ApiError> {
    let Some((start, end)) = period::period(sub) else { return Ok(()) };
    let behavior = sub.as_subscription().cancel_proration.as_deref().unwrap_or("create_prorations");
    let is_early = now < end && sub.int_at("cancel_at").is_some_and(|at| at <= now);
    let credits = is_early && behavior != "none" && sub.text("status") != "trialing";
    if credits {
        for item in sub.list_at("items") {
            proration::add(st, sub, item, Half::Unused, now)?;
        }
    }
    let lines = usage_lines(st, sub, (start, end.min(now)))?;
    if !lines.is_empty() || credits && behavior == "always_invoice" {
        bill_last(st, sub, lines, (start, end))?;
    }
    Ok(())
}

/// Returns the invoice lines of the metered usage in a period.
fn usage_lines(st: &State, sub: &Object, over: (i64, i64)) -> Result<Vec<NewLine>, ApiError> {
    if sub.text("status") == "trialing" {
        return Ok(Vec::new());
    }
    let mut lines = lines::lines(st, sub, over, Some(over), false)?;
    lines.retain(|line| pricing::is_metered(&line.price));
    Ok(lines)
}

/// Creates and collects the last invoice of a subscription.
fn bill_last(st: &mut State, sub: &Object, lines: Vec<NewLine>, over: (i64, i64)) -> Result<(), ApiError> {
    let draft = Draft {
        customer: sub.text("customer"),
        currency: sub.text("currency"),
        reason: "subscription_cycle",
        subscription: Some(sub),
        lines,
        takes_pending: true,
        period: Some(over),
    };
    let last = invoice::draft(st, draft, |_| {})?;
    st.emit_since(sub.id(), "customer.subscription.updated", sub);
    // The invoice is finalized immediately, because drafts of an ended subscription are never finalized.
    invoice::finalize(st, &last)?;
    settle::attempt(st, &last, AttemptCause::Hand);
    Ok(())
}

/// Ends a subscription immediately on request. With `prorate`, credits the unused time; with `invoice_now`, creates a
/// final invoice.
///
/// # Errors
/// The subscription is unknown or already ended, or the amount of its final invoice is too large.
pub fn cancel_now(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let sub = st.load("subscription", id, "id")?;
    if matches!(sub.text("status"), "canceled" | "incomplete_expired") {
        return Err(ApiError::no_such("subscription", id, "id"));
    }
    let details = args.map("cancellation_details");
    st.change(id, |s| {
        for member in ["comment", "feedback"] {
            if details.has(member) {
                s.set_at(&format!("cancellation_details.{member}"), details.value(member));
            }
        }
    });
    let now = st.now(&sub);
    if args.flag("prorate") == Some(true) && sub.text("status") != "trialing" {
        for item in sub.list_at("items") {
            proration::add(st, &sub, item, Half::Unused, now)?;
        }
    }
    if sub.text("status") == "incomplete"
        && let Some(latest) = sub.text_at("latest_invoice")
    {
        // A paid or void first invoice can't be voided.
        let _ = settle::void(st, latest);
    }
    ended::stop(st, id, Reason::Requested);
    if args.flag("invoice_now") == Some(true) {
        let (start, end) = period::period(&sub).unwrap_or((now, now));
        let draft = Draft {
            customer: sub.text("customer"),
            currency: sub.text("currency"),
            reason: "subscription_update",
            subscription: Some(&sub),
            lines: usage_lines(st, &sub, (start, end.min(now)))?,
            takes_pending: true,
            period: None,
        };
        let before = st.find(id)?;
        let closing = invoice::draft(st, draft, |_| {})?;
        st.emit_since(id, "customer.subscription.updated", &before);
        invoice::finalize(st, &closing)?;
        settle::attempt(st, &closing, AttemptCause::Hand);
    }
    Ok(st.find(id)?.value())
}

/// Expires a subscription whose first payment was not completed in time.
pub fn expire_incomplete(st: &mut State, id: &str) {
    let Ok(sub) = st.find(id) else { return };
    let now = st.now(&sub);
    if let Some(latest) = sub.text_at("latest_invoice") {
        // A paid or void invoice can't be voided.
        let _ = settle::void(st, latest);
    }
    st.change_and_emit(id, "customer.subscription.updated", |s| {
        s.set("status", "incomplete_expired");
        s.set("ended_at", now);
        s.set("schedule", Value::Null);
    });
    ended::subscription_ended(st, &sub, true);
}

/// Pauses a subscription whose trial ended without a payment method.
pub fn pause(st: &mut State, id: &str) {
    let Ok(before) = st.find(id) else { return };
    let (frozen, now) = (st.freeze(&before), st.now(&before));
    let paused = st.change(id, |s| {
        s.set("status", "paused");
        // A request may end the trial before its planned end.
        s.set("trial_end", s.int_at("trial_end").map_or(now, |end| end.min(now)));
    });
    st.emit_with("customer.subscription.updated", &paused, Some(frozen));
    st.emit("customer.subscription.paused", &paused);
}

/// Resumes a paused subscription by starting a new period, whose invoice decides the status.
///
/// # Errors
/// The subscription is unknown or not paused, or the amount of its invoice is too large.
pub fn resume(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let sub = st.load("subscription", id, "id")?;
    if sub.text("status") != "paused" {
        let message = "You can only resume a subscription with a status of paused.";
        return Err(ApiError::invalid(message));
    }
    intervals::check_restart(sub.list_at("items"))?;
    let now = st.now(&sub);
    let Some(price) = sub.list_at("items").first().map(|i| i["price"].clone()) else {
        return Ok(sub.value());
    };
    let anchored = Object::of(json!({ "billing_cycle_anchor": now, "cancel_at": sub.get("cancel_at") }));
    let span = Span::beginning(&anchored, &price, now);
    let end = span.period.1;
    let mut lines = lines::lines(st, &sub, span.period, None, false)?;
    span.prorate(&mut lines, false)?;
    st.change(id, |s| {
        s.as_subscription_mut().resuming = true;
        s.as_subscription_mut().resume_at = Some((now, end));
    });
    let draft = Draft {
        customer: sub.text("customer"),
        currency: sub.text("currency"),
        reason: "subscription_update",
        subscription: Some(&sub),
        lines,
        takes_pending: true,
        period: None,
    };
    let invoice = invoice::draft(st, draft, |_| {})?;
    st.emit_since(id, "customer.subscription.updated", &sub);
    invoice::finalize(st, &invoice)?;
    settle::attempt(st, &invoice, AttemptCause::Hand);
    Ok(st.find(id)?.value())
}

/// Returns the action at the end of a trial without a payment method: cancels or pauses the subscription. `None` if
/// there is a payment method, if invoices are sent instead of charged, or if `trial_settings` says to create an
/// invoice.
pub fn end_without_method(st: &State, sub: &Object) -> Option<fn(&mut State, &str)> {
    if sub.text("collection_method") != "charge_automatically" || settle::has_method(st, sub) {
        return None;
    }
    match sub.text_at("trial_settings.end_behavior.missing_payment_method") {
        Some("cancel") => Some(at_its_time),
        Some("pause") => Some(pause),
        _ => None,
    }
}

/// Ends a subscription at its planned time: credits the unused time, bills the usage, and [stops](ended::stop) the
/// subscription.
pub fn at_its_time(st: &mut State, id: &str) {
    let Ok(sub) = st.find(id) else { return };
    // An amount that is too large is not billed.
    let _ = settle_at_its_time(st, &sub, st.now(&sub));
    ended::stop(st, id, Reason::AtItsTime);
}
