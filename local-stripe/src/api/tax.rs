//! The endpoints for automatic tax: settings, registrations, codes, calculations and transactions.

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::model::customer::whole_address;
use crate::object::Object;
use crate::params::{ADDRESS, AMOUNT, Args, Field, ParamKind, SIGNED_AMOUNT, opt, req};
use crate::state::State;
use crate::tax::{self, calculation, registration, reversal};
use crate::tax_ids::TYPES;

const NOW: ParamKind = ParamKind::TimeOr(&["now"]);
/// The options of a registration in a country of the European Union.
const OF_UNION: ParamKind = ParamKind::Map(&[
    req("type", ParamKind::OneOf(&["oss_non_union", "oss_union", "standard"])),
    opt("standard", ParamKind::Map(&[req("place_of_supply_scheme", ParamKind::OneOf(&["standard"]))])),
]);
/// The options of a registration in a country with one tax.
const OF_COUNTRY: ParamKind = ParamKind::Map(&[
    req("type", ParamKind::OneOf(&["standard"])),
    opt("standard", ParamKind::Map(&[opt("place_of_supply_scheme", ParamKind::OneOf(&["standard"]))])),
]);
const OF_CANADA: ParamKind = ParamKind::Map(&[
    req("type", ParamKind::OneOf(&["province_standard", "simplified", "standard"])),
    opt("province_standard", ParamKind::Map(&[req("province", ParamKind::Text)])),
]);
const OF_STATES: ParamKind =
    ParamKind::Map(&[req("type", ParamKind::OneOf(&["state_sales_tax"])), req("state", ParamKind::Text)]);

macro_rules! country_options {
    ($($union:literal)*; $($country:literal)*) => {
        ParamKind::Map(&[
            $(opt($union, OF_UNION),)*
            $(opt($country, OF_COUNTRY),)*
            opt("ca", OF_CANADA),
            opt("us", OF_STATES),
        ])
    };
}

const COUNTRY_OPTIONS: ParamKind = country_options!(
    "at" "be" "bg" "cy" "cz" "de" "dk" "ee" "es" "fi" "fr" "gr" "hr" "hu" "ie" "it" "lt" "lu" "lv" "mt" "nl" "pl" "pt"
    "ro" "se" "si" "sk"; "au" "ch" "gb" "jp" "no" "nz" "sg"
);

