//! The offer to customers who are about to leave (`cancel_offer`): with `subscription.keep` and its code they stay, and the present
//! subscription gets the discount. An account gets it once.

use crate::actions::coupons;
use crate::catalog::product::text;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::halt::{Ruled, wrong_field};
use crate::model::ids::SubscriptionId;
use crate::model::json::Object;
use crate::model::keys::FactKey;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::plus_days;
use extension_contract::{FieldErrorCode, Refusal, SubscriptionStatus};

/// Days of the longest month.
const LONG_MONTH_DAYS: u32 = 31;

/// Returns the code that a command accepts and Stripe's promotion code; `None` if it names no code. Fails if it is not offered.
pub(super) fn accepted(
    desk: &mut Desk<'_>,
    body: &Object,
    standing: &AccountStanding,
    (id, row): (&SubscriptionId, &SubscriptionRow),
    is_changing: bool,
) -> Ruled<Option<(String, String)>> {
    let reason = text(body, "reason")?.filter(|reason| !reason.is_empty());
    let Some(given) = text(body, "code")?.filter(|code| !code.is_empty()) else {
        return match reason {
            Some(_) => {
                Err(wrong_field("/reason", FieldErrorCode::NotAllowed, "", "`reason` only together with `code`"))
            }
            None => Ok(None),
        };
    };
    let not = |problem: &str| Err(Refusal::BadTransition(problem.to_owned()).into());
    let offer = standing.settings.cancel_offer.as_ref().filter(|offer| offer.coupon.eq_ignore_ascii_case(&given));
    let Some(offer) = offer else {
        return Err(wrong_field("/code", FieldErrorCode::NotAllowed, "this code is not offered", ""));
    };
    // Whoever has cancelled has said why, unless the reason was optional.
    let reason = reason.or_else(|| row.because().reason.filter(|_| row.is_leaving()));
    if !offer.is_for(reason.as_deref()) {
        let found = "the code is not offered for this reason";
        return Err(wrong_field("/reason", FieldErrorCode::NotAllowed, found, ""));
    }
    if !matches!(row.status(), SubscriptionStatus::Active | SubscriptionStatus::Trialing) || row.paused.is_some() {
        return not("only an active subscription or one in its trial can get the discount");
    }
    if is_changing {
        return not("a change of the subscription is planned");
    }
    // A request for this subscription that has not begun is replaced.
    let asked = desk.account.all_where(|billing: &BillingHistory| billing.offer.is_some())?;
    let is_asked = asked.iter().any(|(other, _)| *other != **id);
    if is_asked || desk.account.is_known(&FactKey::StayedWithOffer.to_string())? {
        return not("the account has already used this offer");
    }
    let items = row.state().items.clone();
    let made = standing.settings.coupons.get(&offer.coupon).and_then(|known| known.made.as_ref());
    // A discount of some months is not yet over after as many long months.
    let lasts_until =
        made.and_then(|made| made.coupon.months).map(|months| plus_days(desk.now, months * LONG_MONTH_DAYS));
    let mut found = None;
    for item in &items {
        if lasts_until.is_some_and(|end| end < item.period_end) {
            return not("the discount would be over before the next payment");
        }
        let Some(price) = desk.catalog.price(&item.price_id.as_str().into())? else { continue };
        match coupons::usable(desk, &offer.coupon, &price.product_id) {
            Ok(usable) => return Ok(Some(usable)),
            Err(halt) => found = Some(halt),
        }
    }
    Err(found.unwrap_or_else(|| Refusal::NotFound("a product of the subscription".to_owned()).into()))
}
