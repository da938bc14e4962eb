//! The fields of the checkout page for the additional information that a session asks for.

use serde_json::Value;

use super::field;
use super::html::{Html, html};
use crate::form::Form;
use crate::object::Object;
use crate::tax_ids::TYPES;

/// Renders the fields, with the values that were entered before.
pub(super) fn fields(session: &Object, typed: &Form) -> Html {
    let text = |name: &str| session.text_at(&format!("custom_text.{name}.message"));
    let mut parts = Vec::new();
    let countries = session.list_at("shipping_address_collection.allowed_countries");
    if !countries.is_empty() {
        parts.extend(text("shipping_address").map(note));
        for (name, label) in [
            ("shipping_name", "Shipping to"),
            ("shipping_line1", "Address"),
            ("shipping_city", "City"),
            ("shipping_postal_code", "Postal code"),
        ] {
            parts.push(input(name, label, field(typed, name), &html!(" required")));
        }
        let options: Vec<(&str, &str)> =
            countries.iter().filter_map(Value::as_str).map(|country| (country, country)).collect();
        parts.push(select("shipping_country", "Country", &options, field(typed, "shipping_country"), false));
    }
    if session.at("phone_number_collection.enabled") == true {
        let kind = html!(" type=\"tel\" autocomplete=\"tel\" required");
        parts.push(input("phone", "Phone", field(typed, "phone"), &kind));
    }
    parts.extend(session.list_at("custom_fields").iter().map(|one| custom(one, typed)));
    if session.at("tax_id_collection.enabled") == true {
        let options: Vec<(&str, &str)> = TYPES.iter().map(|kind| (*kind, *kind)).collect();
        parts.push(select("tax_id_type", "Type of the tax id", &options, field(typed, "tax_id_type"), true));
        parts.push(input("tax_id_value", "Tax id", field(typed, "tax_id_value"), &Html::default()));
    }
    if session.at("consent_collection.promotions") == "auto" {
        parts.push(tick("promotions", "Send me news and offers", field(typed, "promotions") == "on", false));
    }
    if session.at("consent_collection.terms_of_service") == "required" {
        let words = text("terms_of_service_acceptance").unwrap_or("I agree to the terms of service");
        parts.push(tick("terms", words, field(typed, "terms") == "on", true));
    }
    parts.extend(text("submit").map(note));
    parts.into_iter().collect()
}

/// Renders the text below the button.
pub(super) fn after_button(session: &Object) -> Option<Html> {
    session.text_at("custom_text.after_submit.message").map(note)
}

/// Returns the answers as the parameters of the confirmation.
pub(super) fn answers(session: &Object, typed: &Form) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut add = |name: String, value: &str| {
        if !value.is_empty() {
            out.push((name, value.to_owned()));
        }
    };
    if session.at("shipping_address_collection").is_object() {
        add("shipping[name]".into(), field(typed, "shipping_name"));
        for member in ["line1", "city", "postal_code", "country"] {
            add(format!("shipping[address][{member}]"), field(typed, &format!("shipping_{member}")));
        }
    }
    for (n, one) in session.list_at("custom_fields").iter().enumerate() {
        let key = one["key"].as_str().unwrap_or_default();
        let value = field(typed, &name_of(key));
        if !value.is_empty() {
            add(format!("custom_fields[{n}][key]"), key);
            add(format!("custom_fields[{n}][value]"), value);
        }
    }
    if session.at("phone_number_collection.enabled") == true {
        add("phone".into(), field(typed, "phone"));
    }
    if session.at("tax_id_collection.enabled") == true && !field(typed, "tax_id_value").is_empty() {
        add("tax_id[type]".into(), field(typed, "tax_id_type"));
        add("tax_id[value]".into(), field(typed, "tax_id_value"));
    }
    if session.at("consent_collection.promotions") == "auto" {
        let is_in = field(typed, "promotions") == "on";
        add("consent[promotions]".into(), if is_in { "opt_in" } else { "opt_out" });
    }
    if session.at("consent_collection.terms_of_service") == "required" && field(typed, "terms") == "on" {
        add("consent[terms_of_service]".into(), "accepted");
    }
    out
}

fn name_of(key: &str) -> String {
    format!("custom_{key}")
}

