//! Subscription schedules: phases that a subscription goes through by the clock.

use serde_json::{Value, json};

use crate::billing::due::period;
use crate::billing::items::{self, Priced};
use crate::billing::{change, create, end, settle};
use crate::calendar::{self, DAY_S};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::attempt::Presence;
use crate::state::State;

/// Days before its end that a schedule is said to expire.
const EXPIRY_DAYS: i64 = 7;
/// Phases of a schedule, Stripe's limit.
const PHASES_MAX: usize = 10;

/// Makes a schedule as a request asks; one that begins now makes its subscription.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let mut schedule = match args.text("from_subscription") {
        Some(sub) => around(st, sub)?,
        None => planned(st, args)?,
    };
    schedule.set("metadata", merge_metadata(&json!({}), args)?);
    let schedule = st.put(schedule);
    let id = schedule.id().to_owned();
    let begins = next(&schedule).is_some_and(|time| time <= st.now(&schedule));
    if schedule.text("status") == "not_started" && begins {
        begin(st, &id, Presence::OnSession)?;
    }
    let made = st.copy(&id);
    st.emit("subscription_schedule.created", &made);
    Ok(made.value())
}

/// A schedule of phases yet to come.
fn planned(st: &mut State, args: &Args) -> Result<Object, ApiError> {
    let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?;
    let customer = st.load("customer", customer, "customer")?;
    let now = st.now(&customer);
    let start = args.int("start_date").unwrap_or(now);
    let phases = read_phases(st, args, start)?;
    let id = st.new_id("sub_sched");
    let behavior = args.text("end_behavior").unwrap_or("release");
    Ok(model::schedule::schedule(id, now, &customer, phases, behavior))
}

/// A schedule whose only phase is the current period of a subscription.
fn around(st: &mut State, sub: &str) -> Result<Object, ApiError> {
    let sub = st.load("subscription", sub, "from_subscription")?;
    if !sub.get("schedule").is_null() {
        let message = "The subscription is already attached to a schedule.";
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
        })
        .collect();
    let phase = model::schedule::phase(start, end, &priced, "create_prorations");
    let id = st.new_id("sub_sched");
    let customer = st.copy(sub.text("customer"));
    let mut schedule = model::schedule::schedule(id.clone(), st.now(&sub), &customer, vec![phase], "release");
    schedule.set("status", "active");
    schedule.set("subscription", sub.id());
    schedule.set("current_phase", json!({ "end_date": end, "start_date": start }));
    st.change_and_emit(sub.id(), "customer.subscription.updated", |s| s.set("schedule", id));
    Ok(schedule)
}

fn read_phases(st: &mut State, args: &Args, start: i64) -> Result<Vec<Value>, ApiError> {
    let given = args.list("phases");
    if given.is_empty() {
        return Err(ApiError::missing("phases"));
    }
    if given.len() > PHASES_MAX {
        return Err(ApiError::invalid(format!("A schedule can have at most {PHASES_MAX} phases.")).about("phases"));
    }
    let (mut phases, mut from) = (Vec::new(), start);
    for (n, phase) in given.into_iter().map(Args::of).enumerate() {
        let param = format!("phases[{n}]");
        let priced = create::read_items(st, &phase)?;
        let recurring = priced.first().map(|p| p.price.get("recurring").clone()).unwrap_or_default();
        let interval = |count: i64| {
            let each = recurring["interval_count"].as_i64().unwrap_or(1);
            calendar::add(from, recurring["interval"].as_str().unwrap_or("month"), each * count)
        };
        let duration = phase.map("duration");
        let to = match (phase.int("end_date"), phase.int("iterations"), duration.text("interval")) {
            (Some(end), _, _) => end,
            (None, Some(count), _) => interval(count),
            (None, None, Some(unit)) => calendar::add(from, unit, duration.int("interval_count").unwrap_or(1)),
            (None, None, None) => interval(1),
        };
        if to <= from {
            let message = "A phase must end after it starts.";
            return Err(ApiError::invalid(message).about(&format!("{param}[end_date]")));
        }
        let behavior = phase.text("proration_behavior").unwrap_or("create_prorations");
        let mut made = model::schedule::phase(from, to, &priced, behavior);
        made["metadata"] = merge_metadata(&json!({}), &phase)?;
        phases.push(made);
        from = to;
    }
    Ok(phases)
}

