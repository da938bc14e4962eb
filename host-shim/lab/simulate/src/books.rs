//! Reads the state of the local Stripe at the end of a story. Tests compare the host's state with it.

use crate::sandbox::Stripe;
use crate::story::VERSIONS;
use std::collections::{BTreeMap, BTreeSet};

/// The state of Stripe at the end of a story.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Status by subscription id.
    pub statuses: BTreeMap<String, String>,
    /// Refunded invoice by refund id.
    pub refunds: BTreeMap<String, String>,
    /// Ids of paid invoices.
    pub paid: BTreeSet<String>,
    /// Charges minus refunds, in minor units.
    pub takings: i64,
}

impl Books {
    /// Reads the books of a local Stripe.
    pub fn of(stripe: &Stripe) -> Self {
        let subscriptions = stripe.all("subscription");
        let statuses = subscriptions.iter().map(|sub| (sub.id().to_owned(), sub.text("status").to_owned()));
        let refunds = stripe.all("refund").into_iter().map(|refund| {
            // In the oldest API version, a charge names its invoice.
            let charge = stripe.shown(refund.text("charge"), VERSIONS[0]);
            (refund.id().to_owned(), charge["invoice"].as_str().unwrap_or_default().to_owned())
        });
        let invoices = stripe.all("invoice");
        let settled = invoices.iter().filter(|invoice| invoice.text("status") == "paid");
        let charges = stripe.all("charge");
        let paid = charges.iter().filter(|charge| charge.is("paid"));
        Books {
            statuses: statuses.collect(),
            refunds: refunds.collect(),
            paid: settled.map(|invoice| invoice.id().to_owned()).collect(),
            takings: paid.map(|charge| charge.int("amount") - charge.int("amount_refunded")).sum(),
        }
    }
}
