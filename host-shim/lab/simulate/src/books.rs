//! What Stripe itself has on its books at the end of a story: an oracle that shares no code with what is judged.

use crate::sandbox::Stripe;
use crate::story::VERSIONS;
use std::collections::{BTreeMap, BTreeSet};

/// The end of a story as Stripe has it.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Status of each subscription, by its id.
    pub statuses: BTreeMap<String, String>,
    /// Invoice that each refund gives back of, by the refund's id.
    pub refunds: BTreeMap<String, String>,
    /// Ids of the invoices that are paid.
    pub paid: BTreeSet<String>,
    /// What came in by charges and did not go back, in minor units.
    pub takings: i64,
}

impl Books {
    /// The books of a local Stripe.
    pub fn of(stripe: &Stripe) -> Self {
        let subscriptions = stripe.all("subscription");
        let statuses = subscriptions.iter().map(|sub| (sub.id().to_owned(), sub.text("status").to_owned()));
        let refunds = stripe.all("refund").into_iter().map(|refund| {
            // The oldest version has the charge's invoice in the charge.
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
