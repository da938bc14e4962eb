//! The sandbox's own endpoints below `/_sandbox`: reset, clock, settings, API faults, 3-D Secure without a browser, promotion codes for
//! sessions, and the rotation of webhook secrets.

use serde_json::{Value, json};

use crate::api::{self, Route, route};
use crate::api_faults::{ApiFault, FaultKind};
use crate::checkout::{self, Confirmation};
use crate::clock;
use crate::colour::Colour;
use crate::error::ApiError;
use crate::params::{ADDRESS, Args, Field, ParamKind, QUANTITY, opt, req};
use crate::payments::{confirm, setup};
use crate::settings::Settings;
use crate::state::State;

const CLOCK: &[Field] =
    &[opt("advance_by", ParamKind::Int(1, 400 * crate::calendar::DAY_S)), opt("advance_to", ParamKind::Time)];
const SETTINGS: &[Field] = &[
    opt("brand_colour", ParamKind::Text),
    opt("business_name", ParamKind::Text),
    opt("dunning", ParamKind::Text),
    opt("faults", ParamKind::Text),
];
const METHODS: &[&str] = &["DELETE", "GET", "POST"];
/// The maximum number of requests that one fault affects: enough for the retries of any client.
const FAULT_TIMES_MAX: i64 = 1_000;
const API_FAULT: &[Field] = &[
    req("answer", ParamKind::OneOf(FaultKind::NAMES)),
    opt("done", ParamKind::Bool),
    opt("method", ParamKind::OneOf(METHODS)),
    opt("path", ParamKind::Text),
    opt("times", ParamKind::Int(1, FAULT_TIMES_MAX)),
];
/// The maximum length of a business name, which is shown on one line.
const NAME_CHARS_MAX: usize = 60;
/// The maximum time in seconds that an old secret stays valid, Stripe's limit.
const ROLL_S_MAX: i64 = crate::calendar::DAY_S;

/// The path of the request that resets the sandbox.
pub const RESET: &str = "/_sandbox/reset";

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/_sandbox/checkout/sessions/{}/shipping_rate",
        &[req("shipping_rate", ParamKind::Text)],
        |st, ids, args| checkout::shipping::choose(st, ids[0], args.text("shipping_rate").unwrap_or_default()),
    ),
    route(
        "POST",
        "/_sandbox/checkout/sessions/{}/quantity",
        &[req("line_item", ParamKind::Text), req("quantity", QUANTITY)],
        |st, ids, args| {
            let quantity = args.int("quantity").unwrap_or_default();
            checkout::quantity::choose(st, ids[0], args.text("line_item").unwrap_or_default(), quantity)
        },
    ),
    route("POST", "/_sandbox/checkout/sessions/{}/address", &[opt("address", ADDRESS)], |st, ids, args| {
        checkout::taxed::address(st, ids[0], args.get("address"))
    }),
    route("POST", RESET, &[], |st, _, _| {
        st.reset();
        let kept: Vec<Value> = st.newest("webhook_endpoint", None).map(|endpoint| endpoint.get("id").clone()).collect();
        Ok(json!({ "object": "sandbox.reset", "now": st.clock_s(), "kept": kept }))
    }),
    route("GET", "/_sandbox/clock", &[], |st, _, _| Ok(show_clock(st))),
    route("POST", "/_sandbox/clock", CLOCK, |st, _, args| {
        let to_s = match (args.int("advance_to"), args.int("advance_by")) {
            (Some(to_s), None) => to_s,
            (None, Some(by)) => st.clock_s() + by,
            _ => return Err(ApiError::missing("advance_to")),
        };
        if to_s < st.clock_s() {
            return Err(ApiError::invalid("The clock can only be moved forward.").about("advance_to"));
        }
        clock::advance(st, "", to_s)?;
        Ok(show_clock(st))
    }),
    route("GET", "/_sandbox/settings", &[], |st, _, _| Ok(show_settings(st))),
    route("POST", "/_sandbox/settings", SETTINGS, |st, _, args| {
        let look = read_look(args)?;
        if let Some(text) = args.text("dunning") {
            st.settings.dunning = text
                .parse()
                .map_err(|e: crate::settings::SettingsError| ApiError::invalid(e.to_string()).about("dunning"))?;
        }
        if args.has("faults") {
            let text = args.text("faults").unwrap_or_default();
            st.settings.faults = text
                .parse()
                .map_err(|e: crate::settings::SettingsError| ApiError::invalid(e.to_string()).about("faults"))?;
        }
        if let Some(name) = look.0 {
            st.settings.business_name = name;
        }
        if let Some(colour) = look.1 {
            st.settings.brand_colour = colour;
        }
        Ok(show_settings(st))
    }),
    route("GET", "/_sandbox/api_faults", &[], |st, _, _| Ok(show_faults(st))),
    route("POST", "/_sandbox/api_faults", API_FAULT, |st, _, args| {
        let fault = read_fault(args)?;
        st.api_faults.add(fault);
        Ok(show_faults(st))
    }),
    route("DELETE", "/_sandbox/api_faults", &[], |st, _, _| {
        st.api_faults.clear();
        Ok(show_faults(st))
    }),
    route("POST", "/_sandbox/checkout/sessions/{}/promotion_code", &[opt("code", ParamKind::Text)], |st, ids, args| {
        checkout::use_code(st, ids[0], args.text("code").unwrap_or_default())
    }),
    route(
        "POST",
        "/_sandbox/authenticate/{}",
        &[req("outcome", ParamKind::OneOf(&["success", "failure"]))],
        authenticate,
    ),
    route(
        "POST",
        "/_sandbox/webhook_endpoints/{}/roll_secret",
        &[opt("expires_in", ParamKind::Int(0, ROLL_S_MAX))],
        |st, ids, args| {
            st.load("webhook_endpoint", ids[0], "id")?;
            let until = st.clock_s() + args.int("expires_in").unwrap_or(ROLL_S_MAX);
            let secret = st.new_id("whsec");
            let new = secret.clone();
            let changed = st.change(ids[0], |e| {
                let own = e.as_webhook_endpoint_mut();
                own.old_secret = std::mem::replace(&mut own.secret, new);
                own.old_secret_until = Some(until);
            });
            let mut shown = changed.value();
            shown["secret"] = json!(secret);
            Ok(shown)
        },
    ),
];

