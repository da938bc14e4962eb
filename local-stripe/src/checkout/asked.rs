//! Additional information that a session asks the buyer for: custom fields, phone, shipping address, tax id, consent.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::model::customer::whole_address;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, opt, req};
use crate::state::State;
use crate::tax_ids::TYPES;

const MESSAGE: ParamKind = ParamKind::Map(&[req("message", ParamKind::Text)]);
const SWITCH: ParamKind = ParamKind::OneOf(&["auto", "never"]);
/// The member `enabled` of a parameter.
pub const ENABLED_FIELD: Field = req("enabled", ParamKind::Bool);
/// A parameter whose only member is `enabled`.
pub const ENABLED: ParamKind = ParamKind::Map(&[ENABLED_FIELD]);
/// The parameter `consent_collection` of a session.
pub const CONSENT_COLLECTION: ParamKind = ParamKind::Map(&[
    opt("payment_method_reuse_agreement", ParamKind::Map(&[req("position", ParamKind::OneOf(&["auto", "hidden"]))])),
    opt("promotions", ParamKind::OneOf(&["auto", "none"])),
    opt("terms_of_service", ParamKind::OneOf(&["none", "required"])),
]);
/// The parameter `custom_text` of a session.
pub const CUSTOM_TEXT: ParamKind = ParamKind::Map(&[
    opt("after_submit", MESSAGE),
    opt("shipping_address", MESSAGE),
    opt("submit", MESSAGE),
    opt("terms_of_service_acceptance", MESSAGE),
]);
/// The parameter `customer_update` of a session.
pub const CUSTOMER_UPDATE: ParamKind =
    ParamKind::Map(&[opt("address", SWITCH), opt("name", SWITCH), opt("shipping", SWITCH)]);
/// The parameter `tax_id_collection` of a session.
pub const TAX_ID_COLLECTION: ParamKind =
    ParamKind::Map(&[req("enabled", ParamKind::Bool), opt("required", ParamKind::OneOf(&["never"]))]);
/// The parameter `shipping_address_collection` of a session.
pub const SHIPPING_ADDRESS: ParamKind = ParamKind::Map(&[req("allowed_countries", ParamKind::List(&ParamKind::Text))]);
const TEXT_FIELD: ParamKind = ParamKind::Map(&[
    opt("default_value", ParamKind::Text),
    opt("maximum_length", ParamKind::Int(1, 255)),
    opt("minimum_length", ParamKind::Int(1, 255)),
]);
/// One entry of the parameter `custom_fields` of a session.
pub const CUSTOM_FIELD: ParamKind = ParamKind::Map(&[
    req("key", ParamKind::Text),
    req("label", ParamKind::Map(&[req("custom", ParamKind::Text), req("type", ParamKind::OneOf(&["custom"]))])),
    req("type", ParamKind::OneOf(&["dropdown", "numeric", "text"])),
    opt(
        "dropdown",
        ParamKind::Map(&[
            req(
                "options",
                ParamKind::List(&ParamKind::Map(&[req("label", ParamKind::Text), req("value", ParamKind::Text)])),
            ),
            opt("default_value", ParamKind::Text),
        ]),
    ),
    opt("numeric", TEXT_FIELD),
    opt("optional", ParamKind::Bool),
    opt("text", TEXT_FIELD),
]);
/// The answer to a custom field.
pub const ANSWER: ParamKind = ParamKind::Map(&[req("key", ParamKind::Text), opt("value", ParamKind::Text)]);
/// The answers to the requested consents.
pub const CONSENT: ParamKind = ParamKind::Map(&[
    opt("promotions", ParamKind::OneOf(&["opt_in", "opt_out"])),
    opt("terms_of_service", ParamKind::OneOf(&["accepted"])),
]);
/// The buyer's tax id.
pub const TAX_ID: ParamKind = ParamKind::Map(&[req("type", ParamKind::OneOf(TYPES)), req("value", ParamKind::Text)]);

/// The maximum number of custom fields, Stripe's limit.
const FIELDS_MAX: usize = 3;
/// The maximum length of the key of a custom field, Stripe's limit.
const KEY_CHARS_MAX: usize = 200;
/// The maximum length of the label of a custom field, Stripe's limit.
const LABEL_CHARS_MAX: usize = 50;