const BEHAVIOR: ParamKind = ParamKind::OneOf(&["exclusive", "inclusive"]);
const CALCULATE: &[Field] = &[
    req("currency", ParamKind::Currency),
    req(
        "line_items",
        ParamKind::List(&ParamKind::Map(&[
            req("amount", AMOUNT),
            opt("metadata", ParamKind::Metadata),
            opt("product", ParamKind::Text),
            opt("quantity", ParamKind::Int(1, 999_999)),
            opt("reference", ParamKind::Text),
            opt("tax_behavior", BEHAVIOR),
            opt("tax_code", ParamKind::Text),
        ])),
    ),
    opt("customer", ParamKind::Text),
    opt(
        "customer_details",
        ParamKind::Map(&[
            opt("address", ADDRESS),
            opt("address_source", ParamKind::OneOf(&["billing", "shipping"])),
            opt(
                "tax_ids",
                ParamKind::List(&ParamKind::Map(&[
                    req("type", ParamKind::OneOf(TYPES)),
                    req("value", ParamKind::Text),
                ])),
            ),
            opt("taxability_override", ParamKind::OneOf(&["customer_exempt", "none", "reverse_charge"])),
        ]),
    ),
    opt(
        "shipping_cost",
        ParamKind::Map(&[
            opt("amount", AMOUNT),
            opt("shipping_rate", ParamKind::Text),
            opt("tax_behavior", BEHAVIOR),
            opt("tax_code", ParamKind::Text),
        ]),
    ),
    opt("tax_date", ParamKind::Time),
];
const REVERSE: &[Field] = &[
    req("mode", ParamKind::OneOf(&["full", "partial"])),
    req("original_transaction", ParamKind::Text),
    req("reference", ParamKind::Text),
    opt("flat_amount", SIGNED_AMOUNT),
    opt(
        "line_items",
        ParamKind::List(&ParamKind::Map(&[
            req("amount", SIGNED_AMOUNT),
            req("amount_tax", SIGNED_AMOUNT),
            opt("metadata", ParamKind::Metadata),
            req("original_line_item", ParamKind::Text),
            opt("quantity", ParamKind::Int(1, 999_999)),
            req("reference", ParamKind::Text),
        ])),
    ),
    opt("metadata", ParamKind::Metadata),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/tax/settings", &[], |st, _, _| Ok(shown(&tax::settings(st)))),
    route(
        "POST",
        "/v1/tax/settings",
        &[
            opt(
                "defaults",
                ParamKind::Map(&[
                    opt("tax_behavior", ParamKind::OneOf(&["exclusive", "inclusive", "inferred_by_currency"])),
                    opt("tax_code", ParamKind::Text),
                ]),
            ),
            opt("head_office", ParamKind::Map(&[req("address", ADDRESS)])),
        ],
        |st, _, args| change_settings(st, args),
    ),
    route(
        "POST",
        "/v1/tax/registrations",
        &[
            req("active_from", NOW),
            req("country", ParamKind::Text),
            req("country_options", COUNTRY_OPTIONS),
            opt("expires_at", ParamKind::Time),
        ],
        |st, _, args| Ok(registration::create(st, args)?.value()),
    ),
    route(
        "GET",
        "/v1/tax/registrations",
        &[LIMIT, AFTER, BEFORE, opt("status", ParamKind::OneOf(&["active", "all", "expired", "scheduled"]))],
        |st, _, args| {
            let now = st.clock_s();
            let wanted = args.text("status").filter(|status| *status != "all");
            let all = st.newest("tax.registration", None).map(|found| registration::shown(&found, now));
            let fits = |found: &Object| wanted.is_none_or(|status| found.text("status") == status);
            listing::page_of(args, "/v1/tax/registrations", all.filter(fits), |o| o.id(), Object::value)
        },
    ),
    route("GET", "/v1/tax/registrations/{}", &[], |st, ids, _| {
        let found = st.load("tax.registration", ids[0], "id")?;
        Ok(registration::shown(&found, st.clock_s()).value())
    }),
    route("POST", "/v1/tax/registrations/{}", &[opt("active_from", NOW), opt("expires_at", NOW)], |st, ids, args| {
        Ok(registration::update(st, ids[0], args)?.value())
    }),
    route("GET", "/v1/tax_codes", &[LIMIT, AFTER, BEFORE], |_, _, args| {
        listing::page_of(args, "/v1/tax_codes", tax::CODES.into_iter(), |(id, _)| id, code)
    }),
    route("GET", "/v1/tax_codes/{}", &[], |_, ids, _| {
        tax::check_code(ids[0], "id")?;
        Ok(tax::CODES.iter().find(|(id, _)| *id == ids[0]).map(code).unwrap_or_default())
    }),
    route("POST", "/v1/tax/calculations", CALCULATE, |st, _, args| calculation::create(st, args)),
    route("GET", "/v1/tax/calculations/{}", &[], |st, ids, _| Ok(st.load("tax.calculation", ids[0], "id")?.value())),
    route("GET", "/v1/tax/calculations/{}/line_items", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        lines(st, "tax.calculation", ids[0], args)
    }),
    route(
        "POST",
        "/v1/tax/transactions/create_from_calculation",
        &[
            req("calculation", ParamKind::Text),
            req("reference", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("posted_at", ParamKind::Time),
        ],
        |st, _, args| calculation::commit(st, args),
    ),
    route("POST", "/v1/tax/transactions/create_reversal", REVERSE, |st, _, args| reversal::create(st, args)),
    route("GET", "/v1/tax/transactions/{}", &[], |st, ids, _| Ok(st.load("tax.transaction", ids[0], "id")?.value())),
    route("GET", "/v1/tax/transactions/{}/line_items", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        lines(st, "tax.transaction", ids[0], args)
    }),
];

fn code((id, name): &(&str, &str)) -> Value {
    json!({ "id": id, "object": "tax_code", "description": name, "name": name })
}

/// Returns the settings as Stripe shows them: without an id.
fn shown(settings: &Object) -> Value {
    let mut shown = settings.clone();
    shown.members.remove("id");
    shown.value()
}

fn change_settings(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let mut next = tax::settings(st);
    let defaults = args.map("defaults");
    if let Some(code) = defaults.text("tax_code") {
        tax::check_code(code, "defaults[tax_code]")?;
    }
    for member in ["tax_behavior", "tax_code"] {
        if let Some(given) = defaults.given(member) {
            next.set_at(&format!("defaults.{member}"), given.clone());
        }
    }
    if args.given("head_office").is_some() {
        let address = args.map("head_office").value("address");
        if tax::Place::of(&address).is_none() {
            let message =
                "The head office needs an address with a country, and in Canada and the United States with a state.";
            return Err(ApiError::invalid(message).about("head_office[address]"));
        }
        next.set("head_office", json!({ "address": whole_address(&address) }));
        next.set("status", "active");
        next.set("status_details", json!({ "active": {} }));
    }
    let next = st.put(next);
    let shown = shown(&next);
    st.emit("tax.settings.updated", &next);
    Ok(shown)
}

fn lines(st: &State, kind: &str, id: &str, args: &Args) -> Result<Value, ApiError> {
    let found = st.load(kind, id, "id")?;
    let url = format!("/v1/{}s/{id}/line_items", kind.replace('.', "/"));
    let all = found.list_at("line_items").iter().cloned().map(Object::of);
    listing::page_of(args, &url, all, |line| line.id(), Object::value)
}
