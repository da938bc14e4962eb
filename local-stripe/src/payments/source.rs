//! Sources, the legacy form of cards. A source is a payment method whose id is `card_…`, shown in another shape.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, ParamKind, opt};
use crate::payments::method;
use crate::state::State;

/// The prefix of the id of a source object, which holds a card.
pub const SOURCE_PREFIX: &str = "src";

/// Returns a payment method in the shape of a source: as a card if its id is `card_…`, or as a source object if it is
/// `src_…`; `None` if it is neither.
pub fn card_of(method: &Object) -> Option<Object> {
    if method.id().starts_with("src_") {
        return Some(source_of(method));
    }
    if !method.id().starts_with("card_") {
        return None;
    }
    let (card, details) = (|name: &str| method.at(&format!("card.{name}")), method.get("billing_details"));
    let address = &details["address"];
    let brand = brand(method);
    Some(Object::of(json!({
        "id": method.id(),
        "object": "card",
        "address_city": address["city"],
        "address_country": address["country"],
        "address_line1": address["line1"],
        "address_line1_check": card("checks.address_line1_check"),
        "address_line2": address["line2"],
        "address_state": address["state"],
        "address_zip": address["postal_code"],
        "address_zip_check": card("checks.address_postal_code_check"),
        "brand": brand,
        "country": card("country"),
        "customer": method.get("customer"),
        "cvc_check": card("checks.cvc_check"),
        "dynamic_last4": null,
        "exp_month": card("exp_month"),
        "exp_year": card("exp_year"),
        "fingerprint": card("fingerprint"),
        "funding": card("funding"),
        "last4": card("last4"),
        "metadata": method.get("metadata"),
        "name": details["name"],
        "regulated_status": card("regulated_status"),
        "tokenization_method": null,
    })))
}

/// Returns a payment method in the shape of a source object.
fn source_of(method: &Object) -> Object {
    let (card, details) = (|name: &str| method.at(&format!("card.{name}")), method.get("billing_details"));
    let mut source = Object::of(json!({
        "id": method.id(),
        "object": "source",
        "allow_redisplay": method.get("allow_redisplay"),
        "amount": null,
        "card": {
            "address_line1_check": card("checks.address_line1_check"),
            "address_zip_check": card("checks.address_postal_code_check"),
            "brand": brand(method),
            "country": card("country"),
            "cvc_check": card("checks.cvc_check"),
            "dynamic_last4": null,
            "exp_month": card("exp_month"),
            "exp_year": card("exp_year"),
            "fingerprint": card("fingerprint"),
            "funding": card("funding"),
            "last4": card("last4"),
            "name": details["name"],
            "three_d_secure": "optional",
            "tokenization_method": null,
        },
        "client_secret": &method.as_payment_method().client_secret,
        "created": method.get("created"),
        "currency": null,
        "flow": "none",
        "livemode": false,
        "metadata": method.get("metadata"),
        "owner": {
            "address": details["address"], "email": details["email"], "name": details["name"], "phone": details["phone"],
            "verified_address": null, "verified_email": null, "verified_name": null, "verified_phone": null,
        },
        "statement_descriptor": &method.as_payment_method().statement_descriptor,
        "status": if method.as_payment_method().detached { "consumed" } else { "chargeable" },
        "type": "card",
        "usage": &method.as_payment_method().usage,
    }));
    if !method.get("customer").is_null() {
        source.set("customer", method.get("customer").clone());
    }
    source
}

fn brand(method: &Object) -> &'static str {
    match method.text_at("card.brand").unwrap_or_default() {
        "amex" => "American Express",
        "diners" => "Diners Club",
        "discover" => "Discover",
        "jcb" => "JCB",
        "unionpay" => "UnionPay",
        "mastercard" => "MasterCard",
        _ => "Visa",
    }
}

/// Creates the requested source object from a token.
///
/// # Errors
/// The type is not `card`, or the token is missing, unknown or used.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    if args.text("type") != Some("card") {
        let message = "The local Stripe has sources of the type card only, which are made from a token.";
        return Err(ApiError::invalid(message).about("type"));
    }
    let token = args.text("token").ok_or_else(|| ApiError::missing("token"))?;
    let mut card = method::of_token(st, token, "token")?;
    st.remove(card.id());
    let id = st.new_id(SOURCE_PREFIX);
    card.as_payment_method_mut().client_secret = format!("{SOURCE_PREFIX}_client_secret_{}", st.new_characters(24));
    card.as_payment_method_mut().usage = args.text("usage").unwrap_or("reusable").to_owned();
    card.as_payment_method_mut().statement_descriptor = args.text("statement_descriptor").map(str::to_owned);
    card.set("id", id);
    own(&mut card, args)?;
    let card = st.put(card);
    let shown = source_of(&card);
    st.emit("source.chargeable", &shown);
    Ok(shown.value())
}

/// Changes the owner and the metadata of a source object.
///
/// # Errors
/// There is no such source.
pub fn update_source(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let mut next = method::load_source(st, id)?;
    own(&mut next, args)?;
    let next = st.put(next);
    Ok(source_of(&next).value())
}

fn own(card: &mut Object, args: &Args) -> Result<(), ApiError> {
    for (name, value) in args.map("owner").into_members() {
        card.set_at(&format!("billing_details.{name}"), value);
    }
    card.set("metadata", crate::params::merge_metadata(card.get("metadata"), args)?);
    Ok(())
}

