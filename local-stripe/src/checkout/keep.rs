//! Decides which cards Checkout saves for a customer, and whether later sessions may show them again.

use serde_json::json;

use crate::object::Object;
use crate::params::{Args, ParamKind, opt};
use crate::state::State;

/// The parameter `allow_redisplay`: whether a saved payment method may be shown to its customer again.
pub const REDISPLAY: ParamKind = ParamKind::OneOf(&["always", "limited", "unspecified"]);
const SWITCH: ParamKind = ParamKind::OneOf(&["disabled", "enabled"]);
/// The parameter `saved_payment_method_options` of a session.
pub const OPTIONS: ParamKind = ParamKind::Map(&[
    opt("allow_redisplay_filters", ParamKind::List(&REDISPLAY)),
    opt("payment_method_remove", SWITCH),
    opt("payment_method_save", SWITCH),
]);

/// Sets a session's options for saved payment methods.
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
    session.as_session_mut().redisplay = args.map("payment_method_data").text("allow_redisplay").map(str::to_owned);
}

/// Whether the page offers to save the card for other purchases.
pub fn asks(session: &Object) -> bool {
    session.text("mode") != "setup" && session.at("saved_payment_method_options.payment_method_save") == "enabled"
}

/// Whether the buyer chose to save the card. The page records this choice as `allow_redisplay` of the payment method.
pub fn is_wanted(session: &Object, method: &Object) -> bool {
    asks(session) && method.text("allow_redisplay") == "always"
}

/// Sets `allow_redisplay` of a payment method. The session's setting takes precedence over the method's own. Without
/// either, a card saved in setup mode gets `always`, and a card saved with a payment gets `limited`.
pub fn note(st: &mut State, session: &Object, method: &Object) {
    let says_itself = !matches!(method.text("allow_redisplay"), "" | "unspecified");
    let redisplay = match (&session.as_session().redisplay, session.text("mode")) {
        (Some(own), _) => own.clone(),
        _ if says_itself => return,
        (_, "setup") => "always".to_owned(),
        _ => "limited".to_owned(),
    };
    // A payment method that already has a customer was saved before and stays unchanged.
    if !method.is_absent() && method.text("customer").is_empty() {
        st.change(method.id(), |m| m.set("allow_redisplay", redisplay));
    }
}
