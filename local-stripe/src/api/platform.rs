//! The endpoints for events, webhook endpoints and test clocks.

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::clock;
use crate::error::ApiError;
use crate::event::Event;
use crate::event_types;
use crate::model;
use crate::params::{Args, Field, ParamKind, merge_metadata, opt, req};
use crate::state::State;
use crate::version::Version;

const ENDPOINT_CREATE: &[Field] = &[
    req("enabled_events", ParamKind::List(&ParamKind::Text)),
    req("url", ParamKind::Url),
    opt("api_version", ParamKind::Text),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("connect", ParamKind::Bool),
];
const ENDPOINT_UPDATE: &[Field] = &[
    opt("description", ParamKind::Text),
    opt("disabled", ParamKind::Bool),
    opt("enabled_events", ParamKind::List(&ParamKind::Text)),
    opt("metadata", ParamKind::Metadata),
    opt("url", ParamKind::Url),
];
/// The maximum number of webhook endpoints of an account, Stripe's limit.
const ENDPOINTS_MAX: usize = 16;

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "GET",
        "/v1/events",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("type", ParamKind::Text), opt("types", ParamKind::List(&ParamKind::Text))],
        list_events,
    ),
    route("GET", "/v1/events/{}", &[], |st, ids, _| shown_event(st, ids[0])),
    route(
        "POST",
        "/v1/events/{}/retry",
        // The Stripe CLI sends `for_stripecli=true` if it does not specify an endpoint. Its listeners receive every
        // resend.
        &[opt("webhook_endpoint", ParamKind::Text), opt("for_stripecli", ParamKind::OneOf(&["true"]))],
        |st, ids, args| {
            let shown = shown_event(st, ids[0])?;
            if let Some(endpoint) = args.text("webhook_endpoint") {
                st.load("webhook_endpoint", endpoint, "webhook_endpoint")?;
            }
            st.resends.push((ids[0].to_owned(), args.text("webhook_endpoint").map(str::to_owned)));
            Ok(shown)
        },
    ),
    route("POST", "/v1/webhook_endpoints", ENDPOINT_CREATE, create_endpoint),
    route("GET", "/v1/webhook_endpoints", &[LIMIT, AFTER, BEFORE], |st, _, args| {
        listing::list(st, "webhook_endpoint", "/v1/webhook_endpoints", args, &[])
    }),
    route("GET", "/v1/webhook_endpoints/{}", &[], |st, ids, _| Ok(st.load("webhook_endpoint", ids[0], "id")?.value())),
    route("POST", "/v1/webhook_endpoints/{}", ENDPOINT_UPDATE, update_endpoint),
    route("DELETE", "/v1/webhook_endpoints/{}", &[], |st, ids, _| {
        st.load("webhook_endpoint", ids[0], "id")?;
        st.remove(ids[0]);
        Ok(json!({ "id": ids[0], "object": "webhook_endpoint", "deleted": true }))
    }),
    route(
        "POST",
        "/v1/test_helpers/test_clocks",
        &[req("frozen_time", ParamKind::Time), opt("name", ParamKind::Text)],
        |st, _, args| {
            let id = st.new_id("clock");
            let frozen = args.int("frozen_time").unwrap_or_default();
            let made = model::catalog::test_clock(id, st.clock_s(), frozen, args.value("name"));
            let made = st.put(made);
            st.emit("test_helpers.test_clock.created", &made);
            Ok(made.value())
        },
    ),
    route("GET", "/v1/test_helpers/test_clocks", &[LIMIT, AFTER, BEFORE], |st, _, args| {
        listing::list(st, "test_helpers.test_clock", "/v1/test_helpers/test_clocks", args, &[])
    }),
    route("GET", "/v1/test_helpers/test_clocks/{}", &[], |st, ids, _| {
        Ok(st.load("test_helpers.test_clock", ids[0], "id")?.value())
    }),
    route(
        "POST",
        "/v1/test_helpers/test_clocks/{}/advance",
        &[req("frozen_time", ParamKind::Time)],
        |st, ids, args| clock::advance_test_clock(st, ids[0], args.int("frozen_time").unwrap_or_default()),
    ),
    route("DELETE", "/v1/test_helpers/test_clocks/{}", &[], delete_clock),
];

fn shown_event(st: &State, id: &str) -> Result<Value, ApiError> {
    let event = st.event_position(id).and_then(|position| st.event(position)).filter(|event| is_visible(st, event));
    let event = event.ok_or_else(|| ApiError::no_such("event", id, "id"))?;
    Ok(in_account_version(st, &event))
}

