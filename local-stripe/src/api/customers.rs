//! The endpoints for customers, payment methods and the customer balance.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::tax_ids::TAX_ID_DATA;
use crate::api::{Route, catalog, route};
use crate::billing::invoicing::invoice_settings::{CUSTOM_FIELDS, TAX_DISPLAY, custom_fields};
use crate::billing::settlement::{balance, ended};
use crate::checkout::keep::REDISPLAY;
use crate::discount::redeem::{self, Purpose};
use crate::discount::term;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{ADDRESS, Args, Field, ParamKind, SHIPPING_OF_CUSTOMER, SIGNED_AMOUNT, merge_metadata, opt, req};
use crate::payments::source::{self, SOURCE};
use crate::payments::{cash, method};
use crate::state::State;
use crate::tax::{Place, no_place};
use crate::tax_ids;

const INVOICE_SETTINGS: ParamKind = ParamKind::Map(&[
    opt("default_payment_method", ParamKind::Text),
    opt("footer", ParamKind::Text),
    opt("custom_fields", CUSTOM_FIELDS),
    opt("rendering_options", ParamKind::Map(&[opt("amount_tax_display", TAX_DISPLAY)])),
]);
/// The maximum length of the names of a customer's business and person, Stripe's limit.
const NAME_CHARS_MAX: usize = 150;

/// The settings of a customer's cash balance.
pub const CASH_SETTINGS: ParamKind =
    ParamKind::Map(&[opt("reconciliation_mode", ParamKind::OneOf(&["automatic", "manual", "merchant_default"]))]);

macro_rules! customer_fields {
    ($($more:expr),*) => {
        &[
            opt("address", ADDRESS),
            opt("balance", SIGNED_AMOUNT),
            opt("coupon", ParamKind::Text),
            opt("promotion_code", ParamKind::Text),
            opt("description", ParamKind::Text),
            opt("email", ParamKind::Email),
            opt("invoice_prefix", ParamKind::Text),
            opt("invoice_settings", INVOICE_SETTINGS),
            opt("metadata", ParamKind::Metadata),
            opt("name", ParamKind::Text),
            opt("next_invoice_sequence", ParamKind::Int(1, 1_000_000_000)),
            opt("phone", ParamKind::Text),
            opt("preferred_locales", ParamKind::List(&ParamKind::Text)),
            opt("shipping", SHIPPING_OF_CUSTOMER),
            opt("card", SOURCE),
            opt("source", SOURCE),
            opt(
                "tax",
                ParamKind::Map(&[opt("validate_location", ParamKind::OneOf(&["deferred", "immediately"]))])
            ),
            opt("tax_exempt", ParamKind::OneOf(&["none", "exempt", "reverse"])),
            opt("business_name", ParamKind::Text),
            opt("cash_balance", ParamKind::Map(&[opt("settings", CASH_SETTINGS)])),
            opt("individual_name", ParamKind::Text),
            $($more),*
        ]
    };
}

const CREATE: &[Field] = customer_fields![
    opt("payment_method", ParamKind::Text),
    opt("test_clock", ParamKind::Text),
    opt("tax_id_data", TAX_ID_DATA)
];
const UPDATE: &[Field] = customer_fields![opt("default_source", ParamKind::Text)];

/// The maximum number of customers of a test clock, Stripe's limit.
const CLOCK_CUSTOMERS_MAX: usize = 3;

