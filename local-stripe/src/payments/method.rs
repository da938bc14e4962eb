//! Payment methods: creates them from test cards, test bank accounts and tokens, and attaches them to customers.

use serde_json::{Value, json};

use crate::cards::{self, Behaviour, TestCard};
use crate::debits::{self, TestAccount};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, ParamKind, opt};
use crate::state::State;

/// Whether the customer is present, and has passed 3-D Secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The customer can be asked to authenticate.
    OnSession,
    /// The customer is absent: a card that requires authentication is refused.
    OffSession,
    /// The customer has just passed 3-D Secure.
    Authenticated,
}

/// The parameter `networks` of a card.
pub const NETWORKS: ParamKind =
    ParamKind::Map(&[opt("preferred", ParamKind::OneOf(&["cartes_bancaires", "mastercard", "visa"]))]);
/// The expiry month and year of a card created from a token.
const TOKEN_EXPIRY: (i64, i64) = (12, 2034);

/// Creates a payment method from a test card with this expiry month and year.
pub fn make(st: &mut State, card: &TestCard, expiry: (i64, i64), clock: &str) -> Object {
    let id = st.new_id("pm");
    // As at Stripe, the same card has the same fingerprint.
    let fingerprint = crate::ids::characters(st.settings.seed, card.number.parse().unwrap_or_default(), 16);
    let created = st.time_on(clock);
    let method = model::customer::payment_method(id, created, card, expiry, fingerprint);
    Object::clone(&st.put(method))
}

/// Returns the payment method that a parameter refers to by id. A test token (`pm_card_…`, `tok_…` or the token of a
/// test bank account) creates a new payment method.
///
/// # Errors
/// There is no such payment method or token.
pub fn resolve(st: &mut State, name: &str, param: &str) -> Result<Object, ApiError> {
    if st.seek(name).is_some() {
        return st.load("payment_method", name, param).map(|m| Object::clone(&m));
    }
    if let Some(account) = debits::by_token(name) {
        let made = make_debit(st, account);
        // The bank accounts of test tokens are verified.
        return Ok(Object::clone(&st.change(made.id(), |m| m.as_payment_method_mut().verified = true)));
    }
    let card = cards::by_token(name).ok_or_else(|| ApiError::no_such("PaymentMethod", name, param))?;
    Ok(make(st, card, TOKEN_EXPIRY, ""))
}

fn make_debit(st: &mut State, account: &TestAccount) -> Object {
    let id = st.new_id("pm");
    // As at Stripe, the same account has the same fingerprint.
    let seed = account.number.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let fingerprint = crate::ids::characters(st.settings.seed, seed, 16);
    let method = model::customer::bank_account(id, st.clock_s(), account, fingerprint);
    Object::clone(&st.put(method))
}

/// Creates a payment method from a request's parameters, by its type.
///
/// # Errors
/// A parameter is missing or invalid, or the number is not that of a test card or test account.
pub fn from_data(st: &mut State, data: &Args) -> Result<Object, ApiError> {
    let made = of_type(st, data)?;
    let Some(redisplay) = data.text("allow_redisplay") else { return Ok(made) };
    Ok(Object::clone(&st.change(made.id(), |m| m.set("allow_redisplay", redisplay))))
}

