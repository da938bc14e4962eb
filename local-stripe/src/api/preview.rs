//! Previews of invoices: for an unchanged subscription, for a change, or for a new subscription.
//!
//! The preview applies the change like a real request and reads the invoice. The sandbox then rolls everything back.

use serde_json::{Value, json};

use super::billing::{CHANGED_ITEM, PRORATION_BEHAVIOR as BEHAVIOR};
use crate::billing::changes::{change, create, cycle, end, phases};
use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::period;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, ParamKind, opt};
use crate::payments::method::Presence;
use crate::state::State;

/// The parameter `proration_behavior`.
pub const PRORATION_BEHAVIOR: ParamKind = BEHAVIOR;
/// The parameter `trial_end`.
pub const TRIAL_END: ParamKind = ParamKind::TimeOr(&["now"]);
/// The parameter `billing_cycle_anchor`.
pub const ANCHOR: ParamKind = ParamKind::TimeOr(&["now", "unchanged"]);
/// The parameter `items`.
pub const ITEMS: ParamKind = ParamKind::List(&CHANGED_ITEM);
/// The parameter `subscription_details`: the previewed change.
pub const DETAILS: ParamKind = ParamKind::Map(&[
    opt("billing_cycle_anchor", ANCHOR),
    opt("cancel_at", ParamKind::TimeOr(&["max_period_end", "min_period_end"])),
    opt("cancel_at_period_end", ParamKind::Bool),
    opt("cancel_now", ParamKind::Bool),
    opt("items", ITEMS),
    opt("proration_behavior", PRORATION_BEHAVIOR),
    opt("proration_date", ParamKind::Time),
    opt("trial_end", TRIAL_END),
]);

/// Collects the parameters `subscription_…` of a request, without this prefix, as the members of [`DETAILS`].
pub fn nested(args: &Args) -> Args {
    let mut details = Args::default();
    for name in
        ["items", "proration_behavior", "proration_date", "trial_end", "billing_cycle_anchor", "cancel_at_period_end"]
    {
        let flat = format!("subscription_{name}");
        if args.has(&flat) {
            details.put(name, args.value(&flat));
        }
    }
    details
}

/// Returns the invoice that a change would create immediately. If the change creates no invoice, or the mode is
/// `recurring`, returns the invoice of the next renewal. If only the customer is given, that is the next renewal among
/// the customer's subscriptions.
///
/// # Errors
/// The subscription or the schedule is unknown, there is no next invoice, or the change itself is refused.
pub fn show(st: &mut State, args: &Args, details: &Args) -> Result<Value, ApiError> {
    st.is_preview = true;
    match (args.text("subscription"), args.text("schedule")) {
        (Some(id), None) => preview_of(st, id, args, details),
        (None, Some(id)) => preview_schedule(st, id, args, details),
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: subscription, schedule.";
            Err(ApiError::invalid(message).about("schedule"))
        }
        (None, None) if *details != Args::default() => preview_new(st, args, details),
        (None, None) => preview_customer(st, args),
    }
}

/// Returns the next invoice of a subscription, or that of a change.
fn preview_of(st: &mut State, id: &str, args: &Args, details: &Args) -> Result<Value, ApiError> {
    let before = st.load("subscription", id, "subscription")?;
    if args.text("customer").is_some_and(|customer| customer != before.text("customer")) {
        return Err(ApiError::no_such("subscription", id, "subscription"));
    }
    if details.flag("cancel_now") == Some(true) {
        let mut request = Args::default();
        request.put("invoice_now", json!(true));
        request.put("prorate", json!(details.text("proration_behavior") != Some("none")));
        end::cancel_now(st, id, &request)?;
    } else if *details != Args::default() {
        let mut request = details.clone();
        request.put("payment_behavior", json!("default_incomplete"));
        change::update(st, id, &request)?;
    }
    let sub = st.find(id)?;
    let is_recurring = args.text("preview_mode") == Some("recurring");
    if sub.get("latest_invoice") != before.get("latest_invoice") && !is_recurring {
        return Ok(as_preview(st, &sub));
    }
    if !renews(&sub) {
        return Err(none_upcoming(sub.text("customer")));
    }
    let current = period::period(&sub).unwrap_or_default();
    let mut preview = cycle::preview(st, &sub, current, !is_recurring)?;
    preview.set("id", format!("upcoming_in_{}", sub.id()));
    Ok(preview.value())
}

