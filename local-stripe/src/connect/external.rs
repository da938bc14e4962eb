//! External accounts: the bank accounts and debit cards to which a connected account's payouts go. They are stored in
//! the account's member `external_accounts`, newest first.

use serde_json::{Value, json};

use crate::connect::no_access;
use crate::error::ApiError;
use crate::ids;
use crate::model;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, merge_metadata, opt};
use crate::payments::{method, source};
use crate::state::State;

const HOLDER: ParamKind = ParamKind::OneOf(&["company", "individual"]);
const FIELDS: &[Field] = &[
    opt("object", ParamKind::OneOf(&["bank_account", "card"])),
    opt("account_holder_name", ParamKind::Text),
    opt("account_holder_type", HOLDER),
    opt("account_number", ParamKind::Text),
    opt("country", ParamKind::Text),
    opt("currency", ParamKind::Currency),
    opt("routing_number", ParamKind::Text),
    opt("address_city", ParamKind::Text),
    opt("address_country", ParamKind::Text),
    opt("address_line1", ParamKind::Text),
    opt("address_line2", ParamKind::Text),
    opt("address_state", ParamKind::Text),
    opt("address_zip", ParamKind::Text),
    opt("exp_month", ParamKind::Int(1, 12)),
    opt("exp_year", ParamKind::Int(0, 9_999)),
    opt("metadata", ParamKind::Metadata),
    opt("name", ParamKind::Text),
    opt("number", ParamKind::Text),
    opt("token", ParamKind::Text),
    opt("cvc", ParamKind::Text),
];
/// The parameter `external_account`: the id of a token, or the details of a bank account or card.
pub const EXTERNAL: ParamKind = ParamKind::IdOr(FIELDS);
/// The parameters of an update.
pub const UPDATE: &[Field] = &[
    opt("account_holder_name", ParamKind::Text),
    opt("account_holder_type", HOLDER),
    opt("account_type", ParamKind::OneOf(&["checking", "savings"])),
    opt("address_city", ParamKind::Text),
    opt("address_country", ParamKind::Text),
    opt("address_line1", ParamKind::Text),
    opt("address_line2", ParamKind::Text),
    opt("address_state", ParamKind::Text),
    opt("address_zip", ParamKind::Text),
    opt("default_for_currency", ParamKind::Bool),
    opt("exp_month", ParamKind::Int(1, 12)),
    opt("exp_year", ParamKind::Int(0, 9_999)),
    opt("metadata", ParamKind::Metadata),
    opt("name", ParamKind::Text),
];
/// The name that test bank accounts have at Stripe.
const BANK: &str = "STRIPE TEST BANK";
/// The length of a routing number in the United States.
const ROUTING_DIGITS: usize = 9;

/// How a new external account relates to the existing ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It replaces the default of its currency.
    Replaces,
    /// It is added, as the default of its currency if this is true or if it is the first one.
    Added(bool),
}

/// Returns an account with its external accounts. A connected account sees only itself.
///
/// # Errors
/// The caller does not know the account.
pub fn account(st: &State, id: &str) -> Result<Object, ApiError> {
    let is_visible = st.acting().is_empty() || st.acting() == id;
    let found = st.connected_account(id).filter(|_| is_visible);
    found.map(|account| Object::clone(&account)).ok_or_else(|| no_access(id))
}

/// Adds the external account of a request and emits `account.external_account.created`.
///
/// # Errors
/// The account is unknown, or the token or the details are invalid.
pub fn add(st: &mut State, id: &str, args: &Args, place: Place) -> Result<Value, ApiError> {
    let owner = account(st, id)?;
    let mut made = read(st, &owner, args)?;
    made.set("account", id);
    made.set("metadata", merge_metadata(made.get("metadata"), args)?);
    let all = owner.list_at("external_accounts").to_vec();
    let currency = made.get("currency").clone();
    let shares_currency = |other: &Value| other["currency"] == currency;
    let is_first = !all.iter().any(shares_currency);
    let is_default = is_first || place != Place::Added(false);
    made.set("default_for_currency", is_default);
    let mut kept: Vec<Value> = Vec::new();
    for mut other in all {
        if is_default && shares_currency(&other) && other["default_for_currency"] == true {
            if place == Place::Replaces {
                continue;
            }
            other["default_for_currency"] = json!(false);
        }
        kept.push(other);
    }
    kept.insert(0, made.value());
    store(st, id, kept);
    tell(st, id, "account.external_account.created", &made, None);
    Ok(made.value())
}

