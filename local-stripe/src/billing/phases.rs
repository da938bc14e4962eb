//! The phases of subscription schedules: reads them from requests and runs them by the clock.

use serde_json::{Value, json};

use crate::billing::due::period;
use crate::billing::{change, create, end, items, schedule, settle};
use crate::calendar::{self, DAY_S};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::attempt::Presence;
use crate::state::State;

/// How many days before the end of a schedule `subscription_schedule.expiring` is sent.
const EXPIRY_DAYS: i64 = 7;
/// The maximum number of phases of a schedule, Stripe's limit.
const PHASES_MAX: usize = 10;

/// Reads the phases of a request. The first phase starts at `start`, each other phase at the end of the previous phase.
///
/// # Errors
/// Phases are missing or too many, or an item, an end date or metadata is invalid.
pub fn read(st: &mut State, args: &Args, start: i64) -> Result<Vec<Value>, ApiError> {
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

/// Reads the phases of a request that changes a schedule. The current phase keeps its start and must not end in the
/// past. Past phases can be omitted if the first given phase has a start date.
///
/// # Errors
/// The current phase would start at another time, the last phase would end in the past, or a phase is invalid.
pub fn replaced(st: &mut State, schedule: &Object, args: &Args, now: i64) -> Result<Vec<Value>, ApiError> {
    let old = schedule.list_at("phases");
    let begun = |phases: &[Value], index: usize| phases.get(index).and_then(|p| p["start_date"].as_i64());
    let first = begun(old, 0).unwrap_or_default();
    if schedule.text("status") != "active" {
        return read(st, args, first);
    }
    let start = args.list("phases").first().and_then(|p| p["start_date"].as_i64()).unwrap_or(first);
    let moved = || ApiError::invalid("You can not modify the start date of the current phase.").about("phases");
    let known = old.iter().position(|p| p["start_date"] == start).ok_or_else(moved)?;
    let mut phases = old[..known].to_vec();
    phases.extend(read(st, args, start)?);
    if phases.last().and_then(|p| p["end_date"].as_i64()).unwrap_or_default() <= now {
        let message = "The current phase can not end in the past; release or cancel the schedule instead.";
        return Err(ApiError::invalid(message).about("phases"));
    }
    if begun(&phases, current(&phases, now)) != begun(old, current(old, now)) {
        return Err(moved());
    }
    Ok(phases)
}

/// Returns the index of the phase at a time, or of the last phase if all are over.
pub fn current(phases: &[Value], now: i64) -> usize {
    let over = phases.iter().filter(|p| p["end_date"].as_i64().unwrap_or_default() <= now).count();
    over.min(phases.len().saturating_sub(1))
}

/// Returns the time of a schedule's next action, in Unix seconds.
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

/// Runs the due action of a schedule: begins it, announces its end, or ends its current phase.
pub fn run(st: &mut State, id: &str, now: i64) {
    let schedule = st.copy(id);
    if schedule.text("status") == "not_started" {
        if begin(st, id, Presence::OffSession).is_err() {
            // The subscription can't be created, for example because a price was removed. Stripe cancels such a
            // schedule, too.
            schedule::finish(st, id, "canceled");
        }
    } else if expiry_notice(&schedule).is_some_and(|time| time <= now) {
        let told = st.change(id, |s| s.set("_expiry_told", true));
        st.emit("subscription_schedule.expiring", &told);
    } else {
        end_phase(st, id, now, false);
    }
}

/// Starts the first phase: creates the subscription.
///
/// # Errors
/// The subscription can't be created; see [`create::create`].
pub fn begin(st: &mut State, id: &str, presence: Presence) -> Result<(), ApiError> {
    let schedule = st.copy(id);
    let Some(phase) = schedule.list_at("phases").first().cloned() else { return Ok(()) };
    let items: Vec<Value> = entries(&phase);
    let mut args = Args::of(json!({ "customer": schedule.get("customer"), "items": items, "_schedule": id }));
    args.put("metadata", phase["metadata"].clone());
    let owner = Object::of(json!({ "customer": schedule.get("customer") }));
    let waits = settle::method_of(st, &owner).is_none();
    if waits {
        // A schedule begins even without a payment method: the first invoice stays open.
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

/// Returns the items of a phase as the parameter `items` of a subscription.
fn entries(phase: &Value) -> Vec<Value> {
    let items = phase["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|i| json!({ "price": i["price"], "quantity": i["quantity"] })).collect()
}

/// If the current phase ends with the subscription's period, starts the next phase before the renewal, so that nothing
/// is prorated. Returns whether the subscription has ended.
pub fn before_renewal(st: &mut State, sub: &Object, now: i64) -> bool {
    let id = sub.text("schedule");
    let ends = st.copy(id).int_at("current_phase.end_date").is_some_and(|end| end <= now);
    if ends {
        end_phase(st, id, now, true);
    }
    st.copy(sub.id()).text("status") == "canceled"
}

/// Ends the current phase: starts the next one, or completes the schedule.
fn end_phase(st: &mut State, id: &str, now: i64, renews: bool) {
    let schedule = st.copy(id);
    let index = current(schedule.list_at("phases"), now);
    let last = schedule.list_at("phases").last().and_then(|p| p["end_date"].as_i64()).unwrap_or_default();
    if last <= now {
        let sub = schedule.text("subscription").to_owned();
        schedule::finish(st, id, "completed");
        if schedule.text("end_behavior") == "cancel" {
            end::cancel(st, &sub, end::Reason::AtItsTime);
        }
        return;
    }
    let Some(phase) = schedule.list_at("phases").get(index).cloned() else { return };
    let moved = st.change_and_emit(id, "subscription_schedule.updated", |s| {
        s.set("current_phase", json!({ "end_date": phase["end_date"], "start_date": phase["start_date"] }));
    });
    let behavior = if renews { "none" } else { phase["proration_behavior"].as_str().unwrap_or("create_prorations") };
    // If a price was removed or is inactive, the items stay unchanged.
    let _ = move_to(st, &moved, index, behavior);
}

/// Sets the subscription's items to those of a phase.
///
/// # Errors
/// The subscription is unknown, or the items can't be applied.
pub fn move_to(st: &mut State, schedule: &Object, index: usize, behavior: &str) -> Result<(), ApiError> {
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

/// Replaces the items of a subscription without proration and without an invoice.
fn swap(st: &mut State, sub: &Object, wanted: &[Value]) -> Result<(), ApiError> {
    let span = period(sub).unwrap_or_default();
    let mut list = Vec::new();
    for entry in wanted.iter().filter(|w| w["deleted"] != true).cloned().map(Args::of) {
        let priced = items::read_licensed(st, &entry, "items")?;
        let item_id = entry.text("id").map_or_else(|| st.new_id("si"), str::to_owned);
        create::point_to(st, &item_id, sub.id());
        let mut item =
            model::billing::subscription_item(&item_id, st.now(sub), sub.id(), &priced.price, priced.quantity, span);
        // A phase sets neither tax rates nor discounts, so an item keeps its own.
        if let Some(old) = sub.list_at("items").iter().find(|old| old["id"] == item_id.as_str()) {
            for member in ["discounts", "tax_rates"] {
                item[member] = old[member].clone();
            }
        }
        list.push(item);
    }
    st.change_and_emit(sub.id(), "customer.subscription.updated", |s| s.set_at("items.data", list));
    Ok(())
}
