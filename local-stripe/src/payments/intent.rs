//! Payment intents: creation and cancellation. [`confirm`](super::confirm) confirms them.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::Args;
use crate::payments::{self, cash, radar};
use crate::state::State;

/// The members of a payment that are copied from its request.
pub const AS_GIVEN: [&str; 6] = [
    "description",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
];

/// Creates a payment intent for an amount in minor units, emits `payment_intent.created`, and returns the intent's id.
pub fn create(st: &mut State, amount: i64, currency: &str, clock: &str, edit: impl FnOnce(&mut Object)) -> String {
    let id = st.new_id("pi");
    let secret = st.new_characters(25);
    let created = st.time_on(clock);
    let mut intent = model::payment::payment_intent(id.clone(), created, amount, currency, &secret);
    clock.clone_into(&mut intent.hidden_clock);
    edit(&mut intent);
    let intent = st.put(intent);
    st.emit("payment_intent.created", &intent);
    id
}

/// Whether a payment or setup intent waits for 3-D Secure, rather than for another action of the customer.
pub fn asks_to_authenticate(intent: &Object) -> bool {
    let action = intent.text_at("next_action.type");
    intent.text("status") == "requires_action" && matches!(action, Some("redirect_to_url" | "use_stripe_sdk"))
}

/// Records where the customer of an intent returns, and whether Stripe's scripts authenticate the intent, according to
/// a request.
pub fn note_return(intent: &mut Object, args: &Args) {
    if args.has("return_url") {
        intent.as_intent_mut().return_url = args.text("return_url").map(str::to_owned);
    }
    if args.has("use_stripe_sdk") {
        intent.as_intent_mut().use_stripe_sdk = args.flag("use_stripe_sdk") == Some(true);
    }
}

/// Cancels an unfinished intent.
///
/// # Errors
/// The intent is unknown, succeeded, canceled or processing.
pub fn cancel(st: &mut State, id: &str, reason: Value) -> Result<Value, ApiError> {
    let intent = st.load("payment_intent", id, "id")?;
    let open = ["requires_payment_method", "requires_capture", "requires_confirmation", "requires_action"];
    if !open.contains(&intent.text("status")) {
        return Err(payments::unexpected_state(&intent, "cancel", &open.join(", ")));
    }
    cash::unapply(st, &intent);
    let now = st.now(&intent);
    let after = st.change(id, |pi| {
        pi.set("status", "canceled");
        pi.set("canceled_at", now);
        pi.set("cancellation_reason", reason);
        pi.set("next_action", Value::Null);
        pi.set("amount_capturable", 0);
    });
    if intent.text("status") == "requires_capture" {
        let released = st.change(intent.text("latest_charge"), |c| {
            c.set("refunded", true);
            c.set("amount_refunded", c.get("amount").clone());
        });
        st.emit("charge.refunded", &released);
        radar::close_review(st, &released, "canceled");
    }
    st.emit("payment_intent.canceled", &after);
    cancel_invoice_payment(st, id);
    Ok(after.value())
}

/// Cancels an intent with the reason `void_invoice`. An unknown, finished or processing intent stays unchanged.
pub fn cancel_if_open(st: &mut State, id: &str) {
    if st.seek(id).is_some() {
        // A finished or processing intent can't be canceled.
        let _ = cancel(st, id, json!("void_invoice"));
    }
}

/// Returns the id of the invoice payment of an attached payment intent that is neither paid nor canceled.
pub fn open_payment(st: &State, intent: &Object) -> Option<String> {
    let invoice = &intent.as_intent().attached_to;
    if invoice.is_empty() {
        return None;
    }
    let is_its = |p: &std::sync::Arc<Object>| {
        p.text("invoice") == invoice
            && p.text_at("payment.payment_intent") == Some(intent.id())
            && p.text("status") == "open"
    };
    st.newest("invoice_payment", None).find(is_its).map(|p| p.id().to_owned())
}

/// Cancels the invoice payment of an attached payment intent that was canceled.
fn cancel_invoice_payment(st: &mut State, intent: &str) {
    let Ok(intent) = st.find(intent) else { return };
    let Some(payment) = open_payment(st, &intent) else { return };
    let now = st.now(&intent);
    st.change(&payment, |p| {
        p.set("status", "canceled");
        p.set_at("status_transitions.canceled_at", now);
    });
}
