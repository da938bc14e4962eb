//! The endpoints for tax rates. They apply to invoices: see `billing::tax`.

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::model;
use crate::money;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, merge_metadata, opt, req};
use crate::state::State;

macro_rules! rate_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("active", ParamKind::Bool),
            opt("country", ParamKind::Text),
            opt("description", ParamKind::Text),
            opt("jurisdiction", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("state", ParamKind::Text),
            opt("tax_type", ParamKind::Text),
            $($more),*
        ]
    };
}

/// The smallest step of a percentage: Stripe accepts four decimal places.
const PERCENT_STEP: i128 = 100_000_000;
const CREATE: &[Field] = rate_fields![
    req("display_name", ParamKind::Text),
    req("inclusive", ParamKind::Bool),
    req("percentage", ParamKind::Decimal)
];
const UPDATE: &[Field] = rate_fields![opt("display_name", ParamKind::Text)];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/tax_rates", CREATE, create),
    route(
        "GET",
        "/v1/tax_rates",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("active", ParamKind::Bool), opt("inclusive", ParamKind::Bool)],
        |st, _, args| listing::list(st, "tax_rate", "/v1/tax_rates", args, &["active", "inclusive"]),
    ),
    route("GET", "/v1/tax_rates/{}", &[], |st, ids, _| Ok(st.load("tax_rate", ids[0], "id")?.value())),
    route("POST", "/v1/tax_rates/{}", UPDATE, |st, ids, args| {
        let mut next = Object::clone(&*st.load("tax_rate", ids[0], "id")?);
        apply(&mut next, args)?;
        Ok(st.change_and_emit(ids[0], "tax_rate.updated", |r| *r = next).value())
    }),
];

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let text = args.text("percentage").unwrap_or_default();
    let number = money::parse_percentage(text, PERCENT_STEP).and_then(|_| text.parse::<f64>().ok());
    let percentage = number.ok_or_else(|| {
        let message =
            format!("Invalid percentage: {text}. It must be between 0 and 100, with at most four decimal places.");
        ApiError::invalid(message).about("percentage")
    })?;
    let id = st.new_id("txr");
    let (name, inclusive) = (args.text("display_name").unwrap_or_default(), args.flag("inclusive") == Some(true));
    let mut rate = model::tax_rate::tax_rate(id, st.clock_s(), name, inclusive, json!(percentage));
    apply(&mut rate, args)?;
    let rate = st.put(rate);
    st.emit("tax_rate.created", &rate);
    Ok(rate.value())
}

fn apply(rate: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["active", "display_name"] {
        if let Some(given) = args.given(member) {
            rate.set(member, given.clone());
        }
    }
    for member in ["country", "description", "jurisdiction", "state", "tax_type"] {
        if args.has(member) {
            rate.set(member, args.value(member));
        }
    }
    rate.set("metadata", merge_metadata(rate.get("metadata"), args)?);
    Ok(())
}