/// The parameter `card` in an update of a payment method.
const CHANGED_CARD: ParamKind = ParamKind::Map(&[
    opt("exp_month", ParamKind::Int(1, 12)),
    opt("exp_year", ParamKind::Int(0, 9_999)),
    opt("networks", method::NETWORKS),
]);
/// The parameter `card` of a new payment method.
pub const CARD: ParamKind = ParamKind::Map(&[
    opt("cvc", ParamKind::Text),
    opt("exp_month", ParamKind::Int(0, 99)),
    opt("exp_year", ParamKind::Int(0, 9_999)),
    opt("networks", method::NETWORKS),
    opt("number", ParamKind::Text),
    opt("token", ParamKind::Text),
]);
/// The supported types of payment methods.
pub const METHOD_TYPE: ParamKind = ParamKind::OneOf(&["card", "sepa_debit", "us_bank_account"]);
/// The types of payment methods that a payment intent accepts, which also include the customer's cash balance.
pub const OWN_METHOD_TYPE: ParamKind = ParamKind::OneOf(&["card", "customer_balance", "sepa_debit", "us_bank_account"]);
/// The parameter `sepa_debit`: a bank account for SEPA direct debit.
pub const SEPA_DEBIT: ParamKind = ParamKind::Map(&[req("iban", ParamKind::Text)]);
/// The parameter `us_bank_account`: a bank account for ACH direct debit.
pub const US_BANK_ACCOUNT: ParamKind = ParamKind::Map(&[
    req("account_number", ParamKind::Text),
    opt("account_holder_type", ParamKind::OneOf(&["company", "individual"])),
    opt("account_type", ParamKind::OneOf(&["checking", "savings"])),
    opt("routing_number", ParamKind::Text),
]);
/// The parameter `billing_details` of a payment method.
pub const BILLING_DETAILS: ParamKind = ParamKind::Map(&[
    opt("address", ADDRESS),
    opt("email", ParamKind::Email),
    opt("name", ParamKind::Text),
    opt("phone", ParamKind::Text),
    opt("tax_id", ParamKind::Text),
]);

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/customers", CREATE, create),
    route("POST", "/_sandbox/customers/{}", CREATE, |st, ids, args| create_named(st, ids[0], args)),
    route(
        "GET",
        "/v1/customers",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("email", ParamKind::Text), opt("test_clock", ParamKind::Text)],
        |st, _, args| listing::list(st, "customer", "/v1/customers", args, &["email", "test_clock"]),
    ),
    route("GET", "/v1/customers/{}", &[], |st, ids, _| retrieve(st, ids[0])),
    route("POST", "/v1/customers/{}", UPDATE, |st, ids, args| update(st, ids[0], args)),
    route("DELETE", "/v1/customers/{}", &[], |st, ids, _| delete(st, ids[0])),
    route("DELETE", "/v1/customers/{}/discount", &[], |st, ids, _| {
        st.load("customer", ids[0], "id")?;
        let ended = term::end_of_customer(st, ids[0]).ok_or_else(|| {
            let message = format!("No active discount for customer: {}", ids[0]);
            ApiError { status: 404, ..ApiError::coded("resource_missing", message) }
        })?;
        Ok(json!({ "id": ended.id(), "object": "discount", "deleted": true, "customer": ids[0] }))
    }),
    route(
        "GET",
        "/v1/customers/{}/payment_methods",
        &[LIMIT, AFTER, BEFORE, opt("type", ParamKind::Text)],
        |st, ids, args| methods_of(st, ids[0], args),
    ),
    route("GET", "/v1/customers/{}/payment_methods/{}", &[], |st, ids, _| {
        let found = st.load("payment_method", ids[1], "id")?;
        if found.text("customer") == ids[0] {
            Ok(found.value())
        } else {
            Err(ApiError::no_such("PaymentMethod", ids[1], "id"))
        }
    }),
    route(
        "POST",
        "/v1/customers/{}/balance_transactions",
        &[
            req("amount", SIGNED_AMOUNT),
            req("currency", ParamKind::Currency),
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
        ],
        move_balance,
    ),
    route("GET", "/v1/customers/{}/balance_transactions", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        st.load("customer", ids[0], "id")?;
        listing::page(
            args,
            &format!("/v1/customers/{}/balance_transactions", ids[0]),
            listing::newest(st, args, "customer_balance_transaction", Some(ids[0])),
        )
    }),
    route("GET", "/v1/customers/{}/balance_transactions/{}", &[], |st, ids, _| {
        Ok(movement_of(st, ids[0], ids[1])?.value())
    }),
    route(
        "POST",
        "/v1/customers/{}/balance_transactions/{}",
        &[opt("description", ParamKind::Text), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| {
            let metadata = merge_metadata(movement_of(st, ids[0], ids[1])?.get("metadata"), args)?;
            let changed = st.change(ids[1], |movement| {
                if args.has("description") {
                    movement.set("description", args.value("description"));
                }
                movement.set("metadata", metadata);
            });
            Ok(changed.value())
        },
    ),
    route(
        "POST",
        "/v1/payment_methods",
        &[
            req("type", OWN_METHOD_TYPE),
            opt("billing_details", BILLING_DETAILS),
            opt("customer_balance", ParamKind::Map(&[])),
            opt("card", CARD),
            opt("sepa_debit", SEPA_DEBIT),
            opt("us_bank_account", US_BANK_ACCOUNT),
            opt("metadata", ParamKind::Metadata),
            opt("allow_redisplay", REDISPLAY),
            // Stripe's browser script sends its name and versions here. They appear in no member.
            opt("payment_user_agent", ParamKind::Text),
        ],
        create_method,
    ),
    route(
        "GET",
        "/v1/payment_methods",
        &[LIMIT, AFTER, BEFORE, opt("customer", ParamKind::Text), opt("type", ParamKind::Text)],
        |st, _, args| listing::list(st, "payment_method", "/v1/payment_methods", args, &["type"]),
    ),
    // As at Stripe, a test name such as `pm_card_visa` creates a new payment method each time.
    route("GET", "/v1/payment_methods/{}", &[], |st, ids, _| Ok(method::resolve(st, ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/payment_methods/{}",
        &[
            opt("billing_details", BILLING_DETAILS),
            opt("metadata", ParamKind::Metadata),
            opt("card", CHANGED_CARD),
            opt("allow_redisplay", REDISPLAY),
        ],
        update_method,
    ),
    route("POST", "/v1/payment_methods/{}/attach", &[req("customer", ParamKind::Text)], |st, ids, args| {
        let customer = st.load("customer", args.text("customer").unwrap_or_default(), "customer")?;
        let found = method::resolve(st, ids[0], "id")?;
        Ok(method::attach(st, &found, &customer)?.value())
    }),
    route("POST", "/v1/payment_methods/{}/detach", &[], |st, ids, _| method::detach(st, ids[0])),
];

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let id = st.new_id("cus");
    make(st, id, args)
}

/// Creates a customer with an id chosen by the caller, for fixtures. Stripe has no such endpoint.
fn create_named(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    catalog::check_own_id(id)?;
    if st.seek(id).is_some() {
        return Err(ApiError::coded("resource_already_exists", "Customer already exists.").about("id"));
    }
    make(st, id.to_owned(), args)
}

fn make(st: &mut State, id: String, args: &Args) -> Result<Value, ApiError> {
    let clock = args.text("test_clock").map(|c| st.load("test_helpers.test_clock", c, "test_clock")).transpose()?;
    if let Some(clock) = &clock {
        let on_clock = st.newest("customer", None).filter(|other| other.text("test_clock") == clock.id());
        if on_clock.take(CLOCK_CUSTOMERS_MAX).count() == CLOCK_CUSTOMERS_MAX {
            let message = format!("A test clock can have at most {CLOCK_CUSTOMERS_MAX} customers.");
            return Err(ApiError::invalid(message).about("test_clock"));
        }
    }
    let prefix = st.new_characters(8).to_uppercase();
    let created = clock.as_ref().map_or(st.clock_s(), |c| c.int("frozen_time"));
    let mut customer = model::customer::customer(id.clone(), created, prefix);
    customer.set("test_clock", clock.map_or(Value::Null, |c| json!(c.id())));
    apply(&mut customer, args)?;
    customer.set("balance", args.int("balance").unwrap_or(0));
    let wanted_default = args.map("invoice_settings").text("default_payment_method").map(str::to_owned);
    let mut attached = None;
    st.put(customer.clone());
    let named = args.text("payment_method").map(str::to_owned);
    if let Some(name) = &named {
        let found = method::resolve(st, name, "payment_method")?;
        let customer = st.find(&id)?;
        // The card is attached only after `customer.created` is emitted, though Stripe creates both objects at once.
        attached = Some((found, customer));
    }
    let made = st.find(&id)?;
    st.emit("customer.created", &made);
    for (n, entry) in args.list("tax_id_data").into_iter().enumerate() {
        tax_ids::create(st, Some(&made), &Args::of(entry), &format!("tax_id_data[{n}]"))?;
    }
    give_discount(st, &id, args)?;
    cash::set_mode(st, &id, &args.map("cash_balance").map("settings"))?;
    let mut default = None;
    if let Some((found, customer)) = attached {
        let found = method::attach(st, &found, &customer)?;
        if wanted_default == named {
            default = Some(found.id().to_owned());
        }
    }
    if let Some(name) = wanted_default.filter(|_| default.is_none()) {
        default = Some(owned_method(st, &id, &name)?);
    }
    if let Some(default) = default {
        st.change_and_emit(&id, "customer.updated", |c| c.set_at("invoice_settings.default_payment_method", default));
    }
    if let Some((given, param)) = given_source(args) {
        source::add(st, &id, &given, param)?;
    }
    Ok(st.find(&id)?.value())
}

/// Returns the card in a request, and the name of its parameter.
fn given_source(args: &Args) -> Option<(Value, &'static str)> {
    ["source", "card"].into_iter().find_map(|param| args.given(param).map(|given| (given.clone(), param)))
}

fn owned_method(st: &mut State, customer: &str, name: &str) -> Result<String, ApiError> {
    let param = "invoice_settings[default_payment_method]";
    let found = st.load("payment_method", name, param)?;
    if found.text("customer") != customer {
        let message = format!("No such PaymentMethod: '{name}'; it's not attached to this customer.");
        return Err(ApiError::coded("resource_missing", message).about(param));
    }
    Ok(name.to_owned())
}

fn apply(customer: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in [
        "address",
        "description",
        "email",
        "name",
        "phone",
        "shipping",
        "invoice_prefix",
        "next_invoice_sequence",
        "tax_exempt",
    ] {
        if args.has(member) {
            let value = args.value(member);
            customer.set(member, if member == "address" { full_address(value) } else { value });
        }
    }
    let is_checked = args.map("tax").text("validate_location") == Some("immediately");
    if is_checked && Place::of_customer(customer).is_none() {
        return Err(no_place("tax[validate_location]"));
    }
    if args.has("preferred_locales") {
        customer.set("preferred_locales", args.list("preferred_locales"));
    }
    if customer.get("tax_exempt").is_null() {
        customer.set("tax_exempt", "none");
    }
    for member in ["business_name", "individual_name"] {
        match args.text(member) {
            Some(name) if name.chars().count() > NAME_CHARS_MAX => {
                let message = format!("Invalid string: must be at most {NAME_CHARS_MAX} characters");
                return Err(ApiError::coded("parameter_invalid_string", message).about(member));
            }
            Some(name) => customer.set(member, name),
            // A customer without such a name lacks the member.
            None if args.has(member) => {
                customer.members.remove(member);
            }
            None => {}
        }
    }
    let settings = args.map("invoice_settings");
    if settings.has("footer") {
        customer.set_at("invoice_settings.footer", settings.value("footer"));
    }
    if settings.has("custom_fields") {
        let fields = custom_fields(&settings.list("custom_fields"), "invoice_settings[custom_fields]")?;
        customer.set_at("invoice_settings.custom_fields", fields);
    }
    if settings.has("rendering_options") {
        let display = settings.map("rendering_options").value("amount_tax_display");
        let options = json!({ "amount_tax_display": display, "template": null });
        let options = if options["amount_tax_display"].is_null() { Value::Null } else { options };
        customer.set_at("invoice_settings.rendering_options", options);
    }
    customer.set("metadata", merge_metadata(customer.get("metadata"), args)?);
    Ok(())
}

fn full_address(value: Value) -> Value {
    if value.is_null() { value } else { model::customer::whole_address(&value) }
}

fn retrieve(st: &State, id: &str) -> Result<Value, ApiError> {
    match st.seek(id).filter(|o| o.kind() == "sandbox.deleted_customer") {
        Some(_) => Ok(json!({ "id": id, "object": "customer", "deleted": true })),
        None => Ok(st.load("customer", id, "id")?.value()),
    }
}

fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let mut next = Object::clone(&*st.load("customer", id, "id")?);
    apply(&mut next, args)?;
    let settings = args.map("invoice_settings");
    if settings.has("default_payment_method") {
        let default = match settings.text("default_payment_method") {
            Some(name) => json!(owned_method(st, id, name)?),
            None => Value::Null,
        };
        next.set_at("invoice_settings.default_payment_method", default);
    }
    if let Some(balance) = args.int("balance") {
        next.set("balance", balance);
    }
    let chosen = match (given_source(args), args.text("default_source")) {
        (Some((given, param)), _) => Some(source::add(st, id, &given, param)?.id().to_owned()),
        (None, Some(card)) => Some(source::load(st, id, card)?.id().to_owned()),
        (None, None) => None,
    };
    let stored = st.find(id)?;
    next.set("default_source", chosen.map_or_else(|| stored.get("default_source").clone(), |card| json!(card)));
    st.change_and_emit(id, "customer.updated", |c| *c = next);
    give_discount(st, id, args)?;
    cash::set_mode(st, id, &args.map("cash_balance").map("settings"))?;
    Ok(st.find(id)?.value())
}

