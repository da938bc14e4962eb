//! The phases of subscription schedules: reads them from requests and runs them by the clock.

use serde_json::{Value, json};

use crate::billing::changes::{change, create, end};
use crate::billing::period::period;
use crate::billing::settlement::{ended, settle};
use crate::billing::{due, intervals, items};
use crate::calendar;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::method::Presence;
use crate::state::State;

/// The maximum number of phases of a schedule, Stripe's limit.
const PHASES_MAX: usize = 10;

/// Reads the phases from a customer's request. The first phase starts at `start`, and each other phase at the end of the previous one.
/// Months are counted from `anchor`, so that phases after a short month end on the anchor's day again.
///
/// # Errors
/// Phases are missing or too many, or an item, a time, a discount or metadata is invalid.
pub fn read(st: &mut State, args: &Args, customer: &Object, start: i64, anchor: i64) -> Result<Vec<Value>, ApiError> {
    let given = args.list("phases");
    if given.is_empty() {
        return Err(ApiError::missing("phases"));
    }
    if given.len() > PHASES_MAX {
        return Err(ApiError::invalid(format!("A schedule can have at most {PHASES_MAX} phases.")).about("phases"));
    }
    let (mut phases, mut from) = (Vec::new(), start);
    let mut months = Months::at(start, anchor);
    for (n, phase) in given.into_iter().map(Args::of).enumerate() {
        let param = format!("phases[{n}]");
        let priced = create::read_items(st, &phase, Some(customer))?;
        intervals::check_single(priced.iter().map(|item| &item.price), &format!("{param}[items]"))?;
        let price = priced.first().map(|item| item.price.value()).unwrap_or_default();
        let (interval, each) = calendar::interval(&price);
        let duration = phase.map("duration");
        let to = match (phase.int("end_date"), phase.int("iterations"), duration.text("interval")) {
            (Some(end), _, _) => months.begin_at(end),
            (None, Some(count), _) => months.after(from, interval, each * count),
            (None, None, Some(unit)) => months.after(from, unit, duration.int("interval_count").unwrap_or(1)),
            (None, None, None) => months.after(from, interval, each),
        };
        if to <= from {
            let message = "A phase must end after it starts.";
            return Err(ApiError::invalid(message).about(&format!("{param}[end_date]")));
        }
        let behavior = phase.text("proration_behavior").unwrap_or("create_prorations");
        let mut made = model::schedule::phase(from, to, &priced, behavior);
        made["metadata"] = merge_metadata(&json!({}), &phase)?;
        made["description"] = phase.value("description");
        made["trial_end"] = trial_end(&phase, (from, to), &param)?;
        made["discounts"] = discounts(st, &phase, &param)?;
        phases.push(made);
        from = to;
    }
    Ok(phases)
}

/// Counts months from a start, to find the ends of phases.
struct Months {
    from: i64,
    count: i64,
}

impl Months {
    /// Counts from the anchor if `start` lies a whole number of months after it, otherwise from `start`.
    fn at(start: i64, anchor: i64) -> Months {
        let at = |count: i64| calendar::add(anchor, "month", count);
        let count = (0..).take_while(|count| at(*count) <= start).last().unwrap_or_default();
        if at(count) == start { Months { from: anchor, count } } else { Months { from: start, count: 0 } }
    }

    fn begin_at(&mut self, time: i64) -> i64 {
        *self = Months { from: time, count: 0 };
        time
    }

    /// Returns the time `count` units after the end of the previous phase, which is `from`.
    fn after(&mut self, from: i64, unit: &str, count: i64) -> i64 {
        match unit {
            "month" => self.count += count,
            "year" => self.count += 12 * count,
            _ => return self.begin_at(calendar::add(from, unit, count)),
        }
        calendar::add(self.from, "month", self.count)
    }
}

/// Returns the end of a phase's trial: with `trial`, the whole phase is a trial.
fn trial_end(phase: &Args, (from, to): (i64, i64), param: &str) -> Result<Value, ApiError> {
    match (phase.flag("trial") == Some(true), phase.int("trial_end")) {
        (true, Some(_)) => {
            let message = "You may only specify one of these parameters: trial, trial_end.";
            Err(ApiError::invalid(message).about(&format!("{param}[trial_end]")))
        }
        (true, None) => Ok(json!(to)),
        (false, None) => Ok(Value::Null),
        (false, Some(end)) if end <= from || end > to => {
            let message = "A trial must end in its phase.";
            Err(ApiError::invalid(message).about(&format!("{param}[trial_end]")))
        }
        (false, Some(end)) => Ok(json!(end)),
    }
}

/// Returns the discounts of a phase in the form that its object shows, after checking that they exist.
fn discounts(st: &State, phase: &Args, param: &str) -> Result<Value, ApiError> {
    let mut shown = Vec::new();
    for (n, entry) in phase.list("discounts").into_iter().map(Args::of).enumerate() {
        for kind in ["coupon", "promotion_code"] {
            if let Some(id) = entry.text(kind) {
                st.load(kind, id, &format!("{param}[discounts][{n}][{kind}]"))?;
            }
        }
        let member = |kind: &str| entry.value(kind);
        shown.push(json!({
            "coupon": member("coupon"), "discount": member("discount"), "promotion_code": member("promotion_code"),
        }));
    }
    Ok(Value::Array(shown))
}

