//! The settings of customers, subscriptions and requests for the appearance of invoices: custom fields, footer, description, tax ids,
//! rendering.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, ParamKind, opt, req};
use crate::state::State;

/// The parameter `custom_fields` of an invoice.
pub const CUSTOM_FIELDS: ParamKind =
    ParamKind::List(&ParamKind::Map(&[req("name", ParamKind::Text), req("value", ParamKind::Text)]));
/// How an invoice shows amounts and taxes.
pub const TAX_DISPLAY: ParamKind = ParamKind::OneOf(&["exclude_tax", "include_inclusive_tax"]);
/// The issuer of invoices. Only the own account issues invoices here.
pub const ISSUER: ParamKind = ParamKind::Map(&[req("type", ParamKind::OneOf(&["self"]))]);
/// The parameter `invoice_settings` of a subscription.
pub const OF_SUBSCRIPTION: ParamKind = ParamKind::Map(&[
    opt("account_tax_ids", ParamKind::List(&ParamKind::Text)),
    opt("custom_fields", CUSTOM_FIELDS),
    opt("description", ParamKind::Text),
    opt("footer", ParamKind::Text),
    opt("issuer", ISSUER),
]);
/// The parameter `invoice_data` for the invoice of a paid checkout session.
pub const OF_SESSION: ParamKind = ParamKind::Map(&[
    opt("account_tax_ids", ParamKind::List(&ParamKind::Text)),
    opt("custom_fields", CUSTOM_FIELDS),
    opt("description", ParamKind::Text),
    opt("footer", ParamKind::Text),
    opt("issuer", ISSUER),
    opt("metadata", ParamKind::Metadata),
    opt("rendering_options", ParamKind::Map(&[opt("amount_tax_display", TAX_DISPLAY)])),
]);
/// The maximum number of custom fields of an invoice, Stripe's limit.
const CUSTOM_FIELDS_MAX: usize = 4;
/// The maximum lengths of the name and of the value of a custom field, Stripe's limits.
const CUSTOM_FIELD_CHARS_MAX: [(&str, usize); 2] = [("name", 40), ("value", 140)];

/// Checks the custom fields of a request, and returns them in the form that an invoice shows. `param` is their parameter.
///
/// # Errors
/// There are too many fields, or a string is too long.
pub fn custom_fields(fields: &[Value], param: &str) -> Result<Value, ApiError> {
    if fields.len() > CUSTOM_FIELDS_MAX {
        let message = format!("An invoice can have at most {CUSTOM_FIELDS_MAX} custom fields.");
        return Err(ApiError::invalid(message).about(param));
    }
    for (n, field) in fields.iter().enumerate() {
        for (member, most) in CUSTOM_FIELD_CHARS_MAX {
            if field[member].as_str().is_some_and(|text| text.chars().count() > most) {
                let message = format!("Invalid string: must be at most {most} characters");
                let error = ApiError::coded("parameter_invalid_string", message);
                return Err(error.about(&format!("{param}[{n}][{member}]")));
            }
        }
    }
    Ok(if fields.is_empty() { Value::Null } else { json!(fields) })
}

/// Checks the account's own tax ids in a request, and returns them in the form that an invoice shows. `param` is their parameter.
///
/// # Errors
/// A tax id is unknown.
pub fn account_tax_ids(st: &State, ids: &[Value], param: &str) -> Result<Value, ApiError> {
    for (n, id) in ids.iter().filter_map(Value::as_str).enumerate() {
        st.load("tax_id", id, &format!("{param}[{n}]"))?;
    }
    Ok(if ids.is_empty() { Value::Null } else { json!(ids) })
}

/// Reads the settings of a request into the member `shown` of an object, such as `invoice_settings` of a subscription. `param` is their
/// parameter. Settings that are not in the request stay unchanged.
///
/// # Errors
/// A custom field or a tax id is invalid.
pub fn read(st: &State, owner: &mut Object, shown: &str, given: &Args, param: &str) -> Result<(), ApiError> {
    for member in ["description", "footer"] {
        if given.has(member) {
            owner.set_at(&format!("{shown}.{member}"), given.value(member));
        }
    }
    if given.has("custom_fields") {
        let fields = custom_fields(&given.list("custom_fields"), &format!("{param}[custom_fields]"))?;
        owner.set_at(&format!("{shown}.custom_fields"), fields);
    }
    if given.has("account_tax_ids") {
        let ids = account_tax_ids(st, &given.list("account_tax_ids"), &format!("{param}[account_tax_ids]"))?;
        owner.set_at(&format!("{shown}.account_tax_ids"), ids);
    }
    if given.given("issuer").is_some() {
        owner.set_at(&format!("{shown}.issuer"), given.value("issuer"));
    }
    Ok(())
}

/// Returns the member `rendering` of an invoice with this tax display; null if none is set.
fn rendering(display: &Value) -> Value {
    match display {
        Value::Null => Value::Null,
        display => json!({
            "amount_tax_display": display, "pdf": { "page_size": "auto" }, "template": null, "template_version": null,
        }),
    }
}

/// Sets what a new invoice shows, from the settings of its customer and of its subscription, which take precedence.
pub fn hand_on(invoice: &mut Object, customer: &Object, subscription: Option<&Object>) {
    let own = customer.get("invoice_settings");
    for member in ["custom_fields", "footer"] {
        invoice.set(member, own[member].clone());
    }
    invoice.set("rendering", rendering(&own["rendering_options"]["amount_tax_display"]));
    if let Some(subscription) = subscription {
        set(invoice, subscription.get("invoice_settings"));
        let settings = subscription.get("payment_settings");
        for member in ["payment_method_options", "payment_method_types"] {
            invoice.set_at(&format!("payment_settings.{member}"), settings[member].clone());
        }
    }
}

/// Sets the members of an invoice for which these settings have a value.
pub fn set(invoice: &mut Object, settings: &Value) {
    for member in ["account_tax_ids", "custom_fields", "description", "footer"] {
        if !settings[member].is_null() {
            invoice.set(member, settings[member].clone());
        }
    }
    let display = &settings["rendering_options"]["amount_tax_display"];
    if !display.is_null() {
        invoice.set("rendering", rendering(display));
    }
}
