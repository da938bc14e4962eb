//! What an effect is about: goes out as its context, and comes back with its result.

use super::json::encode;
use extension_contract::{Fallible, Json, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// The rows that the end of an effect matters to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// A resource of an instance.
    Resource {
        /// Product id of the instance.
        instance: String,
        /// The resource's entry, with its variant.
        resource: String,
        /// What was asked for.
        verb: Verb,
    },
    /// The health of an instance.
    Watch {
        /// Product id of the instance.
        instance: String,
    },
    /// The checkout of a purchase.
    Checkout {
        /// Purchase id.
        purchase: String,
    },
    /// A catalog product at the payment provider.
    Sync {
        /// Product id.
        product: String,
        /// Billing interval of the price; none of the product itself.
        interval: Option<String>,
    },
    /// The customer that a purchase waits for.
    Customer {
        /// Purchase id.
        purchase: String,
    },
    /// The customer that an account becomes when it is registered.
    Registration,
    /// The customer that is wanted for the provider's page about it.
    CustomerForPortal {
        /// Where that page returns to.
        return_url: String,
    },
    /// The provider's page about a customer.
    Portal,
    /// The account that shares are paid out to.
    Connect,
    /// The link to its onboarding.
    ConnectLink,
    /// The invoice of a month's use.
    UsageInvoice {
        /// The month.
        month: String,
    },
    /// A transfer of shares.
    Transfer {
        /// Its currency.
        currency: String,
    },
    /// A refund that was asked for.
    Refund {
        /// Purchase id.
        purchase: String,
        /// Minor units.
        amount_minor: i64,
    },
    /// A token that is made.
    Token {
        /// Its id.
        token: String,
        /// The address that it was asked from.
        ip: Option<String>,
    },
    /// What a token is redeemed for.
    Redeem {
        /// Its id.
        token: String,
        /// When the grant ends.
        expires_at: Timestamp,
    },
    /// A subscription of which nothing was heard.
    Compare {
        /// Its id.
        subscription: String,
    },
    /// An object that an event of the payment provider only named.
    Thin {
        /// Id of the event that tells it with its object.
        event: String,
        /// Type of that event.
        kind: String,
    },
    /// An object of the payment provider.
    Retrieve {
        /// Its id.
        object: String,
        /// Events whose views were known when it was asked for: the answer is newer than these.
        known: Vec<String>,
    },
}

/// What can be asked of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Make it.
    Ensure,
    /// Make it another way, or let it stand still.
    Change,
    /// Save its data.
    Backup,
    /// Bring its data back.
    Restore,
    /// Free it.
    Destroy,
    /// Look at it.
    Observe,
    /// Do a step.
    Run,
}

impl Verb {
    /// The verb as it stands in kinds and keys.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Ensure => "ensure",
            Verb::Change => "change",
            Verb::Backup => "backup",
            Verb::Restore => "restore",
            Verb::Destroy => "destroy",
            Verb::Observe => "observe",
            Verb::Run => "run",
        }
    }
}

/// What kind of concern a context is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum About {
    Resource,
    Watch,
    Checkout,
    Sync,
    Customer,
    Registration,
    CustomerForPortal,
    Portal,
    Connect,
    ConnectLink,
    UsageInvoice,
    Transfer,
    Refund,
    Token,
    Redeem,
    Compare,
    Thin,
    Retrieve,
}

/// A concern as a context has it: one form for all, which takes a fifth of the code that a form for each would.
#[derive(Debug, Serialize, SmallDeserialize)]
struct Flat {
    about: About,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verb: Option<Verb>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount_minor: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    known: Vec<String>,
}

