//! A business as plain data, for a host that cannot read folders. It is created where the folder is, after all checks, and passed
//! on as one JSON document.

use crate::catalog;
use crate::processor::{Business, OwnDeclarations, Processor};
use extension_contract::{Event, Timestamp};
use host_intake::webhook::Webhook;
use host_store::{NotState, Permitted, Stored};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A prepared business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Name of the business.
    pub name: String,
    /// True for real money.
    pub livemode: bool,
    /// Configuration as text, by declared key; secrets are references.
    pub config: BTreeMap<String, String>,
    /// Declarations of the business, in addition to those of the extension.
    pub own: OwnDeclarations,
    /// Webhooks of services other than Stripe.
    pub webhooks: Vec<OwnWebhook>,
    /// SHA-256 of catalog and configuration, hex.
    pub catalog_hash: String,
    /// Payload of `catalog.load`, as text.
    pub catalog: String,
}

/// A webhook of a service other than Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnWebhook {
    /// Signature scheme and facts.
    pub webhook: Webhook,
    /// Configuration key of the webhook's secret.
    pub secret: String,
}

impl Bundle {
    /// Returns the business in the form that a processor uses.
    pub fn business(&self) -> Business {
        Business {
            name: self.name.clone(),
            livemode: self.livemode,
            config: self.config.clone(),
            own: self.own.clone(),
            catalog_hash: self.catalog_hash.clone(),
            permitted: Permitted::default(),
            not_state: NotState::default(),
        }
    }

    /// Returns the event that loads the catalog; none if the last load was accepted with the same catalog and configuration by the
    /// same extension.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn load(&self, processor: &Processor, now: Timestamp) -> Stored<Option<Event>> {
        Ok(catalog::next_load(processor, &self.name, &self.catalog, now)?.map(|load| load.event))
    }
}
