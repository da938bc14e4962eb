//! Mails to many: the campaigns, who could be written to, and what an account told of itself for that.

use super::{ACCOUNT, json_record};
use crate::model::json::{is_false, is_zero};
use extension_contract::{SubscriptionStatus, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// Where a campaign stands (PLG-60).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CampaignStatus {
    /// It is being written.
    #[default]
    Draft,
    /// It begins at a time.
    Scheduled,
    /// Batch after batch goes out; one that enrols stays here until it is cancelled.
    Sending,
    /// All of its audience has it.
    Sent,
    /// Nobody else gets it.
    Canceled,
    /// Its mail can't be written any more.
    Failed,
}

impl CampaignStatus {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [CampaignStatus; 6] = [
        CampaignStatus::Draft,
        CampaignStatus::Scheduled,
        CampaignStatus::Sending,
        CampaignStatus::Sent,
        CampaignStatus::Canceled,
        CampaignStatus::Failed,
    ];

    /// Name in messages.
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

    /// Whether one state follows another.
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

/// Who gets a campaign: whoever meets all that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Audience {
    /// A product that the account may use by a plan, an add-on or a purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Status of a subscription of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SubscriptionStatus>,
    /// A fact that was told of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// A campaign; its id is `cmp_` and sixteen digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Campaign {
    pub name: String,
    pub template: String,
    pub audience: Audience,
    /// Whoever comes to meet it later gets it as well.
    #[serde(skip_serializing_if = "is_false")]
    pub enrols: bool,
    pub status: CampaignStatus,
    /// When it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The last account that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Every account that there was has been looked at.
    #[serde(skip_serializing_if = "is_false")]
    pub through: bool,
    /// Accounts that were written to.
    #[serde(skip_serializing_if = "is_zero")]
    pub recipients: i64,
}

json_record!(Campaign, "campaigns",
    live: |campaign| matches!(campaign.status, CampaignStatus::Scheduled | CampaignStatus::Sending),
    references: |_| Vec::new());

/// What an account tells of itself, and what the platform keeps of it under the account's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Member {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// Statuses of its subscriptions; of one that has had some and has none any more, `canceled`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<SubscriptionStatus>,
    /// Facts that were told of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// It wants no campaigns.
    #[serde(skip_serializing_if = "is_false")]
    pub unsubscribed: bool,
    /// Counts what was told, from 1.
    pub told: i64,
}

impl Member {
    /// Whether it is among an audience, and wants to be.
    pub fn is_in(&self, audience: &Audience) -> bool {
        !self.unsubscribed
            && audience.product.as_ref().is_none_or(|product| self.products.contains(product))
            && audience.status.as_ref().is_none_or(|status| self.statuses.contains(status))
            && audience.event.as_ref().is_none_or(|event| self.events.contains(event))
    }
}

json_record!(Member, "members", live: |_| false, references: |_| Vec::new());

/// What an account keeps of what it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Membership {
    /// Facts that were told of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// It wants no campaigns.
    #[serde(skip_serializing_if = "is_false")]
    pub unsubscribed: bool,
    /// What it told last.
    pub told: Member,
}

impl Membership {
    /// Id of the one row of an account.
    pub const ID: &'static str = "membership";
}

json_record!(Membership, ACCOUNT, live: |_| true, references: |_| Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    // covers: PLG-60
    #[test]
    fn a_campaign_goes_forward_and_ends() {
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
