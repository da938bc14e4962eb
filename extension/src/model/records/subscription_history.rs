//! The billing history of a subscription, collected from invoices and sessions: open, failed and paid invoices, and the
//! purchase.

use super::json_record;
use super::trial_change::TrialChange;
use crate::model::ids::{InvoiceId, PriceId};
use extension_contract::{Reference, RowKey, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of stored entries of each kind: more than a subscription has at a time.
pub(crate) const KEPT_MAX: usize = 100;

/// An unpaid invoice: a draft, an open or uncollectible invoice, or the voided invoice of a beginning or a change of plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenInvoice {
    /// Stripe's `billing_reason`.
    pub reason: String,
    /// Prices on its lines.
    pub prices: Vec<PriceId>,
    /// Stripe's time of its earliest snapshot.
    #[serde(default)]
    pub at: Timestamp,
    /// End of the terms of an invoice that the customer pays by a transfer. Until then it counts as paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Time at which the invoice was voided; `None` for other invoices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_at: Option<Timestamp>,
}

/// A scheduled change of plan, which can be cancelled until it takes effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingChange {
    /// The future price.
    pub price: PriceId,
    /// Quantity of the price, for plans that count each unit.
    #[serde(default)]
    pub quantity: u32,
    /// Time at which the change takes effect.
    pub at: Timestamp,
}

/// A move from a former price to the price of today, which was announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moving {
    /// The price of today.
    pub to: PriceId,
    /// The time from which a renewal has the new price.
    pub after: Timestamp,
    /// The renewal for which the change was requested. It is requested once for each renewal, so its owner can withdraw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_for: Option<Timestamp>,
}

/// A payment of the subscription for which a bank holds money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disputed {
    /// Time at which its invoice was paid.
    pub paid_at: Timestamp,
    /// End of the time that its invoice paid for, if the invoice told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// Time of the first dispute, by Stripe's clock.
    pub at: Timestamp,
}

/// What an invoice has paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Prices on its lines.
    pub prices: Vec<PriceId>,
    /// Quantities on its lines.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub quantities: BTreeSet<u32>,
    /// The time whose quantities it paid for: the start of a whole period, or the time of the invoice of a change.
    pub at: Timestamp,
}

/// A change that asked for no money, since its credit was at least as large as its charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ByCredit {
    /// What the credit paid for.
    pub change: Counted,
    /// Time at which Stripe called the invoice paid.
    pub paid_at: Timestamp,
    /// Prices whose rest is credited.
    pub credited: Vec<PriceId>,
}

/// Maximum number of stored paid invoices: more than are paid in the weeks in which events can be late.
const COUNTED_MAX: usize = 24;

/// The requested refunds of a period in a currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestRefund {
    /// Sum in minor units.
    pub amount_minor: i64,
    /// Number of requests. A payment that is reported later needs another request.
    pub requests: i64,
}

/// A requested refund of the first period, which the provider has not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FirstPeriodRefund {
    /// Key of the request.
    pub key: String,
    /// The families of its plans, and its add-ons. An account gets such a refund of each once.
    pub sold_as: BTreeSet<String>,
}

/// The billing history of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BillingHistory {
    /// Key of the unanswered request that gives it the coupon of `cancel_offer`, with the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<(String, String)>,
    /// The changes of its trial's end by operators, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trial_changes: Vec<TrialChange>,
    /// Unpaid invoices by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<InvoiceId, OpenInvoice>,
    /// Time of the first failed payment, by invoice. A later payment does not remove it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<InvoiceId, Timestamp>,
    /// Prices on paid invoices, with the latest time of payment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paid: BTreeMap<PriceId, Timestamp>,
    /// What the newest paid invoices paid for, by invoice.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counted: BTreeMap<InvoiceId, Counted>,
    /// The newest changes that only a credit paid for, by invoice. A credit for something that was never paid pays for
    /// nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_credit: BTreeMap<InvoiceId, ByCredit>,
    /// Prices for which whole periods were paid, with the latest start of such a period.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub renewed: BTreeMap<PriceId, Timestamp>,
    /// The purchase that began the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<String>,
    /// The change of plan requested for the end of the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingChange>,
    /// The announced move to the price of today.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
    /// Key of the requested change of plan that the provider has not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changing: Option<String>,
    /// The requested refund of the first period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunding: Option<FirstPeriodRefund>,
    /// When the subscription ends together with the plan that it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_with_plan: Option<Timestamp>,
    /// The requested refunds of the period in which the subscription ended early, by currency.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rest: BTreeMap<String, RestRefund>,
    /// Disputed payments, except those whose disputes were won.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputed: BTreeMap<String, Disputed>,
    /// Whether the subscription is refused and being cancelled: another subscription or purchase grants the same
    /// item, or the subscription was never allowed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Invoices of the refused subscription whose payments are being refunded: all that are reported before its end.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub refunded_invoices: BTreeSet<InvoiceId>,
    /// Whether the subscription has ended and grants nothing any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
}

impl BillingHistory {
    /// Counts an invoice as paid at a time.
    pub fn count(&mut self, id: &InvoiceId, counted: Counted, paid_at: Timestamp) {
        for price in &counted.prices {
            later(&mut self.paid, price, paid_at);
        }
        self.counted.insert(id.clone(), counted);
        keep_newest(&mut self.counted, COUNTED_MAX, |counted| counted.at);
    }

    /// Counts a whole period of prices as paid that starts at a time.
    pub fn count_period(&mut self, prices: &[PriceId], start: Timestamp) {
        for price in prices {
            later(&mut self.renewed, price, start);
        }
    }

    /// Remembers a change that only a credit paid for.
    pub fn credit(&mut self, id: &InvoiceId, change: ByCredit) {
        self.by_credit.insert(id.clone(), change);
        keep_newest(&mut self.by_credit, COUNTED_MAX, |by_credit| by_credit.change.at);
    }

    /// Counts the changes that only a credit paid for, except those whose credit is for prices with an unpaid invoice.
    pub fn count_credits(&mut self) {
        for (id, by_credit) in std::mem::take(&mut self.by_credit) {
            let is_unpaid = |open: &OpenInvoice| {
                open.at <= by_credit.change.at && by_credit.credited.iter().any(|price| open.prices.contains(price))
            };
            if !self.open.values().any(is_unpaid) {
                self.count(&id, by_credit.change, by_credit.paid_at);
            }
        }
    }
}

/// Sets the time of a price, unless it has a later one.
fn later(times: &mut BTreeMap<PriceId, Timestamp>, price: &PriceId, at: Timestamp) {
    let latest = times.entry(price.clone()).or_insert(at);
    *latest = (*latest).max(at);
}

/// Drops the oldest of more than `most` entries.
pub(crate) fn keep_newest<K: Ord + Clone, T>(entries: &mut BTreeMap<K, T>, most: usize, at: impl Fn(&T) -> Timestamp) {
    while entries.len() > most {
        let oldest = entries.iter().map(|(id, entry)| (at(entry), id.clone())).min();
        oldest.and_then(|(_, id)| entries.remove(&id));
    }
}

json_record!(BillingHistory, "billing", live: |row| !row.settled, references: |row| {
    row.purchase.iter().map(|id| Reference::Row(RowKey::Purchase(id.clone()))).collect()
});
