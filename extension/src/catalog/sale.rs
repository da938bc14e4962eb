//! How one product of the catalog is sold: the quantity, the trial and the refund that it has of its own. They take precedence
//! over the clauses of its type.

use super::buy::Quantity;
use super::mistakes::refusal;
use super::schema::{RefundTerms, TypeDecl};
use super::span::{Delay, Span};
use crate::model::halt::{Ruled, wrong_field};
use crate::model::json::Object;
use extension_contract::FieldErrorCode;
use extension_reader::ErrorKind;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Member of a product with the quantities of a purchase. Like the next three, it is stored as a field of the metadata.
pub(crate) const QUANTITY: &str = "quantity";
/// Member with the trial.
pub(crate) const TRIAL: &str = "trial";
/// Member with the refund.
pub(crate) const REFUND: &str = "refund";
/// Member with the pause.
pub(crate) const PAUSE: &str = "pause";
/// The longest trial in days, at Stripe (`trial_period_days`).
const TRIAL_DAYS_MAX: u32 = 730;

/// What a trial is expected to look like.
const TRIAL_FORM: &str = "whole days, such as 14d, or {for, card, at, then}, such as {for: 14d, card: optional}";
/// Member of an offer whose trial the account has used, if its checkout follows the trial.
pub(crate) const AFTER_TRIAL: &str = "after_trial";

/// A trial before the first payment of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// How long it is, in whole days.
    #[serde(rename = "for")]
    pub length: Delay,
    /// Whether the checkout asks for a card.
    #[serde(default)]
    pub card: TrialCard,
    /// What it begins with.
    #[serde(default)]
    pub at: TrialStart,
    /// What follows it if the customer has no card.
    #[serde(default)]
    pub then: TrialThen,
}

impl Trial {
    /// Returns the number of days.
    pub fn days(&self) -> u32 {
        self.length.whole_days().unwrap_or_default()
    }

    /// Returns whether the trial may end without a card, so that nothing is paid for what follows.
    pub fn may_end_unpaid(&self) -> bool {
        self.card == TrialCard::Optional || self.at == TrialStart::SignUp
    }
}

/// How long a subscription may be paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PauseTerms {
    /// The longest time without payments, from the end of the period that is paid for.
    pub at_most: Span,
}

/// Whether a trial needs a card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TrialCard {
    /// The card that the checkout asks for is charged when the trial ends.
    #[default]
    Required,
    /// The checkout asks for no card. A subscription without one ends with its trial.
    Optional,
}

/// What a trial begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TrialStart {
    /// The checkout of the plan: a subscription whose first payment is due after the trial.
    #[default]
    Checkout,
    /// The first event of a new account, without a subscription.
    SignUp,
}

/// What follows a trial without a card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TrialThen {
    /// The default plan.
    #[default]
    DefaultPlan,
    /// The checkout of the same product, to which the mail and the billing page lead. Until then the default plan is in force.
    Checkout,
}

impl TrialThen {
    /// Returns its name in the catalog.
    pub fn name(self) -> &'static str {
        match self {
            TrialThen::DefaultPlan => "default_plan",
            TrialThen::Checkout => "checkout",
        }
    }
}

/// Writes a trial as it is stored: `14d` as `{for: 14d}`.
pub(crate) fn stored_trial(written: Value) -> Value {
    if written.is_string() { json!({"for": written}) } else { written }
}

/// How one product is sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sale {
    /// The quantities of a purchase.
    pub quantity: Option<Quantity>,
    /// The trial before the first payment.
    pub trial: Option<Trial>,
    /// When a one-time payment may be refunded.
    pub refund: Option<RefundTerms>,
    /// When the first period of a subscription may be refunded. Only the product itself says so.
    pub first_period: Option<RefundTerms>,
    /// How long a subscription may be paused.
    pub pause: Option<PauseTerms>,
}

