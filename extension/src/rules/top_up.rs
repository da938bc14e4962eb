//! `account.top_up`: buys credits automatically when they run low, up to an amount a month. The account chooses the product, and is
//! never charged another amount than it has agreed to.

use crate::actions::failed_effect::unattended_result;
use crate::actions::top_up::{agreed, give_up, stop, turn_off};
use crate::catalog::product::whole_number;
use crate::derive::customer::customer;
use crate::derive::standing::standing;
use crate::derive::{currency, offer};
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::top_up::{Stopped, TopUp};
use crate::model::time::month_id;
use extension_contract::{EffectReport, FieldErrorCode, IgnoreReason, Outcome, PurchaseStatus, Refusal};
use serde_json::json;

/// `account.top_up`: turns the top-up on or changes it; without a product, turns it off.
pub(super) fn set(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let known = desk.account.row::<TopUp>(TopUp::ID)?;
    let settings = desk.catalog.settings()?;
    if body.is_empty() {
        let Some(mut row) = known.filter(|row| row.on || row.stopped.is_some()) else {
            return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
        };
        turn_off(desk, &mut row)?;
        desk.account.put(TopUp::ID, row);
        return Ok(Verdict::answered(Answer::Value(encode(&json!({"on": false}))?)));
    }
    let Some(terms) = settings.top_up.as_ref() else {
        return Err(Refusal::NotFound("the policy `top_up`: this business has none".to_owned()).into());
    };
    let offer = offer::find(&desk.catalog, body)?;
    if !offer.is_credit()? {
        let expected = "a product that is sold once and gives credits";
        return Err(wrong_field("/product_id", FieldErrorCode::NotAllowed, "", expected));
    }
    let unit_price = currency::unit_price(desk, body, &offer.price)?;
    let standing = standing(desk)?;
    offer.check_buyer(desk, &standing)?;
    let amount = offer.agreed(unit_price, &settings.provider)?.amount;
    // Nobody agrees to an amount that they have not seen.
    if whole_number(body, "amount_minor", 1..=i64::MAX)? != amount.amount_minor {
        let expected = format!("{} {}, which it costs", amount.amount_minor, amount.currency);
        return Err(wrong_field("/amount_minor", FieldErrorCode::NotAllowed, "", expected));
    }
    if amount.amount_minor > terms.at_most {
        let expected = format!("a product of at most {} minor units", terms.at_most);
        return Err(wrong_field("/product_id", FieldErrorCode::OutOfRange, "", expected));
    }
    let limit_minor = whole_number(body, "limit_minor", amount.amount_minor..=terms.at_most)?;
    let below_minor = whole_number(body, "below_minor", 1..=terms.at_most)?;
    // Only what was bought before leaves a card with which more can be bought.
    if customer(desk)?.is_none() {
        let needed = "a card at Stripe: buy a product first".to_owned();
        return Err(Refusal::RequirementUnmet(needed).into());
    }
    let (month, asked_minor, open, number) =
        known.map(|row| (row.month, row.asked_minor, row.open, row.number)).unwrap_or_default();
    let row = TopUp {
        product: offer.product.id.as_str().into(),
        quantity: offer.quantity,
        amount,
        terms: agreed(&offer, settings.tax)?,
        below_minor,
        limit_minor,
        on: true,
        since: desk.now,
        stopped: None,
        month,
        asked_minor,
        open,
        number,
    };
    let this_month = if row.month == month_id(desk.now) { row.asked_minor } else { 0 };
    let reply = json!({
        "on": true, "product_id": row.product, "quantity": row.quantity, "amount_minor": row.amount.amount_minor,
        "currency": row.amount.currency, "below_minor": below_minor, "limit_minor": limit_minor, "spent_minor": this_month,
    });
    desk.account.put(TopUp::ID, row);
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Stripe's codes of a card that does not pay, and the provider's code of a customer without a card.
const DECLINES: [&str; 7] = [
    "card_declined",
    "authentication_required",
    "expired_card",
    "incorrect_cvc",
    "incorrect_number",
    "processing_error",
    "no_card",
];

/// Handles the result of the payment request. The event about the payment makes the credits; a payment that fails turns the top-up off.
pub(super) fn charged(desk: &mut Desk<'_>, id: &str, report: &EffectReport) -> Ruled<Outcome> {
    let purchase = desk.account.row::<PurchaseRow>(id)?;
    // A payment that has become known before has not failed.
    let (Err(failure), Some(purchase)) =
        (&report.answer, purchase.filter(|row| row.values.status != PurchaseStatus::Paid))
    else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    };
    let amount = purchase.values.total.clone();
    let mut row = desk.account.row::<TopUp>(TopUp::ID)?;
    give_up(desk, row.as_mut(), id, purchase, Some(json!({"code": failure.code})));
    let Some(mut row) = row else { return Ok(Outcome::Applied) };
    let is_declined = DECLINES.contains(&failure.code.as_str());
    let because = if is_declined { Stopped::Declined } else { Stopped::Failed };
    stop(desk, &mut row, because, &amount, id)?;
    desk.account.put(TopUp::ID, row);
    // A declined card is the customer's matter, and anything else the operators'.
    if is_declined { Ok(Outcome::Applied) } else { unattended_result(desk, report) }
}
