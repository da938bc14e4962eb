//! The invoice that a paid session in payment mode creates with `invoice_creation`.

use serde_json::{Value, json};

use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::invoice_settings;
use crate::billing::settlement::settle;
use crate::checkout::asked::ENABLED_FIELD;
use crate::error::ApiError;
use crate::model;
use crate::model::billing::NewLine;
use crate::object::Object;
use crate::params::{Args, ParamKind, merge_metadata, opt};
use crate::state::State;

/// The parameter `invoice_creation` of a session or a payment link.
pub const CREATION: ParamKind = ParamKind::Map(&[ENABLED_FIELD, opt("invoice_data", invoice_settings::OF_SESSION)]);

/// Sets the member `invoice_creation` of a session or a link as requested. `sells_once` is whether it accepts one-time payments, in which
/// case no subscription creates its invoices.
///
/// # Errors
/// A subscription creates the invoices, the payment would only be authorized, or a custom field, a tax id or metadata is invalid.
pub fn set(st: &State, owner: &mut Object, args: &Args, sells_once: bool) -> Result<(), ApiError> {
    let given = args.map("invoice_creation");
    let Some(enabled) = given.flag("enabled") else { return Ok(()) };
    if enabled && !sells_once {
        let message = "`invoice_creation` can only be used in `payment` mode: a subscription has invoices of its own.";
        return Err(ApiError::invalid(message).about("invoice_creation"));
    }
    let is_manual = |options: &Args| options.text("capture_method") == Some("manual");
    let captures_later =
        is_manual(&args.map("payment_intent_data")) || is_manual(&args.map("payment_method_options").map("card"));
    if enabled && captures_later {
        let message = "The local Stripe makes invoices for payments that are captured at once.";
        return Err(ApiError::invalid(message).about("invoice_creation"));
    }
    let data = given.map("invoice_data");
    let mut made = Object::of(model::checkout::invoice_creation());
    made.set("enabled", enabled);
    invoice_settings::read(st, &mut made, "invoice_data", &data, "invoice_creation[invoice_data]")?;
    made.set_at("invoice_data.metadata", merge_metadata(&json!({}), &data)?);
    if let Some(display) = data.map("rendering_options").text("amount_tax_display") {
        made.set_at("invoice_data.rendering_options", json!({ "amount_tax_display": display, "template": null }));
    }
    owner.set("invoice_creation", made.value());
    Ok(())
}

/// Whether a session creates an invoice when it is paid. The invoice needs a customer.
pub fn is_wanted(session: &Object) -> bool {
    session.at("invoice_creation.enabled") == true
}

/// Creates the paid invoice of a session whose payment succeeded.
pub fn make(st: &mut State, id: &str) {
    let Ok(session) = st.find(id) else { return };
    if !is_wanted(&session) {
        return;
    }
    let customer = session.text("customer").to_owned();
    let now = st.now(&st.copy_if_any(&customer));
    let data = session.at("invoice_creation.invoice_data").clone();
    let discounts = st.newest("discount", Some(&customer)).filter(|discount| discount.text("checkout_session") == id);
    let discounts: Vec<Value> = discounts.map(|discount| discount.value()).collect();
    let draft = Draft {
        customer: &customer,
        currency: session.text("currency"),
        reason: "manual",
        subscription: None,
        lines: session.as_session().lines.iter().map(|line| line_of(line, &session, now)).collect(),
        takes_pending: false,
        period: None,
    };
    let made = invoice::draft(st, draft, |invoice| {
        invoice.set("auto_advance", false);
        invoice.as_invoice_mut().discounts = discounts;
        invoice.set("metadata", data["metadata"].clone());
        invoice.as_invoice_mut().keeps_rates = true;
        for member in ["enabled", "liability", "provider", "status"] {
            let path = format!("automatic_tax.{member}");
            invoice.set_at(&path, session.at(&path).clone());
        }
        invoice_settings::set(invoice, &data);
    });
    // The session's total, which is the invoice's, was computed without an error.
    if let Ok(made) = made {
        open(st, &made, &session);
        settle::paid(st, &made);
        st.change(id, |s| s.set("invoice", made));
    }
}

fn line_of(line: &Value, session: &Object, now: i64) -> NewLine {
    NewLine {
        amount: line["amount_subtotal"].as_i64().unwrap_or_default(),
        currency: session.text("currency").to_owned(),
        description: line["description"].as_str().unwrap_or_default().to_owned(),
        period: (now, now),
        price: line["price"].clone(),
        quantity: line["quantity"].as_i64().unwrap_or(1),
        parent: Value::Null,
        metadata: line["metadata"].clone(),
        tax_rates: line["tax_rates"].clone(),
        discounts: Vec::new(),
    }
}

/// Finalizes the invoice of a completed payment: neither the customer's balance nor the minimum charge changes its amount.
fn open(st: &mut State, id: &str, session: &Object) {
    let shipping = session.get("shipping_cost").clone();
    let cost = session.int_at("shipping_cost.amount_total").unwrap_or_default();
    let details = session.at("collected_information.shipping_details").clone();
    let Ok(draft) = st.find(id) else { return };
    let total = draft.int("total") + cost;
    st.change(id, |invoice| {
        invoice.set("amount_shipping", cost);
        invoice.set("shipping_cost", shipping);
        invoice.set("shipping_details", details);
        invoice.set("total", total);
        invoice.set("total_excluding_tax", invoice.int("total_excluding_tax") + cost);
    });
    let intent = session.as_session().intent.clone();
    let opened = invoice::open(st, id, total, (0, 0));
    let payment_id = st.new_id("inpay");
    let payment = model::billing::invoice_payment(payment_id, st.now(&opened), &opened, &intent);
    st.put(payment);
    let paid = st.change(&intent, |payment| id.clone_into(&mut payment.as_intent_mut().invoice));
    st.change(paid.text("latest_charge"), |charge| id.clone_into(&mut charge.as_charge_mut().invoice));
    st.change(id, |invoice| invoice.as_invoice_mut().payment_intent = intent);
}
