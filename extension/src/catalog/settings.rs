//! Policies of a business, with the defaults of requirements 7.2 and 8.

use super::buy::Buyer;
use super::campaign::Campaigns;
use super::declared::OwnResources;
use super::entitlement::Entitlements;
use super::rate::Rates;
use super::reaction::{Events, Reaction, Templates};
use super::span::Span;
use crate::model::json::is_false;
use crate::model::records::subscription::Pause;
use extension_contract::{Account, Grant};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Policies, as the catalog's `business` says them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Payment provider.
    pub provider: String,
    /// Currency of all prices.
    pub currency: String,
    /// Days of full service after a failed payment.
    pub grace_days: u32,
    /// Days after the first failed payment on which a mail goes out.
    pub dunning_days: Vec<u32>,
    /// Days to choose what to keep when a plan allows less than is in use.
    pub over_limit_days: u32,
    /// Days from suspension to archive.
    pub archive_after_days: u32,
    /// Days that an archive is kept.
    pub retention_days: u32,
    /// Days before a step that loses something, on which a mail goes out.
    pub notice_days: Vec<u32>,
    /// Days for which a name stays blocked after its product is gone.
    pub name_block_days: u32,
    /// Days for which the last backup of a deleted product is kept.
    pub final_backup_days: u32,
    /// Hours in `error` after which lost days are credited.
    pub error_credit_hours: u32,
    /// Where checkout returns to.
    pub success_url: Option<String>,
    /// Where checkout returns to when it is left.
    pub cancel_url: Option<String>,
    /// Origins that a return URL may have.
    pub origins: Vec<String>,
    /// For how long nothing need be heard of a subscription before it is asked for; never asked for where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare_after: Option<Span>,
    /// How long after an account was given up what is personal of it is erased; kept where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erase_after: Option<Span>,
    /// How late the payment provider may tell of something for which the account still gets a mail (S25): by default as
    /// long as Stripe itself delivers, so that reading up after an outage writes to nobody.
    pub mail_within: Span,
    /// Ways of pausing the collection during which a subscription entitles to nothing (S62); of the others it goes on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suspend_on_pause: Vec<Pause>,
    /// Events of the provider that only name their object are asked for; refused where it isn't said.
    #[serde(skip_serializing_if = "is_false")]
    pub thin_events: bool,
    /// False: prices are made elsewhere, and a product names each by the provider's id.
    #[serde(skip_serializing_if = "is_true")]
    pub sync_prices: bool,
    /// When a customer is made at the provider.
    #[serde(skip_serializing_if = "CustomerCreation::is_at_checkout")]
    pub customer_creation: CustomerCreation,
    /// What there is to be entitled to: the catalog's own clause, kept here since every decision may need it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub entitlements: Entitlements,
    /// What measured use costs: a clause of its own, kept here since every measurement needs it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: Rates,
    /// Who in an organization may what: a clause of its own, kept here since every command needs it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub may: Roles,
    /// Configuration keys of the business's own: kept here since types name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<String>,
    /// Resources of the business's own, with their verbs: a clause of its own, kept here since types name them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: OwnResources,
    /// Facts of the business's own: a clause of its own, kept here since every command may be one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events: Events,
    /// What follows from facts: a clause of its own, kept here since every decision may bring one about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Reaction>,
    /// How campaigns go out: a clause of its own, kept here since every decision tells who could be written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaigns: Option<Campaigns>,
    /// Templates of mails, with their places: kept here since campaigns name them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: Templates,
    /// Plans that are in force where no paid plan of their family is, by family: kept here by the catalog's own rules,
    /// since every decision about an account without a plan needs them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<String, DefaultPlan>,
}

/// Roles of an organization's members, by the command or question that they may.
pub(crate) type Roles = BTreeMap<String, Vec<String>>;

/// When a customer is made at the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CustomerCreation {
    /// By the checkout itself.
    #[default]
    Checkout,
    /// Before the first checkout, which then is that customer's.
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

/// A plan that nobody pays for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct DefaultPlan {
    /// Its product.
    pub product_id: String,
    /// What it grants.
    pub grants: Vec<Grant>,
    /// Whose it is; everybody's where its type doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Buyer>,
}

impl DefaultPlan {
    /// Whether an account of this kind has it.
    pub fn is_for(&self, account: Option<&Account>) -> bool {
        match (self.account, account) {
            (None, _) => true,
            (Some(buyer), Some(account)) => buyer.is(account),
            (Some(_), None) => false,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            provider: "stripe".to_owned(),
            currency: "usd".to_owned(),
            grace_days: 7,
            dunning_days: vec![0, 3, 6],
            over_limit_days: 14,
            archive_after_days: 30,
            retention_days: 90,
            notice_days: vec![7, 1],
            name_block_days: 30,
            final_backup_days: 30,
            error_credit_hours: 24,
            success_url: None,
            cancel_url: None,
            origins: Vec::new(),
            compare_after: None,
            erase_after: None,
            mail_within: Span::days(3),
            suspend_on_pause: Vec::new(),
            thin_events: false,
            sync_prices: true,
            customer_creation: CustomerCreation::Checkout,
            entitlements: Entitlements::new(),
            rates: Rates::new(),
            may: Roles::new(),
            config: Vec::new(),
            resources: OwnResources::new(),
            events: Events::new(),
            on: Vec::new(),
            campaigns: None,
            templates: Templates::new(),
            defaults: BTreeMap::new(),
        }
    }
}

/// The payment providers that effects exist for.
pub(crate) const PROVIDERS: [&str; 1] = ["stripe"];

/// Questions that can be asked about an account, as roles name them.
pub(crate) const QUESTIONS: [&str; 4] = ["entitlements", "usage", "balances", "list"];