fn of_type(st: &mut State, data: &Args) -> Result<Object, ApiError> {
    let kind = data.text("type").unwrap_or("card");
    if kind == "card" {
        if !data.has("card") {
            return Err(ApiError::missing("card"));
        }
        return from_card(st, &data.map("card"));
    }
    if kind == model::cash::KIND {
        let id = st.new_id("pm");
        let made = model::customer::customer_balance(id, st.clock_s());
        return Ok(Object::clone(&st.put(made)));
    }
    let number = if kind == "sepa_debit" { "iban" } else { "account_number" };
    let param = format!("{kind}[{number}]");
    let details = data.map(kind);
    let given = details.text(number).ok_or_else(|| ApiError::missing(&param))?;
    match debits::by_number(given).filter(|account| account.debit.kind == kind) {
        Some(account) => {
            let mut made = make_debit(st, account);
            for member in ["account_holder_type", "account_type", "routing_number"] {
                if let Some(given) = details.given(member) {
                    made.set_at(&format!("{kind}.{member}"), given.clone());
                }
            }
            Ok(Object::clone(&st.put(made)))
        }
        None => {
            let message = "This is not a test account. For a list of them, visit: https://docs.stripe.com/testing.";
            Err(ApiError::coded("bank_account_unusable", message).about(&param))
        }
    }
}

/// Creates the card of a token: one of Stripe's test tokens, or a token created by a request, which can be used only
/// once.
///
/// # Errors
/// The token is unknown, already used, or for a bank account.
pub fn of_token(st: &mut State, name: &str, param: &str) -> Result<Object, ApiError> {
    if let Some(token) = st.seek(name).filter(|found| found.kind() == "token") {
        let card = st.load("payment_method", &token.as_token().card, param);
        let card = card.map_err(|_| ApiError::no_such("token", name, param))?;
        spend(st, &token)?;
        return Ok(Object::clone(&card));
    }
    if name.starts_with("src_") {
        let found = load_source(st, name).map_err(|_| ApiError::no_such("source", name, param))?;
        if found.as_payment_method().detached
            || (!found.get("customer").is_null() && found.as_payment_method().usage != "reusable")
        {
            return Err(ApiError::invalid(format!("The source {name} is consumed.")).about(param));
        }
        return Ok(found);
    }
    if !name.starts_with("tok_") {
        return Err(ApiError::no_such("token", name, param));
    }
    let card = resolve(st, name, param).map_err(|_| ApiError::no_such("token", name, param))?;
    Ok(rename(st, card))
}

/// Gives a payment method the id of a source.
pub fn rename(st: &mut State, mut card: Object) -> Object {
    st.remove(card.id());
    card.set("id", st.new_id("card"));
    Object::clone(&st.put(card))
}

/// Marks a token as used.
///
/// # Errors
/// The token was used before.
pub fn spend(st: &mut State, token: &Object) -> Result<(), ApiError> {
    if token.is("used") {
        let message = format!("You cannot use a Stripe token more than once: {}.", token.id());
        return Err(ApiError::coded("token_already_used", message));
    }
    st.change(token.id(), |t| t.set("used", true));
    Ok(())
}

/// Creates a payment method from the parameter `card`.
///
/// # Errors
/// A member is missing or invalid, or the number is not that of a test card.
pub fn from_card(st: &mut State, card: &Args) -> Result<Object, ApiError> {
    if let Some(token) = card.text("token") {
        if let Some(found) = cards::by_token(token) {
            return Ok(make(st, found, TOKEN_EXPIRY, ""));
        }
        let mut made = of_token(st, token, "card[token]")?;
        st.remove(made.id());
        made.set("id", st.new_id("pm"));
        return Ok(Object::clone(&st.put(made)));
    }
    let number = card.text("number").ok_or_else(|| ApiError::missing("card[number]"))?;
    if !cards::passes_luhn(number) {
        return Err(number_error("incorrect_number", "Your card number is incorrect."));
    }
    let Some(found) = cards::by_number(number) else {
        let message = "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test cards, visit: https://stripe.com/docs/testing.";
        return Err(ApiError {
            keeps_changes: false,
            ..ApiError::card("card_declined", Some("test_mode_live_card"), message)
        });
    };
    let month = card.int("exp_month").ok_or_else(|| ApiError::missing("card[exp_month]"))?;
    let year = card.int("exp_year").ok_or_else(|| ApiError::missing("card[exp_year]"))?;
    if !(1..=12).contains(&month) {
        let error = ApiError::card("invalid_expiry_month", None, "Your card's expiration month is invalid.");
        return Err(error.about("card[exp_month]"));
    }
    check_cvc(card)?;
    let year = if year < 100 { 2_000 + year } else { year };
    let now = jiff::Timestamp::from_second(st.clock_s()).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    if (year, month) < (i64::from(now.year()), i64::from(now.month())) {
        let error = ApiError::card("invalid_expiry_year", None, "Your card's expiration year is invalid.");
        return Err(error.about("card[exp_year]"));
    }
    let mut made = make(st, found, (month, year), "");
    if card.given("cvc").is_none() {
        // "If a CVC was provided, results of the check", <https://docs.stripe.com/api/payment_methods/object>.
        made.set_at("card.checks.cvc_check", Value::Null);
    }
    if let Some(preferred) = card.map("networks").text("preferred") {
        prefer(&mut made, preferred)?;
    }
    Ok(Object::clone(&st.put(made)))
}

