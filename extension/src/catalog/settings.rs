//! Policies of a business, with the defaults of requirements 7.2 and 8.

use super::buy::Buyer;
use super::campaign::Campaigns;
use super::declared::OwnResources;
use super::entitlement::Entitlements;
use super::meter::Meters;
use super::names::BUSINESS;
use super::rate::Rates;
use super::reaction::{Events, Reaction, Templates};
use super::span::{Delay, Span};
use crate::model::json::{Object, decode, encode, is_false};
use crate::model::records::subscription::Pause;
use extension_contract::{Account, Fallible, Grant};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The clause `policies`, and other clauses that decisions need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Payment provider.
    pub provider: String,
    /// Currency of all prices.
    pub currency: String,
    /// Grace period: full service after a failed payment.
    pub grace: Delay,
    /// Times from the first failed payment to a mail.
    pub dunning: Vec<Delay>,
    /// Time in which the owner can choose which instances to keep, when a plan allows less than is in use.
    pub over_limit: Delay,
    /// Time from suspension to archive.
    pub archive_after: Delay,
    /// Time from archive to deletion.
    pub delete_after: Delay,
    /// Times before a destructive step at which a mail is sent.
    pub notice: Vec<Delay>,
    /// Time for which a name stays blocked after its product was destroyed.
    pub name_block: Delay,
    /// Time for which the final backup of a deleted product is kept, in whole days.
    pub final_backup: Delay,
    /// Time in `error` after which an account gets a credit for the lost days.
    pub error_credit_after: Delay,
    /// Return URL of a checkout.
    pub success_url: Option<String>,
    /// Return URL of a cancelled checkout.
    pub cancel_url: Option<String>,
    /// Allowed origins of return URLs.
    pub origins: Vec<String>,
    /// Time without events after which a subscription is fetched and compared; by default it is not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare_after: Option<Span>,
    /// Time from the closure of an account to the erasure of its personal data; by default the data is not erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erase_after: Option<Span>,
    /// Maximum delay of a provider's event about which the account still receives a mail (S25). The default is the time
    /// for which Stripe retries deliveries, so that processing the backlog of an outage sends no mails.
    pub mail_within: Span,
    /// Time after the payment for which an item waits for the plan that it requires; then it is refunded (S113).
    pub plan_within: Span,
    /// Kinds of paused collection during which a subscription grants nothing (S62). With other kinds it keeps its
    /// grants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suspend_on_pause: Vec<Pause>,
    /// Whether the objects of thin events are fetched; thin events are refused by default.
    #[serde(skip_serializing_if = "is_false")]
    pub thin_events: bool,
    /// Whether prices are created at the provider. If false, products refer to existing prices by the provider's id.
    #[serde(skip_serializing_if = "is_true")]
    pub sync_prices: bool,
    /// When a customer is created at the provider.
    #[serde(skip_serializing_if = "CustomerCreation::is_at_checkout")]
    pub customer_creation: CustomerCreation,
    /// Declared entitlements: a separate clause, stored here because every decision may need it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub entitlements: Entitlements,
    /// Meters: a separate clause, stored here because counters are measured by them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meters: Meters,
    /// Rates of measured usage: a separate clause, stored here because every measurement needs it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: Rates,
    /// Permissions of an organization's roles: a separate clause, stored here because every command needs it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub may: Roles,
    /// The business's own configuration keys, stored here because types refer to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<String>,
    /// The business's own resources with their verbs: a separate clause, stored here because types refer to them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: OwnResources,
    /// The business's own facts: a separate clause, stored here because every command may report a fact.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events: Events,
    /// Reactions to facts: a separate clause, stored here because every decision may record a fact.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// Campaign settings: a separate clause, stored here because every decision may change the member list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaigns: Option<Campaigns>,
    /// Mail templates with their placeholders, stored here because campaigns refer to them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: Templates,
    /// Default plans by family, in force without a paid plan of the family. `catalog.load` fills them in, because every
    /// decision about an account without a plan needs them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<String, DefaultPlan>,
}

/// For each command or query, the roles of an organization's members that may use it.
pub(crate) type Roles = BTreeMap<String, Vec<String>>;

/// When a customer is created at the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CustomerCreation {
    /// The checkout itself creates the customer.
    #[default]
    Checkout,
    /// The customer is created before the first checkout, which then uses it.
    BeforeCheckout,
}

impl CustomerCreation {
    fn is_at_checkout(&self) -> bool {
        *self == CustomerCreation::Checkout
    }
}

fn is_true(value: &bool) -> bool {
    *value
}

/// A plan that is in force without a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct DefaultPlan {
    /// Product id.
    pub product_id: String,
    /// Grants of the plan.
    pub grants: Vec<Grant>,
    /// Kind of account that has the plan; every account by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Buyer>,
}

impl DefaultPlan {
    /// Returns whether an account of this kind has the plan.
    pub fn is_for(&self, account: Option<&Account>) -> bool {
        match (self.account, account) {
            (None, _) => true,
            (Some(buyer), Some(account)) => buyer.is(account),
            (Some(_), None) => false,
        }
    }
}

impl Settings {
    /// Encodes the policies that differ from their defaults. Almost every event decodes the row, so it is kept small.
    pub fn stored(&self) -> Fallible<String> {
        let mut members: Object = decode("products", BUSINESS, &encode(self)?)?;
        let defaults: Object = decode("products", BUSINESS, &encode(&Settings::default())?)?;
        members.retain(|name, value| defaults.get(name) != Some(value));
        encode(&members)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            provider: "stripe".to_owned(),
            currency: "usd".to_owned(),
            grace: Delay::days(7),
            dunning: [0, 3, 6].map(Delay::days).to_vec(),
            over_limit: Delay::days(14),
            archive_after: Delay::days(30),
            delete_after: Delay::days(90),
            notice: [7, 1].map(Delay::days).to_vec(),
            name_block: Delay::days(30),
            final_backup: Delay::days(30),
            error_credit_after: Delay::days(1),
            success_url: None,
            cancel_url: None,
            origins: Vec::new(),
            compare_after: None,
            erase_after: None,
            mail_within: Span::days(3),
            plan_within: Span::MINUTE,
            suspend_on_pause: Vec::new(),
            thin_events: false,
            sync_prices: true,
            customer_creation: CustomerCreation::Checkout,
            entitlements: Entitlements::new(),
            meters: Meters::new(),
            rates: Rates::new(),
            may: Roles::new(),
            config: Vec::new(),
            resources: OwnResources::new(),
            events: Events::new(),
            reactions: Vec::new(),
            campaigns: None,
            templates: Templates::new(),
            defaults: BTreeMap::new(),
        }
    }
}

/// The payment providers for which effects exist.
pub(crate) const PROVIDERS: [&str; 1] = ["stripe"];

/// Queries about an account, as named in roles.
pub(crate) const QUESTIONS: [&str; 4] = ["entitlements", "usage", "balances", "list"];
