//! A purchase: its agreed values, its session and subscription, and its refunds.

use super::instance::InstanceRecord;
use super::payment::Received;
use super::session::SessionStatus;
use super::to_record;
use crate::model::ids::PriceId;
use crate::model::json::{decode, encode};
use crate::model::table::Record;
use extension_contract::{
    CatalogKey, Fallible, LineItem, Money, Purchase, PurchaseStatus, PurchaseValues, REFERENCES_MAX, Reference, Row,
    RowKey, Timestamp, Write,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The detailed progress of a purchase (requirements M3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Recorded.
    #[default]
    Created,
    /// A checkout is open, or completed and not paid yet.
    CheckoutOpen,
    /// The checkout ended without payment.
    Expired,
    /// The checkout could not be created, or its payment failed.
    Failed,
    /// Paid, and not fulfilled yet.
    Paid,
    /// Paid and fulfilled.
    Fulfilled,
    /// Fully refunded.
    Refunded,
}

/// The deciding session of a purchase: the first paid one, or the most advanced if none is paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub id: String,
    pub status: SessionStatus,
    /// Total in minor units.
    pub total_minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Stripe's time of the first event about the session that shows it as paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

/// The terms of a price at the sale. A later catalog does not change them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sold {
    /// Id of the price.
    pub price: PriceId,
    pub product_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// What one unit grants, by entitlement.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: BTreeMap<String, i64>,
    /// The price's terms as JSON.
    pub terms: String,
}

/// A checkout that waits for the creation of its customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AwaitsCustomer {
    /// Payload of the checkout, without the customer.
    pub checkout: Value,
    /// The caller that waits for the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

/// The content of the row's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    pub step: Step,
    /// Id of the instance that waits for the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaits_customer: Option<AwaitsCustomer>,
    /// The code whose discount the checkout has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether the card was charged off session, by an automatic top-up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_checkout: bool,
    /// Time of the request that began the checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The terms of what is sold once, by price.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sold: Vec<Sold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_url: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Whether the purchase grants its plan in place of its subscription, which Stripe has not reported yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stands_in: bool,
    /// Whether the purchase's subscription has ended permanently.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub subscription_ended: bool,
    /// The session that we created, while another session of the purchase counts and no event about it has arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counted>,
    /// Refunded amount by payment, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, i64>,
    /// Amount of failed refunds by payment, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed_back: BTreeMap<String, i64>,
    /// Amounts of requested refunds that Stripe has not reported yet, in minor units, by the key of their effect.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunding: BTreeMap<String, i64>,
    /// Disputed amount by payment, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputed: BTreeMap<String, i64>,
    /// Payments whose amount no session of the purchase explains.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unexplained: BTreeMap<String, Received>,
    /// Whether the purchase is refused and being refunded: another purchase or subscription grants the same item, or
    /// the purchase was never allowed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Payments of refused sessions, which are fully refunded.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub refused_payments: BTreeSet<String>,
}

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PurchaseRow {
    /// The row's columns. `details` replaces the metadata text in `values`.
    pub values: PurchaseValues,
    /// The decoded metadata.
    pub details: Details,
}

/// Returns the values of a purchase that is agreed and not paid yet.
pub(crate) fn pending(provider: String, items: Vec<LineItem>, amount: Money) -> PurchaseValues {
    let nothing = Money { amount_minor: 0, currency: amount.currency.clone() };
    PurchaseValues {
        provider,
        session_id: None,
        payment_intent_id: None,
        subscription_id: None,
        status: PurchaseStatus::Pending,
        items,
        total: amount.clone(),
        amount,
        tax: nothing.clone(),
        refunded: nothing,
        metadata: "{}".to_owned(),
    }
}

