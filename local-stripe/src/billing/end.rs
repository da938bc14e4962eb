//! Ends, pauses and resumes subscriptions.

use serde_json::{Value, json};

use crate::billing::cycle::{self, Span};
use crate::billing::invoice::{self, Draft};
use crate::billing::proration::{self, Half};
use crate::billing::{due, intervals, schedule, settle};
use crate::error::ApiError;
use crate::model::billing::NewLine;
use crate::object::Object;
use crate::params::Args;
use crate::pricing;
use crate::state::State;

/// The reason why a subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// An immediate cancellation was requested.
    Requested,
    /// The subscription reached its planned end.
    AtItsTime,
    /// All payment attempts failed.
    PaymentFailed,
}

/// Ends a subscription and emits `customer.subscription.deleted`. Its drafts are no longer finalized, and its open
/// invoices no longer collected.
pub fn cancel(st: &mut State, id: &str, reason: Reason) {
    let sub = st.copy(id);
    let now = st.now(&sub);
    if reason == Reason::AtItsTime
        && let Err(error) = settle_at_its_time(st, &sub, now)
    {
        // The amount is too large to bill.
        st.change(id, |s| s.subscription_mut().cycle_error = error.message);
    }
    let ended = st.change(id, |s| {
        s.set("status", "canceled");
        s.set("ended_at", now);
        if s.get("canceled_at").is_null() || reason == Reason::Requested {
            s.set("canceled_at", now);
        }
        let words = if reason == Reason::PaymentFailed { "payment_failed" } else { "cancellation_requested" };
        s.set_at("cancellation_details.reason", words);
        s.set("pending_update", Value::Null);
        s.subscription_mut().pending_change = None;
        s.subscription_mut().pending_invoice.clear();
        s.set("schedule", Value::Null);
    });
    let open: Vec<String> = st
        .newest("invoice", Some(sub.text("customer")))
        .filter(|i| settle::subscription_of(i) == id && matches!(i.text("status"), "draft" | "open"))
        .map(|i| i.id().to_owned())
        .collect();
    for invoice in open {
        st.change_and_emit(&invoice, "invoice.updated", |i| {
            i.set("auto_advance", false);
            i.set("automatically_finalizes_at", Value::Null);
            i.set("next_payment_attempt", Value::Null);
        });
    }
    st.emit("customer.subscription.deleted", &ended);
    schedule::subscription_ended(st, &sub, reason == Reason::PaymentFailed);
}

/// Credits what a subscription that ends before its period's end has not used, and bills its usage.
fn settle_at_its_time(st: &mut State, sub: &Object, now: i64) -> Result<(), ApiError> {
    let Some((start, end)) = due::period(sub) else { return Ok(()) };
    let behavior = sub.subscription().cancel_proration.as_deref().unwrap_or("create_prorations");
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
    let mut lines = cycle::lines(st, sub, over, Some(over), false)?;
    lines.retain(|line| pricing::is_metered(&line.price));
    Ok(lines)
}

/// Makes and collects the last invoice of a subscription.
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
    // The invoice is finalized at once, as drafts of an ended subscription are never finalized.
    invoice::finalize(st, &last)?;
    settle::attempt(st, &last, settle::AttemptCause::Hand);
    Ok(())
}

/// Ends a subscription at once by request. With `prorate`, credits the unused time; with `invoice_now`, creates a final
/// invoice.
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
    cancel(st, id, Reason::Requested);
    if args.flag("invoice_now") == Some(true) {
        let (start, end) = due::period(&sub).unwrap_or((now, now));
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
        settle::attempt(st, &closing, settle::AttemptCause::Hand);
    }
    Ok(st.find(id)?.value())
}

/// Expires a subscription whose first payment was not completed in time.
pub fn expire_incomplete(st: &mut State, id: &str) {
    let sub = st.copy(id);
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
    schedule::subscription_ended(st, &sub, true);
}

/// Pauses a subscription whose trial ended without a payment method.
pub fn pause(st: &mut State, id: &str) {
    let before = st.copy(id);
    let (frozen, now) = (st.freeze(&before), st.now(&before));
    let paused = st.change(id, |s| {
        s.set("status", "paused");
        // A request may end the trial before its planned end.
        s.set("trial_end", s.int_at("trial_end").map_or(now, |end| end.min(now)));
    });
    st.emit_with("customer.subscription.updated", &paused, Some(frozen));
    st.emit("customer.subscription.paused", &paused);
}

/// Resumes a paused subscription: starts a new period, whose invoice decides the status.
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
    let mut lines = cycle::lines(st, &sub, span.period, None, false)?;
    span.prorate(&mut lines, false)?;
    st.change(id, |s| {
        s.subscription_mut().resuming = true;
        s.subscription_mut().resume_at = Some((now, end));
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
    settle::attempt(st, &invoice, settle::AttemptCause::Hand);
    Ok(st.find(id)?.value())
}

/// Activates a resumed subscription after its invoice was paid.
pub fn resumed(st: &mut State, id: &str) {
    let before = st.copy(id);
    let active = st.change(id, |s: &mut Object| {
        if let Some((start, end)) = before.subscription().resume_at {
            cycle::set_period(s, start, end);
            s.set("billing_cycle_anchor", start);
        }
        s.set("status", "active");
        s.subscription_mut().resuming = false;
    });
    st.emit_with("customer.subscription.updated", &active, Some(before));
    st.emit("customer.subscription.resumed", &active);
}