/// Stores the external accounts of an account. The first one meets the account's requirement.
fn store(st: &mut State, id: &str, all: Vec<Value>) {
    st.acting_for("", |st| {
        st.change(id, |account| {
            account.set_at("external_accounts.data", all);
            super::fulfil(account, "external_account");
        });
    });
}

fn tell(st: &mut State, account: &str, event: &str, about: &Object, before: Option<Object>) {
    st.acting_for(account, |st| st.emit_with(event, about, before));
}

/// Reads a new external account: from a token, or from its details.
fn read(st: &mut State, owner: &Object, args: &Args) -> Result<Object, ApiError> {
    let given = args.given("external_account").ok_or_else(|| ApiError::missing("external_account"))?;
    let details = Args::of(given.clone());
    let token = given.as_str().or(details.text("token"));
    let mut made = match token {
        Some(token) => of_token(st, owner, token)?,
        None if details.text("object") == Some("card") => {
            let card = method::from_card(st, &details)?;
            card_from(st, &card, &details)?
        }
        None => bank_account(st, owner, &details, "external_account")?,
    };
    if made.kind() == "card" && made.text("funding") != "debit" {
        let message = "Only debit cards can receive payouts: use a test debit card such as 4000056655665556.";
        return Err(ApiError::coded("invalid_card_type", message).about("external_account"));
    }
    if made.get("currency").is_null() {
        made.set("currency", owner.get("default_currency").clone());
    }
    Ok(made)
}

fn of_token(st: &mut State, owner: &Object, name: &str) -> Result<Object, ApiError> {
    // Stripe's names for test bank accounts, such as `btok_us_verified`.
    if let Some(rest) = name.strip_prefix("btok_").filter(|rest| rest.starts_with("us")) {
        let number = match rest {
            "us_noAccount" => "000111111116",
            "us_accountClosed" => "000111111113",
            _ => "000123456789",
        };
        let details = json!({ "account_number": number, "country": "US", "routing_number": "110000000" });
        return bank_account(st, owner, &Args::of(details), "external_account");
    }
    if let Some(made) = st.seek(name).filter(|found| found.text("type") == "bank_account") {
        method::spend(st, &made)?;
        let mut bank = Object::of(made.get("bank_account").clone());
        let whole = model::account::bank_account(String::new(), "", "", String::new());
        for (member, value) in whole.members {
            bank.members.entry(member).or_insert(value);
        }
        return Ok(bank);
    }
    let card = method::of_token(st, name, "external_account")?;
    card_from(st, &card, &Args::default())
}

/// Builds the card of an external account from a payment method that is created for this purpose and then removed.
fn card_from(st: &mut State, made: &Object, details: &Args) -> Result<Object, ApiError> {
    st.remove(made.id());
    let mut as_source = made.clone();
    as_source.set("id", st.new_id("card"));
    let mut card = source::card_of(&as_source).unwrap_or_default();
    card.members.remove("customer");
    for member in ["address_city", "address_country", "address_line1", "address_line2", "address_state", "address_zip"]
    {
        if details.has(member) {
            card.set(member, details.value(member));
        }
    }
    card.set("name", details.value("name"));
    card.set("currency", details.value("currency"));
    card.set("available_payout_methods", json!(["standard", "instant"]));
    Ok(card)
}

