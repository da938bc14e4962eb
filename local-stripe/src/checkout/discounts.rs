//! The discount of a session: its effect on today's total, and its transfer to the subscription or payment.

use serde_json::{Value, json};

use super::totals;
use crate::discount::amount::{self, Discountable, Line};
use crate::discount::redeem::{self, Redeemed};
use crate::object::{Object, key};
use crate::state::State;

/// Sets or clears a session's discount, and computes its totals.
pub fn set(session: &mut Object, redeemed: Option<&Redeemed>) {
    let discounts: Vec<Value> = redeemed.iter().map(|one| json!({ "id": "", "coupon": one.coupon.value() })).collect();
    let mut lines = session.as_session().lines.clone();
    let looked_at: Vec<Line<'_>> = lines
        .iter()
        .map(|line| Line {
            amount: line["amount_subtotal"].as_i64().unwrap_or_default(),
            product: line["price"]["product"].as_str().unwrap_or_default(),
            discountable: Discountable::Always,
        })
        .collect();
    let taken = amount::take(&discounts, &looked_at, session.text("currency"));
    for (n, line) in lines.iter_mut().enumerate() {
        let off: i64 = taken.iter().map(|taken| taken.by_line[n]).sum();
        line["amount_discount"] = json!(off);
    }
    let off: i64 = taken.iter().map(amount::Deduction::total).sum();
    session.as_session_mut().lines = lines;
    session.as_session_mut().coupon = redeemed.map_or(Value::Null, |one| one.coupon.value());
    session.set_at("total_details.amount_discount", off);
    totals::set(session);
    let shown = redeemed.map(|one| {
        let coupon = if one.promotion_code.is_null() { json!(one.coupon.id()) } else { Value::Null };
        json!({ "coupon": coupon, "promotion_code": one.promotion_code })
    });
    session.set("discounts", shown.into_iter().collect::<Vec<_>>());
}

/// Counts the redemption of a session's discount in payment mode. In subscription mode, it is counted when the
/// subscription is created.
pub fn count(st: &mut State, id: &str) {
    let Ok(session) = st.find(id) else { return };
    for discount in session.list_at("discounts") {
        let promotion_code = discount["promotion_code"].clone();
        let of_code = promotion_code.as_str().map(|code| st.copy_if_any(code).at("promotion.coupon").clone());
        let coupon = of_code.unwrap_or_else(|| discount["coupon"].clone());
        let coupon = st.copy_if_any(&key("coupon", coupon.as_str().unwrap_or_default()));
        // A deleted coupon is not counted.
        if !coupon.is_absent() {
            let redeemed = Redeemed { coupon, promotion_code };
            let now = st.now(&session);
            redeem::redeem(st, &redeemed, session.get("customer"), now, |d| d.set("checkout_session", id));
        }
    }
}

/// Returns the session's discount as the parameter `discounts` of a subscription.
pub fn given(session: &Object) -> Value {
    session
        .list_at("discounts")
        .iter()
        .map(|discount| match discount["promotion_code"].as_str() {
            Some(code) => json!({ "promotion_code": code }),
            None => json!({ "coupon": discount["coupon"] }),
        })
        .collect()
}