/// Sets what a new session asks for.
///
/// # Errors
/// A custom field is invalid, or a parameter requires another one.
pub fn set(session: &mut Object, args: &Args) -> Result<(), ApiError> {
    session.set("custom_fields", custom_fields(args)?);
    let texts = args.map("custom_text");
    for member in ["after_submit", "shipping_address", "submit", "terms_of_service_acceptance"] {
        session.set_at(&format!("custom_text.{member}"), texts.value(member));
    }
    if args.given("consent_collection").is_some() {
        let wanted = args.map("consent_collection");
        let members = ["payment_method_reuse_agreement", "promotions", "terms_of_service"];
        session.set(
            "consent_collection",
            members.map(|name| (name.to_owned(), wanted.value(name))).into_iter().collect::<Value>(),
        );
    }
    if let Some(enabled) = args.map("phone_number_collection").flag("enabled") {
        session.set("phone_number_collection", json!({ "enabled": enabled }));
    }
    if args.given("shipping_address_collection").is_some() {
        session.set("shipping_address_collection", args.value("shipping_address_collection"));
    }
    let update = args.map("customer_update");
    let has_customer = !session.get("customer").is_null();
    if args.given("customer_update").is_some() && !has_customer {
        let message = "`customer_update` can only be used with `customer`.";
        return Err(ApiError::invalid(message).about("customer_update"));
    }
    session.as_session_mut().customer_update = args.get("customer_update").clone();
    if let Some(enabled) = args.map("tax_id_collection").flag("enabled") {
        if enabled && has_customer && update.text("name") != Some("auto") {
            let message = "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.";
            return Err(ApiError::invalid(message).about("customer_update[name]"));
        }
        session.set("tax_id_collection", json!({ "enabled": enabled, "required": "never" }));
    }
    Ok(())
}

fn custom_fields(args: &Args) -> Result<Vec<Value>, ApiError> {
    let given = args.list("custom_fields");
    let refused = |param: &str, message: String| Err(ApiError::invalid(message).about(param));
    if given.len() > FIELDS_MAX {
        return refused("custom_fields", format!("A session can have at most {FIELDS_MAX} custom fields."));
    }
    let mut fields: Vec<Value> = Vec::new();
    for (n, entry) in given.into_iter().enumerate() {
        let field = Args::of(entry);
        let param = format!("custom_fields[{n}]");
        let (key, kind) = (field.text("key").unwrap_or_default(), field.text("type").unwrap_or_default());
        if key.len() > KEY_CHARS_MAX || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let message = format!("The key must be alphanumeric, with at most {KEY_CHARS_MAX} characters.");
            return refused(&format!("{param}[key]"), message);
        }
        if fields.iter().any(|other| other["key"] == key) {
            return refused(&format!("{param}[key]"), format!("The key {key} is used twice."));
        }
        let label = field.map("label");
        if label.text("custom").unwrap_or_default().chars().count() > LABEL_CHARS_MAX {
            let message = format!("The label can have at most {LABEL_CHARS_MAX} characters.");
            return refused(&format!("{param}[label][custom]"), message);
        }
        if let Some(other) =
            ["dropdown", "numeric", "text"].into_iter().find(|other| *other != kind && field.given(other).is_some())
        {
            return refused(&format!("{param}[{other}]"), format!("The field has the type {kind}, not {other}."));
        }
        let own = field.map(kind);
        if kind == "dropdown" && own.list("options").is_empty() {
            return Err(ApiError::missing(&format!("{param}[dropdown][options]")));
        }
        let mut made = json!({
            "key": key, "label": label.into_value(), "optional": field.flag("optional").unwrap_or(false), "type": kind,
            "dropdown": null, "numeric": null, "text": null,
        });
        made[kind] = match kind {
            "dropdown" => json!({ "options": own.list("options") }),
            _ => {
                json!({ "maximum_length": own.value("maximum_length"), "minimum_length": own.value("minimum_length") })
            }
        };
        made[kind]["default_value"] = own.value("default_value");
        made[kind]["value"] = Value::Null;
        fields.push(made);
    }
    Ok(fields)
}

