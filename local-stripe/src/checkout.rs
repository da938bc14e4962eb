//! Opens, pays and expires checkout sessions. A session creates its subscription only when the buyer confirms it, and
//! only if the first payment succeeds or a bank is processing it.

use serde_json::{Value, json};

use crate::api::method_options;
use crate::billing::changes::create;
use crate::billing::items::{self, Priced};
use crate::billing::tax;
use crate::calendar::{DAY_S, HOUR_S};
use crate::connect::division;
use crate::descriptor;
use crate::discount::redeem::{self, Purpose};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::Args;
use crate::payments::attempt::{Attempt, attempt};
use crate::payments::method::Presence;
use crate::payments::{intent, method, setup};
use crate::pricing;
use crate::state::State;
use crate::tax_ids;

pub mod asked;
pub mod bill;
pub mod complete;
pub mod debit;
mod discounts;
pub mod keep;
pub mod limit;
pub mod quantity;
pub mod shipping;
pub mod taxed;
mod totals;

/// The maximum number of lines of a session, Stripe's limit.
const LINES_MAX: usize = 100;

/// Opens the requested session.
///
/// # Errors
/// A parameter is missing or invalid, or the customer, a price or a discount can't be used.
pub fn open(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let mode = args.text("mode").ok_or_else(|| ApiError::missing("mode"))?.to_owned();
    let customer = args.text("customer").map(|id| st.load("customer", id, "customer")).transpose()?;
    if customer.is_some() && args.text("customer_email").is_some() {
        let message = "You may only specify one of these parameters: customer, customer_email.";
        return Err(ApiError::invalid(message).about("customer"));
    }
    let is_embedded = args.text("ui_mode").is_some_and(|mode| mode.starts_with("embedded"));
    let wanted_url = if is_embedded { "return_url" } else { "success_url" };
    // With `ui_mode=hosted_page`, the page has its own success message.
    if args.text(wanted_url).is_none() && args.text("ui_mode") != Some("hosted_page") {
        return Err(ApiError::missing(wanted_url));
    }
    let data = args.map("subscription_data");
    let has_trial = data.int("trial_period_days").is_some_and(|days| days > 0) || data.int("trial_end").is_some();
    let (lines, total, currency) = match mode.as_str() {
        "setup" if !args.list("line_items").is_empty() => {
            return Err(ApiError::invalid("There is nothing to buy in `setup` mode.").about("line_items"));
        }
        "setup" => (Vec::new(), 0, args.text("currency").unwrap_or_default().to_owned()),
        _ => read_lines(st, args, &mode, has_trial, customer.as_deref())?,
    };
    let id = st.new_id("cs_test");
    let url = format!("{}/c/pay/{id}", st.settings.base_url);
    let clock = customer.as_ref().map_or_else(String::new, |c| c.clock().to_owned());
    let now = st.time_on(&clock);
    let mut session = model::checkout::session(id, now, &mode, url);
    session.set("metadata", crate::params::merge_metadata(&json!({}), args)?);
    for member in [
        "success_url",
        "return_url",
        "cancel_url",
        "client_reference_id",
        "customer_email",
        "locale",
        "submit_type",
        "billing_address_collection",
        "allow_promotion_codes",
    ] {
        if args.has(member) {
            session.set(member, args.value(member));
        }
    }
    for member in ["customer_creation", "payment_method_collection"] {
        if let Some(given) = args.text(member) {
            session.set(member, given);
        }
    }
    if args.has("payment_method_types") {
        session.set("payment_method_types", args.list("payment_method_types"));
    }
    if let Some(expires) = args.int("expires_at") {
        if expires < now + HOUR_S / 2 || expires > now + DAY_S {
            let message =
                "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.";
            return Err(ApiError::invalid(message).about("expires_at"));
        }
        session.set("expires_at", expires);
    }
    if let Some(customer) = &customer {
        session.set("customer", customer.id());
        session.set("customer_creation", Value::Null);
        session.set("customer_details", details_of(st, customer));
    }
    session.set("amount_subtotal", total);
    session.set("currency", currency);
    session.as_session_mut().lines = lines;
    let given = args.list("discounts");
    if !given.is_empty() && args.flag("allow_promotion_codes") == Some(true) {
        let message = "You may only specify one of these parameters: allow_promotion_codes, discounts.";
        return Err(ApiError::invalid(message).about("allow_promotion_codes"));
    }
    if given.len() > 1 {
        return Err(ApiError::invalid("A session takes one discount at most.").about("discounts"));
    }
    asked::set(&mut session, args)?;
    bill::set(st, &mut session, args, mode == "payment")?;
    shipping::set(st, &mut session, args)?;
    let default = tax::read(st, &data, "default_tax_rates", "subscription_data[default_tax_rates]")?;
    session.as_session_mut().default_tax_rates = default.as_array().cloned().unwrap_or_default();
    session.as_session_mut().tax_exempt =
        customer.as_ref().map_or("none", |customer| customer.text("tax_exempt")).to_owned();
    let redeemed = redeem::read(st, &given, "discounts", purpose_of(&session))?;
    discounts::set(&mut session, redeemed.first());
    taxed::open(st, &mut session, args, customer.as_deref())?;
    keep::set(&mut session, args);
    method_options::apply(&mut session, args);
    session.hidden_clock = clock;
    session.as_session_mut().subscription_data = args.get("subscription_data").clone();
    let (of_payment, of_subscription) = (args.map("payment_intent_data"), args.map("subscription_data"));
    descriptor::check(&of_payment, "payment_intent_data")?;
    division::apply(st, &mut Object::default(), &of_payment, "payment_intent_data", Some(total))?;
    division::apply_percent(st, &mut Object::default(), &of_subscription, "subscription_data")?;
    session.as_session_mut().payment_intent_data = args.get("payment_intent_data").clone();
    if mode == "setup" {
        let intent = open_setup(st, args, &session);
        for member in ["amount_subtotal", "amount_total"] {
            session.set(member, Value::Null);
        }
        session.set("payment_status", "no_payment_required");
        session.set("setup_intent", intent.clone());
        session.as_session_mut().intent = intent;
    }
    if let Some(mode) = args.text("ui_mode") {
        session.set("ui_mode", mode);
    }
    if is_embedded {
        let secret = st.new_characters(25);
        session.set("client_secret", format!("{}_secret_{secret}", session.id()));
        session.set("url", Value::Null);
    }
    let page = st.new_id("ppage");
    session.as_session_mut().page = page.clone();
    let session = st.put(session);
    st.put(Object::of(json!({ "id": page, "object": "sandbox.payment_page", "session": session.id() })));
    Ok(session.value())
}