/// Whether the account for which the request acts can see an event. The platform sees changes to its connected
/// accounts, but no events about their objects.
fn is_visible(st: &State, event: &Event) -> bool {
    match (st.acting(), event.account.as_deref()) {
        ("", of) => of.is_none() || event.object.kind() == "account",
        (acting, of) => of == Some(acting),
    }
}

/// Renders an event in the account's version, regardless of the request's version. A delivered event has no pending
/// webhooks.
fn in_account_version(st: &State, event: &Event) -> Value {
    let mut shown = event.render(&st.settings.version);
    if st.event_position(&event.id).is_some_and(|position| position < st.delivered()) {
        shown["pending_webhooks"] = json!(0);
    }
    shown
}

fn list_events(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let types = args.list("types");
    let wanted = |kind: &str| {
        let one = args.text("type").is_none_or(|t| {
            t == "*" || t == kind || t.strip_suffix(".*").is_some_and(|p| kind.starts_with(&format!("{p}.")))
        });
        one && (types.is_empty() || types.iter().any(|t| t == kind))
    };
    let cursor = args.text("starting_after").and_then(|id| st.event_position(id));
    let all = st.newest_events(cursor, wanted);
    let all = all.filter(|e| is_visible(st, e) && listing::in_created(args, e.created_s));
    listing::page_of(args, "/v1/events", all, |e| &e.id, |e| in_account_version(st, e))
}

fn check_events(events: &[Value]) -> Result<(), ApiError> {
    let valid = |e: &Value| e.as_str().is_some_and(|name| name == "*" || event_types::is_known(name));
    match events.iter().position(|e| !valid(e)) {
        Some(n) => {
            let given = events[n].as_str().unwrap_or_default();
            let message = format!("Invalid enabled_events[{n}]: {given} is not the type of an event");
            Err(ApiError::invalid(message).about(&format!("enabled_events[{n}]")))
        }
        None => Ok(()),
    }
}

fn create_endpoint(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let url = args.text("url").unwrap_or_default();
    let events = args.list("enabled_events");
    check_events(&events)?;
    if st.count("webhook_endpoint") >= ENDPOINTS_MAX {
        return Err(ApiError::invalid(format!(
            "You have reached the maximum of {ENDPOINTS_MAX} test webhook endpoints."
        )));
    }
    let version = args.text("api_version").map(str::parse::<Version>).transpose();
    let version = version.map_err(|e| ApiError::invalid(e.to_string()).about("api_version"))?;
    let id = st.new_id("we");
    let secret = st.new_id("whsec");
    let mut endpoint = model::catalog::webhook_endpoint(id, st.clock_s(), url, events, secret.clone());
    endpoint.set("api_version", version.map_or(Value::Null, |v| json!(v.as_str())));
    endpoint.as_webhook_endpoint_mut().connect = args.flag("connect") == Some(true);
    endpoint.set("description", args.value("description"));
    endpoint.set("metadata", merge_metadata(&json!({}), args)?);
    let mut shown = st.put(endpoint).value();
    // Only the response that creates the endpoint contains the secret.
    shown["secret"] = json!(secret);
    Ok(shown)
}

fn update_endpoint(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let endpoint = st.load("webhook_endpoint", ids[0], "id")?;
    check_events(&args.list("enabled_events"))?;
    let metadata = merge_metadata(endpoint.get("metadata"), args)?;
    let changed = st.change(ids[0], |e| {
        for member in ["url", "enabled_events"] {
            if let Some(given) = args.given(member) {
                e.set(member, given.clone());
            }
        }
        if args.has("description") {
            e.set("description", args.value("description"));
        }
        if let Some(disabled) = args.flag("disabled") {
            e.set("status", if disabled { "disabled" } else { "enabled" });
        }
        e.set("metadata", metadata);
    });
    Ok(changed.value())
}

fn delete_clock(st: &mut State, ids: &[&str], _: &Args) -> Result<Value, ApiError> {
    let found = st.load("test_helpers.test_clock", ids[0], "id")?;
    let on_clock: Vec<String> = [
        "customer",
        "subscription",
        "subscription_schedule",
        "invoice",
        "invoiceitem",
        "quote",
        "billing.credit_grant",
    ]
    .iter()
    .flat_map(|kind| {
        st.newest(kind, None).filter(|o| o.text("test_clock") == ids[0]).map(|o| o.id().to_owned()).collect::<Vec<_>>()
    })
    .collect();
    for id in on_clock {
        st.remove(&id);
    }
    st.emit("test_helpers.test_clock.deleted", &found);
    st.remove(ids[0]);
    Ok(json!({ "id": ids[0], "object": "test_helpers.test_clock", "deleted": true }))
}
