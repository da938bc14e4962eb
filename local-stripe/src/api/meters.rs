//! The endpoints for billing meters, meter events and their summaries.

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::billing::invoicing::{alerts, threshold, usage};
use crate::calendar::{DAY_S, HOUR_S};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, opt, req};
use crate::state::State;

const CREATE: &[Field] = &[
    req("default_aggregation", ParamKind::Map(&[req("formula", ParamKind::OneOf(&["count", "last", "sum"]))])),
    req("display_name", ParamKind::Text),
    req("event_name", ParamKind::Text),
    opt(
        "customer_mapping",
        ParamKind::Map(&[req("event_payload_key", ParamKind::Text), req("type", ParamKind::OneOf(&["by_id"]))]),
    ),
    opt("event_time_window", ParamKind::OneOf(&["day", "hour"])),
    opt("value_settings", ParamKind::Map(&[req("event_payload_key", ParamKind::Text)])),
];
const STATUS: ParamKind = ParamKind::OneOf(&["active", "inactive"]);
/// The maximum length of a meter event's identifier, Stripe's limit.
const IDENTIFIER_CHARS_MAX: usize = 100;
/// The maximum age of a meter event in days, Stripe's limit.
const PAST_DAYS: i64 = 35;
/// The maximum number of windows in one request, since each window needs a lookup of its events.
const WINDOWS_MAX: i64 = 1_000;
/// The maximum time in seconds by which a meter event may lie in the future, Stripe's limit.
const FUTURE_S: i64 = 300;

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/billing/meters", CREATE, create),
    route("GET", "/v1/billing/meters", &[LIMIT, AFTER, BEFORE, opt("status", STATUS)], |st, _, args| {
        listing::list(st, "billing.meter", "/v1/billing/meters", args, &["status"])
    }),
    route("GET", "/v1/billing/meters/{}", &[], |st, ids, _| Ok(st.load("billing.meter", ids[0], "id")?.value())),
    route("POST", "/v1/billing/meters/{}", &[opt("display_name", ParamKind::Text)], |st, ids, args| {
        let meter = st.load("billing.meter", ids[0], "id")?;
        let now = st.now(&meter);
        let changed = st.change_and_emit(ids[0], "billing.meter.updated", |m| {
            if let Some(name) = args.text("display_name") {
                m.set("display_name", name);
            }
            m.set("updated", now);
        });
        Ok(changed.value())
    }),
    route("POST", "/v1/billing/meters/{}/deactivate", &[], |st, ids, _| set_active(st, ids[0], false)),
    route("POST", "/v1/billing/meters/{}/reactivate", &[], |st, ids, _| set_active(st, ids[0], true)),
    route(
        "GET",
        "/v1/billing/meters/{}/event_summaries",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            req("customer", ParamKind::Text),
            req("start_time", ParamKind::Time),
            req("end_time", ParamKind::Time),
            opt("value_grouping_window", ParamKind::OneOf(&["day", "hour"])),
        ],
        summaries,
    ),
    route(
        "POST",
        "/v1/billing/meter_events",
        &[
            req("event_name", ParamKind::Text),
            req("payload", ParamKind::Metadata),
            opt("identifier", ParamKind::Text),
            opt("timestamp", ParamKind::Time),
        ],
        count,
    ),
    route(
        "POST",
        "/v1/billing/meter_event_adjustments",
        &[
            req("event_name", ParamKind::Text),
            req("type", ParamKind::OneOf(&["cancel"])),
            req("cancel", ParamKind::Map(&[req("identifier", ParamKind::Text)])),
        ],
        adjust,
    ),
];

fn by_name(st: &State, name: &str) -> Option<std::sync::Arc<Object>> {
    let of = |meter: &std::sync::Arc<Object>| meter.text("event_name") == name && meter.text("status") == "active";
    st.newest("billing.meter", None).find(of)
}

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let name = args.text("event_name").unwrap_or_default();
    if by_name(st, name).is_some() {
        let message = format!("There is an active meter with the event name {name} already.");
        return Err(ApiError::coded("resource_already_exists", message).about("event_name"));
    }
    let id = st.new_id("mtr_test");
    let meter = model::meter::meter(id, st.clock_s(), args);
    let meter = st.put(meter);
    st.emit("billing.meter.created", &meter);
    Ok(meter.value())
}

fn set_active(st: &mut State, id: &str, active: bool) -> Result<Value, ApiError> {
    let meter = st.load("billing.meter", id, "id")?;
    if (meter.text("status") == "active") == active {
        let message = format!("The meter is {} already.", meter.text("status"));
        return Err(ApiError::invalid(message));
    }
    let now = st.now(&meter);
    let changed = st.change(id, |m| {
        m.set("status", if active { "active" } else { "inactive" });
        m.set_at("status_transitions.deactivated_at", if active { Value::Null } else { json!(now) });
        m.set("updated", now);
    });
    let event = if active { "billing.meter.reactivated" } else { "billing.meter.deactivated" };
    st.emit_since(id, event, &meter);
    Ok(changed.value())
}