/// Redeems a coupon or a promotion code as the customer's discount, which applies to all invoices. An empty parameter
/// removes the discount.
fn give_discount(st: &mut State, id: &str, args: &Args) -> Result<(), ApiError> {
    let customer = st.find(id)?;
    let purpose = Purpose { customer: Some(id), amount: 0, currency: customer.text("currency") };
    let redeemed = match (args.text("coupon"), args.text("promotion_code")) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: coupon, promotion_code.";
            return Err(ApiError::invalid(message).about("coupon"));
        }
        (Some(coupon), None) => redeem::by_coupon(st, coupon, "coupon", purpose)?,
        (None, Some(code)) => redeem::by_code(st, code, "promotion_code", purpose)?,
        (None, None) => {
            if args.has("coupon") || args.has("promotion_code") {
                term::end_of_customer(st, id);
            }
            return Ok(());
        }
    };
    term::give_customer(st, id, &redeemed);
    Ok(())
}

fn delete(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let customer = st.load("customer", id, "id")?;
    let live: Vec<String> = st
        .newest("subscription", Some(id))
        .filter(|s| !matches!(s.text("status"), "canceled" | "incomplete_expired"))
        .map(|s| s.id().to_owned())
        .collect();
    for subscription in live {
        ended::stop(st, &subscription, ended::Reason::Requested);
    }
    st.emit("customer.deleted", &customer);
    let owned: Vec<String> = st.newest("tax_id", Some(id)).map(|tax_id| tax_id.id().to_owned()).collect();
    owned.iter().for_each(|tax_id| st.remove(tax_id));
    st.remove(id);
    st.put(Object::of(json!({ "id": id, "object": "sandbox.deleted_customer" })));
    Ok(json!({ "id": id, "object": "customer", "deleted": true }))
}

