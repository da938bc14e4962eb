//! The coupons that the catalog has given, each with what Stripe has of it.

use super::coupon::{Coupon, Coupons};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The coupons of the catalog in force by their codes, and those that Stripe still has.
pub(crate) type KnownCoupons = BTreeMap<String, KnownCoupon>;

/// A coupon: what the catalog wants, and what Stripe has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownCoupon {
    /// The discount; `None` if the catalog no longer gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Coupon>,
    /// The discount of the active promotion code at Stripe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<MadeCoupon>,
    /// What the unanswered request asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// A discount that Stripe has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeCoupon {
    /// What it gives.
    pub coupon: Coupon,
    /// Stripe's id of the promotion code.
    pub promotion_code: String,
}

/// A request about a promotion code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    /// A promotion code for this discount, in place of the code's former one.
    Create(Coupon),
    /// The end of the promotion code.
    Deactivate,
}

/// Returns the coupons after a catalog was loaded. A partial catalog keeps those that it does not name.
pub(crate) fn after_load(known: &KnownCoupons, document: Coupons, is_partial: bool) -> KnownCoupons {
    let mut all = known.clone();
    if !is_partial {
        all.values_mut().for_each(|known| known.wanted = None);
    }
    for (code, coupon) in document {
        all.entry(code).or_default().wanted = Some(coupon);
    }
    all
}

/// Returns whether customers can have codes of the catalog.
pub(crate) fn has_codes(coupons: &KnownCoupons) -> bool {
    coupons.values().any(|known| known.wanted.is_some())
}
