//! Finds members that are personal by their name.

use super::Origin;
use super::stand_in::PersonalKind;
use std::collections::BTreeSet;

/// Names of people and companies.
const OF_NAMES: &[&str] = &[
    "author",
    "cardholder",
    "cardholder_name",
    "company",
    "company_name",
    "contact",
    "contact_name",
    "customer_name",
    "display_name",
    "family_name",
    "first_name",
    "full_name",
    "given_name",
    "last_name",
    "legal_name",
    "maiden_name",
    "middle_name",
    "nick",
    "owner_name",
    "payer_name",
    "person",
    "recipient",
    "recipient_name",
    "sender_name",
    "surname",
    "user_name",
    "username",
    "account_holder_name",
    "business_name",
    "billing_name",
    "shipping_name",
];
/// Free texts; in a product or a price they belong to the business.
const OF_TEXTS: &[&str] = &[
    "about",
    "bio",
    "body",
    "comment",
    "comments",
    "description",
    "feedback_text",
    "footer",
    "greeting",
    "memo",
    "message",
    "name",
    "nickname",
    "note",
    "notes",
    "subject",
    "text",
    "title",
];
/// Parts of addresses.
const OF_ADDRESSES: &[&str] = &[
    "address",
    "address_line1",
    "address_line2",
    "city",
    "county",
    "dependent_locality",
    "line1",
    "line2",
    "line_1",
    "line_2",
    "post_code",
    "postal_code",
    "postcode",
    "province",
    "street",
    "street_address",
    "town",
    "zip",
    "zip_code",
];
/// Numbers that identify a person: of telephones, cards, accounts, identities.
const OF_NUMBERS: &[&str] = &[
    "account_number",
    "bic",
    "birth_date",
    "birthdate",
    "birthday",
    "card_number",
    "cell",
    "cvc",
    "date_of_birth",
    "dob",
    "dynamic_last4",
    "fax",
    "fingerprint",
    "iban",
    "id_number",
    "last4",
    "mobile",
    "national_id",
    "passport",
    "personal_id",
    "phone",
    "phone_number",
    "routing_number",
    "sort_code",
    "ssn",
    "swift",
    "tax_id",
    "tel",
    "telephone",
    "vat",
    "vat_id",
    "vat_number",
];
/// Links and secrets of a person's documents and devices.
const OF_MACHINES: &[&str] = &[
    "avatar",
    "client_ip",
    "client_secret",
    "device_id",
    "homepage",
    "hosted_invoice_url",
    "hosted_verification_url",
    "invoice_pdf",
    "ip",
    "ip_address",
    "password",
    "photo",
    "picture",
    "receipt_url",
    "referrer",
    "remote_addr",
    "user_agent",
    "website",
];
/// Suffixes of personal names: `customer_phone`, `billing_city`.
const ENDS: &[&str] =
    &["_phone", "_ip", "_city", "_street", "_postal_code", "_zip", "_first_name", "_last_name", "_full_name"];
/// Stripe objects whose name and description belong to the business.
const OF_BUSINESS: &[&str] = &[
    "billing_portal.configuration",
    "coupon",
    "billing.meter",
    "plan",
    "price",
    "product",
    "promotion_code",
    "shipping_rate",
    "tax_code",
    "tax_rate",
];
/// Members whose `value` is always personal: a customer's value of a custom field, a tax number.
const WHOLE: &[&str] = &["custom_fields", "customer_tax_ids", "tax_ids"];

/// The names of personal members.
pub(super) struct Names {
    names: BTreeSet<&'static str>,
    texts: BTreeSet<&'static str>,
    numbers: BTreeSet<&'static str>,
}

impl Names {
    pub fn new() -> Self {
        let set = |lists: &[&[&'static str]]| lists.iter().flat_map(|list| list.iter().copied()).collect();
        Names {
            names: set(&[OF_NAMES]),
            texts: set(&[OF_TEXTS]),
            numbers: set(&[OF_NUMBERS, OF_ADDRESSES, OF_MACHINES]),
        }
    }

    /// Returns the kind of a personal text; none if the text is not personal. `path` leads to the text, `object` is the
    /// type of the Stripe object that contains it.
    pub fn kind(&self, path: &[&str], object: Option<&str>, from: Origin, text: &str) -> Option<PersonalKind> {
        if text.is_empty() {
            return None;
        }
        let name = path.last().copied().unwrap_or_default().to_ascii_lowercase();
        let name = name.as_str();
        let is_within = |names: &[&str]| path.iter().any(|part| names.contains(part));
        if text.contains("://") && (self.numbers.contains(name)) {
            return Some(PersonalKind::Url);
        }
        let is_address_state = name == "state" && path.len() > 1 && path[path.len() - 2].contains("address");
        if self.names.contains(name)
            || self.numbers.contains(name)
            || is_address_state
            || ENDS.iter().any(|end| name.ends_with(end))
        {
            return Some(PersonalKind::Text);
        }
        if from == Origin::Provider && is_within(WHOLE) && name == "value" {
            return Some(PersonalKind::Text);
        }
        match from {
            Origin::Business => None,
            Origin::Provider => {
                let is_business = object.is_some_and(|object| OF_BUSINESS.contains(&object));
                let is_statement = name.starts_with("statement_descriptor");
                (self.texts.contains(name) && !is_business || is_statement || is_free(path, text))
                    .then_some(PersonalKind::Text)
            }
            Origin::Customer => {
                (self.texts.contains(name) || text.contains(char::is_whitespace)).then_some(PersonalKind::Text)
            }
        }
    }

    /// Returns true for a personal number: a postal code, a telephone number, a part of a date of birth.
    pub fn is_personal_number(&self, path: &[&str]) -> bool {
        let is_birth = path.iter().any(|part| matches!(*part, "dob" | "birthday" | "date_of_birth"));
        is_birth || path.last().is_some_and(|name| self.numbers.contains(name.to_ascii_lowercase().as_str()))
    }
}

/// Returns true for a text of several words in an object's metadata.
fn is_free(path: &[&str], text: &str) -> bool {
    path.contains(&"metadata") && text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_personal(path: &[&str], object: Option<&str>, from: Origin, text: &str) -> bool {
        Names::new().kind(path, object, from, text).is_some()
    }

    #[test]
    fn a_name_is_personal_unless_it_is_of_a_product() {
        assert!(is_personal(&["data", "object", "name"], Some("customer"), Origin::Provider, "Anna"));
        assert!(!is_personal(&["product", "name"], Some("product"), Origin::Provider, "Hobby plan"));
        assert!(!is_personal(&["status"], Some("customer"), Origin::Provider, "active"));
        assert!(is_personal(&["shipping", "address", "state"], Some("charge"), Origin::Provider, "Ohio"));
        assert!(!is_personal(&["state"], Some("charge"), Origin::Provider, "running"));
    }

    #[test]
    fn several_words_of_a_customer_are_personal_and_those_of_the_business_are_not() {
        assert!(is_personal(&["wish"], None, Origin::Customer, "a blue one"));
        assert!(!is_personal(&["plan"], None, Origin::Customer, "pro"));
        assert!(!is_personal(&["description"], None, Origin::Business, "the small plan"));
        assert!(is_personal(&["first_name"], None, Origin::Business, "Anna"));
    }

    #[test]
    fn numbers_of_people_are_personal_and_amounts_are_not() {
        let names = Names::new();
        assert!(names.is_personal_number(&["address", "zip"]) && names.is_personal_number(&["dob", "year"]));
        assert!(!names.is_personal_number(&["amount"]) && !names.is_personal_number(&["exp_month"]));
    }
}