fn methods_of(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    st.load("customer", id, "id")?;
    let fits = |m: &Arc<Object>| args.given("type").is_none_or(|t| m.get("type") == t);
    listing::page(
        args,
        &format!("/v1/customers/{id}/payment_methods"),
        listing::newest(st, args, "payment_method", Some(id)).filter(fits),
    )
}

fn move_balance(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let customer = st.load("customer", ids[0], "id")?;
    let currency = args.text("currency").unwrap_or_default();
    if !customer.text("currency").is_empty() && customer.text("currency") != currency {
        let message = format!("The customer's balance is in {}.", customer.text("currency"));
        return Err(ApiError::invalid(message).about("currency"));
    }
    if customer.get("currency").is_null() {
        st.change_and_emit(ids[0], "customer.updated", |c| c.set("currency", currency));
    }
    let movement = balance::move_balance(st, ids[0], args.int("amount").unwrap_or_default(), "adjustment", None);
    let metadata = merge_metadata(&json!({}), args)?;
    let movement = st.change(movement.id(), |m| {
        m.set("description", args.value("description"));
        m.set("metadata", metadata);
    });
    Ok(movement.value())
}

/// Returns a transaction of a customer's balance.
fn movement_of(st: &State, customer: &str, id: &str) -> Result<Arc<Object>, ApiError> {
    st.load("customer", customer, "id")?;
    let found = st.load("customer_balance_transaction", id, "id")?;
    if found.text("customer") == customer {
        return Ok(found);
    }
    Err(ApiError::no_such("customer_balance_transaction", id, "id"))
}

