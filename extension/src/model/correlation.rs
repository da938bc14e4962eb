//! The correlation of an effect: the rows that its result is for. The correlation is sent as the effect's context and
//! returned with the result.

use super::ids::{ProductId, SubscriptionId};
use super::json::{Object, encode};
use super::records::instance::InstanceRecord;
use super::records::invoice::Invoice;
use super::records::meter_day::MeterDay;
use super::records::payment::Payment;
use super::records::subscription::history_of;
use super::records::to_record;
use super::records::token::Token;
use super::records::usage::UsageMonth;
use extension_contract::{Fallible, Json, Reference, RowKey, Timestamp};
use serde::{Deserialize, Serialize};

/// The correlation of an effect with the rows that its result changes. Its members are named as in the effect's
/// context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub(crate) enum Correlation {
    /// A resource of an instance.
    Resource {
        /// Product id of the instance.
        #[serde(rename = "id")]
        instance: String,
        /// Entry of the resource, with its variant.
        #[serde(rename = "part")]
        resource: String,
        /// The requested verb.
        verb: Verb,
    },
    /// The health of an instance.
    Watch {
        /// Product id of the instance.
        #[serde(rename = "id")]
        instance: String,
    },
    /// The checkout of a purchase.
    Checkout {
        /// Purchase id.
        #[serde(rename = "id")]
        purchase: String,
    },
    /// A change of plan.
    PlanChange {
        /// Subscription id.
        #[serde(rename = "id")]
        subscription: SubscriptionId,
    },
    /// A catalog product at Stripe.
    Sync {
        /// Product id.
        #[serde(rename = "id")]
        product: ProductId,
        /// Billing interval of the price to create; `None` to create the product itself.
        #[serde(rename = "part", default, skip_serializing_if = "Option::is_none")]
        interval: Option<String>,
    },
    /// The promotion code of a coupon of the catalog.
    PromotionCode {
        /// The code.
        #[serde(rename = "id")]
        code: String,
    },
    /// Creation of the customer that a purchase waits for.
    Customer {
        /// Purchase id.
        #[serde(rename = "id")]
        purchase: String,
    },
    /// Creation of a customer at the registration of an account.
    Registration,
    /// Creation of a customer that a customer portal session waits for.
    CustomerForPortal {
        /// Return URL of the portal.
        #[serde(rename = "id")]
        return_url: String,
    },
    /// A customer portal session.
    Portal,
    /// A preview of a change of plan.
    Preview {
        /// What is known of the change without its figures.
        change: Object,
    },
    /// Creation of the connected account for payouts.
    Connect,
    /// The onboarding link of the connected account.
    ConnectLink,
    /// The invoice for a month of usage.
    UsageInvoice {
        /// The month.
        #[serde(rename = "id")]
        month: String,
    },
    /// The payment of an automatic top-up.
    TopUp {
        /// Purchase id.
        #[serde(rename = "id")]
        purchase: String,
    },
    /// A report of usage to a meter at Stripe.
    MeterEvent {
        /// The row of the meter and the day.
        #[serde(rename = "id")]
        day: String,
    },
    /// A page of usage from its source.
    UsagePull {
        /// Number of the pull.
        #[serde(rename = "id")]
        number: i64,
        /// Number of the page, from 1.
        #[serde(rename = "part")]
        page: i64,
        /// Beginning of the pulled time.
        from: Timestamp,
        /// End of the pulled time.
        to: Timestamp,
    },
    /// A payout transfer.
    Transfer {
        /// Currency of the transfer.
        #[serde(rename = "id")]
        currency: String,
    },
    /// A requested refund.
    Refund {
        /// Purchase id.
        #[serde(rename = "id")]
        purchase: String,
        /// Amount in minor units.
        amount_minor: i64,
    },
    /// A requested refund of the first period of a subscription.
    FirstPeriod {
        /// Subscription id.
        #[serde(rename = "id")]
        subscription: SubscriptionId,
        /// Amount in minor units.
        amount_minor: i64,
    },
    /// Creation of a token.
    Token {
        /// Token id.
        #[serde(rename = "id")]
        token: String,
        /// IP address of the request.
        #[serde(rename = "part", default, skip_serializing_if = "Option::is_none")]
        ip: Option<String>,
    },
    /// The grant for which a token is redeemed.
    Redeem {
        /// Token id.
        #[serde(rename = "id")]
        token: String,
        /// End of the grant.
        expires_at: Timestamp,
    },
    /// A comparison of a subscription without recent events with Stripe's subscription.
    Compare {
        /// Subscription id.
        #[serde(rename = "id")]
        subscription: SubscriptionId,
    },
    /// A retrieval of the object of a thin event. The event contains only the object's id.
    Thin {
        /// Id of the event.
        #[serde(rename = "id")]
        event: String,
        /// Type of the event.
        #[serde(rename = "part")]
        kind: String,
    },
    /// A search for the checkout session of a subscription.
    SessionOf {
        /// Subscription id.
        #[serde(rename = "id")]
        subscription: SubscriptionId,
    },
    /// A retrieval of an object from Stripe.
    Retrieve {
        /// Object id.
        #[serde(rename = "id")]
        object: String,
        /// Ids of the events whose snapshots were known at the time of the request. The response is newer than these
        /// snapshots.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        known: Vec<String>,
    },
}