fn renews(sub: &Object) -> bool {
    let is_over = matches!(sub.text("status"), "canceled" | "incomplete_expired" | "paused");
    !is_over && !sub.is("cancel_at_period_end")
}

fn none_upcoming(customer: &str) -> ApiError {
    let message = format!("No upcoming invoices for customer: {customer}");
    ApiError { status: 404, ..ApiError::coded("invoice_upcoming_none", message) }
}

/// Returns the next invoice of a schedule's subscription. A schedule that has not begun shows its first invoice.
fn preview_schedule(st: &mut State, id: &str, args: &Args, details: &Args) -> Result<Value, ApiError> {
    let schedule = st.load("subscription_schedule", id, "schedule")?;
    if *details != Args::default() {
        let message = "A schedule can't be previewed with the changes of a subscription.";
        return Err(ApiError::invalid(message).about("schedule"));
    }
    match (schedule.text("status"), schedule.text_at("subscription")) {
        ("not_started", _) => {
            phases::begin(st, id, Presence::OnSession)?;
            let sub = st.copy_if_any(st.find(id)?.text("subscription"));
            Ok(as_preview(st, &sub))
        }
        (_, Some(subscription)) => preview_of(st, subscription, args, details),
        (_, None) => Err(none_upcoming(schedule.text("customer"))),
    }
}

/// Returns the next invoice of a customer: that of the subscription that renews first, or otherwise that of the pending
/// invoice items.
fn preview_customer(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let id = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?;
    let customer = st.load("customer", id, "customer")?;
    let live = st.newest("subscription", Some(id)).filter(|sub| renews(sub) && sub.text("status") != "incomplete");
    let first = live.min_by_key(|sub| period::period(sub).map(|(_, end)| end));
    if let Some(first) = first {
        return preview_of(st, first.id(), args, &Args::default());
    }
    let pending = st.newest("invoiceitem", Some(id)).find(|item| item.get("invoice").is_null());
    let Some(pending) = pending else { return Err(none_upcoming(id)) };
    let draft = Draft {
        customer: customer.id(),
        currency: pending.text("currency"),
        reason: "upcoming",
        subscription: None,
        lines: Vec::new(),
        takes_pending: true,
        period: None,
    };
    let drafted = invoice::draft(st, draft, |_| {})?;
    let mut preview = Object::clone(&*st.find(&drafted)?);
    preview.set("id", format!("upcoming_in_{id}"));
    Ok(preview.value())
}

/// Returns the first invoice of a new subscription.
fn preview_new(st: &mut State, args: &Args, details: &Args) -> Result<Value, ApiError> {
    let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?.to_owned();
    let mut request = details.clone();
    request.put("customer", json!(customer));
    request.put("payment_behavior", json!("default_incomplete"));
    let sub = create::create(st, &request, Presence::OnSession)?;
    Ok(as_preview(st, &sub))
}

/// Converts the latest invoice of a subscription into a draft with the id of a preview, `upcoming_in_…`.
fn as_preview(st: &State, sub: &Object) -> Value {
    let mut invoice = st.copy_if_any(sub.text("latest_invoice"));
    invoice.set("id", format!("upcoming_in_{}", sub.id()));
    invoice.set("status", "draft");
    for member in ["number", "hosted_invoice_url", "invoice_pdf", "effective_at"] {
        invoice.set(member, Value::Null);
    }
    invoice.set_at("status_transitions.finalized_at", Value::Null);
    invoice.set_at("status_transitions.paid_at", Value::Null);
    invoice.value()
}