fn custom(one: &Value, typed: &Form) -> Html {
    let (key, kind) = (one["key"].as_str().unwrap_or_default(), one["type"].as_str().unwrap_or_default());
    let (name, own) = (name_of(key), &one[kind]);
    let label = one["label"]["custom"].as_str().unwrap_or_default();
    let is_optional = one["optional"] == true;
    let label = if is_optional { format!("{label} (optional)") } else { label.to_owned() };
    let value = match field(typed, &name) {
        "" => own["default_value"].as_str().unwrap_or_default(),
        value => value,
    };
    if kind == "dropdown" {
        let word = |option: &'_ Value, member: &str| option[member].as_str().unwrap_or_default().to_owned();
        let options: Vec<(String, String)> =
            own["options"].as_array().into_iter().flatten().map(|o| (word(o, "value"), word(o, "label"))).collect();
        let options: Vec<(&str, &str)> =
            options.iter().map(|(value, label)| (value.as_str(), label.as_str())).collect();
        return select(&name, &label, &options, value, is_optional);
    }
    let number = (kind == "numeric").then(|| html!(" inputmode=\"numeric\" pattern=\"[0-9]*\""));
    let limit = |member: &str| own[member].as_i64();
    let attributes = html!(
        "{required}{number}{least}{most}",
        required = (!is_optional).then(|| html!(" required")),
        number = number,
        least = limit("minimum_length").map(|n| html!(" minlength=\"{n}\"", n = n)),
        most = limit("maximum_length").map(|n| html!(" maxlength=\"{n}\"", n = n)),
    );
    input(&name, &label, value, &attributes)
}

fn note(words: &str) -> Html {
    html!("<p class=\"dim\">{words}</p>", words = words)
}

fn input(name: &str, label: &str, value: &str, attributes: &Html) -> Html {
    html!(
        "<div class=\"field\"><label for=\"{name}\">{label}</label>\
         <input id=\"{name}\" name=\"{name}\"{attributes} value=\"{value}\"></div>",
        name = name,
        label = label,
        attributes = attributes,
        value = value,
    )
}

fn select(name: &str, label: &str, options: &[(&str, &str)], chosen: &str, is_optional: bool) -> Html {
    let option = |value: &str, label: &str| {
        html!(
            "<option value=\"{value}\"{chosen}>{label}</option>",
            value = value,
            chosen = (value == chosen).then(|| html!(" selected")),
            label = label,
        )
    };
    html!(
        "<div class=\"field\"><label for=\"{name}\">{label}</label>\
         <select id=\"{name}\" name=\"{name}\"{required}><option value=\"\"></option>{options}</select></div>",
        name = name,
        label = label,
        required = (!is_optional).then(|| html!(" required")),
        options = options.iter().map(|(value, label)| option(value, label)).collect::<Html>(),
    )
}

fn tick(name: &str, words: &str, is_ticked: bool, is_required: bool) -> Html {
    html!(
        "<label class=\"choice\"><input id=\"{name}\" name=\"{name}\" type=\"checkbox\"{required}{ticked}> {words}</label>",
        name = name,
        required = is_required.then(|| html!(" required")),
        ticked = is_ticked.then(|| html!(" checked")),
        words = words,
    )
}

/// The members of the address that determines the taxes, with their labels.
const TAX_ADDRESS: [(&str, &str); 3] = [
    ("country", "Country (two letters)"),
    ("postal_code", "Postal code"),
    ("state", "State or province (two letters)"),
];

/// Renders the form for the address that determines the automatic taxes, unless the customer has one.
pub(super) fn tax_address(session: &Object) -> Option<Html> {
    let is_given = !session.as_session().address.is_null();
    if session.at("automatic_tax.enabled") != true || session.at("automatic_tax.status") == "complete" && !is_given {
        return None;
    }
    let field = |(name, label): (&str, &str)| {
        let required = if name == "country" { html!(" required maxlength=\"2\"") } else { Html::default() };
        input(name, label, session.as_session().address[name].as_str().unwrap_or_default(), &required)
    };
    Some(html!(
        "<form method=\"post\" action=\"{action}\" class=\"code\">{fields}\
         <button id=\"setAddress\" class=\"second\" type=\"submit\">Compute the tax</button></form>",
        action = format!("/c/pay/{}/address", session.id()),
        fields = TAX_ADDRESS.into_iter().map(field).collect::<Html>(),
    ))
}

/// Returns the entered address as the parameters of a request.
pub(super) fn typed_address(typed: &Form) -> Vec<(String, String)> {
    let given = TAX_ADDRESS.iter().map(|(name, _)| (format!("address[{name}]"), field(typed, name).to_owned()));
    given.filter(|(_, value)| !value.is_empty()).collect()
}

/// Renders the form for selecting one of several shipping options.
pub(super) fn shipping(session: &Object, names: &[(String, String)]) -> Option<Html> {
    if names.len() < 2 {
        return None;
    }
    let options: Vec<(&str, &str)> = names.iter().map(|(id, label)| (id.as_str(), label.as_str())).collect();
    let chosen = session.text_at("shipping_cost.shipping_rate").unwrap_or_default();
    Some(html!(
        "<form method=\"post\" action=\"{action}\" class=\"code\">{select}\
         <button id=\"chooseShipping\" class=\"second\" type=\"submit\">Choose</button></form>",
        action = format!("/c/pay/{}/shipping", session.id()),
        select = select("shipping_rate", "Shipping", &options, chosen, false),
    ))
}
