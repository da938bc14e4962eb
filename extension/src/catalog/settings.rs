//! Policies of a business, each as one entry, with its default.

use super::buy::Buyer;
use super::campaign::Campaigns;
use super::cancel_offer::CancelOffer;
use super::currencies::Currencies;
use super::declared::OwnResources;
use super::entitlement::Entitlements;
use super::known_coupon::KnownCoupons;
use super::meter::Meters;
use super::names::BUSINESS;
use super::price_move::PriceMoves;
use super::rate::{FormerRates, Rates};
use super::reaction::{Events, Reaction, Templates};
use super::sale::TrialThen;
use super::span::{Delay, Span};
use super::usage_source::UsageSource;
use crate::model::ids::ProductId;
use crate::model::json::{Object, decode, encode};
use crate::model::records::purchase::Sold;
use crate::model::records::subscription::Pause;
use extension_contract::{Account, Fallible, Grant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Declares the policies, which the clause `policies` sets, and the other clauses that the same row stores, each with its default.
macro_rules! policies {
    (
        policies: {$($(#[$about:meta])* $policy:ident: $policy_type:ty = $policy_default:expr;)*}
        clauses: {$($(#[$of:meta])* $clause:ident: $clause_type:ty = $clause_default:expr;)*}
    ) => {
        /// The clause `policies`.
        #[derive(Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct Policies {
            $($(#[$about])* pub $policy: $policy_type,)*
        }

        /// The policies, and the other clauses that decisions need. One row stores all of them.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct Settings {
            $($(#[$about])* pub $policy: $policy_type,)*
            $($(#[$of])* pub $clause: $clause_type,)*
        }

        impl Default for Policies {
            fn default() -> Self {
                Policies { $($policy: $policy_default,)* }
            }
        }

        impl From<Policies> for Settings {
            fn from(policies: Policies) -> Self {
                Settings { $($policy: policies.$policy,)* $($clause: $clause_default,)* }
            }
        }
    };
}

policies! {
    policies: {
        /// Payment source.
        provider: String = "stripe".to_owned();
        /// Currency of all prices, or the currencies that customers can choose from.
        currency: Currencies = Currencies::of("usd");
        /// Grace period: full service after a failed payment.
        grace: Delay = Delay::days(7);
        /// Times from the first failed payment to a mail.
        dunning: Vec<Delay> = [0, 3, 6].map(Delay::days).to_vec();
        /// Time in which the owner can choose which instances to keep, when a plan allows less than is in use.
        over_limit: Delay = Delay::days(14);
        /// Time from suspension to archive.
        archive_after: Delay = Delay::days(30);
        /// Time from archive to deletion.
        delete_after: Delay = Delay::days(90);
        /// Times before a destructive step at which a mail is sent.
        notice: Vec<Delay> = [7, 1].map(Delay::days).to_vec();
        /// Time for which a name stays blocked after its product was destroyed.
        name_block: Delay = Delay::days(30);
        /// Time for which the final backup of a deleted product is kept, in whole days.
        final_backup: Delay = Delay::days(30);
        /// Time in `error` after which an account gets a credit for the lost days.
        error_credit_after: Delay = Delay::days(1);
        /// Where a checkout returns after the payment, by default the dashboard of the built-in pages.
        success_url: String = "/dashboard?success=true&session_id={CHECKOUT_SESSION_ID}".to_owned();
        /// Where a cancelled checkout returns, by default the built-in prices.
        cancel_url: String = "/pricing?canceled=1".to_owned();
        /// Where the customer portal and the onboarding of payouts return, by default the built-in page about billing.
        return_url: String = "/billing".to_owned();
        /// Allowed origins of return URLs.
        origins: Vec<String> = Vec::new();
        /// Time without events after which a subscription is retrieved and compared; by default it is not compared.
        compare_after: Option<Span> = None;
        /// Time from the closure of an account to the erasure of its personal data; by default the data is not erased.
        erase_after: Option<Span> = None;
        /// Maximum delay of a Stripe event about which the account still receives a mail (S25). The default is the time
        /// for which Stripe retries deliveries, so that processing the backlog of an outage sends no mails.
        mail_within: Span = Span::days(3);
        /// Time after the payment for which an item waits for the plan that it requires; then it is refunded (S113).
        plan_within: Span = Span::MINUTE;
        /// Kinds of paused collection during which a subscription grants nothing (S62). With other kinds it keeps its
        /// grants.
        suspend_on_pause: Vec<Pause> = Vec::new();
        /// The reasons that a cancellation may have; by default any text.
        cancel_reasons: Vec<String> = Vec::new();
        /// The coupon for customers who are about to leave; by default none.
        cancel_offer: Option<CancelOffer> = None;
        /// Whether the objects of thin events are retrieved; thin events are refused by default.
        thin_events: bool = false;
        /// When customers pay for the rest of the period after an upgrade.
        proration: Proration = Proration::Now;
        /// Bound of automatic top-ups; without it there are none.
        top_up: Option<TopUpTerms> = None;
        /// Whether prices are created at Stripe. If false, products refer to existing prices by their ids at Stripe.
        sync_prices: bool = true;
        /// Whether checkouts take the promotion codes that exist at Stripe. With `coupons` they do, too.
        codes: bool = false;
        /// Whether Stripe computes taxes, and whether prices contain them; by default no tax is computed.
        tax: Option<Tax> = None;
        /// Whose tax ids checkouts ask for; by default nobody's.
        tax_ids: Option<TaxIds> = None;
        /// The entitlement of which each member of an organization uses one; by default members use nothing. The host counts them.
        members: Option<String> = None;
        /// When a customer is created at Stripe.
        customer_creation: CustomerCreation = CustomerCreation::Checkout;
    }
    clauses: {
        /// Declared entitlements, stored because every decision may need it.
        entitlements: Entitlements = Entitlements::new();
        /// Meters, stored because counters are measured by them.
        meters: Meters = Meters::new();
        /// Rates of measured usage, stored because every measurement needs it.
        rates: Rates = Rates::new();
        /// Rates that a later catalog has changed. `catalog.load` fills them in, because usage can be reported later.
        former_rates: Vec<FormerRates> = Vec::new();
        /// Source of measurements, stored because every decision may read its log.
        usage_source: Option<UsageSource> = None;
        /// Permissions of an organization's roles, stored because every command needs it.
        may: Roles = Roles::new();
        /// The business's own configuration keys, stored because types refer to them.
        config: Vec<String> = Vec::new();
        /// The business's own resources with their verbs, stored because types refer to them.
        resources: OwnResources = OwnResources::new();
        /// The business's own facts, stored because every command may report a fact.
        events: Events = Events::new();
        /// Reactions to facts, stored because every decision may record a fact.
        reactions: Vec<Reaction> = Vec::new();
        /// Campaign settings, stored because every decision may change the member list.
        campaigns: Option<Campaigns> = None;
        /// Mail templates with their placeholders, stored because campaigns refer to them.
        templates: Templates = Templates::new();
        /// The clause `coupons`, and what Stripe has of it. Stored because every checkout needs it.
        coupons: KnownCoupons = KnownCoupons::new();
        /// The clause `price_moves`, stored because every decision may move a subscription.
        price_moves: PriceMoves = PriceMoves::new();
        /// Default plans by family, in force without a paid plan of the family. `catalog.load` fills them in, because every
        /// decision about an account without a plan needs them.
        defaults: BTreeMap<String, DefaultPlan> = BTreeMap::new();
        /// The plan that new accounts try. `catalog.load` fills it in, because the first event of an account needs it.
        sign_up: Option<SignUpTrial> = None;
    }
}

impl Default for Settings {
    fn default() -> Self {
        Policies::default().into()
    }
}

/// For each command or query, the roles of an organization's members that may use it.
pub(crate) type Roles = BTreeMap<String, Vec<String>>;

/// When customers pay for the rest of the period after an upgrade. A change of the interval begins a new period, so it is always paid
/// at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proration {
    /// At once; the change waits for the payment.
    #[default]
    Now,
    /// With the next invoice.
    NextInvoice,
    /// Never: the next period has the new price.
    None,
}

impl Proration {
    /// Returns Stripe's name of it.
    pub fn behavior(self) -> &'static str {
        match self {
            Proration::Now => "always_invoice",
            Proration::NextInvoice => "create_prorations",
            Proration::None => "none",
        }
    }
}

/// Bound of automatic top-ups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUpTerms {
    /// What a customer may allow for a month, in minor units.
    pub at_most: i64,
}

/// How Stripe computes taxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tax {
    /// Automatically, in addition to the prices.
    Automatic,
    /// Automatically; the prices contain it.
    Included,
}

impl Tax {
    /// Returns Stripe's name of it at a price.
    pub fn behavior(self) -> &'static str {
        match self {
            Tax::Automatic => "exclusive",
            Tax::Included => "inclusive",
        }
    }
}

/// Whose tax ids checkouts ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaxIds {
    /// Those of customers that are businesses.
    Business,
}

/// When a customer is created at Stripe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CustomerCreation {
    /// The checkout itself creates the customer.
    #[default]
    Checkout,
    /// The customer is created before the first checkout, which then uses it.
    BeforeCheckout,
}

/// A plan that is in force without a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultPlan {
    /// Product id.
    pub product_id: ProductId,
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

/// A plan that new accounts try without a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignUpTrial {
    /// Product id.
    pub product_id: ProductId,
    /// How long they try it.
    pub days: u32,
    /// How many units they try.
    pub quantity: u32,
    /// Kind of account that tries it; every account by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Buyer>,
    /// What follows.
    pub then: TrialThen,
    /// What they get.
    pub tried: Sold,
}

impl SignUpTrial {
    /// Returns whether an account of this kind tries the plan.
    pub fn is_for(&self, account: &Account) -> bool {
        !matches!(account, Account::Platform) && self.account.is_none_or(|buyer| buyer.is(account))
    }
}

impl Settings {
    /// Forgets that a product is the default plan of a family, or the plan that new accounts try.
    pub fn forget_plan(&mut self, id: &str) {
        self.defaults.retain(|_, plan| *plan.product_id != *id);
        self.sign_up.take_if(|plan| *plan.product_id == *id);
    }

    /// Encodes the policies that differ from their defaults. Almost every event decodes the row, so it is kept small.
    pub fn stored(&self) -> Fallible<String> {
        let mut members: Object = decode("products", BUSINESS, &encode(self)?)?;
        let defaults: Object = decode("products", BUSINESS, &encode(&Settings::default())?)?;
        members.retain(|name, value| defaults.get(name) != Some(value));
        encode(&members)
    }
}

/// The payment sources for which effects exist.
pub(crate) const PAYMENT_SOURCES: [&str; 1] = ["stripe"];

/// Queries about an account, as named in roles.
pub(crate) const QUESTIONS: [&str; 4] = ["entitlements", "usage", "balances", "list"];
