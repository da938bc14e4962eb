//! The correlation of an effect: the rows that its result is for. The correlation is sent as the effect's context and
//! returned with the result.

use super::json::encode;
use extension_contract::{Fallible, Json, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// The correlation of an effect with the rows that its result changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// A resource of an instance.
    Resource {
        /// Product id of the instance.
        instance: String,
        /// Entry of the resource, with its variant.
        resource: String,
        /// The requested verb.
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
        /// Billing interval of the price to create; `None` to create the product itself.
        interval: Option<String>,
    },
    /// Creation of the customer that a purchase waits for.
    Customer {
        /// Purchase id.
        purchase: String,
    },
    /// Creation of a customer at the registration of an account.
    Registration,
    /// Creation of a customer that a customer portal session waits for.
    CustomerForPortal {
        /// Return URL of the portal.
        return_url: String,
    },
    /// A customer portal session.
    Portal,
    /// Creation of the connected account for payouts.
    Connect,
    /// The onboarding link of the connected account.
    ConnectLink,
    /// The invoice for a month of usage.
    UsageInvoice {
        /// The month.
        month: String,
    },
    /// A payout transfer.
    Transfer {
        /// Currency of the transfer.
        currency: String,
    },
    /// A requested refund.
    Refund {
        /// Purchase id.
        purchase: String,
        /// Amount in minor units.
        amount_minor: i64,
    },
    /// Creation of a token.
    Token {
        /// Token id.
        token: String,
        /// IP address of the request.
        ip: Option<String>,
    },
    /// The grant for which a token is redeemed.
    Redeem {
        /// Token id.
        token: String,
        /// End of the grant.
        expires_at: Timestamp,
    },
    /// A comparison of a subscription without recent events with the provider's subscription.
    Compare {
        /// Subscription id.
        subscription: String,
    },
    /// A fetch of the object of a thin event. The event contains only the object's id.
    Thin {
        /// Id of the event.
        event: String,
        /// Type of the event.
        kind: String,
    },
    /// A search for the checkout session of a subscription.
    SessionOf {
        /// Subscription id.
        subscription: String,
    },
    /// A fetch of an object from the payment provider.
    Retrieve {
        /// Object id.
        object: String,
        /// Ids of the events whose snapshots were known at the time of the request. The response is newer than these
        /// snapshots.
        known: Vec<String>,
    },
}

/// An operation on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Creates the resource.
    Ensure,
    /// Changes the resource's configuration, suspends or resumes the resource.
    Change,
    /// Backs up the resource's data.
    Backup,
    /// Restores the resource's data.
    Restore,
    /// Destroys the resource.
    Destroy,
    /// Checks whether the resource exists.
    Observe,
    /// Runs a step.
    Run,
}

impl Verb {
    /// Returns the verb's name in effect kinds and keys.
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

/// The kind of a concern.
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
    SessionOf,
    Retrieve,
}

/// The form of a concern in an effect's context. One struct for all kinds takes a fifth of the code of a struct for
/// each kind.
#[derive(Debug, Serialize, SmallDeserialize)]
struct FlatConcern {
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
    /// Encodes the concern as the context of an effect.
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
            Concern::SessionOf { subscription } => (About::SessionOf, Some(subscription)),
            Concern::Retrieve { object, .. } => (About::Retrieve, Some(object)),
        };
        let mut flat = FlatConcern {
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

    /// Decodes a concern from the context of an effect; `None` if the context has another form.
    pub fn of_context(context: &str) -> Option<Concern> {
        let flat: FlatConcern = extension_reader::from_str_small(context).ok()?;
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
            About::SessionOf => Concern::SessionOf { subscription: id? },
            About::Retrieve => Concern::Retrieve { object: id?, known: flat.known },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concern_survives_a_round_trip_through_a_context() {
        let own = str::to_owned;
        for concern in [
            Concern::Resource { instance: own("inst_1"), resource: own("compute/ecs"), verb: Verb::Backup },
            Concern::Watch { instance: own("inst_1") },
            Concern::Checkout { purchase: own("pur_1") },
            Concern::Sync { product: own("prod_1"), interval: Some(own("month")) },
            Concern::Sync { product: own("prod_1"), interval: None },
            Concern::SessionOf { subscription: own("sub_1") },
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