fn count(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let name = args.text("event_name").unwrap_or_default();
    let meter = by_name(st, name).ok_or_else(|| {
        ApiError::invalid(format!("No active meter found for event name '{name}'.")).about("event_name")
    })?;
    let payload = args.map("payload");
    let key = |path: &str| meter.text_at(path).unwrap_or_default().to_owned();
    let (customer_key, value_key) =
        (key("customer_mapping.event_payload_key"), key("value_settings.event_payload_key"));
    let missing = |key: &str| ApiError::missing(&format!("payload[{key}]"));
    let customer = payload.text(&customer_key).ok_or_else(|| missing(&customer_key))?;
    let customer = st.load("customer", customer, &format!("payload[{customer_key}]"))?;
    let value = match payload.text(&value_key) {
        None if meter.text_at("default_aggregation.formula") == Some("count") => 1,
        None => return Err(missing(&value_key)),
        Some(text) => text.parse::<i64>().ok().filter(|value| *value >= 0).ok_or_else(|| {
            let message = format!("Invalid value: {text} is not a whole number of zero or more.");
            ApiError::invalid(message).about(&format!("payload[{value_key}]"))
        })?,
    };
    let now = st.now(&customer);
    let at = args.int("timestamp").unwrap_or(now);
    if at < now - PAST_DAYS * DAY_S || at > now + FUTURE_S {
        let message =
            format!("The timestamp must be within the past {PAST_DAYS} days or up to five minutes in the future.");
        return Err(ApiError::coded("timestamp_invalid", message).about("timestamp"));
    }
    let identifier = match args.text("identifier") {
        Some(own) if own.chars().count() <= IDENTIFIER_CHARS_MAX => own.to_owned(),
        Some(_) => {
            let message = format!("An identifier has at most {IDENTIFIER_CHARS_MAX} characters.");
            return Err(ApiError::invalid(message).about("identifier"));
        }
        None => st.new_characters(24),
    };
    // The stored id contains the identifier, so a repeated identifier is found by its id.
    let id = row_id(name, &identifier);
    if st.seek(&id).is_some() {
        let message = format!("An event already exists with identifier {identifier}.");
        return Err(ApiError::invalid(message).about("identifier"));
    }
    let mut event = model::meter::event(id, now, name, &identifier, at, payload.into_value()).on_clock_of(&customer);
    event.as_meter_event_mut().series = usage::series(customer.id(), name);
    event.as_meter_event_mut().at_s = at;
    event.as_meter_event_mut().value = value;
    let mut shown = st.put(event).value();
    alerts::check(st, &meter, &customer)?;
    threshold::check(st, customer.id())?;
    if let Value::Object(map) = &mut shown {
        map.remove("id");
    }
    Ok(shown)
}

fn row_id(name: &str, identifier: &str) -> String {
    // The length of the name ensures that two different pairs of name and identifier never have the same id.
    format!("sandbox.meter_event:{}:{name}:{identifier}", name.len())
}

fn adjust(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let name = args.text("event_name").unwrap_or_default();
    let cancel = args.map("cancel");
    let identifier = cancel.text("identifier").unwrap_or_default();
    let id = row_id(name, identifier);
    if st.seek(&id).is_none_or(|event| event.as_meter_event().cancelled) {
        let message = format!("No event '{name}' with identifier {identifier} can be cancelled.");
        return Err(ApiError::coded("resource_missing", message).about("cancel[identifier]"));
    }
    st.change(&id, |event| event.as_meter_event_mut().cancelled = true);
    Ok(json!({
        "object": "billing.meter_event_adjustment",
        "cancel": { "identifier": identifier },
        "event_name": name,
        "livemode": false,
        "status": "complete",
        "type": "cancel",
    }))
}

/// Returns the sum of each window that has usage, newest first. Without `value_grouping_window`, the whole range is one
/// window.
fn summaries(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let meter = st.load("billing.meter", ids[0], "id")?;
    let customer = st.load("customer", args.text("customer").unwrap_or_default(), "customer")?;
    let (start, end) = (args.int("start_time").unwrap_or_default(), args.int("end_time").unwrap_or_default());
    let window = match args.text("value_grouping_window") {
        Some("hour") => HOUR_S,
        Some(_) => DAY_S,
        None => (end - start).max(1),
    };
    let aligned = args.text("value_grouping_window").is_none() || (start % window == 0 && end % window == 0);
    if start >= end || !aligned || (end - start) / window > WINDOWS_MAX {
        let message = "start_time must lie before end_time, both aligned with value_grouping_window.";
        return Err(ApiError::invalid(message).about("start_time"));
    }
    let mut all = Vec::new();
    let mut from = start;
    while from < end {
        let until = from.saturating_add(window).min(end);
        let sum = usage::counted(st, &meter, customer.id(), from, until)?;
        let id = format!("mtrusg_test_{}_{from}", meter.id().rsplit('_').next().unwrap_or_default());
        if sum > 0 {
            all.push(Object::of(model::meter::summary(&id, meter.id(), sum, from, until)));
        }
        from = until;
    }
    all.reverse();
    let url = format!("/v1/billing/meters/{}/event_summaries", ids[0]);
    listing::page_of(args, &url, all.into_iter(), |summary| summary.id(), Object::value)
}
