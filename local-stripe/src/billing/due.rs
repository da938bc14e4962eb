//! Computes when an object acts on its own, such as a subscription that renews.

use crate::billing::period::period;
use crate::calendar::DAY_S;
use crate::object::Object;

/// How many days before a trial's end `customer.subscription.trial_will_end` is sent.
pub const TRIAL_NOTICE_DAYS: i64 = 3;
/// How many days before a renewal `invoice.upcoming` is sent.
pub const UPCOMING_DAYS: i64 = 7;
/// How many days before the end of a schedule `subscription_schedule.expiring` is sent.
const EXPIRY_DAYS: i64 = 7;

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
        "payment_intent" if object.text("status") == "processing" => object.as_intent().settles_at,
        "subscription_schedule" => next_of_schedule(object),
        "balance_transaction" if object.text("status") == "pending" => object.int_at("available_on"),
        "payout" if object.text("status") == "pending" => object.int_at("arrival_date"),
        "billing.credit_grant" if object.as_grant().left > 0 => object.int_at("expires_at"),
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
        return sub.as_subscription().expires_at;
    }
    let period_end = if status == "paused" { None } else { period(sub).map(|p| p.1) };
    let times = [
        period_end,
        sub.int_at("cancel_at"),
        trial_notice(sub),
        upcoming_notice(sub),
        sub.int_at("pending_update.expires_at"),
        sub.as_subscription().discount_ends,
        sub.int_at("pause_collection.resumes_at"),
    ];
    times.into_iter().flatten().min()
}

/// Returns the time at which the end of the trial is announced, if an announcement is due.
pub fn trial_notice(sub: &Object) -> Option<i64> {
    let trial_end = sub
        .int_at("trial_end")
        .filter(|_| sub.text("status") == "trialing" && !sub.as_subscription().trial_notice_sent)?;
    Some(trial_end - TRIAL_NOTICE_DAYS * DAY_S)
}

/// Returns the time at which the renewal is announced, if an announcement is due.
pub fn upcoming_notice(sub: &Object) -> Option<i64> {
    let (start, end) = period(sub)?;
    let notice = end - UPCOMING_DAYS * DAY_S;
    let wanted = matches!(sub.text("status"), "active" | "trialing")
        && !sub.is("cancel_at_period_end")
        && sub.int_at("cancel_at").is_none_or(|at| at > end)
        && sub.as_subscription().upcoming_sent_for != Some(end)
        && notice > start;
    wanted.then_some(notice)
}

/// Returns the time of a schedule's next action, in Unix seconds.
pub fn next_of_schedule(schedule: &Object) -> Option<i64> {
    let phases = schedule.list_at("phases");
    match schedule.text("status") {
        "not_started" => phases.first()?["start_date"].as_i64(),
        "active" => {
            let phase_ends = schedule.int_at("current_phase.end_date");
            [phase_ends, expiry_notice(schedule)].into_iter().flatten().min()
        }
        _ => None,
    }
}

/// Returns the time at which `subscription_schedule.expiring` is sent, if it will be sent.
pub fn expiry_notice(schedule: &Object) -> Option<i64> {
    let end = schedule.list_at("phases").last()?["end_date"].as_i64()?;
    let notice = end - EXPIRY_DAYS * DAY_S;
    let begun = schedule.list_at("phases").first()?["start_date"].as_i64()?;
    (!schedule.as_schedule().expiry_told && notice > begun).then_some(notice)
}