/// Checks that a CVC has three or four digits. It is not stored, because the outcome depends only on the test number.
fn check_cvc(card: &Args) -> Result<(), ApiError> {
    match card.text("cvc") {
        Some(cvc) if !(3..=4).contains(&cvc.len()) || !cvc.bytes().all(|b| b.is_ascii_digit()) => {
            let error = ApiError::card("invalid_cvc", None, "Your card's security code is invalid.");
            Err(ApiError { keeps_changes: false, ..error.about("cvc") })
        }
        _ => Ok(()),
    }
}

/// Sets the network that a card prefers.
///
/// # Errors
/// The card is not of this network.
pub fn prefer(card: &mut Object, network: &str) -> Result<(), ApiError> {
    if !card.list_at("card.networks.available").iter().any(|available| available == network) {
        let message = format!("The card is not part of the network {network}.");
        return Err(ApiError::invalid(message).about("card[networks][preferred]"));
    }
    card.set_at("card.networks.preferred", network);
    card.set_at("card.display_brand", network);
    Ok(())
}

fn number_error(code: &str, message: &str) -> ApiError {
    ApiError { keeps_changes: false, ..ApiError::card(code, None, message).about("number") }
}

/// Returns the behaviour of the method's card or bank account.
pub fn behaviour(method: &Object) -> Behaviour {
    if method.text("type") == model::cash::KIND {
        return Behaviour::FromCash;
    }
    if let Some(account) = debits::by_number(&method.as_payment_method().number) {
        return Behaviour::Debits(account);
    }
    cards::by_number(&method.as_payment_method().number).map_or(Behaviour::Succeeds, |c| c.behaviour)
}

/// Whether the customer must pass 3-D Secure now, because the card requires it or because the intent or session demands
/// it with `payment_method_options[card][request_three_d_secure]` for a card that supports it.
pub fn must_authenticate(method: &Object, intent: &Object, presence: Presence) -> bool {
    if presence == Presence::Authenticated {
        return false;
    }
    let requested = intent.text_at("payment_method_options.card.request_three_d_secure");
    let is_demanded =
        matches!(requested, Some("any" | "challenge")) && *method.at("card.three_d_secure_usage.supported") == true;
    match behaviour(method) {
        Behaviour::Authenticates { always } => always || is_demanded || !method.as_payment_method().authenticated,
        Behaviour::AuthenticatesOnSession => presence != Presence::OffSession,
        Behaviour::AuthenticatesThenFails(_) => true,
        // A card that will be declined anyway is not authenticated first.
        Behaviour::Declines(..) | Behaviour::ChargeFails(_) => false,
        _ => is_demanded,
    }
}

