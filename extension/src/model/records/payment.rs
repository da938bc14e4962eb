//! A payment, by its payment intent, else its charge: what it paid, and what of it was given back.

use super::dispute::DisputeStatus;
use super::invoice::Invoice;
use super::{json_record, to_record};
use crate::model::json::is_false;
use extension_contract::{Reference, RowKey, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far a refund is: it only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    /// Begun.
    Pending,
    /// The customer must act.
    RequiresAction,
    /// Given back.
    Succeeded,
    /// It came back to us, or never left.
    Failed,
}

/// A refund as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Refund {
    /// Minor units.
    pub amount_minor: i64,
    /// How far it is.
    pub status: RefundStatus,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Other amounts that views of it told: a contradiction that a person looks at.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contradicted_by: BTreeSet<i64>,
    /// It is booked as given back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub booked: bool,
    /// It is booked as come back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub booked_back: bool,
}

/// Money that a payment intent brought in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, SmallDeserialize)]
pub(crate) struct Received {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// When it succeeded, by the provider's clock.
    pub at: Timestamp,
}

/// What is known of one payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Payment {
    /// The charge that moved the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The invoice it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The purchase it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<String>,
    /// What its intent brought in, once that said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<Received>,
    /// What it brought in is booked by its session.
    #[serde(skip_serializing_if = "is_false")]
    pub booked: bool,
    /// The charge's own sum of what was given back, the highest seen, in minor units.
    pub charge_refunded_minor: i64,
    /// Refunds by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, Refund>,
    /// Disputes by id, with how far each is and what it is about, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<String, (DisputeStatus, i64)>,
}

impl Payment {
    /// What a bank has taken or may take, in minor units: of every dispute that is not won, and of no inquiry.
    pub fn disputed_minor(&self) -> i64 {
        let held = self.disputes.values().filter(|(status, _)| status.is_held());
        held.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// Whether anything ever was given back or disputed.
    pub fn has_returns(&self) -> bool {
        self.charge_refunded_minor > 0 || !self.refunds.is_empty() || !self.disputes.is_empty()
    }

    /// What was given back, in minor units: what refunds explain, or what the charge says if that is more.
    pub fn refunded_minor(&self) -> i64 {
        let sum = |failed: bool| {
            let refunds = self.refunds.values().filter(|r| (r.status == RefundStatus::Failed) == failed);
            refunds.fold(0i64, |sum, refund| sum.saturating_add(refund.amount_minor))
        };
        sum(false).max(self.charge_refunded_minor.saturating_sub(sum(true)))
    }

    /// What the known refunds add up to, in minor units.
    pub fn explained_minor(&self) -> i64 {
        self.refunds.values().fold(0, |sum, refund| sum.saturating_add(refund.amount_minor))
    }
}

json_record!(Payment, "payments", live: |_| false, references: |row| {
    let invoice = row.invoice.as_ref().map(|id| to_record(Invoice::COLLECTION, id));
    let purchase = row.purchase.as_ref().map(|id| Reference::Row(RowKey::Purchase(id.clone())));
    invoice.into_iter().chain(purchase).collect()
});
