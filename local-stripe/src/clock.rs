//! Moves a clock forward and runs all due actions in order of time.

use serde_json::Value;

use crate::billing::changes::actions;
use crate::calendar;
use crate::entitlements;
use crate::error::ApiError;
use crate::object::Object;
use crate::payments::{dispute, funding, radar, refund};
use crate::state::{DeferredAction, State};

/// The maximum number of actions of one advance: enough for hundreds of subscriptions that renew daily for a year.
pub const STEPS_MAX: usize = 1_000_000;

/// Advances a test clock to a time in Unix seconds. An empty id is the sandbox's own clock. The emitted events have no
/// request.
///
/// # Errors
/// The advance requires more than [`STEPS_MAX`] actions.
pub fn advance(st: &mut State, clock: &str, to_s: i64) -> Result<(), ApiError> {
    let request = std::mem::take(&mut st.request);
    let outcome = run_until(st, clock, to_s);
    st.request = request;
    outcome
}

fn run_until(st: &mut State, clock: &str, to_s: i64) -> Result<(), ApiError> {
    for _ in 0..STEPS_MAX {
        let Some((time_s, owner, id)) = st.next_due_of(clock, to_s) else {
            set(st, clock, to_s);
            return Ok(());
        };
        // An overdue action runs at the clock's current time, because clocks never go back.
        let time_s = time_s.max(st.time_on(clock));
        set(st, clock, time_s);
        st.acting_for(&owner, |st| {
            actions::run(st, &id, time_s);
            finish(st);
        });
    }
    Err(ApiError::invalid(format!("Advancing that far takes more than {STEPS_MAX} steps; advance in smaller ones."))
        .about("frozen_time"))
}

fn set(st: &mut State, clock: &str, to_s: i64) {
    if clock.is_empty() {
        st.set_clock(to_s);
    } else {
        st.change(clock, |c| c.set("frozen_time", to_s));
    }
}

/// Runs the deferred actions of a call, at the end of the call, and updates the entitlements.
pub fn finish(st: &mut State) {
    for action in std::mem::take(&mut st.deferred) {
        match action {
            DeferredAction::Dispute(charge) => dispute::open(st, &charge),
            DeferredAction::RefundFails(id) => refund::fail(st, &id),
            DeferredAction::RefundSucceeds(id) => refund::succeed(st, &id),
            DeferredAction::PaidFromCash(id) => funding::pay(st, &id),
            DeferredAction::FraudWarning(charge) => radar::warn(st, &charge),
        }
    }
    entitlements::follow(st);
}

/// The maximum advance of a test clock, in intervals of its shortest subscription, Stripe's limit.
const INTERVALS_MAX: i64 = 2;
/// The maximum advance of a test clock without subscriptions, in years, Stripe's limit.
const YEARS_MAX: i64 = 2;

/// Checks that a test clock advances by at most two intervals of its shortest subscription or schedule.
fn check_distance(st: &State, clock: &Object, to_s: i64) -> Result<(), ApiError> {
    let now_s = clock.int("frozen_time");
    let ends = intervals(st, clock.id()).into_iter().map(|(name, count)| {
        let words = format!("{INTERVALS_MAX} intervals of its shortest subscription (every {count} {name})");
        (calendar::add(now_s, &name, INTERVALS_MAX * count), words)
    });
    let unbound = || (calendar::add(now_s, "year", YEARS_MAX), format!("{YEARS_MAX} years without a subscription"));
    let (most_s, limit) = ends.min().unwrap_or_else(unbound);
    if to_s <= most_s {
        return Ok(());
    }
    let message = format!("A test clock can advance by at most {limit} at once: to {most_s}, but {to_s} is given.");
    Err(ApiError::invalid(message).about("frozen_time"))
}

/// Returns the billing intervals of the subscriptions and schedules on a test clock that have not ended.
fn intervals(st: &State, clock: &str) -> Vec<(String, i64)> {
    let of_price = |price: &Value| {
        let recurring = &price["recurring"];
        Some((recurring["interval"].as_str()?.to_owned(), recurring["interval_count"].as_i64().unwrap_or(1)))
    };
    let mut all = Vec::new();
    for customer in st.newest("customer", None).filter(|customer| customer.text("test_clock") == clock) {
        for sub in st.newest("subscription", Some(customer.id())) {
            if !matches!(sub.text("status"), "canceled" | "incomplete_expired") {
                all.extend(sub.list_at("items").iter().filter_map(|item| of_price(&item["price"])));
            }
        }
        for schedule in st.newest("subscription_schedule", Some(customer.id())) {
            if matches!(schedule.text("status"), "active" | "not_started") {
                let items = schedule.list_at("phases").iter().filter_map(|phase| phase["items"].as_array()).flatten();
                let prices = items.filter_map(|item| st.seek(item["price"].as_str()?));
                all.extend(prices.filter_map(|price| of_price(&price.value())));
            }
        }
    }
    all
}

/// Advances a test clock. The returned clock has the status `advancing`, as at Stripe, but the stored clock is already
/// `ready`.
///
/// # Errors
/// The clock is unknown, or the time is in its past or more than two intervals of its shortest subscription ahead.
pub fn advance_test_clock(st: &mut State, id: &str, to_s: i64) -> Result<Value, ApiError> {
    let clock = st.load("test_helpers.test_clock", id, "id")?;
    if to_s <= clock.int("frozen_time") {
        let message = "The frozen time of a test clock can only be moved forward.";
        return Err(ApiError::coded("test_clock_invalid", message).about("frozen_time"));
    }
    check_distance(st, &clock, to_s)?;
    let advancing = st.change(id, |c| {
        c.set("status", "advancing");
        c.set_at("status_details.advancing.target_frozen_time", to_s);
    });
    st.emit("test_helpers.test_clock.advancing", &advancing);
    advance(st, id, to_s)?;
    let ready = st.change(id, |c| {
        c.set("status", "ready");
        c.set("status_details", serde_json::json!({}));
    });
    st.emit("test_helpers.test_clock.ready", &ready);
    Ok(advancing.value())
}