/// Reads the phases of a request that changes a schedule. The current phase keeps its start and must not end in the
/// past. Past phases can be omitted if the first given phase has a start date.
///
/// # Errors
/// The current phase would start at a different time, the last phase would end in the past, or a phase is invalid.
pub fn replaced(st: &mut State, schedule: &Object, args: &Args, now: i64) -> Result<Vec<Value>, ApiError> {
    let old = schedule.list_at("phases");
    let begun = |phases: &[Value], index: usize| phases.get(index).and_then(|p| p["start_date"].as_i64());
    let first = begun(old, 0).unwrap_or_default();
    let customer = st.copy_if_any(schedule.text("customer"));
    if schedule.text("status") != "active" {
        return read(st, args, &customer, first, first);
    }
    let anchor = st.copy_if_any(schedule.text("subscription")).int("billing_cycle_anchor");
    let start = args.list("phases").first().and_then(|p| p["start_date"].as_i64()).unwrap_or(first);
    let moved = || ApiError::invalid("You can not modify the start date of the current phase.").about("phases");
    let known = old.iter().position(|p| p["start_date"] == start).ok_or_else(moved)?;
    let mut phases = old[..known].to_vec();
    phases.extend(read(st, args, &customer, start, anchor)?);
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

/// Runs the due action of a schedule: begins it, announces its end, or ends its current phase.
pub fn run(st: &mut State, id: &str, now: i64) {
    let Ok(schedule) = st.find(id) else { return };
    if schedule.text("status") == "not_started" {
        if begin(st, id, Presence::OffSession).is_err() {
            // The subscription can't be created, for example because a price was removed. Stripe also cancels such a schedule.
            ended::finish(st, id, "canceled");
        }
    } else if due::expiry_notice(&schedule).is_some_and(|time| time <= now) {
        let told = st.change(id, |s| s.as_schedule_mut().expiry_told = true);
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
    let schedule = st.find(id)?;
    let Some(phase) = schedule.list_at("phases").first().cloned() else { return Ok(()) };
    let items: Vec<Value> = entries(&phase);
    let mut args = Args::of(json!({ "customer": schedule.get("customer"), "items": items, "schedule": id }));
    args.put("metadata", phase["metadata"].clone());
    for member in ["description", "trial_end"] {
        if !phase[member].is_null() {
            args.put(member, phase[member].clone());
        }
    }
    if !phase["discounts"].as_array().is_none_or(Vec::is_empty) {
        args.put("discounts", given_discounts(&phase));
    }
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
            s.as_subscription_mut().expires_at = None;
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

/// Returns the discounts of a phase as the parameter `discounts`.
fn given_discounts(phase: &Value) -> Value {
    let shown = phase["discounts"].as_array().cloned().unwrap_or_default();
    let given = |entry: &Value| {
        let members = entry.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    shown.iter().map(given).collect()
}

/// If the current phase ends with the subscription's period, starts the next phase before the renewal, so that nothing
/// is prorated. Returns whether nothing is left to renew: the subscription has ended, or a trial has begun.
pub fn before_renewal(st: &mut State, sub: &Object, now: i64) -> bool {
    let id = sub.text("schedule");
    let ends = st.copy_if_any(id).int_at("current_phase.end_date").is_some_and(|end| end <= now);
    if ends {
        end_phase(st, id, now, true);
    }
    let Ok(after) = st.find(sub.id()) else { return false };
    after.text("status") == "canceled" || period(&after).is_some_and(|(start, _)| start >= now)
}

/// Ends the current phase: starts the next one, or completes the schedule.
fn end_phase(st: &mut State, id: &str, now: i64, renews: bool) {
    let Ok(schedule) = st.find(id) else { return };
    let index = current(schedule.list_at("phases"), now);
    let last = schedule.list_at("phases").last().and_then(|p| p["end_date"].as_i64()).unwrap_or_default();
    if last <= now {
        let sub = schedule.text("subscription").to_owned();
        ended::finish(st, id, "completed");
        if schedule.text("end_behavior") == "cancel" {
            end::at_its_time(st, &sub);
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
    apply_terms(st, &sub, phase)?;
    if let Some(end) = phase["trial_end"].as_i64().filter(|end| *end > st.now(&sub)) {
        let args = json!({ "items": wanted, "proration_behavior": behavior, "trial_end": end });
        return change::update(st, sub.id(), &Args::of(args)).map(|_| ());
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

/// Sets the description and the discounts of a phase. A phase without discounts leaves the subscription without any: Stripe's reference
/// says that it "inherits the discount from the subscription's customer".
fn apply_terms(st: &mut State, sub: &Object, phase: &Value) -> Result<(), ApiError> {
    let mut args = Args::default();
    if !phase["description"].is_null() {
        args.put("description", phase["description"].clone());
    }
    let given = given_discounts(phase);
    if sub.list_at("discounts").len() + given.as_array().map_or(0, Vec::len) > 0 {
        args.put("discounts", given);
    }
    if args != Args::default() {
        change::update(st, sub.id(), &args)?;
    }
    Ok(())
}

/// Replaces the items of a subscription without proration and without an invoice.
fn swap(st: &mut State, sub: &Object, wanted: &[Value]) -> Result<(), ApiError> {
    let span = period(sub).unwrap_or_default();
    let mut list = Vec::new();
    for entry in wanted.iter().filter(|w| w["deleted"] != true).cloned().map(Args::of) {
        let priced = items::in_currency(items::read_licensed(st, &entry, "items")?, sub.text("currency"), "items")?;
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
    let restarts = !change::same_interval(sub.list_at("items"), &list);
    let now = st.now(sub);
    st.change_and_emit(sub.id(), "customer.subscription.updated", |s| {
        s.set_at("items.data", list);
        if restarts {
            s.set("billing_cycle_anchor", now);
        }
    });
    Ok(())
}