/// Creates the setup intent of a session in setup mode and returns its id.
fn open_setup(st: &mut State, args: &Args, session: &Object) -> String {
    let data = args.map("setup_intent_data");
    let clock = session.clock().to_owned();
    setup::create(st, "off_session", &clock, |si| {
        si.set("customer", session.get("customer").clone());
        si.set("metadata", data.given("metadata").cloned().unwrap_or(json!({})));
        si.set("description", data.value("description"));
        method_options::hand_on(si, session.get("payment_method_options"));
        session.id().clone_into(&mut si.as_intent_mut().session);
    })
}

fn details_of(st: &State, customer: &Object) -> Value {
    json!({
        "address": customer.get("address"), "business_name": customer.get("business_name"), "email": customer.get("email"),
        "individual_name": customer.get("individual_name"),
        "name": customer.get("name"), "phone": customer.get("phone"), "tax_exempt": customer.get("tax_exempt"),
        "tax_ids": tax_ids::shown(st, customer.id()),
    })
}

/// Returns the currency of a session's prices: the request's, or otherwise that of [`pricing::currency_for`].
///
/// # Errors
/// A price does not have the request's currency.
fn currency_of(prices: &[&Object], args: &Args, customer: Option<&Object>) -> Result<String, ApiError> {
    let Some(wanted) = args.text("currency") else { return Ok(pricing::currency_for(prices, customer).to_owned()) };
    if prices.iter().all(|price| pricing::has_currency(price, wanted)) {
        return Ok(wanted.to_owned());
    }
    let first = prices.first().map(|price| price.text("currency")).unwrap_or_default();
    let message = format!("The prices of the line items are in {first}, so the session can't be in {wanted}.");
    Err(ApiError::invalid(message).about("currency"))
}

