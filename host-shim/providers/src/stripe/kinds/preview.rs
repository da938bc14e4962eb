//! Calculates what a change of a subscription would cost, with Stripe's own previews of invoices. Changes nothing.

use super::member;
use super::subscription::{ItemChange, begins_period, current, is_ending, living};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use host_provider_api::Call;
use serde_json::{Value, json};
use stripe_billing::invoice::{
    CreatePreviewInvoice, CreatePreviewInvoicePreviewMode, CreatePreviewInvoiceSubscriptionDetails,
    CreatePreviewInvoiceSubscriptionDetailsItems,
    CreatePreviewInvoiceSubscriptionDetailsProrationBehavior as Proration,
};
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};

/// `stripe.invoice.preview`: takes the payload of `stripe.subscription.update`, or `subscription` and `resume`; returns `currency`,
/// `due_minor` (what is charged at once), `credit_minor` (what of it is credited for the unused time), `tax_minor`, `lines`
/// (`description`, `amount_minor`), and of the next invoice `next_minor` and `next_at_ms`.
pub(crate) fn preview(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    if payload.maybe_flag("resume")? == Some(true) {
        return end_of_pause(api, payload.id("subscription")?, &marks);
    }
    let change = ItemChange::of(payload)?;
    let now = living(change.subscription, current(api, change.subscription)?)?;
    let keeps = payload.maybe_flag("keep")? == Some(true) && is_ending(&now);
    let renewal = match payload.maybe_text("proration_behavior")? {
        Some("create_prorations") => Preview::NextWithProrations,
        _ => Preview::Next,
    };
    let next = api.post(previewed(&change, renewal, keeps).build(), &marks, "preview-next")?;
    let is_later = payload.maybe_text("at")? == Some("period_end");
    let next_at_ms = match is_later {
        true => payload.maybe_int("period_end_ms")?,
        false => begins_at_ms(&next),
    };
    let mut figures = without_charge(&next, next_at_ms)?;
    // A trial goes on after the change, and nothing is due before its end.
    let is_trial = now.get("status").and_then(Value::as_str) == Some("trialing");
    if payload.maybe_text("proration_behavior")? == Some("always_invoice") && !is_later && !is_trial {
        let due = api.post(previewed(&change, Preview::Now, keeps).build(), &marks, "preview-now")?;
        charge(&mut figures, &due)?;
        let credits = shown_lines(&due).into_iter().map(|(_, amount)| amount.min(0));
        figures["credit_minor"] = json!(credits.sum::<i64>().saturating_neg());
    }
    Ok(figures)
}

/// Returns the figures for the end of a pause: a new period, if nobody has paid for the current one.
fn end_of_pause(api: &Api<'_>, id: &str, marks: &Marks) -> Result<Value, Failed> {
    let now = living(id, api.get(format!("/subscriptions/{id}"), &[("expand[]", "latest_invoice")])?.object)?;
    let previewed = |details: Value| {
        let form = json!({"subscription": id, "preview_mode": "next", "subscription_details": details});
        RequestBuilder::new(StripeMethod::Post, "/invoices/create_preview").form(&form)
    };
    let next = api.post(previewed(json!({"proration_behavior": "none"})), marks, "preview-next")?;
    let mut figures = without_charge(&next, begins_at_ms(&next))?;
    if begins_period(&now) {
        let from_now = json!({"proration_behavior": "none", "billing_cycle_anchor": "now"});
        let due = api.post(previewed(from_now), marks, "preview-now")?;
        charge(&mut figures, &due)?;
        figures["next_at_ms"] = json!(ends_at_ms(&due));
    }
    Ok(figures)
}

/// Returns the figures of a change that charges nothing now, by its next invoice.
fn without_charge(next: &Value, next_at_ms: Option<i64>) -> Result<Value, Failed> {
    Ok(json!({
        "currency": member(next, "currency")?, "next_minor": amount(next, "total")?, "next_at_ms": next_at_ms,
        "due_minor": 0, "credit_minor": 0, "tax_minor": 0, "lines": [],
    }))
}

/// Adds the invoice that is due now.
fn charge(figures: &mut Value, due: &Value) -> Result<(), Failed> {
    figures["due_minor"] = json!(amount(due, "amount_due")?);
    figures["tax_minor"] = json!(tax(due));
    let lines = shown_lines(due).into_iter();
    figures["lines"] = lines.map(|(text, amount)| json!({"description": text, "amount_minor": amount})).collect();
    Ok(())
}

/// The invoice that is previewed.
enum Preview {
    /// The one that the change causes.
    Now,
    /// The first renewal after the change.
    Next,
    /// The first renewal after the change, with what the rest of the period costs more.
    NextWithProrations,
}

fn previewed(change: &ItemChange<'_>, which: Preview, keeps: bool) -> CreatePreviewInvoice {
    let mut item = CreatePreviewInvoiceSubscriptionDetailsItems::new();
    item.id = Some(change.item.to_owned());
    item.price = Some(change.price.to_owned());
    item.quantity = change.quantity;
    let mut details = CreatePreviewInvoiceSubscriptionDetails::new();
    details.items = Some(vec![item]);
    details.cancel_at_period_end = keeps.then_some(false);
    let (behavior, mode) = match which {
        Preview::Now => (Proration::AlwaysInvoice, CreatePreviewInvoicePreviewMode::Next),
        Preview::Next => (Proration::None, CreatePreviewInvoicePreviewMode::Recurring),
        Preview::NextWithProrations => (Proration::CreateProrations, CreatePreviewInvoicePreviewMode::Next),
    };
    details.proration_behavior = Some(behavior);
    CreatePreviewInvoice::new().subscription(change.subscription).subscription_details(details).preview_mode(mode)
}

fn amount(invoice: &Value, name: &str) -> Result<i64, Failed> {
    let missing = Failed::Unreadable { status: 200, reason: "a preview without its amounts" };
    invoice.get(name).and_then(Value::as_i64).ok_or(missing)
}

/// Returns the sum of the invoice's taxes.
fn tax(invoice: &Value) -> i64 {
    let taxes = invoice.get("total_taxes").and_then(Value::as_array).into_iter().flatten();
    taxes.filter_map(|tax| tax.get("amount").and_then(Value::as_i64)).sum()
}

/// Returns the description and the amount of each line.
fn shown_lines(invoice: &Value) -> Vec<(&str, i64)> {
    let lines = invoice.pointer("/lines/data").and_then(Value::as_array).into_iter().flatten();
    let shown = |line: &'_ Value| line.get("amount").and_then(Value::as_i64);
    lines.filter_map(|line| Some((line.get("description")?.as_str()?, shown(line)?))).collect()
}

/// Returns the end of the period that an invoice is for.
fn ends_at_ms(invoice: &Value) -> Option<i64> {
    let lines = invoice.pointer("/lines/data").and_then(Value::as_array).into_iter().flatten();
    let ends_s = lines.filter_map(|line| line.pointer("/period/end").and_then(Value::as_i64));
    ends_s.max().map(|at_s| at_s.saturating_mul(1_000))
}

/// Returns the time at which the period begins that an invoice is for. Usage is invoiced for the period before.
fn begins_at_ms(invoice: &Value) -> Option<i64> {
    let lines = invoice.pointer("/lines/data").and_then(Value::as_array).into_iter().flatten();
    let starts_s = lines.filter_map(|line| line.pointer("/period/start").and_then(Value::as_i64));
    starts_s.max().map(|at_s| at_s.saturating_mul(1_000))
}
