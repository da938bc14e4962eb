//! The policy `cancel_offer`: a coupon for customers who are about to leave, so that they stay.

use super::coupon::Coupons;
use super::mistakes::Mistakes;
use super::words::one_of;
use extension_contract::FieldErrorCode;
use serde::{Deserialize, Serialize};

/// The offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelOffer {
    /// The code of the coupon.
    pub coupon: String,
    /// The reasons to leave for which it is offered; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl CancelOffer {
    /// Returns whether it is offered to somebody who leaves for this reason.
    pub fn is_for(&self, reason: Option<&str>) -> bool {
        self.reasons.is_empty() || reason.is_some_and(|reason| self.reasons.iter().any(|known| known == reason))
    }
}

/// Checks the policy against the reasons that customers can give. `known` has the coupons that a partial catalog does not name.
pub(crate) fn check(
    offer: &CancelOffer,
    cancel_reasons: &[String],
    (coupons, known): (&Coupons, &[&str]),
    mistakes: &mut Mistakes,
) {
    const PATH: &str = "/policies/cancel_offer";
    let names: Vec<&str> = coupons.keys().map(String::as_str).chain(known.iter().copied()).collect();
    if !names.contains(&offer.coupon.as_str()) {
        let place = format!("{PATH}/coupon");
        mistakes.unknown(&place, &offer.coupon, "is not a coupon", one_of(&names));
    }
    for (index, reason) in offer.reasons.iter().enumerate() {
        let place = format!("{PATH}/reasons/{index}");
        if offer.reasons.iter().take(index).any(|before| before == reason) {
            mistakes.add(&place, FieldErrorCode::Taken, format!("`{reason}` is named twice"), "each reason once");
        } else if !cancel_reasons.contains(reason) && !mistakes.is_wrong("/policies/cancel_reasons") {
            mistakes.unknown(&place, reason, "is not one of `cancel_reasons`", one_of(cancel_reasons));
        }
    }
}