/// Reads the line items of a request. Returns the lines, the amount due today in minor units, and the currency. In a
/// trial, recurring lines cost nothing today.
fn read_lines(
    st: &mut State,
    args: &Args,
    mode: &str,
    has_trial: bool,
    customer: Option<&Object>,
) -> Result<(Vec<Value>, i64, String), ApiError> {
    let given = args.list("line_items");
    if given.is_empty() {
        return Err(ApiError::missing("line_items"));
    }
    if given.len() > LINES_MAX {
        return Err(
            ApiError::invalid(format!("A session can have at most {LINES_MAX} line items.")).about("line_items")
        );
    }
    let mut read = Vec::new();
    for (n, line) in given.into_iter().map(Args::of).enumerate() {
        let priced = items::read(st, &line, &format!("line_items[{n}]"))?;
        read.push((line, priced));
    }
    let prices: Vec<&Object> = read.iter().map(|(_, priced)| &priced.price).collect();
    let currency = currency_of(&prices, args, customer)?;
    let mut lines = Vec::new();
    let (mut total, mut recurring) = (0_i64, 0);
    for (n, (line, priced)) in read.into_iter().enumerate() {
        let param = format!("line_items[{n}]");
        if !pricing::has_currency(&priced.price, &currency) {
            return Err(ApiError::invalid("All line items must have the same currency.").about("line_items"));
        }
        let Priced { price, quantity, tax_rates, metadata, .. } = items::in_currency(priced, &currency, &param)?;
        let is_metered = pricing::is_metered(&price.value());
        if line.int("quantity").is_none() && !is_metered {
            return Err(ApiError::missing(&format!("{param}[quantity]")));
        }
        let is_recurring = price.text("type") == "recurring";
        recurring += usize::from(is_recurring);
        if is_recurring && mode == "payment" {
            let message = "You must provide at least one recurring price in `subscription` mode when using prices, and only one-time prices in `payment` mode.";
            return Err(ApiError::invalid(message).about("line_items"));
        }
        let whole = pricing::amount(&price.value(), quantity)?;
        let amount = if is_metered || (has_trial && is_recurring) { 0 } else { whole };
        total =
            total.checked_add(amount).ok_or_else(|| ApiError::coded("amount_too_large", "The total is too large."))?;
        let name = items::product_name(st, &price.value());
        let adjustable = quantity::read(&line, quantity, &param)?;
        if is_metered && adjustable["enabled"] == true {
            let message = "A price of usage_type metered has no quantity.";
            return Err(ApiError::invalid(message).about(&format!("{param}[adjustable_quantity]")));
        }
        let id = st.new_id("li");
        let quantity = if is_metered { Value::Null } else { json!(quantity) };
        let mut made = model::checkout::item(id, amount, quantity, &price, &name);
        made["metadata"] = metadata;
        made["adjustable_quantity"] = adjustable;
        made["tax_rates"] = tax_rates;
        lines.push(made);
    }
    if mode == "subscription" && recurring == 0 {
        let message = "You must provide at least one recurring price in `subscription` mode.";
        return Err(ApiError::invalid(message).about("mode"));
    }
    Ok((lines, total, currency))
}

/// Returns the purchase that a session's discounts apply to: the whole order, including lines that are free today
/// because of a trial.
fn purpose_of(session: &Object) -> Purpose<'_> {
    let whole = |line: &Value| match pricing::is_metered(&line["price"]) {
        true => 0,
        // The amount was already computed without error when the session was opened.
        false => pricing::amount(&line["price"], line["quantity"].as_i64().unwrap_or(1)).unwrap_or_default(),
    };
    let amount = session.as_session().lines.iter().map(whole).fold(0_i64, i64::saturating_add);
    Purpose { customer: session.text_at("customer"), amount, currency: session.text("currency") }
}

