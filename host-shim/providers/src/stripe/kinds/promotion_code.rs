//! Creates and deactivates promotion codes, each with a coupon of its own.

use super::{EXISTS, currency, member};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::{Marks, SCOPE};
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use stripe_client_core::StripeRequest;
use stripe_product::coupon::{CreateCoupon, CreateCouponAppliesTo, CurrencyOption};
use stripe_product::promotion_code::{
    CreatePromotionCode, CreatePromotionCodePromotion, CreatePromotionCodePromotionType, UpdatePromotionCode,
};
use stripe_shared::CouponDuration;

/// Metadata name of the code in the catalog.
const CODE: &str = "code";

/// `stripe.promotion_code.create`: takes `code`, `duration` (`once`, `repeating` or `forever`), `duration_in_months`, `percent_off` (a
/// decimal) or `amount_off` in minor units with `currency` and `currencies` (minor units by other currency), `max_redemptions`, `redeem_by` in milliseconds, and `prices`, whose products
/// are discounted; returns `promotion_code`. A former promotion code of the catalog with this code is deactivated first. Refuses a code
/// that somebody else has at Stripe.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let code = payload.text("code")?;
    let request = coupon(api, payload, &marks, code)?;
    let mut active = Vec::new();
    recovery::pages(api, "/promotion_codes", &[("code", code), ("active", "true")], 1, &mut |found| {
        active.push(found);
        Ok(true)
    })?;
    for found in &active {
        let id = member(found, "id")?;
        if marks.made(found)? {
            return Ok(json!({"promotion_code": id}));
        }
        let written = |name: &str| found.get("metadata")?.get(name)?.as_str();
        if written(SCOPE) != Some(&marks.scope) || written(CODE) != Some(code) {
            return Err(Failed::Taken(format!("promotion code {code}")));
        }
        api.post(UpdatePromotionCode::new(id).active(false).build(), &marks, &format!("deactivate-{id}"))?;
    }
    let id = marks.id("coupon_");
    match api.post(request.build(), &marks, "coupon") {
        Err(Failed::Error { code, .. }) if code == EXISTS => {
            if !marks.made(&api.get(format!("/coupons/{id}"), &[])?.object)? {
                return Err(Failed::Taken(id));
            }
        }
        made => drop(made?),
    }
    let mut promotion = CreatePromotionCodePromotion::new(CreatePromotionCodePromotionType::Coupon);
    promotion.coupon = Some(id);
    let request = CreatePromotionCode::new(promotion).code(code).metadata(marks.on(metadata(code)));
    Ok(json!({"promotion_code": member(&api.post(request.build(), &marks, "code")?, "id")?}))
}

fn metadata(code: &str) -> HashMap<String, String> {
    HashMap::from([(CODE.to_owned(), code.to_owned())])
}

/// Returns the request for the coupon.
fn coupon(api: &Api<'_>, payload: Payload<'_>, marks: &Marks, code: &str) -> Result<CreateCoupon, Failed> {
    let duration = match payload.text("duration")? {
        "once" => CouponDuration::Once,
        "repeating" => CouponDuration::Repeating,
        "forever" => CouponDuration::Forever,
        _ => return Err(Failed::Payload { member: "duration", expected: "once, repeating or forever" }),
    };
    let mut request =
        CreateCoupon::new().id(marks.id("coupon_")).name(code).duration(duration).metadata(marks.on(metadata(code)));
    if let Some(months) = payload.maybe_int("duration_in_months")? {
        request = request.duration_in_months(months);
    }
    if let Some(percent) = payload.maybe_text("percent_off")? {
        let parsed = percent.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
        request = request.percent_off(
            parsed.ok_or(Failed::Payload { member: "percent_off", expected: "a decimal up to 100, such as 12.5" })?,
        );
    }
    if let Some(amount) = payload.maybe_amount("amount_off")? {
        request = request.amount_off(amount).currency(currency(payload.text("currency")?)?);
    }
    let others = payload.amounts_by_currency("currencies", 1)?;
    if !others.is_empty() {
        let options = others.into_iter().map(|(currency, minor)| (currency, CurrencyOption::new(minor)));
        request = request.currency_options(options.collect::<HashMap<_, _>>());
    }
    if let Some(count) = payload.maybe_amount("max_redemptions")? {
        request = request.max_redemptions(count);
    }
    if let Some(at) = payload.maybe_int("redeem_by")? {
        request = request.redeem_by(at.div_euclid(1_000));
    }
    let mut products = BTreeSet::new();
    for price in payload.ids("prices")? {
        let price = api.get(format!("/prices/{price}"), &[])?.object;
        products.insert(member(&price, "product")?.to_owned());
    }
    if !products.is_empty() {
        let mut applies_to = CreateCouponAppliesTo::new();
        applies_to.products = Some(products.into_iter().collect());
        request = request.applies_to(applies_to);
    }
    Ok(request)
}

/// `stripe.promotion_code.update`: takes `promotion_code`, `active`; returns `promotion_code`.
pub(crate) fn update(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let payload = Payload::of(call);
    let id = payload.id("promotion_code")?;
    let active =
        payload.maybe_flag("active")?.ok_or(Failed::Payload { member: "active", expected: "true or false" })?;
    api.post(UpdatePromotionCode::new(id).active(active).build(), &Marks::of(call), "update")?;
    Ok(json!({"promotion_code": id}))
}
