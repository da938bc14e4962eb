//! Charges a saved card off session.

use super::{currency, member};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::{Value, json};
use stripe_client_core::{RequestBuilder, StripeMethod};

/// Metadata name of the tax within the amount, in minor units. The extension reads it.
const TAX: &str = "provisioner_tax";
/// Metadata name of the tax calculation.
const CALCULATION: &str = "provisioner_tax_calculation";

/// `stripe.payment.create`: takes `customer`, `price`, `amount_minor`, `currency`, `description`, `metadata`, `tax_behavior` (with it,
/// Stripe computes taxes); returns `id` and, with taxes, `tax_recorded`. Charges the customer's default payment method or, without one,
/// that of a subscription, or the newest card. Stripe's refusal of the card is final.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let customer = payload.id("customer")?;
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, &marks, "/payment_intents", &[("customer", customer)])?
        && matches!(made.get("status").and_then(Value::as_str), Some("succeeded" | "processing"))
    {
        return recorded(api, &marks, &made);
    }
    let default = default_method(api, customer)?;
    let Some(method) = default.map_or_else(|| other_method(api, customer), |id| Ok(Some(id)))? else {
        let message = format!("`{customer}` has no card");
        return Err(Failed::Error { status: 402, code: "no_card".to_owned(), message, after_ms: None });
    };
    let asked = match payload.includes_taxes()? {
        Some(is_included) => Some(with_tax(api, payload, &marks, is_included)?),
        None => None,
    };
    let amount = asked.as_ref().map_or(payload.amount("amount_minor")?, |asked| asked.amount_minor);
    let mut metadata = marks.on(payload.metadata()?);
    if let Some(asked) = &asked {
        metadata.insert(TAX.to_owned(), asked.tax_minor.to_string());
        metadata.insert(CALCULATION.to_owned(), asked.calculation.clone());
    }
    let mut form = json!({
        "amount": amount, "currency": currency(payload.text("currency")?)?.to_string(), "customer": customer,
        "payment_method": method, "payment_method_types": ["card"], "confirm": true, "off_session": true,
        "metadata": metadata,
    });
    if let Some(description) = payload.maybe_text("description")? {
        form["description"] = json!(description);
    }
    let request = RequestBuilder::new(StripeMethod::Post, "/payment_intents").form(&form);
    let made = api.post(request, &marks, "payment")?;
    recorded(api, &marks, &made)
}

/// Records the tax of a payment for Stripe's reports, and returns the outputs. The payment is made, so a refusal only shows in
/// `tax_recorded`.
fn recorded(api: &Api<'_>, marks: &Marks, made: &Value) -> Result<Value, Failed> {
    let mut outputs = json!({"id": member(made, "id")?});
    if let Some(calculation) = made.pointer(&format!("/metadata/{CALCULATION}")).and_then(Value::as_str) {
        let form = json!({"calculation": calculation, "reference": outputs["id"]});
        let request = RequestBuilder::new(StripeMethod::Post, "/tax/transactions/create_from_calculation");
        outputs["tax_recorded"] = match api.post(request.form(&form), marks, "tax-transaction") {
            Ok(_) => true.into(),
            Err(Failed::Error { status: 400..=408, .. } | Failed::Unauthorized { .. }) => false.into(),
            Err(error) => return Err(error),
        };
    }
    Ok(outputs)
}

/// An amount with its tax.
struct Taxed {
    /// Id of the calculation.
    calculation: String,
    amount_minor: i64,
    tax_minor: i64,
}

/// Lets Stripe compute the tax of the amount. The tax code is that of the product.
fn with_tax(api: &Api<'_>, payload: Payload<'_>, marks: &Marks, is_included: bool) -> Result<Taxed, Failed> {
    let price = api.get(format!("/prices/{}", payload.id("price")?), &[])?.object;
    let line = json!({
        "amount": payload.amount("amount_minor")?, "reference": payload.id("price")?, "product": member(&price, "product")?,
        "tax_behavior": if is_included { "inclusive" } else { "exclusive" },
    });
    let form =
        json!({"customer": payload.id("customer")?, "currency": payload.text("currency")?, "line_items": [line]});
    let request = RequestBuilder::new(StripeMethod::Post, "/tax/calculations").form(&form);
    let made = api.post(request, marks, "tax")?;
    let int = |name: &str| made.get(name).and_then(Value::as_i64);
    let unreadable = Failed::Unreadable { status: 200, reason: "the calculation has no amounts" };
    let Some(amount_minor) = int("amount_total") else { return Err(unreadable) };
    let tax_minor = int("tax_amount_exclusive").unwrap_or(0) + int("tax_amount_inclusive").unwrap_or(0);
    Ok(Taxed { calculation: member(&made, "id")?.to_owned(), amount_minor, tax_minor })
}

/// Returns the default payment method of a customer.
pub(super) fn default_method(api: &Api<'_>, customer: &str) -> Result<Option<String>, Failed> {
    let object = api.get(format!("/customers/{customer}"), &[])?.object;
    let default = object.pointer("/invoice_settings/default_payment_method").and_then(Value::as_str);
    Ok(default.map(str::to_owned))
}

/// Returns the payment method of a customer without a default one: that of the newest subscription that has one, or the newest card.
/// Checkout keeps a card for its subscription or, after a one-time payment, only with the customer.
pub(super) fn other_method(api: &Api<'_>, customer: &str) -> Result<Option<String>, Failed> {
    let subscriptions = api.get("/subscriptions".to_owned(), &[("customer", customer), ("limit", "10")])?.object;
    let all = subscriptions.get("data").and_then(Value::as_array).into_iter().flatten();
    let mut own = all.filter_map(|subscription| subscription.get("default_payment_method").and_then(Value::as_str));
    if let Some(own) = own.next() {
        return Ok(Some(own.to_owned()));
    }
    let cards = api.get("/payment_methods".to_owned(), &[("customer", customer), ("type", "card"), ("limit", "1")])?;
    Ok(cards.object.pointer("/data/0/id").and_then(Value::as_str).map(str::to_owned))
}
