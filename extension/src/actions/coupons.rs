//! Keeps the promotion codes at Stripe as the clause `coupons` says. Each code has one request at a time: its answer leads to the
//! next request if the catalog was changed meanwhile.

use crate::catalog::coupon::Coupon;
use crate::catalog::known_coupon::{Asked, KnownCoupon, MadeCoupon};
use crate::catalog::price::prices_of;
use crate::catalog::settings::Settings;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::effect_kinds::PROMOTION_CODE_CREATE;
use crate::model::halt::{Ruled, internal, wrong_field};
use crate::model::json::{Object, decode};
use crate::model::keys::EffectKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::time::date;
use extension_contract::{Effect, EffectReport, FieldErrorCode, IgnoreReason, Outcome, Refusal};
use serde_json::{Value, json};

/// Requests what Stripe lacks. A code for products whose prices are being created waits for them.
pub(crate) fn request_missing(desk: &mut Desk<'_>, settings: &mut Settings) -> Ruled<()> {
    let mut coupons = std::mem::take(&mut settings.coupons);
    coupons.retain(|_, known| known.wanted.is_some() || known.made.is_some() || known.asked.is_some());
    for (code, known) in &mut coupons {
        request_next(desk, settings, code, known)?;
    }
    settings.coupons = coupons;
    Ok(())
}

fn request_next(desk: &mut Desk<'_>, settings: &Settings, code: &str, known: &mut KnownCoupon) -> Ruled<()> {
    if known.asked.is_some() {
        return Ok(());
    }
    let (asked, payload) = match (&known.wanted, &known.made) {
        (Some(wanted), Some(made)) if *wanted == made.coupon => return Ok(()),
        (Some(wanted), _) => {
            let is_over = wanted.until.is_some_and(|day| day.end() <= desk.now);
            let Some(prices) = prices(desk, settings, wanted)?.filter(|_| !is_over) else { return Ok(()) };
            (Asked::Create(wanted.clone()), payload(code, wanted, &prices, &settings.currency))
        }
        (None, Some(made)) => (Asked::Deactivate, json!({"promotion_code": made.promotion_code, "active": false})),
        (None, None) => return Ok(()),
    };
    let (name, asked_by) = (code.to_owned(), desk.event_hash());
    let key = match asked {
        Asked::Create(_) => EffectKey::CreateCode { code: name.clone(), asked_by },
        Asked::Deactivate => EffectKey::DeactivateCode { code: name.clone(), asked_by },
    };
    let effect = request(&key, &payload, Some(&Correlation::PromotionCode { code: name }))?;
    desk.account.ask(Effect { ordering_key: Some(format!("code:{code}")), ..effect });
    known.asked = Some(asked);
    Ok(())
}

/// Returns Stripe's ids of the prices that are discounted; `None` if one of them is not created yet.
fn prices(desk: &Desk<'_>, settings: &Settings, coupon: &Coupon) -> Ruled<Option<Vec<String>>> {
    let mut ids = Vec::new();
    for product in &coupon.products {
        let Some(row) = desk.catalog.product(product)? else { return Ok(None) };
        let metadata = desk.catalog.metadata(product)?;
        for price in prices_of(&row.values, &metadata, &settings.currency) {
            let Some(id) = price.id else { return Ok(None) };
            ids.push(id.to_string());
        }
    }
    Ok(Some(ids))
}

/// Returns the payload of the request for a promotion code.
fn payload(code: &str, coupon: &Coupon, prices: &[String], currency: &str) -> Value {
    let mut payload = json!({"code": code, "duration": coupon.duration()});
    if let Some(percent) = coupon.percent {
        payload["percent_off"] = json!(percent);
    }
    if let Some((amount, others)) = coupon.amount_minor.as_ref().and_then(|amount| amount.amounts(currency)) {
        payload["amount_off"] = json!(amount);
        payload["currency"] = json!(currency);
        if !others.is_empty() {
            payload["currencies"] = json!(others);
        }
    }
    if let Some(months) = coupon.months {
        payload["duration_in_months"] = json!(months);
    }
    if let Some(count) = coupon.max_redemptions {
        payload["max_redemptions"] = json!(count);
    }
    if let Some(day) = coupon.until {
        payload["redeem_by"] = json!(day.end());
    }
    if !prices.is_empty() {
        payload["prices"] = json!(prices);
    }
    payload
}

/// Returns the code as the catalog writes it and Stripe's promotion code, for a checkout of a product. Fails if the code is unknown, has
/// ended or does not discount the product.
pub(crate) fn usable(desk: &Desk<'_>, given: &str, product: &str) -> Ruled<(String, String)> {
    let settings = desk.catalog.settings()?;
    let not = |code, found: String| wrong_field("/code", code, found, "");
    let is_named = |code: &str| code.eq_ignore_ascii_case(given);
    let named = settings.coupons.iter().find(|(code, known)| known.wanted.is_some() && is_named(code));
    let known = named.and_then(|(code, known)| Some((code, known.wanted.as_ref()?, known.made.as_ref())));
    // Does not list the other codes, which are not for everybody.
    let Some((code, wanted, made)) = known else {
        return Err(not(FieldErrorCode::NotAllowed, "this code is unknown".to_owned()));
    };
    if let Some(day) = wanted.until.filter(|day| day.end() <= desk.now) {
        return Err(not(FieldErrorCode::OutOfRange, format!("this code was valid until {}", date(day.end() - 1))));
    }
    if !wanted.products.is_empty() && !wanted.products.iter().any(|discounted| discounted == product) {
        return Err(not(FieldErrorCode::NotAllowed, format!("this code gives no discount on `{product}`")));
    }
    match made.filter(|made| made.coupon == *wanted) {
        Some(made) => Ok((code.clone(), made.promotion_code.clone())),
        None => Err(Refusal::BadTransition(format!("the code {code} is being created at Stripe")).into()),
    }
}

/// Handles the answer to a request. After a failure the operators get a mail, and the next load of the catalog asks again.
pub(crate) fn answered(desk: &mut Desk<'_>, code: &str, report: &EffectReport) -> Ruled<Outcome> {
    let mut settings = (*desk.catalog.settings()?).clone();
    let Some(known) = settings.coupons.get_mut(code) else { return Ok(Outcome::Ignored(IgnoreReason::NoChange)) };
    let Some(asked) = known.asked.take() else { return Ok(Outcome::Ignored(IgnoreReason::NoChange)) };
    match &report.answer {
        Err(failure) => {
            let values = json!({"product": code, "code": failure.code});
            send_once(&mut desk.account, &mail_kinds::SYNC_FAILED, &report.key, &values)?;
        }
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            known.made = match asked {
                Asked::Deactivate => None,
                Asked::Create(coupon) => {
                    let id = answer.get("promotion_code").and_then(Value::as_str);
                    let missing =
                        || internal(format!("{}: the result of {PROMOTION_CODE_CREATE} has no id", report.key));
                    Some(MadeCoupon { coupon, promotion_code: id.ok_or_else(missing)?.to_owned() })
                }
            };
            request_missing(desk, &mut settings)?;
        }
    }
    super::put_product::save_settings(desk, &settings)?;
    Ok(Outcome::Applied)
}