macro_rules! card_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("number", ParamKind::Text),
            opt("exp_month", ParamKind::Int(1, 12)),
            opt("exp_year", ParamKind::Int(0, 9_999)),
            opt("cvc", ParamKind::Text),
            opt("address_city", ParamKind::Text),
            opt("address_country", ParamKind::Text),
            opt("address_line1", ParamKind::Text),
            opt("address_line2", ParamKind::Text),
            opt("address_state", ParamKind::Text),
            opt("address_zip", ParamKind::Text),
            opt("name", ParamKind::Text),
            $($more),*
        ]
    };
}

/// The parameter `source` or `card`: the id of a token or of a card, or the details of a card.
pub const SOURCE: ParamKind =
    ParamKind::IdOr(card_fields![opt("object", ParamKind::OneOf(&["card"])), opt("metadata", ParamKind::Metadata),]);
/// The details of a token's card.
pub const OF_TOKEN: ParamKind = ParamKind::Map(card_fields![opt("networks", method::NETWORKS)]);

/// The members of a source with the paths of the same values in a payment method.
const MEMBERS: [(&str, &str); 9] = [
    ("address_city", "billing_details.address.city"),
    ("address_country", "billing_details.address.country"),
    ("address_line1", "billing_details.address.line1"),
    ("address_line2", "billing_details.address.line2"),
    ("address_state", "billing_details.address.state"),
    ("address_zip", "billing_details.address.postal_code"),
    ("exp_month", "card.exp_month"),
    ("exp_year", "card.exp_year"),
    ("name", "billing_details.name"),
];

/// Creates a card from a token or from its details. The card has no customer yet.
///
/// # Errors
/// The token is unknown or used, or a detail is missing or invalid.
pub fn make(st: &mut State, given: &Value, param: &str) -> Result<Object, ApiError> {
    if let Some(name) = given.as_str() {
        return method::of_token(st, name, param);
    }
    let details = Args::of(given.clone());
    let mut card = method::from_card(st, &details)?;
    // A card that is created from its details already has their expiry.
    for (name, path) in MEMBERS.iter().filter(|(name, path)| details.has(name) && !path.starts_with("card.")) {
        card.set_at(path, details.value(name));
    }
    card.set("metadata", crate::params::merge_metadata(card.get("metadata"), &details)?);
    Ok(method::rename(st, card))
}

/// Adds a card to a customer: that of a token, or one that is created from its details. The customer's first source
/// becomes the default source.
///
/// # Errors
/// The customer or the token is unknown, or the card is declined.
pub fn add(st: &mut State, customer: &str, given: &Value, param: &str) -> Result<Object, ApiError> {
    let owner = st.load("customer", customer, "id")?;
    let card = make(st, given, param)?;
    let id = card.id().to_owned();
    let attached = method::attach(st, &card, &owner)?;
    let shown = card_of(&attached).unwrap_or_default();
    st.emit("customer.source.created", &shown);
    if owner.get("default_source").is_null() {
        set_default(st, customer, json!(id));
    }
    Ok(shown)
}

/// Sets a customer's `default_source`.
pub fn set_default(st: &mut State, customer: &str, card: Value) {
    st.change_and_emit(customer, "customer.updated", |c| c.set("default_source", card));
}

/// Returns a customer's source, by its id.
///
/// # Errors
/// The customer has no such card.
pub fn load(st: &State, customer: &str, id: &str) -> Result<Object, ApiError> {
    let found = st.seek(id).filter(|m| m.kind() == "payment_method" && m.text("customer") == customer);
    found.and_then(|m| card_of(&m)).ok_or_else(|| ApiError::no_such("source", id, "id"))
}

/// Updates a customer's source.
///
/// # Errors
/// The customer has no such card, or the metadata is invalid.
pub fn update(st: &mut State, customer: &str, id: &str, args: &Args) -> Result<Object, ApiError> {
    let before = load(st, customer, id)?;
    let metadata = crate::params::merge_metadata(before.get("metadata"), args)?;
    let changed = st.change(id, |m| {
        for (name, path) in MEMBERS.iter().filter(|(name, _)| args.has(name)) {
            m.set_at(path, args.value(name));
        }
        m.set("metadata", metadata);
    });
    let after = card_of(&changed).unwrap_or_default();
    if after != before {
        st.emit_with("customer.source.updated", &after, Some(before));
    }
    Ok(after)
}

/// Deletes a customer's source. If it was the default source, the newest remaining source becomes the default.
///
/// # Errors
/// The customer has no such card.
pub fn remove(st: &mut State, customer: &str, id: &str) -> Result<Value, ApiError> {
    let card = load(st, customer, id)?;
    let is_source = card.kind() == "source";
    if is_source {
        // As at Stripe, a detached source can't be used again, but is still shown.
        st.change(id, |m| {
            m.set("customer", Value::Null);
            m.as_payment_method_mut().detached = true;
        });
    } else {
        st.remove(id);
    }
    st.emit("customer.source.deleted", &card);
    if st.copy_if_any(customer).text("default_source") == id {
        let next = st.newest("payment_method", Some(customer)).find_map(|m| card_of(&m)).map(|c| c.id().to_owned());
        set_default(st, customer, next.map_or(Value::Null, |id| json!(id)));
    }
    if is_source {
        return Ok(source_of(&*st.find(id)?).value());
    }
    Ok(json!({ "id": id, "object": "card", "deleted": true }))
}