/// Applies the promotion code that the buyer entered; an empty code removes the current one.
///
/// # Errors
/// The session is unknown or accepts no codes, or the code is unknown or can't be redeemed.
pub fn use_code(st: &mut State, id: &str, code: &str) -> Result<Value, ApiError> {
    let session = st.load("checkout.session", id, "id")?;
    if session.text("status") != "open" || !session.is("allow_promotion_codes") {
        return Err(ApiError::invalid("This Checkout Session takes no promotion code.").about("code"));
    }
    let redeemed = match code {
        "" => None,
        typed => {
            let is_meant =
                |known: &std::sync::Arc<Object>| known.is("active") && known.text("code").eq_ignore_ascii_case(typed);
            let known = st.newest("promotion_code", None).find(is_meant);
            let known = known
                .ok_or_else(|| ApiError::coded("promotion_code_invalid", "This code is invalid.").about("code"))?;
            Some(redeem::by_code(st, known.id(), "code", purpose_of(&session))?)
        }
    };
    let mut next = Object::clone(&session);
    discounts::set(&mut next, redeemed.as_ref());
    Ok(st.put(next).value())
}

/// The outcome of a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// The session is complete.
    Complete,
    /// The buyer must pass 3-D Secure at this URL.
    NeedsAction(String),
}

/// The buyer, as entered on the page.
#[derive(Debug, Clone, Default)]
pub struct Buyer {
    /// The email address.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
}

/// Returns the session with this id, or the session of the payment page with this id.
///
/// # Errors
/// There is no such session.
pub fn find(st: &State, id: &str) -> Result<std::sync::Arc<Object>, ApiError> {
    let session = match st.seek(id).filter(|o| o.kind() == "sandbox.payment_page") {
        Some(page) => page.text("session").to_owned(),
        None => id.to_owned(),
    };
    st.load("checkout.session", &session, "id")
}

/// Whether a session requires a payment method: always in setup mode, and in subscription mode unless
/// `payment_method_collection` is `if_required`. Otherwise only if an amount is due today.
pub fn wants_method(session: &Object) -> bool {
    let asks_always = session.text("payment_method_collection") != "if_required";
    match session.text("mode") {
        "setup" => true,
        "subscription" if asks_always => true,
        _ => session.int("amount_total") > 0,
    }
}

/// Pays a session with a payment method, or without one if nothing is due.
///
/// # Errors
/// The session is unknown or not open, or the payment method is missing, unsuitable or declined.
pub fn confirm(
    st: &mut State,
    id: &str,
    method_id: Option<&str>,
    buyer: &Buyer,
    presence: Presence,
) -> Result<Confirmation, ApiError> {
    let session = find(st, id)?;
    let id = session.id().to_owned();
    if session.text("status") != "open" {
        let message = format!("This Checkout Session is no longer active: its status is {}.", session.text("status"));
        return Err(ApiError::coded("checkout_session_not_open", message));
    }
    if method_id.is_none() && wants_method(&session) {
        return Err(ApiError::missing("payment_method"));
    }
    let given = Args::of(session.as_session().tax_id.clone());
    if let (Some(kind), Some(value)) = (given.text("type"), given.text("value")) {
        tax_ids::check(kind, value, "tax_id[value]")?;
    }
    let method = method_id.map(|method| st.copy_if_any(method)).unwrap_or_default();
    if !method.is_absent() {
        method::check_type(&method, &session)?;
        method::check_owner(&method, session.text("customer"))?;
    }
    note_buyer(st, &session, &method, buyer);
    taxed::settle(st, &id)?;
    update_customer(st, &*st.find(&id)?, &method);
    match session.text("mode") {
        "subscription" => confirm_subscription(st, &id, &method, presence),
        "setup" => confirm_setup(st, &id, &method, presence),
        _ => confirm_payment(st, &id, &method, presence),
    }
}

