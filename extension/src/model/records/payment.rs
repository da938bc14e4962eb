//! A payment with its refunds and disputes. Its id is the payment intent, or the charge if there is none.

use super::dispute_status::DisputeStatus;
use super::invoice::Invoice;
use super::{json_record, to_record};
use crate::model::ids::InvoiceId;
use crate::model::json::is_zero;
use extension_contract::{Reference, RowKey, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Status of a refund. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    /// In progress.
    Pending,
    /// The customer must act.
    RequiresAction,
    /// Paid out.
    Succeeded,
    /// Returned to us, or not paid out.
    Failed,
}

/// The stored fields of a refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refund {
    /// Amount in minor units.
    pub amount_minor: i64,
    /// Status.
    pub status: RefundStatus,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Other amounts in snapshots of the refund: a contradiction that a person resolves.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contradicted_by: BTreeSet<i64>,
    /// Whether the refund gave back the rest of a period that ended early.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_rest: bool,
    /// Whether the payout is booked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub booked: bool,
    /// Whether the return to us is booked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub booked_back: bool,
}

/// Money received through a payment intent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Received {
    /// Amount in minor units.
    pub amount_minor: i64,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Time of success, by Stripe's clock.
    pub at: Timestamp,
}

/// The card that paid, as far as customers recognise it. More of a card is never stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Card {
    /// Stripe's name of the brand, for example `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// Month of the expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp_month: Option<u32>,
    /// Year of the expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp_year: Option<u32>,
}

/// The stored fields of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Payment {
    /// The charge that moved the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The invoice that the payment paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceId>,
    /// The purchase that the payment paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<String>,
    /// The session that names the payment, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Money received, once the intent reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<Received>,
    /// Tax within the received money, if the payment has no session that shows it.
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_minor: i64,
    /// The card of the charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
    /// Stripe's receipt of the charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
    /// Whether the session has booked the received money.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub booked: bool,
    /// Tax of the refunds that is booked as owed to nobody, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_back_minor: i64,
    /// Number of the entries that have booked it.
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_back_entries: i64,
    /// Tax of the lost disputes that is booked as owed to nobody, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_disputed_minor: i64,
    /// Number of the entries that have booked it.
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_disputed_entries: i64,
    /// The highest refunded sum in snapshots of the charge, in minor units.
    pub charge_refunded_minor: i64,
    /// Refunds by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, Refund>,
    /// Status and amount, in minor units, of each dispute by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<String, (DisputeStatus, i64)>,
    /// Stripe's time of the first snapshot of each dispute.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputed_at: BTreeMap<String, Timestamp>,
}

impl Payment {
    /// Returns whether the payment paid an invoice or a purchase of the account. Other payments of its customer are not in the books.
    pub fn is_ours(&self) -> bool {
        self.invoice.is_some() || self.purchase.is_some()
    }

    /// Returns the disputed amount, in minor units: the sum of all disputes except won disputes and inquiries.
    pub fn disputed_minor(&self) -> i64 {
        let held = self.disputes.values().filter(|(status, _)| status.is_held());
        held.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// Returns the time of the first dispute for which a bank holds money; `None` if no bank does.
    pub fn held_since(&self) -> Option<Timestamp> {
        let held = self.disputes.iter().filter(|(_, (status, _))| status.is_held());
        held.map(|(id, _)| self.disputed_at.get(id).copied().unwrap_or(Timestamp::MIN)).min()
    }

    /// Returns whether a bank has held money since a time, even if it has returned it.
    pub fn was_disputed_since(&self, since: Timestamp) -> bool {
        let began = |id: &String| self.disputed_at.get(id).is_some_and(|at| *at >= since);
        self.disputes.iter().any(|(id, (status, _))| (status.is_held() || *status == DisputeStatus::Won) && began(id))
    }

    /// Returns the refunded and disputed amount, in minor units.
    pub fn back_minor(&self) -> i64 {
        self.refunded_minor().saturating_add(self.disputed_minor())
    }

    /// Returns what went back, in minor units, without the rests of periods that ended early.
    pub fn back_of_use_minor(&self) -> i64 {
        let rests = self.refunds.values().filter(|refund| refund.is_rest && refund.status != RefundStatus::Failed);
        rests.fold(self.back_minor(), |back, refund| back.saturating_sub(refund.amount_minor)).max(0)
    }

    /// Returns whether any part of the payment was ever refunded or disputed.
    pub fn has_returns(&self) -> bool {
        self.charge_refunded_minor > 0 || !self.refunds.is_empty() || !self.disputes.is_empty()
    }

    /// Returns the refunded amount, in minor units: the sum of the refunds, or the charge's own sum if that is higher.
    pub fn refunded_minor(&self) -> i64 {
        self.sum(false).max(self.charge_refunded_minor.saturating_sub(self.sum(true)))
    }

    /// Returns the amount of the failed refunds, in minor units.
    pub fn failed_minor(&self) -> i64 {
        self.sum(true)
    }

    fn sum(&self, failed: bool) -> i64 {
        let refunds = self.refunds.values().filter(|refund| (refund.status == RefundStatus::Failed) == failed);
        refunds.fold(0, |sum, refund| sum.saturating_add(refund.amount_minor))
    }

    /// Returns the sum of all known refunds, in minor units.
    pub fn explained_minor(&self) -> i64 {
        self.refunds.values().fold(0, |sum, refund| sum.saturating_add(refund.amount_minor))
    }
}

json_record!(Payment, "payments", live: |_| false, references: |row| {
    let invoice = row.invoice.as_ref().map(|id| to_record(Invoice::COLLECTION, id));
    let purchase = row.purchase.as_ref().map(|id| Reference::Row(RowKey::Purchase(id.clone())));
    invoice.into_iter().chain(purchase).collect()
});