/// Checks that an intent or a session accepts the type and the currency of a payment method.
///
/// # Errors
/// The intent or session does not accept the type or the currency.
pub fn check_type(method: &Object, intent: &Object) -> Result<(), ApiError> {
    let kind = method.text("type");
    let is_listed = intent.list_at("payment_method_types").iter().any(|listed| listed == kind);
    if !is_listed && intent.get("automatic_payment_methods")["enabled"] != true {
        let message = format!(
            "The PaymentMethod provided ({kind}) is not allowed for this intent. Please attach a PaymentMethod of one of the following types: {}.",
            intent.list_at("payment_method_types").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        );
        return Err(ApiError::invalid(message).about("payment_method"));
    }
    match debits::of_kind(kind) {
        Some(debit) if intent.text_at("currency").is_some_and(|currency| currency != debit.currency) => {
            let message = format!("A {kind} can only pay in {}.", debit.currency);
            Err(ApiError::invalid(message).about("currency"))
        }
        _ => Ok(()),
    }
}

/// Checks that a payment method belongs to this customer or to none.
///
/// # Errors
/// The method belongs to another customer.
pub fn check_owner(method: &Object, customer: &str) -> Result<(), ApiError> {
    let owner = method.text("customer");
    if owner.is_empty() || owner == customer {
        return Ok(());
    }
    let message = format!(
        "The provided PaymentMethod ({}) is attached to another customer. Set `customer` to {owner} to use it.",
        method.id()
    );
    Err(ApiError::invalid(message).about("payment_method"))
}

/// Attaches a payment method to a customer and emits `payment_method.attached`. A method of this customer stays
/// unchanged.
///
/// # Errors
/// The method is attached to another customer or was detached before, or the card is declined.
pub fn attach(st: &mut State, method: &Object, customer: &Object) -> Result<Object, ApiError> {
    let owner = method.text("customer");
    if owner == customer.id() {
        return Ok(method.clone());
    }
    if !owner.is_empty() {
        let message = "The payment method you provided has already been attached to a customer.";
        return Err(ApiError::invalid(message));
    }
    if method.text("type") == model::cash::KIND {
        let message = "A PaymentMethod of the type customer_balance can't be attached to a customer.";
        return Err(ApiError::invalid(message).about("payment_method"));
    }
    if method.as_payment_method().detached {
        let message = "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used again.";
        return Err(ApiError::invalid(message).about("payment_method"));
    }
    if let Behaviour::Declines(code, decline_code) = behaviour(method) {
        return Err(ApiError { keeps_changes: false, ..cards::decline(code, decline_code) });
    }
    let (id, clock) = (customer.id().to_owned(), customer.clock().to_owned());
    let attached = st.change(method.id(), |m| {
        m.set("customer", id);
        m.hidden_clock = clock;
    });
    st.emit("payment_method.attached", &attached);
    Ok(Object::clone(&attached))
}

/// Detaches a payment method from its customer. If it was the default, the customer no longer has one.
///
/// # Errors
/// The method is unknown or not attached.
pub fn detach(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let method = st.load("payment_method", id, "id")?;
    let customer = method.text("customer").to_owned();
    if customer.is_empty() {
        let message = "The payment method you provided is not attached to a customer so detachment is impossible.";
        return Err(ApiError::invalid(message).about("payment_method"));
    }
    let before = st.freeze(&method);
    let detached = st.change(id, |m| {
        m.set("customer", Value::Null);
        m.as_payment_method_mut().detached = true;
    });
    st.emit_with("payment_method.detached", &detached, Some(before));
    if st.copy_if_any(&customer).text_at("invoice_settings.default_payment_method") == Some(id) {
        st.change_and_emit(&customer, "customer.updated", |c| {
            c.set_at("invoice_settings.default_payment_method", json!(null))
        });
    }
    Ok(detached.value())
}

/// Returns the payment method of a source object.
///
/// # Errors
/// There is no such source.
pub fn load_source(st: &State, id: &str) -> Result<Object, ApiError> {
    let found = st.seek(id).filter(|found| found.kind() == "payment_method" && id.starts_with("src_"));
    found.map(|found| Object::clone(&found)).ok_or_else(|| ApiError::no_such("source", id, "id"))
}
