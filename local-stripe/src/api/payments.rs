//! The endpoints for payment intents, charges, refunds, disputes and balance transactions.

use serde_json::{Value, json};

use crate::access;
use crate::api::customers::{self, BILLING_DETAILS, CARD, OWN_METHOD_TYPE, SEPA_DEBIT, US_BANK_ACCOUNT};
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::method_options::{self, OF_PAYMENT};
use crate::api::{Route, route};
use crate::checkout::keep::REDISPLAY;
use crate::connect::division::{self, FEE_AMOUNT, ON_BEHALF_OF, TRANSFER_AMOUNT, TRANSFER_DATA, TakesBack};
use crate::descriptor;
use crate::error::ApiError;
use crate::model;
use crate::model::payment::EVIDENCE;
use crate::money;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, SHIPPING, merge_metadata, opt, req};
use crate::payments::confirm::{self, capture};
use crate::payments::method::{self, Presence};
use crate::payments::{self, cash, charge, confirmation, dispute, intent, mandate, refund, source, token};
use crate::state::State;

/// The parameter `automatic_payment_methods`.
pub const AUTOMATIC: ParamKind =
    ParamKind::Map(&[req("enabled", ParamKind::Bool), opt("allow_redirects", ParamKind::OneOf(&["always", "never"]))]);
/// The parameter `payment_method_data`: a new payment method in the request for another object.
pub const METHOD_DATA: ParamKind = ParamKind::Map(&[
    req("type", OWN_METHOD_TYPE),
    opt("card", CARD),
    opt("sepa_debit", SEPA_DEBIT),
    opt("us_bank_account", US_BANK_ACCOUNT),
    opt("customer_balance", ParamKind::Map(&[])),
    opt("billing_details", BILLING_DETAILS),
    opt("metadata", ParamKind::Metadata),
    opt("allow_redisplay", REDISPLAY),
]);
/// The parameter `setup_future_usage`: how a saved payment method will be used.
pub const USAGE: ParamKind = ParamKind::OneOf(&["off_session", "on_session"]);

macro_rules! intent_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("capture_method", ParamKind::OneOf(&["automatic", "automatic_async", "manual"])),
            opt("customer", ParamKind::Text),
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("payment_method", ParamKind::Text),
            opt("payment_method_data", METHOD_DATA),
            opt("payment_method_types", ParamKind::List(&OWN_METHOD_TYPE)),
            opt("receipt_email", ParamKind::Email),
            opt("setup_future_usage", USAGE),
            opt("shipping", SHIPPING),
            opt("statement_descriptor", ParamKind::Text),
            opt("statement_descriptor_suffix", ParamKind::Text),
            opt("payment_method_options", OF_PAYMENT),
            opt("transfer_group", ParamKind::Text),
            FEE_AMOUNT,
            $($more),*
        ]
    };
}

const CREATE: &[Field] = intent_fields![
    req("amount", AMOUNT),
    req("currency", ParamKind::Currency),
    opt("automatic_payment_methods", AUTOMATIC),
    opt("confirm", ParamKind::Bool),
    opt("confirmation_method", ParamKind::OneOf(&["automatic", "manual"])),
    opt("confirmation_token", ParamKind::Text),
    opt("error_on_requires_action", ParamKind::Bool),
    opt("off_session", ParamKind::Bool),
    opt("return_url", ParamKind::Url),
    ON_BEHALF_OF,
    opt("transfer_data", TRANSFER_DATA),
    opt("mandate", ParamKind::Text),
    opt("mandate_data", mandate::DATA),
    opt("use_stripe_sdk", ParamKind::Bool),
];
const UPDATE: &[Field] =
    intent_fields![opt("amount", AMOUNT), opt("currency", ParamKind::Currency), opt("transfer_data", TRANSFER_AMOUNT),];
