//! Subscription schedules: creates, changes and ends them by request. [`super::phases`] runs their phases by the clock.

use serde_json::{Value, json};

use crate::billing::changes::{end, phases};
use crate::billing::items::Priced;
use crate::billing::period::period;
use crate::billing::settlement::ended;
use crate::billing::{due, intervals};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::method::Presence;
use crate::state::State;

/// Creates the requested schedule. If it begins now, also creates its subscription.
///
/// # Errors
/// A parameter is invalid, or the subscription is unknown, ended or already scheduled, or can't be created.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let mut schedule = match args.text("from_subscription") {
        Some(sub) => for_subscription(st, sub)?,
        None => with_phases(st, args)?,
    };
    schedule.set("metadata", merge_metadata(&json!({}), args)?);
    let schedule = st.put(schedule);
    let id = schedule.id().to_owned();
    let begins = due::next_of_schedule(&schedule).is_some_and(|time| time <= st.now(&schedule));
    if schedule.text("status") == "not_started" && begins {
        phases::begin(st, &id, Presence::OnSession)?;
    }
    let made = st.find(&id)?;
    st.emit("subscription_schedule.created", &made);
    Ok(made.value())
}

/// Creates a schedule with the phases of the request.
fn with_phases(st: &mut State, args: &Args) -> Result<Object, ApiError> {
    let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?;
    let customer = st.load("customer", customer, "customer")?;
    let now = st.now(&customer);
    let start = args.int("start_date").unwrap_or(now);
    let phases = phases::read(st, args, &customer, start, start)?;
    let id = st.new_id("sub_sched");
    let behavior = args.text("end_behavior").unwrap_or("release");
    Ok(model::schedule::schedule(id, now, &customer, phases, behavior))
}

/// Creates a schedule for an existing subscription; its only phase is the current period.
fn for_subscription(st: &mut State, sub: &str) -> Result<Object, ApiError> {
    let sub = st.load("subscription", sub, "from_subscription")?;
    if !sub.get("schedule").is_null() {
        let message = "The subscription is already attached to a schedule.";
        return Err(ApiError::invalid(message).about("from_subscription"));
    }
    if matches!(sub.text("status"), "canceled" | "incomplete_expired") {
        let message = "You cannot make a schedule of a subscription that has ended.";
        return Err(ApiError::invalid(message).about("from_subscription"));
    }
    let (start, end) = period(&sub).unwrap_or_default();
    let priced: Vec<Priced> = sub
        .list_at("items")
        .iter()
        .map(|item| Priced {
            price: Object::of(item["price"].clone()),
            quantity: item["quantity"].as_i64().unwrap_or(1),
            metadata: item["metadata"].clone(),
            tax_rates: item["tax_rates"].clone(),
            discounts: Vec::new(),
        })
        .collect();
    intervals::check_single(priced.iter().map(|item| &item.price), "from_subscription")?;
    let mut phase = model::schedule::phase(start, end, &priced, "create_prorations");
    let discounts = sub.list_at("discounts").iter();
    phase["discounts"] =
        discounts.map(|id| json!({ "coupon": null, "discount": id, "promotion_code": null })).collect();
    phase["description"] = sub.get("description").clone();
    phase["trial_end"] = sub.get("trial_end").clone();
    let id = st.new_id("sub_sched");
    let customer = st.copy_if_any(sub.text("customer"));
    let mut schedule = model::schedule::schedule(id.clone(), st.now(&sub), &customer, vec![phase], "release");
    schedule.set("status", "active");
    schedule.set("subscription", sub.id());
    schedule.set("current_phase", json!({ "end_date": end, "start_date": start }));
    st.change_and_emit(sub.id(), "customer.subscription.updated", |s| s.set("schedule", id));
    Ok(schedule)
}

/// Changes an unfinished schedule.
///
/// # Errors
/// The schedule is unknown or finished, or a parameter is invalid.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let before = unfinished(st, id)?;
    let metadata = merge_metadata(before.get("metadata"), args)?;
    let now = st.now(&before);
    let phases = if args.has("phases") { Some(phases::replaced(st, &before, args, now)?) } else { None };
    let index = phases::current(before.list_at("phases"), now);
    let next = phases.as_deref().map_or(index, |phases| phases::current(phases, now));
    let changes_items = |phases: &[Value]| {
        let items = |list: &[Value], index: usize| list.get(index).map(|p| p["items"].clone());
        before.text("status") == "active" && items(phases, next) != items(before.list_at("phases"), index)
    };
    let applies = phases.as_deref().is_some_and(changes_items);
    let changed = st.change_and_emit(id, "subscription_schedule.updated", |s| {
        if let Some(phases) = phases {
            let current = phases.get(next).map(|p| json!({ "end_date": p["end_date"], "start_date": p["start_date"] }));
            if s.text("status") == "active" {
                s.set("current_phase", current.unwrap_or_default());
            }
            s.set("phases", phases);
        }
        if let Some(behavior) = args.text("end_behavior") {
            s.set("end_behavior", behavior);
        }
        s.set("metadata", metadata);
    });
    if applies {
        let behavior = args.text("proration_behavior").unwrap_or("create_prorations");
        phases::move_to(st, &changed, next, behavior)?;
    }
    Ok(st.find(id)?.value())
}

fn unfinished(st: &State, id: &str) -> Result<Object, ApiError> {
    let schedule = st.load("subscription_schedule", id, "id")?;
    if matches!(schedule.text("status"), "active" | "not_started") {
        return Ok(Object::clone(&schedule));
    }
    let message = format!(
        "You cannot change a subscription schedule that is currently in the `{}` status.",
        schedule.text("status")
    );
    Err(ApiError::invalid(message))
}

/// Releases the subscription, which continues without the schedule.
///
/// # Errors
/// The schedule is unknown or finished.
pub fn release(st: &mut State, id: &str) -> Result<Value, ApiError> {
    unfinished(st, id)?;
    Ok(ended::finish(st, id, "released").value())
}

/// Ends the schedule and its subscription.
///
/// # Errors
/// The schedule is unknown or finished, or its subscription can't be ended.
pub fn cancel(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let schedule = unfinished(st, id)?;
    let after = ended::finish(st, id, "canceled");
    if schedule.text("status") == "active" {
        end::cancel_now(st, schedule.text("subscription"), args)?;
    }
    Ok(after.value())
}
