//! Automatic tax: where a customer is, where the seller collects taxes, and which rates therefore apply to a sale.
//!
//! The rates are the standard rates in [`rates`]; the real Stripe also has reduced rates, cities and districts. A place without a rate
//! can't be registered, so a missing row never leads to a wrong tax.

pub mod automatic;
pub mod calculation;
pub mod rates;
pub mod registration;
pub mod reversal;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::state::State;

/// The key of the account's tax settings. At Stripe, they have no id.
const SETTINGS: &str = "taxsettings";

/// The code of products that are never taxed.
pub const NOT_TAXABLE: &str = "txcd_00000000";
/// The tax codes that the sandbox knows, with their names; from <https://docs.stripe.com/tax/tax-codes>. All except [`NOT_TAXABLE`] have
/// the standard rate.
pub const CODES: [(&str, &str); 8] = [
    (NOT_TAXABLE, "Nontaxable"),
    ("txcd_10000000", "General - Electronically Supplied Services"),
    ("txcd_10103000", "Software as a service (SaaS) - personal use"),
    ("txcd_10103001", "Software as a service (SaaS) - business use"),
    ("txcd_10202000", "Downloadable Software - personal use"),
    ("txcd_10202003", "Downloadable Software - business use"),
    ("txcd_20030000", "General - Services"),
    ("txcd_99999999", "General - Tangible Goods"),
];

/// Checks the code of a parameter.
///
/// # Errors
/// The sandbox has no such code.
pub fn check_code(code: &str, param: &str) -> Result<(), ApiError> {
    match CODES.iter().any(|(known, _)| *known == code) {
        true => Ok(()),
        false => Err(ApiError::no_such("tax code", code, param)),
    }
}

/// Returns the account's tax settings.
pub fn settings(st: &State) -> Object {
    let found = st.seek(SETTINGS).map(|found| Object::clone(&found));
    found.unwrap_or_else(|| {
        Object::of(json!({
            "id": SETTINGS,
            "object": "tax.settings",
            "defaults": { "provider": "stripe", "tax_behavior": null, "tax_code": "txcd_10000000" },
            "head_office": null,
            "livemode": false,
            "status": "pending",
            "status_details": { "pending": { "missing_fields": ["head_office"] } },
        }))
    })
}

/// A place as far as taxes distinguish it: a country, and in Canada and the United States a state or province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The ISO code of the country, in upper case.
    pub country: String,
    /// The code of the state or province, in upper case; empty if it is irrelevant.
    pub state: String,
}

impl Place {
    /// Reads an address. Returns nothing if the address is not specific enough: it needs a country, and also a postal code or state in the
    /// United States and a province in Canada.
    pub fn of(address: &Value) -> Option<Place> {
        let member = |name: &str| address[name].as_str().unwrap_or_default().trim().to_uppercase();
        let country = member("country");
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let state = match country.as_str() {
            "US" => Some(member("state"))
                .filter(|state| state.len() == 2)
                .or_else(|| rates::state_of(&member("postal_code")).map(str::to_owned))?,
            "CA" => Some(member("state")).filter(|state| state.len() == 2)?,
            _ => String::new(),
        };
        Some(Place { country, state })
    }

    /// Returns the place of a customer: that of the shipping address, or otherwise that of the customer's own address.
    pub fn of_customer(customer: &Object) -> Option<Place> {
        Place::of(customer.at("shipping.address")).or_else(|| Place::of(customer.get("address")))
    }
}

/// Returns the error for a customer whose place is unknown.
pub fn no_place(param: &str) -> ApiError {
    let message = "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.";
    ApiError::coded("customer_tax_location_invalid", message).about(param)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_place_if_it_says_enough() {
        let place = |address: Value| Place::of(&address).map(|place| format!("{} {}", place.country, place.state));
        assert_eq!(place(json!({ "country": "de" })).as_deref(), Some("DE "));
        assert_eq!(place(json!({ "country": "US", "postal_code": "94107" })).as_deref(), Some("US CA"));
        assert_eq!(place(json!({ "country": "US", "state": "ny" })).as_deref(), Some("US NY"));
        assert_eq!(place(json!({ "country": "CA", "state": "ON" })).as_deref(), Some("CA ON"));
        for wrong in [json!({}), json!({ "country": "" }), json!({ "country": "US" }), json!({ "country": "CA" })] {
            assert_eq!(place(wrong.clone()), None, "{wrong}");
        }
    }
}
