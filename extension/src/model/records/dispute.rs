//! A dispute of a payment: the customer's bank withholds the amount until the dispute is decided.

use super::dispute_status::DisputeStatus;
use super::payment::Payment;
use super::{json_record, to_record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The stored fields of a dispute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Dispute {
    /// The furthest status.
    pub status: DisputeStatus,
    /// Amount in minor units; the greatest amount of contradicting snapshots.
    pub amount_minor: i64,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// The payment intent, or the charge if there is none.
    pub payment: String,
    /// Whether the amount was withdrawn from us.
    pub withdrawn: bool,
    /// Whether the amount was returned to us.
    pub returned: bool,
    /// Fees in minor units by balance transaction and currency. Returned fees are negative.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fees: BTreeMap<String, BTreeMap<String, i64>>,
    /// Booked amount in minor units.
    pub booked_minor: i64,
    /// Booking state; `None` if nothing is booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booked: Option<Booked>,
}

/// Booking state of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Booked {
    /// The withdrawal is booked.
    Withdrawn,
    /// The withdrawal and the return are booked.
    Returned,
}

json_record!(Dispute, "disputes", live: |_| false, references: |row| vec![to_record(Payment::COLLECTION, &row.payment)]);