const CONFIRM: &[Field] = &[
    opt("capture_method", ParamKind::OneOf(&["automatic", "automatic_async", "manual"])),
    opt("confirmation_token", ParamKind::Text),
    opt("error_on_requires_action", ParamKind::Bool),
    opt("off_session", ParamKind::Bool),
    opt("payment_method", ParamKind::Text),
    opt("payment_method_data", METHOD_DATA),
    opt("receipt_email", ParamKind::Email),
    opt("return_url", ParamKind::Url),
    opt("setup_future_usage", USAGE),
    opt("shipping", SHIPPING),
    opt("client_secret", ParamKind::Text),
    opt("mandate", ParamKind::Text),
    opt("mandate_data", mandate::DATA),
    opt("payment_method_options", OF_PAYMENT),
    opt("use_stripe_sdk", ParamKind::Bool),
];
const CHARGE: &[Field] = &[
    req("amount", AMOUNT),
    req("currency", ParamKind::Currency),
    opt("capture", ParamKind::Bool),
    opt("card", source::SOURCE),
    opt("customer", ParamKind::Text),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("receipt_email", ParamKind::Email),
    opt("shipping", SHIPPING),
    opt("source", source::SOURCE),
    opt("statement_descriptor", ParamKind::Text),
    opt("statement_descriptor_suffix", ParamKind::Text),
    opt("transfer_data", TRANSFER_DATA),
    opt("transfer_group", ParamKind::Text),
    FEE_AMOUNT,
    ON_BEHALF_OF,
];
const BANK_ACCOUNT: ParamKind = ParamKind::Map(&[
    opt("account_holder_name", ParamKind::Text),
    opt("account_holder_type", ParamKind::OneOf(&["company", "individual"])),
    req("account_number", ParamKind::Text),
    req("country", ParamKind::Text),
    opt("currency", ParamKind::Currency),
    opt("routing_number", ParamKind::Text),
]);
const CANCEL_REASON: ParamKind = ParamKind::OneOf(&["abandoned", "duplicate", "fraudulent", "requested_by_customer"]);
const REFUND_REASON: ParamKind = ParamKind::OneOf(&["duplicate", "fraudulent", "requested_by_customer"]);
const EVIDENCE_FIELDS: &[Field] = &{
    let mut fields = [opt("", ParamKind::Text); EVIDENCE.len()];
    let mut n = 0;
    while n < EVIDENCE.len() {
        fields[n] = opt(EVIDENCE[n], ParamKind::Text);
        n += 1;
    }
    fields
};
const PAGE_OF: &[Field] =
    &[LIMIT, AFTER, BEFORE, CREATED, opt("charge", ParamKind::Text), opt("payment_intent", ParamKind::Text)];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/payment_intents", CREATE, create),
    route(
        "GET",
        "/v1/payment_intents",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("customer", ParamKind::Text)],
        |st, _, args| listing::list(st, "payment_intent", "/v1/payment_intents", args, &[]),
    ),
    route("GET", "/v1/payment_intents/{}", &[opt("client_secret", ParamKind::Text)], |st, ids, args| {
        let found = st.load("payment_intent", ids[0], "id")?;
        access::check_client_secret(&found, args.text("client_secret"))?;
        Ok(found.value())
    }),
    route("POST", "/v1/payment_intents/{}", UPDATE, update),
    route("POST", "/v1/payment_intents/{}/confirm", CONFIRM, confirm),
    route("POST", "/v1/payment_intents/{}/cancel", &[opt("cancellation_reason", CANCEL_REASON)], |st, ids, args| {
        let found = st.load("payment_intent", ids[0], "id")?;
        let invoice = &found.as_intent().invoice;
        if !invoice.is_empty() {
            let message = format!("This PaymentIntent belongs to the invoice {invoice}: void that instead.");
            return Err(ApiError::coded("payment_intent_unexpected_state", message));
        }
        intent::cancel(st, ids[0], args.value("cancellation_reason"))
    }),
    route(
        "POST",
        "/v1/payment_intents/{}/capture",
        &[
            opt("amount_to_capture", AMOUNT),
            opt("final_capture", ParamKind::Bool),
            opt("metadata", ParamKind::Metadata),
            FEE_AMOUNT,
            opt("transfer_data", TRANSFER_AMOUNT),
        ],
        capture_intent,
    ),
    route(
        "GET",
        "/v1/charges",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("customer", ParamKind::Text), opt("payment_intent", ParamKind::Text)],
        |st, _, args| listing::list(st, "charge", "/v1/charges", args, &["payment_intent"]),
    ),
    route("POST", "/v1/charges", CHARGE, create_charge),
    route(
        "POST",
        "/v1/charges/{}/capture",
        &[
            opt("amount", AMOUNT),
            opt("receipt_email", ParamKind::Email),
            opt("transfer_group", ParamKind::Text),
            FEE_AMOUNT,
            opt("transfer_data", TRANSFER_AMOUNT),
        ],
        |st, ids, args| charge::capture(st, ids[0], args),
    ),
    route("POST", "/v1/tokens", &[opt("bank_account", BANK_ACCOUNT), opt("card", source::OF_TOKEN)], |st, _, args| {
        token::create(st, args)
    }),
    route("GET", "/v1/tokens/{}", &[], |st, ids, _| Ok(st.load("token", ids[0], "id")?.value())),
    route("GET", "/v1/charges/{}", &[], |st, ids, _| Ok(st.load("charge", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/charges/{}",
        &[
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("receipt_email", ParamKind::Email),
            opt("shipping", SHIPPING),
        ],
        update_charge,
    ),
    route("GET", "/v1/charges/{}/refunds", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        st.load("charge", ids[0], "id")?;
        listing::page(
            args,
            &format!("/v1/charges/{}/refunds", ids[0]),
            st.newest("refund", None).filter(|r| r.text("charge") == ids[0]),
        )
    }),
    route(
        "POST",
        "/v1/refunds",
        &[
            opt("amount", AMOUNT),
            opt("charge", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("payment_intent", ParamKind::Text),
            opt("reason", REFUND_REASON),
            opt("instructions_email", ParamKind::Email),
            opt("currency", ParamKind::Currency),
            opt("customer", ParamKind::Text),
            opt("origin", ParamKind::OneOf(&["customer_balance"])),
            opt("refund_application_fee", ParamKind::Bool),
            opt("reverse_transfer", ParamKind::Bool),
        ],
        create_refund,
    ),
    route("GET", "/v1/refunds", PAGE_OF, |st, _, args| {
        listing::list(st, "refund", "/v1/refunds", args, &["charge", "payment_intent"])
    }),
    route("GET", "/v1/refunds/{}", &[], |st, ids, _| Ok(st.load("refund", ids[0], "id")?.value())),
    route("POST", "/v1/refunds/{}", &[opt("metadata", ParamKind::Metadata)], |st, ids, args| {
        let found = st.load("refund", ids[0], "id")?;
        let metadata = merge_metadata(found.get("metadata"), args)?;
        let frozen = st.freeze(&found);
        let after = st.change(ids[0], |r| r.set("metadata", metadata));
        st.emit_with("refund.updated", &after, Some(frozen.clone()));
        st.emit_with("charge.refund.updated", &after, Some(frozen));
        Ok(after.value())
    }),
    route("GET", "/v1/disputes", PAGE_OF, |st, _, args| {
        listing::list(st, "dispute", "/v1/disputes", args, &["charge", "payment_intent"])
    }),
    route("GET", "/v1/disputes/{}", &[], |st, ids, _| Ok(st.load("dispute", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/disputes/{}",
        &[
            opt("evidence", ParamKind::Map(EVIDENCE_FIELDS)),
            opt("metadata", ParamKind::Metadata),
            opt("submit", ParamKind::Bool),
        ],
        |st, ids, args| {
            let found = st.load("dispute", ids[0], "id")?;
            let metadata = merge_metadata(found.get("metadata"), args)?;
            let evidence = args.value("evidence");
            let submit = args.flag("submit").unwrap_or(!evidence.is_null());
            dispute::answer(st, ids[0], &evidence, submit, metadata)
        },
    ),
    route("POST", "/v1/disputes/{}/close", &[], |st, ids, _| dispute::close(st, ids[0])),
];

fn check_amount(amount: i64, currency: &str) -> Result<(), ApiError> {
    let minimum = money::minimum_charge(currency);
    if amount < minimum {
        let message = format!("Amount must be at least {}", money::display(minimum, currency));
        return Err(ApiError::coded("amount_too_small", message).about("amount"));
    }
    money::check_maximum(amount, currency, "amount")?;
    if !money::is_chargeable(amount, currency) {
        let message = format!("Invalid amount: {amount} isn't a chargeable amount of {currency}.");
        return Err(ApiError::coded("parameter_invalid_integer", message).about("amount"));
    }
    Ok(())
}

fn create_charge(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    check_amount(args.int("amount").unwrap_or_default(), args.text("currency").unwrap_or_default())?;
    charge::create(st, args)
}

/// Returns the id of the payment method that a request refers to, or that is created now because the request describes
/// it. `None` if the request does neither.
///
/// # Errors
/// The payment method is unknown, or its data is invalid.
pub fn given_method(st: &mut State, args: &Args) -> Result<Option<String>, ApiError> {
    if let Some(name) = args.text("payment_method") {
        return Ok(Some(method::resolve(st, name, "payment_method")?.id().to_owned()));
    }
    if args.given("payment_method_data").is_some() {
        let data = args.map("payment_method_data");
        let made = method::from_data(st, &data)?;
        return Ok(Some(customers::describe(st, &made, &data)?.id().to_owned()));
    }
    Ok(None)
}

fn apply(pi: &mut Object, args: &Args) -> Result<(), ApiError> {
    descriptor::check(args, "")?;
    for member in [
        "customer",
        "description",
        "receipt_email",
        "setup_future_usage",
        "shipping",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_group",
    ] {
        if args.has(member) {
            pi.set(member, args.value(member));
        }
    }
    if args.has("payment_method_types") {
        pi.set("payment_method_types", args.list("payment_method_types"));
    }
    if let Some(capture) = args.text("capture_method") {
        pi.set("capture_method", capture);
    }
    intent::note_return(pi, args);
    method_options::apply(pi, args);
    pi.set("metadata", merge_metadata(pi.get("metadata"), args)?);
    Ok(())
}

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let (amount, currency) = (args.int("amount").unwrap_or_default(), args.text("currency").unwrap_or_default());
    check_amount(amount, currency)?;
    let customer = args.text("customer").map(|c| st.load("customer", c, "customer")).transpose()?;
    let confirms = args.flag("confirm") == Some(true);
    if args.flag("off_session") == Some(true) && !confirms {
        let message = "You can only set off_session when confirm is true.";
        return Err(ApiError::invalid(message).about("off_session"));
    }
    if args.has("confirmation_token") && !confirms {
        let message = "You can only set confirmation_token when confirm is true.";
        return Err(ApiError::invalid(message).about("confirmation_token"));
    }
    let args = &confirmation::expand(st, args)?;
    mandate::check_confirms(args)?;
    let paid_with = given_method(st, args)?;
    let mut settings = Object::of(json!({ "metadata": {}, "payment_method_options": model::payment::options() }));
    apply(&mut settings, args)?;
    division::apply(st, &mut settings, args, "", Some(amount))?;
    let clock = customer.map_or_else(String::new, |c| c.clock().to_owned());
    let automatic = args.given("automatic_payment_methods").cloned();
    let id = intent::create(st, amount, currency, &clock, |pi| {
        pi.absorb(settings);
        if let Some(automatic) = automatic {
            pi.set("automatic_payment_methods", automatic);
        }
        if let Some(paid_with) = &paid_with {
            pi.set("payment_method", paid_with.clone());
            pi.set("status", "requires_confirmation");
        }
        if let Some(confirmation) = args.text("confirmation_method") {
            pi.set("confirmation_method", confirmation);
        }
    });
    if confirms {
        confirmation::spend(st, args, "payment_intent", &id);
        return confirm_with(st, &id, args);
    }
    Ok(st.find(&id)?.value())
}

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let found = st.load("payment_intent", ids[0], "id")?;
    let priced = args.has("amount") || args.has("currency") || args.has("payment_method");
    if priced
        && !matches!(found.text("status"), "requires_payment_method" | "requires_confirmation" | "requires_action")
    {
        return Err(payments::unexpected_state(
            &found,
            "update",
            "requires_payment_method, requires_confirmation, requires_action",
        ));
    }
    check_own(&found, args)?;
    if let Some(customer) = args.text("customer") {
        st.load("customer", customer, "customer")?;
    }
    let (amount, currency) =
        (args.int("amount").unwrap_or(found.int("amount")), args.text("currency").unwrap_or(found.text("currency")));
    if args.has("amount") || args.has("currency") {
        check_amount(amount, currency)?;
    }
    let paid_with = given_method(st, args)?;
    let mut next = Object::clone(&found);
    apply(&mut next, args)?;
    division::apply(st, &mut next, args, "", Some(amount))?;
    next.set("amount", amount);
    next.set("currency", currency);
    if let Some(paid_with) = paid_with {
        next.set("payment_method", paid_with);
        next.set("status", "requires_confirmation");
    }
    Ok(st.put(next).value())
}

fn confirm(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let args = confirmation::expand(st, args)?;
    confirmation::spend(st, &args, "payment_intent", ids[0]);
    confirm_with(st, ids[0], &args)
}

fn confirm_with(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let found = st.load("payment_intent", id, "id")?;
    access::check_client_secret(&found, args.text("client_secret"))?;
    if !matches!(found.text("status"), "requires_payment_method" | "requires_confirmation" | "requires_action") {
        return Err(payments::unexpected_state(
            &found,
            "confirm",
            "requires_payment_method, requires_confirmation, requires_action",
        ));
    }
    let named =
        if args.text("payment_method") == found.text_at("payment_method") { None } else { args.text("payment_method") };
    let paid_with = match named {
        Some(name) if st.seek(name).is_some() || found.get("payment_method").is_null() => {
            Some(method::resolve(st, name, "payment_method")?.id().to_owned())
        }
        _ if args.given("payment_method_data").is_some() && found.get("payment_method").is_null() => {
            given_method(st, args)?
        }
        _ => None,
    };
    let paid_with = paid_with.or_else(|| found.text_at("payment_method").map(str::to_owned));
    let Some(paid_with) = paid_with else {
        let message = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.";
        return Err(ApiError::coded("payment_intent_unexpected_state", message));
    };
    // An attached card may have been deleted in the meantime.
    let method = st.load("payment_method", &paid_with, "payment_method")?;
    method::check_owner(&method, found.text("customer"))?;
    check_own(&found, args)?;
    let mut next = Object::clone(&found);
    apply(&mut next, args)?;
    check_return_url(&next)?;
    method::check_type(&method, &next)?;
    mandate::note(st, &mut next, args, &method)?;
    st.put(next);
    let off_session = args.flag("off_session") == Some(true);
    let strict = args.flag("error_on_requires_action") == Some(true);
    let presence = if off_session || strict { Presence::OffSession } else { Presence::OnSession };
    confirm::confirm(st, id, &paid_with, presence)?;
    Ok(st.find(id)?.value())
}

/// Refuses changes to an intent that an invoice or a checkout session controls.
fn check_own(intent: &Object, args: &Args) -> Result<(), ApiError> {
    let is_owned = !intent.as_intent().invoice.is_empty() || !intent.as_intent().session.is_empty();
    match ["amount", "currency", "customer", "capture_method"].iter().find(|member| args.has(member)) {
        Some(member) if is_owned => {
            let message = format!("The {member} of this PaymentIntent is decided by its invoice or Checkout Session.");
            Err(ApiError::invalid(message).about(member))
        }
        _ => Ok(()),
    }
}

/// Checks that an intent with automatic payment methods has a `return_url`, because these methods may redirect the
/// buyer.
///
/// # Errors
/// The `return_url` is missing.
pub fn check_return_url(intent: &Object) -> Result<(), ApiError> {
    let automatic = intent.get("automatic_payment_methods");
    let may_redirect = automatic["enabled"] == true && automatic["allow_redirects"] != "never";
    if !may_redirect || intent.as_intent().return_url.is_some() {
        return Ok(());
    }
    let message = "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.";
    Err(ApiError::invalid(message).about("return_url"))
}

fn capture_intent(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let found = st.load("payment_intent", ids[0], "id")?;
    if found.text("status") != "requires_capture" {
        return Err(payments::unexpected_state(&found, "capture", "requires_capture"));
    }
    if args.flag("final_capture") == Some(false) {
        let message = "`final_capture` can only be false if multicapture is available, and this payment's charge says that it is not.";
        return Err(ApiError::invalid(message).about("final_capture"));
    }
    let amount = args.int("amount_to_capture").unwrap_or(found.int("amount_capturable"));
    if amount < 1 || amount > found.int("amount_capturable") {
        let message = format!("The amount to capture must be between 1 and {}.", found.int("amount_capturable"));
        return Err(ApiError::coded("amount_too_large", message).about("amount_to_capture"));
    }
    let mut next = Object::clone(&found);
    next.set("metadata", merge_metadata(found.get("metadata"), args)?);
    division::apply(st, &mut next, args, "", None)?;
    st.put(next);
    capture(st, ids[0], amount);
    Ok(st.find(ids[0])?.value())
}

fn update_charge(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let found = st.load("charge", ids[0], "id")?;
    let metadata = merge_metadata(found.get("metadata"), args)?;
    let after = st.change_and_emit(ids[0], "charge.updated", |c| {
        for member in ["description", "receipt_email", "shipping"] {
            if args.has(member) {
                c.set(member, args.value(member));
            }
        }
        c.set("metadata", metadata);
    });
    Ok(after.value())
}

fn create_refund(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    if args.given("origin").is_some() {
        let metadata = merge_metadata(&json!({}), args)?;
        return cash::send_back(st, args, metadata);
    }
    if let Some(name) = ["currency", "customer"].into_iter().find(|name| args.has(name)) {
        let message = format!("`{name}` is for refunds of a customer's cash balance, with `origin=customer_balance`.");
        return Err(ApiError::invalid(message).about(name));
    }
    let charge = match (args.text("charge"), args.text("payment_intent")) {
        (Some(id), _) => st.load("charge", id, "charge")?,
        (None, Some(id)) => {
            let pi = st.load("payment_intent", id, "payment_intent")?;
            if pi.text("status") != "succeeded" {
                let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
                return Err(ApiError::coded("payment_intent_unexpected_state", message).about("payment_intent"));
            }
            st.load("charge", pi.text("latest_charge"), "payment_intent")?
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(ApiError::coded("parameter_missing", message).about("payment_intent"));
        }
    };
    let metadata = merge_metadata(&json!({}), args)?;
    let takes = TakesBack {
        transfer: args.flag("reverse_transfer") == Some(true),
        fee: args.flag("refund_application_fee") == Some(true),
    };
    let made = refund::create(st, &charge, args.int("amount"), args.value("reason"), metadata, takes)?;
    let Some(email) = args.text("instructions_email") else { return Ok(made.value()) };
    Ok(st.change(made.id(), |refund| refund.set("instructions_email", email)).value())
}