impl Concern {
    /// As an effect's context.
    pub fn to_context(&self) -> Fallible<Json> {
        let (about, id) = match self {
            Concern::Resource { instance, .. } => (About::Resource, Some(instance)),
            Concern::Watch { instance } => (About::Watch, Some(instance)),
            Concern::Checkout { purchase } => (About::Checkout, Some(purchase)),
            Concern::Sync { product, .. } => (About::Sync, Some(product)),
            Concern::Customer { purchase } => (About::Customer, Some(purchase)),
            Concern::Registration => (About::Registration, None),
            Concern::CustomerForPortal { return_url } => (About::CustomerForPortal, Some(return_url)),
            Concern::Portal => (About::Portal, None),
            Concern::Connect => (About::Connect, None),
            Concern::ConnectLink => (About::ConnectLink, None),
            Concern::UsageInvoice { month } => (About::UsageInvoice, Some(month)),
            Concern::Transfer { currency } => (About::Transfer, Some(currency)),
            Concern::Refund { purchase, .. } => (About::Refund, Some(purchase)),
            Concern::Token { token, .. } => (About::Token, Some(token)),
            Concern::Redeem { token, .. } => (About::Redeem, Some(token)),
            Concern::Compare { subscription } => (About::Compare, Some(subscription)),
            Concern::Thin { event, .. } => (About::Thin, Some(event)),
            Concern::Retrieve { object, .. } => (About::Retrieve, Some(object)),
        };
        let mut flat = Flat {
            about,
            id: id.cloned(),
            part: None,
            verb: None,
            amount_minor: None,
            expires_at: None,
            known: Vec::new(),
        };
        match self {
            Concern::Resource { resource, verb, .. } => (flat.part, flat.verb) = (Some(resource.clone()), Some(*verb)),
            Concern::Sync { interval, .. } => flat.part = interval.clone(),
            Concern::Token { ip, .. } => flat.part = ip.clone(),
            Concern::Thin { kind, .. } => flat.part = Some(kind.clone()),
            Concern::Redeem { expires_at, .. } => flat.expires_at = Some(*expires_at),
            Concern::Refund { amount_minor, .. } => flat.amount_minor = Some(*amount_minor),
            Concern::Retrieve { known, .. } => flat.known.clone_from(known),
            _ => {}
        }
        encode(&flat)
    }

    /// From an effect's context; none where it is about nothing of ours.
    pub fn of_context(context: &str) -> Option<Concern> {
        let flat: Flat = extension_reader::from_str_small(context).ok()?;
        let (id, part) = (flat.id, flat.part);
        Some(match flat.about {
            About::Resource => Concern::Resource { instance: id?, resource: part?, verb: flat.verb? },
            About::Watch => Concern::Watch { instance: id? },
            About::Checkout => Concern::Checkout { purchase: id? },
            About::Sync => Concern::Sync { product: id?, interval: part },
            About::Customer => Concern::Customer { purchase: id? },
            About::Registration => Concern::Registration,
            About::CustomerForPortal => Concern::CustomerForPortal { return_url: id? },
            About::Portal => Concern::Portal,
            About::Connect => Concern::Connect,
            About::ConnectLink => Concern::ConnectLink,
            About::UsageInvoice => Concern::UsageInvoice { month: id? },
            About::Transfer => Concern::Transfer { currency: id? },
            About::Refund => Concern::Refund { purchase: id?, amount_minor: flat.amount_minor? },
            About::Token => Concern::Token { token: id?, ip: part },
            About::Redeem => Concern::Redeem { token: id?, expires_at: flat.expires_at? },
            About::Compare => Concern::Compare { subscription: id? },
            About::Thin => Concern::Thin { event: id?, kind: part? },
            About::Retrieve => Concern::Retrieve { object: id?, known: flat.known },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_out_comes_back() {
        let own = str::to_owned;
        for concern in [
            Concern::Resource { instance: own("inst_1"), resource: own("compute/ecs"), verb: Verb::Backup },
            Concern::Watch { instance: own("inst_1") },
            Concern::Checkout { purchase: own("pur_1") },
            Concern::Sync { product: own("prod_1"), interval: Some(own("month")) },
            Concern::Sync { product: own("prod_1"), interval: None },
            Concern::Customer { purchase: own("pur_1") },
            Concern::Registration,
            Concern::CustomerForPortal { return_url: own("https://a.example/?b=\"c\"") },
            Concern::Portal,
            Concern::Connect,
            Concern::ConnectLink,
            Concern::UsageInvoice { month: own("2026-01") },
            Concern::Transfer { currency: own("usd") },
            Concern::Refund { purchase: own("pur_1"), amount_minor: 5 },
            Concern::Token { token: own("tok_1"), ip: None },
            Concern::Token { token: own("tok_1"), ip: Some(own("192.0.2.1")) },
            Concern::Redeem { token: own("tok_1"), expires_at: 7 },
            Concern::Compare { subscription: own("sub_1") },
            Concern::Thin { event: own("evt_1"), kind: own("invoice.paid") },
            Concern::Retrieve { object: own("sub_1"), known: Vec::new() },
            Concern::Retrieve { object: own("sub_1"), known: vec![own("evt_1"), own("evt_2")] },
        ] {
            let context = concern.to_context().expect("it can be encoded");
            assert_eq!(Concern::of_context(&context), Some(concern), "{context}");
        }
        for none in ["{}", "", r#"{"about": "resource", "id": "inst_1"}"#, r#"{"about": "weather"}"#] {
            assert_eq!(Concern::of_context(none), None, "{none}");
        }
    }
}
