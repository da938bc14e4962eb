//! Messages between accounts.

use super::ids::ProductId;
use super::json::Object;
use super::records::campaign::Member;
use super::records::listing::ListingStatus;
use super::records::sale::SaleKind;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// A message between accounts, as sent and received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// The current share of the receiver in a sale.
    Share(Share),
    /// A request of the sender to list its own product in the catalog.
    Listing(Listing),
    /// The listing status of a product of the receiver.
    Listed(Listed),
    /// The campaign attributes of the sender.
    Member(Member),
    /// A campaign mail for the receiver.
    Campaign(CampaignMail),
}

/// A share of a sale. Each message contains the complete state, so the newest message replaces all earlier messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    pub sale: String,
    pub product: ProductId,
    pub kind: SaleKind,
    pub currency: String,
    pub at: Timestamp,
    pub available_at: Timestamp,
    /// Revenue without tax, in minor units. `back_minor` is its refunded or disputed part, `share_minor` the share of
    /// the rest.
    pub gross_minor: i64,
    pub back_minor: i64,
    pub share_minor: i64,
    /// Number of the message for this sale, from 1.
    pub told: i64,
}

/// A request of the owner to list a product in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub product: String,
    /// The product body as written by its owner.
    pub body: Object,
}

/// The status of a listed product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub product: String,
    pub name: String,
    pub status: ListingStatus,
    /// Code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A mail of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CampaignMail {
    pub campaign: String,
    pub name: String,
    pub template: String,
}

impl Message {
    /// Decodes a payload; `None` if the payload has the form of another version.
    pub fn of_payload(text: &str) -> Option<Message> {
        extension_reader::from_str(text).ok()
    }
}
