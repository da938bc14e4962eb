//! Payment links. Each visit to a link opens a new checkout session.

use serde_json::{Value, json};

use crate::billing::invoicing::invoice_settings;
use crate::billing::items;
use crate::checkout::{self, asked, bill, limit, quantity, shipping};
use crate::connect::division;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::pricing;
use crate::state::State;
use crate::tax::automatic;

/// Creates the requested payment link.
///
/// # Errors
/// There are no line items, or a price or another parameter is invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let id = st.new_id("plink");
    let mut link = model::payment_link::payment_link(id.clone(), format!("{}/b/{id}", st.settings.base_url));
    let mut lines = Vec::new();
    for (n, line) in args.list("line_items").into_iter().enumerate() {
        let (line, param) = (Args::of(line), format!("line_items[{n}]"));
        let priced = items::read_licensed(st, &line, &param)?;
        let adjustable = quantity::read(&line, priced.quantity, &param)?;
        let amount = pricing::amount(&priced.price.value(), priced.quantity)?;
        let words = items::product_name(st, &priced.price.value());
        let line = st.new_id("li");
        let mut made = model::checkout::item(line, amount, json!(priced.quantity), &priced.price, &words);
        made["adjustable_quantity"] = adjustable;
        lines.push(made);
    }
    if lines.is_empty() {
        return Err(ApiError::missing("line_items"));
    }
    let currency = lines[0]["currency"].clone();
    if let Some(wanted) = args.given("currency").filter(|wanted| **wanted != currency) {
        let message = format!("The prices of the line items are not in {wanted}.");
        return Err(ApiError::invalid(message).about("currency"));
    }
    link.set("currency", currency);
    link.as_payment_link_mut().lines = lines;
    ship(st, &mut link, args)?;
    apply(st, &mut link, args)?;
    divide(st, &mut link, args)?;
    let link = st.put(link);
    st.emit("payment_link.created", &link);
    Ok(link.value())
}

/// Applies an update request.
///
/// # Errors
/// The link is unknown, or a parameter is invalid.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let mut next = Object::clone(&*st.load("payment_link", id, "id")?);
    apply(st, &mut next, args)?;
    Ok(st.change_and_emit(id, "payment_link.updated", |l| *l = next).value())
}

fn apply(st: &State, link: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["active", "allow_promotion_codes", "billing_address_collection", "customer_creation", "submit_type"]
    {
        if let Some(given) = args.given(member) {
            link.set(member, given.clone());
        }
    }
    if args.has("inactive_message") {
        link.set("inactive_message", args.value("inactive_message"));
    }
    for member in ["payment_intent_data", "subscription_data"] {
        match args.value(member) {
            // An update contains only some of the members.
            Value::Object(given) => {
                given.into_iter().for_each(|(name, value)| link.set_at(&format!("{member}.{name}"), value));
            }
            _ if args.has(member) => link.set(member, Value::Null),
            _ => {}
        }
    }
    ask(st, link, args)?;
    if args.has("restrictions") {
        let limit = args.map("restrictions").map("completed_sessions").int("limit");
        let count = link.int_at("restrictions.completed_sessions.count").unwrap_or_default();
        link.set(
            "restrictions",
            limit.map(|limit| json!({ "completed_sessions": { "count": count, "limit": limit } })),
        );
    }
    if limit::is_used_up(link) {
        if args.flag("active") == Some(true) {
            let message = "This payment link has reached the limit of its completed sessions.";
            return Err(ApiError::invalid(message).about("active"));
        }
        link.set("active", false);
    }
    if let Some(collection) = args.given("payment_method_collection") {
        link.set("payment_method_collection", collection.clone());
    }
    if args.has("payment_method_types") {
        link.set("payment_method_types", args.value("payment_method_types"));
    }
    let after = args.map("after_completion");
    if after.text("type") == Some("hosted_confirmation") {
        let words = after.map("hosted_confirmation").value("custom_message");
        let confirmation = json!({ "hosted_confirmation": { "custom_message": words }, "type": "hosted_confirmation" });
        link.set("after_completion", confirmation);
    }
    if let Some(url) = after.map("redirect").text("url") {
        link.set("after_completion", json!({ "redirect": { "url": url }, "type": "redirect" }));
    }
    automatic::apply(st, link, args)?;
    link.set("metadata", merge_metadata(link.get("metadata"), args)?);
    Ok(())
}

/// The information that a link asks the buyers in its sessions for.
const ASKED: [&str; 6] = [
    "consent_collection",
    "custom_fields",
    "custom_text",
    "phone_number_collection",
    "shipping_address_collection",
    "tax_id_collection",
];

/// Sets what a link asks its buyers for, and the settings for their invoices. Both are checked in the same way as for a session.
fn ask(st: &State, link: &mut Object, args: &Args) -> Result<(), ApiError> {
    let mut session = Object::of(json!({
        "phone_number_collection": { "enabled": false }, "tax_id_collection": { "enabled": false, "required": "never" },
    }));
    asked::set(&mut session, args)?;
    for member in ASKED.into_iter().filter(|member| args.has(member)) {
        let mut shown = session.get(member).clone();
        for field in shown.as_array_mut().into_iter().flatten() {
            // The fields of a session have answers; those of a link do not.
            for kind in ["dropdown", "numeric", "text"] {
                field[kind].as_object_mut().and_then(|own| own.remove("value"));
            }
        }
        link.set(member, shown);
    }
    bill::set(st, link, args, !recurs(link))?;
    let settings = args.map("subscription_data").map("invoice_settings");
    invoice_settings::read(st, &mut Object::default(), "invoice", &settings, "subscription_data[invoice_settings]")
}