/// Changes a schedule that isn't over.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let before = unfinished(st, id)?;
    let metadata = merge_metadata(before.get("metadata"), args)?;
    let start = before.list_at("phases").first().and_then(|p| p["start_date"].as_i64()).unwrap_or_default();
    let phases = if args.has("phases") { Some(read_phases(st, args, start)?) } else { None };
    let now = st.now(&before);
    let index = current(&before, now);
    let changes_items = |phases: &[Value]| {
        let items = |list: &[Value]| list.get(index).map(|p| p["items"].clone());
        before.text("status") == "active" && items(phases) != items(before.list_at("phases"))
    };
    let applies = phases.as_deref().is_some_and(changes_items);
    let changed = st.change_and_emit(id, "subscription_schedule.updated", |s| {
        if let Some(phases) = phases {
            let current =
                phases.get(index).map(|p| json!({ "end_date": p["end_date"], "start_date": p["start_date"] }));
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
        move_to(st, &changed, index, behavior)?;
    }
    Ok(st.copy(id).value())
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

/// The index of the phase that a time is in, the last one's if all are over.
fn current(schedule: &Object, now: i64) -> usize {
    let phases = schedule.list_at("phases");
    let over = phases.iter().filter(|p| p["end_date"].as_i64().unwrap_or_default() <= now).count();
    over.min(phases.len().saturating_sub(1))
}

/// When the clock next has something to do for a schedule.
pub fn next(schedule: &Object) -> Option<i64> {
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

fn expiry_notice(schedule: &Object) -> Option<i64> {
    let end = schedule.list_at("phases").last()?["end_date"].as_i64()?;
    let notice = end - EXPIRY_DAYS * DAY_S;
    let begun = schedule.list_at("phases").first()?["start_date"].as_i64()?;
    (!schedule.is("_expiry_told") && notice > begun).then_some(notice)
}

/// What is due for a schedule at a time happens.
pub fn run(st: &mut State, id: &str, now: i64) {
    let schedule = st.copy(id);
    if schedule.text("status") == "not_started" {
        if begin(st, id, Presence::OffSession).is_err() {
            // Nothing can be made of it, such as when a price is gone: it ends as Stripe ends what can't begin.
            finish(st, id, "canceled");
        }
    } else if expiry_notice(&schedule).is_some_and(|time| time <= now) {
        let told = st.change(id, |s| s.set("_expiry_told", true));
        st.emit("subscription_schedule.expiring", &told);
    } else {
        pass_on(st, id, now, false);
    }
}

/// The first phase begins: its subscription is made.
fn begin(st: &mut State, id: &str, presence: Presence) -> Result<(), ApiError> {
    let schedule = st.copy(id);
    let Some(phase) = schedule.list_at("phases").first().cloned() else { return Ok(()) };
    let items: Vec<Value> = entries(&phase);
    let mut args = Args::of(json!({ "customer": schedule.get("customer"), "items": items, "_schedule": id }));
    args.put("metadata", phase["metadata"].clone());
    let owner = Object::of(json!({ "customer": schedule.get("customer") }));
    let waits = settle::method_of(st, &owner).is_none();
    if waits {
        // A schedule begins also where nothing can be charged: the first invoice stays open.
        args.put("payment_behavior", json!("default_incomplete"));
    }
    let sub = create::create(st, &args, presence)?;
    if waits && sub.text("status") == "incomplete" {
        st.change_and_emit(sub.id(), "customer.subscription.updated", |s| {
            s.set("status", "past_due");
            s.set("_expires_at", Value::Null);
        });
    }
    let began = st.change(id, |s| {
        s.set("status", "active");
        s.set("subscription", sub.id());
        s.set("current_phase", json!({ "end_date": phase["end_date"], "start_date": phase["start_date"] }));
    });
    if presence == Presence::OffSession {
        st.emit("subscription_schedule.updated", &began);
    }
    Ok(())
}

/// The items of a phase as parameters of a subscription.
fn entries(phase: &Value) -> Vec<Value> {
    let items = phase["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|i| json!({ "price": i["price"], "quantity": i["quantity"] })).collect()
}

/// Ahead of a renewal: a phase that ends with the period makes room for the next, so that nothing is prorated. True if
/// the subscription ended with it.
pub fn before_renewal(st: &mut State, sub: &Object, now: i64) -> bool {
    let id = sub.text("schedule");
    let ends = st.copy(id).int_at("current_phase.end_date").is_some_and(|end| end <= now);
    if ends {
        pass_on(st, id, now, true);
    }
    st.copy(sub.id()).text("status") == "canceled"
}

/// The current phase is over: the next one begins, or the schedule is complete.
fn pass_on(st: &mut State, id: &str, now: i64, renews: bool) {
    let schedule = st.copy(id);
    let index = current(&schedule, now);
    let last = schedule.list_at("phases").last().and_then(|p| p["end_date"].as_i64()).unwrap_or_default();
    if last <= now {
        let sub = schedule.text("subscription").to_owned();
        finish(st, id, "completed");
        if schedule.text("end_behavior") == "cancel" {
            end::cancel(st, &sub, end::Reason::AtItsTime);
        }
        return;
    }
    let phase = schedule.list_at("phases")[index].clone();
    let moved = st.change_and_emit(id, "subscription_schedule.updated", |s| {
        s.set("current_phase", json!({ "end_date": phase["end_date"], "start_date": phase["start_date"] }));
    });
    let behavior = if renews { "none" } else { phase["proration_behavior"].as_str().unwrap_or("create_prorations") };
    // A price that is gone or inactive by now leaves the items as they were.
    let _ = move_to(st, &moved, index, behavior);
}

/// Gives the subscription the items of a phase.
fn move_to(st: &mut State, schedule: &Object, index: usize, behavior: &str) -> Result<(), ApiError> {
    let sub = st.load("subscription", schedule.text("subscription"), "subscription")?;
    let Some(phase) = schedule.list_at("phases").get(index) else { return Ok(()) };
    let mut wanted = entries(phase);
    let old = sub.list_at("items");
    for (n, item) in old.iter().enumerate() {
        match wanted.get_mut(n) {
            Some(entry) => entry["id"] = item["id"].clone(),
            None => wanted.push(json!({ "id": item["id"], "deleted": true })),
        }
    }
    let same = wanted.len() == old.len()
        && wanted.iter().zip(old).all(|(w, o)| w["price"] == o["price"]["id"] && w["quantity"] == o["quantity"]);
    if same {
        return Ok(());
    }
    if behavior == "none" {
        return swap(st, &sub, &wanted);
    }
    let args = Args::of(json!({ "items": wanted, "proration_behavior": behavior }));
    change::update(st, sub.id(), &args).map(|_| ())
}

/// Puts other items into the current period, without a proration or an invoice.
fn swap(st: &mut State, sub: &Object, wanted: &[Value]) -> Result<(), ApiError> {
    let span = period(sub).unwrap_or_default();
    let mut list = Vec::new();
    for entry in wanted.iter().filter(|w| w["deleted"] != true).cloned().map(Args::of) {
        let priced = items::read(st, &entry, "items")?;
        let item_id = entry.text("id").map_or_else(|| st.new_id("si"), str::to_owned);
        create::point_to(st, &item_id, sub.id());
        list.push(model::billing::subscription_item(
            &item_id,
            st.now(sub),
            sub.id(),
            &priced.price,
            priced.quantity,
            span,
        ));
    }
    st.change_and_emit(sub.id(), "customer.subscription.updated", |s| s.set_at("items.data", list));
    Ok(())
}

/// Ends a schedule in a status whose name is also its event's; the subscription is no longer bound to it.
fn finish(st: &mut State, id: &str, status: &str) -> Object {
    let schedule = st.copy(id);
    let (now, sub) = (st.now(&schedule), schedule.text("subscription").to_owned());
    if !sub.is_empty() {
        st.change(&sub, |s| s.set("schedule", Value::Null));
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
        // There is no status of its own for a schedule that was aborted.
        s.set("status", if status == "aborted" { "canceled" } else { status });
    });
    st.emit(&format!("subscription_schedule.{status}"), &after);
    Object::clone(&after)
}

/// Lets the subscription go on without the schedule.
pub fn release(st: &mut State, id: &str) -> Result<Value, ApiError> {
    unfinished(st, id)?;
    Ok(finish(st, id, "released").value())
}

/// Ends the schedule and its subscription.
pub fn cancel(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let schedule = unfinished(st, id)?;
    let after = finish(st, id, "canceled");
    if schedule.text("status") == "active" {
        end::cancel_now(st, schedule.text("subscription"), args)?;
    }
    Ok(after.value())
}

/// A subscription ended by itself, and with it the schedule that it was bound to.
pub fn subscription_ended(st: &mut State, sub: &Object, by_delinquency: bool) {
    let id = sub.text("schedule").to_owned();
    if !id.is_empty() {
        finish(st, &id, if by_delinquency { "aborted" } else { "canceled" });
    }
}