/// Records the buyer's answers in an open session.
///
/// # Errors
/// An answer is missing or invalid, or the session did not ask for it.
pub fn answer(st: &mut State, session: &Object, args: &Args) -> Result<(), ApiError> {
    if session.text("status") != "open" {
        return Ok(());
    }
    let mut next = session.clone();
    next.set("custom_fields", answered(session, args)?);
    let wants_phone = session.at("phone_number_collection.enabled") == true;
    match args.text("phone") {
        Some(phone) if wants_phone => next.as_session_mut().phone = json!(phone),
        Some(_) => return Err(ApiError::invalid("The session asks for no phone number.").about("phone")),
        None if wants_phone => return Err(ApiError::missing("phone")),
        None => {}
    }
    let countries = session.list_at("shipping_address_collection.allowed_countries");
    let shipping = args.map("shipping");
    match (countries.is_empty(), args.given("shipping").is_some()) {
        (true, true) => return Err(ApiError::invalid("The session asks for no shipping address.").about("shipping")),
        (false, false) => return Err(ApiError::missing("shipping")),
        (false, true) => {
            let address = shipping.map("address");
            if !countries.contains(address.get("country")) {
                let message = "The session allows no shipping to this country.";
                return Err(ApiError::invalid(message).about("shipping[address][country]"));
            }
            let details = json!({ "address": whole_address(shipping.get("address")), "name": shipping.value("name") });
            next.set_at("collected_information.shipping_details", details);
        }
        (true, false) => {}
    }
    if args.given("tax_id").is_some() {
        if session.at("tax_id_collection.enabled") != true {
            return Err(ApiError::invalid("The session asks for no tax id.").about("tax_id"));
        }
        next.as_session_mut().tax_id = args.value("tax_id");
    }
    let consent = args.map("consent");
    let wanted = |member: &str| session.at(&format!("consent_collection.{member}")).as_str();
    if wanted("terms_of_service") == Some("required") && consent.text("terms_of_service").is_none() {
        return Err(ApiError::missing("consent[terms_of_service]"));
    }
    if !session.get("consent_collection").is_null() {
        let promotions = match wanted("promotions") {
            Some("auto") => json!(consent.text("promotions").unwrap_or("opt_out")),
            _ => Value::Null,
        };
        next.set("consent", json!({ "promotions": promotions, "terms_of_service": consent.value("terms_of_service") }));
    }
    st.put(next);
    Ok(())
}

fn answered(session: &Object, args: &Args) -> Result<Vec<Value>, ApiError> {
    let mut fields = session.list_at("custom_fields").to_vec();
    for (n, entry) in args.list("custom_fields").into_iter().enumerate() {
        let param = format!("custom_fields[{n}]");
        let Some(field) = fields.iter_mut().find(|field| field["key"] == entry["key"]) else {
            return Err(
                ApiError::invalid("The session has no custom field with this key.").about(&format!("{param}[key]"))
            );
        };
        let kind = field["type"].as_str().unwrap_or_default().to_owned();
        let Some(value) = entry["value"].as_str() else { continue };
        let length = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
        let own = &field[&kind];
        let is_known =
            |value: &str| own["options"].as_array().is_some_and(|all| all.iter().any(|o| o["value"] == value));
        let fits = match kind.as_str() {
            "dropdown" => is_known(value),
            "numeric" => value.bytes().all(|b| b.is_ascii_digit()),
            _ => true,
        };
        let too_short = own["minimum_length"].as_i64().is_some_and(|least| length < least);
        if !fits || too_short || own["maximum_length"].as_i64().is_some_and(|most| length > most) {
            let label = field["label"]["custom"].as_str().unwrap_or_default();
            return Err(ApiError::invalid(format!("{label}: this value is invalid.")).about(&format!("{param}[value]")));
        }
        field[&kind]["value"] = json!(value);
    }
    let missing = fields.iter().find(|field| {
        let kind = field["type"].as_str().unwrap_or_default();
        field["optional"] == false && field[kind]["value"].is_null()
    });
    match missing {
        None => Ok(fields),
        Some(field) => {
            let message = format!("{}: a value is missing.", field["label"]["custom"].as_str().unwrap_or_default());
            Err(ApiError::coded("parameter_missing", message).about("custom_fields"))
        }
    }
}
