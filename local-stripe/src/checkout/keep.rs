//! Which cards Checkout keeps for a customer, and whether later sessions may show them again.

use serde_json::{Value, json};

use crate::object::Object;
use crate::params::{Args, Kind, opt};
use crate::state::State;

/// Whether a kept payment method may be shown to its customer again.
pub const REDISPLAY: Kind = Kind::OneOf(&["always", "limited", "unspecified"]);
const SWITCH: Kind = Kind::OneOf(&["disabled", "enabled"]);
/// `saved_payment_method_options` of a session.
pub const OPTIONS: Kind = Kind::Map(&[
    opt("allow_redisplay_filters", Kind::List(&REDISPLAY)),
    opt("payment_method_remove", SWITCH),
    opt("payment_method_save", SWITCH),
]);

/// Sets what a request says of saved payment methods.
pub fn set(session: &mut Object, args: &Args) {
    let given = args.map("saved_payment_method_options");
    if args.given("saved_payment_method_options").is_some() {
        let filters = given.given("allow_redisplay_filters").cloned().unwrap_or(json!(["always"]));
        let options = json!({
            "allow_redisplay_filters": filters,
            "payment_method_remove": given.text("payment_method_remove").unwrap_or("disabled"),
            "payment_method_save": given.value("payment_method_save"),
        });
        session.set("saved_payment_method_options", options);
    }
    session.set("_redisplay", args.map("payment_method_data").value("allow_redisplay"));
}

/// Whether the page asks the buyer if the card shall be saved for other purchases.
pub fn asks(session: &Object) -> bool {
    session.text("mode") != "setup" && session.at("saved_payment_method_options.payment_method_save") == "enabled"
}

/// Whether the buyer wants the card to be saved: the page notes that on the payment method it makes.
pub fn is_wanted(session: &Object, method: &Object) -> bool {
    asks(session) && method.text("allow_redisplay") == "always"
}

/// Notes on a method that a session is about to keep whether it may be shown again. What the session or the method
/// says itself counts; else a card that was kept for its own sake may be, and one that was kept to pay may not.
pub fn note(st: &mut State, session: &Object, method: &Object) {
    let says_itself = !matches!(method.text("allow_redisplay"), "" | "unspecified");
    let redisplay = match (session.get("_redisplay"), session.text("mode")) {
        (Value::String(own), _) => own.clone(),
        _ if says_itself => return,
        (_, "setup") => "always".to_owned(),
        _ => "limited".to_owned(),
    };
    // What is the customer's already was kept before.
    if !method.0.is_empty() && method.text("customer").is_empty() {
        st.change(method.id(), |m| m.set("allow_redisplay", redisplay));
    }
}