/// Builds a bank account from its details.
///
/// # Errors
/// A detail is missing or invalid.
pub fn bank_account(st: &mut State, owner: &Object, details: &Args, param: &str) -> Result<Object, ApiError> {
    let missing = |name: &str| ApiError::missing(&format!("{param}[{name}]"));
    let number = details.text("account_number").ok_or_else(|| missing("account_number"))?;
    let country = details.text("country").ok_or_else(|| missing("country"))?.to_uppercase();
    let plain: String = number.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if plain.len() < 4 || !plain.chars().all(|c| c.is_ascii_alphanumeric()) {
        let message = "The account number is invalid.";
        return Err(ApiError::coded("account_number_invalid", message).about(&format!("{param}[account_number]")));
    }
    let routing = details.text("routing_number");
    if country == "US" {
        let routing = routing.ok_or_else(|| missing("routing_number"))?;
        if routing.len() != ROUTING_DIGITS || !routing.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("Routing number must have {ROUTING_DIGITS} digits");
            return Err(ApiError::coded("routing_number_invalid", message).about(&format!("{param}[routing_number]")));
        }
    }
    let seed = plain.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let fingerprint = ids::characters(st.settings.seed, seed, 16);
    let mut made = model::account::bank_account(st.new_id("ba"), &country, &plain, fingerprint);
    made.set("bank_name", BANK);
    made.set("routing_number", routing.map_or(Value::Null, |routing| json!(routing)));
    let currency = details.given("currency").cloned().unwrap_or_else(|| owner.get("default_currency").clone());
    made.set("currency", currency);
    for member in ["account_holder_name", "account_holder_type"] {
        made.set(member, details.value(member));
    }
    Ok(made)
}

/// Returns an external account of an account.
///
/// # Errors
/// The account or the external account is unknown.
pub fn load(st: &State, account_id: &str, id: &str) -> Result<Object, ApiError> {
    let owner = account(st, account_id)?;
    let found = owner.list_at("external_accounts").iter().find(|one| one["id"] == id);
    found.cloned().map(Object::of).ok_or_else(|| ApiError::no_such("external account", id, "id"))
}

/// Changes an external account and emits `account.external_account.updated`.
///
/// # Errors
/// The account or the external account is unknown, or the change would leave a currency without a default.
pub fn update(st: &mut State, account_id: &str, id: &str, args: &Args) -> Result<Value, ApiError> {
    let before = load(st, account_id, id)?;
    let mut next = before.clone();
    for name in args.names().filter(|name| !matches!(*name, "default_for_currency" | "metadata")) {
        if before.members.contains_key(name) {
            next.set(name, args.value(name));
        } else {
            return Err(ApiError::unknown_param(name));
        }
    }
    next.set("metadata", merge_metadata(before.get("metadata"), args)?);
    match args.flag("default_for_currency") {
        Some(true) => next.set("default_for_currency", true),
        Some(false) if before.is("default_for_currency") => {
            let message = "Make another external account the default for this currency instead.";
            return Err(ApiError::invalid(message).about("default_for_currency"));
        }
        _ => {}
    }
    let mut all = account(st, account_id)?.list_at("external_accounts").to_vec();
    for one in &mut all {
        if one["id"] == id {
            *one = next.value();
        } else if next.is("default_for_currency") && one["currency"] == *next.get("currency") {
            one["default_for_currency"] = json!(false);
        }
    }
    store(st, account_id, all);
    if next != before {
        tell(st, account_id, "account.external_account.updated", &next, Some(before));
    }
    Ok(next.value())
}

/// Deletes an external account and emits `account.external_account.deleted`.
///
/// # Errors
/// The account or the external account is unknown, or it is the default of the account's default currency.
pub fn delete(st: &mut State, account_id: &str, id: &str) -> Result<Value, ApiError> {
    let gone = load(st, account_id, id)?;
    let owner = account(st, account_id)?;
    let mut all = owner.list_at("external_accounts").to_vec();
    if gone.is("default_for_currency") && gone.get("currency") == owner.get("default_currency") {
        let message = "You cannot delete the default external account for your default currency. Please make another external account the default using the `default_for_currency` param, and then delete this one.";
        return Err(ApiError::invalid(message));
    }
    all.retain(|one| one["id"] != id);
    if let Some(next) = all.iter_mut().find(|one| one["currency"] == *gone.get("currency"))
        && gone.is("default_for_currency")
    {
        next["default_for_currency"] = json!(true);
    }
    store(st, account_id, all);
    tell(st, account_id, "account.external_account.deleted", &gone, None);
    Ok(json!({ "id": id, "object": gone.kind(), "currency": gone.get("currency"), "deleted": true }))
}