fn confirm_setup(st: &mut State, id: &str, method: &Object, presence: Presence) -> Result<Confirmation, ApiError> {
    let customer = customer_of(st, id, false);
    let intent = st.find(id)?.as_session().intent.clone();
    if let Some(customer) = customer {
        st.change(&intent, |si| si.set("customer", customer));
    }
    keep::note(st, &*st.find(id)?, method);
    match setup::confirm(st, &intent, method.id(), presence)? {
        true => Ok(Confirmation::NeedsAction(action_url(st, &intent))),
        false => Ok(Confirmation::Complete),
    }
}

fn note_buyer(st: &mut State, session: &Object, method: &Object, buyer: &Buyer) {
    let email = buyer
        .email
        .clone()
        .map(Value::from)
        .or_else(|| Some(method.at("billing_details.email").clone()).filter(|e| !e.is_null()));
    let email = email.unwrap_or_else(|| session.get("customer_email").clone());
    let name = buyer.name.clone().map_or_else(|| method.at("billing_details.name").clone(), Value::from);
    if session.get("customer").is_null() {
        let details = json!({
            "address": method.at("billing_details.address"), "business_name": null, "email": email, "individual_name": null,
            "name": name, "phone": null, "tax_exempt": "none", "tax_ids": [],
        });
        st.change(session.id(), |s| s.set("customer_details", details));
    }
    st.change(session.id(), |s| {
        let (phone, tax_id) = (s.as_session().phone.clone(), s.as_session().tax_id.clone());
        if !phone.is_null() {
            s.set_at("customer_details.phone", phone);
        }
        if !tax_id.is_null() {
            s.set_at("customer_details.tax_ids", json!([tax_id]));
        }
    });
}

/// Updates the session's customer according to `customer_update`.
fn update_customer(st: &mut State, session: &Object, method: &Object) {
    let shipping = session.at("collected_information.shipping_details").clone();
    let address = match session.at("automatic_tax.enabled") == true {
        true => session.at("customer_details.address").clone(),
        false => method.at("billing_details.address").clone(),
    };
    let wants = |member: &str| session.as_session().customer_update[member] == "auto";
    let found = [("address", address), ("name", method.at("billing_details.name").clone()), ("shipping", shipping)];
    let news: Vec<(&str, Value)> =
        found.into_iter().filter(|(member, value)| wants(member) && !value.is_null()).collect();
    if !news.is_empty() {
        st.change_and_emit(session.text("customer"), "customer.updated", |c| {
            news.into_iter().for_each(|(member, value)| c.set(member, value));
        });
    }
}

/// Returns the id of the session's customer. If there is none, creates one if `customer_creation` or the parameter
/// `always` requires it.
fn customer_of(st: &mut State, id: &str, always: bool) -> Option<String> {
    let Ok(session) = st.find(id) else { return None };
    if let Some(customer) = session.text_at("customer") {
        return Some(customer.to_owned());
    }
    if !always && session.text("customer_creation") != "always" {
        return None;
    }
    let customer_id = st.new_id("cus");
    let prefix = st.new_characters(8).to_uppercase();
    let mut customer = model::customer::customer(customer_id.clone(), st.clock_s(), prefix);
    customer.set("email", session.at("customer_details.email").clone());
    customer.set("name", session.at("customer_details.name").clone());
    customer.set("phone", session.at("customer_details.phone").clone());
    if !session.at("customer_details.address.country").is_null() {
        customer.set("address", session.at("customer_details.address").clone());
    }
    let customer = st.put(customer);
    st.emit("customer.created", &customer);
    st.change(id, |s| s.set("customer", customer_id.clone()));
    Some(customer_id)
}

