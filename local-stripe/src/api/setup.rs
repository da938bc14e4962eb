//! The endpoints for setup intents and setup attempts.

use serde_json::{Value, json};

use crate::access;
use crate::api::customers::METHOD_TYPE;
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::method_options::{self, OF_SETUP};
use crate::api::payments::{AUTOMATIC, METHOD_DATA, USAGE, check_return_url, given_method};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, merge_metadata, opt, req};
use crate::payments::method::Presence;
use crate::payments::{confirmation, intent, mandate, method, setup};
use crate::state::State;

macro_rules! setup_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("customer", ParamKind::Text),
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("payment_method", ParamKind::Text),
            opt("payment_method_data", METHOD_DATA),
            opt("payment_method_types", ParamKind::List(&METHOD_TYPE)),
            opt("payment_method_options", OF_SETUP),
            $($more),*
        ]
    };
}

const CREATE: &[Field] = setup_fields![
    opt("automatic_payment_methods", AUTOMATIC),
    opt("confirm", ParamKind::Bool),
    opt("confirmation_token", ParamKind::Text),
    opt("return_url", ParamKind::Url),
    opt("usage", USAGE),
    opt("mandate_data", mandate::DATA),
    opt("use_stripe_sdk", ParamKind::Bool),
];
const UPDATE: &[Field] = setup_fields![];
const CONFIRM: &[Field] = &[
    opt("confirmation_token", ParamKind::Text),
    opt("payment_method", ParamKind::Text),
    opt("payment_method_data", METHOD_DATA),
    opt("return_url", ParamKind::Url),
    opt("client_secret", ParamKind::Text),
    opt("mandate_data", mandate::DATA),
    opt("payment_method_options", OF_SETUP),
    opt("use_stripe_sdk", ParamKind::Bool),
];
const CANCEL_REASON: ParamKind = ParamKind::OneOf(&["abandoned", "duplicate", "requested_by_customer"]);

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/setup_intents", CREATE, create),
    route(
        "GET",
        "/v1/setup_intents",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("customer", ParamKind::Text), opt("payment_method", ParamKind::Text)],
        |st, _, args| listing::list(st, "setup_intent", "/v1/setup_intents", args, &["payment_method"]),
    ),
    route("GET", "/v1/setup_intents/{}", &[opt("client_secret", ParamKind::Text)], |st, ids, args| {
        let found = st.load("setup_intent", ids[0], "id")?;
        access::check_client_secret(&found, args.text("client_secret"))?;
        Ok(found.value())
    }),
    route("POST", "/v1/setup_intents/{}", UPDATE, update),
    route("POST", "/v1/setup_intents/{}/confirm", CONFIRM, |st, ids, args| confirm(st, ids[0], args)),
    route("POST", "/v1/setup_intents/{}/cancel", &[opt("cancellation_reason", CANCEL_REASON)], |st, ids, args| {
        setup::cancel(st, ids[0], args.value("cancellation_reason"))
    }),
    route(
        "GET",
        "/v1/setup_attempts",
        &[LIMIT, AFTER, BEFORE, CREATED, req("setup_intent", ParamKind::Text)],
        |st, _, args| {
            st.load("setup_intent", args.text("setup_intent").unwrap_or_default(), "setup_intent")?;
            listing::list(st, "setup_attempt", "/v1/setup_attempts", args, &["setup_intent"])
        },
    ),
];

fn apply(intent: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["customer", "description"] {
        if args.has(member) {
            intent.set(member, args.value(member));
        }
    }
    if args.has("payment_method_types") {
        intent.set("payment_method_types", args.list("payment_method_types"));
    }
    intent::note_return(intent, args);
    method_options::apply(intent, args);
    intent.set("metadata", merge_metadata(intent.get("metadata"), args)?);
    Ok(())
}

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let customer = args.text("customer").map(|c| st.load("customer", c, "customer")).transpose()?;
    let confirms = args.flag("confirm") == Some(true);
    if args.has("confirmation_token") && !confirms {
        let message = "You can only set confirmation_token when confirm is true.";
        return Err(ApiError::invalid(message).about("confirmation_token"));
    }
    let args = &confirmation::expand(st, args)?;
    mandate::check_confirms(args)?;
    let card = given_method(st, args)?;
    let mut settings = Object::of(json!({ "metadata": {}, "payment_method_options": model::setup::options() }));
    apply(&mut settings, args)?;
    let clock = customer.map_or_else(String::new, |c| c.clock().to_owned());
    let id = setup::create(st, args.text("usage").unwrap_or("off_session"), &clock, |si| {
        si.absorb(settings);
        if let Some(automatic) = args.given("automatic_payment_methods") {
            si.set("automatic_payment_methods", automatic.clone());
        }
        if let Some(card) = card {
            si.set("payment_method", card);
            si.set("status", "requires_confirmation");
        }
    });
    if confirms {
        confirmation::spend(st, args, "setup_intent", &id);
        // The other parameters of the request are already stored in the intent.
        let mut confirmation = Args::default();
        confirmation.put("mandate_data", args.value("mandate_data"));
        return confirm(st, &id, &confirmation);
    }
    Ok(st.find(&id)?.value())
}

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let mut next = Object::clone(&*st.load("setup_intent", ids[0], "id")?);
    if matches!(next.text("status"), "succeeded" | "canceled") && args.names().any(|name| name != "metadata") {
        return Err(setup::unexpected_state(&next, "update"));
    }
    if let Some(customer) = args.text("customer") {
        st.load("customer", customer, "customer")?;
    }
    apply(&mut next, args)?;
    if let Some(card) = given_method(st, args)? {
        next.set("payment_method", card);
        next.set("status", "requires_confirmation");
    }
    Ok(st.put(next).value())
}

fn confirm(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let found = st.load("setup_intent", id, "id")?;
    access::check_client_secret(&found, args.text("client_secret"))?;
    let args = &confirmation::expand(st, args)?;
    confirmation::spend(st, args, "setup_intent", id);
    let given = given_method(st, args)?;
    let card = given.or_else(|| found.text_at("payment_method").map(str::to_owned)).ok_or_else(|| {
        let message = "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment method and then confirm it again.";
        ApiError::coded("setup_intent_unexpected_state", message)
    })?;
    let mut next = Object::clone(&found);
    apply(&mut next, args)?;
    check_return_url(&next)?;
    // An attached card may have been deleted in the meantime.
    let method = st.load("payment_method", &card, "payment_method")?;
    method::check_type(&method, &next)?;
    mandate::note(st, &mut next, args, &method)?;
    st.put(next);
    setup::confirm(st, id, &card, Presence::OnSession)?;
    Ok(st.find(id)?.value())
}
