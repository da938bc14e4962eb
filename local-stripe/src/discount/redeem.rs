//! Finds the coupon of a request, by its id or by a promotion code, and checks that it can be redeemed.

use serde_json::{Value, json};

use crate::calendar;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, ParamKind, opt};
use crate::state::State;

/// The maximum number of discounts in one request, Stripe's limit.
const DISCOUNTS_MAX: usize = 20;

/// The type of the parameter `discounts`.
pub const DISCOUNTS: ParamKind = ParamKind::List(&ParamKind::Map(&[
    opt("coupon", ParamKind::Text),
    opt("discount", ParamKind::Text),
    opt("promotion_code", ParamKind::Text),
]));

/// A coupon that can be redeemed, with its promotion code if the request contains one.
#[derive(Debug, Clone)]
pub struct Redeemed {
    /// The coupon.
    pub coupon: Object,
    /// The promotion code's id, or null.
    pub promotion_code: Value,
}

/// The purchase that a discount applies to.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// The customer's id, if it is known.
    pub customer: Option<&'a str>,
    /// The amount of the purchase in minor units, for promotion codes with a minimum.
    pub amount: i64,
    /// The currency's lower-case code.
    pub currency: &'a str,
}

/// Whether a coupon can be redeemed at a time.
pub fn is_valid(coupon: &Object, now_s: i64) -> bool {
    let in_time = coupon.int_at("redeem_by").is_none_or(|by| by > now_s);
    in_time && coupon.int_at("max_redemptions").is_none_or(|most| coupon.int("times_redeemed") < most)
}

/// Returns the coupons in the entries of the parameter `discounts`. Entries that refer to an existing discount are
/// skipped; the caller handles them.
///
/// # Errors
/// There are too many entries, an entry does not contain exactly one coupon, code or discount, a coupon occurs twice,
/// or a coupon or code can't be redeemed.
pub fn read(st: &State, entries: &[Value], param: &str, purpose: Purpose<'_>) -> Result<Vec<Redeemed>, ApiError> {
    if entries.len() > DISCOUNTS_MAX {
        let message = format!("At most {DISCOUNTS_MAX} discounts can be given.");
        return Err(ApiError::invalid(message).about(param));
    }
    let mut out: Vec<Redeemed> = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let entry = Args::of(entry.clone());
        let here = format!("{param}[{n}]");
        let redeemed = match (entry.text("coupon"), entry.text("promotion_code"), entry.text("discount")) {
            (Some(id), None, None) => by_coupon(st, id, &format!("{here}[coupon]"), purpose)?,
            (None, Some(id), None) => by_code(st, id, &format!("{here}[promotion_code]"), purpose)?,
            (None, None, Some(_)) => continue,
            _ => {
                let message = "Exactly one of these parameters must be given: coupon, promotion_code, discount.";
                return Err(ApiError::invalid(message).about(&here));
            }
        };
        if out.iter().any(|other| other.coupon.id() == redeemed.coupon.id()) {
            let message = format!("The coupon {} is given twice.", redeemed.coupon.id());
            return Err(ApiError::invalid(message).about(&here));
        }
        out.push(redeemed);
    }
    Ok(out)
}

/// Returns the coupon with an id.
///
/// # Errors
/// The coupon is unknown or can't be redeemed.
pub fn by_coupon(st: &State, id: &str, param: &str, purpose: Purpose<'_>) -> Result<Redeemed, ApiError> {
    let coupon = st.load("coupon", id, param)?;
    check(st, &coupon, param, purpose)?;
    Ok(Redeemed { coupon: Object::clone(&coupon), promotion_code: Value::Null })
}

/// Returns the coupon of the promotion code with an id.
///
/// # Errors
/// Returns the amount that a coupon deducts in a currency.
pub fn amount_off(coupon: &Value, currency: &str) -> Option<i64> {
    match coupon["currency"] == currency {
        true => coupon["amount_off"].as_i64(),
        false => coupon["currency_options"][currency]["amount_off"].as_i64(),
    }
}