impl Correlation {
    /// Returns true if a caller waits for the result: it learns that something failed, and the operators learn why.
    pub fn has_caller(&self) -> bool {
        match self {
            Correlation::Checkout { .. }
            | Correlation::Customer { .. }
            | Correlation::Registration
            | Correlation::CustomerForPortal { .. }
            | Correlation::Portal
            | Correlation::Preview { .. }
            | Correlation::Connect
            | Correlation::ConnectLink
            | Correlation::Refund { .. }
            | Correlation::FirstPeriod { .. }
            | Correlation::Token { .. }
            | Correlation::Redeem { .. } => true,
            Correlation::Resource { .. }
            | Correlation::Watch { .. }
            | Correlation::PlanChange { .. }
            | Correlation::Sync { .. }
            | Correlation::PromotionCode { .. }
            | Correlation::UsageInvoice { .. }
            | Correlation::TopUp { .. }
            | Correlation::MeterEvent { .. }
            | Correlation::UsagePull { .. }
            | Correlation::Transfer { .. }
            | Correlation::Compare { .. }
            | Correlation::Thin { .. }
            | Correlation::SessionOf { .. }
            | Correlation::Retrieve { .. } => false,
        }
    }

    /// Encodes the correlation as the context of an effect.
    pub fn to_context(&self) -> Fallible<Json> {
        encode(self)
    }

    /// Returns references to the rows that the result of the effect is for.
    pub fn rows(&self) -> Vec<Reference> {
        match self {
            Correlation::Resource { instance, .. } | Correlation::Watch { instance } => {
                instance_rows(instance).to_vec()
            }
            Correlation::Checkout { purchase }
            | Correlation::Customer { purchase }
            | Correlation::TopUp { purchase }
            | Correlation::Refund { purchase, .. } => {
                vec![Reference::Row(RowKey::Purchase(purchase.clone()))]
            }
            Correlation::PlanChange { subscription } => vec![history_of(subscription)],
            Correlation::FirstPeriod { subscription, .. } => {
                vec![Reference::Row(RowKey::Subscription(subscription.to_string())), history_of(subscription)]
            }
            Correlation::Sync { product, .. } => vec![Reference::Row(RowKey::Product(product.to_string()))],
            Correlation::Compare { subscription } => object_rows(subscription),
            Correlation::Retrieve { object, .. } => object_rows(object),
            Correlation::Token { token, .. } | Correlation::Redeem { token, .. } => {
                vec![to_record(Token::COLLECTION, token)]
            }
            Correlation::UsageInvoice { month } => vec![to_record(UsageMonth::COLLECTION, month)],
            Correlation::MeterEvent { day } => vec![to_record(MeterDay::COLLECTION, day)],
            Correlation::PromotionCode { .. }
            | Correlation::Registration
            | Correlation::CustomerForPortal { .. }
            | Correlation::Portal
            | Correlation::Preview { .. }
            | Correlation::Connect
            | Correlation::ConnectLink
            | Correlation::Thin { .. }
            | Correlation::SessionOf { .. }
            | Correlation::UsagePull { .. }
            | Correlation::Transfer { .. } => Vec::new(),
        }
    }

