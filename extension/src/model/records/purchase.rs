//! A purchase: what was agreed, which session and subscription came of it, and what was given back.

use super::instance::InstanceRecord;
use super::session::SessionStatus;
use super::to_record;
use crate::model::json::{decode, encode, is_false};
use crate::model::table::Record;
use extension_contract::{
    CatalogKey, Fallible, Purchase, PurchaseStatus, PurchaseValues, REFERENCES_MAX, Reference, Row, RowKey, Timestamp,
    Write,
};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The finer steps of a purchase (requirements M3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Written down.
    #[default]
    Created,
    /// A checkout is open, or through and not paid yet.
    CheckoutOpen,
    /// The checkout ended without payment.
    Expired,
    /// The checkout could not be made, or its payment failed.
    Failed,
    /// Paid, and what it gives is not known yet.
    Paid,
    /// Paid, and given.
    Fulfilled,
    /// Given back in full.
    Refunded,
}

/// The session that counts for a purchase: the one that was paid first, else the furthest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Counted {
    pub id: String,
    pub status: SessionStatus,
    /// Minor units.
    pub total_minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
}

/// A checkout that is asked for once there is a customer for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct AwaitsCustomer {
    /// What is asked for, but for the customer.
    pub checkout: Value,
    /// Who waits for the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

/// What a purchase's row keeps beside the columns that everybody sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Details {
    pub step: Step,
    /// The instance that waits for the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaits_customer: Option<AwaitsCustomer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_url: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Its subscription has ended for good.
    #[serde(skip_serializing_if = "is_false")]
    pub subscription_ended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counted>,
    /// What was given back of its payments, by payment, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub given_back: BTreeMap<String, i64>,
    /// Refunds that were asked for and are not told of yet, in minor units.
    #[serde(skip_serializing_if = "crate::model::json::is_zero")]
    pub refunding_minor: i64,
    /// What banks hold or have taken of its payments, by payment, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputed: BTreeMap<String, i64>,
    /// It is being given back: another has what it was for, or nothing ever allowed it.
    #[serde(skip_serializing_if = "is_false")]
    pub beaten: bool,
    /// Payments of other sessions, which go back in full.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub beaten_payments: BTreeSet<String>,
}

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PurchaseRow {
    /// What everybody sees; its metadata is `details`.
    pub values: PurchaseValues,
    /// What we keep beside it.
    pub details: Details,
}

impl PurchaseRow {
    /// What was given back of it, in minor units: what a second session paid goes back without giving any of it back.
    pub fn refunded_minor(&self) -> i64 {
        let own =
            self.details.given_back.iter().filter(|(payment, _)| !self.details.beaten_payments.contains(*payment));
        own.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// What came back of its money by refunds or is with a bank, in minor units.
    pub fn back_minor(&self) -> i64 {
        self.details.disputed.values().fold(self.refunded_minor(), |sum, amount| sum.saturating_add(*amount))
    }

    /// What it cost in the end, in minor units: a discount may have made it less than what was agreed.
    pub fn paid_minor(&self) -> i64 {
        let told = self.details.counts.as_ref().map_or(0, |session| session.total_minor);
        if told > 0 { told } else { self.values.total.amount_minor }
    }

    /// When it was paid, if it is paid once and for all.
    pub fn paid_once_at(&self) -> Option<Timestamp> {
        let counts = self.details.counts.as_ref().filter(|session| session.status == SessionStatus::Paid)?;
        let is_once = self.values.subscription_id.is_none() && !self.values.items.is_empty();
        is_once.then(|| counts.paid_at.unwrap_or(Timestamp::MIN))
    }

    /// Whether it gives something by itself: it was paid once and for all, and no bank has its money.
    pub fn grants(&self) -> bool {
        self.values.status == PurchaseStatus::Paid
            && self.values.subscription_id.is_none()
            && !self.values.items.is_empty()
            && self.details.disputed.is_empty()
            && !self.details.beaten
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
        instance.chain(prices).take(REFERENCES_MAX).collect()
    }
}