fn create_method(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let made = method::from_data(st, args)?;
    Ok(describe(st, &made, args)?.value())
}

/// Sets the billing details and the metadata of a new payment method.
///
/// # Errors
/// The metadata is invalid.
pub fn describe(st: &mut State, made: &Object, data: &Args) -> Result<Object, ApiError> {
    let metadata = merge_metadata(&json!({}), data)?;
    let details = data.map("billing_details");
    let described = st.change(made.id(), |m| {
        fill_details(m, &details);
        m.set("metadata", metadata);
    });
    Ok(Object::clone(&described))
}

fn fill_details(method: &mut Object, details: &Args) {
    for member in ["email", "name", "phone", "tax_id"] {
        if details.has(member) {
            method.set_at(&format!("billing_details.{member}"), details.value(member));
        }
    }
    if details.has("address") {
        method.set_at("billing_details.address", full_address(details.value("address")));
    }
}

fn update_method(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let mut next = Object::clone(&*st.load("payment_method", ids[0], "id")?);
    if next.get("customer").is_null() {
        let message = "You must save this PaymentMethod to a customer before you can update it.";
        return Err(ApiError::invalid(message));
    }
    fill_details(&mut next, &args.map("billing_details"));
    if let Some(redisplay) = args.text("allow_redisplay") {
        next.set("allow_redisplay", redisplay);
    }
    let card = args.map("card");
    for member in ["exp_month", "exp_year"] {
        if card.has(member) {
            next.set_at(&format!("card.{member}"), card.value(member));
        }
    }
    if let Some(preferred) = card.map("networks").text("preferred") {
        method::prefer(&mut next, preferred)?;
    }
    next.set("metadata", merge_metadata(next.get("metadata"), args)?);
    Ok(st.change_and_emit(ids[0], "payment_method.updated", |m| *m = next).value())
}
