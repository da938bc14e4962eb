//! How one product of the catalog is sold: the quantity, the trial and the refund that it has of its own. They take precedence
//! over the clauses of its type.

use super::buy::Quantity;
use super::schema::{RefundTerms, TypeDecl};
use super::span::Delay;
use crate::model::halt::{Ruled, wrong_field};
use crate::model::json::Object;
use extension_contract::FieldErrorCode;
use serde::de::DeserializeOwned;

/// Member of a product with the quantities of a purchase. Like the next two, it is stored as a field of the metadata.
pub(crate) const QUANTITY: &str = "quantity";
/// Member with the trial.
pub(crate) const TRIAL: &str = "trial";
/// Member with the refund.
pub(crate) const REFUND: &str = "refund";
/// The longest trial in days, at Stripe (`trial_period_days`).
const TRIAL_DAYS_MAX: u32 = 730;

/// How one product is sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sale {
    /// The quantities of a purchase.
    pub quantity: Option<Quantity>,
    /// The days of a trial before the first payment.
    pub trial_days: Option<u32>,
    /// When a one-time payment may be refunded.
    pub refund: Option<RefundTerms>,
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
        let days = format!("whole days from 1d to {TRIAL_DAYS_MAX}d, such as 14d");
        let trial_days = match member::<Delay>(metadata, TRIAL, &days)? {
            None => None,
            Some(trial) => match trial.whole_days().filter(|days| (1..=TRIAL_DAYS_MAX).contains(days)) {
                None => return Err(wrong_field(&format!("/metadata/{TRIAL}"), FieldErrorCode::OutOfRange, "", days)),
                days => days,
            },
        };
        let refund = member::<RefundTerms>(metadata, REFUND, "{within}, such as {within: 14d}")?;
        Ok(Sale { quantity: quantity.or(of_type), trial_days, refund: refund.or(decl.refund) })
    }

    /// Returns the smallest and the largest quantity of a purchase.
    pub fn quantities(&self) -> (u32, u32) {
        self.quantity.map_or((1, 1), |quantity| (quantity.at_least, quantity.at_most))
    }
}

/// Reads a member of the metadata.
fn member<T: DeserializeOwned>(metadata: &Object, name: &str, expected: &str) -> Ruled<Option<T>> {
    let Some(written) = metadata.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    match extension_reader::from_str(&written.to_string()) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(wrong_field(&format!("/metadata/{name}"), FieldErrorCode::WrongType, "", expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(metadata: Value) -> Result<Sale, ()> {
        let decl: TypeDecl =
            extension_reader::from_str(r#"{"name": "plan", "fields": [], "refund": {"within": "1d"}}"#)
                .expect("a type");
        Sale::of(&decl, metadata.as_object().expect("an object")).map_err(drop)
    }

    #[test]
    fn a_product_has_its_own_terms_before_those_of_its_type() {
        let seats = read(json!({"quantity": {"at_least": 3, "at_most": 100}, "trial": "14d"})).expect("terms");
        assert_eq!((seats.quantities(), seats.trial_days), ((3, 100), Some(14)));
        assert!(seats.refund.is_some(), "the type's");
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
            json!({"trial": "36h"}),
            json!({"trial": "0d"}),
            json!({"trial": "731d"}),
            json!({"trial": 14}),
            json!({"refund": "14d"}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
