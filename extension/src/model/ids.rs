//! The ids of prices, products, subscriptions and invoices, each as a type of its own: a record or a function that expects one
//! of them does not take another.
//!
//! The rows of the contract have ids as plain text. They get their types where a row or an event is read, and are text
//! again where a row is written. A function that takes a `&str` takes any id.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

/// Declares types of ids. Each is stored as plain text and can be read as such, for example as a part of a key.
macro_rules! ids {
    ($($(#[$about:meta])* $id:ident;)*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $id(String);

        impl Deref for $id {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $id {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $id {
            fn from(text: &str) -> $id {
                $id(text.to_owned())
            }
        }

        impl From<String> for $id {
            fn from(text: String) -> $id {
                $id(text)
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> String {
                id.0
            }
        }
    )*};
}

ids! {
    /// The id of a price of the catalog, which is the price's id at Stripe.
    PriceId;
    /// The id of a product of the catalog. Instances are products of their accounts and have other ids.
    ProductId;
    /// The id of a subscription at Stripe.
    SubscriptionId;
    /// The id of an invoice at Stripe.
    InvoiceId;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_id_is_stored_as_its_text() {
        let times: BTreeMap<PriceId, i64> = [("price_1".into(), 7)].into();
        let text = crate::model::json::encode(&times).expect("it can be encoded");
        assert_eq!(text, r#"{"price_1":7}"#);
        let read: BTreeMap<PriceId, i64> = crate::model::json::decode("", "", &text).expect("it can be decoded");
        assert_eq!(read, times);
        assert_eq!(read.get("price_1"), Some(&7));
        let escaped: InvoiceId = crate::model::json::decode("", "", r#""in\u005f1""#).expect("it can be decoded");
        assert_eq!((escaped.to_string(), String::from(escaped)), ("in_1".to_owned(), "in_1".to_owned()));
    }
}
