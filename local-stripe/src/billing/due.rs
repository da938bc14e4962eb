//! Computes when an object acts on its own, such as a subscription that renews, and runs the action.

use crate::billing::{credits, cycle, end, invoice, phases, quote, settle};
use crate::calendar::DAY_S;
use crate::checkout;
use crate::discount::term;
use crate::object::Object;
use crate::payments::{balance, intent};
use crate::state::State;

/// How many days before a trial's end `customer.subscription.trial_will_end` is sent.
pub const TRIAL_NOTICE_DAYS: i64 = 3;
/// How many days before a renewal `invoice.upcoming` is sent.
pub const UPCOMING_DAYS: i64 = 7;

/// Returns the time in Unix seconds at which an object next acts on its own, computed from its members; `None` if it
/// never does.
pub fn next(object: &Object) -> Option<i64> {
    match object.kind() {
        "subscription" => next_of_subscription(object),
        "customer" => object.int_at("discount.end"),
        "invoice" if object.text("status") == "draft" && object.is("auto_advance") => {
            object.int_at("automatically_finalizes_at")
        }
        "invoice" if object.text("status") == "open" => object.int_at("next_payment_attempt"),
        "checkout.session" if object.text("status") == "open" => object.int_at("expires_at"),
        "payment_intent" if object.text("status") == "processing" => object.intent().settles_at,
        "subscription_schedule" => phases::next(object),
        "balance_transaction" if object.text("status") == "pending" => object.int_at("available_on"),
        "payout" if object.text("status") == "pending" => object.int_at("arrival_date"),
        "billing.credit_grant" if object.grant().left > 0 => object.int_at("expires_at"),
        "quote" if matches!(object.text("status"), "draft" | "open") => object.int_at("expires_at"),
        _ => None,
    }
}

fn next_of_subscription(sub: &Object) -> Option<i64> {
    let status = sub.text("status");
    if matches!(status, "canceled" | "incomplete_expired") {
        return None;
    }
    if status == "incomplete" {
        return sub.subscription().expires_at;
    }
    let period_end = if status == "paused" { None } else { period(sub).map(|p| p.1) };
    let times = [
        period_end,
        sub.int_at("cancel_at"),
        trial_notice(sub),
        upcoming_notice(sub),
        sub.int_at("pending_update.expires_at"),
        sub.subscription().discount_ends,
        sub.int_at("pause_collection.resumes_at"),
    ];
    times.into_iter().flatten().min()
}

fn trial_notice(sub: &Object) -> Option<i64> {
    let trial_end = sub
        .int_at("trial_end")
        .filter(|_| sub.text("status") == "trialing" && !sub.subscription().trial_notice_sent)?;
    Some(trial_end - TRIAL_NOTICE_DAYS * DAY_S)
}

fn upcoming_notice(sub: &Object) -> Option<i64> {
    let (start, end) = period(sub)?;
    let notice = end - UPCOMING_DAYS * DAY_S;
    let wanted = matches!(sub.text("status"), "active" | "trialing")
        && !sub.is("cancel_at_period_end")
        && sub.int_at("cancel_at").is_none_or(|at| at > end)
        && sub.subscription().upcoming_sent_for != Some(end)
        && notice > start;
    wanted.then_some(notice)
}

/// Returns the start and end of a subscription's current period, in Unix seconds: that of the item whose period ends first.
pub fn period(sub: &Object) -> Option<(i64, i64)> {
    let first = sub.list_at("items").iter().min_by_key(|item| item["current_period_end"].as_i64())?;
    Some((first["current_period_start"].as_i64()?, first["current_period_end"].as_i64()?))
}

/// Runs the due action of an object. The clock must already be at that time.
pub fn run(st: &mut State, id: &str, now_s: i64) {
    let object = st.copy(id);
    match object.kind() {
        "invoice" if object.text("status") == "draft" => invoice::auto_finalize(st, id),
        "invoice" => settle::retry(st, id),
        "customer" => {
            term::end_of_customer(st, id);
        }
        "checkout.session" => checkout::expire(st, id),
        "payment_intent" => intent::settle_debit(st, id),
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
        end::cancel(st, id, end::Reason::AtItsTime);
    } else if is_due(sub.int_at("pending_update.expires_at")) {
        settle::expire_pending_update(st, id);
    } else if is_due(sub.subscription().discount_ends) {
        term::expire(st, id, now_s);
    } else if is_due(sub.int_at("pause_collection.resumes_at")) {
        st.change_and_emit(id, "customer.subscription.updated", |s| s.set("pause_collection", serde_json::Value::Null));
    } else if is_due(trial_notice(sub)) {
        let told = st.change(id, |s| s.subscription_mut().trial_notice_sent = true);
        st.emit("customer.subscription.trial_will_end", &told);
    } else if is_due(upcoming_notice(sub)) {
        cycle::announce(st, id);
    } else {
        cycle::renew(st, id);
    }
}