/// The code is unknown, inactive or not valid for this purchase, or its coupon can't be redeemed.
pub fn by_code(st: &State, id: &str, param: &str, purpose: Purpose<'_>) -> Result<Redeemed, ApiError> {
    let code = st.load("promotion_code", id, param)?;
    let refused = |message: &str| Err(ApiError::coded("promotion_code_invalid", message).about(param));
    let now = purpose.customer.map_or(st.clock_s(), |customer| st.now(&st.copy_if_any(customer)));
    let is_used_up = code.int_at("max_redemptions").is_some_and(|most| code.int("times_redeemed") >= most);
    if !code.is("active") || is_used_up || code.int_at("expires_at").is_some_and(|end| end <= now) {
        return refused("This promotion code is not active, has expired or was redeemed as often as it may be.");
    }
    if code.text_at("customer").is_some_and(|owner| purpose.customer != Some(owner)) {
        return refused("This promotion code is for another customer.");
    }
    if code.at("restrictions.first_time_transaction") == true && has_paid(st, purpose.customer) {
        return refused("This promotion code is for customers who have not paid anything yet.");
    }
    let minimum = code.int_at("restrictions.minimum_amount").unwrap_or(0);
    let wrong_currency = code.text_at("restrictions.minimum_amount_currency").is_some_and(|c| c != purpose.currency);
    if minimum > 0 && (wrong_currency || purpose.amount < minimum) {
        return refused("This promotion code asks for a greater amount.");
    }
    let coupon = st.load("coupon", code.text_at("promotion.coupon").unwrap_or_default(), param)?;
    check(st, &coupon, param, purpose)?;
    Ok(Redeemed { coupon: Object::clone(&coupon), promotion_code: json!(id) })
}

fn has_paid(st: &State, customer: Option<&str>) -> bool {
    customer.is_some_and(|id| st.newest("charge", Some(id)).any(|charge| charge.text("status") == "succeeded"))
}

fn check(st: &State, coupon: &Object, param: &str, purpose: Purpose<'_>) -> Result<(), ApiError> {
    let id = coupon.id();
    let now = purpose.customer.map_or(st.clock_s(), |customer| st.now(&st.copy_if_any(customer)));
    if !is_valid(coupon, now) {
        let message = format!("Coupon {id} is used up or expired, and cannot be applied.");
        return Err(ApiError::coded("coupon_expired", message).about(param));
    }
    let lacks_currency = || !purpose.currency.is_empty() && amount_off(&coupon.value(), purpose.currency).is_none();
    if !coupon.get("amount_off").is_null() && lacks_currency() {
        let message = format!("The coupon {id} is in {}, not in {}.", coupon.text("currency"), purpose.currency);
        return Err(ApiError::invalid(message).about(param));
    }
    Ok(())
}

/// Creates the discount of a coupon, which starts at `start_s` (Unix seconds).
pub fn redeem(
    st: &mut State,
    redeemed: &Redeemed,
    customer: &Value,
    start_s: i64,
    edit: impl FnOnce(&mut Object),
) -> Object {
    let coupon = st.change(&redeemed.coupon.key(), |c| {
        c.set("times_redeemed", c.int("times_redeemed") + 1);
        c.set("valid", is_valid(c, start_s));
    });
    if let Some(code) = redeemed.promotion_code.as_str() {
        st.change(code, |c| c.set("times_redeemed", c.int("times_redeemed") + 1));
    }
    let end = coupon.int_at("duration_in_months").map(|months| calendar::add(start_s, "month", months));
    let id = st.new_id("di");
    let mut discount = model::discount::discount(id, start_s, customer, &coupon, end);
    discount.set("promotion_code", redeemed.promotion_code.clone());
    edit(&mut discount);
    Object::clone(&st.put(discount))
}
