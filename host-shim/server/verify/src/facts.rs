//! The compared kinds of objects, and the fields of each.

use host_provider_api::ObjectKind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A kind of compared objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A subscription.
    Subscription,
    /// An invoice.
    Invoice,
    /// A successful payment: a payment intent with its charge, or a charge without one.
    Payment,
    /// A refund.
    Refund,
    /// A transfer to a connected account.
    Transfer,
}

impl Kind {
    /// All kinds, in the order in which they are compared.
    pub const ALL: [Kind; 5] = [Kind::Subscription, Kind::Invoice, Kind::Payment, Kind::Refund, Kind::Transfer];

    /// Returns the name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Subscription => "subscription",
            Kind::Invoice => "invoice",
            Kind::Payment => "payment",
            Kind::Refund => "refund",
            Kind::Transfer => "transfer",
        }
    }

    /// Returns the kind of the objects that Stripe lists. A payment is compared by its charge.
    pub(crate) fn listed(self) -> ObjectKind {
        match self {
            Kind::Subscription => ObjectKind::Subscription,
            Kind::Invoice => ObjectKind::Invoice,
            Kind::Payment => ObjectKind::Charge,
            Kind::Refund => ObjectKind::Refund,
            Kind::Transfer => ObjectKind::Transfer,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The compared fields of an object, by name. Times are in milliseconds since the epoch, amounts in minor units. A field that
/// only one side has is not compared.
pub type Facts = BTreeMap<String, Value>;

/// Returns facts consisting of the given fields.
pub(crate) fn facts<const N: usize>(fields: [(&str, Value); N]) -> Facts {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns a member of an object; null if it is missing.
pub(crate) fn member(object: &Value, name: &str) -> Value {
    object.get(name).cloned().unwrap_or_default()
}

/// Returns a string member of an object.
pub(crate) fn text<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.get(name)?.as_str()
}
