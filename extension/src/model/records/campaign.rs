//! Campaign mails: campaigns, the platform's list of members, and the attributes that an account reports for this list.

use super::{ACCOUNT, json_record};
use crate::model::ids::ProductId;
use crate::model::json::is_zero;
use extension_contract::{SubscriptionStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// Status of a campaign (PLG-60).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CampaignStatus {
    /// The campaign is being written.
    #[default]
    Draft,
    /// The campaign begins at a set time.
    Scheduled,
    /// Batches are being sent. A campaign that enrols keeps this status until it is cancelled.
    Sending,
    /// The whole audience received the campaign.
    Sent,
    /// The campaign was cancelled; no further mails are sent.
    Canceled,
    /// The campaign's mail can no longer be rendered.
    Failed,
}

impl CampaignStatus {
    /// All statuses.
    #[cfg(test)]
    pub const ALL: [CampaignStatus; 6] = [
        CampaignStatus::Draft,
        CampaignStatus::Scheduled,
        CampaignStatus::Sending,
        CampaignStatus::Sent,
        CampaignStatus::Canceled,
        CampaignStatus::Failed,
    ];

    /// Returns the name in messages.
    pub fn name(self) -> &'static str {
        match self {
            CampaignStatus::Draft => "draft",
            CampaignStatus::Scheduled => "scheduled",
            CampaignStatus::Sending => "sending",
            CampaignStatus::Sent => "sent",
            CampaignStatus::Canceled => "canceled",
            CampaignStatus::Failed => "failed",
        }
    }

    /// Returns whether `next` may follow this status.
    pub fn leads_to(self, next: CampaignStatus) -> bool {
        use CampaignStatus::{Canceled, Draft, Failed, Scheduled, Sending, Sent};
        matches!(
            (self, next),
            (Draft, Scheduled | Sending | Canceled)
                | (Scheduled, Scheduled | Sending | Canceled | Failed)
                | (Sending, Sent | Canceled | Failed)
        )
    }
}

/// The audience of a campaign: accounts that meet every given condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Audience {
    /// A product that the account may use through a plan, an add-on or a purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// Status of a subscription of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SubscriptionStatus>,
    /// A fact recorded for the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// A campaign. Its id is `cmp_` and sixteen digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Campaign {
    pub name: String,
    pub template: String,
    pub audience: Audience,
    /// Whether accounts that join the audience later also receive the mail.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enrols: bool,
    pub status: CampaignStatus,
    /// Start time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The last account that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether the batches have reached the end of the list of members.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub through: bool,
    /// Number of accounts that received the campaign.
    #[serde(skip_serializing_if = "is_zero")]
    pub recipients: i64,
}

json_record!(Campaign, "campaigns",
    live: |campaign| matches!(campaign.status, CampaignStatus::Scheduled | CampaignStatus::Sending),
    references: |_| Vec::new());

/// The campaign attributes of an account. The account sends them, and the platform stores them under the account's
/// name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Member {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<ProductId>,
    /// Statuses of the account's subscriptions; `canceled` if all its subscriptions have ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<SubscriptionStatus>,
    /// Facts recorded for the account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Whether the account is unsubscribed from campaigns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsubscribed: bool,
    /// Number of the message, from 1.
    pub told: i64,
}

impl Member {
    /// Returns whether the account belongs to an audience and is not unsubscribed.
    pub fn is_in(&self, audience: &Audience) -> bool {
        !self.unsubscribed
            && audience.product.as_ref().is_none_or(|product| self.products.contains(product))
            && audience.status.as_ref().is_none_or(|status| self.statuses.contains(status))
            && audience.event.as_ref().is_none_or(|event| self.events.contains(event))
    }
}

json_record!(Member, "members", live: |_| false, references: |_| Vec::new());

/// The account's own copy of its campaign attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Membership {
    /// Facts recorded for the account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Whether the account is unsubscribed from campaigns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsubscribed: bool,
    /// The attributes that the account sent last.
    pub told: Member,
}

impl Membership {
    /// Id of the account's only row.
    pub const ID: &'static str = "membership";
}

json_record!(Membership, ACCOUNT, live: |_| true, references: |_| Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    // covers: PLG-60
    #[test]
    fn a_campaign_only_moves_forward() {
        use CampaignStatus::{Canceled, Draft, Failed, Scheduled, Sending, Sent};
        let next = |from: CampaignStatus| CampaignStatus::ALL.into_iter().filter(|to| from.leads_to(*to)).collect();
        let expected: [(CampaignStatus, Vec<CampaignStatus>); 6] = [
            (Draft, vec![Scheduled, Sending, Canceled]),
            (Scheduled, vec![Scheduled, Sending, Canceled, Failed]),
            (Sending, vec![Sent, Canceled, Failed]),
            (Sent, vec![]),
            (Canceled, vec![]),
            (Failed, vec![]),
        ];
        for (from, to) in expected {
            let found: Vec<CampaignStatus> = next(from);
            assert_eq!(found, to, "{}", from.name());
        }
    }
}
