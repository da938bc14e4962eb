//! Carries out what objects do on their own, such as the renewal of a subscription.

use crate::billing::changes::{cycle, end, phases, quote};
use crate::billing::due;
use crate::billing::invoicing::invoice;
use crate::billing::settlement::{credits, settle};
use crate::checkout;
use crate::discount::term;
use crate::object::Object;
use crate::payments::{balance, confirm};
use crate::state::State;

/// Runs the due action of an object. The clock must already be at that time.
pub fn run(st: &mut State, id: &str, now_s: i64) {
    let Ok(object) = st.find(id) else { return };
    match object.kind() {
        "invoice" if object.text("status") == "draft" => invoice::auto_finalize(st, id),
        "invoice" => settle::retry(st, id),
        "customer" => {
            term::end_of_customer(st, id);
        }
        "checkout.session" => checkout::expire(st, id),
        "payment_intent" => confirm::settle_debit(st, id),
        "subscription_schedule" => phases::run(st, id, now_s),
        "balance_transaction" => balance::release(st, id),
        "payout" => balance::arrive(st, id),
        "billing.credit_grant" => credits::run_out(st, id),
        "quote" => quote::expire(st, id),
        "subscription" => run_subscription(st, &object, now_s),
        _ => {}
    }
}

fn run_subscription(st: &mut State, sub: &Object, now_s: i64) {
    let id = sub.id();
    let is_due = |time: Option<i64>| time.is_some_and(|t| t <= now_s);
    if sub.text("status") == "incomplete" {
        end::expire_incomplete(st, id);
    } else if is_due(sub.int_at("cancel_at")) {
        end::at_its_time(st, id);
    } else if is_due(sub.int_at("pending_update.expires_at")) {
        settle::expire_pending_update(st, id);
    } else if is_due(sub.as_subscription().discount_ends) {
        term::expire(st, id, now_s);
    } else if is_due(sub.int_at("pause_collection.resumes_at")) {
        st.change_and_emit(id, "customer.subscription.updated", |s| s.set("pause_collection", serde_json::Value::Null));
    } else if is_due(due::trial_notice(sub)) {
        let told = st.change(id, |s| s.as_subscription_mut().trial_notice_sent = true);
        st.emit("customer.subscription.trial_will_end", &told);
    } else if is_due(due::upcoming_notice(sub)) {
        cycle::announce(st, id);
    } else {
        cycle::renew(st, id);
    }
}
