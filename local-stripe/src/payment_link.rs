//! Payment links. Each visit of a link opens a new checkout session.

use serde_json::{Value, json};

use crate::billing::items;
use crate::checkout;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::state::State;

/// Creates the payment link of a request.
///
/// # Errors
/// There are no line items, or a price or another parameter is invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let id = st.new_id("plink");
    let mut link = model::payment_link::payment_link(id.clone(), format!("{}/b/{id}", st.settings.base_url));
    let mut lines = Vec::new();
    for (n, line) in args.list("line_items").into_iter().enumerate() {
        let priced = items::read_licensed(st, &Args::of(line), &format!("line_items[{n}]"))?;
        let amount = items::amount(&priced.price.value(), priced.quantity)?;
        let words = items::product_name(st, &priced.price.value());
        let line = st.new_id("li");
        lines.push(model::checkout::item(line, amount, json!(priced.quantity), &priced.price, &words));
    }
    if lines.is_empty() {
        return Err(ApiError::missing("line_items"));
    }
    link.set("currency", lines[0]["currency"].clone());
    link.set("_lines", lines);
    apply(&mut link, args)?;
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
    apply(&mut next, args)?;
    Ok(st.change_and_emit(id, "payment_link.updated", |l| *l = next).value())
}

fn apply(link: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["active", "allow_promotion_codes", "billing_address_collection", "customer_creation", "submit_type"]
    {
        if let Some(given) = args.given(member) {
            link.set(member, given.clone());
        }
    }
    for member in ["inactive_message", "payment_intent_data", "subscription_data"] {
        if args.has(member) {
            link.set(member, args.value(member));
        }
    }
    let after = args.map("after_completion");
    if let Some(url) = after.map("redirect").text("url") {
        link.set("after_completion", json!({ "redirect": { "url": url }, "type": "redirect" }));
    }
    link.set("metadata", merge_metadata(link.get("metadata"), args)?);
    Ok(())
}

/// Opens a checkout session for a visit of a link.
///
/// # Errors
/// The link is unknown or inactive, or the session can't be opened.
pub fn open(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let link = st.load("payment_link", id, "id")?;
    if !link.is("active") {
        let words = link.text_at("inactive_message").unwrap_or("This link is no longer active.");
        return Err(ApiError::invalid(words));
    }
    let lines = link.list_at("_lines");
    let recurs = lines.iter().any(|l| l["price"]["type"] == "recurring");
    let entry = |l: &Value| json!({ "price": l["price"]["id"], "quantity": l["quantity"] });
    // If the link redirects to no page of the seller, the session's page shows the success message.
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
    for (member, applies) in
        [("customer_creation", !recurs), ("payment_intent_data", !recurs), ("subscription_data", recurs)]
    {
        if applies && !link.get(member).is_null() {
            args.put(member, link.get(member).clone());
        }
    }
    let session = Object::of(checkout::open(st, &args)?);
    Ok(st.change(session.id(), |s| s.set("payment_link", id)).value())
}
