//! The endpoints for account settings: the balance, invoice templates, and the requirements of a country.

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::money;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, opt};
use crate::state::State;

/// The maximum number of templates.
const TEMPLATES_MAX: usize = 100;
/// The maximum length of a payout's statement descriptor, Stripe's limit.
const DESCRIPTOR_CHARS_MAX: usize = 22;
const TEMPLATE: &str = "invoice_rendering_template";
/// The id under which the changed balance settings are stored.
const BALANCE_SETTINGS: &str = "sandbox.balance_settings";
const STATUS: ParamKind = ParamKind::OneOf(&["active", "archived"]);
/// The settings that have an effect: payouts are always manual.
const BALANCE: &[Field] = &[opt(
    "payments",
    ParamKind::Map(&[
        opt("debit_negative_balances", ParamKind::Bool),
        opt(
            "payouts",
            ParamKind::Map(&[
                opt("schedule", ParamKind::Map(&[opt("interval", ParamKind::OneOf(&["manual"]))])),
                opt("statement_descriptor", ParamKind::Text),
            ]),
        ),
    ]),
)];
/// The requirements of the United States, as in Stripe's example object.
const UNITED_STATES: &str = include_str!("../model/country_spec_us.json");

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/balance_settings", &[], |st, _, _| Ok(balance_settings(st).value())),
    route("POST", "/v1/balance_settings", BALANCE, update_balance),
    route("GET", "/v1/invoice_rendering_templates", &[LIMIT, AFTER, BEFORE, opt("status", STATUS)], |st, _, args| {
        listing::list(st, TEMPLATE, "/v1/invoice_rendering_templates", args, &["status"])
    }),
    route(
        "GET",
        "/v1/invoice_rendering_templates/{}",
        &[opt("version", ParamKind::Int(1, 1_000_000))],
        |st, ids, args| {
            let found = st.load(TEMPLATE, ids[0], "id")?;
            match args.int("version") {
                Some(version) if version != found.int("version") => {
                    let message = format!("No such version of the template {}: {version}", ids[0]);
                    Err(ApiError { status: 404, ..ApiError::coded("resource_missing", message).about("version") })
                }
                _ => Ok(found.value()),
            }
        },
    ),
    route("POST", "/v1/invoice_rendering_templates/{}/archive", &[], |st, ids, _| set_status(st, ids[0], "archived")),
    route("POST", "/v1/invoice_rendering_templates/{}/unarchive", &[], |st, ids, _| set_status(st, ids[0], "active")),
    // At Stripe, templates are created in the dashboard.
    route("POST", "/_sandbox/invoice_rendering_templates", &[opt("nickname", ParamKind::Text)], |st, _, args| {
        if st.count(TEMPLATE) >= TEMPLATES_MAX {
            return Err(ApiError::invalid(format!("There can be at most {TEMPLATES_MAX} templates.")));
        }
        let made = Object::of(json!({
            "id": st.new_id("inrtem"),
            "object": TEMPLATE,
            "created": st.clock_s(),
            "livemode": false,
            "metadata": {},
            "nickname": args.value("nickname"),
            "status": "active",
            "version": 1,
        }));
        Ok(st.put(made).value())
    }),
    route("GET", "/v1/country_specs", &[LIMIT, AFTER, BEFORE], |_, _, args| {
        let all = std::iter::once(united_states());
        listing::page_of(args, "/v1/country_specs", all, |spec| spec.id(), Object::value)
    }),
    route("GET", "/v1/country_specs/{}", &[], |_, ids, _| {
        let spec = united_states();
        if ids[0] == spec.id() { Ok(spec.value()) } else { Err(ApiError::no_such("country_spec", ids[0], "id")) }
    }),
];

/// Returns the requirements of the country of the sandbox's own account.
fn united_states() -> Object {
    let mut spec = Object::of(serde_json::from_str(UNITED_STATES).unwrap_or_default());
    let mut currencies = money::supported();
    currencies.sort_unstable();
    spec.set("supported_payment_currencies", currencies);
    spec
}

/// Returns the balance settings of the account for which the request acts.
pub fn balance_settings(st: &State) -> Object {
    let default = json!({
        "object": "balance_settings",
        "payments": {
            "debit_negative_balances": true,
            "payouts": {
                "automatic_transfer_rules_by_currency": null,
                "minimum_balance_by_currency": null,
                "schedule": { "interval": "manual" },
                "statement_descriptor": null,
                "status": "enabled",
            },
            "settlement_timing": { "delay_days": 0, "delay_days_override": null, "start_of_day": null },
        },
    });
    let mut shown = Object::of(default);
    if let Some(changed) = st.seek(BALANCE_SETTINGS) {
        shown.set("payments", changed.get("payments").clone());
    }
    shown
}

fn update_balance(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let before = balance_settings(st);
    let mut next = before.clone();
    let given = args.map("payments");
    if let Some(debit) = given.given("debit_negative_balances") {
        next.set_at("payments.debit_negative_balances", debit.clone());
    }
    let payouts = given.map("payouts");
    if payouts.text("statement_descriptor").is_some_and(|text| text.chars().count() > DESCRIPTOR_CHARS_MAX) {
        let message = format!("Invalid string: must be at most {DESCRIPTOR_CHARS_MAX} characters");
        return Err(
            ApiError::coded("parameter_invalid_string", message).about("payments[payouts][statement_descriptor]")
        );
    }
    if payouts.has("statement_descriptor") {
        next.set_at("payments.payouts.statement_descriptor", payouts.value("statement_descriptor"));
    }
    let payments = next.get("payments").clone();
    st.put(Object::of(json!({ "id": BALANCE_SETTINGS, "object": BALANCE_SETTINGS, "payments": payments })));
    if next != before {
        st.emit_with("balance_settings.updated", &next, Some(before));
    }
    Ok(next.value())
}

fn set_status(st: &mut State, id: &str, status: &str) -> Result<Value, ApiError> {
    if st.load(TEMPLATE, id, "id")?.text("status") == status {
        return Err(ApiError::invalid(format!("The template is {status} already.")));
    }
    Ok(st.change(id, |template| template.set("status", status)).value())
}

/// Returns the id and the version of the active template that a request refers to; null if it refers to none.
///
/// # Errors
/// The template is unknown or archived.
pub fn template(st: &State, args: &Args, param: &str) -> Result<(Value, Value), ApiError> {
    let Some(id) = args.text("template") else { return Ok((Value::Null, Value::Null)) };
    let found = st.load(TEMPLATE, id, param)?;
    if found.text("status") != "active" {
        return Err(ApiError::invalid(format!("The template {id} is archived.")).about(param));
    }
    match args.int("template_version") {
        Some(version) if version != found.int("version") => {
            Err(ApiError::invalid(format!("The template {id} has no version {version}.")).about(param))
        }
        _ => Ok((json!(id), found.get("version").clone())),
    }
}
