//! Updates a subscription after the payment of its invoice has succeeded or failed.

use serde_json::Value;

use crate::billing::period::{period, set_period};
use crate::billing::settlement::ended::{self, Reason};
use crate::discount::term;
use crate::model::billing::subscription_of;
use crate::object::Object;
use crate::settings::DunningEnd;
use crate::state::State;

/// The cause of a payment attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptCause {
    /// A person or a request. Except for an invoice's first attempt, such an attempt does not count in the retry schedule.
    Hand,
    /// The clock: the automatic finalization of an invoice, a retry, or a bank's decision on a debit.
    Schedule,
}

/// Updates the subscription of a paid invoice. Called twice: before the invoice's events with `being_made`, for a
/// subscription whose creation is in progress, and after these events without it, for any other subscription.
pub fn finish_subscription(st: &mut State, invoice: &Object, being_made: bool) {
    let sub = st.copy_if_any(subscription_of(invoice));
    if sub.is_absent() || sub.as_subscription().being_made != being_made {
        return;
    }
    let is_latest = sub.text("latest_invoice") == invoice.id();
    match sub.text("status") {
        "incomplete" => begin(st, &sub, invoice),
        status => {
            let saved = saved_method(st, &sub, invoice);
            let returns = is_latest && matches!(status, "past_due" | "unpaid");
            st.change_and_emit(sub.id(), "customer.subscription.updated", |s| {
                save(s, saved);
                if returns {
                    s.set("status", "active");
                }
            });
            if status == "paused" && is_latest && sub.as_subscription().resuming {
                resumed(st, sub.id());
            }
        }
    }
    if sub.as_subscription().pending_invoice == invoice.id() {
        apply_pending(st, sub.id());
    }
}

/// Activates an incomplete subscription and emits its creation or its change.
pub fn begin(st: &mut State, sub: &Object, invoice: &Object) {
    let saved = saved_method(st, sub, invoice);
    let being_made = sub.as_subscription().being_made;
    let after = st.change(sub.id(), |s| {
        s.set("status", "active");
        s.as_subscription_mut().being_made = false;
        save(s, saved);
    });
    if being_made {
        st.emit("customer.subscription.created", &after);
    } else {
        st.emit_since(sub.id(), "customer.subscription.updated", sub);
    }
}

fn save(sub: &mut Object, method: Option<String>) {
    if let Some(method) = method {
        sub.set("default_payment_method", method);
    }
}

/// Returns the id of the payment method that paid an invoice, if the subscription saves this method as its default.
fn saved_method(st: &State, sub: &Object, invoice: &Object) -> Option<String> {
    if sub.text_at("payment_settings.save_default_payment_method") != Some("on_subscription") {
        return None;
    }
    let method = st.copy_if_any(st.copy_if_any(&invoice.as_invoice().payment_intent).text("payment_method"));
    (method.text("customer") == sub.text("customer")).then(|| method.id().to_owned()).filter(|id| !id.is_empty())
}

/// Handles an unpaid latest invoice: the subscription becomes past due, or its dunning ends.
pub fn fall_behind(st: &mut State, invoice: &Object, by: AttemptCause) {
    let sub = st.copy_if_any(subscription_of(invoice));
    // The status follows the latest invoice. An older one neither restores the subscription when it is paid, nor ends it.
    let is_latest = sub.text("latest_invoice") == invoice.id();
    if sub.is_absent() || !is_latest || sub.as_subscription().pending_invoice == invoice.id() {
        return;
    }
    let retries_used_up = invoice.get("next_payment_attempt").is_null()
        && (by == AttemptCause::Schedule || invoice.int("attempt_count") > 1);
    match sub.text("status") {
        "active" | "trialing" if retries_used_up => dunning_ends(st, sub.id(), true),
        "active" | "trialing" => {
            st.change_and_emit(sub.id(), "customer.subscription.updated", |s| s.set("status", "past_due"));
        }
        "past_due" if retries_used_up && by == AttemptCause::Schedule => dunning_ends(st, sub.id(), false),
        _ => {}
    }
}

fn dunning_ends(st: &mut State, sub: &str, from_active: bool) {
    match st.settings.dunning.end {
        DunningEnd::Cancel => ended::stop(st, sub, Reason::PaymentFailed),
        DunningEnd::Unpaid => {
            st.change_and_emit(sub, "customer.subscription.updated", |s| s.set("status", "unpaid"));
        }
        DunningEnd::PastDue if from_active => {
            st.change_and_emit(sub, "customer.subscription.updated", |s| s.set("status", "past_due"));
        }
        DunningEnd::PastDue => {}
    }
}

/// Activates a resumed subscription after its invoice was paid.
fn resumed(st: &mut State, id: &str) {
    let Ok(before) = st.find(id) else { return };
    let active = st.change(id, |s: &mut Object| {
        if let Some((start, end)) = before.as_subscription().resume_at {
            set_period(s, start, end);
            s.set("billing_cycle_anchor", start);
        }
        s.set("status", "active");
        s.as_subscription_mut().resuming = false;
    });
    st.emit_with("customer.subscription.updated", &active, Some(Object::clone(&before)));
    st.emit("customer.subscription.resumed", &active);
}

/// Applies a pending change whose payment succeeded, and emits the events.
fn apply_pending(st: &mut State, id: &str) {
    let Ok(before) = st.find(id) else { return };
    let change = before.as_subscription().pending_change.clone().unwrap_or_default();
    let had_to_wait = !before.get("pending_update").is_null();
    let after = st.change_and_emit(id, "customer.subscription.updated", |s| {
        for member in ["items", "billing_cycle_anchor", "status", "trial_start", "trial_end"] {
            s.set(member, change.get(member).clone());
        }
        if let Some((start, end)) = period(s) {
            // A cancellation planned for the period's end moves with the period.
            set_period(s, start, end);
        }
        s.set("pending_update", Value::Null);
        let own = s.as_subscription_mut();
        own.usage.clone_from(&change.as_subscription().usage);
        own.pending_change = None;
        own.pending_invoice.clear();
    });
    let mut noted = Object::clone(&after);
    term::note_ends(st, &mut noted);
    st.put(noted);
    if had_to_wait {
        st.emit("customer.subscription.pending_update_applied", &after);
    }
}