fn confirm_payment(st: &mut State, id: &str, method: &Object, presence: Presence) -> Result<Confirmation, ApiError> {
    let session = st.find(id)?;
    // Other sessions may have used up the promotion code in the meantime.
    redeem::read(st, discounts::given(&session).as_array().unwrap_or(&Vec::new()), "discounts", purpose_of(&session))?;
    let pending = session.as_session().intent.clone();
    let saves = keep::is_wanted(&session, method);
    if session.int("amount_total") == 0 {
        intent::cancel_if_open(st, &pending);
        complete::complete(st, id, "no_payment_required");
        return Ok(Confirmation::Complete);
    }
    let intent_id = if pending.is_empty() {
        let customer = customer_of(st, id, saves || bill::is_wanted(&session));
        let data = Args::of(session.as_session().payment_intent_data.clone());
        let clock = session.clock().to_owned();
        // The accounts may have changed since the session was opened.
        let mut shared = Object::default();
        division::apply(st, &mut shared, &data, "payment_intent_data", None)?;
        let intent_id = intent::create(st, session.int("amount_total"), session.text("currency"), &clock, |pi| {
            pi.set("customer", customer.map_or(Value::Null, Value::from));
            pi.set("metadata", data.given("metadata").cloned().unwrap_or(json!({})));
            for member in intent::AS_GIVEN {
                pi.set(member, data.value(member));
            }
            if pi.get("shipping").is_null() {
                pi.set("shipping", session.at("collected_information.shipping_details").clone());
            }
            pi.set("setup_future_usage", data.value("setup_future_usage"));
            pi.absorb(shared);
            pi.set("capture_method", data.text("capture_method").unwrap_or("automatic"));
            pi.set("payment_method_types", session.get("payment_method_types").clone());
            method_options::hand_on(pi, session.get("payment_method_options"));
            id.clone_into(&mut pi.as_intent_mut().session);
        });
        st.change(id, |s| s.as_session_mut().intent = intent_id.clone());
        intent_id
    } else {
        // A promotion code that is applied after a first attempt changes the amount.
        st.change(&pending, |pi| pi.set("amount", session.int("amount_total")));
        pending
    };
    st.change(&intent_id, |pi| pi.as_intent_mut().keeps_method = saves);
    if saves || !st.find(&intent_id)?.get("setup_future_usage").is_null() {
        keep::note(st, &session, method);
    }
    match attempt(st, &intent_id, method.id(), presence) {
        Attempt::Succeeded => {
            complete::paid(st, id);
            Ok(Confirmation::Complete)
        }
        Attempt::Processing => {
            st.change(id, |s| s.set("payment_intent", intent_id));
            complete::complete(st, id, "unpaid");
            Ok(Confirmation::Complete)
        }
        Attempt::NeedsAction => Ok(Confirmation::NeedsAction(action_url(st, &intent_id))),
        Attempt::Declined(error) => Err(error),
    }
}

fn action_url(st: &State, intent: &str) -> String {
    format!("{}/_sandbox/3ds/{intent}", st.settings.base_url)
}