/// Sets the shipping options of a new link, which are checked in the same way as for a session.
fn ship(st: &mut State, link: &mut Object, args: &Args) -> Result<(), ApiError> {
    let mode = if recurs(link) { "subscription" } else { "payment" };
    let mut session = Object::of(json!({ "mode": mode, "currency": link.get("currency"), "shipping_options": [] }));
    shipping::set(st, &mut session, args)?;
    link.set("shipping_options", session.get("shipping_options").clone());
    Ok(())
}

/// Converts what an object shows to the form of a request: without the members that are null.
fn as_request(shown: &Value) -> Value {
    match shown {
        Value::Object(members) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            given.map(|(name, value)| (name.clone(), as_request(value))).collect()
        }
        Value::Array(list) => list.iter().map(as_request).collect(),
        other => other.clone(),
    }
}

/// Whether a link sells a subscription.
fn recurs(link: &Object) -> bool {
    link.as_payment_link().lines.iter().any(|line| line["price"]["type"] == "recurring")
}

/// Sets in a new link how its payments are divided among accounts.
fn divide(st: &State, link: &mut Object, args: &Args) -> Result<(), ApiError> {
    let recurs = recurs(link);
    let refused = |name: &str, needs: &str| {
        let message = format!("You can only use `{name}` if the line items have {needs}.");
        Err(ApiError::invalid(message).about(name))
    };
    if recurs && args.given("application_fee_amount").is_some() {
        return refused("application_fee_amount", "no recurring prices");
    }
    if recurs && args.map("transfer_data").given("amount").is_some() {
        return refused("transfer_data[amount]", "no recurring prices");
    }
    if !recurs && args.given("application_fee_percent").is_some() {
        return refused("application_fee_percent", "a recurring price");
    }
    division::apply(st, link, args, "", None)?;
    if let Some(destination) = link.text_at("transfer_data.destination").map(str::to_owned) {
        let amount = link.at("transfer_data.amount").clone();
        link.set("transfer_data", json!({ "amount": amount, "destination": destination }));
    }
    if recurs {
        // A session's subscription accepts these settings in the form of a request.
        let mut settings = Object::of(json!({ "transfer_data": link.get("transfer_data") }));
        let mut percent = Args::default();
        if args.has("application_fee_percent") {
            percent.put("application_fee_percent", args.value("application_fee_percent"));
        }
        division::apply_percent(st, &mut settings, &percent, "")?;
        link.set("application_fee_percent", settings.get("application_fee_percent").clone());
        link.as_payment_link_mut().application_fee_percent = args.value("application_fee_percent");
    }
    Ok(())
}

/// Returns the division of a link's payments as the parameters of a session's payment or subscription.
fn division_of(link: &Object) -> Vec<(&'static str, Value)> {
    let destination = link.at("transfer_data.destination");
    let mut data = json!({ "destination": destination });
    if let Some(amount) = link.int_at("transfer_data.amount") {
        data["amount"] = json!(amount);
    }
    let given = [
        ("application_fee_amount", link.get("application_fee_amount").clone()),
        ("application_fee_percent", link.as_payment_link().application_fee_percent.clone()),
        ("on_behalf_of", link.get("on_behalf_of").clone()),
        ("transfer_data", if destination.is_null() { Value::Null } else { data }),
    ];
    given.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// Opens a checkout session for a visit to a link.
///
/// # Errors
/// The link is unknown or inactive, or the session can't be opened.
pub fn open(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let link = st.load("payment_link", id, "id")?;
    if !link.is("active") {
        let words = link.text_at("inactive_message").unwrap_or("This link is no longer active.");
        return Err(ApiError::invalid(words));
    }
    let lines = &link.as_payment_link().lines;
    let recurs = recurs(&link);
    let entry = |l: &Value| {
        let adjustable = as_request(&l["adjustable_quantity"]);
        json!({ "price": l["price"]["id"], "quantity": l["quantity"], "adjustable_quantity": adjustable })
    };
    // If the link does not redirect to one of the seller's pages, the session's page shows the success message.
    let here = format!("{}/c/pay/{{CHECKOUT_SESSION_ID}}", st.settings.base_url);
    let mut args = Args::of(json!({
        "mode": if recurs { "subscription" } else { "payment" },
        "line_items": lines.iter().map(entry).collect::<Vec<_>>(),
        "success_url": link.text_at("after_completion.redirect.url").unwrap_or(&here),
        "metadata": link.get("metadata"),
    }));
    for member in ["allow_promotion_codes", "billing_address_collection", "submit_type"] {
        args.put(member, link.get(member).clone());
    }
    for (member, applies) in [
        ("consent_collection", true),
        ("custom_fields", true),
        ("custom_text", true),
        ("customer_creation", !recurs),
        ("invoice_creation", !recurs),
        ("payment_intent_data", !recurs),
        ("payment_method_collection", recurs),
        ("payment_method_types", true),
        ("phone_number_collection", true),
        ("shipping_address_collection", true),
        ("subscription_data", recurs),
        ("tax_id_collection", true),
    ] {
        if applies && !link.get(member).is_null() {
            args.put(member, as_request(link.get(member)));
        }
    }
    if link.at("automatic_tax.enabled") == true {
        args.put("automatic_tax", json!({ "enabled": true }));
    }
    let rates =
        link.list_at("shipping_options").iter().map(|option| json!({ "shipping_rate": option["shipping_rate"] }));
    args.put("shipping_options", rates.collect());
    let shared = division_of(&link);
    if !shared.is_empty() {
        let name = if recurs { "subscription_data" } else { "payment_intent_data" };
        let mut data = args.map(name);
        shared.into_iter().for_each(|(member, value)| data.put(member, value));
        args.put(name, data.into_value());
    }
    let session = Object::of(checkout::open(st, &args)?);
    Ok(st.change(session.id(), |s| s.set("payment_link", id)).value())
}