impl PurchaseRow {
    /// Returns the refunded amount, in minor units. Refunds of refused sessions do not count.
    pub fn refunded_minor(&self) -> i64 {
        let own = self.details.refunds.iter().filter(|(payment, _)| !self.details.refused_payments.contains(*payment));
        own.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// Returns the amount of all reported refunds, also failed ones, in minor units.
    pub fn reported_minor(&self) -> i64 {
        self.details.failed_back.values().fold(self.refunded_minor(), |sum, amount| sum.saturating_add(*amount))
    }

    /// Returns the amount of the requested refunds that Stripe has not reported yet, in minor units.
    pub fn refunding_minor(&self) -> i64 {
        self.details.refunding.values().fold(0, |sum, amount| sum.saturating_add(*amount))
    }

    /// Deducts a reported refund from the requested refunds: from a request for exactly this amount, else from the
    /// first ones in order of their keys.
    pub fn refunds_were_reported(&mut self, amount_minor: i64) {
        let refunding = &mut self.details.refunding;
        let asked = refunding.iter().find(|(_, asked)| **asked == amount_minor).map(|(key, _)| key.clone());
        if let Some(key) = asked {
            refunding.remove(&key);
            return;
        }
        let mut left = amount_minor;
        for asked in refunding.values_mut() {
            let taken = left.min(*asked);
            *asked -= taken;
            left -= taken;
        }
        refunding.retain(|_, asked| *asked > 0);
    }

    /// Returns the refunded and disputed amount, in minor units.
    pub fn back_minor(&self) -> i64 {
        self.details.disputed.values().fold(self.refunded_minor(), |sum, amount| sum.saturating_add(*amount))
    }

    /// Returns the paid amount, in minor units: the total of the deciding session. With a discount it can be less than
    /// the agreed total, even 0.
    pub fn paid_minor(&self) -> i64 {
        let paid = self.details.counts.as_ref().filter(|session| session.status == SessionStatus::Paid);
        paid.map_or(0, |session| session.total_minor)
    }

    /// Returns whether the checkout is still to be created: the provider was not asked yet, or has not answered yet.
    pub fn awaits_checkout(&self) -> bool {
        self.values.status == PurchaseStatus::Pending
            && !self.details.without_checkout
            && self.values.session_id.is_none()
            && self.details.counts.is_none()
    }

    /// Returns the time of payment of a one-time purchase.
    pub fn paid_once_at(&self) -> Option<Timestamp> {
        let counts = self.details.counts.as_ref().filter(|session| session.status == SessionStatus::Paid)?;
        let is_once = self.values.subscription_id.is_none() && !self.values.items.is_empty();
        is_once.then(|| counts.paid_at.unwrap_or(Timestamp::MIN))
    }

    /// Returns whether the purchase grants its items: it is paid and not disputed, and is either a one-time purchase or
    /// stands in for its subscription.
    pub fn grants(&self) -> bool {
        self.values.status == PurchaseStatus::Paid
            && (self.values.subscription_id.is_none() || self.details.stands_in)
            && !self.values.items.is_empty()
            && self.details.disputed.is_empty()
            && !self.details.refused
    }
}

impl Record for PurchaseRow {
    fn key(id: &str) -> RowKey {
        RowKey::Purchase(id.to_owned())
    }

    fn read(row: &Row) -> Fallible<Option<Self>> {
        let Row::Purchase(Purchase { id, values, .. }) = row else { return Ok(None) };
        Ok(Some(PurchaseRow { details: decode("purchases", id, &values.metadata)?, values: values.clone() }))
    }

    fn write(&self) -> Fallible<Write> {
        Ok(Write::Purchase(PurchaseValues { metadata: encode(&self.details)?, ..self.values.clone() }))
    }

    fn is_live(&self) -> bool {
        self.values.status == PurchaseStatus::Pending || self.grants()
    }

    fn references(&self) -> Vec<Reference> {
        let instance =
            self.details.product_id.iter().flat_map(|id| {
                [Reference::Row(RowKey::Product(id.clone())), to_record(InstanceRecord::COLLECTION, id)]
            });
        let prices = self.values.items.iter().filter_map(|item| item.price_id.clone());
        let prices = prices.map(|id| Reference::Catalog(CatalogKey::Price(id)));
        let subscription = self.values.subscription_id.clone().map(|id| Reference::Row(RowKey::Subscription(id)));
        instance.chain(subscription).chain(prices).take(REFERENCES_MAX).collect()
    }
}