    /// Decodes a correlation from the context of an effect; `None` if the context has another form.
    pub fn of_context(context: &str) -> Option<Correlation> {
        extension_reader::from_str(context).ok()
    }
}

/// Returns references to the rows of an instance.
pub(crate) fn instance_rows(id: &str) -> [Reference; 2] {
    [Reference::Row(RowKey::Product(id.to_owned())), to_record(InstanceRecord::COLLECTION, id)]
}

/// Returns references to the rows of an object of Stripe whose kind is not known.
fn object_rows(id: &str) -> Vec<Reference> {
    let subscription = Reference::Row(RowKey::Subscription(id.to_owned()));
    let (invoice, payment) = (to_record(Invoice::COLLECTION, id), to_record(Payment::COLLECTION, id));
    vec![subscription, history_of(id), invoice, payment]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concern_survives_a_round_trip_through_a_context() {
        for context in [
            r#"{"about":"resource","id":"inst_1","part":"compute/ecs","verb":"backup"}"#,
            r#"{"about":"watch","id":"inst_1"}"#,
            r#"{"about":"checkout","id":"pur_1"}"#,
            r#"{"about":"sync","id":"prod_1","part":"month"}"#,
            r#"{"about":"sync","id":"prod_1"}"#,
            r#"{"about":"promotion_code","id":"LAUNCH50"}"#,
            r#"{"about":"session_of","id":"sub_1"}"#,
            r#"{"about":"customer","id":"pur_1"}"#,
            r#"{"about":"registration"}"#,
            r#"{"about":"customer_for_portal","id":"https://a.example/?b=\"c\""}"#,
            r#"{"about":"portal"}"#,
            r#"{"about":"connect"}"#,
            r#"{"about":"connect_link"}"#,
            r#"{"about":"usage_invoice","id":"2026-01"}"#,
            r#"{"about":"meter_event","id":"requests:2026-01-31"}"#,
            r#"{"about":"usage_pull","id":3,"part":2,"from":5,"to":7}"#,
            r#"{"about":"transfer","id":"usd"}"#,
            r#"{"about":"refund","id":"pur_1","amount_minor":5}"#,
            r#"{"about":"first_period","id":"sub_1","amount_minor":5}"#,
            r#"{"about":"token","id":"tok_1"}"#,
            r#"{"about":"token","id":"tok_1","part":"192.0.2.1"}"#,
            r#"{"about":"redeem","id":"tok_1","expires_at":7}"#,
            r#"{"about":"compare","id":"sub_1"}"#,
            r#"{"about":"thin","id":"evt_1","part":"invoice.paid"}"#,
            r#"{"about":"retrieve","id":"sub_1"}"#,
            r#"{"about":"retrieve","id":"sub_1","known":["evt_1","evt_2"]}"#,
        ] {
            let correlation = Correlation::of_context(context).unwrap_or_else(|| panic!("{context}"));
            assert_eq!(correlation.to_context().expect("it can be encoded"), context);
        }
        let resource = Correlation::Resource {
            instance: "inst_1".to_owned(),
            resource: "compute/ecs".to_owned(),
            verb: Verb::Backup,
        };
        let context = r#"{"about":"resource","id":"inst_1","part":"compute/ecs","verb":"backup"}"#;
        assert_eq!(Correlation::of_context(context), Some(resource));
    }

    #[test]
    fn a_context_of_another_form_is_no_concern() {
        for none in ["{}", "", r#"{"about": "resource", "id": "inst_1"}"#, r#"{"about": "weather"}"#] {
            assert_eq!(Correlation::of_context(none), None, "{none}");
        }
    }
}