impl Sale {
    /// Reads the metadata of a product. Missing values are taken from its type. Fails with the first value that cannot
    /// be read.
    pub fn of(decl: &TypeDecl, metadata: &Object) -> Ruled<Sale> {
        let of_type = decl.buy.as_ref().and_then(|buy| buy.quantity);
        let expected = "{at_least, at_most}, whole numbers from 1, such as {at_most: 10}";
        let quantity = member::<Quantity>(metadata, QUANTITY, expected)?;
        if quantity.is_some_and(|quantity| quantity.at_least == 0 || quantity.at_least > quantity.at_most) {
            let expected = "1 or more, and `at_least` within `at_most`";
            return Err(wrong_field(&format!("/metadata/{QUANTITY}"), FieldErrorCode::OutOfRange, "", expected));
        }
        let trial = Sale::trial_of(metadata)?;
        if trial.is_some_and(|trial| !(1..=TRIAL_DAYS_MAX).contains(&trial.days())) {
            let expected = format!("whole days from 1d to {TRIAL_DAYS_MAX}d, such as 14d");
            return Err(wrong_field(&format!("/metadata/{TRIAL}"), FieldErrorCode::OutOfRange, "", expected));
        }
        let refund = member::<RefundTerms>(metadata, REFUND, "{within}, such as {within: 14d}")?;
        let pause = member::<PauseTerms>(metadata, PAUSE, "{at_most}, such as {at_most: 90d}")?;
        Ok(Sale { quantity: quantity.or(of_type), trial, refund: refund.or(decl.refund), first_period: refund, pause })
    }

    /// Returns the trial of a product's metadata.
    pub fn trial_of(metadata: &Object) -> Ruled<Option<Trial>> {
        member::<Trial>(metadata, TRIAL, TRIAL_FORM)
    }

    /// Returns the trial with which a checkout begins.
    pub fn checkout_trial(&self) -> Option<Trial> {
        self.trial.filter(|trial| trial.at == TrialStart::Checkout)
    }

    /// Returns the smallest and the largest quantity of a purchase.
    pub fn quantities(&self) -> (u32, u32) {
        self.quantity.map_or((1, 1), |quantity| (quantity.at_least, quantity.at_most))
    }
}

/// Reads a member of the metadata.
fn member<T: DeserializeOwned>(metadata: &Object, name: &str, expected: &str) -> Ruled<Option<T>> {
    let Some(written) = metadata.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let path = format!("/metadata/{name}");
    match extension_reader::from_str(&written.to_string()) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::UnknownName => Err(refusal(&path, &error)),
        Err(_) => Err(wrong_field(&path, FieldErrorCode::WrongType, "", expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metadata: Value) -> Result<Sale, ()> {
        let decl: TypeDecl =
            extension_reader::from_str(r#"{"name": "plan", "fields": [], "refund": {"within": "1d"}}"#)
                .expect("a type");
        Sale::of(&decl, metadata.as_object().expect("an object")).map_err(drop)
    }

    #[test]
    fn a_product_has_its_own_terms_before_those_of_its_type() {
        let seats = read(json!({"quantity": {"at_least": 3, "at_most": 100}, "trial": {"for": "14d"}})).expect("terms");
        let trial = seats.trial.expect("a trial");
        assert_eq!((seats.quantities(), trial.days(), trial.card), ((3, 100), 14, TrialCard::Required));
        assert_eq!(stored_trial(json!("14d")), json!({"for": "14d"}));
        let without_card = read(json!({"trial": {"for": "7d", "card": "optional"}})).expect("terms");
        assert_eq!(without_card.trial.map(|trial| trial.card), Some(TrialCard::Optional));
        assert!(seats.refund.is_some() && seats.first_period.is_none(), "the type's");
        let own = read(json!({"refund": {"within": "14d"}})).expect("terms");
        assert!(own.refund == own.first_period && own.refund != seats.refund, "its own");
        assert_eq!(read(json!({"trial": null})).expect("terms").quantities(), (1, 1));
        assert_eq!(read(json!({"quantity": {"at_most": 10}})).expect("terms").quantities(), (1, 10));
    }

    #[test]
    fn terms_that_nobody_can_meet_are_refused() {
        for wrong in [
            json!({"quantity": {"at_least": 0, "at_most": 3}}),
            json!({"quantity": {"at_least": 4, "at_most": 3}}),
            json!({"quantity": 3}),
            json!({"quantity": {"most": 3}}),
            json!({"trial": {"for": "36h"}}),
            json!({"trial": {"for": "0d"}}),
            json!({"trial": {"for": "731d"}}),
            json!({"trial": {"for": 14}}),
            json!({"trial": {"card": "optional"}}),
            json!({"trial": {"for": "14d", "crad": "optional"}}),
            json!({"trial": {"for": "14d", "at": "signup"}}),
            json!({"trial": {"for": "14d", "card": "optional", "then": "plan"}}),
            json!({"trial": {"for": "14d", "card": "none"}}),
            json!({"refund": "14d"}),
            json!({"pause": "90d"}),
            json!({"pause": {"at_most": "0d"}}),
            json!({"pause": {"most": "90d"}}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