fn show_clock(st: &State) -> Value {
    json!({ "object": "sandbox.clock", "now": st.clock_s() })
}

fn show_faults(st: &State) -> Value {
    let all: Vec<Value> = st.api_faults.all().iter().map(ApiFault::value).collect();
    json!({ "object": "sandbox.api_faults", "faults": all })
}

fn read_fault(args: &Args) -> Result<ApiFault, ApiError> {
    let name = args.text("answer").unwrap_or_default();
    let kind = FaultKind::named(name).ok_or_else(|| ApiError::missing("answer"))?;
    let is_done = args.flag("done").unwrap_or(false);
    if is_done && kind == FaultKind::RateLimit {
        let message = "Invalid done: a 429 refuses a request before anything is done, so `done` must be false.";
        return Err(ApiError::invalid(message).about("done"));
    }
    let (method, path) = (args.text("method"), args.text("path"));
    if let Some(path) = path {
        let methods = METHODS.iter().filter(|known| method.is_none_or(|wanted| wanted == **known));
        if !path.starts_with("/v1/") || !methods.into_iter().any(|method| api::find(method, path).is_ok()) {
            let message = format!(
                "Invalid path: {path}. Expected the path of an endpoint below /v1/, such as /v1/refunds or /v1/refunds/{{id}}."
            );
            return Err(ApiError::invalid(message).about("path"));
        }
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(ApiFault { kind, is_done, method: owned(method), path: owned(path), left: args.int("times").unwrap_or(1) })
}

/// Reads the business's name and colour, if a request sets them. Setting either to an empty value restores its default.
fn read_look(args: &Args) -> Result<(Option<String>, Option<Colour>), ApiError> {
    let unset = Settings::default();
    let name = args.text("business_name").map_or(unset.business_name, |name| name.trim().to_owned());
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let message = format!("The business's name has 1 to {NAME_CHARS_MAX} characters.");
        return Err(ApiError::invalid(message).about("business_name"));
    }
    let colour = match args.text("brand_colour") {
        Some(text) => text.parse().map_err(|e: String| ApiError::invalid(e).about("brand_colour"))?,
        None => unset.brand_colour,
    };
    Ok((args.has("business_name").then_some(name), args.has("brand_colour").then_some(colour)))
}

fn show_settings(st: &State) -> Value {
    json!({
        "object": "sandbox.settings",
        "api_version": st.settings.version.as_str(),
        "brand_colour": st.settings.brand_colour.to_string(),
        "business_name": st.settings.business_name,
        "dunning": st.settings.dunning,
        "faults": st.settings.faults,
        "settlement": st.settings.settlement,
        "seed": st.settings.seed,
    })
}

/// Passes or fails 3-D Secure for a waiting payment intent, setup intent or checkout session.
fn authenticate(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let passed = args.text("outcome") == Some("success");
    if ids[0].starts_with("cs_") {
        let outcome = checkout::authenticate(st, ids[0], passed)?;
        let mut shown = st.find(ids[0])?.value();
        if let Confirmation::NeedsAction(url) = outcome {
            shown["next_action"] = json!(url);
        }
        return Ok(shown);
    }
    if ids[0].starts_with("seti_") {
        setup::authenticate(st, ids[0], passed)?;
    } else {
        confirm::authenticate(st, ids[0], passed)?;
    }
    Ok(st.find(ids[0])?.value())
}
