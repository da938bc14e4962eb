//! Keys of claims, and ids of catalog rows.

use extension_contract::{ADDRESS_CLAIMS, CONNECTED_ACCOUNT_CLAIMS};

/// The key of a claim: at most one account of a business holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimKey<'a> {
    /// A purchase.
    Purchase(&'a str),
    /// A checkout session.
    Session(&'a str),
    /// A subscription.
    Subscription(&'a str),
    /// A customer.
    Customer(&'a str),
    /// A payment intent.
    PaymentIntent(&'a str),
    /// A charge.
    Charge(&'a str),
    /// An invoice.
    Invoice(&'a str),
    /// A connected account at Stripe, which receives payouts.
    ConnectedAccount(&'a str),
    /// A token.
    Token(&'a str),
    /// The hash of an e-mail address.
    Address(&'a str),
    /// A value of a unique field, within the field's namespace.
    Name { space: &'a str, value: &'a str },
}

/// Returns the id of the catalog row of a product type. Because of the prefix, a product's id may equal a type's name.
pub(crate) fn type_row_id(name: &str) -> String {
    format!("type:{name}")
}

/// Prefix of the claims of connected accounts, without the colon.
const CONNECTED_ACCOUNT: &str = CONNECTED_ACCOUNT_CLAIMS.split_at(CONNECTED_ACCOUNT_CLAIMS.len() - 1).0;

/// Prefix of the claims of customers.
pub(crate) const CUSTOMER_CLAIMS: &str = "stripe-customer:";

/// Prefix of the claims of addresses, without the colon.
const ADDRESS: &str = ADDRESS_CLAIMS.split_at(ADDRESS_CLAIMS.len() - 1).0;

impl ClaimKey<'_> {
    fn parts(&self) -> (&str, &str) {
        match self {
            ClaimKey::Purchase(id) => ("purchase", id),
            ClaimKey::Session(id) => ("stripe-session", id),
            ClaimKey::Subscription(id) => ("stripe-subscription", id),
            ClaimKey::Customer(id) => ("stripe-customer", id),
            ClaimKey::PaymentIntent(id) => ("stripe-payment-intent", id),
            ClaimKey::Charge(id) => ("stripe-charge", id),
            ClaimKey::Invoice(id) => ("stripe-invoice", id),
            ClaimKey::ConnectedAccount(id) => (CONNECTED_ACCOUNT, id),
            ClaimKey::Token(id) => ("token", id),
            ClaimKey::Address(hash) => (ADDRESS, hash),
            ClaimKey::Name { space, value } => (space, value),
        }
    }
}

/// Formats a key such as `stripe-customer:cus_1`, without the slower formatter: most events need several keys.
impl From<ClaimKey<'_>> for String {
    fn from(key: ClaimKey<'_>) -> String {
        let (kind, id) = key.parts();
        let mut out = String::with_capacity(kind.len() + id.len() + 1);
        out.push_str(kind);
        out.push(':');
        out.push_str(id);
        out
    }
}
