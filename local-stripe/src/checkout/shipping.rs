//! Shipping rates, and the shipping options of a session. The first option is selected until the buyer selects another.

use serde_json::{Value, json};

use super::totals;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, merge_metadata, opt, req};
use crate::pricing::TAX_BEHAVIOR;
use crate::state::State;

const TIME: ParamKind = ParamKind::Map(&[
    req("unit", ParamKind::OneOf(&["business_day", "day", "hour", "month", "week"])),
    req("value", ParamKind::Int(1, 1_000)),
]);
/// The parameters of a new shipping rate.
pub const NEW_RATE: &[Field] = &[
    req("display_name", ParamKind::Text),
    opt("delivery_estimate", ParamKind::Map(&[opt("maximum", TIME), opt("minimum", TIME)])),
    opt("fixed_amount", ParamKind::Map(&[req("amount", AMOUNT), req("currency", ParamKind::Currency)])),
    opt("metadata", ParamKind::Metadata),
    opt("tax_behavior", TAX_BEHAVIOR),
    opt("tax_code", ParamKind::Text),
    opt("type", ParamKind::OneOf(&["fixed_amount"])),
];
/// One entry of the parameter `shipping_options` of a session.
pub const OPTION: ParamKind =
    ParamKind::Map(&[opt("shipping_rate", ParamKind::Text), opt("shipping_rate_data", ParamKind::Map(NEW_RATE))]);
/// The maximum number of shipping options, Stripe's limit.
const OPTIONS_MAX: usize = 5;

/// Creates the requested shipping rate.
///
/// # Errors
/// The amount is missing, or the metadata is invalid.
pub fn create_rate(st: &mut State, args: &Args, param: &str) -> Result<Object, ApiError> {
    if args.given("fixed_amount").is_none() {
        let name = if param.is_empty() { "fixed_amount".to_owned() } else { format!("{param}[fixed_amount]") };
        return Err(ApiError::missing(&name));
    }
    let fixed = args.map("fixed_amount");
    let id = st.new_id("shr");
    let name = args.text("display_name").unwrap_or_default();
    let mut rate = model::checkout::shipping_rate(id, st.clock_s(), name, &fixed.into_value());
    let estimate = args.map("delivery_estimate");
    if args.given("delivery_estimate").is_some() {
        let estimate = json!({ "maximum": estimate.value("maximum"), "minimum": estimate.value("minimum") });
        rate.set("delivery_estimate", estimate);
    }
    if let Some(behavior) = args.text("tax_behavior") {
        rate.set("tax_behavior", behavior);
    }
    rate.set("tax_code", args.value("tax_code"));
    rate.set("metadata", merge_metadata(&json!({}), args)?);
    Ok(Object::clone(&st.put(rate)))
}

/// Sets the shipping options of a new session.
///
/// # Errors
/// There are too many options, or a shipping rate is unknown, archived or in another currency.
pub fn set(st: &mut State, session: &mut Object, args: &Args) -> Result<(), ApiError> {
    let given = args.list("shipping_options");
    if given.is_empty() {
        return Ok(());
    }
    let refused = |message: &str| Err(ApiError::invalid(message).about("shipping_options"));
    if session.text("mode") != "payment" {
        return refused("Shipping options can only be used in `payment` mode.");
    }
    if given.len() > OPTIONS_MAX {
        return refused(&format!("A session can have at most {OPTIONS_MAX} shipping options."));
    }
    let mut options = Vec::new();
    for (n, entry) in given.into_iter().enumerate() {
        let entry = Args::of(entry);
        let param = format!("shipping_options[{n}]");
        let rate = match (entry.text("shipping_rate"), entry.given("shipping_rate_data")) {
            (Some(id), None) => Object::clone(&*st.load("shipping_rate", id, &format!("{param}[shipping_rate]"))?),
            (None, Some(_)) => {
                create_rate(st, &entry.map("shipping_rate_data"), &format!("{param}[shipping_rate_data]"))?
            }
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: shipping_rate, shipping_rate_data.";
                return Err(ApiError::invalid(message).about(&param));
            }
            (None, None) => return Err(ApiError::missing(&format!("{param}[shipping_rate]"))),
        };
        if !rate.is("active") {
            let message = format!("The shipping rate {} is archived.", rate.id());
            return Err(ApiError::invalid(message).about(&format!("{param}[shipping_rate]")));
        }
        if rate.text_at("fixed_amount.currency") != Some(session.text("currency")) {
            let message = "A shipping rate must have the currency of the session.";
            return Err(ApiError::invalid(message).about(&param));
        }
        options.push(json!({ "shipping_amount": rate.at("fixed_amount.amount"), "shipping_rate": rate.id() }));
    }
    let first = options.first().cloned().unwrap_or_default();
    session.set("shipping_options", options);
    session.set("shipping_cost", cost(&first));
    Ok(())
}

fn cost(option: &Value) -> Value {
    let amount = &option["shipping_amount"];
    json!({
        "amount_subtotal": amount, "amount_tax": 0, "amount_total": amount, "shipping_rate": option["shipping_rate"],
    })
}

/// Selects another shipping option for an open session.
///
/// # Errors
/// The session is unknown or not open, or has no such option.
pub fn choose(st: &mut State, id: &str, rate: &str) -> Result<Value, ApiError> {
    let session = st.load("checkout.session", id, "id")?;
    let option = session.list_at("shipping_options").iter().find(|option| option["shipping_rate"] == rate);
    let Some(option) = option.filter(|_| session.text("status") == "open") else {
        return Err(ApiError::no_such("shipping option", rate, "shipping_rate"));
    };
    let mut next = Object::clone(&session);
    next.set("shipping_cost", cost(option));
    totals::set(&mut next);
    Ok(st.put(next).value())
}