fn confirm_subscription(
    st: &mut State,
    id: &str,
    method: &Object,
    presence: Presence,
) -> Result<Confirmation, ApiError> {
    let session = st.find(id)?;
    if method::must_authenticate(method, &session, presence) {
        st.change(id, |s| s.as_session_mut().waiting_method = method.id().to_owned());
        return Ok(Confirmation::NeedsAction(action_url(st, id)));
    }
    if presence == Presence::Authenticated {
        st.change(method.id(), |m| m.as_payment_method_mut().authenticated = true);
    }
    let customer = customer_of(st, id, true).unwrap_or_default();
    // The tax id decides about the tax of the first invoice.
    complete::keep_tax_id(st, &session, &customer)?;
    let owner = st.copy_if_any(&customer);
    let mut request = Args::of(session.as_session().subscription_data.clone());
    keep::note(st, &session, method);
    let default = keep_method(st, &session, &st.copy_if_any(method.id()), &owner)?;
    let line = |l: &Value| {
        // Automatic rates are determined again.
        let chosen = l["tax_rates"].as_array().into_iter().flatten().filter(|rate| rate["taxability_reason"].is_null());
        let rates: Value = chosen.map(|rate| rate["id"].clone()).collect();
        json!({ "price": l["price"]["id"], "quantity": l["quantity"], "tax_rates": rates })
    };
    let (recurring, once): (Vec<&Value>, Vec<&Value>) =
        session.as_session().lines.iter().partition(|l| l["price"]["type"] == "recurring");
    request.put("customer", json!(customer));
    request.put("currency", session.get("currency").clone());
    if request.int("billing_cycle_anchor").is_some_and(|anchor| anchor <= st.now(&session)) {
        // If the anchor has passed while the session was open, a full period begins.
        request.remove("billing_cycle_anchor");
    }
    request.put("items", recurring.into_iter().map(line).collect());
    request.put("add_invoice_items", once.into_iter().map(line).collect());
    if let Some(default) = default {
        request.put("default_payment_method", json!(default));
    }
    request.put("discounts", discounts::given(&session));
    if session.at("automatic_tax.enabled") == true {
        request.put("automatic_tax", json!({ "enabled": true }));
    }
    request.put("payment_behavior", json!("error_if_incomplete"));
    let subscription = create::create(st, &request, presence)?;
    let invoice = st.copy_if_any(subscription.text("latest_invoice"));
    st.change(id, |s| {
        s.set("subscription", subscription.id());
        s.set("invoice", invoice.id());
    });
    let status = match invoice.text("status") {
        "paid" if invoice.int("amount_due") == 0 => "no_payment_required",
        "paid" => "paid",
        _ => {
            // A bank is processing the debit. The invoice reports the result to the session.
            st.change(invoice.id(), |i| id.clone_into(&mut i.as_invoice_mut().session));
            "unpaid"
        }
    };
    complete::complete(st, id, status);
    Ok(Confirmation::Complete)
}

/// Attaches a session's payment method, if any, to the customer. If the session created the customer, it becomes the
/// customer's default. Returns the id of the payment method.
fn keep_method(st: &mut State, session: &Object, method: &Object, owner: &Object) -> Result<Option<String>, ApiError> {
    if method.is_absent() {
        return Ok(None);
    }
    let attached = method::attach(st, method, owner).map_err(|e| ApiError { keeps_changes: false, ..e })?;
    let id = attached.id().to_owned();
    if owner.at("invoice_settings.default_payment_method").is_null() && session.get("customer_creation") == "always" {
        let default = json!(id);
        st.change_and_emit(owner.id(), "customer.updated", |c| {
            c.set_at("invoice_settings.default_payment_method", default)
        });
    }
    Ok(Some(id))
}

/// Continues a session in subscription mode after its 3-D Secure step.
///
/// # Errors
/// The session is unknown or does not wait for authentication, or the buyer failed it.
pub fn authenticate(st: &mut State, id: &str, passed: bool) -> Result<Confirmation, ApiError> {
    let session = find(st, id)?;
    let waiting = session.as_session().waiting_method.clone();
    if waiting.is_empty() || session.text("status") != "open" {
        return Err(ApiError::invalid("Nothing waits for authentication here."));
    }
    st.change(session.id(), |s| s.as_session_mut().waiting_method.clear());
    if !passed {
        let message = "We are unable to authenticate your payment method. Please choose a different payment method and try again.";
        return Err(ApiError {
            status: 402,
            keeps_changes: true,
            ..ApiError::coded("payment_intent_authentication_failure", message)
        });
    }
    confirm(st, session.id(), Some(&waiting), &Buyer::default(), Presence::Authenticated)
}

/// Expires a session, by time or by request.
pub fn expire(st: &mut State, id: &str) {
    let Ok(session) = st.find(id) else { return };
    let expired = st.change(id, |s| {
        s.set("status", "expired");
        s.set("url", Value::Null);
    });
    if session.text("mode") == "setup" {
        // A finished intent can't be canceled.
        let _ = setup::cancel(st, &session.as_session().intent, json!("abandoned"));
    } else {
        intent::cancel_if_open(st, &session.as_session().intent);
    }
    st.emit("checkout.session.expired", &expired);
}
