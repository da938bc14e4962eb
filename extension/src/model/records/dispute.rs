//! A dispute: a bank takes a payment back until it is decided.

use super::payment::Payment;
use super::{json_record, to_record};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a dispute is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisputeStatus {
    /// A bank asks about a payment, which stays ours: an inquiry.
    #[default]
    Inquiry,
    /// The bank asks no more. What it disputes after that is a dispute all the same.
    InquiryClosed,
    /// To be answered: the bank holds the money.
    Open,
    /// Decided without a loss.
    Won,
    /// Decided against us; final.
    Lost,
}

impl DisputeStatus {
    /// Whether a bank has what it is about.
    pub fn is_held(self) -> bool {
        matches!(self, DisputeStatus::Open | DisputeStatus::Lost)
    }
}

/// What is kept of a dispute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Dispute {
    /// The furthest status.
    pub status: DisputeStatus,
    /// Minor units; of views that contradict each other the greatest.
    pub amount_minor: i64,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// The payment intent, else the charge.
    pub payment: String,
    /// The amount was taken from us.
    pub withdrawn: bool,
    /// The amount was given back to us.
    pub returned: bool,
    /// Fees in minor units, those that came back negative, by movement of our money and by currency.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fees: BTreeMap<String, BTreeMap<String, i64>>,
    /// The amount that is booked, in minor units.
    pub booked_minor: i64,
    /// What is booked of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booked: Option<Booked>,
}

/// How far a dispute is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Booked {
    /// Taken.
    Withdrawn,
    /// Taken and given back.
    Returned,
}

json_record!(Dispute, "disputes", live: |_| false, references: |row| vec![to_record(Payment::COLLECTION, &row.payment)]);
