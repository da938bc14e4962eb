//! What an effect is about: goes out as its context, and comes back with its result.

use super::json::encode;
use products_contract::{Fallible, Json};
use serde::{Deserialize, Serialize};

/// The rows that the end of an effect matters to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// An object of the payment provider.
    Retrieve {
        /// Its id.
        object: String,
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
        }
    }
}

impl Concern {
    /// As an effect's context.
    pub fn to_context(&self) -> Fallible<Json> {
        encode(self)
    }

    /// From an effect's context; none where it is about nothing of ours.
    pub fn of_context(context: &str) -> Option<Concern> {
        json_reader::from_str(context).ok()
    }
}
