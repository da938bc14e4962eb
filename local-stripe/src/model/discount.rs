//! Builders of coupons, promotion codes and discounts.

use serde_json::{Value, json};

use crate::object::Object;

/// Builds a coupon; the caller sets its deduction.
pub fn coupon(id: String, created_s: i64, duration: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "coupon",
        "amount_off": null,
        "created": created_s,
        "currency": null,
        "duration": duration,
        "duration_in_months": null,
        "livemode": false,
        "max_redemptions": null,
        "metadata": {},
        "name": null,
        "percent_off": null,
        "redeem_by": null,
        "times_redeemed": 0,
        "valid": true,
    }))
}

/// Builds an active promotion code of a coupon.
pub fn promotion_code(id: String, created_s: i64, code: &str, coupon: &Object) -> Object {
    Object::of(json!({
        "id": id,
        "object": "promotion_code",
        "active": true,
        "code": code,
        "created": created_s,
        "customer": null,
        "customer_account": null,
        "expires_at": null,
        "livemode": false,
        "max_redemptions": null,
        "metadata": {},
        "promotion": { "coupon": coupon.id(), "type": "coupon" },
        "restrictions": { "first_time_transaction": false, "minimum_amount": null, "minimum_amount_currency": null },
        "times_redeemed": 0,
        "coupon": coupon.value(),
    }))
}

/// Builds a customer's discount from a coupon. It ends at `end_s` (Unix seconds), or never.
pub fn discount(id: String, start_s: i64, customer: &Value, coupon: &Object, end_s: Option<i64>) -> Object {
    Object::of(json!({
        "id": id,
        "object": "discount",
        "checkout_session": null,
        "customer": customer,
        "customer_account": null,
        "end": end_s,
        "invoice": null,
        "invoice_item": null,
        "promotion_code": null,
        "source": { "coupon": coupon.id(), "type": "coupon" },
        "start": start_s,
        "subscription": null,
        "subscription_item": null,
        "coupon": coupon.value(),
    }))
}
