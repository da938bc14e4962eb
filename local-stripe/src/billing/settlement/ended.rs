//! The end of subscriptions, and of their schedules.

use serde_json::Value;

use crate::model::billing::subscription_of;
use crate::object::Object;
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

/// Ends a subscription and emits `customer.subscription.deleted`. From then on, its drafts are not finalized and its
/// open invoices are not collected.
pub fn stop(st: &mut State, id: &str, reason: Reason) {
    let Ok(sub) = st.find(id) else { return };
    let now = st.now(&sub);
    let ended = st.change(id, |s| {
        s.set("status", "canceled");
        s.set("ended_at", now);
        if s.get("canceled_at").is_null() || reason == Reason::Requested {
            s.set("canceled_at", now);
        }
        let words = if reason == Reason::PaymentFailed { "payment_failed" } else { "cancellation_requested" };
        s.set_at("cancellation_details.reason", words);
        s.set("pending_update", Value::Null);
        s.as_subscription_mut().pending_change = None;
        s.as_subscription_mut().pending_invoice.clear();
        s.set("schedule", Value::Null);
    });
    let open: Vec<String> = st
        .newest("invoice", Some(sub.text("customer")))
        .filter(|i| subscription_of(i) == id && matches!(i.text("status"), "draft" | "open"))
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
    subscription_ended(st, &sub, reason == Reason::PaymentFailed);
}

/// Ends a schedule and releases its subscription. Emits `subscription_schedule.{status}`.
pub fn finish(st: &mut State, id: &str, status: &str) -> Object {
    let schedule = st.copy(id);
    let (now, sub) = (st.now(&schedule), schedule.text("subscription").to_owned());
    if !sub.is_empty() {
        st.change_and_emit(&sub, "customer.subscription.updated", |s| s.set("schedule", Value::Null));
    }
    let after = st.change(id, |s| {
        s.set("current_phase", Value::Null);
        match status {
            "released" => {
                s.set("released_at", now);
                s.set("released_subscription", s.get("subscription").clone());
                s.set("subscription", Value::Null);
            }
            "completed" => s.set("completed_at", now),
            _ => s.set("canceled_at", now),
        }
        // An aborted schedule has the status `canceled`.
        s.set("status", if status == "aborted" { "canceled" } else { status });
    });
    st.emit(&format!("subscription_schedule.{status}"), &after);
    Object::clone(&after)
}

/// Ends the schedule of a subscription that ended, as `aborted` if its payments failed.
pub fn subscription_ended(st: &mut State, sub: &Object, by_delinquency: bool) {
    let id = sub.text("schedule").to_owned();
    if !id.is_empty() {
        finish(st, &id, if by_delinquency { "aborted" } else { "canceled" });
    }
}
