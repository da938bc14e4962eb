//! What one account tells another.

use super::json::Object;
use super::records::campaign::Member;
use super::records::listing::ListingStatus;
use super::records::sale::SaleKind;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// A message, as it goes out and as it arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// The receiver's share of a sale, as it is now.
    Share(Share),
    /// A product of the sender's own that it asks for in the catalog.
    Listing(Listing),
    /// Where a product of the receiver's own stands.
    Listed(Listed),
    /// What the sender tells of itself, for campaigns.
    Member(Member),
    /// A campaign that the receiver is in the audience of.
    Campaign(CampaignMail),
}

/// A share of a sale: all of it each time, so that the newest one replaces what was told before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Share {
    pub sale: String,
    pub product: String,
    pub kind: SaleKind,
    pub currency: String,
    pub at: Timestamp,
    pub available_at: Timestamp,
    /// Minor units, as the two below.
    pub gross_minor: i64,
    pub back_minor: i64,
    pub share_minor: i64,
    /// Counts what was told of the sale, from 1.
    pub told: i64,
}

/// A product that is asked for in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Listing {
    pub product: String,
    /// The product as its owner wrote it.
    pub body: Object,
}

/// Where a product in the catalog stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Listed {
    pub product: String,
    pub name: String,
    pub status: ListingStatus,
    /// Code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A campaign's mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct CampaignMail {
    pub campaign: String,
    pub name: String,
    pub template: String,
}

/// Effect kind of a message.
pub(crate) const KIND: &str = "account.send";

impl Message {
    /// Read a payload; none if it is of another version's form.
    pub fn of_payload(text: &str) -> Option<Message> {
        extension_reader::from_str_small(text).ok()
    }
}
